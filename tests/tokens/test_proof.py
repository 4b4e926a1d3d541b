"""appsecret_proof: who must show one, and what counts as one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.core.ctx import Caller, CallerApp
from polynym.tokens.authenticate import Authenticator
from polynym.tokens.proof import check_proof
from polynym.wire import errors, signatures
from polynym.wire.errors import GraphError

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "fedcba9876543210fedcba9876543210"
TOKEN = "EAATESTTOKEN"
NOW_MS = 1_700_000_000_000
PLAIN = "99cbac345910084e738e780a0d5a02f2421ea86e53d6f64eff41e367a76944c6"
TIMED = "989f768775c1750cd0260f1e6c5494ad79b171137b4ba3b4c8c0cb4473b13813"
APP_TOKEN = "123456789012345|0123456789abcdef0123456789abcdef"
APP_PROOF = "3334889731bb0091c6b58319f3e4a6a38ab684f1f2a9cf3f3edda98abec6064a"


def caller(token: str = TOKEN, *, switched_on: bool = False, kind: Any = "page", literal: bool = False) -> Caller:
    app = CallerApp("123456789012345", 1, "App", SECRET, require_app_secret=switched_on)
    return Caller(kind, token, "hash", app, signatures.appsecret_proof(token, SECRET), literal=literal)


def verdict(
    who: Caller, params: dict[str, Any], *, required: bool = False, repeated: str = "", now_ms: int = NOW_MS
) -> str:
    """accepted, or the name of the error."""
    try:
        check_proof(who, params, frozenset(repeated.split()), lambda: now_ms, required=required)
    except GraphError as error:
        return error.entry.name
    return "accepted"


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("switched_on", [True, False])
def test_the_right_proof_is_accepted_whether_needed_or_not(required, switched_on) -> None:
    who = caller(switched_on=switched_on)
    assert verdict(who, {"appsecret_proof": PLAIN}, required=required) == "accepted"
    assert verdict(who, {"appsecret_proof": TIMED, "appsecret_time": "1700000000"}, required=required) == "accepted"


def test_the_documented_vectors_are_ours() -> None:
    assert verdict(caller(APP_TOKEN, kind="app"), {"appsecret_proof": APP_PROOF}) == "accepted"
    assert verdict(caller(), {"appsecret_proof": TIMED, "appsecret_time": 1700000000}) == "accepted"


WRONG = {
    "upper-case hex": PLAIN.upper(),
    "truncated": PLAIN[:-1],
    "longer": PLAIN + "0",
    "a blank behind": PLAIN + " ",
    "empty": "",
    "of another token": signatures.appsecret_proof("EAAOTHER", SECRET),
    "of another app": signatures.appsecret_proof(TOKEN, OTHER_SECRET),
    "with a time that is not sent": TIMED,
    "not ASCII": "９" * 64,
    "a lone surrogate": "\ud800" * 64,
    "not a text": 99,
    "a list": [PLAIN],
    "true": True,
}


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("proof", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_proof_is_refused_even_where_none_was_needed(proof, required) -> None:
    assert verdict(caller(), {"appsecret_proof": proof}, required=required) == "PROOF_INVALID"


@pytest.mark.parametrize("repeated", ["appsecret_proof", "appsecret_time"])
def test_a_parameter_that_comes_twice_is_refused(repeated) -> None:
    timed = {"appsecret_proof": TIMED, "appsecret_time": "1700000000"}
    assert verdict(caller(), timed, repeated=repeated) == "PROOF_INVALID"


def test_other_parameters_may_come_twice() -> None:
    assert verdict(caller(), {"appsecret_proof": PLAIN}, repeated="fields") == "accepted"


def test_a_time_without_a_proof_is_refused() -> None:
    assert verdict(caller(), {"appsecret_time": "1700000000"}) == "PROOF_INVALID"


def test_a_proof_without_its_time_and_a_time_beside_a_plain_proof_are_refused() -> None:
    assert verdict(caller(), {"appsecret_proof": PLAIN, "appsecret_time": "1700000000"}) == "PROOF_INVALID"


@pytest.mark.parametrize(("off_s", "expected"), [
    (-301, "PROOF_INVALID"), (-300, "accepted"), (0, "accepted"), (300, "accepted"), (301, "PROOF_INVALID"),
])  # fmt: skip
def test_a_time_may_be_300_seconds_off_in_either_direction(off_s, expected) -> None:
    time = str(NOW_MS // 1000 + off_s)
    proof = signatures.appsecret_proof(TOKEN, SECRET, time)
    assert verdict(caller(), {"appsecret_proof": proof, "appsecret_time": time}) == expected


@pytest.mark.parametrize(
    "time", ["", "now", "1700000000.0", "-1", "+1700000000", " 1700000000", "١٧٠٠٠٠٠٠٠٠", True, [], "1" * 400]
)
def test_a_time_that_is_not_unix_seconds_is_refused(time) -> None:
    proof = signatures.appsecret_proof(TOKEN, SECRET, str(time))
    assert verdict(caller(), {"appsecret_proof": proof, "appsecret_time": time}) == "PROOF_INVALID"


def test_an_edge_that_demands_a_proof_demands_it_from_everybody() -> None:
    for who in (caller(), caller(kind="app", literal=True), caller(kind="client")):
        assert verdict(who, {}, required=True) == "PROOF_REQUIRED"
        assert verdict(who, {"callback": "f"}, required=True) == "PROOF_REQUIRED"


def test_the_apps_switch_demands_a_proof() -> None:
    assert verdict(caller(switched_on=True), {}) == "PROOF_REQUIRED"
    assert verdict(caller(switched_on=True, kind="app"), {}) == "PROOF_REQUIRED"
    assert verdict(caller(), {}) == "accepted"


def test_the_switch_does_not_bind_the_literal_secret_client_tokens_and_jsonp() -> None:
    assert verdict(caller(APP_TOKEN, switched_on=True, kind="app", literal=True), {}) == "accepted"
    assert verdict(caller(switched_on=True, kind="client"), {}) == "accepted"
    assert verdict(caller(switched_on=True), {"callback": "f"}) == "accepted"
    assert verdict(caller(switched_on=True), {"callback": ""}) == "PROOF_REQUIRED"


def test_who_need_not_show_a_proof_may_still_not_show_a_wrong_one() -> None:
    who = caller(APP_TOKEN, switched_on=True, kind="app", literal=True)
    assert verdict(who, {"appsecret_proof": PLAIN}) == "PROOF_INVALID"
    assert verdict(caller(switched_on=True), {"appsecret_proof": "", "callback": "f"}) == "PROOF_INVALID"


def test_both_errors_are_the_platforms_own() -> None:
    assert errors.PROOF_INVALID.message == "Invalid appsecret_proof provided in the API argument"
    assert errors.PROOF_REQUIRED.message == "API calls from the server require an appsecret_proof argument"
    assert {(e.code, e.type) for e in (errors.PROOF_INVALID, errors.PROOF_REQUIRED)} == {(100, "GraphMethodException")}


def test_the_authenticator_offers_the_check_to_the_graph() -> None:
    assert Authenticator.check_proof is check_proof


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=3)


@given(ANYTHING, ANYTHING, st.booleans())
def test_nothing_but_the_proof_is_ever_accepted_as_one(proof, time, required) -> None:
    params = {"appsecret_proof": proof, "appsecret_time": time}
    expected = "PROOF_INVALID"
    if proof is None and time is None:
        expected = "PROOF_REQUIRED" if required else "accepted"
    assert verdict(caller(), params, required=required) == expected
