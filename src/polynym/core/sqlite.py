"""The store on SQLite: a reader and a writer on the event loop's thread, and one COMMIT for many transactions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from operator import itemgetter
from typing import Any, Literal, NoReturn, TypeVar

from polynym.core import sql as sql_text
from polynym.core.db import Durability, Many, Row, TransactionFailed, Tx, Unavailable, Value
from polynym.core.sqlite_engine import (
    REFUSALS,
    SYNCHRONOUS_FULL,
    open_connection,
    refuse_nul,
    translated,
    translated_read,
)

T = TypeVar("T")

#: Transactions that one COMMIT answers at most: bounds how long the loop is held.
BATCH_MAX = 256
#: How often a database locked by another process is looked at while waiting for it.
BUSY_PAUSE_S = 0.02
#: Statement texts remembered; texts are constants, so this is only reached by a caller who builds them.
TEXTS_CACHED = 4096

_SUSPENDED = "a transaction awaited something other than its own tx; on SQLite that would hold every other writer"


class _Over:
    """Stands in for the connection of a transaction that can run nothing more."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def execute(self, *_: object) -> NoReturn:
        raise TransactionFailed(self._reason)

    executemany = execute


_FAILED = _Over("a statement of this transaction failed; what may fail belongs in tx.transaction()")
_ENDED = _Over("this transaction is over")


Arguments = Callable[[Mapping[str, Value]], Sequence[Value]]


class _Texts(dict[str, tuple[str, Arguments]]):
    """Statement text as written → as SQLite takes it, and what puts its parameters in order.

    Binding by number is cheaper than by name, for which SQLite is asked parameter by parameter.
    """

    def __missing__(self, sql: str) -> tuple[str, Arguments]:
        if len(self) >= TEXTS_CACHED:
            self.clear()
        text, names = sql_text.numbered(sql_text.without_locks(sql), "?")
        self[sql] = translated = text, _in_order(names)
        return translated


def _in_order(names: tuple[str, ...]) -> Arguments:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda params: [params[name] for name in names]


