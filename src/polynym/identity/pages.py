"""Page: what a page shows, to everybody and to those who work on it."""

from __future__ import annotations

from typing import Any, Final

from polynym.core.ctx import Ctx
from polynym.graph.call import Answer
from polynym.graph.expand import Ref
from polynym.graph.node import Node
from polynym.graph.paging import Window
from polynym.identity import formats, roles, store
from polynym.identity.apps import Columns, column
from polynym.identity.pictures import PICTURE_PARAMS, picture_answer, picture_object

_SOURCE: Final = "P: contract graph 7.2"
_PUBLIC: Final = "S: contract graph 6.2"

PAGE = Node("Page", "A page: the public face of a business, where people write to it.", _SOURCE)


def _link(row: Columns) -> str:
    return formats.page_link(row["id"], row["name"], row["link"])


def _categories(row: Columns) -> list[dict[str, str]] | None:
    category = row.get("category")
    return None if category is None else [{"id": formats.category_id(category), "name": category}]


async def _picture(ctx: Ctx, row: Columns) -> dict[str, Any]:
    return picture_object(ctx, row["name"])


PAGE.field("category", "string", "Category.", source=_PUBLIC, get=column("category"))
PAGE.field("category_list", "list<PageCategory>", "Every category, with ids.", source=_SOURCE, get=_categories)
PAGE.field("link", "string", "Where the page lives.", source=_PUBLIC, get=_link)
PAGE.field("name", "string", "Name.", source=_PUBLIC, default=True)
PAGE.field("id", "numeric string", "The page's id.", source=_PUBLIC, default=True)
PAGE.field("username", "string", "Name in links, such as m.me/username.", source=_SOURCE, get=column("username"))
PAGE.field("about", "string", "A line about the page.", source=_SOURCE, get=column("about"))
PAGE.field("picture", "PagePicture", "The page's picture.", source=_SOURCE, load=_picture)


def works_here(ctx: Ctx, row: Columns) -> bool:
    """Whether the caller is the page itself, with its own token."""
    caller = ctx.caller
    return caller is not None and caller.kind == "page" and caller.page == row["id"]


async def tasks_of_caller(ctx: Ctx, row: Columns) -> tuple[str, ...]:
    """What the caller's person may do on the page; the row of a list may carry it already."""
    if "tasks" in row:
        stored: str | None = row["tasks"]
        return tuple(stored.split(",")) if stored else ()
    caller = ctx.caller
    if caller is None or caller.person is None:
        return ()
    return await store.tasks_of(ctx.db, row["id"], caller.person)


async def _tasks(ctx: Ctx, row: Columns) -> list[str] | None:
    return list(await tasks_of_caller(ctx, row)) or None


async def _perms(ctx: Ctx, row: Columns) -> list[str] | None:
    return roles.perms_of_tasks(await tasks_of_caller(ctx, row)) or None


PAGE.field("tasks", "list<string>", "What the caller may do on the page.", source=_SOURCE, load=_tasks, since=(3, 1))
PAGE.field(
    "perms", "list<string>", "What the caller may do on the page.", source="K: contract graph 1.2", load=_perms,
    until=(3, 1),
)  # fmt: skip
PAGE.field(
    "is_published", "bool", "Whether everybody can see the page.", source=_SOURCE, check=works_here,
    get=lambda row: None if row.get("is_published") is None else bool(row["is_published"]),
)  # fmt: skip


async def load_page(ctx: Ctx, page: str) -> dict[str, Any] | None:
    """A page's row, None when there is no such page."""
    row = await store.page_row(ctx.db, page)
    return None if row is None else dict(row)


PAGE.load = load_page


@PAGE.edge("picture", doc="The page's picture.", source="P: contract graph 6.6", params=PICTURE_PARAMS, public=True)
async def page_picture(
    ctx: Ctx, node: Ref, _window: Window, type_: str | None, width: int | None, height: int | None, redirect: bool
) -> Answer | dict[str, Any]:
    """The initial of the page's name; works without a token."""
    assert node.row is not None
    return picture_answer(ctx, node.row["name"], type_, width, height, redirect)


for _method in ("GET", "POST", "DELETE"):
    PAGE.unbuilt("assigned_users agencies", method=_method, source=_SOURCE)
PAGE.unbuilt("roles businessprojects tabs", source=_SOURCE)
_MESSENGER: Final = "contract messenger; contract clients"
PAGE.unbuilt(
    "subscribed_apps messenger_profile personas thread_owner secondary_receivers custom_labels conversations settings",
    source=_MESSENGER,
)
PAGE.unbuilt(
    "messages message_attachments subscribed_apps messenger_profile personas pass_thread_control take_thread_control"
    " request_thread_control release_thread_control custom_labels settings",
    method="POST",
    source=_MESSENGER,
)
PAGE.unbuilt("subscribed_apps messenger_profile", method="DELETE", source=_MESSENGER)
