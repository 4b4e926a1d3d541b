"""Cursors, links and pages (contract graph 1.9; reliability 39, 40; clients requirements 9-11)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynym.core.db import Db
from polynym.graph.paging import Cursors, Window
from polynym.wire.errors import GraphError
from tests.graph.toy import INSERT, READER, SCHEMA, SHELVES
from tests.graph.world import OTHER, SCOPED, STRANGER, USER, World, fill, opened_world, proof_of, toy_world
from tests.support.asgi import Asgi

INVALID = (400, 100, None)
INVALID_TEXT = "(#100) Invalid cursors values"


def ids_of(page: Any) -> list[str]:
    return [row["id"] for row in page["data"]]


async def walk(client: Asgi, page: Any, direction: str) -> list[list[str]]:
    """The pages from this one on, following `next` or `previous`."""
    pages = [ids_of(page)]
    while direction in page.get("paging", {}):
        page = (await client.follow(page["paging"][direction])).json()
        pages.append(ids_of(page))
    return pages


# ------------------------------------------------------------------------------------------------ shape


async def test_the_first_page_has_no_previous_and_the_last_no_next(client: Asgi) -> None:
    first = (await client.get("/me/books", access_token=USER, limit=25)).json()
    assert list(first["paging"]) == ["cursors", "next"]
    assert list(first["paging"]["cursors"]) == ["before", "after"]
    second = (await client.follow(first["paging"]["next"])).json()
    assert list(second["paging"]) == ["cursors", "next", "previous"]
    last = (await client.follow(second["paging"]["next"])).json()
    assert list(last["paging"]) == ["cursors", "previous"]
    assert len(last["data"]) == 10


async def test_a_single_page_has_cursors_only(client: Asgi) -> None:
    assert list((await client.get("/me/books", access_token=USER, limit=60)).json()["paging"]) == ["cursors"]


async def test_an_empty_edge_has_no_paging(client: Asgi) -> None:
    assert (await client.get("/1002/books", access_token=USER)).body == b'{"data":[]}'
    last = (await client.get("/me/books", access_token=USER, limit=100)).json()["paging"]["cursors"]["after"]
    assert (await client.get("/me/books", access_token=USER, after=last)).json() == {"data": []}


async def test_the_default_page_is_25_and_the_cap_100(client: Asgi) -> None:
    assert len((await client.get("/me/books", access_token=USER)).json()["data"]) == 25
    async with opened_world(150) as world:
        reply = (await world.client.get("/me/books", access_token=USER, limit=5000)).json()
        assert len(reply["data"]) == 100
        assert "limit=100" in reply["paging"]["next"]


async def test_cursors_are_opaque_and_deterministic(client: Asgi) -> None:
    pages = [(await client.get("/me/books", access_token=USER, limit=3)).json() for _ in range(2)]
    assert pages[0]["paging"]["cursors"] == pages[1]["paging"]["cursors"]
    for cursor in pages[0]["paging"]["cursors"].values():
        assert cursor.startswith("QVFI")
        assert cursor.isascii()


# ------------------------------------------------------------------------------------------------ links


async def test_links_are_absolute_and_repeat_what_was_asked(client: Asgi) -> None:
    reply = await client.get(
        "/v19.0/me/books", access_token="USER", limit=2, fields="title,pages", pretty=0, pages=5, summary="true", since="1", x="a b&c",
    )  # fmt: skip
    paging = reply.json()["paging"]
    parts = urlsplit(paging["next"])
    assert (parts.scheme, parts.netloc, parts.path) == ("http", "127.0.0.1:8484", "/v19.0/1001/books")
    assert parse_qs(parts.query) == {
        "access_token": ["USER"], "limit": ["2"], "fields": ["title,pages"], "pretty": ["0"], "pages": ["5"],
        "summary": ["true"], "since": ["1"], "x": ["a b&c"], "after": [paging["cursors"]["after"]],
    }  # fmt: skip
    previous = (await client.follow(paging["next"])).json()["paging"]["previous"]
    assert "before" in parse_qs(urlsplit(previous).query)
    assert "after" not in parse_qs(urlsplit(previous).query)


async def test_links_do_not_repeat_what_belongs_to_one_call(client: Asgi) -> None:
    reply = await client.post(
        "/me/books", access_token=USER, method="get", limit=2, offset=0, callback="1no", metadata=1, __paging_token="x"
    )  # fmt: skip
    query = parse_qs(urlsplit(reply.json()["paging"]["next"]).query)
    assert set(query) == {"access_token", "limit", "after"}


async def test_an_unversioned_call_gets_versioned_links(client: Asgi) -> None:
    assert "/v26.0/1001/books?" in (await client.get("/me/books", access_token=USER)).json()["paging"]["next"]


async def test_a_header_token_is_not_in_the_link(client: Asgi) -> None:
    reply = await client.get("/me/books", limit=2, headers={"authorization": "Bearer USER"})
    assert "USER" not in reply.json()["paging"]["next"]
    assert "access_token" not in reply.json()["paging"]["next"]


async def test_a_token_is_encoded_in_the_link(client: Asgi) -> None:
    reply = await client.get("/1001/books", access_token="7001|toy-secret", limit=2)
    assert "access_token=7001%7Ctoy-secret&" in reply.json()["paging"]["next"]
    assert (await client.follow(reply.json()["paging"]["next"])).status == 200


async def test_a_proof_in_the_query_goes_with_its_token(client: Asgi) -> None:
    reply = await client.get("/me", access_token="STRICT", appsecret_proof=proof_of("STRICT"), fields="books.limit(1)")
    assert (await client.follow(reply.json()["books"]["paging"]["next"])).status == 200
    reply = await client.get("/me/books", access_token="STRICT", appsecret_proof=proof_of("STRICT"), limit=1)
    assert (await client.follow(reply.json()["paging"]["next"])).status == 200


async def test_links_are_on_the_origin_the_caller_used(world: World) -> None:
    other = Asgi(world.http, host="graph.facebook.com")
    reply = await other.get("/me/books", access_token=USER, limit=2)
    assert reply.json()["paging"]["next"].startswith("http://graph.facebook.com/v26.0/1001/books?")


async def test_parameters_of_a_json_body_become_texts_in_links(client: Asgi) -> None:
    reply = await client.post_json(
        "/me/shelves",
        {"access_token": USER, "method": "GET", "limit": 2, "only": ["s1", "s2", "s3"], "fields": ["name"], "x": {"a": [1]}, "y": True},
    )  # fmt: skip
    following = reply.json()["paging"]["next"]
    query = parse_qs(urlsplit(following).query)
    assert query["only"] == ['["s1","s2","s3"]']
    assert query["fields"] == ['["name"]']
    assert (query["x"], query["y"]) == (['{"a":[1]}'], ["true"])
    assert (await client.follow(following)).json()["data"] == [{"name": "Shelf 3", "id": "s3"}]


# ------------------------------------------------------------------------------------------------ walks


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for the properties below."""
    with asyncio.Runner() as made:
        yield made


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 130), st.integers(1, 40))
def test_walks_forward_and_back_give_every_row_once(runner: asyncio.Runner, count: int, limit: int) -> None:
    async def check() -> None:
        async with opened_world(count) as world:
            page = (await world.client.get("/me/books", access_token=USER, limit=limit)).json()
            forward = await walk(world.client, page, "next")
            everything = [str(n) for n in range(1, count + 1)]
            assert [each for ids in forward for each in ids] == everything
            assert all(len(ids) == limit for ids in forward[:-1])
            if count == 0:
                return
            last = forward[-1]
            cursor = await cursor_of(world.client, last[-1], "after")
            page = (await world.client.get("/me/books", access_token=USER, limit=limit, before=cursor)).json()
            backward = await walk(world.client, page, "previous")
            assert [each for ids in reversed(backward) for each in ids] == everything[:-1]

    runner.run(check())


