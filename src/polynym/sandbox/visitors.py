"""Visitors: whom the login dialog of a sandbox can continue as. Everybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from polynym.core.ctx import Ctx
from polynym.login.person import Asset, Person
from polynym.sandbox import lookup
from polynym.wire import errors
from polynym.wire.errors import GraphError

SHOWN_MAX: Final = 50

_BY_NUMBER: Final = "SELECT person, name FROM person WHERE person = :person"
_SOME: Final = "SELECT person, name FROM person ORDER BY name, person LIMIT :most"
_NAMED: Final = """
SELECT person, name FROM person
WHERE lower(name) LIKE :folded ESCAPE '~' OR name LIKE :plain ESCAPE '~' OR name LIKE :titled ESCAPE '~'
ORDER BY name, person LIMIT :most
"""
_PAGES: Final = (
    "SELECT p.id, p.name FROM page_task t JOIN page p ON p.id = t.page WHERE t.person = :person ORDER BY p.scope"
)
_BUSINESSES: Final = (
    "SELECT b.id, b.name FROM business_member m JOIN business b ON b.id = m.business"
    " WHERE m.person = :person ORDER BY b.created_ms, b.id"
)


class Everybody:
    """The people of a sandbox."""

    async def find(self, ctx: Ctx, text: str) -> Person:
        """By key, id, e-mail address or name."""
        try:
            found = await lookup.find(ctx.db, "person", text)
        except lookup.LookupFailedError as failed:
            raise GraphError(errors.PARAM_INVALID, name="polynym_person", expected=f"somebody: {failed}") from None
        return Person(found.person, found.name)

    async def by_number(self, ctx: Ctx, number: int) -> Person | None:
        """By internal number; None for somebody erased."""
        row = await ctx.db.one(_BY_NUMBER, person=number)
        return None if row is None else Person(row["person"], row["name"])

    async def some(self, ctx: Ctx, search: str) -> Sequence[Person]:
        """The first fifty, by name."""
        if not search:
            rows = await ctx.db.all(_SOME, most=SHOWN_MAX)
        else:
            # SQLite folds the case of ASCII only: the usual spellings of a name are tried as well.
            plain, folded, titled = (f"%{_literal(text)}%" for text in (search, search.lower(), search.title()))
            rows = await ctx.db.all(_NAMED, plain=plain, folded=folded, titled=titled, most=SHOWN_MAX)
        return [Person(row["person"], row["name"]) for row in rows]

    async def pages(self, ctx: Ctx, person: Person) -> Sequence[Asset]:
        """The pages on which the person has a task."""
        return [Asset(row["id"], row["name"]) for row in await ctx.db.all(_PAGES, person=person.number)]

    async def businesses(self, ctx: Ctx, person: Person) -> Sequence[Asset]:
        """The businesses that the person is in."""
        return [Asset(row["id"], row["name"]) for row in await ctx.db.all(_BUSINESSES, person=person.number)]


def _literal(text: str) -> str:
    """Text as LIKE takes it literally."""
    return "".join(f"~{character}" if character in "~%_" else character for character in text)
