"""The store's port: four calls and a transaction, the same on SQLite and PostgreSQL.

Columns are TEXT and BIGINT only. Parameters are `:name` in SQL and keyword arguments in Python. A parameter that may be
NULL in a comparison is written `CAST(:x AS TEXT)`, a sum `CAST(sum(x) AS BIGINT)`: PostgreSQL must know their types.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

T = TypeVar("T")
Engine = Literal["sqlite", "postgresql"]

#: What may be stored. True and False are stored as 1 and 0.
Value = str | int | None
#: Rows for `many`: all mappings, or all tuples.
Many = Sequence[Mapping[str, Value]] | Sequence[tuple[Value, ...]]


class Row(Protocol):
    """One row: `row["name"]`, `dict(row)`, or by position as a tuple."""

    def __getitem__(self, key: Any, /) -> Any:
        """The column of that name or at that place; a slice gives a tuple."""

    def keys(self) -> Any:
        """The column names, in the statement's order."""


class Db(Protocol):
    """A store, or an open transaction of one.

    Outside a transaction `all` and `one` read what is committed; `run` and `many` are transactions of one statement.
    Every call raises Unavailable when the engine cannot answer now, BadText for a value that neither engine stores.
    """

    @property
    def engine(self) -> Engine:
        """Which engine this is; only statements that cannot be common may ask."""

    @property
    def statements(self) -> int:
        """Statements executed since start; `many` counts as one."""

    async def all(self, sql: str, **params: Value) -> Sequence[Row]:
        """Every row of the answer."""

    async def one(self, sql: str, **params: Value) -> Row | None:
        """The first row of the answer, None when there is none."""

    async def run(self, sql: str, **params: Value) -> int:
        """Execute, and say how many rows changed."""

    async def many(self, sql: str, rows: Many) -> None:
        """Execute once for each row: mappings of parameters, or tuples in the order in which `sql` names them first.

        Tuples are for loading: on SQLite they bind about twice as fast.
        """

    async def transaction(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `fn` so that all it wrote is durable when this returns, and none of it when this raises.

        `fn` awaits nothing but its own `tx` (SQLite refuses a transaction that waits) and may be called again after a
        serialization failure, so it changes nothing outside the database; that is what `tx.after_commit` is for.
        """

    async def durability(self) -> Durability:
        """What a commit means on this engine as it is set up now."""

    async def close(self) -> None:
        """Finish what was accepted, then let go of the engine."""


class Tx(Db, Protocol):
    """An open transaction. `transaction` on it is a savepoint.

    A statement that failed ends its transaction on both engines, caught or not: what may fail goes into a savepoint.
    """

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call `hook` once the outermost transaction is durable; never when it, or this savepoint, rolled back."""


@dataclass(frozen=True, slots=True)
class Durability:
    """Whether an answered commit survives a crash of the machine. `detail` names the settings that were read."""

    safe: bool
    detail: str


class StoreError(Exception):
    """Base of what the store raises about data and engine."""


class ConstraintViolation(StoreError):
    """A NOT NULL or CHECK constraint refused the row."""


class UniqueViolation(ConstraintViolation):
    """A row with this key exists. `table` and `columns` are the same on both engines; values are never included."""

    def __init__(self, table: str, columns: tuple[str, ...], constraint: str | None = None) -> None:
        super().__init__(f"{table} ({', '.join(columns)}) is already taken")
        self.table = table
        self.columns = columns
        #: The constraint's own name where the engine says it (PostgreSQL), else `table.column,column`.
        self.constraint = constraint or f"{table}.{','.join(columns)}"


class Unavailable(StoreError):
    """The engine cannot answer now: down, full, locked, out of connections, too slow. Trying later may help."""


class SchemaTooNew(StoreError):
    """The database was upgraded by a newer polynym."""


class TransactionFailed(StoreError, RuntimeError):
    """A statement of this transaction failed before, or the transaction is over: nothing more can run in it."""


class BadText(ValueError):
    """A value no engine stores: text with a NUL or a lone surrogate, or a number beyond 64 bits."""

    def __init__(self) -> None:
        super().__init__("text with a NUL character or a lone surrogate, or a number beyond 64 bits, cannot be stored")


#: A transaction that failed to serialize is tried this often in all.
TRANSACTION_ATTEMPTS = 3


async def connect(
    url: str, *, pool_size: int = 10, acquire_timeout_s: float = 2.0, command_timeout_s: float = 10.0
) -> Db:
    """Open `sqlite:///relative`, `sqlite:////absolute`, `sqlite://` (memory, for tests) or `postgresql://…`.

    A PostgreSQL URL may carry `statement_cache_size=0` (for a transaction pooler) and `pool_size=n`; both win over the
    arguments. Raises Unavailable when the engine cannot be reached, ValueError for another kind of URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        from polynym.core.sqlite import SqliteDb  # noqa: PLC0415 (it is built on this module)

        return await SqliteDb.open(unquote(parts.path[1:]), busy_timeout_s=acquire_timeout_s)
    if parts.scheme in ("postgresql", "postgres"):
        from polynym.core.postgresql import PostgresqlDb  # noqa: PLC0415 (asyncpg is an extra)

        return await PostgresqlDb.open(
            url, pool_size=pool_size, acquire_timeout_s=acquire_timeout_s, command_timeout_s=command_timeout_s
        )
    raise ValueError(f"a database URL starts with sqlite:// or postgresql://, not {parts.scheme or url!r}")
