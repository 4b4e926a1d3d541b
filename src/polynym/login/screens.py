"""The dialog's screens: server-rendered HTML without scripts, in English, French and Spanish."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from polynym.login import texts
from polynym.login.person import Asset, Person
from polynym.login.visitor import Visitor, seal_form, seal_person
from polynym.tokens.dialog import Asked
from polynym.tokens.scopes import CATALOGUE
from polynym.wire.envelope import language
from polynym.wire.errors import GraphError
from polynym.wire.versions import DEFAULT, Version

#: What a screen may load. Nothing about where its form may lead: browsers hold every redirect after a form to that, the
#: app's own ones included.
_POLICY: Final = "default-src 'none'; style-src '{style}'; img-src data:; base-uri 'none'; frame-ancestors 'none'"


@dataclass(slots=True)
class Page:
    """One answer of the dialog."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Context:
    """What every screen of one request has in common."""

    app_name: str
    app_id: str
    asked: Asked
    visitor: Visitor
    keyring: Keyring
    ids: Ids
    now_ms: int
    #: The `locale` that the address asks for, if it does.
    locale: str | None = None

    def form(self, step: str, person: int) -> tuple[str, list[tuple[bytes, bytes]]]:
        """The sealed field of a form, and the cookie that it is bound to."""
        visitor, headers = self.visitor.bound(self.ids)
        return seal_form(self.keyring, visitor, self.asked, step, person, self.now_ms), headers


def redirect(address: str, status: int) -> Page:
    """Off to another address."""
    return Page(status, b"", [(b"Location", address.encode("ascii"))])


def error(refused: GraphError, locale: str, version: Version = DEFAULT) -> Page:
    """What went wrong, on a page of ours; nobody is sent anywhere."""
    words = texts.of(language(locale))
    message = str(refused.body(locale, "")["error"]["message"])
    body = _render("error.html", words, message=message, code=refused.entry.name)
    return Page(refused.status(version), body, [_policy()])


def choose_person(context: Context, people: Sequence[Person], known: Person | None, search: str) -> Page:
    """Whom to continue as."""
    others = [person for person in people if known is None or person.number != known.number]
    shown = [*([known] if known else []), *others]
    buttons = [(person.name, seal_person(context.keyring, person.number)) for person in shown]
    query = _kept(context.asked) + ([("locale", context.locale)] if context.locale else [])
    return _screen(context, "person.html", "person", 0, buttons=buttons, known=known, search=search, query=query)


def decide(
    context: Context, person: Person, names: Sequence[str], pages: Sequence[Asset], businesses: Sequence[Asset]
) -> Page:
    """What the person lets the app do, and for which of their pages and businesses."""
    words = texts.of(language(context.visitor.locale))
    scopes = [(name, words.permission(name)) for name in names if not CATALOGUE[name].legacy]
    pickers = [(kind, assets) for kind, assets in (("page", pages), ("business", businesses)) if assets]
    return _screen(context, "permissions.html", "decide", person.number, person=person, scopes=scopes, pickers=pickers)


def _screen(context: Context, template: str, step: str, number: int, **values: Any) -> Page:
    words = texts.of(language(context.visitor.locale))
    sealed, headers = context.form(step, number)
    body = _render(template, words, app_name=context.app_name, form=sealed, display=context.asked.display, **values)
    return Page(200, body, [_policy(), *headers])


def _kept(asked: Asked) -> list[tuple[str, str]]:
    """What the search form, a GET, must repeat."""
    kinds = [kind for kind, wanted in (("code", asked.code), ("token", asked.token)) if wanted]
    pairs = {
        "client_id": asked.app,
        "redirect_uri": asked.redirect_uri,
        "state": asked.state,
        "scope": ",".join((*sorted(asked.scopes), *asked.unknown)),
        "response_type": " ".join(kinds),
        "auth_type": ",".join(sorted(asked.auth_types)),
        "return_scopes": "true" if asked.return_scopes else None,
        "display": asked.display,
        "code_challenge": asked.challenge,
        "code_challenge_method": asked.challenge_how,
        "nonce": asked.nonce,
    }
    return [(name, value) for name, value in pairs.items() if value]


def _policy() -> tuple[bytes, bytes]:
    return b"Content-Security-Policy", _POLICY.format(style=_style()[1]).encode("ascii")


def _render(template: str, words: texts.Words, **values: Any) -> bytes:
    return _environment().get_template(template).render(t=words, style=_style()[0], **values).encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("polynym.login"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


@cache
def _style() -> tuple[str, str]:
    """The style sheet, and the hash by which the policy lets it in."""
    text = resources.files("polynym.login").joinpath("templates", "login.css").read_text()
    return text, "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
