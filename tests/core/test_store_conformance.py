"""What SQLite and PostgreSQL must do alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polynym.core.db import (
    BadText,
    ConstraintViolation,
    Db,
    TransactionFailed,
    Tx,
    Unavailable,
    UniqueViolation,
    connect,
)

ACCOUNTS = 4
STARTING_BALANCE = 100
UNSTORABLE = ("nul\0", "lone \ud800 surrogate", 2**63, -(2**63) - 1, 10**30)


class RefusedError(Exception):
    """What a handler raises."""


@pytest.fixture
async def store(db: Db) -> Db:
    """A store with tables of its own."""
    await db.run("CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, other TEXT UNIQUE, amount BIGINT)")
    await db.run("CREATE TABLE pair (a TEXT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b))")
    await db.run("CREATE TABLE account (id BIGINT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL CHECK (balance >= 0))")
    return db


async def put(db: Db, name: str, amount: int | None = None) -> None:
    await db.run("INSERT INTO thing (id, amount) VALUES (:name, :amount)", name=name, amount=amount)


async def names(db: Db) -> list[str]:
    return [row["id"] for row in await db.all("SELECT id FROM thing ORDER BY id")]


async def outcome(awaitable: Awaitable[object]) -> object:
    try:
        return await awaitable
    except Exception as error:
        return type(error)


# Statements


async def test_a_row_gives_its_columns_by_name_as_text_int_and_none(store: Db) -> None:
    await put(store, "é🙂", 2**63 - 1)
    row = await store.one("SELECT id, other, amount FROM thing WHERE id = :name", name="é🙂")
    assert row is not None
    assert dict(row) == {"id": "é🙂", "other": None, "amount": 2**63 - 1}
    assert list(row.keys()) == ["id", "other", "amount"]


async def test_one_is_none_without_a_row_and_the_first_of_several(store: Db) -> None:
    assert await store.one("SELECT id FROM thing") is None
    await store.many("INSERT INTO thing (id) VALUES (:id)", [{"id": "b"}, {"id": "a"}, {"id": "c"}])
    row = await store.one("SELECT id FROM thing ORDER BY id")
    assert row is not None
    assert row["id"] == "a"


async def test_run_says_how_many_rows_changed(store: Db) -> None:
    await store.many("INSERT INTO thing (id, amount) VALUES (:id, 1)", [{"id": str(n)} for n in range(5)])
    assert await store.run("UPDATE thing SET amount = 2 WHERE id < :limit", limit="3") == 3
    assert await store.run("DELETE FROM thing WHERE id = 'none'") == 0
    assert await store.run("INSERT INTO thing (id) VALUES ('x') ON CONFLICT (id) DO NOTHING") == 1
    assert await store.run("INSERT INTO thing (id) VALUES ('x') ON CONFLICT (id) DO NOTHING") == 0
    assert await store.run("CREATE INDEX thing_amount ON thing (amount)") == 0


async def test_a_parameter_used_twice_and_a_spare_one_are_fine(store: Db) -> None:
    await put(store, "a", 7)
    row = await store.one(
        "SELECT amount FROM thing WHERE amount >= :n AND amount <= :n AND id <> ':n' -- :n", n=7, spare="x"
    )
    assert row is not None
    assert row["amount"] == 7


async def test_null_is_a_parameter_like_any_other(store: Db) -> None:
    await put(store, "a", None)
    row = await store.one("SELECT id FROM thing WHERE amount IS NULL AND CAST(:x AS TEXT) IS NULL", x=None)
    assert row is not None
    assert await store.one("SELECT id FROM thing WHERE CAST(:x AS TEXT) IS NULL", x="something") is None


async def test_returning_gives_what_was_written(store: Db) -> None:
    async def write(tx: Tx) -> tuple[object, list[object]]:
        first = await tx.one("INSERT INTO thing (id, amount) VALUES ('a', 1) RETURNING amount + 1 AS next")
        await tx.run("INSERT INTO thing (id, amount) VALUES ('b', 5)")
        rows = await tx.all("UPDATE thing SET amount = amount * 10 RETURNING amount")
        assert first is not None
        return first["next"], sorted(row["amount"] for row in rows)

    assert await store.transaction(write) == (2, [10, 50])


async def test_on_conflict_do_update_counts_up(store: Db) -> None:
    statement = (
        "INSERT INTO thing (id, amount) VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET amount = thing.amount + 1"
    )
    await asyncio.gather(*(store.run(statement, id="a") for _ in range(25)))
    row = await store.one("SELECT amount FROM thing")
    assert row is not None
    assert row["amount"] == 25


async def test_statements_are_counted(store: Db) -> None:
    before = store.statements
    await store.one("SELECT 1 AS x")
    await store.transaction(lambda tx: tx.all("SELECT 1 AS x"))
    await store.many("INSERT INTO thing (id) VALUES (:id)", [{"id": "a"}, {"id": "b"}])
    assert store.statements == before + 3


# Constraints and values


async def test_a_second_row_with_the_same_key_is_a_unique_violation_that_names_it(store: Db) -> None:
    await store.run("INSERT INTO thing (id, other) VALUES ('a', 'o')")
    with pytest.raises(UniqueViolation) as by_key:
        await store.run("INSERT INTO thing (id) VALUES ('a')")
    assert (by_key.value.table, by_key.value.columns) == ("thing", ("id",))
    with pytest.raises(UniqueViolation) as by_column:
        await store.run("INSERT INTO thing (id, other) VALUES ('secret-key-value', 'o')")
    assert (by_column.value.table, by_column.value.columns) == ("thing", ("other",))
    assert "secret-key-value" not in str(by_column.value)


async def test_a_key_of_two_columns_names_both_in_order(store: Db) -> None:
    with pytest.raises(UniqueViolation) as error:
        await store.many("INSERT INTO pair (a, b) VALUES (:a, :b)", [{"a": "x", "b": 1}, {"a": "x", "b": 1}])
    assert (error.value.table, error.value.columns) == ("pair", ("a", "b"))
    assert await store.one("SELECT a FROM pair") is None


async def test_null_and_check_violations_are_constraint_violations(store: Db) -> None:
    with pytest.raises(ConstraintViolation):
        await store.run("INSERT INTO account (id, balance) VALUES (1, CAST(:x AS BIGINT))", x=None)
    with pytest.raises(ConstraintViolation):
        await store.run("INSERT INTO account (id, balance) VALUES (1, -1)")


@pytest.mark.parametrize("value", UNSTORABLE)
async def test_what_no_engine_stores_is_bad_text_in_every_call(store: Db, value: str | int) -> None:
    column = "id" if isinstance(value, str) else "amount"
    insert = f"INSERT INTO thing (id, {column}) VALUES ('a', :v)" if column == "amount" else (
        "INSERT INTO thing (id) VALUES (:v)"
    )  # fmt: skip
    for call in (
        lambda: store.one(f"SELECT id FROM thing WHERE {column} = :v", v=value),
        lambda: store.all(f"SELECT id FROM thing WHERE {column} = :v", v=value),
        lambda: store.run(insert, v=value),
        lambda: store.many(insert, [{"v": value}]),
        lambda: store.transaction(lambda tx: tx.one(f"{insert} RETURNING id", v=value)),
    ):
        with pytest.raises(BadText):
            await call()
    assert await names(store) == []
    await put(store, "still works")


async def test_a_wrong_statement_is_not_called_unavailable(store: Db) -> None:
    with pytest.raises(Exception, match="no_such_table") as error:
        await store.one("SELECT * FROM no_such_table")
    assert not isinstance(error.value, Unavailable)


# Transactions


async def test_a_transaction_that_raises_leaves_nothing(store: Db) -> None:
    async def fail(tx: Tx) -> None:
        await put(tx, "a")
        raise RefusedError

    with pytest.raises(RefusedError):
        await store.transaction(fail)
    assert await names(store) == []


async def test_one_failing_transaction_does_not_hurt_its_neighbours(store: Db) -> None:
    def write(number: int) -> Callable[[Tx], Awaitable[int]]:
        async def body(tx: Tx) -> int:
            await put(tx, f"{number:02}")
            if number % 3 == 0:
                raise RefusedError
            if number % 7 == 0:
                await put(tx, f"{number:02}")
            return number

        return body

    results = await asyncio.gather(*(outcome(store.transaction(write(n))) for n in range(1, 31)))
    kept = [n for n in range(1, 31) if n % 3 and n % 7]
    assert [result for result in results if isinstance(result, int)] == kept
    assert {result for result in results if not isinstance(result, int)} == {RefusedError, UniqueViolation}
    assert await names(store) == [f"{n:02}" for n in kept]


async def test_a_transaction_sees_its_own_writes_and_others_do_not_yet(store: Db) -> None:
    async def write(tx: Tx) -> tuple[list[str], list[str]]:
        await put(tx, "a")
        return await names(tx), await names(store)

    assert await store.transaction(write) == (["a"], [])
    assert await names(store) == ["a"]


async def test_a_savepoint_that_fails_takes_only_itself_back(store: Db) -> None:
    async def twice(tx: Tx) -> None:
        await put(tx, "inner")
        await put(tx, "inner")

    async def outer(tx: Tx) -> None:
        await put(tx, "before")
        with pytest.raises(UniqueViolation):
            await tx.transaction(twice)
        await tx.transaction(lambda nested: put(nested, "kept"))
        await put(tx, "after")

    await store.transaction(outer)
    assert await names(store) == ["after", "before", "kept"]


async def test_savepoints_nest(store: Db) -> None:
    async def level(tx: Tx, depth: int) -> None:
        await put(tx, str(depth))
        if depth == 4:
            raise RefusedError
        if depth == 2:
            with pytest.raises(RefusedError):
                await tx.transaction(lambda nested: level(nested, depth + 1))
        else:
            await tx.transaction(lambda nested: level(nested, depth + 1))

    await store.transaction(lambda tx: level(tx, 1))
    assert await names(store) == ["1", "2"]


async def test_a_failed_statement_ends_its_transaction_even_when_caught(store: Db) -> None:
    await put(store, "a")

    async def go_on(tx: Tx) -> None:
        with pytest.raises(UniqueViolation):
            await put(tx, "a")
        await put(tx, "b")

    async def swallow(tx: Tx) -> None:
        await put(tx, "c")
        with pytest.raises(BadText):
            await put(tx, "\0")

    for body in (go_on, swallow):
        with pytest.raises(TransactionFailed):
            await store.transaction(body)
    assert await names(store) == ["a"]


async def test_a_transactions_statements_are_not_awaited_together(store: Db) -> None:
    async def together(tx: Tx) -> None:
        await asyncio.gather(*(put(tx, str(n)) for n in range(3)), return_exceptions=True)

    with pytest.raises(RuntimeError):
        await store.transaction(together)
    assert await names(store) == []


async def test_a_transaction_cannot_be_used_after_its_end(store: Db) -> None:
    kept: list[Tx] = []

    async def keep(tx: Tx) -> None:
        kept.append(tx)
        await tx.transaction(keep_nested)
        with pytest.raises(TransactionFailed):
            await kept[1].one("SELECT 1 AS x")

    async def keep_nested(tx: Tx) -> None:
        kept.append(tx)

    await store.transaction(keep)
    for tx in kept:
        with pytest.raises(TransactionFailed):
            await put(tx, "late")
    assert await names(store) == []


async def test_after_commit_runs_once_the_row_can_be_read(store: Db) -> None:
    seen: list[asyncio.Task[list[str]]] = []

    async def write(tx: Tx) -> None:
        await put(tx, "a")
        tx.after_commit(lambda: seen.append(asyncio.create_task(names(store))))
        assert seen == []

    await store.transaction(write)
    assert [await task for task in seen] == [["a"]]


async def test_after_commit_runs_neither_for_a_rollback_nor_for_a_failed_savepoint(store: Db) -> None:
    ran: list[str] = []

    async def fail(tx: Tx) -> None:
        tx.after_commit(lambda: ran.append("never"))
        raise RefusedError

    async def outer(tx: Tx) -> None:
        tx.after_commit(lambda: ran.append("outer"))
        with pytest.raises(RefusedError):
            await tx.transaction(fail)
        await tx.transaction(hooked)

    async def hooked(tx: Tx) -> None:
        tx.after_commit(lambda: ran.append("inner"))

    with pytest.raises(RefusedError):
        await store.transaction(fail)
    await store.transaction(outer)
    assert ran == ["outer", "inner"]


async def test_a_failing_after_commit_hook_does_not_fail_the_caller(store: Db) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))

    async def write(tx: Tx) -> str:
        tx.after_commit(lambda: [].remove("nothing"))
        tx.after_commit(lambda: reported.append("the next hook"))
        return "done"

    assert await store.transaction(write) == "done"
    assert reported == ["an after_commit hook failed", "the next hook"]


# Races


async def test_of_twenty_redemptions_at_once_exactly_one_wins(store: Db) -> None:
    await store.run("CREATE TABLE coupon (code TEXT NOT NULL PRIMARY KEY, used BIGINT)")
    await store.many("INSERT INTO coupon (code) VALUES (:code)", [{"code": str(n)} for n in range(5)])

    def redeem(code: str, by: int) -> Callable[[Tx], Awaitable[bool]]:
        async def body(tx: Tx) -> bool:
            row = await tx.one(
                "UPDATE coupon SET used = :by WHERE code = :code AND used IS NULL RETURNING code", code=code, by=by
            )
            return row is not None

        return body

    for code in range(5):
        won = await asyncio.gather(*(store.transaction(redeem(str(code), by)) for by in range(20)))
        assert won.count(True) == 1
        row = await store.one("SELECT used FROM coupon WHERE code = :code", code=str(code))
        assert row is not None
        assert row["used"] == won.index(True)


async def test_concurrent_claims_with_skip_locked_never_share_a_row(store: Db) -> None:
    await store.run("CREATE TABLE job (id BIGINT NOT NULL PRIMARY KEY, worker BIGINT)")
    await store.many("INSERT INTO job (id) VALUES (:id)", [{"id": n} for n in range(60)])

    async def claim(worker: int) -> list[int]:
        async def body(tx: Tx) -> list[int]:
            rows = await tx.all(
                """
                UPDATE job SET worker = :worker WHERE id IN (
                    SELECT id FROM job WHERE worker IS NULL ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
                ) RETURNING id
                """,
                worker=worker,
                limit=4,
            )
            return [row["id"] for row in rows]

        claimed: list[int] = []
        while found := await store.transaction(body):
            claimed += found
        return claimed

    claims = await asyncio.gather(*(claim(worker) for worker in range(8)))
    assert sorted(job for claimed in claims for job in claimed) == list(range(60))


transfers = st.lists(
    st.tuples(
        st.integers(0, ACCOUNTS - 1),
        st.integers(0, ACCOUNTS - 1),
        st.integers(1, 80),
        st.sampled_from(["whole", "whole", "raises", "nested", "nested raises"]),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(transfers)
async def test_any_interleaving_of_transfers_keeps_the_sum(
    store: Db, transfers: list[tuple[int, int, int, str]]
) -> None:
    await store.run("DELETE FROM account")
    await store.many(
        "INSERT INTO account (id, balance) VALUES (:id, :balance)",
        [{"id": n, "balance": STARTING_BALANCE} for n in range(ACCOUNTS)],
    )

    async def move(tx: Tx, source: int, target: int, amount: int, how: str) -> None:
        taken = await tx.one(
            "UPDATE account SET balance = balance - :amount WHERE id = :id AND balance >= :amount RETURNING balance",
            id=source,
            amount=amount,
        )
        if taken is None:
            raise RefusedError
        await tx.run("UPDATE account SET balance = balance + :amount WHERE id = :id", id=target, amount=amount)
        if "raises" in how:
            raise RefusedError

    async def transfer(source: int, target: int, amount: int, how: str) -> bool:
        async def body(tx: Tx) -> None:
            if "nested" in how:
                await tx.transaction(lambda nested: move(nested, source, target, amount, how))
            else:
                await move(tx, source, target, amount, how)

        # Two transfers in opposite directions may deadlock on PostgreSQL more often than they are tried again.
        return await outcome(store.transaction(body)) is None

    done = await asyncio.gather(*(transfer(*each) for each in transfers))
    expected = [STARTING_BALANCE] * ACCOUNTS
    for (source, target, amount, _), happened in zip(transfers, done, strict=True):
        if happened:
            expected[source] -= amount
            expected[target] += amount
    rows = await store.all("SELECT balance FROM account ORDER BY id")
    assert [row["balance"] for row in rows] == expected
    assert sum(expected) == STARTING_BALANCE * ACCOUNTS


# Opening and closing


async def test_what_was_committed_is_there_after_reopening(store: Db, database_url: str) -> None:
    await put(store, "a")
    await store.close()
    again = await connect(database_url)
    assert await names(again) == ["a"]
    await again.close()


async def test_a_closed_store_is_unavailable(store: Db) -> None:
    await store.close()
    for call in (
        lambda: store.one("SELECT 1 AS x"),
        lambda: store.all("SELECT 1 AS x"),
        lambda: put(store, "a"),
        lambda: store.many("INSERT INTO thing (id) VALUES (:id)", [{"id": "a"}]),
    ):
        with pytest.raises(Unavailable):
            await call()


async def test_closing_waits_for_what_was_accepted(store: Db, database_url: str) -> None:
    writes = [asyncio.create_task(put(store, f"{n:02}")) for n in range(30)]
    await asyncio.gather(*writes[:1])
    accepted = [write for write in writes if not write.done()]
    await store.close()
    results = await asyncio.gather(*(outcome(write) for write in accepted))
    again = await connect(database_url)
    assert len(await names(again)) == 30 - results.count(Unavailable)
    await again.close()
    assert set(results) <= {None, Unavailable}


@pytest.mark.parametrize("url", ["sqlite:////no/such/directory/x.db", "postgresql://nobody@127.0.0.1:1/none"])
async def test_an_engine_that_cannot_be_reached_is_unavailable(url: str) -> None:
    with pytest.raises(Unavailable):
        await connect(url)


async def test_another_kind_of_url_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="mysql"):
        await connect("mysql://localhost/x")
