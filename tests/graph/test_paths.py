"""Versions, paths and verbs (contract graph 1.2, 1.3; clients requirement 23)."""

from __future__ import annotations

import pytest

from polynym.graph.path import split_path
from polynym.wire.versions import RELEASES, version_text
from tests.graph.toy import READER
from tests.graph.world import NOW_MS, USER, World, opened_world
from tests.support.asgi import Asgi

VERSIONS = [version_text(release.version) for release in RELEASES]


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_that_ever_was_is_served_and_reported(client: Asgi, version: str) -> None:
    reply = await client.get(f"/{version}/me", access_token=USER)
    assert reply.status == 200
    assert reply.header("facebook-api-version") == version


@pytest.mark.parametrize("path", ["/me", "/me/", "//me", "/v19.0/me", "/v19.0/me/", "/v19.0//me//"])
async def test_a_trailing_or_doubled_slash_changes_nothing(client: Asgi, path: str) -> None:
    assert (await client.get(path, access_token=USER)).json()["id"] == READER


@pytest.mark.parametrize("path", ["/v19.0/1001/", "/v19.0/1001"])
async def test_a_node_with_slash_reads_as_the_business_sdk_asks(client: Asgi, path: str) -> None:
    assert (await client.get(path, access_token=USER)).json() == {"id": "1001", "name": "Ada"}


@pytest.mark.parametrize("path", ["/v19.0", "/v19.0/", "/", ""])
async def test_a_bare_version_is_a_path_with_ids(client: Asgi, path: str) -> None:
    assert list((await client.get(path, access_token=USER, ids="1001,1002")).json()) == ["1001", "1002"]


@pytest.mark.parametrize("path", ["/v19.0", "/"])
async def test_neither_node_nor_ids_is_no_node(client: Asgi, path: str) -> None:
    reply = await client.get(path, access_token=USER)
    assert reply.code == (400, 100, None)
    assert reply.error["message"] == "No node specified"
    assert reply.error["type"] == "Exception"


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/v99.0/me", "/me"),
        ("/v2.2/me/books", "/me/books"),
        ("/v1.0/1001", "/1001"),
        ("/v19/me", "/me"),
        ("/v019.0/me", "/me"),
        ("/v19.0/v18.0/me", "/me"),
    ],
)
async def test_a_version_that_never_was_is_an_unknown_path_even_without_a_token(
    client: Asgi, path: str, rest: str
) -> None:
    for query in ("", f"?access_token={USER}"):
        reply = await client.send("GET", f"{path}{query}")
        assert reply.code == (400, 2500, None)
        assert reply.error["message"] == f"Unknown path components: {rest}"
        assert reply.error["type"] == "OAuthException"


@pytest.mark.parametrize("path", ["/V19.0/me", "/19.0/me", "/v19.0.0/me"])
async def test_another_spelling_of_a_version_is_a_name(client: Asgi, path: str) -> None:
    assert (await client.get(path, access_token=USER)).code == (404, 803, None)


async def test_an_alias_resolves_and_an_unknown_one_is_803(client: Asgi) -> None:
    assert (await client.get("/ada", access_token=USER)).json()["id"] == READER
    reply = await client.get("/nobody", access_token=USER)
    assert reply.code == (404, 803, None)
    assert reply.error["message"] == "(#803) Some of the aliases you requested do not exist: nobody"


@pytest.mark.parametrize("verb", ["get", "post", "delete"])
@pytest.mark.parametrize("node", ["424242", "0", "9" * 19, "9" * 40, "9" * 41, "9" * 5000])
async def test_an_unknown_number_is_the_same_error_however_long(client: Asgi, node: str, verb: str) -> None:
    reply = await client.send(verb.upper(), f"/{node}?access_token={USER}")
    assert reply.code == (400, 100, 33)
    shown = node if len(node) <= 2000 else node[:2000] + "..."
    assert reply.error["type"] == "GraphMethodException"
    assert reply.error["message"] == (
        f"Unsupported {verb} request. Object with ID '{shown}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api"
    )


