"""PKCE (RFC 7636): who trades a code is who asked for it. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final, Literal

from polynym.wire import signatures

How = Literal["S256", "plain"]

METHODS: Final[tuple[How, ...]] = ("S256", "plain")
#: Both a verifier and a challenge: 43 to 128 unreserved characters.
_FORM: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z", re.ASCII)


def well_formed(text: str) -> bool:
    """Whether a text can be a verifier or a challenge."""
    return _FORM.match(text) is not None


def challenge_of(verifier: str, how: How) -> str:
    """The challenge that goes with a verifier: its base64url SHA-256 without padding, or itself."""
    if how == "plain":
        return verifier
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def fits(verifier: str | None, challenge: str, how: How) -> bool:
    """Whether the verifier is the one whose challenge was sent to the dialog."""
    if verifier is None or not well_formed(verifier):
        return False
    return signatures.constant_time_equal(challenge_of(verifier, how), challenge)
