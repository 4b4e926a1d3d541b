"""Who asks, and in what order the refusals come (contract graph 1.4, 2.3, 2.4)."""

from __future__ import annotations

import base64

import pytest

from tests.graph.toy import READER
from tests.graph.world import (
    APP_TOKEN,
    CLIENT,
    FRENCH,
    NATIVE,
    PAGE_TOKEN,
    SCOPED,
    STRANGER,
    STRICT,
    USER,
    World,
    proof_of,
)
from tests.support.asgi import Asgi

# ------------------------------------------------------------------------------------------------ token locations


async def test_the_parameter_wins_over_the_header(client: Asgi) -> None:
    reply = await client.get("/me", access_token=USER, headers={"authorization": f"Bearer {STRANGER}"})
    assert reply.json()["id"] == READER


async def test_the_body_wins_over_the_query(client: Asgi) -> None:
    reply = await client.post(f"/me?access_token={STRANGER}", access_token=USER, method="get")
    assert reply.json()["id"] == READER


@pytest.mark.parametrize("header", ["Bearer USER", "bearer USER", "OAuth USER", "oauth USER", "  Bearer   USER  "])
async def test_a_header_with_a_scheme_is_a_token(client: Asgi, header: str) -> None:
    assert (await client.get("/me", headers={"authorization": header})).json()["id"] == READER


@pytest.mark.parametrize(
    "header",
    [
        "USER",
        "Bearer",
        "Bearer ",
        "Token USER",
        "",
        "Basic VVNFUjo=",
        "Basic !!",
        "Basic \u00e9",
        "Basic /w==",
        "Basic VVNFUg==",
    ],
)
async def test_any_other_header_is_no_token(client: Asgi, header: str) -> None:
    assert (await client.get("/1001", headers={"authorization": header})).code == (403, 200, None)


async def test_an_empty_parameter_is_no_token(client: Asgi) -> None:
    assert (await client.get("/1001", access_token="")).code == (403, 200, None)
    reply = await client.get("/1001", access_token="", headers={"authorization": "Bearer USER"})
    assert reply.json()["id"] == READER


# ------------------------------------------------------------------------------------------------ no token, bad token

ME = "An active access token must be used to query information about the current user."


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/v19.0/1001", (403, 200, None), "(#200) Provide valid app ID"),
        ("/v18.0/1001/books", (403, 200, None), "(#200) Provide valid app ID"),
        ("/v17.0/1001", (400, 104, None), "An access token is required to request this resource."),
        ("/v2.6/1001/books", (400, 104, None), "An access token is required to request this resource."),
        ("/v19.0/me", (400, 2500, None), ME),
        ("/v2.6/me/books", (400, 2500, None), ME),
        ("/v19.0/who/am_i", (403, 200, None), "(#200) Provide valid app ID"),
        ("/v19.0/?ids=1001", (403, 200, None), "(#200) Provide valid app ID"),
    ],
)
async def test_without_a_token(client: Asgi, path: str, code: tuple[int, int, None], message: str) -> None:
    reply = await client.get(path)
    assert reply.code == code
    assert reply.error["message"] == message


@pytest.mark.parametrize("token", ["garbage", "x" * 100_000, "a|b", "\u00e9", "\u2028", " ", "'; DROP TABLE toy_book"])
async def test_garbage_is_190(client: Asgi, token: str) -> None:
    for reply in (
        await client.post("/me", method="get", access_token=token),
        await client.post_json("/who/am_i", {"access_token": token}),
    ):
        assert reply.code == (400, 190, None)
        assert token not in reply.body.decode() or not token.strip()


@pytest.mark.parametrize("token", [["USER"], {"USER": 1}, 7, True, 1.5])
async def test_a_token_of_another_type_is_190_and_not_repeated(client: Asgi, token: object) -> None:
    reply = await client.post_json("/who/am_i", {"access_token": token})
    assert reply.code == (400, 190, None)
    assert reply.error["message"] == "Invalid OAuth access token - Cannot parse access token"


async def test_an_expired_token_says_when_in_pacific_time(client: Asgi) -> None:
    reply = await client.get("/me", access_token="EXPIRED")
    assert reply.code == (400, 190, 463)
    assert reply.error["message"] == (
        "Error validating access token: Session has expired on Tuesday, 02-Jan-24 20:05:05 PST. "
        "The current time is Tuesday, 02-Jan-24 20:05:06 PST."
    )


async def test_a_native_apps_token_is_no_token(client: Asgi) -> None:
    assert (await client.get("/who/am_i", access_token=NATIVE)).code == (403, 200, None)


# ------------------------------------------------------------------------------------------------ me and app


@pytest.mark.parametrize(("token", "subject"), [(USER, "1001"), (STRANGER, "1002"), (PAGE_TOKEN, "5001")])
async def test_me_is_the_subject_of_the_token(client: Asgi, token: str, subject: str) -> None:
    assert (await client.get("/me", access_token=token)).json()["id"] == subject


