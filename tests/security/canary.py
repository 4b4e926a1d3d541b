"""Canaries: internal numbers and secrets that can be recognised wherever they turn up, and how they are looked for."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from tests.security import stage
from tests.security.stage import TOKENS, Token

FIRST_PERSON: Final = 777_000_777_000_001
FIRST_SCOPE: Final = 888_000_888_000_001
#: So many numbers after the first one are looked for.
NUMBERS: Final = 64
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PACKED: Final = re.compile(rb"[A-Za-z0-9+/_=-]{11,}")

#: What a world file says besides people and assets, so that everything that is kept has a canary in it.
EXTRAS: Final[Mapping[str, Any]] = {
    "polynym": 1,
    "people": [{"key": "canary", "name": "Cora Canary", "password": "canary-password-of-cora", "email": "cora@example.com"}],
    "apps": [
        {
            "key": "hooked", "id": "905519182640027", "name": "Hooked", "business": "x", "secret": "aa" * 16,
            "client_token": "bb" * 16, "roles": [{"person": "canary", "role": "developer"}],
            "webhooks": [
                {"object": "page", "callback_url": "http://127.0.0.1:9/hook", "verify_token": "canary-verify", "fields": ["messages"]}
            ],
        }
    ],
    "installs": [{"app": "hooked", "external_business_id": "shop-1", "business": "x", "by": "canary", "page": "thing"}],
}  # fmt: skip


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def _marks(first: int) -> tuple[bytes, ...]:
    """What all the numbers have in common as decimal, hexadecimal, base 62 and packed, either end first."""
    last = first + NUMBERS
    packed = first.to_bytes(7, "big")[:5]
    spellings = [(str(first), str(last)), (f"{first:x}", f"{last:x}"), (f"{first:X}", f"{last:X}")]
    spellings.append((_base62(first), _base62(last)))
    return (*(_common_start(*pair).encode() for pair in spellings), packed, packed[::-1])


def _common_start(one: str, other: str) -> str:
    length = next(place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return one[:length]


MARKS: Final = (*_marks(FIRST_PERSON), *_marks(FIRST_SCOPE))
SECRETS: Final = frozenset(
    {*stage.SECRETS.values(), "e5" * 16, "f6" * 16, "0d" * 16, "0e" * 16, "aa" * 16, "bb" * 16}
    | {stage.SECRET_KEY, stage.ADMIN_KEY, "canary-password-of-cora"}
)
CREDENTIALS: Final = SECRETS | {token.text for token in TOKENS} | {token.proof for token in TOKENS}


def unpacked(text: bytes) -> Iterator[bytes]:
    """The text, and whatever in it could be base64."""
    yield text
    for found in _PACKED.findall(text):
        for cut in range(4):
            part = found[cut:].rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
            try:
                yield base64.b64decode(part + b"=" * (-len(part) % 4))
            except binascii.Error:
                continue


def internal_numbers(text: bytes) -> list[bytes]:
    """Internal numbers in a text, however they are written."""
    return [mark for part in unpacked(text) for mark in MARKS if mark in part]


def credentials(text: bytes, sent: Token | None = None) -> list[str]:
    """Secrets, tokens and proofs in a text, but for those that the caller sent along itself."""
    for own in () if sent is None else (sent.text, sent.proof):
        for spelling in {own, quote(own), quote_plus(own), quote(own, safe=""), own.replace("|", "\\u007c")}:
            text = text.replace(spelling.encode(), b"")
    return [each for each in CREDENTIALS if each.encode() in text]
