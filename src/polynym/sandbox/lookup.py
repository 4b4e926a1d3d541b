"""Lookup: which entity a key, a name or a public id means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from polynym.core.db import Db, Row, Value
from polynym.identity.store import parse_id

Kind = Literal["business", "app", "page", "person"]

#: More candidates than this are not named.
CANDIDATES_MAX: Final = 10

_BY_COLUMN: Final[dict[Kind, str]] = {
    "business": "SELECT id, key, name, NULL AS person, NULL AS scope FROM business WHERE {column} = :text ORDER BY id",
    "app": "SELECT id, key, name, NULL AS person, scope FROM app WHERE {column} = :text ORDER BY id",
    "page": "SELECT id, key, name, NULL AS person, scope FROM page WHERE {column} = :text ORDER BY id",
    "person": "SELECT NULL AS id, key, name, person, NULL AS scope FROM person WHERE {column} = :text ORDER BY person",
}
_PERSON_BY_SCOPED_ID: Final = (
    "SELECT NULL AS id, p.key, p.name, p.person, NULL AS scope FROM scoped_id s JOIN person p ON p.person = s.person"
    " WHERE s.id = :number"
)


@dataclass(frozen=True, slots=True)
class Found:
    """An entity. People have `person`, the others `id`; apps and pages also a `scope`."""

    kind: Kind
    key: str | None
    name: str
    id: str = ""
    person: int = 0
    scope: int = 0


class LookupFailedError(Exception):
    """Nothing, or more than one thing, has that name. `candidates` are the keys or ids of the latter."""

    def __init__(self, kind: str, text: str, candidates: Sequence[str] = ()) -> None:
        if candidates:
            message = f'{len(candidates)} of them are called "{text}": {", ".join(candidates[:CANDIDATES_MAX])}'
        else:
            message = f'there is no {kind} with the key, name or id "{text[:120]}"'
        super().__init__(message)
        self.kind = kind
        self.candidates = tuple(candidates)


async def find(db: Db, kind: Kind, text: str) -> Found:
    """The entity with this key, else public id (of a person: any scoped id or the e-mail address), else name.

    Raises LookupFailedError.
    """
    for rows in (await by_key(db, kind, text), await _by_id(db, kind, text)):
        if rows is not None:
            return rows
    named = await db.all(_BY_COLUMN[kind].format(column="name"), text=text)
    if len(named) != 1:
        raise LookupFailedError(kind, text, [row["key"] or row["id"] or "a person without a key" for row in named])
    return _found(kind, named[0])


async def by_key(db: Db, kind: Kind, key: str) -> Found | None:
    """The entity with this key."""
    row = await db.one(_BY_COLUMN[kind].format(column="key"), text=key)
    return None if row is None else _found(kind, row)


async def _by_id(db: Db, kind: Kind, text: str) -> Found | None:
    if kind != "person":
        row = await db.one(_BY_COLUMN[kind].format(column="id"), text=text)
    elif "@" in text:
        row = await db.one(_BY_COLUMN[kind].format(column="email"), text=text)
    else:
        number: Value = parse_id(text) if text else None
        row = None if number is None else await db.one(_PERSON_BY_SCOPED_ID, number=number)
    return None if row is None else _found(kind, row)


def _found(kind: Kind, row: Row) -> Found:
    return Found(kind, row["key"], row["name"], row["id"] or "", row["person"] or 0, row["scope"] or 0)