@pytest.mark.parametrize("path", ["/me", "/me/books"])
async def test_an_app_token_has_no_me(client: Asgi, path: str) -> None:
    reply = await client.get(path, access_token=APP_TOKEN)
    assert reply.code == (400, 2500, None)
    assert reply.error["message"] == ME


async def test_app_is_the_app_of_the_token(client: Asgi) -> None:
    # The toy has no applications, so the id that `app` stands for is what is missing.
    reply = await client.get("/app", access_token=USER)
    assert "Object with ID '7001'" in reply.error["message"]


async def test_a_client_token_names_the_app_and_opens_nothing(client: Asgi) -> None:
    assert (await client.get("/1001", access_token=CLIENT)).code == (403, 200, None)
    assert (await client.get("/1001/books", access_token=CLIENT)).code == (403, 200, None)
    assert (await client.get("/who/am_i", access_token=CLIENT)).code == (403, 200, None)
    assert (await client.get("/app", access_token=CLIENT)).code == (400, 100, 33)


# ------------------------------------------------------------------------------------------------ kinds and permissions


async def test_the_wrong_kind_of_token(client: Asgi) -> None:
    assert (await client.get("/only/app", access_token=USER)).error[
        "message"
    ] == "(#15) This method must be called with an app access_token."
    reply = await client.get("/only/page", access_token=USER)
    assert reply.code == (403, 210, None)
    assert reply.error["message"] == "(#210) A page access token is required to request this resource."
    assert (await client.get("/1001/secrets", access_token=USER)).code == (400, 15, None)
    assert len((await client.get("/1001/secrets", access_token=APP_TOKEN)).json()["data"]) == 7


async def test_the_status_of_a_permission_error_follows_the_version(client: Asgi) -> None:
    for version, status in (("v3.0", 403), ("v19.0", 403), ("v2.12", 400)):
        reply = await client.get(f"/{version}/me/feed", access_token=USER)
        assert reply.code == (status, 200, None)
        assert reply.error["message"] == "(#200) Requires read_feed permission"
    assert (await client.get("/me/feed", access_token=SCOPED)).status == 200
    assert (await client.get("/1001/feed", access_token=APP_TOKEN)).status == 200


async def test_the_permission_of_a_nested_edge_is_checked_too(client: Asgi) -> None:
    assert (await client.get("/me", access_token=USER, fields="name,feed")).code == (403, 200, None)
    assert (await client.get("/me/friends", access_token=USER, fields="feed.limit(1)")).code == (403, 200, None)
    assert (await client.get("/me", access_token=USER, fields="secrets")).code == (400, 15, None)
    assert (await client.get("/me", access_token=SCOPED, fields="name,feed.limit(1)")).status == 200


async def test_public_edges_need_no_token(client: Asgi) -> None:
    reply = await client.get("/1001/portrait")
    assert (reply.status, reply.body) == (302, b"")
    assert reply.header("location") == "http://127.0.0.1:8484/portraits/1001"
    assert [value for name, value in reply.headers if name == "Cache-Control"] == ["private, max-age=60"]
    assert reply.header("etag") is None
    assert (await client.get("/1001/portrait", redirect="false")).json() == {
        "url": "http://127.0.0.1:8484/portraits/1001"
    }
    assert (await client.get("/1001/portrait", access_token="garbage")).code == (400, 190, None)
    assert (await client.get("/me/portrait")).code == (400, 2500, None)


async def test_a_nested_public_edge_without_rows_is_a_field_that_is_not_there(client: Asgi) -> None:
    assert (await client.get("/me", access_token=USER, fields="portrait")).code == (400, 100, None)


# ------------------------------------------------------------------------------------------------ proofs

REQUIRED = "API calls from the server require an appsecret_proof argument"
INVALID = "Invalid appsecret_proof provided in the API argument"


@pytest.mark.parametrize("path", ["/me", "/me/books", "/me/friends", "/who/am_i", "/?ids=1001", "/books?ids=1001"])
async def test_an_app_that_demands_proof_gets_it_or_refuses(client: Asgi, path: str) -> None:
    right = await client.get(path, access_token=STRICT, appsecret_proof=proof_of(STRICT))
    assert right.status == 200
    missing = await client.get(path, access_token=STRICT)
    assert missing.code == (400, 100, None)
    assert (missing.error["message"], missing.error["type"]) == (REQUIRED, "GraphMethodException")
    for wrong in ("", "x", proof_of(USER), proof_of(STRICT).upper(), proof_of(STRICT)[:-1], proof_of(STRICT, "other")):
        reply = await client.get(path, access_token=STRICT, appsecret_proof=wrong)
        assert (reply.error["message"], reply.error["type"]) == (INVALID, "GraphMethodException")


async def test_a_wrong_proof_is_refused_even_where_none_is_needed(client: Asgi) -> None:
    assert (await client.get("/me", access_token=USER, appsecret_proof="x")).error["message"] == INVALID


