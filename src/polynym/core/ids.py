"""Chance: every id, token and nonce. The only module that draws random bytes."""

from __future__ import annotations

import builtins
import os
import random
import struct
import weakref
from binascii import b2a_base64
from collections.abc import Callable

#: Scoped ids are 16 digits below 2^53, so that a JavaScript client keeps them exact. Object ids have 15.
SCOPED_ID_MIN = 10**15
SCOPED_ID_MAX = 9 * 10**15 - 1
OBJECT_ID_MIN = 10**14

_BUFFER_BYTES = 4096
_SCOPED_ID_COUNT = SCOPED_ID_MAX - SCOPED_ID_MIN + 1
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: 24 random bytes are at most this many base62 digits.
_TOKEN_DIGITS = 33
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Ids:
    """Random ids; with a seed, the same ones in the same order every time.

    Unseeded bytes come from the operating system, a buffer at a time, and are never used twice, not even by a fork.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._draw: Callable[[int], builtins.bytes] = os.urandom
        self._buffer = b""
        self._at = 0
        self._text = self._url_safe = ""
        self._text_at = 0
        if seed is not None:
            # A sandbox that must repeat itself asks for this; nothing secret is made with it in production.
            self._draw = random.Random(seed).randbytes  # noqa: S311
        else:
            forget = weakref.WeakMethod(self._forget)
            os.register_at_fork(after_in_child=lambda: _call(forget()))

    def scoped_id(self) -> int:
        """A person's id for one app or page: uniform in [10^15, 9·10^15)."""
        while True:
            number = int.from_bytes(self.bytes(7), "big") >> 3
            if number < _SCOPED_ID_COUNT:
                return SCOPED_ID_MIN + number

    def scoped_ids(self, count: int) -> list[int]:
        """That many scoped ids, not checked against each other; eight bytes are drawn for each, all at once."""
        made: list[int] = []
        while len(made) < count:
            wanted = count - len(made)
            drawn = struct.unpack(f">{wanted}Q", self.bytes(8 * wanted))
            made += [SCOPED_ID_MIN + number for each in drawn if (number := each >> 11) < _SCOPED_ID_COUNT]
        return made

    def object_id(self) -> str:
        """The public id of anything but a person: 15 digits, which no scoped id has."""
        while True:
            number = int.from_bytes(self.bytes(7), "big") >> 6
            if number < 9 * OBJECT_ID_MIN:
                return str(OBJECT_ID_MIN + number)

    def token(self, app_id: str) -> str:
        """An access token: letters and digits, 192 random bits. The app in it is decoration, not a claim."""
        secret = _base62(int.from_bytes(self.bytes(24), "big")).rjust(_TOKEN_DIGITS, "0")
        app = _base62(int(app_id)) if app_id.isascii() and app_id.isdigit() else ""
        return f"EAA{app}{secret}ZDZD"

    def app_token_part(self) -> str:
        """What follows `app_id|` in an issued app token: 27 url-safe characters."""
        return self.url_safe(27)

    def secret(self) -> str:
        """An app secret: 32 hex digits."""
        return self.bytes(16).hex()

    def client_token(self) -> str:
        """An app's client token: 32 hex digits."""
        return self.bytes(16).hex()

    def verify_token(self) -> str:
        """A webhook verify token, as proposed to a developer: 32 url-safe characters."""
        return self.url_safe(32)

    def trace_id(self) -> str:
        """An `fbtrace_id` as the platform writes it now: 23 url-safe characters, the first an A."""
        return "A" + self.url_safe(22)

    def short_trace_id(self) -> str:
        """An `fbtrace_id` as it was: 11 url-safe characters."""
        return self.url_safe(11)

    def debug_id(self) -> str:
        """An `x-fb-debug` value: 88 base64 characters."""
        at = self._characters(88)
        return self._text[at : at + 88]

    def request_ids(self) -> tuple[str, str, str]:
        """What every answer carries: request id (23 characters), short trace id (11), debug id (88)."""
        at = self._characters(121)
        text = self._url_safe
        return "A" + text[at : at + 22], text[at + 22 : at + 33], self._text[at + 33 : at + 121]

    def url_safe(self, count: int) -> str:
        """That many characters of `A-Za-z0-9-_`, at most 4096, six random bits each."""
        at = self._characters(count)
        return self._url_safe[at : at + count]

    def _characters(self, count: int) -> int:
        """Where in the buffered texts that many fresh characters are; encoding in bulk makes them cheap."""
        at = self._text_at
        if at + count > len(self._text):
            text = b2a_base64(self._draw(_BUFFER_BYTES * 3 // 4), newline=False)
            self._text, self._url_safe = text.decode("ascii"), text.translate(_URL_SAFE).decode("ascii")
            at = 0
        self._text_at = at + count
        return at

    def bytes(self, count: int) -> builtins.bytes:
        """That many random bytes."""
        end = self._at + count
        if end > len(self._buffer):
            if count > _BUFFER_BYTES:
                return self._draw(count)
            self._buffer = self._draw(_BUFFER_BYTES)
            self._at, end = 0, count
        taken = self._buffer[self._at : end]
        self._at = end
        return taken

    def _forget(self) -> None:
        self._buffer = b""
        self._text = self._url_safe = ""


def _call(forget: Callable[[], None] | None) -> None:
    if forget is not None:
        forget()


def _base62(number: int) -> str:
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
