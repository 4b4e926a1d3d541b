"""The statements of ID matching: one joined statement for one node, a pair of single-key statements for a spread one.

The joined statement starts from the caller's app and never from the person's other links: what it costs depends on what
the caller's business owns, not on whom else the person deals with. It always answers at least one row, which says how
the business stands and whether the id is known, so that "no such id", "under review" and "no match" need no second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Final, Literal, NamedTuple, get_args

from polynym.core.db import Db, Row, Tx, Value
from polynym.core.ids import Ids
from polynym.identity.matching import Standing

Target = Literal["app", "page"]
HIGHEST_SCOPE: Final = 2**63 - 1
#: Length of a token_for_business; the platform's own are of this kind.
TOKEN_CHARS: Final = 32
#: How many ids one mapping statement takes; shorter lists are filled up, so that few statements are ever prepared.
MAPPING_SIZES: Final = (1, 10, 50, 200)

_STANDING: Final = (
    "me.business AS business, me.mode AS mode, b.review_state AS review_state, b.review_due_ms AS review_due_ms,"
    " b.verified_ms AS verified_ms, b.service_provider_ms AS service_provider_ms"
)
#: What a link tells of its asset.
_ASSET: Final[dict[Target, tuple[str, ...]]] = {
    "app": ("id", "name", "category", "link", "namespace"),
    "page": ("id", "name", "category", "link", "username"),
}
#: In development mode an app and a person see each other only with a role.
_VISIBLE: Final[dict[Target, str]] = {
    "app": " AND (a.mode = 'live' OR EXISTS (SELECT 1 FROM app_role r WHERE r.app = a.id AND r.person = {person}))",
    "page": "",
}
_ROLE: Final = (
    "CASE WHEN me.mode = 'live' THEN 1 ELSE (SELECT COUNT(*) FROM app_role r"
    " WHERE r.app = me.id AND r.person = {person}) END AS visible"
)
_PERSON: Final = "SELECT person, scope FROM scoped_id WHERE id = :id"


def _caller(page: bool) -> tuple[str, str]:
    """Columns and tables that tell how a caller stands; `page` when it has a page token."""
    columns = ", pg.business AS page_business" if page else ", NULL AS page_business"
    tables = " FROM app me LEFT JOIN business b ON b.id = me.business"
    return _STANDING + columns, tables + (" LEFT JOIN page pg ON pg.id = :page" if page else "")


def _statement(target: Target, page: bool, only: bool, spread: bool) -> str:
    """One statement for every kind of question: what is not asked is not in it, which keeps its plan short and stable."""
    person = "CAST(:person AS BIGINT)" if spread else "s.person"
    columns, tables = _caller(page)
    scopes = "IN (:scope, :other_scope)" if page and target == "page" else "= :scope"
    known = "" if spread else f" LEFT JOIN scoped_id s ON s.id = :id AND s.scope {scopes}"
    return (
        f"SELECT {columns}, {_ROLE.format(person=person)}, {person} AS person, m.id AS scoped, a.scope AS number,"
        f" {', '.join(f'a.{name} AS {name}' for name in _ASSET[target])}{tables}{known}"
        f" LEFT JOIN {target} a ON a.business = me.business AND a.scope > :after AND a.scope < :before"
        f"{' AND a.id = :only' if only else ''}"
        f" LEFT JOIN person_scope m ON m.person = {person} AND m.scope = a.scope{_VISIBLE[target].format(person=person)}"
        " WHERE me.id = :app ORDER BY a.scope"
    )


#: By target, page token, filter, and whether the person was looked up before.
_STATEMENTS: Final = {
    key: _statement(*key)
    for key in product(get_args(Target), (False, True), (False, True), (False, True))
}  # fmt: skip


class Question(NamedTuple):
    """Whose ids are asked for: by whom (app, page or None), under which id and scopes, for which assets.

    `id` 0 is nobody's. `other_scope` is a second scope in which the id may be known; it equals `scope` when there is
    none. `only` limits the answer to one asset. `after` and `before` bound the assets' scope numbers, both exclusive.
    """

    app: str
    page: str | None
    id: int
    scope: int
    other_scope: int
    only: str | None = None
    after: int = -1
    before: int = HIGHEST_SCOPE

    def scopes(self, target: Target) -> tuple[int, ...]:
        """Where the id may be known: a page token that asks for pages may also name an id of its own app (case 2)."""
        return (self.scope, self.other_scope) if self.page is not None and target == "page" else (self.scope,)


class Found(NamedTuple):
    """How the caller stands, whose id it is (None: nobody's in these scopes), and what matched, in the assets' order.

    A match has `id` (the person's, there), `number` (the asset's scope), `business` (its owner) and the asset's own columns
    under `app` or `page`.
    """

    standing: Standing
    person: int | None
    rows: list[dict[str, Any]]


async def find(db: Db, target: Target, question: Question) -> Found:
    """The ids of one person for the assets of the caller's business, in one statement."""
    app, page, number, scope, other_scope, only, after, before = question
    rows = await db.all(
        _STATEMENTS[target, page is not None, only is not None, False],
        app=app, page=page, id=number, scope=scope, other_scope=other_scope, only=only, after=after, before=before,
    )  # fmt: skip
    return _found(target, page, rows)


async def find_distributed(db: Db, target: Target, question: Question) -> Found:
    """The same answer from two statements, each of which touches one key of one big table.

    A distributed PostgreSQL refuses to join `scoped_id` with `person_scope`, which are spread by different keys. In the
    second statement everything but `person_scope` is a reference table.
    """
    known = await db.one(_PERSON, id=question.id)
    here = known is not None and known["scope"] in question.scopes(target)
    rows = await db.all(
        _STATEMENTS[target, question.page is not None, question.only is not None, True],
        person=known["person"] if known is not None and here else None,
        app=question.app, page=question.page, only=question.only, after=question.after, before=question.before,
    )  # fmt: skip
    return _found(target, question.page, rows)


# Rows are read by position: every ID match comes through here, and a column's name costs a search. The order is that of
# `_STANDING`, `_caller`, `_ROLE` and `_statement`.


def _found(target: Target, page: str | None, rows: Sequence[Row]) -> Found:
    if not rows:
        # The app itself is gone while its token is still cached: nothing is known, nothing is shown.
        return Found(Standing(None), None, [])
    names = _ASSET[target]
    found = [
        {"id": str(row[9]), "number": row[10], "business": row[0], target: dict(zip(names, row[11:], strict=True))}
        for row in rows
        if row[9] is not None
    ]
    return Found(_standing(rows[0], page), rows[0][8], found)


def _standing(row: Row, page: str | None) -> Standing:
    business, _, review_state, review_due_ms, verified_ms, service_provider_ms, page_business, visible = row[:8]
    if review_state is None:
        return Standing(business, page is not None, page_business, visible=bool(visible))
    return Standing(
        business, page is not None, page_business, review_state, review_due_ms, verified_ms, service_provider_ms,
        bool(visible),
    )  # fmt: skip


_STANDING_OF: Final = "SELECT {}, 1 AS visible{} WHERE me.id = :app".format(*_caller(page=False))


async def standing_of(db: Db, app: str) -> Standing:
    """How an app stands, for calls that list nothing. `visible` is True: no person is looked at."""
    row = await db.one(_STANDING_OF, app=app)
    return Standing(None) if row is None else _standing(row, None)


# ------------------------------------------------------------------------------------------------ many at once


def _mapping(size: int) -> str:
    columns, tables = _caller(page=True)
    marks = ", ".join(f":id{number}" for number in range(size))
    return (
        f"SELECT {columns}, 1 AS visible, NULL AS asid, NULL AS psid, NULL AS person{tables} WHERE me.id = :app"  # noqa: S608 - constants
        " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, s.id, m.id, s.person"
        " FROM scoped_id s LEFT JOIN person_scope m ON m.person = s.person AND m.scope = :page_scope"
        f" WHERE s.id IN ({marks}) AND s.scope = :scope"
    )


_MAPPINGS: Final = tuple((size, _mapping(size), tuple(f"id{n}" for n in range(size))) for size in MAPPING_SIZES)


class Mapped(NamedTuple):
    """How the caller stands, and ASID → PSID for the ids that are known; None where the person never wrote to the page."""

    standing: Standing
    ids: dict[int, int | None]


async def map_to_page(db: Db, app: str, scope: int, page: str, page_scope: int, ids: Sequence[int]) -> Mapped:
    """The page-scoped ids of up to 200 people, given by their ids for `app`, in one statement.

    An app in development mode costs a second one, for who has a role on it. Raises StopIteration for more ids.
    """
    _, sql, names = next(mapping for mapping in _MAPPINGS if len(ids) <= mapping[0])
    params: dict[str, Value] = dict.fromkeys(names, 0)
    params.update(zip(names, ids, strict=False))
    rows = await db.all(sql, app=app, scope=scope, page=page, page_scope=page_scope, **params)
    facts = next((row for row in rows if row["asid"] is None), None)
    if facts is None:
        return Mapped(Standing(None), {})
    found = {row["asid"]: row["psid"] for row in rows if row["asid"] is not None}
    if facts["mode"] == "development":
        seen = {row["person"] for row in await db.all("SELECT person FROM app_role WHERE app = :app", app=app)}
        found |= {row["asid"]: None for row in rows if row["asid"] is not None and row["person"] not in seen}
    return Mapped(_standing(facts, page), found)


# ------------------------------------------------------------------------------------------------ token_for_business


async def business_token(db: Db, person: int, business: str) -> str | None:
    """The person's token_for_business, None when nobody asked for it yet."""
    row = await db.one(
        "SELECT token FROM business_token WHERE person = :person AND business = :business",
        person=person,
        business=business,
    )
    return None if row is None else str(row["token"])


async def make_business_token(tx: Tx, ids: Ids, person: int, business: str) -> str:
    """Make the person's token_for_business; two that make it at once get the same."""
    await tx.run(
        "INSERT INTO business_token (person, business, token) VALUES (:person, :business, :token)"
        " ON CONFLICT DO NOTHING",
        person=person,
        business=business,
        token=ids.url_safe(TOKEN_CHARS),
    )
    made = await business_token(tx, person, business)
    assert made is not None
    return made
