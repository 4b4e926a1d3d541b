"""What items of a batch take from each other, and what is left out because of it (contract graph 1.11)."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest

from tests.graph.batches import ME, Item, batch, body, failing, one
from tests.graph.world import USER, World
from tests.support.asgi import Asgi

# ------------------------------------------------------------------------------------------------ names and references

BOOKS: Item = {"name": "books", "relative_url": "me/books?limit=3"}


@pytest.mark.parametrize(
    "reference",
    [
        "{result=books:$.data.*.id}", "{result=books=>$.data.*.id}", "{result=books:$.data[*].id}", "{result=books:$['data'].*['id']}",
        "{result=books:$.data[0].id},{result=books:$.data[1].id},{result=books:$.data[2].id}", "{result=books:$.data.0.id},2,3",
    ],
)  # fmt: skip
async def test_the_forms_of_a_reference(client: Asgi, reference: str) -> None:
    for spelled in (
        reference,
        quote(reference, safe=""),
        quote(reference, safe="{}"),
        quote(reference, safe="{}=:").lower(),
    ):
        slots = await batch(client, [BOOKS, {"relative_url": f"?ids={spelled}&fields=title"}])
        assert slots[0] is None
        assert list(body(slots[1])) == ["1", "2", "3"]


async def test_a_result_feeds_a_path_a_body_and_a_json_body(client: Asgi) -> None:
    items = [
        {"name": "new", "method": "POST", "relative_url": "me/books", "body": "title=First"},
        {"relative_url": "{result=new:$.id}?fields=title"},
        {"method": "POST", "relative_url": "echo", "body": 'text={result=new:$.id}&shape={"id":"{result=new:$.id}"}'},
        {
            "method": "POST",
            "relative_url": "echo",
            "body": {"text": "{result=new:$.id}", "shape": {"a": [{"id": "{result=new:$.id}"}]}},
        },
        {"method": "POST", "relative_url": "echo", "body": '{"text":"{result=new:$.id}","number":7}'},
        {"method": "POST", "relative_url": "{result=new:$.id}", "body": "title={result=new:$.id}"},
        {"relative_url": "61?fields=title"},
    ]
    slots = await batch(client, items)
    assert slots[0] is None
    shown = [body(slot) for slot in slots[1:]]
    assert shown[0] == {"title": "First", "id": "61"}
    assert (shown[1]["text"], shown[1]["shape"]) == ("61", {"id": "61"})
    assert (shown[2]["text"], shown[2]["shape"]) == ("61", {"a": [{"id": "61"}]})
    assert (shown[3]["text"], shown[3]["number"]) == ("61", 7)
    assert shown[5] == {"title": "61", "id": "61"}


async def test_a_value_cannot_break_out_of_where_it_is_put(client: Asgi) -> None:
    evil = '&pages=9&fail=1#?/"},{result=a:$.id}'
    items: list[Item] = [
        {"name": "a", "method": "POST", "relative_url": f"echo?text={quote(evil, safe='')}"},
        {"method": "POST", "relative_url": "echo", "body": "text={result=a:$.text}"},
        {"method": "POST", "relative_url": "echo?text={result=a:$.text}"},
        {"method": "POST", "relative_url": "echo", "body": '{"text":"{result=a:$.text}"}'},
    ]
    # The text of the first item holds a reference to itself, which is one to nobody.
    assert (await failing(client, items)).error["message"].startswith("Request 0 cannot depend on")
    items[0] = {
        "name": "a",
        "method": "POST",
        "relative_url": "echo",
        "body": {"text": evil.replace("{result", "{resul")},
    }
    slots = await batch(client, items)
    expected = evil.replace("{result", "{resul")
    assert [body(slot)["text"] for slot in slots[1:]] == [expected] * 3


async def test_booleans_and_numbers_are_values_and_objects_are_not(client: Asgi) -> None:
    first = {
        "name": "a",
        "method": "POST",
        "relative_url": "echo",
        "body": {"flag": True, "number": 7, "shape": {"x": 1.5, "n": None}},
    }
    items = [
        first,
        {"relative_url": "echo?text={result=a:$.flag},{result=a:$.number},{result=a:$.shape.x}"},
        {"relative_url": "echo?text=[{result=a:$.nothing.at.all}]"},
        {"relative_url": "echo?text={result=a:$.shape}"},
        {"relative_url": "echo?text={result=a:$}"},
        {"relative_url": "echo?text={result=a:$.shape.n}"},
        {"relative_url": "echo?text={result=a:$..x}"},
        {"relative_url": "echo?text={result=a:$.shape[?(@.x)]}"},
        {"relative_url": "echo?text={result=a:$['\u00b2']}"},
        {"relative_url": "echo?text={result=a:$.repeated['\u00b2']}"},
        {"relative_url": "echo?text={result=a:$.repeated.99999999999999999999}"},
    ]
    slots = await batch(client, items)
    assert [slot and slot["code"] for slot in slots] == [None, 200, 200, 400, 400, 400, 400, 400, 200, 200, 200]
    assert body(slots[1])["text"] == "true,7,1.5"
    assert body(slots[2])["text"] == "[]"
    assert body(slots[6])["error"]["message"] == "Could not resolve $..x"
    assert body(slots[3])["error"]["type"] == "GraphBatchException"


async def test_a_reference_to_an_empty_list_is_an_empty_identifier(client: Asgi) -> None:
    slots = await batch(
        client, [{"name": "none", "relative_url": "1002/books"}, {"relative_url": "?ids={result=none:$.data.*.id}"}]
    )
    assert slots[0] is None
    assert body(slots[1])["error"]["message"] == "Cannot specify an empty identifier"


@pytest.mark.parametrize(
    "text", ["{result=}", "{result=a}", "{result=a:id}", "{result}", "%7Bresult%3Da%7D", "{res=a:$.x}", "{result=:$.x}"]
)
async def test_what_is_no_reference_is_text(client: Asgi, text: str) -> None:

    shown = body(await one(client, {"relative_url": f"echo?text={text}"}))
    assert shown["text"] == unquote(text)


# ------------------------------------------------------------------------------------------------ what is left out


async def test_omitting(client: Asgi) -> None:
    items: list[Item] = [
        {"name": "referenced", "relative_url": "me"},
        {"name": "shown", "relative_url": "me", "omit_response_on_success": False},
        {"name": "unreferenced", "relative_url": "me"},
        {"relative_url": "me", "omit_response_on_success": True},
        {"name": "dependency", "relative_url": "me"},
        {"relative_url": "{result=referenced:$.id}"},
        {"relative_url": "{result=shown:$.id}"},
        {"relative_url": "me", "depends_on": "dependency"},
        {"relative_url": "424242", "omit_response_on_success": True},
    ]
    slots = await batch(client, items)
    assert [slot and slot["code"] for slot in slots] == [None, 200, 200, None, None, 200, 200, 200, 400]


async def test_what_depends_on_a_failure_is_null_and_so_is_what_depends_on_that(client: Asgi) -> None:
    items: list[Item] = [
        {"name": "a", "relative_url": "424242"},
        {"name": "b", "relative_url": "me", "depends_on": "a"},
        {"name": "c", "relative_url": "{result=b:$.id}"},
        {"relative_url": "me", "depends_on": ["b"]},
        {"relative_url": "me?x={result=a:$.id}"},
        ME,
    ]
    slots = await batch(client, items)
    assert [slot and slot["code"] for slot in slots] == [400, None, None, None, None, 200]


async def test_what_depends_on_a_failed_write_is_not_done(world: World) -> None:
    items = [
        {"name": "a", "method": "DELETE", "relative_url": "424242"},
        {"method": "DELETE", "relative_url": "1", "depends_on": "a"},
    ]
    assert (await batch(world.client, items))[1] is None
    assert (await world.client.get("/1", access_token=USER)).status == 200


async def test_a_304_counts_as_a_success_with_its_value(client: Asgi) -> None:
    items = [
        {"name": "a", "relative_url": "me", "headers": ["If-None-Match: *"], "omit_response_on_success": False},
        {"relative_url": "{result=a:$.id}?fields=name"},
    ]
    slots = await batch(client, items)
    assert (slots[0]["code"], slots[0]["body"]) == (304, None)
    assert body(slots[1])["name"] == "Ada"


async def test_references_cannot_make_a_text_of_any_size(client: Asgi) -> None:
    first = {"name": "a", "method": "POST", "relative_url": "echo", "body": {"text": "x" * 2000}}
    fits = {"method": "POST", "relative_url": "echo", "body": "a=" + "{result=a:$.text}" * 400}
    bursts = {"method": "POST", "relative_url": "echo", "body": {"a": "{result=a:$.text}" * 490}}
    assert [slot and slot["code"] for slot in await batch(client, [first, fits])] == [None, 200]
    many = [first] + [{"method": "POST", "relative_url": "echo", "body": "a=" + "{result=a:$.text}" * 11}] * 46
    assert (await failing(client, many)).error["code"] == 1
    wide = {"name": "a", "method": "POST", "relative_url": "echo", "body": {"shape": {"v": ["x" * 600] * 900}}}
    bursts = {"method": "POST", "relative_url": "echo", "body": {"a": "{result=a:$.shape.v.*}" * 10}}
    assert [slot and slot["code"] for slot in await batch(client, [wide, bursts])] == [None, 400]
    wider = {"name": "a", "method": "POST", "relative_url": "echo", "body": {"shape": {"v": [1] * 1001}}}
    assert [
        slot and slot["code"]
        for slot in await batch(client, [wider, {"relative_url": "echo?text={result=a:$.shape.v.*}"}])
    ] == [None, 400]


async def test_fan_out_beyond_the_cap_of_ids_is_an_error_of_its_item(client: Asgi) -> None:
    items = [{"name": "a", "relative_url": "me/books?limit=60"}, {"relative_url": "?ids={result=a:$.data.*.id}"}]
    slots = await batch(client, items)
    assert body(slots[1])["error"]["message"] == "(#100) Too many IDs. Maximum: 50. Provided: 60."
