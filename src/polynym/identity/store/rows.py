"""What every store of this feature shares: duplicates, counters, the register of public ids, partial updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from polynym.core.db import ConstraintViolation, Db, Tx, Value
from polynym.core.ids import Ids

ObjectKind = Literal["app", "page", "business", "business_user"]
Access = Literal["owned", "client"]
AssetKind = Literal["app", "page"]

#: Digits of the largest number that a column holds.
ID_DIGITS_MAX: Final = 19
#: Rows of one bulk insert; bounds the memory that loading takes, and how long one statement holds the database.
BULK_ROWS_MAX: Final = 2_000
#: Random ids are tried this often; with 15 to 17 digits a second try is already a curiosity.
ID_TRIES: Final = 8


class Duplicate(ConstraintViolation):
    """Something with this id, key or name exists. `kind` is the entity's noun, `name` what is already taken."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name} already exists")
        self.kind = kind
        self.name = name


def parse_id(text: str) -> int | None:
    """A scoped id as the number we store: ASCII decimal without leading zeros, 1 … 2^63-1; None for anything else."""
    if not (text.isascii() and text.isdigit()) or len(text) > ID_DIGITS_MAX or text[0] == "0":
        return None
    number = int(text)
    return number if number < 2**63 else None


async def take_numbers(tx: Tx, counter: str, count: int = 1) -> int:
    """Reserve `count` consecutive numbers of a counter; answers the first."""
    row = await tx.one(
        "UPDATE counter SET next = next + :count WHERE name = :counter RETURNING next", count=count, counter=counter
    )
    assert row is not None
    return int(row["next"]) - count


async def register(tx: Tx, ids: Ids, kind: ObjectKind, fixed: str | None) -> str:
    """Give a thing its public, global id. Raises Duplicate when `fixed` names something else already."""
    for _ in range(ID_TRIES):
        public_id = fixed or ids.object_id()
        if await _is_scoped_id(tx, public_id):
            taken = True
        else:
            taken = not await tx.run(
                "INSERT INTO object (id, kind) VALUES (:id, :kind) ON CONFLICT DO NOTHING", id=public_id, kind=kind
            )
        if not taken:
            return public_id
        if fixed is not None:
            raise Duplicate(kind, fixed)
    raise RuntimeError("no free object id found")


async def unregister(tx: Tx, public_id: str) -> None:
    """Forget that a public id ever named something."""
    await tx.run("DELETE FROM object WHERE id = :id", id=public_id)


async def kind_of(db: Db, public_id: str) -> str | None:
    """What a public id names: app, page, business, business_user; None when nothing."""
    row = await db.one("SELECT kind FROM object WHERE id = :id", id=public_id)
    return None if row is None else str(row["kind"])


async def insert(tx: Tx, kind: str, table: str, values: Mapping[str, Value], name: str) -> None:
    """Insert one row; a clash of any unique column raises Duplicate without spoiling the transaction.

    `table` and the names in `values` are constants of this package, never a caller's text.
    """
    columns = ", ".join(values)
    marks = ", ".join(f":{column}" for column in values)
    sql = f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 - names are this package's constants
    changed = await tx.run(sql, **values)
    if not changed:
        raise Duplicate(kind, name)


async def update(
    tx: Tx, table: str, key: str, key_value: Value, changes: Mapping[str, Value], allowed: frozenset[str]
) -> bool:
    """Set some columns of one row; False when there is no such row. Raises KeyError for a column not in `allowed`."""
    for column in changes:
        if column not in allowed:
            raise KeyError(f"{table}.{column} cannot be changed")
    settings = ", ".join(f"{column} = :{column}" for column in changes) or f"{key} = {key}"
    sql = f"UPDATE {table} SET {settings} WHERE {key} = :key_value"  # noqa: S608 - names are this package's constants
    return await tx.run(sql, key_value=key_value, **changes) > 0


async def _is_scoped_id(tx: Tx, public_id: str) -> bool:
    number = parse_id(public_id)
    if number is None:
        return False
    return await tx.one("SELECT 1 AS found FROM scoped_id WHERE id = :id", id=number) is not None
