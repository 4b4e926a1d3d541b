"""The visitor: a browser with a cookie, its language, whom it continued as, and the forms it sends.

Two cookies. `polynym_visitor` is random and binds forms to the browser they were shown in; `polynym_person` is sealed and
remembers whom the browser continued as. Both are HttpOnly and SameSite=Lax: no other site sends them with a POST.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from typing import Final

import msgspec

from polynym.core.ids import Ids
from polynym.core.seal import Keyring, SealError
from polynym.tokens.dialog import Asked
from polynym.wire import errors, signatures
from polynym.wire.errors import GraphError

VISITOR, PERSON = "polynym_visitor", "polynym_person"
#: How long a form may lie open.
FORM_MS: Final = 60 * 60 * 1000
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}\Z", re.ASCII)
_ATTRIBUTES: Final = "; Path=/; HttpOnly; SameSite=Lax"
_COOKIE_CHARS_MAX: Final = 400
_FORM: Final = "login form"
_WHO: Final = "sandbox login person"
_BUTTON: Final = "sandbox login button"


class Visitor:
    """Who is looking at the dialog."""

    def __init__(self, cookies: Mapping[str, str], locale: str, *, secure: bool = False) -> None:
        self._cookies = cookies
        self._attributes = _ATTRIBUTES + ("; Secure" if secure else "")
        self.locale = locale
        given = cookies.get(VISITOR, "")
        self.id: str | None = given if _ID.match(given) else None

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]], *, secure: bool = False) -> Visitor:
        """The visitor of a request, by its headers; `secure` cookies are for https only."""
        cookies: dict[str, str] = {}
        locale = "en_US"
        for name, value in headers:
            if name == b"cookie":
                cookies |= _cookies(value.decode("latin-1"))
            elif name == b"accept-language":
                locale = value.decode("latin-1").partition(",")[0].partition(";")[0].strip().replace("-", "_") or locale
        return cls(cookies, locale, secure=secure)

    def bound(self, ids: Ids) -> tuple[str, list[tuple[bytes, bytes]]]:
        """What forms are bound to, and the header that sets it at a first visit."""
        if self.id is not None:
            return self.id, []
        self.id = ids.url_safe(22)
        return self.id, [(b"Set-Cookie", f"{VISITOR}={self.id}{self._attributes}".encode())]

    def person(self, keyring: Keyring) -> int | None:
        """Whom this browser continued as."""
        try:
            return int(keyring.open(self._cookies.get(PERSON, ""), _WHO))
        except (SealError, ValueError):
            return None

    def remember(self, keyring: Keyring, person: int) -> tuple[bytes, bytes]:
        """The header that makes the browser remember whom it continued as."""
        return b"Set-Cookie", f"{PERSON}={keyring.seal(str(person), _WHO)}{self._attributes}".encode()


def _cookies(header: str) -> dict[str, str]:
    """Our two cookies. Everybody on this host shares the header, so whatever else is in it is skipped, not understood."""
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name in (VISITOR, PERSON) and len(value) <= _COOKIE_CHARS_MAX:
            found[name] = value
    return found


class _Sealed(msgspec.Struct):
    """What a form carries that its visitor must not change."""

    visitor: str
    request: str
    step: str
    person: int
    until_ms: int


def _request(asked: Asked) -> str:
    """What was asked for, all of it, so that a form answers that and nothing else."""
    values = [sorted(value) if isinstance(value, frozenset) else value for value in astuple(asked)]
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()


def seal_form(keyring: Keyring, visitor: str, asked: Asked, step: str, person: int, now_ms: int) -> str:
    """The hidden field of a form."""
    content = _Sealed(visitor, _request(asked), step, person, now_ms + FORM_MS)
    return keyring.seal(msgspec.json.encode(content).decode(), _FORM)


class Form:
    """A form that came back. Raises LOGIN_FORM when it is not one of ours, of this visitor, for this request, in time."""

    def __init__(
        self, fields: Mapping[str, str], visitor: Visitor, keyring: Keyring, asked: Asked, now_ms: int
    ) -> None:
        try:
            sealed = msgspec.json.decode(keyring.open(fields.get("form", ""), _FORM), type=_Sealed)
        except (SealError, msgspec.MsgspecError):
            raise GraphError(errors.LOGIN_FORM) from None
        bound = visitor.id is not None and signatures.constant_time_equal(sealed.visitor, visitor.id)
        if not bound or sealed.request != _request(asked) or sealed.until_ms < now_ms:
            raise GraphError(errors.LOGIN_FORM)
        self.step = sealed.step
        self.cancelled = "cancel" in fields
        self.person = sealed.person
        if sealed.step == "person" and not self.cancelled:
            # On the first screen the person is a button; later it is what was sealed.
            self.person = _number(keyring, fields.get("person", ""))
        self.scopes = frozenset(name.removeprefix("scope.") for name in fields if name.startswith("scope."))
        self.pages = _picked(fields, "page")
        self.businesses = _picked(fields, "business")


def seal_person(keyring: Keyring, person: int) -> str:
    """The value of the button that continues as a person: their number is nobody's business."""
    return keyring.seal(str(person), _BUTTON)


def _number(keyring: Keyring, sealed: str) -> int:
    try:
        return int(keyring.open(sealed, _BUTTON))
    except (SealError, ValueError):
        raise GraphError(errors.LOGIN_FORM) from None


def _picked(fields: Mapping[str, str], kind: str) -> frozenset[str] | None:
    """The assets that were ticked; None for all, those of the future included."""
    if fields.get(f"{kind}s") != "some":
        return None
    return frozenset(name.removeprefix(f"{kind}.") for name in fields if name.startswith(f"{kind}."))
