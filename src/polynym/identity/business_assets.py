"""What a business owns, uses and has asked for: the asset edges of Business, and the businesses of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from polynym.core.ctx import Ctx
from polynym.core.db import Row
from polynym.graph.expand import Ref
from polynym.graph.node import Node, Param
from polynym.graph.paging import Keyset, Window
from polynym.identity import ownership, roles, store
from polynym.identity.apps import APPLICATION
from polynym.identity.businesses import BUSINESS, BUSINESS_USER, MEMBERSHIP, administrator
from polynym.identity.ownership import open_tx
from polynym.identity.pages import PAGE
from polynym.identity.users import USER
from polynym.wire import errors
from polynym.wire.errors import GraphError

_SOURCE: Final = "P: contract graph 7.3"
_SCOPE: Final = "business_management"
_APP: Final = Param("app_id", "id", "The app.", required=True)
_PAGE: Final = Param("page_id", "id", "The page.", required=True)
_PEOPLE: Final = ("user", "system_user")

#: What every list of assets has in common.
_LIST: Final[dict[str, Any]] = {
    "source": _SOURCE, "scope": _SCOPE, "tokens": ("user", "system_user", "app"),
    # As long whatever the number: a cursor's length must not tell how many apps and pages others have.
    "key": lambda row: f"{row['scope']:019d}", "default_fields": ("id", "name"),
}  # fmt: skip
_CLAIM: Final[dict[str, Any]] = {"method": "POST", "source": _SOURCE, "scope": _SCOPE, "tokens": _PEOPLE}
_REMOVE: Final[dict[str, Any]] = _CLAIM | {"method": "DELETE"}

# ------------------------------------------------------------------------------------------------ lists

_OWNED_APPS: Final = Keyset("SELECT a.* FROM app a WHERE a.business = :business AND {window}", key="a.scope")
_OWNED_PAGES: Final = Keyset("SELECT a.* FROM page a WHERE a.business = :business AND {window}", key="a.scope")
_CLIENT_APPS: Final = Keyset(
    "SELECT a.* FROM app_client c JOIN app a ON a.id = c.app WHERE c.business = :business AND {window}", key="a.scope"
)
_CLIENT_PAGES: Final = Keyset(
    "SELECT a.*, c.tasks AS tasks FROM page_client c JOIN page a ON a.id = c.page"
    " WHERE c.business = :business AND {window}",
    key="a.scope",
)


async def _assets(ctx: Ctx, node: Ref, window: Window, keyset: Keyset) -> list[dict[str, Any]]:
    rows = await keyset.fetch(ctx.db, window, business=node.id)
    # Settings and sealed secrets of an app are for its own token, read from the app itself.
    return [{name: row[name] for name in _SHOWN if name in row.keys()} for row in rows]  # noqa: SIM118 - not a dict


_SHOWN: Final = ("id", "scope", "name", "category", "link", "namespace", "username", "business", "tasks")


@BUSINESS.edge("owned_apps", doc="Apps that the business owns.", returns=APPLICATION, **_LIST)
async def owned_apps(ctx: Ctx, node: Ref, window: Window) -> list[dict[str, Any]]:
    """In the order in which the apps were made."""
    return await _assets(ctx, node, window, _OWNED_APPS)


@BUSINESS.edge("owned_pages", doc="Pages that the business owns.", returns=PAGE, **_LIST)
async def owned_pages(ctx: Ctx, node: Ref, window: Window) -> list[dict[str, Any]]:
    """In the order in which the pages were made."""
    return await _assets(ctx, node, window, _OWNED_PAGES)


@BUSINESS.edge("client_apps", doc="Apps that the business uses without owning them.", returns=APPLICATION, **_LIST)
async def client_apps(ctx: Ctx, node: Ref, window: Window) -> list[dict[str, Any]]:
    """In the order in which the apps were made."""
    return await _assets(ctx, node, window, _CLIENT_APPS)


@BUSINESS.edge("client_pages", doc="Pages that the business uses without owning them.", returns=PAGE, **_LIST)
async def client_pages(ctx: Ctx, node: Ref, window: Window) -> list[dict[str, Any]]:
    """In the order in which the pages were made; `tasks` is what their owner permits."""
    return await _assets(ctx, node, window, _CLIENT_PAGES)


# ------------------------------------------------------------------------------------------------ claims


@BUSINESS.edge("owned_apps", doc="Claim an app.", params=(_APP,), **_CLAIM)
async def claim_app(ctx: Ctx, node: Ref, app_id: str) -> dict[str, str]:
    """CONFIRMED when the caller administers the app, else PENDING."""
    person = administrator(ctx, node)
    return {"access_status": await ownership.claim(ctx, node.id, person, "app", app_id, "owned")}


@BUSINESS.edge("client_apps", doc="Ask to use an app.", params=(_APP,), **_CLAIM)
async def request_app(ctx: Ctx, node: Ref, app_id: str) -> dict[str, str]:
    """CONFIRMED when the caller administers the app, else PENDING."""
    person = administrator(ctx, node)
    return {"access_status": await ownership.claim(ctx, node.id, person, "app", app_id, "client")}


@BUSINESS.edge("owned_pages", doc="Claim a page.", params=(_PAGE,), **_CLAIM)
async def claim_page(ctx: Ctx, node: Ref, page_id: str) -> dict[str, str]:
    """CONFIRMED when the caller administers the page, else PENDING. `code` and `entry_point` change nothing."""
    person = administrator(ctx, node)
    return {"access_status": await ownership.claim(ctx, node.id, person, "page", page_id, "owned")}


@BUSINESS.edge(
    "client_pages",
    doc="Ask to use a page.",
    params=(_PAGE, Param("permitted_tasks", "list", "What the business may do.", choices=roles.PAGE_TASKS, max=50)),
    **_CLAIM,
)
async def request_page(ctx: Ctx, node: Ref, page_id: str, permitted_tasks: list[str] | None) -> dict[str, str]:
    """CONFIRMED when the caller administers the page, else PENDING."""
    person = administrator(ctx, node)
    tasks = roles.expand_tasks(permitted_tasks or ())
    return {"access_status": await ownership.claim(ctx, node.id, person, "page", page_id, "client", tasks)}


@BUSINESS.edge("apps", doc="Take an app out of the business.", params=(_APP,), **_REMOVE)
async def remove_app(ctx: Ctx, node: Ref, app_id: str) -> dict[str, bool]:
    """Owned, used or only asked for."""
    administrator(ctx, node)
    await ownership.remove(ctx, node.id, "app", app_id)
    return {"success": True}


@BUSINESS.edge("pages", doc="Take a page out of the business.", params=(_PAGE,), **_REMOVE)
async def remove_page(ctx: Ctx, node: Ref, page_id: str) -> dict[str, bool]:
    """Owned, used or only asked for."""
    administrator(ctx, node)
    await ownership.remove(ctx, node.id, "page", page_id)
    return {"success": True}


# ------------------------------------------------------------------------------------------------ waiting claims

BUSINESS_PAGE_REQUEST = Node("BusinessPageRequest", "A page that a business has asked for.", _SOURCE)
BUSINESS_APP_REQUEST = Node("BusinessApplicationRequest", "An app that a business has asked for.", _SOURCE)
BUSINESS_PAGE_REQUEST.field("id", "numeric string", "The request's id.", source=_SOURCE, default=True)
BUSINESS_APP_REQUEST.field("id", "numeric string", "The request's id.", source=_SOURCE, default=True)
BUSINESS_PAGE_REQUEST.field(
    "page", "Page", "The page.", source=_SOURCE, node=PAGE, nested=("id", "name"), default=True,
    get=lambda row: {name: row[f"asset_{name}"] for name in ("id", "name", "category", "link")},
)  # fmt: skip
BUSINESS_APP_REQUEST.field(
    "application", "Application", "The app.", source=_SOURCE, node=APPLICATION, nested=("id", "name"), default=True,
    get=lambda row: {name: row[f"asset_{name}"] for name in ("id", "name", "category", "link")} | {"namespace": None},
)  # fmt: skip


_PENDING: Final = (
    "SELECT c.id AS id, a.id AS asset_id, a.name AS asset_name, a.category AS asset_category, a.link AS asset_link"
    " FROM business_claim c JOIN {kind} a ON a.id = c.asset"
    " WHERE c.business = :business AND c.kind = '{kind}' AND c.access = :access AND {window}"
)
_PENDING_PAGES: Final = Keyset(_PENDING.replace("{kind}", "page"), key="c.id", type=str)
_PENDING_APPS: Final = Keyset(_PENDING.replace("{kind}", "app"), key="c.id", type=str)
_WAITING: Final[dict[str, Any]] = {"source": _SOURCE, "scope": _SCOPE, "tokens": _PEOPLE}


@BUSINESS.edge("pending_owned_pages", doc="Pages claimed.", returns=BUSINESS_PAGE_REQUEST, **_WAITING)
async def pending_owned_pages(ctx: Ctx, node: Ref, window: Window) -> Sequence[Row]:
    """Those whose owner has not answered."""
    return await _PENDING_PAGES.fetch(ctx.db, window, business=node.id, access="owned")


@BUSINESS.edge("pending_client_pages", doc="Pages asked for.", returns=BUSINESS_PAGE_REQUEST, **_WAITING)
async def pending_client_pages(ctx: Ctx, node: Ref, window: Window) -> Sequence[Row]:
    """Those whose owner has not answered."""
    return await _PENDING_PAGES.fetch(ctx.db, window, business=node.id, access="client")


@BUSINESS.edge("pending_owned_apps", doc="Apps claimed.", returns=BUSINESS_APP_REQUEST, **(_WAITING | {"source": "I"}))
async def pending_owned_apps(ctx: Ctx, node: Ref, window: Window) -> Sequence[Row]:
    """Those whose owner has not answered."""
    return await _PENDING_APPS.fetch(ctx.db, window, business=node.id, access="owned")


@BUSINESS.edge("pending_client_apps", doc="Apps asked for.", returns=BUSINESS_APP_REQUEST, **_WAITING)
async def pending_client_apps(ctx: Ctx, node: Ref, window: Window) -> Sequence[Row]:
    """Those whose owner has not answered."""
    return await _PENDING_APPS.fetch(ctx.db, window, business=node.id, access="client")


# ------------------------------------------------------------------------------------------------ businesses of a person

_BUSINESSES: Final = Keyset(
    "SELECT b.*, m.role AS member_role FROM business_member m JOIN business b ON b.id = m.business"
    " WHERE m.person = :person AND {window}",
    key="m.business",
    type=str,
)
_MEMBERSHIPS: Final = Keyset(f"{MEMBERSHIP} WHERE m.person = :person AND {{window}}", key="m.id", type=str)
_MINE: Final[dict[str, Any]] = {"source": _SOURCE, "scope": _SCOPE, "tokens": ("user",)}


def _myself(ctx: Ctx) -> int:
    """The person of a user token; a user token loads nobody else's node."""
    assert ctx.caller is not None
    assert ctx.caller.person is not None
    return ctx.caller.person