async def cursor_of(client: Asgi, book: str, name: str) -> str:
    """The cursor of one book, taken from a page of one."""
    reply = await client.get("/me/books", access_token=USER, limit=1, offset=int(book) - 1)
    cursor: str = reply.json()["paging"]["cursors"][name]
    return cursor


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10))
def test_walks_of_a_list_in_memory_give_every_row_once(runner: asyncio.Runner, limit: int) -> None:
    async def check() -> None:
        async with opened_world(0) as world:
            first = (await world.client.get("/me/shelves", access_token=USER, limit=limit)).json()
            forward = await walk(world.client, first, "next")
            assert [each for ids in forward for each in ids] == [row["id"] for row in SHELVES]
            page = first
            while "next" in page["paging"]:
                page = (await world.client.follow(page["paging"]["next"])).json()
            backward = await walk(world.client, page, "previous")
            assert [each for ids in reversed(backward) for each in ids] == [row["id"] for row in SHELVES]

    runner.run(check())


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 9), st.data())
def test_rows_that_come_and_go_during_a_walk_hide_and_repeat_no_other(
    runner: asyncio.Runner, count: int, limit: int, data: st.DataObject
) -> None:
    async def check() -> None:
        async with opened_world(0) as world:
            steady = list(range(10, 10 * count + 1, 10))
            await world.db.many(INSERT, [{"id": n, "reader": READER, "title": "x", "pages": 1} for n in steady])
            page = (await world.client.get("/me/books", access_token=USER, limit=limit)).json()
            seen = ids_of(page)
            while "next" in page["paging"]:
                new = data.draw(st.integers(1, 10 * count).filter(lambda n: n % 10 != 0))
                if await world.db.one("SELECT id FROM toy_book WHERE id = :id", id=new) is None:
                    await world.db.run(INSERT, id=new, reader=READER, title="new", pages=1)
                else:
                    await world.db.run("DELETE FROM toy_book WHERE id = :id", id=new)
                page = (await world.client.follow(page["paging"]["next"])).json()
                seen += ids_of(page)
                if not page["data"]:
                    break
            assert [each for each in seen if int(each) % 10 == 0] == [str(n) for n in steady]
            assert len(seen) == len(set(seen))

    runner.run(check())


