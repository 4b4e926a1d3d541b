"""Migrations: `<feature>/migrations/NNNN_name.sql`, or `NNNN_name.<engine>.sql` for one engine, applied in order, once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path

from polynym.core.clock import Clock, SystemClock
from polynym.core.db import Db, Engine, Row, SchemaTooNew, Tx, Unavailable
from polynym.core.sql import statements

#: Holds off other processes that upgrade the same PostgreSQL database. Any number will do, as long as it stays.
ADVISORY_LOCK = 0x706F6C796E796D

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)(?:\.(sqlite|postgresql))?\.sql", re.ASCII)
_CREATE = """
    CREATE TABLE IF NOT EXISTS schema_migration (
      feature    TEXT   NOT NULL,
      number     BIGINT NOT NULL,
      name       TEXT   NOT NULL,
      checksum   TEXT   NOT NULL,
      applied_ms BIGINT NOT NULL,
      PRIMARY KEY (feature, number)
    )
"""
_EXISTS = {
    "sqlite": "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration'",
    "postgresql": "SELECT 1 AS found WHERE to_regclass('schema_migration') IS NOT NULL",
}
_APPLIED = "SELECT feature, number, name, checksum FROM schema_migration"
_RECORD = """
    INSERT INTO schema_migration (feature, number, name, checksum, applied_ms)
    VALUES (:feature, :number, :name, :checksum, :applied_ms)
"""


class MigrationError(Exception):
    """The migrations and the database do not fit together; the message names the file."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    feature: str
    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        """Of the text, so that a checkout with other line ends is the same file."""
        return hashlib.sha256(self.script.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.feature}/{self.number:04}_{self.name}"


async def upgrade(db: Db, features: Sequence[Path | str], *, clock: Clock | None = None) -> list[Migration]:
    """Apply what is missing; what was applied, in order.

    `features` are directories or package names, in dependency order. Each file is one transaction; of two processes that
    start at once each file is applied by one. Raises SchemaTooNew and MigrationError, then nothing was applied.
    """
    missing = await check(db, features)
    now_ms = (clock or SystemClock()).now_ms()
    return [migration for migration in missing if await _apply(db, migration, now_ms)]


async def check(db: Db, features: Sequence[Path | str]) -> list[Migration]:
    """What `upgrade` would apply. Raises SchemaTooNew and MigrationError."""
    known = [migration for feature in features for migration in migrations(feature, db.engine)]
    applied = await _applied(db)
    return _missing(known, applied)


def migrations(feature: Path | str, engine: Engine) -> list[Migration]:
    """A feature's migrations for this engine, in order. `feature` is its directory or the name of its package."""
    root: Traversable = feature if isinstance(feature, Path) else resources.files(feature)
    name = feature.name if isinstance(feature, Path) else feature.rpartition(".")[2]
    folder = root / "migrations"
    found = [_read(name, file, engine) for file in folder.iterdir()] if folder.is_dir() else []
    ordered = sorted((migration for migration in found if migration), key=lambda migration: migration.number)
    for before, after in pairwise(ordered):
        if before.number == after.number:
            raise MigrationError(f"{before} and {after} have the same number")
    return ordered


def _read(feature: str, file: Traversable, engine: Engine) -> Migration | None:
    parts = _FILE.fullmatch(file.name)
    if parts is None:
        if file.name.endswith(".sql"):
            raise MigrationError(f"{feature}/migrations/{file.name} is not called NNNN_name[.engine].sql")
        return None
    if parts[3] not in (None, engine):
        return None
    return Migration(feature, int(parts[1]), parts[2], file.read_text(encoding="utf-8"))


def _missing(known: Sequence[Migration], applied: Sequence[Row]) -> list[Migration]:
    done = {(row["feature"], row["number"]): row for row in applied}
    for migration in known:
        row = done.pop((migration.feature, migration.number), None)
        if row is not None and row["checksum"] != migration.checksum:
            raise MigrationError(f"{migration} was changed after it was applied; write a new migration instead")
    if done:
        names = ", ".join(sorted(f"{row['feature']}/{row['number']:04}_{row['name']}" for row in done.values()))
        raise SchemaTooNew(f"the database was upgraded by a newer polynym (it has {names}); upgrade this one")
    seen = {(row["feature"], row["number"]) for row in applied}
    missing = [migration for migration in known if (migration.feature, migration.number) not in seen]
    for migration in missing:
        if any(feature == migration.feature and number > migration.number for feature, number in seen):
            raise MigrationError(f"{migration} comes before one that is already applied; give it a higher number")
    return missing


async def _applied(db: Db) -> Sequence[Row]:
    if await db.one(_EXISTS[db.engine]) is None:
        return ()
    return await db.all(_APPLIED)


async def _apply(db: Db, migration: Migration, now_ms: int) -> bool:
    """Apply one file in its own transaction; False when another process has just done it."""

    async def apply(tx: Tx) -> bool:
        if tx.engine == "postgresql":
            await tx.one("SELECT 1 AS locked FROM pg_advisory_xact_lock(:lock)", lock=ADVISORY_LOCK)
        await tx.run(_CREATE)
        if migration not in _missing([migration], await _of(tx, migration)):
            return False
        await _run(tx, migration)
        await tx.run(
            _RECORD,
            feature=migration.feature,
            number=migration.number,
            name=migration.name,
            checksum=migration.checksum,
            applied_ms=now_ms,
        )
        return True

    return await db.transaction(apply)


async def _run(tx: Tx, migration: Migration) -> None:
    for statement in statements(migration.script):
        try:
            await tx.run(statement)
        except Unavailable:
            raise
        except Exception as error:
            raise MigrationError(f"{migration}: {error}\nin: {statement}") from error


async def _of(tx: Tx, migration: Migration) -> Sequence[Row]:
    return await tx.all(
        f"{_APPLIED} WHERE feature = :feature AND number = :number",
        feature=migration.feature,
        number=migration.number,
    )
