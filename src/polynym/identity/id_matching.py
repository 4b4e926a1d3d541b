"""ID matching: the ids of one person in the apps and pages of one business.

Four use cases (contract graph 6.3), three edges and a bulk call. In this order:

1. dispatch has checked the token, its kind and the proof;
2. the gate: may the business that owns the caller's app match ids now? It looks at nothing else, so a refusal says
   nothing about the id;
3. the id: known in the caller's scope, or the same error as for an invented one;
4. the list: assets owned by that business, and by no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from polynym.core.ctx import Caller, Ctx
from polynym.graph.call import Call
from polynym.graph.expand import Ref
from polynym.graph.node import Node, Param, root
from polynym.graph.paging import Window
from polynym.identity import matching, store
from polynym.identity.apps import APPLICATION, Columns
from polynym.identity.matching import Standing
from polynym.identity.pages import PAGE
from polynym.identity.store import matches
from polynym.identity.store.businesses import close_review, open_review
from polynym.identity.store.matches import Question, Target
from polynym.identity.store.ownership import businesses_served
from polynym.identity.users import USER
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

_SOURCE: Final = "S id matching; contract graph 6.2, 6.3"
_V2_9: Final = (2, 9)

USER_ID_FOR_APP = Node("UserIDForApp", "A person's id for one app.", "P: contract graph 6.2")
USER_ID_FOR_PAGE = Node("UserIDForPage", "A person's id for one page.", "P: contract graph 6.2")
USER_ID_FOR_APP.field("id", "numeric string", "The app-scoped id.", source=_SOURCE, default=True)
USER_ID_FOR_APP.field(
    "app", "Application", "The app.", source=_SOURCE, node=APPLICATION, default=True,
    nested=("category", "link", "name", "namespace", "id"),
)  # fmt: skip
USER_ID_FOR_PAGE.field("id", "numeric string", "The page-scoped id.", source=_SOURCE, default=True)
USER_ID_FOR_PAGE.field(
    "page", "Page", "The page.", source=_SOURCE, node=PAGE, default=True, nested=("category", "link", "name", "id")
)

#: What the three edges have in common. They look their node up themselves: the whole answer is one statement.
_EDGE: Final[dict[str, Any]] = {
    "source": _SOURCE,
    "resolves": True,
    # As long whatever the number: a cursor's length must not tell how many apps and pages others have.
    "key": lambda row: f"{row['number']:019d}",
    "tag": lambda row: row["business"],
}
_APP: Final = Param("app", "string", "Only the id for this app.", max=200)


@USER.edge(
    "ids_for_apps",
    doc="The person's ids for the apps that the caller's business owns.",
    returns=USER_ID_FOR_APP,
    params=(_APP,),
    tokens=("user", "page", "app"),
    proof=("page",),
    since=_V2_9,
    too_old=errors.VERSION_REQUIRED,
    **_EDGE,
)
async def ids_for_apps(ctx: Ctx, node: Ref, window: Window, app: str | None) -> list[dict[str, Any]]:
    """Use cases 1 (page-scoped id, page token) and 3 (app-scoped id, app token or the person's own)."""
    return await _linked(ctx, node, window, "app", app)


@USER.edge(
    "ids_for_pages",
    doc="The person's ids for the pages that the caller's business owns.",
    returns=USER_ID_FOR_PAGE,
    params=(
        Param("page", "string", "Only the id for this page.", max=200),
        Param("app", "string", "Another name for `page`, as one of the guide's examples has it.", max=200),
    ),
    tokens=("user", "page", "app"),
    proof=("page", "app"),
    # The founding document reads this edge through `fields` with an app token and no proof.
    proof_expanded=("page",),
    since=_V2_9,
    too_old=errors.VERSION_REQUIRED,
    **_EDGE,
)
async def ids_for_pages(ctx: Ctx, node: Ref, window: Window, page: str | None, app: str | None) -> list[dict[str, Any]]:
    """Use cases 2 (app-scoped id) and 4 (page-scoped id). The guide's text names a page token for case 2, its examples
    an app token; both work, the page token with an id of its own app."""
    return await _linked(ctx, node, window, "page", page if page is not None else app)


@USER.edge(
    "ids_for_business",
    doc="The person's ids for the apps that the caller's business owns, the caller's included.",
    returns=USER_ID_FOR_APP,
    params=(_APP,),
    tokens=("user", "app"),
    **(_EDGE | {"source": "D, P: contract graph 6.2"}),
)
async def ids_for_business(ctx: Ctx, node: Ref, window: Window, app: str | None) -> list[dict[str, Any]]:
    """The older name of use case 3."""
    return await _linked(ctx, node, window, "app", app)


async def _linked(ctx: Ctx, node: Ref, window: Window, target: Target, only: str | None) -> list[dict[str, Any]]:
    caller = ctx.caller
    assert caller is not None
    found = await matches.find(ctx.db, target, _question(caller, node.id, window, only))
    await check_gate(ctx, found.standing)
    if found.person is None or (caller.kind == "user" and found.person != caller.person):
        raise GraphError(errors.NO_SUCH_OBJECT, verb="get", id=node.id)
    business = matching.matching_business(found.standing)
    window.check_tag(business or "")
    if business is None:
        return []
    return _window(window, found.rows)


def _question(caller: Caller, user: str, window: Window, only: str | None) -> Question:
    """What to ask the store. A page token means ids of its page; `Question.scopes` says when its app's count too."""
    scope = other = caller.app.scope
    if caller.kind == "page" and caller.page_scope is not None:
        scope = caller.page_scope
    number = store.parse_id(user) or 0
    before = matches.HIGHEST_SCOPE if window.before is None else int(window.before)
    after = -1 if window.after is None else int(window.after)
    return Question(caller.app.id, caller.page, number, scope, other, only, after, before)


def _window(window: Window, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The statement already cut at the cursor; what is left is the limit, with one row to tell that there is more."""
    if window.before is not None:
        return rows[-(window.limit + 1) :]
    return rows[window.offset : window.offset + window.limit + 1]


# ------------------------------------------------------------------------------------------------ the gate


async def check_gate(ctx: Ctx, standing: Standing) -> None:
    """Let the business that owns the caller's app through, or raise REVIEW_PENDING. Opens and closes its review.

    Every call that would link two scopes comes through here: the three edges, pages_id_mapping, token_for_business.
    """
    verdict = matching.review(standing, ctx.config.review, ctx.clock.now_ms())
    if verdict.change is not None:
        await _record(ctx, standing, verdict)
    foreign = standing.page and standing.page_business != standing.business
    if not verdict.allowed or (foreign and await _asks_for_a_client(ctx, standing)):
        raise GraphError(errors.REVIEW_PENDING)


async def _record(ctx: Ctx, standing: Standing, verdict: matching.Verdict) -> None:
    business, now_ms = standing.business, ctx.clock.now_ms()
    assert business is not None
    if verdict.change == "open":
        await ctx.db.transaction(lambda tx: open_review(tx, business, verdict.due_ms))
    else:
        decision: matching.ReviewState = "approved" if verdict.change == "approve" else "rejected"
        await ctx.db.transaction(lambda tx: close_review(tx, business, decision, now_ms))


async def _asks_for_a_client(ctx: Ctx, standing: Standing) -> bool:
    """Asked only when the page is not the business's own, which is where a list would be empty anyway."""
    if standing.business is None:
        return False
    return matching.is_provider_call(standing, await businesses_served(ctx.db, standing.business))


# ------------------------------------------------------------------------------------------------ token_for_business


def _for_apps(_ctx: Ctx, row: Columns) -> bool:
    return bool(row["scoped_by"] == "app")


async def _token_for_business(ctx: Ctx, row: Columns) -> str:
    """The same for all apps of a business, random, and another one when the app gets another owner."""
    caller, person = ctx.caller, row["person"]
    assert caller is not None
    standing = await matches.standing_of(ctx.db, caller.app.id)
    if standing.business is None:
        raise GraphError(errors.APP_NEEDS_BUSINESS, name="token_for_business")
    await check_gate(ctx, standing)
    business = standing.business
    existing = await matches.business_token(ctx.db, person, business)
    if existing is not None:
        return existing
    return await ctx.db.transaction(lambda tx: matches.make_business_token(tx, ctx.ids, person, business))


USER.field(
    "token_for_business", "string", "Stands for the person in all apps of the business; not an id.",
    source="D: contract graph 6.1", check=_for_apps, load=_token_for_business,
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ many at once


@root(
    "pages_id_mapping",
    methods=("POST",),
    doc="Page-scoped ids for up to 200 app-scoped ids of the token's app.",
    source="D docs/pages/support/psid-api (closed in May 2021; kept in every version because bulk is needed)",
    tokens=("page",),
    proof=("page",),
    wrong_token=errors.PAGE_TOKEN_REQUIRED,
    params=(
        Param("user_ids", "list", "App-scoped ids.", required=True, max=limits.PAGES_ID_MAPPING_MAX),
        Param("ignore_invalid_ids", "bool", "Leave out what is no id of this app, instead of refusing.", default=False),
    ),
)
async def pages_id_mapping(
    ctx: Ctx, _call: Call, user_ids: list[str], ignore_invalid_ids: bool
) -> Mapping[str, Mapping[str, str]]:
    """A person who never wrote to the page is left out: that id is valid, there is just nothing to map it to.

    Raises IDS_INVALID, with the invalid ids in `error_data`, after the gate.
    """
    caller = ctx.caller
    assert caller is not None
    assert caller.page is not None
    assert caller.page_scope is not None
    numbers = {text: store.parse_id(text) for text in user_ids}
    asked = [number for number in numbers.values() if number is not None]
    found = await matches.map_to_page(ctx.db, caller.app.id, caller.app.scope, caller.page, caller.page_scope, asked)
    await check_gate(ctx, found.standing)
    invalid = [text for text, number in numbers.items() if number not in found.ids]
    if invalid and not ignore_invalid_ids:
        raise GraphError(errors.IDS_INVALID, data={"invalid_ids": invalid})
    if matching.matching_business(found.standing) is None:
        return {}
    psids = ((text, found.ids[number]) for text, number in numbers.items() if number in found.ids)
    return {text: {"id": str(psid)} for text, psid in psids if psid is not None}
