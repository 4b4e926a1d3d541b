"""The store on PostgreSQL: asyncpg, one transaction a request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from polynym.core import sql as sql_text
from polynym.core.db import (
    TRANSACTION_ATTEMPTS,
    BadText,
    ConstraintViolation,
    Durability,
    Many,
    Row,
    StoreError,
    TransactionFailed,
    Tx,
    Unavailable,
    UniqueViolation,
    Value,
)
from polynym.core.pool import Pool

T = TypeVar("T")

#: Prepared statements a connection keeps; all of the server's statements fit.
STATEMENTS_CACHED = 512
#: Statement texts remembered; texts are constants, so this is only reached by a caller who builds them.
TEXTS_CACHED = 4096

_REFUSALS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # asyncpg says this of a connection whose end it has read but not yet understood.
    asyncpg.InternalClientError,
    OSError,
    StoreError,
)
#: SQLSTATE classes of "not now": connection, resources, operator, system; and single states: a demoted primary, a lock.
_UNAVAILABLE_CLASSES = ("08", "53", "57", "58")
_UNAVAILABLE_STATES = ("25006", "25P03", "55P03", "XX001", "XX002")
_CONFLICT_STATES = ("40001", "40P01")
#: What the server says of a NUL, of text that is no UTF-8 and of a number that does not fit.
_BAD_TEXT_STATES = ("22021", "22P05", "22003")
_FAILED = "a statement of this transaction failed; what may fail belongs in tx.transaction()"
_ENDED = "this transaction is over"


class _Conflict(Unavailable):
    """Two transactions could not be put in an order; the loser may try again from its start."""


class _Texts(dict[str, tuple[str, tuple[str, ...]]]):
    """Statement text as written → with `$n`, and the names behind the numbers."""

    def __missing__(self, sql: str) -> tuple[str, tuple[str, ...]]:
        if len(self) >= TEXTS_CACHED:
            self.clear()
        self[sql] = translated = sql_text.numbered(sql)
        return translated


class PostgresqlTx:
    """An open transaction, or a savepoint of one."""

    __slots__ = ("_connection", "_db", "_hooks", "_over")
    engine: Literal["postgresql"] = "postgresql"

    def __init__(self, db: PostgresqlDb, connection: asyncpg.Connection, hooks: list[Callable[[], None]]) -> None:
        self._db = db
        self._connection = connection
        self._hooks = hooks
        self._over = ""

    @property
    def statements(self) -> int:
        return self._db.statements

    async def all(self, sql: str, **params: Value) -> Sequence[Row]:
        text, arguments = self._db.prepared(sql, params)
        return await self._guarded(lambda connection: connection.fetch(text, *arguments))

    async def one(self, sql: str, **params: Value) -> Row | None:
        text, arguments = self._db.prepared(sql, params)
        return await self._guarded(lambda connection: connection.fetchrow(text, *arguments))

    async def run(self, sql: str, **params: Value) -> int:
        text, arguments = self._db.prepared(sql, params)
        return _changed(await self._guarded(lambda connection: connection.execute(text, *arguments)))

    async def many(self, sql: str, rows: Many) -> None:
        text, arguments = self._db.prepared_many(sql, rows)
        await self._guarded(lambda connection: connection.executemany(text, arguments))

    async def transaction(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        await self._guarded(lambda connection: connection.execute("SAVEPOINT nested"))
        nested = PostgresqlTx(self._db, self._connection, [])
        try:
            result = await fn(nested)
            nested.end()
        except Exception:
            await self._guarded(lambda connection: connection.execute("ROLLBACK TO nested; RELEASE nested"))
            raise
        finally:
            nested._over = _ENDED
        await self._guarded(lambda connection: connection.execute("RELEASE nested"))
        self._hooks += nested._hooks
        return result

    def after_commit(self, hook: Callable[[], None]) -> None:
        self._hooks.append(hook)

    async def durability(self) -> Durability:
        return await _durability(self)

    async def close(self) -> None:
        raise TypeError("a transaction ends by returning, not by close()")

    def end(self) -> None:
        """Nothing more may run. Raises TransactionFailed when a failed statement was swallowed."""
        over, self._over = self._over, _ENDED
        if over:
            raise TransactionFailed(over)

    async def _guarded(self, call: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        if self._over:
            raise TransactionFailed(self._over)
        try:
            return await call(self._connection)
        except _REFUSALS as error:
            self._over = _FAILED
            raise _translated(error) from None
        except BaseException:
            self._over = _FAILED
            raise


class PostgresqlDb:
    """A PostgreSQL database behind a pool of connections."""

    engine: Literal["postgresql"] = "postgresql"

    def __init__(self, pool: Pool) -> None:
        self.statements = 0
        self._pool = pool
        self._texts = _Texts()

    @classmethod
    async def open(
        cls, url: str, *, pool_size: int = 10, acquire_timeout_s: float = 2.0, command_timeout_s: float = 10.0
    ) -> PostgresqlDb:
        """Connect once, to know now rather than at the first request that it works. Raises Unavailable."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        pool_size = int(query.pop("pool_size", pool_size))
        statements_cached = int(query.pop("statement_cache_size", STATEMENTS_CACHED))
        dsn = urlunsplit(parts._replace(query=urlencode(query)))

        async def open_one() -> asyncpg.Connection:
            return await asyncpg.connect(
                dsn,
                command_timeout=command_timeout_s,
                statement_cache_size=statements_cached,
                max_cached_statement_lifetime=0,
                server_settings={"application_name": "polynym", "timezone": "UTC"},
            )

        pool = Pool(open_one, pool_size, acquire_timeout_s)
        pool.release(await pool.acquire())
        return cls(pool)

    async def all(self, sql: str, **params: Value) -> Sequence[Row]:
        text, arguments = self.prepared(sql, params)
        return await self._alone(lambda connection: connection.fetch(text, *arguments))

    async def one(self, sql: str, **params: Value) -> Row | None:
        text, arguments = self.prepared(sql, params)
        return await self._alone(lambda connection: connection.fetchrow(text, *arguments))

    async def run(self, sql: str, **params: Value) -> int:
        text, arguments = self.prepared(sql, params)
        return _changed(await self._alone(lambda connection: connection.execute(text, *arguments)))

    async def many(self, sql: str, rows: Many) -> None:
        text, arguments = self.prepared_many(sql, rows)
        await self._alone(lambda connection: connection.executemany(text, arguments))

    async def transaction(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        for _ in range(TRANSACTION_ATTEMPTS - 1):
            try:
                return await self._attempt(fn)
            except _Conflict:
                continue
        return await self._attempt(fn)

    async def durability(self) -> Durability:
        return await _durability(self)

    async def close(self) -> None:
        await self._pool.close()

    def prepared(self, sql: str, params: Mapping[str, Value]) -> tuple[str, list[Value]]:
        """The text for the server and its arguments in order."""
        self.statements += 1
        text, names = self._texts[sql]
        return text, [params[name] for name in names]

    def prepared_many(self, sql: str, rows: Many) -> tuple[str, list[Sequence[Value]]]:
        """The text for the server and a list of arguments for each row."""
        self.statements += 1
        text, names = self._texts[sql]
        return text, [row if isinstance(row, tuple) else [row[name] for name in names] for row in rows]

    async def _alone(self, call: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """One statement, which is its own transaction. Never tried twice: it may have been done."""
        connection = await self._pool.acquire()
        try:
            result = await call(connection)
        except BaseException as error:
            self._pool.release(connection, broken=not isinstance(error, asyncpg.PostgresError))
            if isinstance(error, _REFUSALS):
                raise _translated(error) from None
            raise
        self._pool.release(connection)
        return result

    async def _attempt(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        connection = await self._pool.acquire()
        tx = PostgresqlTx(self, connection, [])
        intact = False
        try:
            await tx._guarded(lambda open_: open_.execute("BEGIN"))
            result = await self._body(fn, tx, connection)
            intact = True
        except Exception as error:
            # A connection that answers the ROLLBACK is as good as new; one that just failed us is not waited for.
            intact = isinstance(error, _Conflict) or not isinstance(error, Unavailable)
            intact = intact and await _rolled_back(connection)
            raise
        finally:
            tx._over = _ENDED
            self._pool.release(connection, broken=not intact)
        for hook in tx._hooks:
            _call(hook)
        return result

    async def _body(self, fn: Callable[[Tx], Awaitable[T]], tx: PostgresqlTx, connection: asyncpg.Connection) -> T:
        result = await fn(tx)
        tx.end()
        try:
            status = await connection.execute("COMMIT")
        except _REFUSALS as error:
            raise _translated(error) from None
        if status != "COMMIT":
            raise TransactionFailed(_FAILED)
        return result


async def _rolled_back(connection: asyncpg.Connection) -> bool:
    try:
        await connection.execute("ROLLBACK")
    except _REFUSALS:
        return False
    return True


async def _durability(db: PostgresqlDb | PostgresqlTx) -> Durability:
    row = await db.one(
        "SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit"
    )
    assert row is not None
    return Durability(
        safe=row["fsync"] == "on" and row["synchronous_commit"] != "off",
        detail=f"fsync={row['fsync']} synchronous_commit={row['synchronous_commit']}",
    )


def _call(hook: Callable[[], None]) -> None:
    try:
        hook()
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "an after_commit hook failed", "exception": error}
        )


def _changed(status: str) -> int:
    """Rows from a command tag: `UPDATE 3`, `INSERT 0 1`, `CREATE TABLE`."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0


def _translated(error: Exception) -> Exception:
    """The store's own error for an engine's; a wrong statement stays what it is. Never carries a row's values."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, asyncpg.InterfaceError) and "another operation" in str(error):
        return RuntimeError("a transaction's statements are awaited one after the other")
    if not isinstance(error, asyncpg.PostgresError):
        return Unavailable(f"PostgreSQL: {error or type(error).__name__}")
    state = error.sqlstate or ""
    if isinstance(error, asyncpg.DataError):
        return _wrong_value(error, state)
    if isinstance(error, asyncpg.UniqueViolationError):
        return _unique_violation(error)
    # A migration changed a table under a prepared statement; asyncpg has forgotten the statement by now.
    if state in _CONFLICT_STATES or isinstance(error, asyncpg.InvalidCachedStatementError):
        return _Conflict(f"PostgreSQL: {error.args[0]}")
    if state.startswith("23"):
        return ConstraintViolation(f"{error.constraint_name or error.column_name} refused a row of {error.table_name}")
    if state == "25P02":
        return TransactionFailed(_FAILED)
    if state.startswith(_UNAVAILABLE_CLASSES) or state in _UNAVAILABLE_STATES:
        return Unavailable(f"PostgreSQL: {error.args[0]}")
    return error


def _wrong_value(error: asyncpg.DataError, state: str) -> Exception:
    """BadText, or TypeError for an int where the column is text and the like. asyncpg's message quotes the value."""
    message = str(error.args[0])
    if state in _BAD_TEXT_STATES or "out of int" in message or "surrogates not allowed" in message:
        return BadText()
    number = re.search(r"query argument \$(\d+)", message)
    return TypeError(f"parameter ${number[1]} has another type than its column") if number else error


def _unique_violation(error: asyncpg.UniqueViolationError) -> UniqueViolation:
    """The server's detail reads `Key (app, name)=(…) already exists.` in its own language."""
    columns = re.search(r"\((.+?)\)=\(", error.detail or "")
    names = tuple(columns[1].replace('"', "").split(", ")) if columns else ()
    return UniqueViolation(error.table_name or "", names, error.constraint_name)
