"""User: a person under one scoped id, as far as the caller may see.

An app-scoped id is readable by the person's own user token and by the app's token; a page-scoped id by the page's tokens.
Everything else about a person, and every other id, does not exist. The `id` answered is the id that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from polynym.core.ctx import Caller, Ctx
from polynym.core.db import Row
from polynym.graph.call import Answer
from polynym.graph.expand import Ref
from polynym.graph.node import Node
from polynym.graph.paging import Window
from polynym.identity import formats, store
from polynym.identity.apps import Columns
from polynym.identity.pictures import PICTURE_PARAMS, picture_answer, picture_object, picture_url
from polynym.wire import errors
from polynym.wire.errors import GraphError
from polynym.wire.versions import GATES

_SOURCE: Final = "D, P: contract graph 6.6"
_MESSENGER: Final = "C: contract graph 6.6; users P24"

USER = Node("User", "A person, under an id that means something to one app or one page only.", _SOURCE)

_COLUMNS: Final = (
    "p.person AS person, p.name AS name, p.first_name AS first_name, p.middle_name AS middle_name,"
    " p.last_name AS last_name, p.locale AS locale, p.timezone AS timezone, p.gender AS gender, p.email AS email,"
    " p.birthday AS birthday, p.payment_enabled_ms AS payment_enabled_ms, p.profile AS profile"
)
# One row for each thing the person granted the app: a person who granted nothing is not there for the app.
_BY_ASID: Final = (
    f"SELECT {_COLUMNS}, g.scope AS granted FROM scoped_id s JOIN person p ON p.person = s.person"  # noqa: S608 - constants
    " JOIN app_grant g ON g.person = s.person AND g.app = :app AND g.state = 'granted'"
    " WHERE s.id = :id AND s.scope = :scope"
)
_BY_PSID: Final = (
    f"SELECT {_COLUMNS}, NULL AS granted FROM scoped_id s JOIN person p ON p.person = s.person"  # noqa: S608 - constants
    " WHERE s.id = :id AND s.scope = :scope"
)


async def load_user(ctx: Ctx, user: str) -> dict[str, Any] | None:
    """The person behind an id in the caller's scope; None for every other id, whoever it belongs to.

    Reads `app_grant`, a table of the tokens feature, in the same statement: an app that the person did not allow
    anything does not see the person.
    """
    caller = ctx.caller
    if caller is None:
        return None
    number = store.parse_id(user) or 0
    if caller.kind == "page" and caller.page_scope is not None:
        return _row(user, "page", await ctx.db.all(_BY_PSID, id=number, scope=caller.page_scope))
    if caller.kind not in ("app", "user"):
        return None
    row = _row(user, "app", await ctx.db.all(_BY_ASID, id=number, scope=caller.app.scope, app=caller.app.id))
    if row is not None and caller.kind == "user" and row["person"] != caller.person:
        return None
    return row


def _row(user: str, scope: str, rows: Sequence[Row]) -> dict[str, Any] | None:
    if not rows:
        return None
    return dict(rows[0]) | {
        "id": user,
        "scoped_by": scope,
        "grants": frozenset(row["granted"] for row in rows if row["granted"] is not None),
    }


USER.load = load_user


# ------------------------------------------------------------------------------------------------ who sees which field

Check = Callable[[Ctx, Columns], bool]
#: What a page sees of a person, by the person's `profile`; locale and its kin also need the app's permissions.
_SEEN_BY_PAGES: Final[dict[str, frozenset[str]]] = {
    "full": frozenset(
        [
            "name",
            "first_name",
            "last_name",
            "profile_pic",
            "picture",
            "is_payment_enabled",
            "locale",
            "timezone",
            "gender",
        ]
    ),
    "first_last": frozenset(
        ["first_name", "last_name", "profile_pic", "picture", "is_payment_enabled", "locale", "timezone", "gender"]
    ),
    "name_only": frozenset(("name",)),
}


def _for_pages(ctx: Ctx, row: Columns, name: str) -> bool:
    """Whether a page sees this field of a profile. Raises PERMISSION_MESSAGING, NO_PROFILE or PROFILE_DENIED."""
    assert ctx.caller is not None
    if "pages_messaging" not in ctx.caller.scopes:
        raise GraphError(errors.PERMISSION_MESSAGING)
    if row["profile"] == "none":
        raise GraphError(errors.NO_PROFILE)
    if row["profile"] == "denied":
        raise GraphError(errors.PROFILE_DENIED)
    return name in _SEEN_BY_PAGES[row["profile"]]


def _granted(caller: Caller, row: Columns) -> frozenset[str]:
    """What the person allowed: the token's own scopes, or for an app token the person's grants."""
    granted: frozenset[str] = row["grants"]
    return caller.scopes & granted if caller.kind == "user" else granted


def _public(name: str) -> Check:
    """Part of public_profile for apps; part of the Messenger profile for pages."""
    return lambda ctx, row: row["scoped_by"] == "app" or _for_pages(ctx, row, name)


def _needs(permission: str, *, once_public: bool = False) -> Check:
    """Apps need the person's permission; `once_public` fields were part of public_profile in old versions."""

    def check(ctx: Ctx, row: Columns) -> bool:
        if row["scoped_by"] != "app":
            return False
        assert ctx.caller is not None
        if once_public and GATES["profile_fields_public"].holds(ctx.version):
            return True
        return permission in _granted(ctx.caller, row)

    return check


