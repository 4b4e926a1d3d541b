"""polynym doctor: what could be wrong with this machine, the database and the running server."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from polynym.app import migration_folders
from polynym.cli import client
from polynym.cli.db import sqlite_file, with_database
from polynym.cli.files import KEY_FILE, SERVER_FILE, left_behind
from polynym.cli.options import as_json, settings, where
from polynym.cli.ports import holder_of
from polynym.cli.problems import FAILURE, CliError
from polynym.core import migrate
from polynym.core.clock import SystemClock
from polynym.core.config import Config
from polynym.core.db import Db
from polynym.core.listen import PortBusy, bind
from polynym.sandbox.moments import format_moment

PYTHON_MIN: Final = (3, 11)
SQLITE_MIN: Final = (3, 38, 0)
FREE_BYTES_MIN: Final = 200 * 1024 * 1024
#: A machine whose clock is before this has lost its time (2025-01-01).
_EARLIEST_PLAUSIBLE_MS: Final = 1_735_689_600_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `state` is ok, note (worth knowing) or wrong."""

    name: str
    state: str
    detail: str


@click.command()
@where
@as_json
@click.option("--database", metavar="URL", help="sqlite:///file, postgresql://… or embedded.")
def doctor(data_dir: str | None, config_file: Path | None, json_: bool, database: str | None) -> None:
    """Check this machine, the database and the running server; exit code 1 when something is wrong."""
    config = settings(config_file, {"data_dir": data_dir, "database": database})
    findings = list(_look(config))
    if json_:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.state:<5}  {finding.name:<9}  {finding.detail}")
    if any(finding.state == "wrong" for finding in findings):
        raise click.exceptions.Exit(FAILURE)


def _look(config: Config) -> Iterator[Finding]:
    running = left_behind(config.data_dir)
    yield _version("python", sys.version_info[:3], PYTHON_MIN)
    yield _version("sqlite", sqlite3.sqlite_version_info, SQLITE_MIN)
    yield _data_dir(config.data_dir)
    yield _disk(config.data_dir)
    yield _database(config)
    yield _server(running)
    if running is None:
        yield _port(config)
    yield _clock()


def _version(name: str, version: tuple[int, ...], least: tuple[int, ...]) -> Finding:
    shown, needed = (".".join(map(str, each)) for each in (version, least))
    return Finding(name, "ok", shown) if version >= least else Finding(name, "wrong", f"{shown}; {needed} is needed")


def _data_dir(path: Path) -> Finding:
    if not path.exists():
        parent = next(each for each in path.parents if each.exists())
        able = os.access(parent, os.W_OK | os.X_OK)
        return Finding(
            "data dir",
            "note" if able else "wrong",
            f"{path} does not exist; {parent} is {'' if able else 'not '}writable",
        )
    if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
        return Finding("data dir", "wrong", f"{path} is not a writable directory")
    for name in ("secret-key", KEY_FILE, SERVER_FILE):
        file = path / name
        if file.exists() and file.stat().st_mode & 0o077:
            return Finding("data dir", "wrong", f"{file} may be read by others; run: chmod 600 {file}")
    return Finding("data dir", "ok", str(path))


def _disk(path: Path) -> Finding:
    existing = next(each for each in (path, *path.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    return Finding(
        "disk", "ok" if free >= FREE_BYTES_MIN else "wrong", f"{free // 1024 // 1024} MiB free at {existing}"
    )


def _database(config: Config) -> Finding:
    file = sqlite_file(config.database)
    if file is not None and not file.exists():
        return Finding("database", "note", f"{file} does not exist yet; the first start makes it")
    try:
        missing, durable = with_database(config, _schema)
    except CliError as error:
        return Finding("database", "wrong", str(error))
    if missing:
        return Finding("database", "note", f"{missing} migrations are missing; run: polynym db upgrade")
    return Finding("database", "ok", f"the schema is up to date; {durable}")


async def _schema(db: Db) -> tuple[int, str]:
    missing = await migrate.check(db, migration_folders())
    durability = await db.durability()
    return len(missing), ("" if durability.safe else "NOT safe against a crash: ") + durability.detail


def _server(running: dict[str, object] | None) -> Finding:
    if running is None:
        return Finding("server", "note", "not running; start it: polynym start")
    try:
        reply = client.Server(str(running["url"]), None).request("GET", "/_polynym/health/ready")
    except CliError as error:
        return Finding("server", "wrong", str(error))
    state = "ok" if reply.status == 200 else "wrong"  # noqa: PLR2004
    return Finding("server", state, f"{running['url']} (pid {running['pid']}) answers {reply.status}")


def _port(config: Config) -> Finding:
    if config.port is None:
        return Finding("port", "ok", "auto")
    return _tried(lambda: bind(config.host, config.port or 0).close(), config)


def _tried(attempt: Callable[[], None], config: Config) -> Finding:
    place = f"{config.host}:{config.port}"
    try:
        attempt()
    except PortBusy as busy:
        return Finding("port", "wrong", f"{place} is in use by {holder_of(busy.port) or 'another process'}")
    except OSError as error:
        return Finding("port", "wrong", f"{place}: {error.strerror or error}")
    return Finding("port", "ok", f"{place} is free")


def _clock() -> Finding:
    now_ms = SystemClock().now_ms()
    state = "ok" if now_ms > _EARLIEST_PLAUSIBLE_MS else "wrong"
    return Finding("clock", state, f"{format_moment(now_ms)} on this machine")
