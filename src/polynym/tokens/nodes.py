"""What exists about tokens in the graph: page tokens, permissions, debug_token, the OAuth endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from polynym.core.ctx import Caller, Ctx
from polynym.graph.expand import Ref
from polynym.graph.node import Node, Param
from polynym.graph.paging import Keyset, Window
from polynym.graph.registry import Resolver
from polynym.identity.apps import APPLICATION
from polynym.identity.pages import PAGE
from polynym.identity.store import parse_id, permissions_of, person_by_scoped_id
from polynym.identity.users import USER
from polynym.tokens import acts, grants, inspection, oauth
from polynym.tokens.pages import page_token, page_tokens
from polynym.tokens.scopes import ALWAYS, CATALOGUE, known
from polynym.wire import errors
from polynym.wire.errors import GraphError

_LOGIN: Final = "D documentation/facebook-login/guides/permissions/request-revoke; contract graph 4.9"
_PAGE_TOKENS: Final = "D docs/pages/access-tokens; contract graph 4.7"
_ACCOUNTS: Final = """
SELECT p.*, t.tasks FROM page_task t JOIN page p ON p.id = t.page
WHERE t.person = :person{only} AND {{window}}
"""
#: Where a row of me/accounts carries the tokens of all rows of its page of results.
_TOKENS: Final = "tokens of this page of results"

PERMISSION = Node("Permission", "A permission and what was said about it.", _LOGIN)
PERMISSION.id = itemgetter("permission")
PERMISSION.field("permission", "string", "The permission's name.", source=_LOGIN, default=True)
PERMISSION.field("status", "string", "granted or declined; of an app live or unapproved.", source=_LOGIN, default=True)


class _PageTokens:
    """The tokens of several pages, read or made when the first of them is asked for."""

    def __init__(self, caller: Caller, tasks: Mapping[str, Sequence[str]]) -> None:
        self._caller = caller
        self._tasks = tasks
        self._tokens: dict[str, str] | None = None

    async def of(self, ctx: Ctx, page: str) -> str | None:
        if self._tokens is None:
            self._tokens = await page_tokens(ctx, self._caller, self._tasks)
        return self._tokens.get(page)


async def _access_token(ctx: Ctx, row: Any) -> str | None:
    if ctx.caller is None:
        return None
    if isinstance(row, dict) and _TOKENS in row:
        tokens: _PageTokens = row[_TOKENS]
        return await tokens.of(ctx, row["id"])
    return await page_token(ctx, ctx.caller, row["id"])


PAGE.field(
    "access_token",
    "string",
    "A page token: for user and system user tokens with a task on the page; a page token shows itself.",
    source=_PAGE_TOKENS,
    load=_access_token,
)


@USER.edge(
    "accounts",
    doc="The pages on which the person has a task, each with a page token.",
    source=_PAGE_TOKENS,
    returns=PAGE,
    params=(Param("is_place", "bool", doc="Only pages that are places; none here is."),),
    tokens=("user",),
    scope="pages_show_list",
    default_fields=("access_token", "category", "category_list", "name", "id", "tasks", "perms"),
    # As long whatever the number: a cursor's length must not tell how many apps and pages others have.
    key=lambda row: f"{row['scope']:019d}",
)
async def accounts(ctx: Ctx, node: Ref, page: Window, is_place: bool | None) -> list[dict[str, Any]]:
    """Pages within the granular targets of pages_show_list, oldest first."""
    caller = _self(ctx, node, "get")
    if is_place:
        return []
    only = dict(caller.targets).get("pages_show_list")
    rows = await _pages_of(ctx, page, caller, only)
    tokens = _PageTokens(caller, {row["id"]: row["tasks"].split(",") for row in rows})
    return [dict(row) | {_TOKENS: tokens} for row in rows]


async def _pages_of(ctx: Ctx, page: Window, caller: Caller, only: Sequence[str] | None) -> Sequence[Any]:
    if only is None:
        return await _ALL_PAGES.fetch(ctx.db, page, person=caller.person)
    if not only:
        return []
    names = ", ".join(f":page{number}" for number in range(len(only)))
    keyset = Keyset(_ACCOUNTS.format(only=f" AND p.id IN ({names})"), key="p.scope")
    chosen = {f"page{number}": page_id for number, page_id in enumerate(only)}
    return await keyset.fetch(ctx.db, page, person=caller.person, **chosen)


_ALL_PAGES: Final = Keyset(_ACCOUNTS.format(only=""), key="p.scope")


def _self(ctx: Ctx, node: Ref, verb: str) -> Caller:
    """The caller, if the node is the caller's own person; anybody else is like nobody."""
    caller = ctx.caller
    assert caller is not None
    if caller.person is None or caller.subject != node.id:
        raise GraphError(errors.NO_SUCH_OBJECT, verb=verb, id=node.id)
    return caller


