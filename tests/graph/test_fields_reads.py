"""`fields` from the query to the answer (contract graph 1.7) and what it may cost (reliability 33)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from polynym.wire import limits
from tests.graph.world import SCOPED, USER, World
from tests.support.asgi import Asgi


async def read(client: Asgi, path: str, fields: object, token: str = USER) -> Any:
    reply = await client.post_json(path, {"access_token": token, "method": "get", "fields": fields})
    assert reply.status == 200, reply.body
    return reply.json()


async def refused(client: Asgi, path: str, fields: object, token: str = USER) -> str:
    reply = await client.post_json(path, {"access_token": token, "method": "get", "fields": fields})
    assert 400 <= reply.status < 500, reply.body
    message: str = reply.error["message"]
    return message


# ------------------------------------------------------------------------------------------------ selection


@pytest.mark.parametrize(
    "fields", ["", "id,name", " id , name ", '["id","name"]', ["id", "name"], "name", "id,name,id", [], "[]"]
)
async def test_spellings_of_the_same_selection(client: Asgi, fields: object) -> None:
    assert await read(client, "/me", fields) == {"id": "1001", "name": "Ada"}


@pytest.mark.parametrize(
    "query",
    [
        "fields=id&fields=name", "fields[]=id&fields[]=name", "fields[0]=id&fields[1]=name", "fields=&fields=id,name",
        'fields=["id"]&fields=["name"]', 'fields=["id"]&fields=name', "fields=id%2C%20name",
    ],
)  # fmt: skip
async def test_repeated_keys_add_up(client: Asgi, query: str) -> None:
    assert (await client.send("GET", f"/me?access_token=USER&{query}")).json() == {"id": "1001", "name": "Ada"}


async def test_the_order_is_the_callers_and_id_always_comes(client: Asgi) -> None:
    assert list(await read(client, "/me", "joined,name")) == ["joined", "name", "id"]
    assert list(await read(client, "/me", "name,id,joined")) == ["name", "id", "joined"]


async def test_as_renames_the_key(client: Asgi) -> None:
    assert await read(client, "/me", "name.as(called),books.limit(1).as(first){title.as(t)}") == {
        "called": "Ada",
        "first": {
            "data": [{"t": "Book 1", "id": "1"}],
            "paging": (await read(client, "/me", "books.limit(1){title.as(t)}"))["books"]["paging"],
        },
        "id": "1001",
    }


async def test_one_edge_under_two_aliases_is_read_twice(client: Asgi) -> None:
    answer = await read(client, "/me", "books.limit(1).as(few){title},books.limit(3).as(many){title}")
    assert [len(answer[key]["data"]) for key in ("few", "many")] == [1, 3]


async def test_nested_objects_and_lists_of_objects(client: Asgi) -> None:
    assert (await read(client, "/me", "card"))["card"] == {"number": "4711", "id": "9001"}
    assert (await read(client, "/me", "card{id}"))["card"] == {"id": "9001"}
    assert (await read(client, "/me", "cards{id}"))["cards"] == [{"id": "9001"}, {"id": "9002"}]
    assert (await read(client, "/me", "cards.fields(number)"))["cards"][1] == {"number": "0815", "id": "9002"}
    assert (await read(client, "/me", "favourite"))["favourite"] == {"title": "Book 1", "id": "1"}
    assert (await read(client, "/me", "favourite{pages,chapters.limit(1){id}}"))["favourite"]["chapters"]["data"] == [
        {"id": "6000"}
    ]


async def test_a_nested_edge_is_data_with_paging(client: Asgi) -> None:
    nested = (await read(client, "/me", "books.limit(2){title}"))["books"]
    assert nested["data"] == [{"title": "Book 1", "id": "1"}, {"title": "Book 2", "id": "2"}]
    assert set(nested["paging"]) == {"cursors", "next"}
    page = (await client.follow(nested["paging"]["next"])).json()
    assert page["data"] == [{"title": "Book 3", "id": "3"}, {"title": "Book 4", "id": "4"}]


async def test_a_nested_cursor_continues_a_nested_list(client: Asgi) -> None:
    first = (await read(client, "/me", "books.limit(2){title}"))["books"]
    after = first["paging"]["cursors"]["after"]
    second = (await read(client, "/me", f"books.limit(2).after({after}){{title}}"))["books"]
    assert [row["id"] for row in second["data"]] == ["3", "4"]


async def test_an_empty_nested_edge_is_omitted(client: Asgi) -> None:
    assert await read(client, "/me", "name,ideas") == {"name": "Ada", "id": "1001"}
    assert await read(client, "/1002", "books{title}") == {"id": "1002"}


async def test_arguments_of_a_nested_edge_are_its_parameters(client: Asgi) -> None:
    shelves = (await read(client, "/me", "shelves.kind(iron).limit(10){kind}"))["shelves"]
    assert {row["kind"] for row in shelves["data"]} == {"iron"}
    only = (await read(client, "/me", 'shelves.only(["s1","s2"]){id}'))["shelves"]
    assert [row["id"] for row in only["data"]] == ["s1", "s2"]
    assert await refused(client, "/me", "shelves.kind(steel)") == "(#100) param kind must be one of {wood, iron}"


async def test_the_links_of_a_nested_edge_repeat_its_arguments_as_they_were_written(client: Asgi) -> None:
    only = '["s0","s1","s2","s3"]'
    shelves = (await read(client, "/me", f"shelves.only({only}).limit(2){{name}}"))["shelves"]
    page = (await client.follow(shelves["paging"]["next"])).json()
    assert [row["name"] for row in page["data"]] == ["Shelf 2", "Shelf 3"]
    assert "next" not in page["paging"]


async def test_a_summary_inside_fields(client: Asgi) -> None:
    assert (await read(client, "/me", "books.limit(0).summary(true)"))["books"] == {
        "data": [],
        "summary": {"total_count": 60},
    }
    assert (await read(client, "/me", "books.limit(0).summary(total_count).pages(50)"))["books"]["summary"] == {
        "total_count": 7
    }
    assert await read(client, "/1002", "books.summary(1)") == {
        "books": {"data": [], "summary": {"total_count": 0}},
        "id": "1002",
    }


async def test_deep_nesting(client: Asgi) -> None:
    answer = await read(client, "/me", "books.limit(1){sequels.limit(1){sequels.limit(1){chapters.limit(1){title}}}}")
    chapter = answer["books"]["data"][0]["sequels"]["data"][0]["sequels"]["data"][0]["chapters"]["data"][0]
    assert chapter["title"] == "Chapter 0"


async def test_an_edges_own_default_fields(client: Asgi) -> None:
    assert (await read(client, "/1/sequels", None))["data"][0] == {"id": "1", "pages": 1}
    assert (await read(client, "/1", "sequels.limit(1)"))["sequels"]["data"] == [{"id": "1", "pages": 1}]


# ------------------------------------------------------------------------------------------------ versions and permissions


async def test_old_versions_have_wide_defaults(client: Asgi) -> None:
    old = (await client.get("/v2.3/1001", access_token=USER)).json()
    assert set(old) == {"id", "name", "joined", "handle"}
    assert (await client.get("/v2.4/1001", access_token=USER)).json() == {"id": "1001", "name": "Ada"}


async def test_a_field_that_came_or_went_with_a_version(client: Asgi) -> None:
    assert (await client.get("/v3.0/me", access_token=USER, fields="nickname")).json()["nickname"] == "Countess"
    before = await client.get("/v2.12/me", access_token=USER, fields="nickname")
    assert before.error["message"] == "(#100) Tried accessing nonexisting field (nickname) on node type (Reader)"
    assert (await client.get("/v2.12/me", access_token=USER, fields="handle")).json()["handle"] == "ada"
    after = await client.get("/v3.0/me", access_token=USER, fields="handle")
    assert after.code == (400, 12, None)
    assert after.error["message"] == "(#12) handle field is deprecated for versions v3.0 and higher"


async def test_a_field_without_permission_is_left_out_or_an_error(client: Asgi) -> None:
    assert await read(client, "/me", "email") == {"id": "1001"}
    assert (await read(client, "/me", "email", SCOPED))["email"] == "ada@example.com"
    assert await refused(client, "/me", "birthday") == "(#200) Requires user_birthday permission"
    assert (await read(client, "/me", "birthday", SCOPED))["birthday"] == "12/10/1815"


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("nothing", "(#100) Tried accessing nonexisting field (nothing) on node type (Reader)"),
        ("books{nothing}", "(#100) Tried accessing nonexisting field (nothing) on node type (Book)"),
        ("card{books}", "(#100) Tried accessing nonexisting field (books) on node type (Card)"),
        ("name{id}", "(#100) Subfields are not supported by name"),
        ("books{title{id}}", "(#100) Subfields are not supported by title"),
        ("name.fields(id)", "(#100) Subfields are not supported by name"),
        ("books.limit(x)", "(#100) param limit must be a non-negative integer"),
        ("books.limit(-1)", "(#100) param limit must be a non-negative integer"),
        ("books.offset(x)", "(#100) param offset must be a non-negative integer"),
        ("books.after(x)", "(#100) Invalid cursors values"),
        ("books.pages(x)", "(#100) param pages must be an integer"),
        ("name,", 'Syntax error "Expected name." at character 5: name,'),
        (",name", 'Syntax error "Expected name." at character 0: ,name'),
        ("{", 'Syntax error "Expected name." at character 0: {'),
        ("name{", 'Syntax error "Expected name." at character 5: name{'),
        ("name}", 'Syntax error "Expected end of string instead of "}"." at character 4: name}'),
        ("books.limit(", 'Syntax error "Expected ")", got end of string" at character 12: books.limit('),
        ("[", 'Syntax error "Expected name." at character 0: ['),
        ('["id",7]', 'Syntax error "Expected name." at character 0: ["id",7]'),
        ('["\\ud800"]', 'Syntax error "Expected name." at character 0: ["\\ud800"]'),
        ('["\\u0000"]', 'Syntax error "Expected name." at character 0: ["\\u0000"]'),
        (['["books.pages(\\ud800)"]', "id"], 'Syntax error "Expected name." at character 0: ["books.pages(\\ud800)"],id'),
        (7, "(#100) param fields must be a string or a list of strings"),
        ({"id": 1}, "(#100) param fields must be a string or a list of strings"),
        ([7], "(#100) param fields must be a string or a list of strings"),
        (True, "(#100) param fields must be a string or a list of strings"),
    ],
)  # fmt: skip
async def test_what_is_refused_and_how(client: Asgi, fields: object, message: str) -> None:
    assert await refused(client, "/me", fields) == message


async def test_an_unknown_function_of_a_field_is_ignored(client: Asgi) -> None:
    assert await read(client, "/me", "name.wibble(1).width(2)") == {"name": "Ada", "id": "1001"}


# ------------------------------------------------------------------------------------------------ cost

TOO_MUCH = "Please reduce the amount of data you're asking for, then retry your request"
BOMBS = {
    "deep": "books{" + "sequels{" * 50 + "id" + "}" * 51,
    "deeper than text is long": "books{sequels" * 4000,
    "many names": ",".join(["name"] * 10_000),
    "commas": "," * 1_000_000,
    "commas within bounds": "," * 60_000,
    "unbalanced": "{" * 60_000,
    "closing": "}" * 60_000,
    "parentheses": "books.limit(" * 5_000,
    "nested parentheses": "books.limit" + "(" * 30_000 + ")" * 30_000,
    "limits": "books.limit(1000000){sequels.limit(1000000){sequels.limit(1000000)}}",
    "aliases": ",".join(f"books.limit(100).as(a{n})" for n in range(400)),
    "aliases of lists of lists": ",".join(f"books.limit(50).as(a{n}){{chapters.limit(50)}}" for n in range(20)),
    "five levels of defaults": "books{sequels{sequels{sequels{sequels}}}}",
    "long number": "books.limit(" + "9" * 60_000 + ")",
    "JSON list": "[" * 60_000,
    "JSON list of names": '["name"' + ',"name"' * 9_000 + "]",
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_refused_in_50_ms_before_any_query(world: World, bomb: str) -> None:
    before = world.db.statements
    await world.client.post("/me", access_token=USER, method="get", fields="name")
    body = f"access_token={USER}&method=get&fields={BOMBS[bomb]}".encode()
    began = time.process_time()
    reply = await world.client.send("POST", "/me", body=body)
    took = time.process_time() - began
    assert 400 <= reply.status < 500
    assert took < 0.05
    assert world.db.statements == before


@pytest.mark.parametrize(
    "bomb",
    ["deep", "many names", "limits", "aliases", "aliases of lists of lists", "five levels of defaults", "commas"],
)
async def test_too_costly_reads_say_so(client: Asgi, bomb: str) -> None:
    reply = await client.send("POST", "/me", body=f"access_token={USER}&method=get&fields={BOMBS[bomb]}".encode())
    assert reply.code == (400, 1, None)
    assert reply.error["message"] == TOO_MUCH


async def test_a_top_level_limit_is_capped_and_not_refused(client: Asgi) -> None:
    reply = await client.get("/me/books", access_token=USER, limit=5000)
    assert len(reply.json()["data"]) == 60
    reply = await client.get("/1/chapters", access_token=USER, limit=10**18)
    assert len(reply.json()["data"]) == 30


async def test_the_price_is_the_product_of_the_limits(client: Asgi) -> None:
    assert limits.EXPANSION_NODES_MAX == 10_000
    # 99 books with 100 sequels each are 99 + 9,900 nodes; one book more is too many.
    fields = "sequels.limit(100)"
    assert (await client.get("/me/books", access_token=USER, limit=99, fields=fields)).status == 200
    assert (await client.get("/me/books", access_token=USER, limit=100, fields=fields)).error["message"] == TOO_MUCH
    # A page of chapters holds 50 at most, so no more are paid for.
    fields = "chapters.limit(99){id}"
    assert (await client.get("/me/books", access_token=USER, limit=100, fields=fields)).status == 200


async def test_ids_share_one_budget(client: Asgi) -> None:
    fields = "sequels.limit(100){chapters.limit(40)}"
    assert (await client.get("/", access_token=USER, ids="1,2", fields=fields)).status == 200
    assert (await client.get("/", access_token=USER, ids="1,2,3", fields=fields)).error["message"] == TOO_MUCH


async def test_a_wide_selection_is_compiled_once(client: Asgi) -> None:
    fields = ",".join(f"name.as(n{n})" for n in range(60))
    for _ in range(3):
        assert len(await read(client, "/me", fields)) == 61