async def test_a_proof_given_twice_is_refused(client: Asgi) -> None:
    proof = proof_of(USER)
    reply = await client.send("GET", f"/me?access_token={USER}&appsecret_proof={proof}&appsecret_proof={proof}")
    assert reply.error["message"] == INVALID


async def test_an_edge_may_demand_proof_of_one_kind_of_token(client: Asgi) -> None:
    assert (await client.get("/1001/friends", access_token=PAGE_TOKEN)).error["message"] == REQUIRED
    assert (
        await client.get("/1001/friends", access_token=PAGE_TOKEN, appsecret_proof=proof_of(PAGE_TOKEN))
    ).status == 200
    assert (await client.get("/1001/friends", access_token=USER)).status == 200
    assert (await client.get("/who/am_i", access_token=PAGE_TOKEN)).error["message"] == REQUIRED
    assert (await client.get("/1001", access_token=PAGE_TOKEN, fields="friends")).error["message"] == REQUIRED


# ------------------------------------------------------------------------------------------------ order


@pytest.mark.parametrize(
    ("target", "code"),
    [
        # Every line has all the faults of the lines below it, and is refused for the first.
        ("/v99.0/424242/feed?fields={&limit=x&appsecret_proof=x&access_token=garbage", 2500),
        ("/424242/feed?fields={&limit=x&appsecret_proof=x", 200),
        ("/424242/feed?fields={&limit=x&appsecret_proof=x&access_token=garbage", 190),
        ("/424242/feed?fields={&limit=x&appsecret_proof=x&access_token=USER", 100),
        ("/424242/feed?fields={&limit=x&access_token=USER", 100),
        ("/1001/feed?fields={&limit=x&access_token=USER", 200),
        ("/1001/books?fields={&limit=x&access_token=USER", 100),
    ],
)
async def test_the_order_of_checks(client: Asgi, target: str, code: int) -> None:
    assert (await client.send("GET", target)).error["code"] == code


async def test_the_order_of_checks_by_message(client: Asgi) -> None:
    proof = await client.get("/424242/feed", access_token=USER, appsecret_proof="x")
    assert proof.error["message"] == INVALID
    node = await client.get("/424242/feed", access_token=USER, limit="x")
    assert node.error["error_subcode"] == 33
    permission = await client.get("/1001/feed", access_token=USER, limit="x")
    assert permission.error["code"] == 200
    parameter = await client.get("/1001/books", access_token=USER, limit="x")
    assert parameter.error["message"] == "(#100) param limit must be a non-negative integer"


# ------------------------------------------------------------------------------------------------ versions of edges


async def test_an_edge_that_is_too_new_says_from_when_it_is(client: Asgi) -> None:
    reply = await client.get("/v2.8/me/ideas", access_token=USER)
    assert reply.code == (400, 12, None)
    assert reply.error["message"] == "(#12) ideas requires version v2.9 or higher"
    assert (await client.get("/v2.8/me", access_token=USER, fields="ideas")).code == (400, 12, None)
    assert (await client.get("/v2.9/me/ideas", access_token=USER)).json() == {"data": []}


async def test_an_edge_that_is_gone_says_since_when(client: Asgi) -> None:
    reply = await client.get("/v2.12/me/pokes", access_token=USER)
    assert reply.error["message"] == "(#12) pokes field is deprecated for versions v2.12 and higher"
    assert (await client.get("/v2.11/me/pokes", access_token=USER)).status == 200


async def test_an_unbuilt_edge_says_so_and_is_counted(world: World) -> None:
    for reply in (
        await world.client.get("/me/likes", access_token=USER),
        await world.client.post("/me/likes", access_token=USER),
        await world.client.get("/me", access_token=USER, fields="name,likes"),
    ):
        assert reply.code == (400, 3, None)
        assert reply.error["message"] == "(#3) likes on node type (Reader) is known but not built in polynym yet."
    assert world.graph.missed == {"Reader/likes": 3}
    assert [edge.name for edge in world.registry.unbuilt()] == ["likes", "dislikes", "likes"]


# ------------------------------------------------------------------------------------------------ Basic


async def test_a_basic_header_is_kept_for_the_roots_that_read_it(client: Asgi) -> None:
    value = base64.b64encode(b"7001:secret").decode()
    assert (await client.get("/echo", headers={"authorization": f"Basic {value}"})).status == 200


async def test_the_language_of_the_caller_holds_unless_another_is_asked_for(client: Asgi) -> None:
    assert (await client.get("/who/am_i", access_token=FRENCH)).json()["locale"] == "fr_FR"
    assert (await client.get("/who/am_i", access_token=FRENCH, locale="es_ES")).json()["locale"] == "es_ES"
    assert (await client.get("/who/am_i", access_token=FRENCH, locale="!!")).json()["locale"] == "fr_FR"
    assert (await client.get("/who/am_i", access_token=USER)).json()["locale"] == "en_US"
