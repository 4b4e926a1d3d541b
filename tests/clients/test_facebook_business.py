"""The official Python SDK, unmodified but for its host setting, works against a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from facebook_business.adobjects.application import Application
from facebook_business.adobjects.business import Business
from facebook_business.adobjects.page import Page
from facebook_business.adobjects.user import User
from facebook_business.adobjects.useridforapp import UserIDForApp
from facebook_business.api import FacebookAdsApi, FacebookResponse
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from tests.support.server import Sandbox

GAME, MOVIE, THING = "1419232575008550", "259773517400382", "380374449010653"
GAME_ASID, MOVIE_ASID, PSID = "10152368852405295", "645195294", "12345123"


@contextmanager
def at(running: Sandbox) -> Iterator[None]:
    """The SDK's one host setting."""
    original = FacebookSession.GRAPH
    FacebookSession.GRAPH = running.url
    try:
        yield
    finally:
        FacebookSession.GRAPH = original


@pytest.fixture
def env(running: Sandbox) -> Iterator[dict[str, str]]:
    with at(running):
        yield running.env()


def page_api(env: dict[str, str]) -> FacebookAdsApi:
    return FacebookAdsApi(FacebookSession(env["APP_ID"], env["APP_SECRET"], env["PAGE_TOKEN"]))


def app_api(env: dict[str, str]) -> FacebookAdsApi:
    return FacebookAdsApi(FacebookSession(env["APP_ID"], env["APP_SECRET"], env["APP_TOKEN"]))


def user_api(env: dict[str, str]) -> FacebookAdsApi:
    return FacebookAdsApi(FacebookSession(env["APP_ID"], env["APP_SECRET"], env["USER_TOKEN"]))


def test_a_page_is_read_with_the_fields_asked_for(env):
    page = Page(THING, api=page_api(env)).api_get(fields=["name", "category"])
    assert page.export_all_data() == {"name": "John's Next Great Thing", "category": "Musician", "id": THING}


def test_an_app_is_read_with_its_default_fields(env):
    app = Application(GAME, api=app_api(env)).api_get()
    assert app["name"] == "John's Game App"
    assert app["id"] == GAME


def test_a_psid_leads_to_the_ids_for_apps_of_the_business(env):
    found = User(PSID, api=page_api(env)).get_ids_for_apps()
    assert [(each["id"], each["app"]["id"]) for each in found] == [(GAME_ASID, GAME), (MOVIE_ASID, MOVIE)]


def test_a_psid_leads_to_the_ids_for_pages_of_the_business(env):
    found = User(PSID, api=page_api(env)).get_ids_for_pages()
    assert [(each["id"], each["page"]["name"]) for each in found] == [(PSID, "John's Next Great Thing")]


def test_an_asid_leads_to_the_ids_for_pages_of_the_business(env):
    found = User(GAME_ASID, api=app_api(env)).get_ids_for_pages(params={"page": int(THING)})
    assert [each["id"] for each in found] == [PSID]


def test_an_asid_leads_to_the_ids_for_apps_of_the_business(env):
    found = User(GAME_ASID, api=app_api(env)).get_ids_for_apps(params={"app": int(MOVIE)})
    assert [each["id"] for each in found] == [MOVIE_ASID]


def test_cursors_page_through_an_edge_one_row_at_a_time(env):
    cursor = User(PSID, api=page_api(env)).get_ids_for_apps(params={"limit": 1})
    assert len(cursor) == 1
    assert isinstance(cursor[0], UserIDForApp)
    assert [each["id"] for each in cursor] == [GAME_ASID, MOVIE_ASID]


def test_cursors_page_through_the_pages_a_business_owns(env):
    owned = Business(env["BUSINESS_ID"], api=user_api(env)).get_owned_pages(fields=["name"], params={"limit": 1})
    assert [page["name"] for page in owned] == ["John's Next Great Thing", "John's Coffee Corner"]


def test_the_accounts_of_a_user_carry_page_tokens_that_work(env):
    accounts = User("me", api=user_api(env)).get_accounts(fields=["access_token", "name"])
    tokens = {page["id"]: page["access_token"] for page in accounts}
    api = FacebookAdsApi(FacebookSession(env["APP_ID"], env["APP_SECRET"], tokens[THING]))
    assert Page("me", api=api).api_get(fields=["id"])["id"] == THING


def test_a_batch_answers_each_item_with_its_own_status(env):
    api = page_api(env)
    batch = api.new_batch()
    good: list[FacebookResponse] = []
    bad: list[FacebookResponse] = []
    User(PSID, api=api).get_ids_for_apps(batch=batch, success=good.append, failure=bad.append)
    User("999999999999", api=api).get_ids_for_apps(batch=batch, success=good.append, failure=bad.append)
    Page(THING, api=api).api_get(fields=["name"], batch=batch, success=good.append, failure=bad.append)
    assert batch.execute() is None
    assert [each.json().get("name") for each in good] == [None, "John's Next Great Thing"]
    assert good[0].json()["data"][0]["id"] == GAME_ASID
    assert [each.error().api_error_code() for each in bad] == [100]


def test_a_wrong_proof_becomes_the_sdks_own_exception(env):
    api = FacebookAdsApi(FacebookSession(env["APP_ID"], "0" * 32, env["PAGE_TOKEN"]))
    with pytest.raises(FacebookRequestError) as caught:
        User(PSID, api=api).get_ids_for_apps()
    assert (caught.value.http_status(), caught.value.api_error_code()) == (400, 100)
    assert caught.value.api_error_type() == "GraphMethodException"
    assert caught.value.api_error_message() == "Invalid appsecret_proof provided in the API argument"


def test_a_missing_proof_becomes_the_sdks_own_exception(env):
    api = FacebookAdsApi(FacebookSession(access_token=env["PAGE_TOKEN"]))
    with pytest.raises(FacebookRequestError) as caught:
        User(PSID, api=api).get_ids_for_apps()
    assert caught.value.api_error_message() == "API calls from the server require an appsecret_proof argument"


def test_an_unknown_id_becomes_the_sdks_own_exception_with_subcode(env):
    with pytest.raises(FacebookRequestError) as caught:
        User("424242424242", api=page_api(env)).api_get(fields=["name"])
    assert (caught.value.api_error_code(), caught.value.api_error_subcode()) == (100, 33)


def test_a_garbage_token_becomes_the_sdks_own_exception(env):
    api = FacebookAdsApi(FacebookSession(access_token="EAAgarbage"))
    with pytest.raises(FacebookRequestError) as caught:
        User("me", api=api).api_get()
    assert caught.value.api_error_code() == 190