async def test_a_deleted_row_does_not_break_a_walk_in_a_table(world: World) -> None:
    page = (await world.client.get("/me/books", access_token=USER, limit=5)).json()
    await world.db.run("DELETE FROM toy_book WHERE id <= 5")
    following = (await world.client.follow(page["paging"]["next"])).json()
    assert ids_of(following) == ["6", "7", "8", "9", "10"]


async def test_keysets_page_alike_on_both_engines(db: Db) -> None:
    await db.run(SCHEMA)
    await fill(db, 23)
    client = toy_world(db).client
    page = (await client.get("/me/books", access_token=USER, limit=5, pages=2)).json()
    forward = await walk(client, page, "next")
    kept = [str(n) for n in range(2, 24) if n % 3 != 0]
    assert [each for ids in forward for each in ids] == kept
    for _ in forward[1:]:
        page = (await client.follow(page["paging"]["next"])).json()
    backward = await walk(client, page, "previous")
    assert [each for ids in reversed(backward) for each in ids] == kept
    assert (await client.get("/9999999999999999999", access_token=USER)).code == (400, 100, 33)


# ------------------------------------------------------------------------------------------------ offset, limit, summary


async def test_offset_walks_by_offset(client: Asgi) -> None:
    page = (await client.get("/me/books", access_token=USER, limit=20, offset=20)).json()
    assert ids_of(page)[0] == "21"
    assert "offset=40" in page["paging"]["next"]
    assert "offset=0" in page["paging"]["previous"]
    assert ids_of((await client.follow(page["paging"]["next"])).json())[0] == "41"
    assert (await client.get("/me/books", access_token=USER, offset=100)).json() == {"data": []}
    shelves = (await client.get("/me/shelves", access_token=USER, limit=2, offset=5)).json()
    assert ids_of(shelves) == ["s5", "s6"]


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", ["-1", "x", "1.5", "²", "٣", "9" * 20, "0x1", " 1", "1e3", "+1", "true"])
async def test_a_bad_limit_or_offset_is_refused_by_name(client: Asgi, name: str, value: Any) -> None:
    for path in ("/me/books", "/me/shelves"):
        reply = await client.get(path, access_token=USER, **{name: value})
        assert reply.code == (400, 100, None)
        assert reply.error["message"] == f"(#100) param {name} must be a non-negative integer"


