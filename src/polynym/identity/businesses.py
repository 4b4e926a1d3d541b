"""Business and BusinessUser: what a business is, and the pages and apps it owns, uses, or has asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from polynym.core.ctx import Ctx
from polynym.core.db import Row
from polynym.graph.call import Answer
from polynym.graph.expand import Ref
from polynym.graph.node import Node
from polynym.graph.paging import Keyset, Window
from polynym.identity import formats, ownership, roles, store
from polynym.identity.apps import APPLICATION, Columns, column, is_own_app
from polynym.identity.pages import PAGE, load_page
from polynym.identity.pictures import PICTURE_PARAMS, picture_answer
from polynym.wire import errors
from polynym.wire.errors import GraphError

_SOURCE: Final = "P: contract graph 7.3"
_SCOPE: Final = "business_management"

BUSINESS = Node("Business", "A business in Business Manager: it owns apps and pages and has members.", _SOURCE)
BUSINESS_USER = Node("BusinessUser", "A member of a business, under an id that only this business knows.", _SOURCE)

# ------------------------------------------------------------------------------------------------ business

_BUSINESS: Final = (
    "SELECT b.*,"
    " (SELECT m.role FROM business_member m WHERE m.business = b.id AND m.person = CAST(:person AS BIGINT)) AS member_role,"
    " (SELECT 1 FROM app a WHERE a.id = CAST(:app AS TEXT) AND a.business = b.id) AS own_app"
    " FROM business b WHERE b.id = :id"
)


async def load_business(ctx: Ctx, business: str) -> dict[str, Any] | None:
    """A business as its members see it, and the apps it owns; to everybody else it does not exist."""
    caller = ctx.caller
    if caller is None:
        return None
    person = caller.person if caller.kind in ("user", "system_user") else None
    app = caller.app.id if caller.kind == "app" else None
    row = await ctx.db.one(_BUSINESS, id=business, person=person, app=app)
    if row is None or (row["member_role"] is None and row["own_app"] is None):
        return None
    return dict(row)


BUSINESS.load = load_business


def _managed(ctx: Ctx, row: Columns) -> bool:
    """More than the name needs business_management, unless the caller is an app of the business."""
    caller = ctx.caller
    if caller is not None and caller.kind != "app" and _SCOPE not in caller.scopes:
        raise GraphError(errors.PERMISSION_REQUIRED, permission=_SCOPE)
    # A business inside another object comes with its name only.
    return "created_ms" in row


async def _primary_page(ctx: Ctx, row: Columns) -> dict[str, Any] | None:
    return None if row["primary_page"] is None else await load_page(ctx, row["primary_page"])


async def _creator(ctx: Ctx, row: Columns) -> dict[str, Any] | None:
    return None if row["created_by"] is None else await load_business_user(ctx, row["created_by"])


BUSINESS.field("id", "numeric string", "The business's id.", source=_SOURCE, default=True)
BUSINESS.field("name", "string", "Name.", source=_SOURCE, default=True)
for _name, _kind, _doc, _get in (
    ("created_time", "datetime", "When it was made.", lambda row: formats.graph_time(row["created_ms"])),
    ("updated_time", "datetime", "When it was last changed.", lambda row: formats.graph_time(row["updated_ms"])),
    ("timezone_id", "unsigned int32", "Time zone.", column("timezone_id")),
    ("two_factor_type", "enum", "Who needs two-factor authentication.", lambda _row: "none"),
    (
        "verification_status", "enum", "Whether the business is verified.",
        lambda row: "not_verified" if row["verified_ms"] is None else "verified",
    ),
    ("vertical", "string", "Industry.", column("vertical")),
    ("is_hidden", "bool", "Whether it is hidden.", lambda _row: False),
):  # fmt: skip
    BUSINESS.field(_name, _kind, _doc, source=_SOURCE, get=_get, check=_managed)
BUSINESS.field(
    "primary_page", "Page", "Its main page.", source=_SOURCE, check=_managed, load=_primary_page, node=PAGE,
    nested=("id", "name"),
)  # fmt: skip


@BUSINESS.edge("picture", doc="The business's picture.", source=_SOURCE, params=PICTURE_PARAMS)
async def business_picture(
    ctx: Ctx, node: Ref, _window: Window, type_: str | None, width: int | None, height: int | None, redirect: bool
) -> Answer | dict[str, Any]:
    """The initial of the business's name."""
    assert node.row is not None
    return picture_answer(ctx, node.row["name"], type_, width, height, redirect)


# ------------------------------------------------------------------------------------------------ members

MEMBERSHIP: Final = (
    "SELECT m.id AS id, m.role AS role, m.business AS business_id, b.name AS business_name, p.name AS name,"
    " p.first_name AS first_name, p.last_name AS last_name, p.email AS email"
    " FROM business_member m JOIN person p ON p.person = m.person JOIN business b ON b.id = m.business"
)
_COLLEAGUE: Final = (
    MEMBERSHIP + " WHERE m.id = :id AND EXISTS (SELECT 1 FROM business_member me"  # noqa: S608 - constants
    " WHERE me.business = m.business AND me.person = CAST(:person AS BIGINT))"
)