@USER.edge("businesses", doc="Businesses the person is a member of.", returns=BUSINESS, **_MINE)
async def businesses(ctx: Ctx, _node: Ref, window: Window) -> list[dict[str, Any]]:
    """In the order of their ids."""
    return [dict(row) for row in await _BUSINESSES.fetch(ctx.db, window, person=_myself(ctx))]


@USER.edge("business_users", doc="The person's memberships.", returns=BUSINESS_USER, **_MINE)
async def memberships(ctx: Ctx, _node: Ref, window: Window) -> Sequence[Row]:
    """One business-scoped user for each business."""
    return await _MEMBERSHIPS.fetch(ctx.db, window, person=_myself(ctx))


@USER.edge(
    "businesses",
    method="POST",
    doc="Make a business; the person becomes its admin.",
    params=(
        Param("name", "string", "Name.", required=True, max=300),
        Param("vertical", "string", "Industry.", required=True, max=100),
        Param("primary_page", "id", "Its main page; the person must administer it."),
        Param("timezone_id", "int", "Time zone.", min=0, max=1000),
    ),
    **_MINE,
)
async def create_business(
    ctx: Ctx, _node: Ref, name: str, vertical: str, primary_page: str | None, timezone_id: int | None
) -> dict[str, str]:
    """Unverified and unreviewed. Raises NAME_INVALID, PAGE_ADMIN_NEEDED."""
    person, tx, now_ms = _myself(ctx), open_tx(ctx), ctx.clock.now_ms()
    if not name.strip():
        raise GraphError(errors.NAME_INVALID)
    if primary_page is not None and not await ownership.administers(ctx, "page", primary_page, person):
        raise GraphError(errors.PAGE_ADMIN_NEEDED)
    new = store.NewBusiness(
        name=name.strip(), vertical=vertical, primary_page=primary_page, timezone_id=timezone_id
    )  # fmt: skip
    business = await store.create_business(tx, ctx.ids, now_ms, new)
    member = await store.set_member(tx, ctx.ids, now_ms, business, person, "ADMIN")
    await tx.run("UPDATE business SET created_by = :member WHERE id = :id", member=member, id=business)
    return {"id": business, "name": name.strip()}


@USER.edge(
    "businesses",
    method="DELETE",
    doc="Leave a business.",
    params=(Param("business", "id", "The business.", required=True),),
    **_MINE,
)
async def leave_business(ctx: Ctx, _node: Ref, business: str) -> dict[str, bool]:
    """Raises PARAM_INVALID for a business one is not in, LAST_ADMIN when nobody could administer it any more."""
    person, tx = _myself(ctx), open_tx(ctx)
    members = await store.members_of(tx, business)
    mine = next((row for row in members if row["person"] == person), None)
    if mine is None:
        raise GraphError(errors.PARAM_INVALID, name="business", expected="a business the person is a member of")
    others = (row["role"] for row in members if row["person"] != person)
    if roles.administers_business(mine["role"]) and not any(roles.administers_business(role) for role in others):
        raise GraphError(errors.LAST_ADMIN)
    await store.set_member(tx, ctx.ids, ctx.clock.now_ms(), business, person, None)
    return {"success": True}