async def _person(ctx: Ctx, node: Ref, verb: str) -> int:
    """The person behind the node: the caller itself, or for an app token anybody who uses the app."""
    caller = ctx.caller
    assert caller is not None
    if caller.kind != "app":
        person = _self(ctx, node, verb).person
    else:
        number = parse_id(node.id)
        person = None if number is None else await person_by_scoped_id(ctx.db, number, caller.app.scope)
    if person is None:
        raise GraphError(errors.NO_SUCH_OBJECT, verb=verb, id=node.id)
    return person


def _chosen(
    page: Window, states: Mapping[str, str], permission: str | None, status: str | None
) -> list[dict[str, str]]:
    rows = [
        {"permission": name, "status": state}
        for name, state in states.items()
        if permission in (None, name) and status in (None, state)
    ]
    return page.slice(rows, itemgetter("permission"))


@USER.edge(
    "permissions",
    doc="What the person has granted to the app and what they declined.",
    source=_LOGIN,
    returns=PERMISSION,
    params=(
        Param("permission", doc="Only this permission."),
        Param("status", "enum", doc="Only permissions in this state.", choices=("granted", "declined", "expired")),
    ),
    tokens=("user", "app"),
    key=itemgetter("permission"),
    limit_default=100,
)
async def permissions(
    ctx: Ctx, node: Ref, page: Window, permission: str | None, status: str | None
) -> list[dict[str, str]]:
    """In the order of the names; legacy names only in versions that know them."""
    assert ctx.caller is not None
    given = await grants.grants_of(ctx.db, await _person(ctx, node, "get"), ctx.caller.app.id)
    shown, _ = known(given.states, ctx.version)
    states = {name: state for name, state in given.states.items() if name in shown}
    return _chosen(page, states, permission, status)


@USER.edge(
    "permissions",
    method="DELETE",
    doc="Take one permission back; without a name, remove the app altogether.",
    source=_LOGIN,
    params=(Param("permission", doc="The permission to take back."),),
    tail="permission",
    tokens=("user", "app"),
)
async def delete_permissions(ctx: Ctx, node: Ref, permission: str | None) -> dict[str, bool]:
    """One permission: its scope leaves every token. None: the app is removed, tokens die with 458, the id is gone."""
    assert ctx.caller is not None
    person = await _person(ctx, node, "delete")
    if permission is None:
        await acts.deauthorize(ctx, person, ctx.caller.app.id)
    elif permission == ALWAYS or permission not in CATALOGUE:
        raise GraphError(errors.PARAM_INVALID, name="permission", expected="a permission that can be taken back")
    else:
        await grants.revoke_grant(ctx, person, ctx.caller.app.id, permission)
    return {"success": True}


@APPLICATION.edge(
    "permissions",
    doc="Which permissions the app may ask everybody for.",
    source="P specs/Application.json",
    returns=PERMISSION,
    params=(
        Param("permission", doc="Only this permission."),
        Param("status", "enum", doc="Only permissions in this state.", choices=("live", "unapproved")),
    ),
    tokens=("app",),
    key=itemgetter("permission"),
    limit_default=100,
)
async def app_permissions(
    ctx: Ctx, node: Ref, page: Window, permission: str | None, status: str | None
) -> list[dict[str, str]]:
    """An app sees its own only; whatever was not reviewed away is live."""
    assert ctx.caller is not None
    if node.id != ctx.caller.app.id:
        raise GraphError(errors.NO_SUCH_OBJECT, verb="get", id=node.id)
    access = await permissions_of(ctx.db, node.id)
    shown, _ = known(CATALOGUE, ctx.version)
    states = {name: "unapproved" if access.get(name) == "none" else "live" for name in CATALOGUE if name in shown}
    return _chosen(page, states, permission, status)


NODES: Final = (PERMISSION,)
_HANDLERS: Final[tuple[Any, ...]] = (oauth.access_token, oauth.client_code, oauth.revoke, inspection.debug_token)
ROOTS: Final = tuple(handler.root for handler in _HANDLERS)
RESOLVERS: Final[tuple[Resolver, ...]] = ()