async def test_offset_is_bounded(client: Asgi) -> None:
    assert (await client.get("/me/books", access_token=USER, offset=1_000_000)).status == 200
    reply = await client.get("/me/books", access_token=USER, offset=1_000_001)
    assert reply.error["message"] == "(#100) param offset must be at most 1000000"


async def test_limit_0_with_summary_counts(client: Asgi) -> None:
    assert (await client.get("/me/books", access_token=USER, limit=0, summary="true")).json() == {
        "data": [], "summary": {"total_count": 60},
    }  # fmt: skip
    reply = await client.get("/me/books", access_token=USER, limit=1, summary="total_count", pages=50)
    assert reply.json()["summary"] == {"total_count": 7}


@pytest.mark.parametrize("summary", ["true", "1", "total_count", "x", ""])
async def test_an_edge_without_a_count_ignores_summary(client: Asgi, summary: str) -> None:
    assert "summary" not in (await client.get("/me/shelves", access_token=USER, summary=summary)).json()


async def test_no_summary_unless_asked_for(client: Asgi) -> None:
    for rest in ("", "&summary=false", "&summary=0"):
        assert "summary" not in (await client.send("GET", f"/me/books?access_token={USER}{rest}")).json()


async def test_limit_0_backwards_and_forwards_is_empty(client: Asgi) -> None:
    cursor = await cursor_of(client, "30", "after")
    for name in ("after", "before"):
        reply = await client.send("GET", f"/me/books?access_token={USER}&limit=0&{name}={cursor}")
        assert reply.json() == {"data": []}


async def test_of_both_cursors_after_counts(client: Asgi) -> None:
    cursor = await cursor_of(client, "30", "after")
    reply = await client.get("/me/books", access_token=USER, limit=2, after=cursor, before=cursor)
    assert ids_of(reply.json()) == ["31", "32"]


# ------------------------------------------------------------------------------------------------ forgery


async def one_cursor(client: Asgi, path: str = "/me/books", token: str = USER, **params: Any) -> str:
    reply = await client.get(path, access_token=token, limit=2, **params)
    cursor: str = reply.json()["paging"]["cursors"]["after"]
    return cursor


async def test_a_cursor_with_any_bit_flipped_is_invalid(client: Asgi) -> None:
    cursor = await one_cursor(client)
    assert (await client.get("/me/books", access_token=USER, after=cursor)).status == 200
    for position in range(len(cursor)):
        for bit in range(8):
            changed = cursor[:position] + chr(ord(cursor[position]) ^ (1 << bit)) + cursor[position + 1 :]
            reply = await client.post("/me/books", access_token=USER, method="get", after=changed)
            assert reply.status == 400, changed
            assert reply.error["message"] in (
                INVALID_TEXT,
                "(#100) The request is not valid UTF-8 text: a NUL character",
            )