def _either(name: str, permission: str) -> Check:
    """Apps need `user_…`, pages `pages_user_…`; without it the field is left out."""
    for_apps = _needs(f"user_{permission}", once_public=True)

    def check(ctx: Ctx, row: Columns) -> bool:
        if row["scoped_by"] == "app":
            return for_apps(ctx, row)
        assert ctx.caller is not None
        allowed = f"pages_user_{permission}" in ctx.caller.scopes
        return _for_pages(ctx, row, name) and (allowed or GATES["profile_fields_public"].holds(ctx.version))

    return check


def _apps_only(_ctx: Ctx, row: Columns) -> bool:
    return bool(row["scoped_by"] == "app")


def _pages_only(name: str) -> Check:
    return lambda ctx, row: row["scoped_by"] == "page" and _for_pages(ctx, row, name)


async def _age_range(ctx: Ctx, row: Columns) -> dict[str, int] | None:
    return formats.age_range(row["birthday"], ctx.clock.now_ms())


async def _picture(ctx: Ctx, row: Columns) -> dict[str, Any]:
    return picture_object(ctx, row["name"])


async def _profile_pic(ctx: Ctx, row: Columns) -> str:
    return picture_url(ctx, row["name"], 1024, 1024)


def _field(name: str, kind: str, doc: str, check: Check, **options: Any) -> None:
    USER.field(name, kind, doc, source=options.pop("source", _SOURCE), check=check, **options)


USER.field("id", "numeric string", "The id that was asked for.", source=_SOURCE, default=True)
_field("name", "string", "Full name.", _public("name"), default=True)
_field("first_name", "string", "First name.", _public("first_name"))
_field("middle_name", "string", "Middle name.", _apps_only)
_field("last_name", "string", "Last name.", _public("last_name"))
_field("short_name", "string", "Name to greet somebody by.", _apps_only, get=lambda row: row["first_name"])
_field("name_format", "string", "How the name's parts are ordered.", _apps_only, get=lambda _row: "{first} {last}")
_field("picture", "ProfilePictureSource", "The profile picture.", _public("picture"), load=_picture)
_field("email", "string", "The confirmed email address.", _needs("email"))
_field("age_range", "AgeRange", "Age bracket.", _needs("user_age_range", once_public=True), load=_age_range)
_field(
    "link", "string", "The profile's address.", _needs("user_link", once_public=True),
    get=lambda row: f"https://www.facebook.com/app_scoped_user_id/{row['id']}/",
)  # fmt: skip
_field("gender", "string", "Gender.", _either("gender", "gender"))
_field("locale", "string", "Language and country.", _either("locale", "locale"))
_field("timezone", "float", "Hours from UTC.", _either("timezone", "timezone"))
_field(
    "birthday", "string", "Birthday, MM/DD/YYYY.", _needs("user_birthday"),
    get=lambda row: None if row["birthday"] is None else formats.graph_birthday(row["birthday"]),
)  # fmt: skip
_field("installed", "bool", "Whether the person uses the app.", _apps_only, get=lambda _row: True)
_field("install_type", "enum", "How the app was installed.", _apps_only, get=lambda _row: "UNKNOWN")
_field("is_guest_user", "bool", "Whether the person is a guest.", _apps_only, get=lambda _row: False)
_field(
    "is_payment_enabled", "bool", "Whether the person can pay in a conversation.", _pages_only("is_payment_enabled"),
    get=lambda row: row["payment_enabled_ms"] is not None, source="S: id matching",
)  # fmt: skip
_field(
    "profile_pic", "string", "Address of the picture.", _pages_only("profile_pic"), load=_profile_pic, source=_MESSENGER
)


@USER.edge("picture", doc="The person's picture.", source="P: contract graph 6.6", params=PICTURE_PARAMS)
async def user_picture(
    ctx: Ctx, node: Ref, _window: Window, type_: str | None, width: int | None, height: int | None, redirect: bool
) -> Answer | dict[str, Any]:
    """The initial of the person's name; the address is another one for every scope and every call."""
    assert node.row is not None
    if node.row["scoped_by"] == "page" and not _for_pages(ctx, node.row, "picture"):
        raise GraphError(errors.NO_PROFILE)
    return picture_answer(ctx, node.row["name"], type_, width, height, redirect)


USER.unbuilt("assigned_pages assigned_business_asset_groups friends", source=_SOURCE)
USER.unbuilt("accounts", method="POST", source="P: contract graph 4.7")
USER.unbuilt("access_tokens", method="DELETE", source="P: contract graph 4.3")
