"""A toy feature: readers, books, chapters and shelves. It has one of everything the protocol knows, and no product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from polynym.core.ctx import Ctx
from polynym.core.db import Row, Unavailable
from polynym.graph.call import Answer, Call, Upload
from polynym.graph.expand import Ref
from polynym.graph.node import Node, Param, root
from polynym.graph.paging import Keyset, Window
from polynym.wire import errors
from polynym.wire.errors import GraphError

SOURCE: Final = "I"

READER = "1001"
OTHER_READER = "1002"
PAGE = "5001"

# ------------------------------------------------------------------------------------------------ rows

READERS: Final[Mapping[str, Mapping[str, Any]]] = {
    READER: {
        "id": READER,
        "name": "Ada",
        "email": "ada@example.com",
        "birthday": "12/10/1815",
        "nickname": "Countess",
        "handle": "ada",
        "joined": "2021-04-30T01:37:07+0000",
        "motto": None,
        "card": {"id": "9001", "number": "4711", "since": "2020-01-01T00:00:00+0000"},
        "cards": [{"id": "9001", "number": "4711"}, {"id": "9002", "number": "0815"}],
    },
    OTHER_READER: {
        "id": OTHER_READER,
        "name": "Bob",
        "email": None,
        "motto": "\u2028</script>",
        "card": None,
        "cards": [],
    },
}
PAGES: Final[Mapping[str, Mapping[str, Any]]] = {PAGE: {"id": PAGE, "name": "Library"}}
SHELVES: Final[Sequence[Mapping[str, str]]] = [
    {"id": f"s{number}", "name": f"Shelf {number}", "kind": "wood" if number % 2 else "iron"} for number in range(7)
]
CHAPTERS: Final[Sequence[Mapping[str, str]]] = [{"id": f"{6000 + n}", "title": f"Chapter {n}"} for n in range(30)]

SCHEMA: Final = "CREATE TABLE toy_book (id BIGINT PRIMARY KEY, reader TEXT NOT NULL, title TEXT NOT NULL, pages BIGINT)"
INSERT: Final = "INSERT INTO toy_book (id, reader, title, pages) VALUES (:id, :reader, :title, :pages)"
BOOKS: Final = Keyset("SELECT id, reader, title, pages FROM toy_book WHERE reader = :reader AND {window}", key="id")
LONG_BOOKS: Final = Keyset(
    "SELECT id, reader, title, pages FROM toy_book WHERE reader = :reader AND pages >= :pages AND {window}", key="id"
)

# ------------------------------------------------------------------------------------------------ nodes

PERSON = Node("Reader", "Somebody who reads.", SOURCE)
BOOK = Node("Book", "Something to read.", SOURCE)
CHAPTER = Node("Chapter", "A part of a book.", SOURCE)
SHELF = Node("Shelf", "Where books stand.", SOURCE)
CARD = Node("Card", "What lets one borrow.", SOURCE)
LIBRARY = Node("Library", "A page that lends.", SOURCE)
NODES: Final = (PERSON, BOOK, CHAPTER, SHELF, CARD, LIBRARY)


def _may_see_email(ctx: Ctx, _row: Any) -> bool:
    return ctx.caller is not None and "email" in ctx.caller.scopes


def _may_see_birthday(ctx: Ctx, _row: Any) -> bool:
    if ctx.caller is None or "user_birthday" not in ctx.caller.scopes:
        raise GraphError(errors.PERMISSION_REQUIRED, permission="user_birthday")
    return True


async def _favourite(ctx: Ctx, row: Any) -> Row | None:
    return await ctx.db.one(
        "SELECT id, reader, title, pages FROM toy_book WHERE reader = :reader ORDER BY id LIMIT 1", reader=row["id"]
    )


async def _last_seen(_ctx: Ctx, _row: Any) -> str:
    return "2024-01-01T00:00:00+0000"


def _get(name: str) -> Any:
    return lambda row: row.get(name)


PERSON.field("id", "numeric string", "The id.", source=SOURCE, default=True)
PERSON.field("name", "string", "The name.", source=SOURCE, default=True)
PERSON.field("email", "string", "With permission only.", source=SOURCE, check=_may_see_email)
PERSON.field(
    "birthday",
    "string",
    "An error without permission.",
    source=SOURCE,
    get=_get("birthday"),
    check=_may_see_birthday,
    wide=False,
)
PERSON.field("motto", "string", "Often unset.", source=SOURCE)
PERSON.field("joined", "datetime", "When.", source=SOURCE, get=_get("joined"))
PERSON.field("seen", "datetime", "When last.", source=SOURCE, load=_last_seen)
PERSON.field("nickname", "string", "New in v3.0.", source=SOURCE, get=_get("nickname"), since=(3, 0))
PERSON.field("handle", "string", "Gone in v3.0.", source=SOURCE, get=_get("handle"), until=(3, 0))
PERSON.field("card", "Card", "The card.", source=SOURCE, node=CARD, nested=("number",))
PERSON.field("cards", "list<Card>", "All cards.", source=SOURCE, node=CARD, nested=("number",))
PERSON.field("favourite", "Book", "The first book.", source=SOURCE, load=_favourite, node=BOOK, nested=("title",))
CARD.field("id", "numeric string", "The id.", source=SOURCE, default=True)
CARD.field("number", "string", "What is printed on it.", source=SOURCE)
CARD.field("since", "datetime", "When it was made.", source=SOURCE, get=_get("since"))
BOOK.field("id", "numeric string", "The id.", source=SOURCE, get=lambda row: str(row["id"]), default=True)
BOOK.field("title", "string", "The title.", source=SOURCE, default=True)
BOOK.field("pages", "int", "How many pages.", source=SOURCE)
CHAPTER.field("id", "numeric string", "The id.", source=SOURCE, default=True)
CHAPTER.field("title", "string", "The title.", source=SOURCE, default=True)
SHELF.field("id", "string", "The id.", source=SOURCE, default=True)
SHELF.field("name", "string", "The name.", source=SOURCE, default=True)
SHELF.field("kind", "string", "wood or iron.", source=SOURCE)
LIBRARY.field("id", "numeric string", "The id.", source=SOURCE, default=True)
LIBRARY.field("name", "string", "The name.", source=SOURCE, default=True)
BOOK.id = lambda row: str(row["id"])


async def load_person(_ctx: Ctx, reader: str) -> Mapping[str, Any] | None:
    """A reader by id."""
    return READERS.get(reader)


async def load_book(ctx: Ctx, book: str) -> Row | None:
    """A book by id."""
    return await ctx.db.one("SELECT id, reader, title, pages FROM toy_book WHERE id = :id", id=int(book))


async def load_library(_ctx: Ctx, page: str) -> Mapping[str, Any] | None:
    """A library by id."""
    return PAGES.get(page)


PERSON.load, BOOK.load, LIBRARY.load = load_person, load_book, load_library

# ------------------------------------------------------------------------------------------------ edges


async def _count_books(ctx: Ctx, node: Ref, pages: int | None) -> int:
    rows = await ctx.db.all(
        "SELECT id FROM toy_book WHERE reader = :reader AND coalesce(pages, 0) >= :pages",
        reader=node.id,
        pages=pages or 0,
    )
    return len(rows)


@PERSON.edge(
    "books", doc="Books of a reader.", source=SOURCE, returns=BOOK, params=(Param("pages", "int", min=0),),
    key=lambda row: str(row["id"]), count=_count_books,
)  # fmt: skip
async def books(ctx: Ctx, node: Ref, page: Window, pages: int | None) -> Sequence[Row]:
    """From the table, by key."""
    if pages is None:
        return await BOOKS.fetch(ctx.db, page, reader=node.id)
    return await LONG_BOOKS.fetch(ctx.db, page, reader=node.id, pages=pages)


@PERSON.edge(
    "books", method="POST", doc="Add a book.", source=SOURCE,
    params=(
        Param("title", required=True, max=20), Param("pages", "int", min=1, max=5000), Param("fail", "bool"),
        Param("cover", "file"),
    ),
)  # fmt: skip
async def add_book(ctx: Ctx, node: Ref, title: str, pages: int | None, fail: bool | None, cover: Upload | None) -> Any:
    """Writes, and may fail afterwards, so that nothing is written."""
    row = await ctx.db.one("SELECT max(id) AS last FROM toy_book")
    book = 1 + (row["last"] or 0 if row else 0)
    await ctx.db.run(INSERT, id=book, reader=node.id, title=title, pages=pages)
    if fail:
        raise GraphError(errors.APP_PERMISSION)
    return {"id": str(book)} | ({"cover": cover.filename} if cover else {})


@PERSON.edge(
    "shelves",
    doc="Short list, in memory.",
    source=SOURCE,
    returns=SHELF,
    params=(Param("kind", "enum", choices=("wood", "iron")), Param("only", "list")),
    limit_default=3,
)
async def shelves(
    ctx: Ctx, _node: Ref, page: Window, kind: str | None, only: list[str] | None
) -> list[Mapping[str, str]]:
    """Sliced from a whole list."""
    ctx.debug.append(("warning", "shelves are old", "https://example.com/shelves"))
    ctx.debug.append(("info", "shelves are read", None))
    rows = [row for row in SHELVES if kind in (None, row["kind"]) and (only is None or row["id"] in only)]
    return page.slice(rows, lambda row: row["id"])


@PERSON.edge("friends", doc="Looks its node up itself.", source=SOURCE, returns=PERSON, resolves=True, proof=("page",))
async def friends(_ctx: Ctx, node: Ref, page: Window) -> list[Mapping[str, Any]]:
    """Everybody else."""
    if node.id not in READERS:
        raise GraphError(errors.NO_SUCH_OBJECT, verb="get", id=node.id)
    return page.slice([row for row in READERS.values() if row["id"] != node.id], lambda row: row["id"])


@PERSON.edge("ideas", doc="New in v2.9.", source=SOURCE, returns=SHELF, since=(2, 9), too_old=errors.VERSION_REQUIRED)
async def ideas(_ctx: Ctx, _node: Ref, _page: Window) -> list[Mapping[str, str]]:
    """Nothing."""
    return []


@PERSON.edge("pokes", doc="Gone in v2.12.", source=SOURCE, returns=SHELF, until=(2, 12))
async def pokes(_ctx: Ctx, _node: Ref, page: Window) -> list[Mapping[str, str]]:
    """All shelves."""
    return page.slice(SHELVES, lambda row: row["id"])


@PERSON.edge("feed", doc="With permission only.", source=SOURCE, returns=SHELF, scope="read_feed")
async def feed(_ctx: Ctx, _node: Ref, page: Window) -> list[Mapping[str, str]]:
    """All shelves."""
    return page.slice(SHELVES, lambda row: row["id"])


@PERSON.edge("secrets", doc="For app tokens.", source=SOURCE, returns=SHELF, tokens=("app",))
async def secrets(_ctx: Ctx, _node: Ref, page: Window) -> list[Mapping[str, str]]:
    """All shelves."""
    return page.slice(SHELVES, lambda row: row["id"])


@PERSON.edge("notes/archive", doc="A name of two parts.", source=SOURCE, returns=SHELF)
async def archive(_ctx: Ctx, _node: Ref, page: Window) -> list[Mapping[str, str]]:
    """All shelves."""
    return page.slice(SHELVES, lambda row: row["id"])


@PERSON.edge("notes", doc="The first of the two parts.", source=SOURCE, returns=SHELF)
async def notes(_ctx: Ctx, _node: Ref, _page: Window) -> list[Mapping[str, str]]:
    """Nothing."""
    return []


@PERSON.edge(
    "portrait",
    doc="A redirect, for everybody.",
    source=SOURCE,
    public=True,
    params=(Param("redirect", "bool", default=True),),
)
async def portrait(ctx: Ctx, node: Ref, _page: Window, redirect: bool) -> Answer | dict[str, str]:
    """An address."""
    url = f"{ctx.origin}/portraits/{node.id}"
    if not redirect:
        return {"url": url}
    return Answer(302, b"", headers=[(b"Location", url.encode()), (b"Cache-Control", b"private, max-age=60")])


@BOOK.edge("chapters", doc="Chapters.", source=SOURCE, returns=CHAPTER, limit_max=50)
async def chapters(_ctx: Ctx, _node: Ref, page: Window) -> list[Mapping[str, str]]:
    """The same in every book."""
    return page.slice(CHAPTERS, lambda row: row["id"])


@BOOK.edge(
    "sequels",
    doc="Books to any depth.",
    source=SOURCE,
    returns=BOOK,
    key=lambda row: str(row["id"]),
    default_fields=("id", "pages"),
)
async def sequels(ctx: Ctx, node: Ref, page: Window) -> Sequence[Row]:
    """Every book of the same reader."""
    row = node.row or await load_book(ctx, node.id)
    return await BOOKS.fetch(ctx.db, page, reader=row["reader"] if row else "")


@BOOK.update(doc="Rename.", source=SOURCE, params=(Param("title", required=True),))
async def rename(ctx: Ctx, node: Ref, title: str) -> dict[str, bool]:
    """Writes one column."""
    return {
        "success": await ctx.db.run("UPDATE toy_book SET title = :title WHERE id = :id", title=title, id=int(node.id))
        == 1
    }


@BOOK.delete(doc="Throw away.", source=SOURCE)
async def throw_away(ctx: Ctx, node: Ref) -> dict[str, bool]:
    """Deletes one row."""
    await ctx.db.run("DELETE FROM toy_book WHERE id = :id", id=int(node.id))
    return {"success": True}


PERSON.unbuilt("likes dislikes", source=SOURCE)
PERSON.unbuilt("likes", method="POST", source=SOURCE)

# ------------------------------------------------------------------------------------------------ roots

ECHO: Final = (
    Param("text", max=2000), Param("id", "id"), Param("number", "int", min=-5, max=100), Param("flag", "bool"),
    Param("names", "list", max=5), Param("days", "list", choices=("mon", "tue")), Param("shape", "object"),
    Param("kind", "enum", choices=("a", "b")), Param("due", "time"), Param("file", "file"),
)  # fmt: skip


@root("echo", methods=("GET", "POST", "DELETE"), doc="Says what it heard.", source=SOURCE, public=True, params=ECHO)
async def echo(
    _ctx: Ctx, call: Call, text: str | None, id_: str | None, number: int | None, flag: bool | None,
    names: list[str] | None, days: list[str] | None, shape: dict[str, Any] | None, kind: str | None, due: int | None,
    file: Upload | None,
) -> dict[str, Any]:  # fmt: skip
    """Typed parameters as JSON, and which names came twice."""
    upload = file and {"name": file.filename, "type": file.content_type, "size": len(file.content)}
    heard = {
        "text": text, "id": id_, "number": number, "flag": flag, "names": names, "days": days, "shape": shape,
        "kind": kind, "due": due, "file": upload,
    }  # fmt: skip
    said = {name: value for name, value in heard.items() if value is not None}
    return said | {"method": call.method, "repeated": sorted(call.repeated)}


@root("who/am_i", methods=("GET", "POST"), doc="Who asks.", source=SOURCE, proof=("page",))
async def who_am_i(ctx: Ctx, call: Call) -> dict[str, Any]:
    """The caller, as everybody may see it."""
    assert ctx.caller is not None
    version = f"v{ctx.version[0]}.{ctx.version[1]}"
    return {
        "kind": ctx.caller.kind,
        "app": ctx.caller.app.id,
        "version": version,
        "locale": ctx.locale,
        "in_batch": call.in_batch,
    }


@root("only/app", methods=("GET",), doc="For app tokens.", source=SOURCE, tokens=("app",))
async def only_app(_ctx: Ctx, _call: Call) -> dict[str, Any]:
    """Nothing much."""
    return {"success": True}


@root("only/page", methods=("GET",), doc="For page tokens.", source=SOURCE, tokens=("page",))
async def only_page(_ctx: Ctx, _call: Call) -> dict[str, Any]:
    """Nothing much."""
    return {"success": True}


@root("plain", methods=("GET",), doc="Not JSON.", source=SOURCE, public=True)
async def plain(_ctx: Ctx, _call: Call) -> Answer:
    """Bytes that are not even UTF-8."""
    return Answer(200, b"a=1&b=\xff", content_type=b"text/plain; charset=UTF-8")


@root("broken", methods=("GET",), doc="A bug.", source=SOURCE, public=True)
async def broken(_ctx: Ctx, _call: Call) -> Any:
    """Raises what no handler should."""
    raise ZeroDivisionError


@root("unsayable", methods=("GET",), doc="A bug of another kind.", source=SOURCE, public=True)
async def unsayable(_ctx: Ctx, _call: Call) -> Any:
    """Answers what JSON cannot say."""
    return {"text": "\ud800"}


@root("down", methods=("GET",), doc="No database.", source=SOURCE, public=True)
async def down(_ctx: Ctx, _call: Call) -> Any:
    """As if the engine were away."""
    raise Unavailable("connection refused")


@root("duplicate", methods=("POST",), doc="An error for end users.", source=SOURCE, public=True)
async def duplicate(_ctx: Ctx, _call: Call) -> Any:
    """Always refused."""
    raise GraphError(errors.DUPLICATE_POST)


@root("under/review", methods=("GET",), doc="A localized error.", source=SOURCE)
async def under_review(_ctx: Ctx, _call: Call) -> Any:
    """Always refused."""
    raise GraphError(errors.REVIEW_PENDING)


_HANDLERS: Final[tuple[Any, ...]] = (
    echo, who_am_i, only_app, only_page, plain, broken, unsayable, down, duplicate, under_review,
)  # fmt: skip
ROOTS: Final = tuple(handler.root for handler in _HANDLERS)


async def resolve(ctx: Ctx, node_id: str) -> tuple[Node, Any] | None:
    """What an id is. `ada` is an alias; nobody without a token sees anything but readers."""
    if node_id == "ada" or node_id in READERS:
        return PERSON, READERS[READER if node_id == "ada" else node_id]
    if node_id in PAGES:
        return LIBRARY, PAGES[node_id]
    if node_id.isascii() and node_id.isdigit() and ctx.caller is not None:
        row = await load_book(ctx, node_id)
        return (BOOK, row) if row is not None else None
    return None


RESOLVERS: Final = (resolve,)


class Toy:
    """The toy as a feature."""

    NODES = NODES
    ROOTS = ROOTS
    RESOLVERS = RESOLVERS