@pytest.mark.parametrize("name", ["after", "before"])
async def test_a_cursor_that_is_none_is_invalid(client: Asgi, name: str) -> None:
    cursor = await one_cursor(client)
    wrong = [
        "x", "QVFI", "MTMxNjg2", "null", cursor[:-1], cursor + "A", cursor + "=", cursor + "==", " " + cursor,
        cursor.lower(), "QVFI" + "A" * 40, "QVFI" + "A" * 1_000_000, "\u00e9", "QVFI\u00e9", "QVFI" + "=" * 10, "1' OR '1'='1", "-1",
    ]  # fmt: skip
    for value in wrong:
        reply = await client.send("POST", "/me/books", body=f"access_token={USER}&method=get&{name}={value}".encode())
        assert reply.code == INVALID, value[:50]
        assert reply.error["message"] == INVALID_TEXT
    for odd in (7, ["x"], {"a": 1}, True):
        assert (await client.post_json("/me/books", {"access_token": USER, "method": "get", name: odd})).code == INVALID


async def test_a_cursor_is_good_for_its_own_list_only(client: Asgi) -> None:
    cursor = await one_cursor(client)
    await client.post("/1002/books", access_token=USER, title="x")
    swapped: list[tuple[str, str, dict[str, Any]]] = [
        ("/me/shelves", USER, {}),
        ("/1/sequels", USER, {}),
        ("/1002/books", USER, {}),
        ("/v19.0/me/books", USER, {}),
        ("/me/books", USER, {"pages": 2}),
        ("/1001/books", STRANGER, {}),
        ("/1001/books", "7001|toy-secret", {}),
        ("/1001/books", OTHER, {}),
    ]
    for path, token, params in swapped:
        reply = await client.get(path, access_token=token, after=cursor, **params)
        assert reply.code == INVALID, (path, token)
    # Another token of the same person in the same app reads the same list.
    assert (await client.get("/1001/books", access_token=SCOPED, after=cursor)).status == 200
    assert (
        await client.get("/v26.0/1001/books", access_token=USER, after=cursor, fields="title", limit=9)
    ).status == 200


async def test_two_filters_cannot_pass_for_one(client: Asgi) -> None:
    cursor = await one_cursor(client, "/me/shelves", only='["s1","s2","s3"]')
    assert (await client.get("/me/shelves", access_token=USER, after=cursor, only="s1,s2,s3")).status == 200
    assert (await client.get("/me/shelves", access_token=USER, after=cursor, only='["s1, s2","s3"]')).code == INVALID
    assert (
        await client.get("/me/shelves", access_token=USER, after=cursor, only="s1,s2,s3", kind="wood")
    ).code == INVALID


async def test_a_cursor_made_under_another_key_is_invalid() -> None:
    old, new = Cursors(b"a" * 32), Cursors(b"b" * 32)
    cursor = old.seal("1", "", b"list")
    assert old.open(cursor, b"list") == ("1", "")
    with pytest.raises(GraphError, match="Invalid cursors"):
        new.open(cursor, b"list")


def test_a_tag_that_changed_makes_a_cursor_invalid() -> None:
    Window(5, after="1", tag="7").check_tag("7")
    Window(5).check_tag("7")
    with pytest.raises(GraphError, match="Invalid cursors"):
        Window(5, after="1", tag="7").check_tag("8")


def test_a_row_that_left_a_list_in_memory_leaves_its_cursor_invalid() -> None:
    for window in (Window(5, after="gone"), Window(5, before="gone")):
        with pytest.raises(GraphError, match="Invalid cursors"):
            window.slice(["a", "b"], lambda row: row)


@given(st.text(max_size=30), st.text(max_size=10), st.binary(max_size=30))
def test_what_was_sealed_opens_and_nothing_else_does(key: str, tag: str, bound: bytes) -> None:
    cursors = Cursors(b"k" * 64)
    if "\x1f" in key or any(0xD800 <= ord(each) < 0xE000 for each in key + tag):
        return
    cursor = cursors.seal(key, tag, bound)
    assert cursors.open(cursor, bound) == (key, tag)
    with pytest.raises(GraphError):
        cursors.open(cursor, bound + b"x")


@given(st.text(max_size=200))
def test_no_text_is_a_cursor_by_chance(text: str) -> None:
    for candidate in (text, "QVFI" + text):
        with pytest.raises(GraphError, match="Invalid cursors"):
            Cursors(b"k" * 32).open(candidate, b"list")
