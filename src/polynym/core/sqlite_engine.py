"""SQLite as an engine: how a connection is set up, which values it may see, what its errors mean."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from polynym.core.db import (
    BadText,
    ConstraintViolation,
    StoreError,
    Unavailable,
    UniqueViolation,
    Value,
)

STATEMENTS_CACHED = 512
#: PRAGMA synchronous = FULL, as SQLite reports it.
SYNCHRONOUS_FULL = 2

_SETTINGS = (
    "PRAGMA synchronous = FULL",
    # macOS keeps fsync'ed data in the drive's cache without this; elsewhere it does nothing.
    "PRAGMA fullfsync = ON",
    "PRAGMA temp_store = MEMORY",
    # What was erased must not be readable in free pages.
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -8000",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)
_UNIQUE = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}
#: Primary result codes that say "not now" or "not on this disk", as opposed to "wrong statement".
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
}
REFUSALS = (sqlite3.Error, OverflowError, UnicodeEncodeError, BadText)
_READ_ONLY = "all and one only read outside a transaction; a statement that writes belongs inside one"


def open_connection(path: str, timeout_s: float) -> sqlite3.Connection:
    """A connection that commits durably, waits `timeout_s` for locks and may be used from the commit thread."""
    connection = sqlite3.connect(
        path,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_CACHED,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


def refuse_nul(values: Iterable[Value]) -> None:
    """PostgreSQL has no text with NUL, so SQLite takes none either."""
    for value in values:
        if type(value) is str and "\0" in value:
            raise BadText


def translated(error: Exception) -> Exception:
    """The store's own error for an engine's; a wrong statement stays what it is."""
    if isinstance(error, StoreError | BadText):
        return error
    if isinstance(error, OverflowError | UnicodeEncodeError):
        return BadText()
    code: int = getattr(error, "sqlite_errorcode", 0)
    if code in _UNIQUE:
        return _unique_violation(str(error))
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintViolation(str(error))
    if code & 0xFF in _UNAVAILABLE or "closed database" in str(error):
        return Unavailable(f"SQLite: {error}")
    return error


def translated_read(error: Exception) -> Exception:
    """The same for the reader, which refuses to write whatever the file allows."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
        return RuntimeError(_READ_ONLY)
    return translated(error)


def _unique_violation(message: str) -> UniqueViolation:
    """From `UNIQUE constraint failed: app.namespace, app.mode`, or `… index 'name'` for an index on an expression."""
    named = re.search(r"index '(.+)'", message)
    if named:
        return UniqueViolation("", (), named[1])
    columns = [part.rpartition(".") for part in message.rpartition(": ")[2].split(", ")]
    return UniqueViolation(columns[0][0], tuple(column for _, _, column in columns))
