"""Migrations: in order, once, by one process, and never on a database that knows more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from polynym.core.db import Db, SchemaTooNew, connect
from polynym.core.migrate import MigrationError, check, migrations, upgrade


class FixedClock:
    """Always the same time."""

    def now_ms(self) -> int:
        return 1_700_000_000_000

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Db]:
    """A database without tables."""
    db = await connect(empty_url)
    yield db
    await db.close()


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A feature with two migrations, one of them different on each engine."""
    folder = tmp_path / "first" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_start.sql").write_text(
        "CREATE TABLE a (x TEXT NOT NULL PRIMARY KEY);\nINSERT INTO a VALUES ('1');\n"
    )
    (folder / "0002_more.sqlite.sql").write_text("ALTER TABLE a ADD COLUMN y BIGINT;")
    (folder / "0002_more.postgresql.sql").write_text("ALTER TABLE a ADD COLUMN y BIGINT; CREATE INDEX a_y ON a (y);")
    (folder / "README").write_text("not a migration")
    return folder.parent


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """A feature that needs the first."""
    folder = tmp_path / "second" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_start.sql").write_text("CREATE TABLE b (x TEXT); INSERT INTO b SELECT x FROM a;")
    return folder.parent


async def applied(db: Db) -> list[str]:
    rows = await db.all("SELECT feature, number, name, applied_ms FROM schema_migration ORDER BY feature, number")
    assert {row["applied_ms"] for row in rows} == {FixedClock().now_ms()}
    return [f"{row['feature']}/{row['number']:04}_{row['name']}" for row in rows]


async def test_everything_is_applied_in_order_and_only_once(empty: Db, first: Path, second: Path) -> None:
    assert len(await check(empty, [first, second])) == 3
    done = await upgrade(empty, [first, second], clock=FixedClock())
    assert [str(migration) for migration in done] == ["first/0001_start", "first/0002_more", "second/0001_start"]
    assert await applied(empty) == [str(migration) for migration in done]
    assert await check(empty, [first, second]) == []
    assert await upgrade(empty, [first, second]) == []
    row = await empty.one("SELECT x FROM b")
    assert row is not None
    assert row["x"] == "1"


async def test_a_file_that_fails_leaves_nothing_of_itself(empty: Db, first: Path) -> None:
    (first / "migrations" / "0003_bad.sql").write_text("CREATE TABLE c (x TEXT);\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(MigrationError, match="first/0003_bad"):
        await upgrade(empty, [first], clock=FixedClock())
    assert await applied(empty) == ["first/0001_start", "first/0002_more"]
    (first / "migrations" / "0003_bad.sql").write_text("CREATE TABLE c (x TEXT);")
    assert len(await upgrade(empty, [first])) == 1


async def test_two_processes_that_start_at_once_apply_each_file_once(empty_url: str, first: Path, second: Path) -> None:
    async with AsyncExitStack() as stack:
        processes = [await connect(empty_url) for _ in range(3)]
        for process in processes:
            stack.push_async_callback(process.close)
        done = await asyncio.gather(*(upgrade(process, [first, second]) for process in processes))
        assert sorted(str(migration) for each in done for migration in each) == [
            "first/0001_start",
            "first/0002_more",
            "second/0001_start",
        ]


async def test_a_database_that_knows_more_is_refused(empty: Db, first: Path, second: Path) -> None:
    await upgrade(empty, [first, second])
    with pytest.raises(SchemaTooNew, match="second/0001_start"):
        await upgrade(empty, [first])
    for file in (first / "migrations").glob("0002*"):
        file.unlink()
    with pytest.raises(SchemaTooNew, match="first/0002_more"):
        await check(empty, [first, second])


async def test_a_file_changed_after_it_was_applied_is_refused(empty: Db, first: Path) -> None:
    await upgrade(empty, [first])
    file = first / "migrations" / "0001_start.sql"
    file.write_text(file.read_text().replace("'1'", "'2'"))
    with pytest.raises(MigrationError, match="0001_start was changed"):
        await check(empty, [first])


async def test_other_line_ends_are_no_change(empty: Db, first: Path) -> None:
    await upgrade(empty, [first])
    file = first / "migrations" / "0001_start.sql"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert await check(empty, [first]) == []


async def test_a_number_below_an_applied_one_is_refused(empty: Db, first: Path) -> None:
    folder = first / "migrations"
    (folder / "0001_start.sql").rename(folder / "0005_start.sql")
    for file in folder.glob("0002*"):
        file.unlink()
    await upgrade(empty, [first])
    (folder / "0004_late.sql").write_text("CREATE TABLE late (x TEXT);")
    with pytest.raises(MigrationError, match="0004_late comes before"):
        await upgrade(empty, [first])


@pytest.mark.parametrize("name", ["1_short.sql", "0003_Upper.sql", "0003_x.mysql.sql"])
def test_a_file_with_another_name_is_refused(first: Path, name: str) -> None:
    (first / "migrations" / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="is not called"):
        migrations(first, "sqlite")


def test_two_files_with_one_number_are_refused(first: Path) -> None:
    (first / "migrations" / "0002_other.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="the same number"):
        migrations(first, "sqlite")


def test_a_package_is_found_by_its_name() -> None:
    found = migrations("polynym.core", "postgresql")
    assert str(found[0]) == "core/0001_core"


def test_a_feature_without_migrations_has_none(tmp_path: Path) -> None:
    assert migrations(tmp_path, "sqlite") == []
