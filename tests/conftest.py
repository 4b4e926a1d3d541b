"""Fixtures that every test may use: a fresh, migrated database on each engine.

PostgreSQL: `POLYNYM_TEST_PG_URL` (a role that may create databases), else one embedded cluster for the whole run, shared by
pytest-xdist's workers and started by the first test that asks. A worker
migrates one database and puts it back before every test; SQLite tests get a copy of a migrated file.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from inspect import iscoroutinefunction
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

import polynym
from polynym.core import embedded
from polynym.core.db import Db, connect
from polynym.core.migrate import upgrade
from tests.support.demo import Demo, build_demo

PACKAGE = Path(polynym.__file__).parent
#: In the order in which they may depend on each other.
#: A slow machine is no finding; how fast something is, `bench/` says.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

FEATURES = tuple(
    PACKAGE / name
    for name in (
        "core", "graph", "identity", "tokens", "webhooks", "messenger", "business_extension", "sandbox", "console"
    )
    if (PACKAGE / name / "migrations").is_dir()
)  # fmt: skip
#: A test cluster is thrown away, so it need not survive a crash of the machine.
UNSAFE_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "deadlock_timeout": "20ms",
}
RUN_PREFIX = "polynym-tests-"
URL_VARIABLE = "POLYNYM_TEST_PG_URL"
RUN_DIR = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """One directory a run, for the cluster that its workers share."""
    given = getattr(config, "workerinput", {}).get("polynym_run_dir")
    if given is None:
        given = tempfile.mkdtemp(prefix=RUN_PREFIX)
        # The cluster's account must reach its own directory when the tests run as root.
        os.chmod(given, 0o711)
    config.stash[RUN_DIR] = Path(given)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: pytest.Item) -> None:
    """Tell a pytest-xdist worker the run's directory."""
    node.workerinput["polynym_run_dir"] = str(node.config.stash[RUN_DIR])  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Whoever made the run's directory stops the cluster and removes it."""
    run_dir = config.stash.get(RUN_DIR, None)
    if run_dir is None or hasattr(config, "workerinput"):
        return
    if (run_dir / "postgresql").exists():
        replace(embedded.start(run_dir, settings=UNSAFE_SETTINGS), owned=True).stop()
    shutil.rmtree(run_dir)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> None:
    """Every `async def` test runs under anyio's plugin; property-based ones are coroutines inside."""
    inner = getattr(getattr(obj, "hypothesis", None), "inner_test", obj)
    if name.startswith("test") and iscoroutinefunction(inner):
        pytest.mark.anyio(obj)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio only."""
    return "asyncio"


@pytest.fixture(scope="session")
def features() -> tuple[Path, ...]:
    """The features whose migrations a test's database has; a folder of tests may ask for fewer."""
    return FEATURES


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database, on each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Db]:
    """A fresh, migrated database, on each engine in turn."""
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def sqlite_url(sqlite_templates: Callable[[tuple[Path, ...]], Path], features: tuple[Path, ...], tmp_path: Path) -> str:
    """The URL of a fresh, migrated SQLite file."""
    path = tmp_path / "polynym.db"
    shutil.copyfile(sqlite_templates(features), path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(
    postgresql_databases: Callable[[tuple[Path, ...]], PostgresqlDatabase], features: tuple[Path, ...]
) -> str:
    """The URL of a PostgreSQL database as its migrations left it."""
    database = postgresql_databases(features)
    asyncio.run(database.reset())
    return database.url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a single table, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: str = request.getfixturevalue("postgresql_server")
        with _database(server, _name(request.config, "empty")) as url:
            yield url


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[Path, ...]], Path]:
    """Migrated SQLite files to copy, by features."""

    @cache
    def template(features: tuple[Path, ...]) -> Path:
        path = tmp_path_factory.mktemp("sqlite") / "template.db"
        asyncio.run(_migrate(f"sqlite:///{path}", features))
        return path

    return template


@pytest.fixture(scope="session")
def postgresql_server(request: pytest.FixtureRequest) -> str:
    """The URL of a PostgreSQL server, of its maintenance database."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        return given
    run_dir = request.config.stash[RUN_DIR]
    with _alone(run_dir / "lock"):
        return embedded.start(run_dir, settings=UNSAFE_SETTINGS).url


@pytest.fixture(scope="session")
def postgresql_databases(
    postgresql_server: str, request: pytest.FixtureRequest
) -> Iterator[Callable[[tuple[Path, ...]], PostgresqlDatabase]]:
    """This worker's migrated PostgreSQL databases, by features, each used by one test after the other."""
    with ExitStack() as databases:

        @cache
        def migrated(features: tuple[Path, ...]) -> PostgresqlDatabase:
            name = _name(request.config, f"test_{len(features)}_{features[-1].name}")
            url = databases.enter_context(_database(postgresql_server, name))
            return asyncio.run(PostgresqlDatabase.migrated(url, features))

        yield migrated


@dataclass(frozen=True)
class PostgresqlDatabase:
    """A database that can be put back to how its migrations left it.

    That takes milliseconds; a copy of a template takes a third of a second, TRUNCATE of every table half of that.
    """

    url: str
    #: Table → what the migrations put into it.
    content: Mapping[str, Sequence[Sequence[object]]]

    @classmethod
    async def migrated(cls, url: str, features: tuple[Path, ...]) -> PostgresqlDatabase:
        await _migrate(url, features)
        connection = await asyncpg.connect(url)
        try:
            tables = await _tables(connection)
            return cls(url, {table: await _rows(connection, table) for table in tables})
        finally:
            await connection.close()

    async def reset(self) -> None:
        """Disconnect everybody, drop what a test created, and restore every row."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(_DISCONNECT)
            extra = [table for table in await _tables(connection) if table not in self.content]
            drops = [f'DROP TABLE "{table}" CASCADE' for table in extra]
            deletes = [f'DELETE FROM "{table}"' for table in self.content]
            await connection.execute("; ".join(drops + deletes))
            for table, rows in self.content.items():
                if rows:
                    await connection.copy_records_to_table(table, records=rows)
        finally:
            await connection.close()


_DISCONNECT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def _rows(connection: asyncpg.Connection, table: str) -> list[Sequence[object]]:
    return [tuple(row) for row in await connection.fetch(f'SELECT * FROM "{table}"')]


async def _tables(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return [row["tablename"] for row in rows]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Db]:
    """A connected database, closed at the end."""
    # Patient: a busy machine is no finding. Tests about time-outs open their own.
    database = await connect(url, acquire_timeout_s=60.0, command_timeout_s=120.0)
    try:
        yield database
    finally:
        await database.close()


async def _migrate(url: str, features: tuple[Path, ...]) -> None:
    async with opened(url) as database:
        await upgrade(database, features)


@contextmanager
def _database(server: str, name: str) -> Iterator[str]:
    """The URL of a new database on that server, dropped at the end."""
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


def _name(config: pytest.Config, kind: str) -> str:
    """A database name of this worker of this run alone."""
    run = config.stash[RUN_DIR].name.removeprefix(RUN_PREFIX)
    return f"{kind}_{run}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}".lower()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock file among the run's workers."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
async def demo(db: Db, tmp_path: Path) -> Demo:
    """The demo world on each engine in turn."""
    return await build_demo(db, tmp_path / "data")