@pytest.mark.parametrize("node", ["٣٤٥", "１００１", "1001\u200b", "10\u03012", "²"])
async def test_only_ascii_digits_are_ids(client: Asgi, node: str) -> None:
    assert (await client.get(f"/{node}", access_token=USER)).code == (404, 803, None)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/1001/books/boguspath", "Unknown path components: /boguspath"),
        ("/1001/friends/a/b", "Unknown path components: /a/b"),
        ("/1001/nothing", "(#100) Tried accessing nonexisting field (nothing) on node type (Reader)"),
        ("/1001/nothing/else", "(#100) Tried accessing nonexisting field (nothing) on node type (Reader)"),
        ("/1001/name", "(#100) Tried accessing nonexisting field (name) on node type (Reader)"),
    ],
)
async def test_what_follows_a_node_must_be_an_edge(client: Asgi, path: str, message: str) -> None:
    reply = await client.get(path, access_token=USER)
    assert reply.status == 400
    assert reply.error["message"] == message


async def test_an_edge_may_have_a_name_of_two_parts(client: Asgi) -> None:
    assert len((await client.get("/me/notes/archive", access_token=USER)).json()["data"]) == 7


async def test_an_unversioned_call_gets_the_configured_version() -> None:
    for configured, version in (("newest", "v26.0"), ("v12.0", "v12.0"), ("12.0", "v12.0"), ("v2.6", "v2.6")):
        async with opened_world(0, unversioned=configured) as world:
            assert (await world.client.get("/me")).header("facebook-api-version") == version


async def test_an_unversioned_call_otherwise_gets_the_oldest_usable_version() -> None:
    async with opened_world(0, unversioned=None) as world:
        # On 2024-01-03 v12.0 was the oldest that had not been retired.
        assert (await world.client.get("/me")).header("facebook-api-version") == "v12.0"
        world.clock.ms = NOW_MS + 40 * 86_400_000
        assert (await world.client.get("/me")).header("facebook-api-version") == "v13.0"


async def test_fall_forward_serves_an_expired_version_as_the_oldest_usable() -> None:
    async with opened_world(0, policy="fall_forward") as world:
        assert (await world.client.get("/v2.6/me")).header("facebook-api-version") == "v12.0"
        assert (await world.client.get("/v19.0/me")).header("facebook-api-version") == "v19.0"


async def test_old_versions_keep_their_meaning_by_default(client: Asgi) -> None:
    assert (await client.get("/v2.6/1001", access_token=USER, fields="handle")).json() == {
        "handle": "ada",
        "id": "1001",
    }


# ------------------------------------------------------------------------------------------------ verbs


@pytest.mark.parametrize("override", ["post", "POST", "Post", "pOsT", "put"])
async def test_method_overrides_get_in_any_case(world: World, override: str) -> None:
    reply = await world.client.get("/me/books", access_token=USER, method=override, title="Written by GET")
    assert reply.json() == {"id": "61"}


@pytest.mark.parametrize("override", ["get", "GET"])
async def test_method_overrides_post_and_the_body_counts(client: Asgi, override: str) -> None:
    reply = await client.post("/me/books", access_token=USER, method=override, limit=2, fields="title")
    assert [row["title"] for row in reply.json()["data"]] == ["Book 1", "Book 2"]
    assert "fields=title" in reply.json()["paging"]["next"]
    assert reply.header("etag")


@pytest.mark.parametrize("carrier", ["get", "post"])
async def test_method_delete_deletes(world: World, carrier: str) -> None:
    assert (await getattr(world.client, carrier)("/7", access_token=USER, method="delete")).json() == {"success": True}
    assert (await world.client.get("/7", access_token=USER)).code == (400, 100, 33)


async def test_method_does_not_override_delete(client: Asgi) -> None:
    assert (await client.delete("/8", access_token=USER, method="get")).json() == {"success": True}


@pytest.mark.parametrize("verb", ["PATCH", "TRACE", "FOO", "get"])
async def test_another_verb_is_refused_by_name(client: Asgi, verb: str) -> None:
    reply = await client.send(verb, f"/me?access_token={USER}")
    assert reply.code == (400, 100, None)
    assert reply.error["message"] == f"Unsupported {verb.lower()} request."


