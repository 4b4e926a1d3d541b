"""Everything that identity declares, for `app.py`: nodes, roots, and how a path's id is resolved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from polynym.core.ctx import Ctx
from polynym.graph.node import Node, Root
from polynym.graph.registry import Resolver
from polynym.identity import store
from polynym.identity.apps import APPLICATION, load_app
from polynym.identity.business_assets import BUSINESS_APP_REQUEST, BUSINESS_PAGE_REQUEST
from polynym.identity.businesses import BUSINESS, BUSINESS_USER, load_business, load_business_user
from polynym.identity.id_matching import USER_ID_FOR_APP, USER_ID_FOR_PAGE, pages_id_mapping
from polynym.identity.pages import PAGE, load_page
from polynym.identity.pictures import picture
from polynym.identity.users import USER, load_user

Load = Callable[[Ctx, str], Awaitable[dict[str, Any] | None]]
_BY_KIND: Final[dict[str, tuple[Node, Load]]] = {
    "app": (APPLICATION, load_app),
    "page": (PAGE, load_page),
    "business": (BUSINESS, load_business),
    "business_user": (BUSINESS_USER, load_business_user),
}


async def resolve_own(ctx: Ctx, node_id: str) -> tuple[Node, Any] | None:
    """What the caller's token itself names, its app and its page: nothing has to be found out about such an id."""
    caller = ctx.caller
    if caller is not None and node_id in (caller.page, caller.app.id):
        node, load = _BY_KIND["page" if node_id == caller.page else "app"]
        row = await load(ctx, node_id)
        return None if row is None else (node, row)
    return None


async def resolve_user(ctx: Ctx, node_id: str) -> tuple[Node, Any] | None:
    """A person under an id of the caller's scope."""
    row = await load_user(ctx, node_id)
    return None if row is None else (USER, row)


async def resolve_object(ctx: Ctx, node_id: str) -> tuple[Node, Any] | None:
    """An app, page, business or business user, when the caller may know of it."""
    kind = await store.kind_of(ctx.db, node_id)
    # An id of nobody's costs as many statements as that of a business the caller must not know of.
    node, load = _BY_KIND[kind or "business"]
    row = await load(ctx, node_id)
    return None if row is None else (node, row)


NODES: Sequence[Node] = (
    USER,
    APPLICATION,
    PAGE,
    BUSINESS,
    BUSINESS_USER,
    USER_ID_FOR_APP,
    USER_ID_FOR_PAGE,
    BUSINESS_PAGE_REQUEST,
    BUSINESS_APP_REQUEST,
)
ROOTS: Sequence[Root] = (picture.root, pages_id_mapping.root)  # type: ignore[attr-defined]
RESOLVERS: Sequence[Resolver] = (resolve_own, resolve_user, resolve_object)

__all__ = [
    "APPLICATION",
    "BUSINESS",
    "BUSINESS_APP_REQUEST",
    "BUSINESS_PAGE_REQUEST",
    "BUSINESS_USER",
    "NODES",
    "PAGE",
    "RESOLVERS",
    "ROOTS",
    "USER",
    "USER_ID_FOR_APP",
    "USER_ID_FOR_PAGE",
    "resolve_object",
    "resolve_own",
    "resolve_user",
]
