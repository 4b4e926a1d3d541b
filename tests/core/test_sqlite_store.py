"""What only SQLite's adapter does: group commit, and what can go wrong with one file."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path

import pytest

from polynym.core.db import Tx, Unavailable, connect
from polynym.core.sqlite import BATCH_MAX, SqliteDb

WRITER = Path(__file__).with_name("writer_process.py")
INSERT = "INSERT INTO thing (id) VALUES (:id)"


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[SqliteDb]:
    """A SQLite store with one table."""
    db = await connect(sqlite_url, acquire_timeout_s=0.1)
    assert isinstance(db, SqliteDb)
    await db.run("CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY)")
    yield db
    await db.close()


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def things(db: SqliteDb) -> list[str]:
    return [row["id"] for row in await db.all("SELECT id FROM thing ORDER BY id")]


async def test_transactions_that_wait_together_share_a_commit(store: SqliteDb) -> None:
    before = store.commits
    await asyncio.gather(*(store.run(INSERT, id=f"{n:03}") for n in range(200)))
    assert len(await things(store)) == 200
    assert store.commits - before <= 5


async def test_a_batch_has_a_bound(store: SqliteDb) -> None:
    before = store.commits
    await asyncio.gather(*(store.run(INSERT, id=f"{n:03}") for n in range(2 * BATCH_MAX + 1)))
    assert store.commits - before >= 3


async def test_a_transaction_that_waits_is_refused_and_leaves_nothing(store: SqliteDb) -> None:
    cleaned: list[str] = []

    async def wait(tx: Tx) -> None:
        await tx.run(INSERT, id="waiting")
        try:
            await asyncio.sleep(0)
        finally:
            cleaned.append("up")

    async def wait_inside(tx: Tx) -> None:
        await tx.transaction(wait)

    async def another_transaction(tx: Tx) -> None:
        await tx.run(INSERT, id="outer")
        await store.run(INSERT, id="inner")

    for body in (wait, wait_inside, another_transaction):
        with pytest.raises(RuntimeError, match="awaited something other"):
            await store.transaction(body)
    await store.run(INSERT, id="next")
    assert await things(store) == ["next"]
    assert cleaned == ["up", "up"]


async def test_one_and_all_refuse_to_write_outside_a_transaction(store: SqliteDb) -> None:
    with pytest.raises(RuntimeError, match="only read"):
        await store.one("INSERT INTO thing (id) VALUES ('a') RETURNING id")
    assert await things(store) == []


async def test_a_transaction_runs_in_its_callers_context(store: SqliteDb) -> None:
    request: ContextVar[str] = ContextVar("request")

    async def call(name: str) -> str:
        request.set(name)

        async def body(tx: Tx) -> str:
            await tx.run(INSERT, id=request.get())
            return request.get()

        return await store.transaction(body)

    assert await asyncio.gather(call("a"), call("b")) == ["a", "b"]


async def test_a_caller_cancelled_in_the_queue_has_written_nothing(store: SqliteDb) -> None:
    queued: list[asyncio.Task[int]] = []

    async def body(tx: Tx) -> None:
        await tx.run(INSERT, id="first")
        # Starts once this batch's COMMIT is on its way, so it waits for the next one.
        queued.append(asyncio.create_task(store.run(INSERT, id="cancelled")))
        tx.after_commit(lambda: queued[0].cancel() and None)

    await store.transaction(body)
    with pytest.raises(asyncio.CancelledError):
        await queued[0]
    await store.run(INSERT, id="last")
    assert await things(store) == ["first", "last"]


async def test_a_caller_cancelled_during_the_commit_has_written(store: SqliteDb) -> None:
    writing: list[asyncio.Task[None]] = []

    async def body(tx: Tx) -> None:
        await tx.run(INSERT, id="committed")
        asyncio.get_running_loop().call_soon(writing[0].cancel)

    writing.append(asyncio.create_task(store.transaction(body)))
    with pytest.raises(asyncio.CancelledError):
        await writing[0]
    await store.run(INSERT, id="next")
    assert await things(store) == ["committed", "next"]


async def test_a_database_locked_by_another_process_is_unavailable_after_a_bounded_wait(
    store: SqliteDb, sqlite_url: str
) -> None:
    other = sqlite3.connect(path_of(sqlite_url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(*(store.run(INSERT, id=str(n)) for n in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert await things(store) == []
    other.execute("COMMIT")
    other.close()
    await store.run(INSERT, id="a")
    assert await things(store) == ["a"]


async def test_a_lock_that_is_given_up_in_time_is_not_noticed(store: SqliteDb, sqlite_url: str) -> None:
    other = sqlite3.connect(path_of(sqlite_url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.03, other.execute, "COMMIT")
    await store.run(INSERT, id="a")
    other.close()
    assert await things(store) == ["a"]


async def test_a_full_database_fails_its_batch_and_recovers(store: SqliteDb) -> None:
    row = await store.one("PRAGMA page_count")
    assert row is not None
    # PRAGMA takes no parameters.
    await store.run(f"PRAGMA max_page_count = {row['page_count'] + 20}")

    async def swallow(tx: Tx) -> None:
        """A handler that catches everything must not go on in autocommit mode."""
        for size in (200_000, 1):
            try:
                await tx.run(INSERT, id="swallowed" + "x" * size)
            except Exception:
                continue

    calls = [store.run(INSERT, id="small 1"), store.transaction(swallow), store.run(INSERT, id="small 2")]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(result, Unavailable) for result in results)
    kept = [name for name, result in zip(("small 1", "", "small 2"), results, strict=True) if result == 1]
    assert await things(store) == kept
    await store.run("PRAGMA max_page_count = 1000000")
    await store.run(INSERT, id="z" * 200_000)
    assert len(await things(store)) == len(kept) + 1


def test_a_file_that_cannot_grow_fails_the_commit_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "full.db"
    command = [sys.executable, str(WRITER), "full", str(path)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert set(said["refused"]) == {"Unavailable"}
    assert said["acknowledged"]
    assert said["readable"] == len(said["acknowledged"])
    reopened = sqlite3.connect(path)
    stored = {row[0] for row in reopened.execute("SELECT n FROM number")}
    assert stored == {*said["acknowledged"], 1_000_000}
    assert reopened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reopened.close()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    acknowledged: set[int] = set()
    for lines in (40, 333, 1000):
        command = [sys.executable, str(WRITER), "acknowledge", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            heard = [int(writer.stdout.readline()) for _ in range(lines)]
            writer.kill()
            # A line cut off by the kill was not heard.
            heard += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        acknowledged |= set(heard)
        reopened = sqlite3.connect(path)
        stored = {row[0] for row in reopened.execute("SELECT n FROM number")}
        assert reopened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        reopened.close()
        assert acknowledged <= stored


async def test_commits_are_durable_by_the_files_settings(store: SqliteDb) -> None:
    durability = await store.durability()
    assert durability.safe
    assert durability.detail == "journal_mode=wal synchronous=2"


async def test_a_database_file_is_private(tmp_path: Path) -> None:
    db = await connect(f"sqlite:///{tmp_path / 'new.db'}")
    await db.run("CREATE TABLE x (y TEXT)")
    modes = {file.name: file.stat().st_mode & 0o777 for file in os.scandir(tmp_path)}
    await db.close()
    assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}


async def test_closing_leaves_one_file(store: SqliteDb, sqlite_url: str) -> None:
    await store.run(INSERT, id="a")
    await store.close()
    await store.close()
    path = path_of(sqlite_url)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_database_in_memory_works_alike() -> None:
    db = await connect("sqlite://")
    assert isinstance(db, SqliteDb)
    await db.run("CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY)")
    results = await asyncio.gather(*(db.run(INSERT, id=str(n % 3)) for n in range(6)), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["int"] * 3 + ["UniqueViolation"] * 3
    assert await things(db) == ["0", "1", "2"]
    assert not (await db.durability()).safe
    await db.close()
