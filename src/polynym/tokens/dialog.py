"""The login dialog: what an app asks for, what is still to be decided, and where the answer goes. Pure.

An error of the first kind (unknown app, an address that is not allowed) is shown on our own page and sends nobody
anywhere; everything after that goes back to the app (contract graph 4.2).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from polynym.tokens import pkce, redirects
from polynym.tokens.pkce import How
from polynym.tokens.scopes import ALWAYS, known
from polynym.wire import errors
from polynym.wire.errors import GraphError
from polynym.wire.versions import Version

SOURCE: Final = "D documentation/facebook-login/guides/advanced/manual-flow; contract graph 4.2"
RESPONSE_TYPES: Final = frozenset(("code", "token", "granted_scopes"))
AUTH_TYPES: Final = frozenset(("rerequest", "reauthenticate", "reauthorize"))
DISPLAYS: Final = frozenset(("page", "popup", "touch", "async"))
STATE_CHARS_MAX: Final = 4_000
NONCE_CHARS_MAX: Final = 400
SCOPES_MAX: Final = 100
#: What older clients and examples append, and some cut off again: a fragment that means nothing.
EMPTY_FRAGMENT: Final = "_=_"
_SEPARATORS: Final = re.compile(r"[,\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for the dialog. `scopes` are known permissions, `unknown` the names that are none."""

    app: str
    redirect_uri: str
    version: Version
    state: str | None = None
    code: bool = True
    token: bool = False
    scopes: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    auth_types: frozenset[str] = frozenset()
    return_scopes: bool = False
    display: str = "page"
    challenge: str | None = None
    challenge_how: How | None = None
    nonce: str | None = field(default=None, repr=False)


def app_asked(params: Mapping[str, str]) -> str:
    """The id of the app that sent somebody here. Raises DIALOG_APP_ID."""
    app = params.get("client_id") or params.get("app_id") or ""
    if not (app.isascii() and app.isdigit()):
        raise GraphError(errors.DIALOG_APP_ID)
    return app


def read(params: Mapping[str, str], version: Version, registered: Collection[str]) -> Asked:
    """What is asked for, by an app with these valid redirect URIs.

    Raises DIALOG_APP_ID, REDIRECT_MISSING, DIALOG_URI_BLOCKED or PARAM_INVALID: all of them for our own page.
    """
    app = app_asked(params)
    address = params.get("redirect_uri") or params.get("next") or ""
    if not address:
        raise GraphError(errors.REDIRECT_MISSING)
    if not redirects.allowed(address, registered):
        raise GraphError(errors.DIALOG_URI_BLOCKED)
    types = frozenset(_words(params, "response_type")) or {"code"}
    if types == {"granted_scopes"}:
        types |= {"code"}
    if not types <= RESPONSE_TYPES or not types & {"code", "token"}:
        raise _invalid("response_type", "code, token, or both, with or without granted_scopes")
    names = tuple(dict.fromkeys(_words(params, "scope")))
    if len(names) > SCOPES_MAX:
        raise _invalid("scope", f"at most {SCOPES_MAX} permissions")
    scopes, unknown = known(names, version)
    challenge, how = _challenge(params)
    return Asked(
        app=app,
        redirect_uri=address,
        version=version,
        state=_text(params, "state", STATE_CHARS_MAX),
        code="code" in types,
        token="token" in types,
        scopes=scopes | {ALWAYS},
        unknown=unknown,
        auth_types=frozenset(_words(params, "auth_type")) & AUTH_TYPES,
        return_scopes="granted_scopes" in types or params.get("return_scopes", "").lower() in ("true", "1"),
        display=params["display"] if params.get("display") in DISPLAYS else "page",
        challenge=challenge,
        challenge_how=how,
        nonce=_text(params, "nonce", NONCE_CHARS_MAX),
    )


def _words(params: Mapping[str, str], name: str) -> list[str]:
    """Words separated by commas or blanks, as every client does it differently."""
    return [word for word in _SEPARATORS.split(params.get(name, "")) if word]


