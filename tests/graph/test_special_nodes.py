"""`ids=`, `metadata=1` and other reads of more, or about, a node (contract graph 1.5, 1.8)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from polynym.wire import limits
from tests.graph.world import APP_TOKEN, STRICT, USER, World, opened_world, proof_of
from tests.support.asgi import Asgi


async def test_ids_is_a_map_of_what_each_alone_would_answer(client: Asgi) -> None:
    reply = await client.get("/", access_token=USER, ids="1001,1,ada", fields="id")
    assert reply.json() == {"1001": {"id": "1001"}, "1": {"id": "1"}, "ada": {"id": "1001"}}


async def test_ids_on_an_edge_is_a_map_of_lists(client: Asgi) -> None:
    reply = await client.get("/books", access_token=USER, ids="1001,1002", limit=1, fields="title")
    assert reply.json()["1002"] == {"data": []}
    assert reply.json()["1001"]["data"] == [{"title": "Book 1", "id": "1"}]
    page = await client.follow(reply.json()["1001"]["paging"]["next"])
    assert page.json()["data"] == [{"title": "Book 2", "id": "2"}]
    assert (await client.get("/notes/archive", access_token=USER, ids="1001")).json()["1001"]["data"]


@pytest.mark.parametrize(
    "ids", ["1001,1002", " 1001 , 1002 ", '["1001","1002"]', "1001,1002,1001", ["1001", "1002"], [1001, 1002]]
)
async def test_spellings_of_ids(client: Asgi, ids: object) -> None:
    reply = await client.post_json("/", {"access_token": USER, "method": "get", "ids": ids})
    assert list(reply.json()) == ["1001", "1002"]


async def test_ids_as_repeated_brackets(client: Asgi) -> None:
    reply = await client.send("GET", f"/?access_token={USER}&ids[]=1001&ids[]=1002")
    assert list(reply.json()) == ["1001", "1002"]


@pytest.mark.parametrize(
    "ids", ["", ",", "1001,", "1001,,1002", "[]", '[""]', [], [""], {}, True, 7.5, [True], [["1001"]], [None]]
)
async def test_an_empty_identifier(client: Asgi, ids: object) -> None:
    reply = await client.post_json("/", {"access_token": USER, "method": "get", "ids": ids})
    assert reply.code == (400, 100, None)
    assert reply.error["message"] == "Cannot specify an empty identifier"


async def test_ids_are_capped(client: Asgi) -> None:
    most = ",".join(str(n) for n in range(1, limits.IDS_MAX + 1))
    assert len((await client.get("/", access_token=USER, ids=most)).json()) == limits.IDS_MAX
    reply = await client.get("/", access_token=USER, ids=f"{most},1001")
    assert reply.error["message"] == "(#100) Too many IDs. Maximum: 50. Provided: 51."
    many = ",".join(str(n) for n in range(10_000))
    assert (await client.post("/", access_token=USER, method="get", ids=many)).status == 400


async def test_one_bad_id_fails_the_whole_call(client: Asgi) -> None:
    assert (await client.get("/", access_token=USER, ids="1001,424242")).code == (400, 100, 33)
    assert (await client.get("/", access_token=USER, ids="1001,nobody")).code == (404, 803, None)
    assert (await client.get("/books", access_token=USER, ids="1001,5001")).code == (400, 100, None)
    assert (await client.get("/feed", access_token=USER, ids="1001")).code == (403, 200, None)


async def test_ids_never_reach_a_root(client: Asgi) -> None:
    for ids in ("echo", "who/am_i"):
        assert (await client.get("/", access_token=USER, ids=ids)).code == (404, 803, None)


async def test_a_root_keeps_its_own_ids(client: Asgi) -> None:
    assert (await client.get("/echo", ids="1001", text="x")).json()["text"] == "x"


async def test_each_of_the_ids_is_a_call() -> None:
    async with opened_world(rate_limits="enforce") as world:
        reply = await world.client.get("/", access_token=USER, ids=",".join(str(n) for n in range(1, 51)))
        assert '"call_count":25' in (reply.header("x-app-usage") or "")


async def test_ids_check_the_proof_of_each(client: Asgi) -> None:
    assert (await client.get("/", access_token=STRICT, ids="1001")).status == 400
    assert (await client.get("/", access_token=STRICT, ids="1001", appsecret_proof=proof_of(STRICT))).status == 200


async def test_me_may_be_among_the_ids(client: Asgi) -> None:
    assert (await client.get("/", access_token=USER, ids="me", fields="name")).json()["me"]["name"] == "Ada"
    assert (await client.get("/", access_token=APP_TOKEN, ids="me")).code == (400, 2500, None)


async def test_a_read_of_ids_can_be_answered_304(client: Asgi) -> None:
    tag = (await client.get("/", access_token=USER, ids="1,2")).header("etag") or ""
    assert tag
    assert (await client.get("/", access_token=USER, ids="1,2", headers={"if-none-match": tag})).status == 304


# ------------------------------------------------------------------------------------------------ metadata


async def test_metadata_lists_fields_type_and_connections(world: World) -> None:
    reply = await world.client.get("/v19.0/me", access_token=APP_TOKEN.replace("7001", "7001"), metadata=1)
    assert reply.status == 400
    reply = await world.client.get("/v19.0/1001", access_token=APP_TOKEN, metadata=1)
    shown = reply.json()["metadata"]
    assert list(shown) == ["fields", "type", "connections"]
    assert shown["type"] == "reader"
    assert {"name": "email", "description": "With permission only.", "type": "string"} in shown["fields"]
    names = [field["name"] for field in shown["fields"]]
    assert "nickname" in names
    assert "handle" not in names
    assert set(shown["connections"]) == {
        "books", "shelves", "friends", "ideas", "feed", "secrets", "notes/archive", "notes", "portrait",
    }  # fmt: skip
    for name, url in shown["connections"].items():
        parts = urlsplit(url)
        assert parts.path == f"/v19.0/1001/{name}"
        assert parse_qs(parts.query) == {"access_token": [APP_TOKEN]}
    assert (await world.client.follow(shown["connections"]["books"])).status == 200


async def test_metadata_follows_the_version_and_hides_a_token_from_a_header(client: Asgi) -> None:
    reply = await client.get("/v2.8/1001", metadata="true", headers={"authorization": f"Bearer {USER}"})
    shown = reply.json()["metadata"]
    assert "pokes" in shown["connections"]
    assert "ideas" not in shown["connections"]
    assert "handle" in [field["name"] for field in shown["fields"]]
    assert USER not in str(shown["connections"])
    assert "metadata" not in (await client.get("/1001", access_token=USER, metadata=0)).json()
