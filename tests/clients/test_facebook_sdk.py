"""The facebook-sdk client, unmodified but for its host constant, works against a sandbox."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import facebook
import pytest

from tests.support.server import Sandbox

GAME, MOVIE, THING = "1419232575008550", "259773517400382", "380374449010653"
GAME_ASID, MOVIE_ASID, PSID = "10152368852405295", "645195294", "12345123"


@pytest.fixture
def env(running: Sandbox) -> Iterator[dict[str, str]]:
    original = facebook.FACEBOOK_GRAPH_URL
    facebook.FACEBOOK_GRAPH_URL = running.url + "/"
    try:
        yield running.env()
    finally:
        facebook.FACEBOOK_GRAPH_URL = original


def proof(env: dict[str, str], token: str) -> str:

    return hmac.new(env["APP_SECRET"].encode(), token.encode(), hashlib.sha256).hexdigest()


def graph(env: dict[str, str], kind: str) -> facebook.GraphAPI:
    return facebook.GraphAPI(env[kind], version="3.1")


def test_the_version_is_read_from_the_header(env):
    assert graph(env, "APP_TOKEN").get_version() == "3.1"


def test_an_object_is_read_with_fields(env):
    page = graph(env, "PAGE_TOKEN").get_object(THING, fields="name,category")
    assert page == {"name": "John's Next Great Thing", "category": "Musician", "id": THING}


def test_several_objects_are_read_at_once(env):
    found = graph(env, "APP_TOKEN").get_objects([GAME, THING], fields="name")
    assert {key: value["name"] for key, value in found.items()} == {
        GAME: "John's Game App",
        THING: "John's Next Great Thing",
    }


def test_all_connections_are_followed_through_next_links(env):
    token = env["PAGE_TOKEN"]
    found = graph(env, "PAGE_TOKEN").get_all_connections(
        PSID, "ids_for_apps", limit=1, appsecret_proof=proof(env, token)
    )
    assert [each["id"] for each in found] == [GAME_ASID, MOVIE_ASID]


@pytest.mark.parametrize(
    ("kind", "node", "edge", "expected"),
    [
        ("PAGE_TOKEN", PSID, "ids_for_apps", [GAME_ASID, MOVIE_ASID]),
        ("APP_TOKEN", GAME_ASID, "ids_for_pages", [PSID]),
        ("APP_TOKEN", GAME_ASID, "ids_for_apps", [GAME_ASID, MOVIE_ASID]),
        ("PAGE_TOKEN", PSID, "ids_for_pages", [PSID]),
    ],
)
def test_ids_match_in_all_four_documented_cases(env, kind, node, edge, expected):
    found = graph(env, kind).get_connections(node, edge, appsecret_proof=proof(env, env[kind]))
    assert [each["id"] for each in found["data"]] == expected


def test_a_batch_runs_through_request(env):
    items = '[{"method":"GET","relative_url":"me?fields=name"},{"method":"GET","relative_url":"1"}]'
    answers = graph(env, "PAGE_TOKEN").request("", post_args={"batch": items}, method="POST")
    assert [each["code"] for each in answers] == [200, 400]


def test_an_app_token_is_got_by_client_credentials(env):
    token = graph(env, "APP_TOKEN").get_app_access_token(env["APP_ID"], env["APP_SECRET"])
    assert facebook.GraphAPI(token, version="3.1").get_object("app")["id"] == env["APP_ID"]


def test_a_token_is_inspected_by_debug_token(env):
    data = graph(env, "APP_TOKEN").debug_access_token(env["USER_TOKEN"], env["APP_ID"], env["APP_SECRET"])["data"]
    assert (data["type"], data["is_valid"], data["app_id"]) == ("USER", True, env["APP_ID"])


def test_a_user_token_is_extended(env):
    extended = graph(env, "USER_TOKEN").extend_access_token(env["APP_ID"], env["APP_SECRET"])
    assert extended["expires_in"] > 24 * 3600
    assert facebook.GraphAPI(extended["access_token"], version="3.1").get_object("me")["id"]


def test_permissions_are_those_granted(env):
    assert "pages_show_list" in graph(env, "USER_TOKEN").get_permissions("me")


def test_an_error_becomes_the_clients_own_exception(env):
    with pytest.raises(facebook.GraphAPIError) as caught:
        graph(env, "PAGE_TOKEN").get_object("987654321987654")
    assert (caught.value.code, caught.value.type) == (100, "GraphMethodException")
