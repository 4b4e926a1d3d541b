"""social-auth-core's Facebook login, unmodified but for the host in its addresses, completes a site login."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from social_core.backends.facebook import FacebookOAuth2
from social_core.exceptions import AuthCanceled, AuthException, AuthSessionError
from social_core.strategy import BaseStrategy

from tests.support.server import Sandbox

CALLBACK = "http://127.0.0.1:9999/complete/facebook/"


class Nonces:
    """What the library remembers of the states it gave out."""

    given: ClassVar[set[tuple[Any, ...]]] = set()

    @classmethod
    def use(cls, *nonce: Any) -> bool:
        new = nonce not in cls.given
        cls.given.add(nonce)
        return new

    @classmethod
    def consume(cls, *nonce: Any, **_options: Any) -> bool:
        known = nonce in cls.given
        cls.given.discard(nonce)
        return known


class Storage:
    """A site's database."""

    nonce = Nonces


class Site(BaseStrategy):
    """A site that knows nobody: what came of a login is the person's profile."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(storage=Storage)
        self.settings = settings
        self.session: dict[str, Any] = {}
        self.came_with: dict[str, str] = {}

    def get_setting(self, name: str) -> Any:
        return self.settings[name]

    def redirect(self, url: str) -> str:
        return url

    def request_data(self, merge: bool = True) -> dict[str, str]:
        return self.came_with

    def request_host(self) -> str:
        return "127.0.0.1"

    def build_absolute_uri(self, path: str | None = None) -> str:
        return path or ""

    def session_get(self, name: str, default: Any = None) -> Any:
        return self.session.get(name, default)

    def session_set(self, name: str, value: Any) -> None:
        self.session[name] = value

    def session_pop(self, name: str) -> Any:
        return self.session.pop(name, None)

    def authenticate(self, backend: Any, *args: Any, **kwargs: Any) -> Any:
        return kwargs["response"]


def login(running: Sandbox, **settings: Any) -> FacebookOAuth2[Any]:
    """The backend of a site, with the sandbox in place of the platform's hosts."""
    env = running.env()

    class Local(FacebookOAuth2[Any]):
        AUTHORIZATION_URL = running.url + "/v{version}/dialog/oauth"
        ACCESS_TOKEN_URL = running.url + "/v{version}/oauth/access_token"
        USER_DATA_URL = running.url + "/v{version}/me"
        REVOKE_TOKEN_URL = running.url + "/v{version}/{uid}/permissions"

    site = Site(
        {
            "SOCIAL_AUTH_FACEBOOK_KEY": env["APP_ID"],
            "SOCIAL_AUTH_FACEBOOK_SECRET": env["APP_SECRET"],
            "SOCIAL_AUTH_FACEBOOK_SCOPE": ["email", "user_gender"],
            "SOCIAL_AUTH_FACEBOOK_PROFILE_EXTRA_PARAMS": {"fields": "id,name,email"},
        }
        | settings
    )
    return Local(site, redirect_uri=CALLBACK)


def visit(backend: FacebookOAuth2[Any], **choice: str) -> None:
    """The person goes to the dialog, chooses, and comes back to the site."""
    answer = requests.get(backend.auth_url(), params=choice, allow_redirects=False, timeout=30)
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == CALLBACK
    backend.strategy.came_with = dict(parse_qsl(parts.query))
    backend.data = backend.strategy.came_with


def test_a_person_signs_in_and_the_site_learns_who_it_is(running: Sandbox) -> None:
    backend = login(running)
    visit(backend, polynym_person="amelie", polynym_grant="all")
    profile = backend.auth_complete()
    assert (profile["name"], profile["email"]) == ("Amélie Dubois-Lefèvre", "amelie@example.com")
    assert profile["expires_in"] == 5_184_000
    assert "email" in profile["granted_scopes"]
    assert backend.get_user_details(profile)["fullname"] == "Amélie Dubois-Lefèvre"


def test_a_partial_grant_is_told_to_the_site(running: Sandbox) -> None:
    backend = login(running)
    visit(backend, polynym_person="carlos", polynym_grant="user_gender")
    profile = backend.auth_complete()
    assert "email" not in profile
    assert profile["denied_scopes"] == ["email"]


def test_who_cancels_is_told_apart_from_an_error(running: Sandbox) -> None:
    backend = login(running)
    visit(backend, polynym_person="amelie", polynym_grant="none")
    with pytest.raises(AuthCanceled):
        backend.auth_complete()


def test_a_wrong_secret_fails_and_spoils_nothing(running: Sandbox) -> None:
    wrong = login(running, SOCIAL_AUTH_FACEBOOK_SECRET="0" * 32)
    visit(wrong, polynym_person="amelie", polynym_grant="all")
    with pytest.raises(AuthException):
        wrong.auth_complete()


def test_a_code_that_was_used_is_refused_and_ends_the_first_token(running: Sandbox) -> None:
    backend = login(running)
    visit(backend, polynym_person="amelie", polynym_grant="all")
    session, nonces = dict(backend.strategy.session), set(Nonces.given)
    token = backend.auth_complete()["access_token"]
    # As if the site, too, had forgotten that it was here before.
    backend.strategy.session, Nonces.given = session, nonces
    with pytest.raises(AuthException):
        backend.auth_complete()
    assert requests.get(f"{running.url}/me", params={"access_token": token}, timeout=30).json()["error"]["code"] == 190


def test_a_state_of_somebody_else_is_refused_by_the_site(running: Sandbox) -> None:
    backend = login(running)
    visit(backend, polynym_person="amelie", polynym_grant="all")
    backend.strategy.came_with["state"] = "somebody else's"
    with pytest.raises(AuthSessionError):
        backend.auth_complete()
