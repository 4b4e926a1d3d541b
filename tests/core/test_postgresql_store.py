"""What only PostgreSQL's adapter does: a pool, serialization retries, lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from polynym.core.db import TRANSACTION_ATTEMPTS, Db, Tx, Unavailable, connect

BACKEND = "SELECT CAST(pg_backend_pid() AS BIGINT) AS pid"


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[Db]:
    """A PostgreSQL store with two accounts."""
    db = await connect(postgresql_url)
    await db.run("CREATE TABLE account (id BIGINT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL)")
    await db.run("INSERT INTO account (id, balance) VALUES (1, 10), (2, 10)")
    yield db
    await db.close()


async def number(db: Db, sql: str) -> int:
    row = await db.one(sql)
    assert row is not None
    found: int = next(iter(row))  # type: ignore[call-overload]
    return found


async def test_a_transaction_that_cannot_be_serialized_is_run_again(store: Db) -> None:
    both_have_read = asyncio.Barrier(2)
    attempts = {1: 0, 2: 0}

    async def withdraw(account: int, tx: Tx) -> None:
        """Each may empty its account only while the two together hold enough: write skew without serialization."""
        attempts[account] += 1
        await tx.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        total = await number(tx, "SELECT CAST(sum(balance) AS BIGINT) FROM account")
        if sum(attempts.values()) <= 2:
            await both_have_read.wait()
        if total >= 20:
            await tx.run("UPDATE account SET balance = 0 WHERE id = :id", id=account)

    await asyncio.gather(*(store.transaction(partial(withdraw, account)) for account in (1, 2)))
    assert sum(attempts.values()) == 3
    assert await number(store, "SELECT CAST(sum(balance) AS BIGINT) FROM account") == 10


async def test_a_transaction_that_never_serializes_is_unavailable_after_its_attempts(store: Db) -> None:
    ran = 0

    async def conflict(tx: Tx) -> None:
        nonlocal ran
        ran += 1
        await tx.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await tx.one("SELECT balance FROM account WHERE id = 1")
        await store.run("UPDATE account SET balance = balance + 1 WHERE id = 1")
        await tx.run("UPDATE account SET balance = 0 WHERE id = 1")

    with pytest.raises(Unavailable):
        await store.transaction(conflict)
    assert ran == TRANSACTION_ATTEMPTS
    assert await number(store, "SELECT balance FROM account WHERE id = 1") == 10 + ran


async def test_a_table_changed_by_a_newer_process_is_noticed_without_an_error(store: Db, postgresql_url: str) -> None:
    async def read(tx: Tx) -> int:
        rows = await tx.all("SELECT * FROM account")
        return len(list(rows[0].keys()))

    assert await store.transaction(read) == 2
    newer = await connect(postgresql_url)
    await newer.run("ALTER TABLE account ADD COLUMN note TEXT")
    await newer.close()
    assert await store.transaction(read) == 3
    assert len(await store.all("SELECT * FROM account")) == 2


async def test_a_lost_connection_is_unavailable_and_the_next_call_works(store: Db) -> None:
    async def killed(tx: Tx) -> None:
        await tx.run("UPDATE account SET balance = 0")
        pid = await number(tx, BACKEND)
        await store.one("SELECT pg_terminate_backend(CAST(:pid AS INTEGER)) AS done", pid=pid)
        await tx.one(BACKEND)

    with pytest.raises(Unavailable):
        await store.transaction(killed)
    assert await number(store, "SELECT CAST(sum(balance) AS BIGINT) FROM account") == 20


async def test_a_connection_lost_while_idle_is_replaced(postgresql_url: str) -> None:
    db = await connect(postgresql_url, pool_size=2)
    other = await connect(postgresql_url)
    pid = await number(db, BACKEND)
    await other.one("SELECT pg_terminate_backend(CAST(:pid AS INTEGER)) AS done", pid=pid)
    # The server's farewell is read on the loop's next turns; until then the loss shows as one unavailable answer.
    answers = [await asyncio.gather(number(db, BACKEND), return_exceptions=True) for _ in range(2)]
    assert isinstance(answers[1][0], int)
    assert answers[1][0] != pid
    await db.close()
    await other.close()


async def test_when_every_connection_is_in_use_the_wait_is_bounded(postgresql_url: str) -> None:
    db = await connect(postgresql_url, pool_size=1, acquire_timeout_s=3)

    async def hold(_: Tx) -> None:
        with pytest.raises(Unavailable, match="in use"):
            await db.one("SELECT 1")

    await db.transaction(hold)
    assert await number(db, "SELECT CAST(7 AS BIGINT)") == 7
    await db.close()


async def test_who_waits_for_a_connection_is_served_in_turn(postgresql_url: str) -> None:
    db = await connect(f"{postgresql_url}&pool_size=1")
    served: list[int] = []

    async def ask(order: int) -> None:
        await db.one("SELECT 1")
        served.append(order)

    await asyncio.gather(*(ask(order) for order in range(20)))
    assert served == list(range(20))
    await db.close()


async def test_a_cancelled_caller_neither_commits_nor_keeps_its_connection(postgresql_url: str) -> None:
    db = await connect(postgresql_url, pool_size=1)
    await db.run("CREATE TABLE thing (id TEXT)")
    written = asyncio.Event()

    async def write(tx: Tx) -> None:
        await tx.run("INSERT INTO thing (id) VALUES ('a')")
        written.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(db.transaction(write))
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await number(db, "SELECT count(*) FROM thing") == 0
    await db.close()


async def test_a_statement_that_takes_too_long_is_unavailable(postgresql_url: str) -> None:
    db = await connect(postgresql_url, command_timeout_s=0.05)
    for call in (db.one, lambda sql: db.transaction(lambda tx: tx.one(sql))):
        with pytest.raises(Unavailable):
            await call("SELECT pg_sleep(30)")
    assert await number(db, "SELECT CAST(1 AS BIGINT)") == 1
    await db.close()


async def test_statements_need_not_be_kept_prepared(postgresql_url: str) -> None:
    db = await connect(f"{postgresql_url}&statement_cache_size=0")
    assert await number(db, "SELECT CAST(1 AS BIGINT)") == 1
    assert await number(db, "SELECT count(*) FROM pg_prepared_statements") <= 1
    await db.close()


async def test_a_parameter_of_the_wrong_type_does_not_quote_the_value(store: Db) -> None:
    with pytest.raises(TypeError, match=r"parameter \$1") as error:
        await store.one("SELECT id FROM account WHERE id = :id", id="secret value")
    assert "secret" not in str(error.value)


async def test_durability_reports_settings_that_lose_commits(store: Db) -> None:
    async def relaxed(tx: Tx) -> bool:
        await tx.run("SET LOCAL synchronous_commit = off")
        return (await tx.durability()).safe

    assert not await store.transaction(relaxed)
    assert "synchronous_commit=" in (await store.durability()).detail


async def test_sessions_are_in_utc(store: Db) -> None:
    row = await store.one("SELECT current_setting('timezone') AS timezone")
    assert row is not None
    assert row["timezone"] == "UTC"
