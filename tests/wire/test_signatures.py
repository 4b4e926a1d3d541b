"""Proofs, webhook signatures and signed requests: the platform's vectors pass, every variation fails."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.wire import limits
from polynym.wire.signatures import (
    HubAlgorithm,
    SignedRequestError,
    appsecret_proof,
    appsecret_proof_is_valid,
    hub_signature,
    hub_signature_headers,
    hub_signature_is_valid,
    parse_signed_request,
    proof_time_is_valid,
    signed_request,
)

SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "EAATESTTOKEN"
PROOF = "99cbac345910084e738e780a0d5a02f2421ea86e53d6f64eff41e367a76944c6"
TIMED_PROOF = "989f768775c1750cd0260f1e6c5494ad79b171137b4ba3b4c8c0cb4473b13813"
NOW_MS = 1_700_000_000_000
SIGNED = (
    "Z1xOb9Q159XUTFDJSk7ls-HOwCGK34QnCq4priV8mJs."
    "eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZF9hdCI6MTcwMDAwMDAwMCwidXNlcl9pZCI6IjIxODQ3MSJ9"
)
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))


def signed(payload: bytes | str, secret: str = SECRET) -> str:
    """A correctly signed request around any payload, to show that the payload is what is refused."""
    raw = payload.encode() if isinstance(payload, str) else payload
    encoded = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    mac = hmac.new(secret.encode(), encoded.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode() + "." + encoded


# --- appsecret_proof ---


@pytest.mark.parametrize(
    ("token", "time", "proof"),
    [
        (TOKEN, None, PROOF),
        (TOKEN, 1_700_000_000, TIMED_PROOF),
        (TOKEN, "1700000000", TIMED_PROOF),
        (
            f"123456789012345|{SECRET}",
            None,
            "3334889731bb0091c6b58319f3e4a6a38ab684f1f2a9cf3f3edda98abec6064a",
        ),
    ],
)
def test_proof_vectors(token: str, time: int | str | None, proof: str) -> None:
    assert appsecret_proof(token, SECRET, time) == proof


def test_the_right_proof_is_valid() -> None:
    assert appsecret_proof_is_valid(PROOF, TOKEN, SECRET, now_ms=NOW_MS)
    assert appsecret_proof_is_valid(TIMED_PROOF, TOKEN, SECRET, now_ms=NOW_MS, time="1700000000")


@pytest.mark.parametrize(
    "proof",
    [
        "", PROOF.upper(), PROOF[:-1], PROOF + "0", " " + PROOF, PROOF + "\n", TIMED_PROOF, "é" * 64, "\ud800",
        appsecret_proof("EAAOTHERTOKEN", SECRET), appsecret_proof(TOKEN, "another secret"),
    ],
)  # fmt: skip
def test_any_other_proof_is_refused(proof: str) -> None:
    assert not appsecret_proof_is_valid(proof, TOKEN, SECRET, now_ms=NOW_MS)


def test_a_proof_without_time_does_not_pass_with_one() -> None:
    assert not appsecret_proof_is_valid(PROOF, TOKEN, SECRET, now_ms=NOW_MS, time="1700000000")


@pytest.mark.parametrize("off_s", [-301, -300, 0, 300, 301])
def test_a_timed_proof_holds_for_300_seconds_either_way(off_s: int) -> None:
    now_ms = NOW_MS + off_s * 1000
    assert appsecret_proof_is_valid(TIMED_PROOF, TOKEN, SECRET, now_ms=now_ms, time="1700000000") is (abs(off_s) <= 300)


@pytest.mark.parametrize("time", ["", "+1700000000", "1700000000 ", "1_700_000_000", "17e8", "١٧٠٠٠٠٠٠٠٠", "9" * 5000])
def test_a_proof_time_is_plain_digits(time: str) -> None:
    assert not proof_time_is_valid(time, NOW_MS)
    assert not appsecret_proof_is_valid(appsecret_proof(TOKEN, SECRET, time), TOKEN, SECRET, now_ms=NOW_MS, time=time)


@given(ANY_TEXT, ANY_TEXT, st.none() | ANY_TEXT)
def test_whatever_is_sent_as_proof_is_answered(proof: str, token: str, time: str | None) -> None:
    assert not appsecret_proof_is_valid(proof, token, SECRET, now_ms=NOW_MS, time=time)


# --- X-Hub-Signature ---


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_webhook_is_signed_over_its_raw_body(algorithm: HubAlgorithm) -> None:
    body = b'{"object":"page"}'
    expected = f"{algorithm}={hmac.new(SECRET.encode(), body, algorithm).hexdigest()}"
    assert hub_signature(body, SECRET, algorithm) == expected
    assert hub_signature_is_valid(expected, body, SECRET, algorithm)


def test_both_headers_are_sent() -> None:
    headers = hub_signature_headers(b"{}", SECRET)
    assert hub_signature_is_valid(headers["X-Hub-Signature"], b"{}", SECRET, "sha1")
    assert hub_signature_is_valid(headers["X-Hub-Signature-256"], b"{}", SECRET)


@pytest.mark.parametrize(
    "header",
    [None, "", "sha256=", hub_signature(b"{}", SECRET)[7:], hub_signature(b"{}", SECRET).upper(), "sha256=é",
     hub_signature(b"{}", SECRET, "sha1"), hub_signature(b"{ }", SECRET), hub_signature(b"{}\n", SECRET),
     hub_signature(b"{}", SECRET) + ", " + hub_signature(b"{}", SECRET), hub_signature(b"{}", "other")],
)  # fmt: skip
def test_any_other_header_is_refused(header: str | None) -> None:
    assert not hub_signature_is_valid(header, b"{}", SECRET)


# --- signed_request ---


def test_the_vector_is_made_and_read() -> None:
    payload = {"issued_at": 1_700_000_000, "user_id": "218471"}
    assert signed_request(payload, SECRET) == SIGNED
    assert parse_signed_request(SIGNED, SECRET) == {"algorithm": "HMAC-SHA256", **payload}


@given(
    st.dictionaries(st.text(), st.integers() | st.text(alphabet=st.characters(exclude_categories=["Cs"])), max_size=5)
)
def test_what_is_signed_reads_back(payload: dict[str, object]) -> None:
    assert parse_signed_request(signed_request(payload, SECRET), SECRET) == payload | {"algorithm": "HMAC-SHA256"}


def test_a_payload_cannot_name_another_algorithm() -> None:
    assert parse_signed_request(signed_request({"algorithm": "none"}, SECRET), SECRET)["algorithm"] == "HMAC-SHA256"


@pytest.mark.parametrize(
    "algorithm", ["none", "HMAC-SHA1", "hmac-sha256", "HMAC-SHA256 ", "", None, 256, ["HMAC-SHA256"]]
)
def test_only_hmac_sha256_is_believed(algorithm: object) -> None:
    with pytest.raises(SignedRequestError):
        parse_signed_request(signed(json.dumps({"algorithm": algorithm, "user_id": "1"})), SECRET)


def test_a_payload_without_algorithm_is_refused() -> None:
    with pytest.raises(SignedRequestError):
        parse_signed_request(signed('{"user_id":"1"}'), SECRET)


SIGNATURE, PAYLOAD = SIGNED.split(".")


@pytest.mark.parametrize(
    "text",
    [
        "", ".", SIGNATURE, SIGNATURE + ".", "." + PAYLOAD, SIGNED + ".", "." + SIGNED, SIGNATURE + ".." + PAYLOAD,
        SIGNED + "=", SIGNATURE + "=." + PAYLOAD, SIGNED + " ", " " + SIGNED, SIGNED + "\n",
        SIGNED.replace("-", "+"),
        SIGNATURE[:-1] + "t." + PAYLOAD,  # the same 32 bytes, spare bits set
        SIGNATURE[:-1] + "." + PAYLOAD, "A" * 43 + "." + PAYLOAD, SIGNED.replace("1", "١"),
        SIGNED + "\ud800",
        PAYLOAD + "." + SIGNATURE, SIGNED[:-1],
    ],
)  # fmt: skip
def test_every_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(SignedRequestError):
        parse_signed_request(text, SECRET)


def test_the_signature_is_over_the_encoded_payload_and_under_this_secret() -> None:
    decoded = base64.urlsafe_b64decode(PAYLOAD + "==")
    over_decoded = base64.urlsafe_b64encode(hmac.new(SECRET.encode(), decoded, hashlib.sha256).digest())
    for text in (over_decoded.rstrip(b"=").decode() + "." + PAYLOAD, signed(decoded, "another secret")):
        with pytest.raises(SignedRequestError, match="does not fit"):
            parse_signed_request(text, SECRET)


@pytest.mark.parametrize(
    "payload",
    [
        "[]", '"x"', "null", "1", "{", b"\xff", b"\xef\xbb\xbf{}", "[" * 6_000, '{"a":' + "1" * 5_000 + "}",
        '{"algorithm":"HMAC-SHA256","a":NaN}', '{"algorithm":"none","algorithm":"HMAC-SHA256"}',
    ],
    ids=range(11),
)  # fmt: skip
def test_a_signed_payload_that_is_no_plain_object_is_refused(payload: bytes | str) -> None:
    with pytest.raises(SignedRequestError):
        parse_signed_request(signed(payload), SECRET)


def test_a_payload_with_spare_bits_is_refused() -> None:
    encoded = PAYLOAD + "A"  # one character more than whole bytes need
    mac = base64.urlsafe_b64encode(hmac.new(SECRET.encode(), encoded.encode(), hashlib.sha256).digest())
    with pytest.raises(SignedRequestError):
        parse_signed_request(mac.rstrip(b"=").decode() + "." + encoded, SECRET)


def test_length_is_bounded() -> None:
    room = limits.SIGNED_REQUEST_CHARS_MAX - len(signed_request({"a": ""}, SECRET))
    fits = signed_request({"a": "x" * (room * 3 // 4)}, SECRET)
    assert len(fits) <= limits.SIGNED_REQUEST_CHARS_MAX
    parse_signed_request(fits, SECRET)
    with pytest.raises(SignedRequestError, match="too long"):
        parse_signed_request(signed_request({"a": "x" * room}, SECRET), SECRET)


@pytest.mark.parametrize(
    ("payload", "good"),
    [
        ({"issued_at": 1_700_000_000 - 3600}, True),
        ({"issued_at": 1_700_000_000 - 3601}, False),
        ({"issued_at": 1_700_000_300}, True),
        ({"issued_at": 1_700_000_301}, False),
        ({"issued_at": 1_700_000_000, "expires": 0}, True),
        ({"issued_at": 1_700_000_000, "expires": 1_700_000_001}, True),
        ({"issued_at": 1_700_000_000, "expires": 1_700_000_000}, False),
        ({"issued_at": "1700000000"}, False),
        ({"issued_at": True}, False),
        ({}, False),
    ],
)
def test_age_is_checked_when_asked_for(payload: dict[str, object], good: bool) -> None:
    text = signed_request(payload, SECRET)
    parse_signed_request(text, SECRET)
    if good:
        parse_signed_request(text, SECRET, now_ms=NOW_MS, max_age_s=3600)
    else:
        with pytest.raises(SignedRequestError):
            parse_signed_request(text, SECRET, now_ms=NOW_MS, max_age_s=3600)


@given(ANY_TEXT)
def test_whatever_is_sent_as_signed_request_is_refused_quietly(text: str) -> None:
    with pytest.raises(SignedRequestError):
        parse_signed_request(text, SECRET)
