"""Batch (contract graph 1.11; reliability 34; clients requirements 8, 15)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from polynym.wire import limits
from tests.graph.batches import ME, Item, batch, body, failing, one
from tests.graph.forms import MULTIPART, multipart
from tests.graph.world import APP_TOKEN, FRENCH, STRANGER, STRICT, USER, World, proof_of
from tests.support.asgi import Asgi

# ------------------------------------------------------------------------------------------------ where it stands

ITEMS = json.dumps([ME])


@pytest.mark.parametrize("path", ["/", "/v26.0/", "/v26.0", "/me", "/v26.0/me", "/me/"])
async def test_the_places_a_batch_is_posted_to(client: Asgi, path: str) -> None:
    assert body((await batch(client, [ME], path))[0]) == {"id": "1001", "name": "Ada"}


async def test_a_batch_in_every_source(client: Asgi) -> None:
    form = urlencode({"access_token": USER, "batch": ITEMS})
    replies = [
        await client.send("POST", f"/?{form}"),
        await client.send("POST", f"/?access_token={USER}", body=urlencode({"batch": ITEMS}).encode()),
        await client.send(
            "POST", "/", body=multipart(("access_token", USER, None), ("batch", ITEMS, None)), headers=MULTIPART
        ),
        await client.post_json("/", {"access_token": USER, "batch": [ME]}),
        await client.post_json("/", {"access_token": USER, "batch": ITEMS}),
        await client.post_json(f"/?access_token={USER}", [ME]),
        await client.post("/", batch=ITEMS, headers={"authorization": f"Bearer {USER}"}),
        await client.get("/", batch=ITEMS, access_token=USER, method="post"),
    ]
    for reply in replies:
        assert [slot["code"] for slot in reply.json()] == [200]


async def test_a_get_is_no_batch(client: Asgi) -> None:
    assert (await client.get("/", batch=ITEMS, access_token=USER)).error["message"] == "No node specified"


async def test_batch_is_an_ordinary_parameter_elsewhere(client: Asgi) -> None:
    assert (await client.post("/echo", batch=ITEMS, text="x")).json()["text"] == "x"


async def test_the_status_is_200_whatever_the_items_did(client: Asgi) -> None:
    slots = await batch(
        client, [{"relative_url": "424242"}, {"relative_url": "broken"}, {"relative_url": "v99.0/x"}, ME]
    )
    assert [slot["code"] for slot in slots] == [400, 500, 400, 200]
    assert body(slots[0])["error"]["error_subcode"] == 33


# ------------------------------------------------------------------------------------------------ slots


async def test_a_slot_is_code_headers_and_a_body_that_is_text(client: Asgi) -> None:
    slot = await one(client, ME)
    assert list(slot) == ["code", "headers", "body"]
    headers = {header["name"]: header["value"] for header in slot["headers"]}
    for name in (
        "Access-Control-Allow-Origin", "Cache-Control", "Expires", "Pragma", "Content-Type", "ETag", "facebook-api-version",
    ):  # fmt: skip
        assert headers[name]
    assert "WWW-Authenticate" not in headers
    failed = await one(client, {"relative_url": "424242"})
    assert "WWW-Authenticate" in [header["name"] for header in failed["headers"]]


@pytest.mark.parametrize("value", ["false", "0", "FALSE"])
async def test_include_headers_false_drops_headers(client: Asgi, value: str) -> None:
    slots = await batch(client, [ME, {"relative_url": "424242"}], include_headers=value)
    assert [list(slot) for slot in slots] == [["code", "body"]] * 2
    assert list((await batch(client, [ME], include_headers="true"))[0]) == ["code", "headers", "body"]
    reply = await client.post_json("/", {"access_token": USER, "batch": [ME], "include_headers": False})
    assert list(reply.json()[0]) == ["code", "body"]


async def test_a_redirect_in_a_batch_is_a_302_with_its_location(client: Asgi) -> None:
    slot = await one(client, {"relative_url": "1001/portrait"})
    assert slot["code"] == 302
    assert {"name": "Location", "value": "http://127.0.0.1:8484/portraits/1001"} in slot["headers"]


async def test_an_etag_in_a_batch_gives_304_and_null(client: Asgi) -> None:
    slot = await one(client, ME)
    tag = next(header["value"] for header in slot["headers"] if header["name"] == "ETag")
    for headers in (
        [{"name": "If-None-Match", "value": tag}], [f"If-None-Match: {tag}"], {"if-none-match": tag}, [{"name": "if-NONE-match", "value": tag}],
    ):  # fmt: skip
        again = await one(client, ME | {"headers": headers})
        assert (again["code"], again["body"]) == (304, None)


async def test_bytes_that_are_no_text_do_not_break_a_batch(client: Asgi) -> None:
    assert (await one(client, {"relative_url": "plain"}))["body"] == "a=1&b=\ufffd"


async def test_the_outer_answer_has_usage_headers(client: Asgi) -> None:
    assert (await client.post("/", batch=ITEMS, access_token=USER)).header("x-app-usage")


async def test_pretty_and_jsonp_apply_to_the_whole(client: Asgi) -> None:
    assert (await client.post("/", batch=ITEMS, access_token=USER, pretty=1)).body.startswith(
        b'[\n   {\n      "code": 200'
    )
    assert (await client.post("/", batch=ITEMS, access_token=USER, callback="fn")).body.startswith(
        b'/**/ fn([{"code":200'
    )


# ------------------------------------------------------------------------------------------------ paths of items


@pytest.mark.parametrize(
    "url",
    [
        "me", "/me", "v26.0/me", "/v26.0/me", "me/", "//me", "me?", "https://graph.facebook.com/v26.0/me",
        "http://127.0.0.1:8484/me", "HTTPS://x/me", "http://[/me", "  me", "m%65", "me#fragment", "me?fields=id,name", "?ids=me", "/?ids=me",
        "v26.0?ids=me",
    ],
)  # fmt: skip
async def test_spellings_of_a_relative_url(client: Asgi, url: str) -> None:
    slot = await one(client, {"relative_url": url})
    shown = body(slot)
    assert slot["code"] == 200
    assert shown.get("me", shown)["id"] == "1001"


@pytest.mark.parametrize(
    "url", ["//[", "http://[", "http://x", "", "/", "?", "#", "http://[::1]me", "%", "\u2100/me", "http:///"]
)
async def test_an_odd_relative_url_is_an_error_of_its_item(client: Asgi, url: str) -> None:
    slots = await batch(client, [{"relative_url": url}, ME])
    assert 400 <= slots[0]["code"] < 500
    assert slots[1]["code"] == 200


async def test_an_item_without_a_node_says_so(client: Asgi) -> None:
    assert body(await one(client, {"relative_url": "?fields=id"}))["error"]["message"] == "No node specified"


async def test_an_item_has_the_version_of_its_url_or_of_the_batch(client: Asgi) -> None:
    slots = await batch(
        client,
        [{"relative_url": "who/am_i"}, {"relative_url": "v2.6/who/am_i"}, {"relative_url": "v99.0/me"}],
        "/v12.0/",
    )
    assert [body(slot).get("version") for slot in slots] == ["v12.0", "v2.6", None]
    assert body(slots[2])["error"]["message"] == "Unknown path components: /me"
    assert body(slots[0])["in_batch"] is True


async def test_the_method_in_any_case_and_get_by_default(client: Asgi) -> None:
    items = [
        {"method": "get", "relative_url": "1"},
        {"relative_url": "1"},
        {"method": "", "relative_url": "1"},
        {"method": "dElEtE", "relative_url": "1"},
    ]
    assert [slot["code"] for slot in await batch(client, items)] == [200] * 4
    assert (await one(client, {"relative_url": "1"}))["code"] == 400


@pytest.mark.parametrize("url", ["2?method=delete", "2?method=DELETE"])
async def test_method_in_the_url_of_an_item_overrides(client: Asgi, url: str) -> None:
    assert body(await one(client, {"relative_url": url})) == {"success": True}


@pytest.mark.parametrize("method", ["PATCH", "x", "G ET", "get\n"])
async def test_an_unknown_method_is_an_error_of_its_item(client: Asgi, method: str) -> None:
    slots = await batch(client, [{"method": method, "relative_url": "me"}, ME])
    assert [slot["code"] for slot in slots] == [400, 200]


# ------------------------------------------------------------------------------------------------ bodies


@pytest.mark.parametrize(
    "sent",
    [
        "title=A%20b&pages=7",
        "title=A+b&pages=7",
        {"title": "A b", "pages": 7},
        '{"title":"A b","pages":7}',
        {"title": "A b", "pages": "7"},
    ],
)
async def test_a_body_is_a_form_or_json(client: Asgi, sent: Any) -> None:
    slots = await batch(
        client,
        [{"method": "POST", "relative_url": "me/books", "body": sent}, {"relative_url": "61?fields=title,pages"}],
    )
    assert [body(slot) for slot in slots] == [{"id": "61"}, {"title": "A b", "pages": 7, "id": "61"}]


async def test_the_body_of_a_get_is_ignored_and_of_a_delete_read(client: Asgi) -> None:
    assert "text" not in body(await one(client, {"relative_url": "echo", "body": "text=x"}))
    assert body(await one(client, {"method": "DELETE", "relative_url": "echo", "body": "text=x"}))["text"] == "x"


async def test_the_query_of_an_item_counts_and_its_body_wins(client: Asgi) -> None:
    shown = body(await one(client, {"method": "POST", "relative_url": "echo?text=query&number=7", "body": "text=body"}))
    assert (shown["text"], shown["number"]) == ("body", 7)


@pytest.mark.parametrize("sent", ["text=%ff", "{", '{"text":"\\ud800"}', "{" * 1000, "\u0000".join("ab")])
async def test_a_bad_body_is_an_error_of_its_item(client: Asgi, sent: str) -> None:
    if "\x00" in sent:
        assert (await failing(client, [{"method": "POST", "relative_url": "echo", "body": sent}, ME])).error[
            "message"
        ] == "batch parameter must be a JSON array"
        return
    slots = await batch(client, [{"method": "POST", "relative_url": "echo", "body": sent}, ME])
    assert [slot["code"] for slot in slots] == [400, 200]


# ------------------------------------------------------------------------------------------------ tokens and proofs


async def test_every_item_may_have_its_own_token(client: Asgi) -> None:
    items = [
        ME,
        {"relative_url": f"me?access_token={STRANGER}"},
        {"method": "POST", "relative_url": "me", "body": f"access_token={STRANGER}&method=get"},
        {"relative_url": "me", "headers": [{"name": "Authorization", "value": f"Bearer {STRANGER}"}]},
        {"relative_url": "me?access_token=garbage"},
        {"relative_url": f"1001?access_token={quote(APP_TOKEN)}"},
    ]
    slots = await batch(client, items)
    assert [slot["code"] for slot in slots] == [200, 200, 200, 200, 400, 200]
    assert [body(slots[n])["id"] for n in (0, 1, 2, 3, 5)] == ["1001", "1002", "1002", "1002", "1001"]


async def test_items_may_all_bring_their_own(client: Asgi) -> None:
    reply = await client.post("/", batch=json.dumps([{"relative_url": f"me?access_token={USER}"}, ME]))
    assert [slot["code"] for slot in reply.json()] == [200, 400]
    assert body(reply.json()[1])["error"]["code"] == 2500


async def test_the_batchs_proof_covers_the_batchs_token_only(client: Asgi) -> None:
    items = [
        ME,
        {"relative_url": f"me?access_token={USER}"},
        {"relative_url": f"me?access_token={STRICT}"},
        {"relative_url": f"me?access_token={STRICT}&appsecret_proof={proof_of(STRICT)}"},
        {"relative_url": f"me?access_token={USER}&appsecret_proof={proof_of(STRICT)}"},
        {"relative_url": "me?appsecret_proof=wrong"},
        {"relative_url": "1001/friends"},
    ]
    slots = await batch(client, items, access_token=STRICT, appsecret_proof=proof_of(STRICT))
    assert [slot["code"] for slot in slots] == [200, 200, 400, 200, 400, 400, 200]
    assert "require an appsecret_proof" in body(slots[2])["error"]["message"]
    assert "Invalid appsecret_proof" in body(slots[4])["error"]["message"]
    without = await batch(client, [ME, {"relative_url": f"me?access_token={USER}"}], access_token=STRICT)
    assert [slot["code"] for slot in without] == [400, 200]


async def test_a_proof_given_twice_to_the_batch_is_refused_for_its_items(client: Asgi) -> None:
    proof = proof_of(STRICT)
    query = urlencode({"batch": ITEMS, "access_token": STRICT, "appsecret_proof": proof})
    reply = await client.send("POST", f"/?{query}&appsecret_proof={proof}")
    assert [slot["code"] for slot in reply.json()] == [400]


async def test_links_in_items_carry_the_token_and_its_proof(client: Asgi) -> None:
    slot = await one(
        client, {"relative_url": "me/books?limit=1"}, access_token=STRICT, appsecret_proof=proof_of(STRICT)
    )
    assert (await client.follow(body(slot)["paging"]["next"])).status == 200


async def test_the_language_of_the_batch_holds_for_its_items(client: Asgi) -> None:
    items = [
        {"method": "POST", "relative_url": "duplicate"},
        {"method": "POST", "relative_url": "duplicate?locale=es_ES"},
    ]
    slots = await batch(client, items, locale="fr_FR")
    assert [body(slot)["error"]["error_user_title"] for slot in slots] == ["Statut en double", "Estado duplicado"]
    shown = await batch(client, [{"relative_url": "who/am_i"}], access_token=FRENCH, locale="es_ES")
    assert body(shown[0])["locale"] == "es_ES"
    assert body((await batch(client, [{"relative_url": "who/am_i"}], access_token=FRENCH))[0])["locale"] == "fr_FR"


# ------------------------------------------------------------------------------------------------ files


async def test_attached_files_reach_their_items(client: Asgi) -> None:
    items = json.dumps(
        [
            {"method": "POST", "relative_url": "echo", "attached_files": "file0"},
            {"method": "POST", "relative_url": "me/books", "body": "title=With+cover", "attached_files": "cover"},
            {"method": "POST", "relative_url": "echo", "attached_files": "file0,cover"},
            {"method": "POST", "relative_url": "echo"},
            {"method": "POST", "relative_url": "echo", "attached_files": "file9"},
        ]
    )
    sent = multipart(
        ("access_token", USER, None), ("batch", items, None), ("file0", b"\xff" * 9, "a.png"), ("cover", b"x", "c.png")
    )
    slots = (await client.send("POST", "/", body=sent, headers=MULTIPART)).json()
    assert [slot["code"] for slot in slots] == [200, 200, 200, 200, 400]
    assert body(slots[0])["file"] == {"name": "a.png", "type": "image/png", "size": 9}
    assert body(slots[1])["cover"] == "c.png"
    assert "file" not in body(slots[2])
    assert "file" not in body(slots[3])
    assert body(slots[4])["error"] == {
        "message": "File file9 has not been attached", "type": "GraphBatchException", "fbtrace_id": body(slots[4])["error"]["fbtrace_id"],
    }  # fmt: skip


async def test_a_file_attached_fifty_times_is_held_once(client: Asgi) -> None:
    items = json.dumps([{"method": "POST", "relative_url": "echo", "attached_files": "file"}] * 50)
    sent = multipart(("access_token", USER, None), ("batch", items, None), ("file", b"x" * 1_000_000, "a.png"))
    slots = (await client.send("POST", "/", body=sent, headers=MULTIPART)).json()
    assert {body(slot)["file"]["size"] for slot in slots} == {1_000_000}


# ------------------------------------------------------------------------------------------------ whole failures


async def test_51_requests_are_refused_byte_for_byte(client: Asgi) -> None:
    assert len(await batch(client, [ME] * limits.BATCH_MAX)) == 50
    reply = await failing(client, [ME] * 51)
    trace = reply.header("x-fb-request-id")
    assert reply.body.decode() == (
        '{"error":{"message":"Too many requests in batch message. Maximum batch size is 50","type":"GraphBatchException",'
        f'"fbtrace_id":"{trace}"}}}}'
    )


@pytest.mark.parametrize(
    "items",
    [
        [ME, {"relative_url": "me", "depends_on": "f"}],
        [ME, {"relative_url": "me?x={result=f:$.id}"}],
        [ME, {"relative_url": "me?x=%7Bresult%3Df%3A%24.id%7D"}],
        [ME, {"method": "POST", "relative_url": "me", "body": {"a": [{"b": "{result=f:$.id}"}]}}],
        [ME, {"relative_url": "me", "depends_on": "f"}, {"name": "f", "relative_url": "me"}],
        [ME, {"name": "f", "relative_url": "me", "depends_on": "f"}],
        [ME, {"name": "f", "relative_url": "{result=f:$.id}"}],
        [{"name": "e", "relative_url": "me"}, {"name": "x", "relative_url": "me", "depends_on": "e,f"}, {"name": "f", "relative_url": "me", "depends_on": "x"}],
    ],
)  # fmt: skip
async def test_an_unresolved_dependency_byte_for_byte(client: Asgi, items: list[Item]) -> None:
    reply = await failing(client, items)
    assert reply.error["type"] == "GraphBatchException"
    assert "code" not in reply.error
    assert reply.error["message"] == (
        "Request 1 cannot depend on an  unresolved request with  name f. Requests can only depend on preceding requests"
    )


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("", "batch parameter must be a JSON array"),
        ("{", "batch parameter must be a JSON array"),
        ("{}", "batch parameter must be a JSON array"),
        ("7", "batch parameter must be a JSON array"),
        ("null", "batch parameter must be a JSON array"),
        ('"[]"', "batch parameter must be a JSON array"),
        ("[" * 100_000, "batch parameter must be a JSON array"),
        ('[{"relative_url":"\\ud800"}]', "batch parameter must be a JSON array"),
        ('[{"relative_url":"\\u0000"}]', "batch parameter must be a JSON array"),
        ("[]", "batch parameter must contain at least one request"),
        ("[7]", "Request 0 is not valid: it is not an object"),
        ("[null]", "Request 0 is not valid: it is not an object"),
        ("[[]]", "Request 0 is not valid: it is not an object"),
        ('[{"relative_url":"me"},{}]', "Request 1 is not valid: relative_url and method must be strings"),
        ('[{"relative_url":7}]', "Request 0 is not valid: relative_url and method must be strings"),
        ('[{"relative_url":"me","method":7}]', "Request 0 is not valid: relative_url and method must be strings"),
        ('[{"relative_url":"me","name":7}]', "Request 0 is not valid: name must be a string"),
        ('[{"relative_url":"me","name":["a"]}]', "Request 0 is not valid: name must be a string"),
        ('[{"relative_url":"me","body":7}]', "Request 0 is not valid: body must be a string or an object"),
        ('[{"relative_url":"me","body":[]}]', "Request 0 is not valid: body must be a string or an object"),
        ('[{"relative_url":"me","depends_on":7}]', "Request 0 is not valid: names must be strings"),
        ('[{"relative_url":"me","depends_on":[7]}]', "Request 0 is not valid: names must be strings"),
        ('[{"relative_url":"me","attached_files":{}}]', "Request 0 is not valid: names must be strings"),
        ('[{"relative_url":"me","headers":7}]', "Request 0 is not valid: headers must be names and values"),
        ('[{"relative_url":"me","headers":[7]}]', "Request 0 is not valid: headers must be names and values"),
        ('[{"relative_url":"me","headers":[{"name":"a"}]}]', "Request 0 is not valid: headers must be names and values"),
        ('[{"relative_url":"me","headers":{"a":7}}]', "Request 0 is not valid: headers must be names and values"),
        ('[{"relative_url":"me","name":"a"},{"relative_url":"me","name":"a"}]', "Request 1 uses the name a, which is already taken"),
    ],
)  # fmt: skip
async def test_a_batch_that_is_none(client: Asgi, items: str, message: str) -> None:
    reply = await failing(client, items)
    assert reply.error["message"] == message
    assert reply.error["type"] == "GraphBatchException"
    assert "code" not in reply.error


@pytest.mark.parametrize("value", [7, True, 1.5, {}, {"0": ME}, []])
async def test_a_batch_of_another_type_in_json(client: Asgi, value: object) -> None:
    assert (await client.post_json("/", {"access_token": USER, "batch": value})).status == 400


@pytest.mark.parametrize(
    "item",
    [
        {"method": "POST", "relative_url": "", "body": f"batch={quote(ITEMS)}"},
        {"method": "POST", "relative_url": f"?batch={quote(ITEMS)}"},
        {"method": "POST", "relative_url": "me", "body": {"batch": [ME]}},
        {"method": "POST", "relative_url": "v26.0/", "body": json.dumps({"batch": [ME]})},
        {"relative_url": f"?method=post&batch={quote(ITEMS)}"},
    ],
)
async def test_a_batch_in_a_batch_is_refused(client: Asgi, item: Item) -> None:
    slots = await batch(client, [item, ME])
    assert body(slots[0])["error"]["message"] == "Request 0 cannot be a batch itself"
    assert [slot["code"] for slot in slots] == [400, 200]


# ------------------------------------------------------------------------------------------------ isolation and cost


async def test_a_failing_write_does_not_undo_its_neighbours(world: World) -> None:
    items = [
        {"method": "POST", "relative_url": "me/books", "body": "title=first"},
        {"method": "POST", "relative_url": "me/books", "body": "title=second&fail=1"},
        {"method": "POST", "relative_url": "me/books", "body": "title=third"},
    ]
    slots = await batch(world.client, items)
    assert [slot["code"] for slot in slots] == [200, 403, 200]
    titles = [row["title"] for row in await world.db.all("SELECT title FROM toy_book WHERE id > 60 ORDER BY id")]
    assert titles == ["first", "third"]


async def test_all_items_share_one_budget_and_a_bomb_spends_none_of_it(client: Asgi) -> None:
    bomb = {"relative_url": "me?fields=books.limit(100){sequels.limit(100){sequels}}"}
    dear = {"relative_url": "me/books?limit=100&fields=chapters.limit(49)"}
    slots = await batch(client, [bomb, dear, bomb, dear, dear, {"relative_url": "1"}])
    assert [slot["code"] for slot in slots] == [400, 200, 400, 200, 400, 400]
    slots = await batch(client, [bomb] * 49 + [ME])
    assert [slot["code"] for slot in slots] == [400] * 49 + [200]
