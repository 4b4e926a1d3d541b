"""The platform's HMACs: appsecret_proof, X-Hub-Signature(-256), signed_request. All compare in constant time.

Everything that checks takes whatever a stranger sent: any text, of any length, answers no and nothing worse.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Final, Literal, NoReturn

from polynym.wire import limits

#: The hash of a webhook signature: `X-Hub-Signature` is sha1, the newer `X-Hub-Signature-256` is sha256.
HubAlgorithm = Literal["sha1", "sha256"]

_SIGNED_REQUEST_ALGORITHM: Final = "HMAC-SHA256"
_UNIX_TIME: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNED_REQUEST: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]+)")


class SignedRequestError(ValueError):
    """A signed_request that must not be believed; the text says why, for the log and not for the sender."""


def constant_time_equal(left: str, right: str) -> bool:
    """Compare two texts without telling by the time taken where they differ. Any characters will do."""
    return hmac.compare_digest(_bytes(left), _bytes(right))


# --- appsecret_proof ---


def appsecret_proof(token: str, secret: str, time: int | str | None = None) -> str:
    """The proof of a token under its app's secret: 64 lower-case hex digits.

    With `time` (unix seconds, sent as appsecret_time) the proof is good for PROOF_TIME_TOLERANCE_S only.
    """
    message = token if time is None else f"{token}|{time}"
    return hmac.new(_bytes(secret), _bytes(message), hashlib.sha256).hexdigest()


def appsecret_proof_is_valid(proof: str, token: str, secret: str, *, now_ms: int, time: str | None = None) -> bool:
    """Check a proof and, if appsecret_time came with it, that time: at most 300 s off in either direction.

    A proof made with a time does not pass without it, nor the reverse. Upper-case hex is refused.
    """
    in_time = time is None or proof_time_is_valid(time, now_ms)
    fits = constant_time_equal(proof, appsecret_proof(token, secret, time))
    return fits and in_time


def proof_time_is_valid(time: str, now_ms: int) -> bool:
    """Whether an appsecret_time is unix seconds in plain digits and in tolerance, both ends included."""
    if _UNIX_TIME.fullmatch(time) is None:
        return False
    return abs(int(time) * 1000 - now_ms) <= limits.PROOF_TIME_TOLERANCE_S * 1000


# --- X-Hub-Signature ---


def hub_signature(body: bytes, secret: str, algorithm: HubAlgorithm = "sha256") -> str:
    """The value of one signature header over the raw body, such as `sha256=1f…`."""
    return f"{algorithm}={hmac.new(_bytes(secret), body, algorithm).hexdigest()}"


def hub_signature_headers(body: bytes, secret: str) -> dict[str, str]:
    """Both headers of a webhook; receivers exist that know only one of them."""
    return {
        "X-Hub-Signature": hub_signature(body, secret, "sha1"),
        "X-Hub-Signature-256": hub_signature(body, secret, "sha256"),
    }


def hub_signature_is_valid(header: str | None, body: bytes, secret: str, algorithm: HubAlgorithm = "sha256") -> bool:
    """Check one signature header against the raw body, byte for byte as it came. No header is no."""
    return constant_time_equal(header or "", hub_signature(body, secret, algorithm))


# --- signed_request ---


def signed_request(payload: Mapping[str, object], secret: str) -> str:
    """Sign a payload. `algorithm` is put first; the signature is over the encoded payload."""
    algorithm = {"algorithm": _SIGNED_REQUEST_ALGORITHM}
    content = algorithm | dict(payload) | algorithm
    encoded = _encode(json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii"))
    return f"{_encode(_request_mac(encoded, secret))}.{encoded}"


def parse_signed_request(
    text: str, secret: str, *, now_ms: int | None = None, max_age_s: int | None = None
) -> dict[str, object]:
    """The payload of a signed_request, once everything about it was checked. Raises SignedRequestError.

    HMAC-SHA256 and nothing else; the url-safe alphabet without padding, and one encoding only of equal bytes.
    With `now_ms` a request past its own `expires` is refused, and one from the future. With `max_age_s` too,
    `issued_at` must be there and not be older.
    """
    payload = _verified(text, secret)
    if payload.get("algorithm") != _SIGNED_REQUEST_ALGORITHM:
        raise SignedRequestError("the algorithm is not HMAC-SHA256")
    if now_ms is not None:
        _check_age(payload, now_ms, max_age_s)
    return payload


def _verified(text: str, secret: str) -> dict[str, object]:
    if len(text) > limits.SIGNED_REQUEST_CHARS_MAX:
        raise SignedRequestError("too long")
    match = _SIGNED_REQUEST.fullmatch(text)
    if match is None:
        raise SignedRequestError("not two base64url parts with one dot between them")
    signature, encoded = match.groups()
    # Comparing texts, not bytes: the last character of a part has spare bits, which must be zero.
    if not constant_time_equal(signature, _encode(_request_mac(encoded, secret))):
        raise SignedRequestError("the signature does not fit")
    return _payload(encoded)


def _payload(encoded: str) -> dict[str, object]:
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        if _encode(raw) != encoded:
            raise SignedRequestError("the payload is not in canonical base64url")
        payload = json.loads(raw, object_pairs_hook=_unique, parse_constant=_refuse)
    except SignedRequestError:
        raise
    except (binascii.Error, ValueError, RecursionError):
        raise SignedRequestError("the payload is not JSON") from None
    if not isinstance(payload, dict):
        raise SignedRequestError("the payload is not an object")
    return payload


def _check_age(payload: Mapping[str, object], now_ms: int, max_age_s: int | None) -> None:
    tolerance_ms = limits.PROOF_TIME_TOLERANCE_S * 1000
    expires_s = _seconds(payload, "expires")
    # 0 is the platform's never.
    if expires_s and now_ms >= expires_s * 1000:
        raise SignedRequestError("expired")
    issued_s = _seconds(payload, "issued_at")
    if issued_s is not None and issued_s * 1000 > now_ms + tolerance_ms:
        raise SignedRequestError("issued in the future")
    if max_age_s is not None and (issued_s is None or now_ms - issued_s * 1000 > max_age_s * 1000):
        raise SignedRequestError("too old, or not dated")


def _seconds(payload: Mapping[str, object], name: str) -> int | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise SignedRequestError(f"{name} is not a number of seconds")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise SignedRequestError("a key comes twice")
    return content


def _refuse(constant: str) -> NoReturn:
    raise SignedRequestError(f"{constant} is not JSON")


def _request_mac(encoded: str, secret: str) -> bytes:
    return hmac.new(_bytes(secret), encoded.encode("ascii"), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    # A lone surrogate cannot be encoded; "?" in its place compares unequal to any hex or base64 text.
    return text.encode("utf-8", "replace")