async def load_business_user(ctx: Ctx, member: str) -> dict[str, Any] | None:
    """A member of a business that the caller's person is in too; nobody else sees one."""
    caller = ctx.caller
    if caller is None:
        return None
    # Looked up even for callers who see nobody: a member's id must cost what an id of nobody's does.
    allowed = caller.kind in ("user", "system_user") and _SCOPE in caller.scopes
    row = await ctx.db.one(_COLLEAGUE, id=member, person=caller.person if allowed else None)
    return None if row is None else dict(row)


BUSINESS_USER.load = load_business_user
BUSINESS_USER.field("id", "numeric string", "The business-scoped user id.", source=_SOURCE, default=True)
BUSINESS_USER.field("name", "string", "Full name.", source=_SOURCE, default=True)
BUSINESS_USER.field("first_name", "string", "First name.", source=_SOURCE)
BUSINESS_USER.field("last_name", "string", "Last name.", source=_SOURCE)
BUSINESS_USER.field("email", "string", "Email address.", source=_SOURCE)
BUSINESS_USER.field("role", "string", "Role in the business.", source=_SOURCE)
BUSINESS_USER.field(
    "business", "Business", "The business.", source=_SOURCE, node=BUSINESS, nested=("id", "name"), default=True,
    get=lambda row: {"id": row["business_id"], "name": row["business_name"]},
)  # fmt: skip
BUSINESS.field(
    "created_by", "BusinessUser", "Who made it.", source=_SOURCE, check=_managed, load=_creator, node=BUSINESS_USER,
    nested=("id", "name"),
)  # fmt: skip

_MEMBERS: Final = Keyset(f"{MEMBERSHIP} WHERE m.business = :business AND {{window}}", key="m.id", type=str)


@BUSINESS.edge(
    "business_users", doc="Members of the business.", source=_SOURCE, returns=BUSINESS_USER, scope=_SCOPE,
    tokens=("user", "system_user"), default_fields=("id", "name", "role"),
)  # fmt: skip
async def business_users(ctx: Ctx, node: Ref, window: Window) -> Sequence[Row]:
    """In the order of their ids, which is random."""
    return await _MEMBERS.fetch(ctx.db, window, business=node.id)


# ------------------------------------------------------------------------------------------------ who may change what


def administrator(ctx: Ctx, node: Ref) -> int:
    """The caller's person, when they may change this business. Raises BUSINESS_EDIT."""
    assert ctx.caller is not None
    assert node.row is not None
    if ctx.caller.person is None or not roles.administers_business(node.row.get("member_role")):
        raise GraphError(errors.BUSINESS_EDIT)
    return ctx.caller.person


# ------------------------------------------------------------------------------------------------ on apps and pages


async def _business_of(ctx: Ctx, row: Columns) -> dict[str, Any] | None:
    owner = row["business"]
    if owner is None:
        return None
    found = await store.business_row(ctx.db, owner)
    return None if found is None else {"id": found["id"], "name": found["name"]}


async def _business_of_page(ctx: Ctx, row: Columns) -> dict[str, Any] | None:
    """Needs business_management and the page's own token, or a person who administers it (contract graph 7.2)."""
    caller = ctx.caller
    assert caller is not None
    own = caller.kind == "page" and caller.page == row["id"]
    if caller.kind in ("user", "system_user") and caller.person is not None:
        own = await ownership.administers(ctx, "page", row["id"], caller.person)
    if not own or _SCOPE not in caller.scopes:
        raise GraphError(errors.PERMISSION_REQUIRED, permission=_SCOPE)
    return await _business_of(ctx, row if "business" in row else {"business": None})


for _name in ("business", "owner_business"):
    APPLICATION.field(
        _name, "Business", "The business that owns the app.", source=_SOURCE, check=is_own_app, load=_business_of,
        node=BUSINESS, nested=("id", "name"),
    )  # fmt: skip
    PAGE.field(
        _name, "Business", "The business that owns the page.", source="C: contract graph 7.2", load=_business_of_page,
        node=BUSINESS, nested=("id", "name"),
    )  # fmt: skip

# ------------------------------------------------------------------------------------------------ not built yet

BUSINESS.unbuilt(
    "pending_owned_ad_accounts pending_client_ad_accounts owned_ad_accounts client_ad_accounts owned_product_catalogs"
    " client_product_catalogs owned_pixels client_pixels adspixels owned_instagram_accounts instagram_business_accounts"
    " owned_whatsapp_business_accounts commerce_merchant_settings pending_users system_users owned_businesses clients"
    " agencies",
    source=_SOURCE,
)
BUSINESS.unbuilt(
    "owned_ad_accounts client_ad_accounts adspixels business_users system_users access_token system_user_access_tokens"
    " managed_businesses owned_businesses",
    method="POST",
    source=_SOURCE,
)
BUSINESS.unbuilt("ad_accounts managed_businesses owned_businesses clients agencies", method="DELETE", source=_SOURCE)