def _text(params: Mapping[str, str], name: str, most: int) -> str | None:
    text = params.get(name)
    if text is not None and len(text) > most:
        raise _invalid(name, f"at most {most} characters long")
    return text


def _challenge(params: Mapping[str, str]) -> tuple[str | None, How | None]:
    challenge, method = params.get("code_challenge"), params.get("code_challenge_method")
    if not challenge:
        if method:
            raise _invalid("code_challenge", "a challenge, as there is a code_challenge_method")
        return None, None
    if not pkce.well_formed(challenge):
        raise _invalid("code_challenge", "43 to 128 characters of A-Z a-z 0-9 - . _ ~")
    for how in pkce.METHODS:
        if how == (method or "plain"):
            return challenge, how
    raise _invalid("code_challenge_method", "S256 or plain")


def _invalid(name: str, expected: str) -> GraphError:
    return GraphError(errors.PARAM_INVALID, name=name, expected=expected)


# ------------------------------------------------------------------------------------------------ what is to be decided


def undecided(asked: Asked, offered: Collection[str], states: Mapping[str, str]) -> tuple[str, ...]:
    """The permissions that a person is to be asked about, in alphabetical order; none for a quiet way back.

    `offered` are those of the asked that the app may have, `states` what the person said before. What was declined is asked
    again only with `auth_type=rerequest`; `reauthenticate` and `reauthorize` show everything again.
    """
    everything = not asked.auth_types.isdisjoint(("reauthenticate", "reauthorize"))
    again = "rerequest" in asked.auth_types

    def is_open(name: str) -> bool:
        state = states.get(name)
        return everything or state is None or (again and state == "declined")

    first = ALWAYS not in states
    return tuple(sorted(name for name in offered if name != ALWAYS and (first or is_open(name))))


def is_quiet(asked: Asked, offered: Collection[str], states: Mapping[str, str]) -> bool:
    """Whether the person goes back at once: they use the app already and nothing new is asked."""
    if not asked.auth_types.isdisjoint(("reauthenticate", "reauthorize")):
        return False
    return states.get(ALWAYS) == "granted" and not undecided(asked, offered, states)


# ------------------------------------------------------------------------------------------------ where the answer goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the dialog gives the app: a code, a token or both, and what was said about the asked permissions.

    `expires_in` and `data_access_expires_s` belong to the token: seconds, and unix seconds.
    """

    code: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    long_lived_token: str | None = field(default=None, repr=False)
    expires_in: int = 0
    data_access_expires_s: int = 0
    granted: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()


def success(asked: Asked, given: Given, *, empty_fragment: bool) -> str:
    """The address that carries the result: in the query for a code alone, in the fragment with a token."""
    scopes = {}
    if asked.return_scopes:
        scopes = {"granted_scopes": ",".join(given.granted), "denied_scopes": ",".join(given.declined)}
    state = {} if asked.state is None else {"state": asked.state}
    if given.token is None:
        address = redirects.with_query(asked.redirect_uri, {"code": given.code or ""} | scopes | state)
        return f"{address}#{EMPTY_FRAGMENT}" if empty_fragment else address
    values = {
        "access_token": given.token,
        "data_access_expiration_time": str(given.data_access_expires_s),
        "expires_in": str(given.expires_in),
    }
    if given.code is not None:
        values |= {"code": given.code}
    elif given.long_lived_token is not None:
        values |= {"long_lived_token": given.long_lived_token}
    return redirects.with_fragment(asked.redirect_uri, values | scopes | state, marked=given.code is None)


def cancelled(asked: Asked) -> str:
    """The address that says the person did not want to."""
    values = {
        "error": "access_denied",
        "error_code": "200",
        "error_description": "Permissions error",
        "error_reason": "user_denied",
    }
    if asked.state is not None:
        values["state"] = asked.state
    return redirects.with_query(asked.redirect_uri, values)
