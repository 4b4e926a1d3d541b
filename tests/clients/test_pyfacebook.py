"""python-facebook-api, unmodified and told another host, logs a person in and gets page tokens."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
import requests
from oauthlib.oauth2 import OAuth2Error
from pyfacebook import GraphAPI
from pyfacebook.exceptions import FacebookError

from tests.support.server import Sandbox

CALLBACK = "http://127.0.0.1:9999/cb"
SCOPE = ["public_profile", "pages_show_list", "pages_messaging"]


@pytest.fixture
def api(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> GraphAPI:
    """The client of the demo's first app; oauthlib insists on https unless it is told that this is a test."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")
    env = running.env()
    return GraphAPI(
        app_id=env["APP_ID"], app_secret=env["APP_SECRET"], oauth_flow=True, redirect_uri=CALLBACK, scope=SCOPE,
        base_url=f"{running.url}/", authorization_url=f"{running.url}/dialog/oauth",
        access_token_url=f"{running.url}/oauth/access_token",
    )  # fmt: skip


def came_back(api: GraphAPI, **choice: str) -> str:
    """The address to which the dialog sends a person who chose."""
    url, _ = api.get_authorization_url()
    answer = requests.get(f"{url}&{urlencode(choice)}", allow_redirects=False, timeout=30)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def test_a_person_logs_in_and_their_pages_tokens_follow(api: GraphAPI) -> None:
    token = api.exchange_user_access_token(came_back(api, polynym_person="owner"))
    assert token["token_type"].lower() == "bearer"
    assert api.get_object("me", fields="name")["name"] == "Olivia Bennett"
    pages = api.get_connection("me", "accounts")["data"]
    assert api.exchange_page_access_token(pages[0]["id"]) == pages[0]["access_token"]


def test_the_token_is_exchanged_and_inspected(api: GraphAPI) -> None:
    token = api.exchange_user_access_token(came_back(api, polynym_person="owner"))["access_token"]
    longer = api.exchange_long_lived_user_access_token()
    assert longer["expires_in"] > 5_000_000
    app_token = api.get_app_token()["access_token"]
    assert api.debug_token(token, access_token=app_token)["data"]["is_valid"] is True


def test_who_cancels_raises_the_clients_own_error(api: GraphAPI) -> None:
    with pytest.raises(OAuth2Error, match=r"access_denied|Permissions error"):
        api.exchange_user_access_token(came_back(api, polynym_person="owner", polynym_grant="none"))


def test_a_used_code_raises_the_clients_own_error(api: GraphAPI) -> None:
    answer = came_back(api, polynym_person="owner")
    api.exchange_user_access_token(answer)
    with pytest.raises(OAuth2Error):
        api.exchange_user_access_token(answer)
    with pytest.raises(FacebookError):
        api.get_object("me")
