"""Application: what an app shows of itself to everybody, and what to its own app token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import methodcaller
from typing import Any, Final, cast
from urllib.parse import urlsplit

from polynym.core.ctx import Ctx
from polynym.core.db import Tx, Value
from polynym.graph.call import Answer
from polynym.graph.expand import Ref
from polynym.graph.node import Node, Param
from polynym.graph.paging import Window
from polynym.identity import formats, store
from polynym.identity.pictures import PICTURE_PARAMS, picture_answer
from polynym.wire import errors
from polynym.wire.errors import GraphError

Columns = Mapping[str, Any]
_SOURCE: Final = "P: contract graph 7.1"
_PUBLIC: Final = "S: contract graph 6.2"

APPLICATION = Node("Application", "An app: what logs people in, manages pages and holds a secret.", _SOURCE)


def column(name: str) -> Callable[[Columns], Any]:
    """Reads a column that a short row (such as one inside an ID match) may not have."""
    return methodcaller("get", name)


def is_own_app(ctx: Ctx, row: Columns) -> bool:
    """Whether the caller holds the app token of this very app and the row is a whole one."""
    caller = ctx.caller
    return caller is not None and caller.kind == "app" and caller.app.id == row["id"] and "mode" in row


def _link(row: Columns) -> str:
    return formats.app_link(row["id"], row["namespace"], row["link"])


APPLICATION.field("category", "string", "Category.", source=_PUBLIC, get=column("category"), default=True)
APPLICATION.field("link", "string", "Where the app lives.", source=_PUBLIC, get=_link, default=True)
APPLICATION.field("name", "string", "Name.", source=_PUBLIC, default=True)
APPLICATION.field("namespace", "string", "Short name in links.", source=_PUBLIC, get=column("namespace"), default=True)
APPLICATION.field("id", "numeric string", "The app's id.", source=_PUBLIC, default=True)


def _own(name: str, kind: str, doc: str, get: Callable[[Columns], Any] | None = None) -> None:
    """A field for the app's own app token; others do not see it."""
    APPLICATION.field(name, kind, doc, source=_SOURCE, get=get or column(name), check=is_own_app)


_own("subcategory", "string", "Subcategory.")
_own("company", "string", "Who publishes the app.")
_own("description", "string", "What the app is for.")
_own("created_time", "datetime", "When the app was made.", lambda row: formats.graph_time(row["created_ms"]))
_own("app_domains", "list<string>", "Domains of the app.", lambda row: store.list_of_text(row["app_domains"]) or None)
_own("app_type", "unsigned int32", "0 for web, 1 for native.", column("app_type"))
_own("privacy_policy_url", "string", "Where the privacy policy is.")
_own("terms_of_service_url", "string", "Where the terms of service are.")
_own("deauth_callback_url", "string", "Told when somebody removes the app.")


async def load_app(ctx: Ctx, app: str) -> dict[str, Any] | None:
    """An app's row without its sealed secrets, None when there is no such app."""
    row = await store.app_row(ctx.db, app)
    if row is None:
        return None
    return {name: row[name] for name in row.keys() if not name.endswith("_sealed")}  # noqa: SIM118 - not a dict


APPLICATION.load = load_app


@APPLICATION.edge(
    "picture", doc="The app's picture.", source="P: contract graph 7.1", params=PICTURE_PARAMS, public=True
)
async def app_picture(
    ctx: Ctx, node: Ref, _window: Window, type_: str | None, width: int | None, height: int | None, redirect: bool
) -> Answer | dict[str, Any]:
    """The initial of the app's name."""
    assert node.row is not None
    return picture_answer(ctx, node.row["name"], type_, width, height, redirect)


@APPLICATION.update(
    doc="Change settings of the app.",
    source=_SOURCE,
    tokens=("app",),
    params=(
        Param("app_domains", "list", "Domains of the app.", max=50),
        Param("company", "string", "Who publishes the app.", max=200),
        Param("deauth_callback_url", "string", "Told when somebody removes the app.", max=2000),
        Param("description", "string", "What the app is for.", max=5000),
        Param("privacy_policy_url", "string", "Where the privacy policy is.", max=2000),
        Param("terms_of_service_url", "string", "Where the terms of service are.", max=2000),
    ),
)
async def update_app(
    ctx: Ctx,
    node: Ref,
    app_domains: list[str] | None,
    company: str | None,
    deauth_callback_url: str | None,
    description: str | None,
    privacy_policy_url: str | None,
    terms_of_service_url: str | None,
) -> dict[str, bool]:
    """Only the app itself may; to everybody else it is an object that does not support this."""
    assert node.row is not None
    if not is_own_app(ctx, node.row):
        raise GraphError(errors.NO_SUCH_OBJECT, verb="post", id=node.id)
    given: dict[str, Value] = {
        "app_domains": None if app_domains is None else store.text_of_list(app_domains),
        "company": company,
        "deauth_callback_url": _url("deauth_callback_url", deauth_callback_url),
        "description": description,
        "privacy_policy_url": _url("privacy_policy_url", privacy_policy_url),
        "terms_of_service_url": _url("terms_of_service_url", terms_of_service_url),
    }
    tx = cast(Tx, ctx.db)
    await store.update_app(tx, node.id, **{name: value for name, value in given.items() if value is not None})
    await ctx.epoch.bump(tx)
    return {"success": True}


def _url(name: str, text: str | None) -> str | None:
    """An address that we may show and call. Raises PARAM_INVALID."""
    try:
        parts = urlsplit(text or "")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        usable = False
    if text is not None and not usable:
        raise GraphError(errors.PARAM_INVALID, name=name, expected="http(s)://host[:port]/path, without a user name")
    return text


APPLICATION.unbuilt("roles agencies connected_client_businesses authorized_adaccounts uploads", source=_SOURCE)
APPLICATION.unbuilt("accounts accounts/test-users subscriptions", source=_SOURCE)
APPLICATION.unbuilt("roles accounts accounts/test-users subscriptions", method="POST", source=_SOURCE)
APPLICATION.unbuilt("roles accounts/test-users subscriptions", method="DELETE", source=_SOURCE)