@pytest.mark.parametrize("override", ["patch", "options", "a\r\nb", "x" * 5000])
async def test_an_override_by_an_unknown_verb_is_refused(client: Asgi, override: str) -> None:
    reply = await client.get("/me", access_token=USER, method=override)
    assert reply.code == (400, 100, None)
    assert all("\r" not in value and "\n" not in value for _, value in reply.headers)


async def test_put_is_post(client: Asgi) -> None:
    reply = await client.send("PUT", f"/me/books?access_token={USER}", body=b"title=Put")
    assert reply.json() == {"id": "61"}


async def test_head_is_get_without_its_body(client: Asgi) -> None:
    get = await client.send("GET", f"/me?access_token={USER}")
    head = await client.send("HEAD", f"/me?access_token={USER}")
    assert head.status == 200
    assert head.body == b""
    assert head.header("content-length") == str(len(get.body)) == get.header("content-length")
    assert head.header("etag") == get.header("etag")


async def test_head_of_a_node_that_is_not_there_has_the_status_of_get(client: Asgi) -> None:
    head = await client.send("HEAD", f"/424242?access_token={USER}")
    assert (head.status, head.body) == (400, b"")
    assert head.header("www-authenticate")


@pytest.mark.parametrize("path", ["/", "/me", "/v2.6/me/messages", "/v99.0/me"])
async def test_options_answers_a_preflight_without_asking_who(client: Asgi, path: str) -> None:
    reply = await client.send("OPTIONS", path)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.header("content-length") == "0"
    assert [value for name, value in reply.headers if name == "Access-Control-Allow-Origin"] == ["*"]
    for name in ("Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "facebook-api-version", "x-fb-rev"):
        assert reply.header(name), name


async def test_a_root_refuses_a_verb_it_does_not_have(client: Asgi) -> None:
    assert (await client.post("/only/app", access_token=USER)).error["message"] == "Unsupported post request."


async def test_a_verb_that_an_object_lacks_looks_like_no_object(client: Asgi) -> None:
    for reply in (await client.post("/1001", access_token=USER), await client.delete("/5001", access_token=USER)):
        assert reply.code == (400, 100, 33)
    assert (await client.post("/1001/friends", access_token=USER)).code == (400, 100, 33)
    assert (await client.post("/1001/nothing", access_token=USER)).code == (400, 100, 33)


# ------------------------------------------------------------------------------------------------ writes


async def test_updates_and_deletions_answer_success_and_creations_an_id(world: World) -> None:
    assert (await world.client.post("/5", access_token=USER, title="New")).json() == {"success": True}
    assert (await world.client.get("/5", access_token=USER)).json()["title"] == "New"
    assert (await world.client.delete("/5", access_token=USER)).json() == {"success": True}
    assert (await world.client.post("/me/books", access_token=USER, title="Another")).json() == {"id": "61"}


async def test_fields_on_a_creating_post_read_what_was_written(client: Asgi) -> None:
    reply = await client.post("/me/books", access_token=USER, title="New", pages=7, fields="title,pages")
    assert reply.json() == {"id": "61", "title": "New", "pages": 7}


@pytest.mark.parametrize("fields", ["title{", "nothing", "sequels.limit(1000){sequels.limit(1000){sequels}}"])
async def test_bad_fields_on_a_creating_post_write_nothing(world: World, fields: str) -> None:
    assert (await world.client.post("/me/books", access_token=USER, title="New", fields=fields)).status == 400
    assert (await world.client.get("/61", access_token=USER)).code == (400, 100, 33)


async def test_a_write_that_fails_late_writes_nothing(world: World) -> None:
    assert (await world.client.post("/me/books", access_token=USER, title="New", fail=True)).code == (403, 10, None)
    assert (await world.client.get("/61", access_token=USER)).code == (400, 100, 33)


# ------------------------------------------------------------------------------------------------ the function


def test_long_paths_are_split_like_short_ones() -> None:
    assert split_path("/v2.6/" + "a/" * 300) == ((2, 6), ("a",) * 300)
    assert split_path("/" + "a" * 5000) == (None, ("a" * 5000,))