class _Job:
    """One transaction that waits for its turn, then for its COMMIT."""

    __slots__ = ("context", "error", "fn", "future", "hooks", "result")

    def __init__(self, fn: Callable[[Tx], Awaitable[Any]], future: asyncio.Future[Any], context: Context) -> None:
        self.fn = fn
        self.future = future
        self.context = context
        self.hooks: list[Callable[[], None]] = []
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteTx:
    """An open transaction: a savepoint of the batch. Nothing in it ever suspends."""

    __slots__ = ("_connection", "_db", "_hooks")
    engine: Literal["sqlite"] = "sqlite"

    def __init__(self, db: SqliteDb, connection: sqlite3.Connection, hooks: list[Callable[[], None]]) -> None:
        self._db = db
        self._connection: sqlite3.Connection | _Over = connection
        self._hooks = hooks

    @property
    def statements(self) -> int:
        return self._db.statements

    async def all(self, sql: str, **params: Value) -> Sequence[Row]:
        try:
            return self._execute(sql, params).fetchall()
        except REFUSALS as error:
            raise self._failure(error) from None

    async def one(self, sql: str, **params: Value) -> Row | None:
        try:
            row: Row | None = self._execute(sql, params).fetchone()
            return row
        except REFUSALS as error:
            raise self._failure(error) from None

    async def run(self, sql: str, **params: Value) -> int:
        try:
            return max(self._execute(sql, params).rowcount, 0)
        except REFUSALS as error:
            raise self._failure(error) from None

    async def many(self, sql: str, rows: Many) -> None:
        self._db.statements += 1
        text, in_order = self._db.texts[sql]
        ordered = [row if isinstance(row, tuple) else in_order(row) for row in rows]
        try:
            for row in ordered:
                refuse_nul(row)
            self._connection.executemany(text, ordered)
        except REFUSALS as error:
            raise self._failure(error) from None

    async def transaction(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        connection, nested = self._savepoint()
        try:
            result = await fn(nested)
            nested.end()
        except BaseException:
            _undo(connection, "nested")
            raise
        finally:
            nested._connection = _ENDED
        connection.execute("RELEASE nested")
        self._hooks += nested._hooks
        return result

    def after_commit(self, hook: Callable[[], None]) -> None:
        self._hooks.append(hook)

    async def durability(self) -> Durability:
        return await self._db.durability()

    async def close(self) -> None:
        raise TypeError("a transaction ends by returning, not by close()")

    def end(self) -> None:
        """Take the connection away. Raises TransactionFailed when a failed statement was swallowed."""
        connection, self._connection = self._connection, _ENDED
        if connection is _FAILED:
            _FAILED.execute()

    def _execute(self, sql: str, params: Mapping[str, Value]) -> sqlite3.Cursor:
        db = self._db
        db.statements += 1
        refuse_nul(params.values())
        text, in_order = db.texts[sql]
        return self._connection.execute(text, in_order(params))

    def _savepoint(self) -> tuple[sqlite3.Connection, SqliteTx]:
        connection = self._connection
        connection.execute("SAVEPOINT nested")
        assert isinstance(connection, sqlite3.Connection)
        return connection, SqliteTx(self._db, connection, [])

    def _failure(self, error: Exception) -> Exception:
        """Close this transaction to further statements, as PostgreSQL does, and translate the error."""
        connection, self._connection = self._connection, _FAILED
        if isinstance(connection, sqlite3.Connection) and not connection.in_transaction:
            # A full disk may have rolled the whole batch back; nothing may now be written in autocommit mode.
            self._db.lose()
        return translated(error)


class SqliteDb:
    """One SQLite file, or a database in memory (then one connection is reader and writer)."""

    engine: Literal["sqlite"] = "sqlite"

    def __init__(self, reader: sqlite3.Connection, writer: sqlite3.Connection, busy_timeout_s: float) -> None:
        self.statements = 0
        #: COMMITs so far, for tests and metrics.
        self.commits = 0
        self.texts = _Texts()
        self._reader = reader
        self._writer = writer
        self._in_memory = reader is writer
        self._loop = asyncio.get_running_loop()
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._queue: deque[_Job] = deque()
        self._busy = False
        self._busy_looks_max = max(1, round(busy_timeout_s / BUSY_PAUSE_S))
        self._busy_looks = 0
        self._lost = False
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    async def open(cls, path: str, *, busy_timeout_s: float = 2.0) -> SqliteDb:
        """Open the file, made with mode 0600 when it is missing; an empty path is a database in memory."""
        try:
            if path:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            writer = open_connection(path or ":memory:", 0)
            reader = open_connection(path, busy_timeout_s) if path else writer
            if path:
                reader.execute("PRAGMA query_only = ON")
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"cannot open the SQLite database {path}: {error}") from error
        return cls(reader, writer, busy_timeout_s)

    async def all(self, sql: str, **params: Value) -> Sequence[Row]:
        self.statements += 1
        try:
            refuse_nul(params.values())
            text, in_order = self.texts[sql]
            return self._reader.execute(text, in_order(params)).fetchall()
        except REFUSALS as error:
            raise translated_read(error) from None

    async def one(self, sql: str, **params: Value) -> Row | None:
        self.statements += 1
        try:
            refuse_nul(params.values())
            text, in_order = self.texts[sql]
            row: Row | None = self._reader.execute(text, in_order(params)).fetchone()
            return row
        except REFUSALS as error:
            raise translated_read(error) from None

    async def run(self, sql: str, **params: Value) -> int:
        return await self.transaction(lambda tx: tx.run(sql, **params))

    async def many(self, sql: str, rows: Many) -> None:
        await self.transaction(lambda tx: tx.many(sql, rows))

    async def transaction(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        if self._closing:
            raise Unavailable("the store is closed")
        job = _Job(fn, self._loop.create_future(), copy_context())
        self._queue.append(job)
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._run_batch)
        try:
            result: T = await job.future
            return result
        finally:
            # A caller that goes away while it waits takes its transaction out of the queue.
            job.future.cancel()

    async def durability(self) -> Durability:
        journal = self._reader.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = self._reader.execute("PRAGMA synchronous").fetchone()[0]
        return Durability(
            safe=journal == "wal" and synchronous >= SYNCHRONOUS_FULL,
            detail=f"journal_mode={journal} synchronous={synchronous}",
        )

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        await self._idle.wait()
        if not self._in_memory:
            await self._loop.run_in_executor(self._committer, self._checkpoint)
        self._committer.shutdown()
        self._reader.close()
        self._writer.close()

    def lose(self) -> None:
        """The engine rolled the batch back under an open transaction: let nothing be written in autocommit mode."""
        self._lost = True
        # Not set and unset around every batch: this PRAGMA makes SQLite forget every prepared statement.
        self._writer.execute("PRAGMA query_only = ON")

    # The batch: BEGIN, every waiting transaction in its savepoint, one COMMIT in the thread, then the answers.

    def _run_batch(self) -> None:
        if not self._begin():
            return
        before = self._writer.total_changes
        batch: list[_Job] = []
        while self._queue and len(batch) < BATCH_MAX and self._writer.in_transaction:
            job = self._queue.popleft()
            if not job.future.done():
                self._run(job)
                batch.append(job)
        if not self._writer.in_transaction:
            self._settle(batch, Unavailable("the database rolled the transaction back: disk full or failing"))
        elif self._in_memory or self._writer.total_changes == before:
            self._commit_here(batch)
        else:
            self._loop.run_in_executor(self._committer, self._commit).add_done_callback(partial(self._committed, batch))

    def _begin(self) -> bool:
        """Open the batch; False when another process holds the lock (then a later look, or a refusal, is under way)."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._busy_looks += 1
            locked = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if locked and self._busy_looks < self._busy_looks_max:
                self._loop.call_later(BUSY_PAUSE_S, self._run_batch)
                return False
            refused, self._queue = list(self._queue), deque()
            self._settle(refused, translated(error))
            return False
        self._busy_looks = 0
        return True

    def _run(self, job: _Job) -> None:
        """One transaction from start to end, in its own savepoint and its caller's context, without a pause."""
        writer = self._writer
        tx = SqliteTx(self, writer, job.hooks)
        try:
            writer.execute("SAVEPOINT job")
            job.result = job.context.run(lambda: _drive(job.fn, tx))
            tx.end()
            writer.execute("RELEASE job")
        except BaseException as error:
            job.error = error
            self._undo()
        finally:
            tx._connection = _ENDED

    def _undo(self) -> None:
        try:
            _undo(self._writer, "job")
        except sqlite3.Error:
            # Without a way back to the savepoint the neighbours cannot be kept either.
            self._make_ready()

    def _commit(self) -> None:
        self._writer.execute("COMMIT")
        self.commits += 1

    def _checkpoint(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _commit_here(self, batch: list[_Job]) -> None:
        """COMMIT of what needs no fsync: nothing changed, or memory."""
        try:
            self._commit()
        except sqlite3.Error as error:
            self._settle(batch, translated(error))
        else:
            self._settle(batch, None)

    def _committed(self, batch: list[_Job], commit: asyncio.Future[None]) -> None:
        error = commit.exception()
        if error is None:
            self._settle(batch, None)
        else:
            self._settle(batch, Unavailable(f"COMMIT failed: {error}"))

    def _settle(self, batch: list[_Job], failure: Exception | None) -> None:
        """Answer everyone. A failed COMMIT fails even who only read or was refused: it may have seen what is gone."""
        self._make_ready()
        for job in batch:
            error = failure or job.error
            if error is None:
                self._call(job.hooks)
            if not job.future.done():
                _answer(job, error)
        if self._queue:
            self._loop.call_soon(self._run_batch)
        else:
            self._busy = False
            self._idle.set()

    def _make_ready(self) -> None:
        """Leave no transaction open, whatever happened."""
        with contextlib.suppress(sqlite3.Error):
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            if self._lost:
                self._writer.execute("PRAGMA query_only = OFF")
                self._lost = False

    def _call(self, hooks: list[Callable[[], None]]) -> None:
        for hook in hooks:
            try:
                hook()
            except Exception as error:
                self._loop.call_exception_handler({"message": "an after_commit hook failed", "exception": error})


def _drive(fn: Callable[[Tx], Awaitable[T]], tx: Tx) -> T:
    """Run an awaitable that must not suspend to its end."""
    steps = fn(tx).__await__()
    try:
        next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    steps.close()
    raise RuntimeError(_SUSPENDED)


def _answer(job: _Job, error: BaseException | None) -> None:
    if error is None:
        job.future.set_result(job.result)
    elif isinstance(error, asyncio.CancelledError):
        job.future.cancel()
    else:
        job.future.set_exception(error)


def _undo(connection: sqlite3.Connection, savepoint: str) -> None:
    """Back to the savepoint; nothing to do when the engine already rolled everything back."""
    if connection.in_transaction:
        connection.execute(f"ROLLBACK TO {savepoint}")
        connection.execute(f"RELEASE {savepoint}")
