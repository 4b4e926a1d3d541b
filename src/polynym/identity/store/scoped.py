"""Scoped ids: the link between a person and an app or page, in both directions.

`scoped_id` answers "whose id is this", `person_scope` "which id does this person have there". Erasing both rows erases
the link. Each statement touches one key of one table, so that both tables can be spread over several machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from polynym.core.db import Db, Tx, UniqueViolation
from polynym.core.ids import Ids
from polynym.identity.store.rows import BULK_ROWS_MAX, ID_TRIES, Duplicate

_ADD_ID = "INSERT INTO scoped_id (id, person, scope) VALUES (:id, :person, :scope)"
_ADD_SCOPE = "INSERT INTO person_scope (id, person, scope) VALUES (:id, :person, :scope)"
_OF = "SELECT id FROM person_scope WHERE person = :person AND scope = :scope"


async def scoped_id(tx: Tx, ids: Ids, person: int, scope: int, fixed: int | None = None) -> int:
    """The person's id in this scope, made now if there is none; `fixed` chooses it.

    Raises Duplicate when `fixed` is taken, or the person already has another id here.
    """
    existing = await id_in_scope(tx, person, scope)
    if existing is not None:
        if fixed not in (None, existing):
            raise Duplicate("scoped id", str(fixed))
        return existing
    number = await _take_id(tx, ids, person, scope, fixed)
    if await tx.run(f"{_ADD_SCOPE} ON CONFLICT DO NOTHING", person=person, scope=scope, id=number):
        return number
    # Somebody else's transaction gave the person an id between our look and our insert: theirs is the one.
    await tx.run("DELETE FROM scoped_id WHERE id = :id", id=number)
    return await scoped_id(tx, ids, person, scope, fixed)


async def _take_id(tx: Tx, ids: Ids, person: int, scope: int, fixed: int | None) -> int:
    for _ in range(ID_TRIES):
        number = ids.scoped_id() if fixed is None else fixed
        if fixed is not None and await _is_object(tx, fixed):
            break
        if await tx.run(f"{_ADD_ID} ON CONFLICT DO NOTHING", id=number, person=person, scope=scope):
            return number
        if fixed is not None:
            break
    raise Duplicate("scoped id", str(fixed))


async def _is_object(tx: Tx, number: int) -> bool:
    return await tx.one("SELECT 1 AS found FROM object WHERE id = :id", id=str(number)) is not None


async def id_in_scope(db: Db, person: int, scope: int) -> int | None:
    """The person's id in this scope, None when the person never came there."""
    row = await db.one(_OF, person=person, scope=scope)
    return None if row is None else int(row["id"])


async def person_by_scoped_id(db: Db, scoped: int, scope: int) -> int | None:
    """Whose id this is in this scope. An id of another scope answers None, like an invented one."""
    row = await db.one("SELECT person FROM scoped_id WHERE id = :id AND scope = :scope", id=scoped, scope=scope)
    return None if row is None else int(row["person"])


async def add_scoped_ids(tx: Tx, rows: Sequence[tuple[int, int, int]]) -> None:
    """Store many `(id, person, scope)` at once; for loading. Raises UniqueViolation when one is taken.

    Sorted by key, because B-trees fill in order several times faster than at random.
    """
    for start in range(0, len(rows), BULK_ROWS_MAX):
        part = sorted(rows[start : start + BULK_ROWS_MAX])
        await tx.many(_ADD_ID, part)
        part.sort(key=itemgetter(1, 2))
        await tx.many(_ADD_SCOPE, part)


async def mint_many(tx: Tx, ids: Ids, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """New ids for many `(person, scope)` that have none yet, in the order of `pairs`; for loading.

    Raises UniqueViolation when a pair has an id already.
    """
    made: list[int] = []
    for start in range(0, len(pairs), BULK_ROWS_MAX):
        made += await _mint_part(tx, ids, pairs[start : start + BULK_ROWS_MAX])
    return made


async def _mint_part(tx: Tx, ids: Ids, pairs: Sequence[tuple[int, int]]) -> list[int]:
    for attempt in range(1, ID_TRIES + 1):
        numbers = _distinct(ids, len(pairs))
        rows = [(number, person, scope) for number, (person, scope) in zip(numbers, pairs, strict=True)]
        try:
            await tx.transaction(lambda inner, rows=rows: add_scoped_ids(inner, rows))  # type: ignore[misc]
        except UniqueViolation as clash:
            if clash.table != "scoped_id" or attempt == ID_TRIES:
                raise
        else:
            return numbers
    raise AssertionError("the last attempt returns or raises")


def _distinct(ids: Ids, count: int) -> list[int]:
    numbers = ids.scoped_ids(count)
    while len(set(numbers)) < count:
        numbers = list(dict.fromkeys(numbers))
        numbers += ids.scoped_ids(count - len(numbers))
    return numbers


async def forget_scope(tx: Tx, person: int, scope: int) -> bool:
    """Erase the link between a person and one app or page; coming back makes a new id. False when there was none."""
    number = await id_in_scope(tx, person, scope)
    if number is None:
        return False
    await tx.run("DELETE FROM scoped_id WHERE id = :id", id=number)
    await tx.run("DELETE FROM person_scope WHERE person = :person AND scope = :scope", person=person, scope=scope)
    await _forget_stale_business_tokens(tx, person)
    return True


async def forget_person(tx: Tx, person: int) -> int:
    """Erase every link of a person; answers how many there were."""
    rows = await tx.all("SELECT id FROM person_scope WHERE person = :person", person=person)
    await tx.many("DELETE FROM scoped_id WHERE id = :id", [{"id": row["id"]} for row in rows])
    await tx.run("DELETE FROM person_scope WHERE person = :person", person=person)
    await tx.run("DELETE FROM business_token WHERE person = :person", person=person)
    return len(rows)


async def _forget_stale_business_tokens(tx: Tx, person: int) -> None:
    """Drop the token_for_business of businesses whose last app the person left: it would link the old and the new id."""
    await tx.run(
        "DELETE FROM business_token WHERE person = :person AND business NOT IN ("
        " SELECT a.business FROM person_scope m JOIN app a ON a.scope = m.scope"
        " WHERE m.person = :person AND a.business IS NOT NULL)",
        person=person,
    )
