"""PKCE as RFC 7636 has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.tokens import pkce

VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
VERIFIERS = st.text("abcXYZ019-._~", min_size=43, max_size=128)


def test_the_example_of_the_rfc_fits() -> None:
    assert pkce.challenge_of(VERIFIER, "S256") == CHALLENGE
    assert pkce.fits(VERIFIER, CHALLENGE, "S256")


@pytest.mark.parametrize(
    "verifier", [None, "", VERIFIER[:-1], VERIFIER + "A", CHALLENGE, VERIFIER + "=", "é" * 43, "a" * 129]
)
def test_nothing_else_does(verifier: str | None) -> None:
    assert not pkce.fits(verifier, CHALLENGE, "S256")


@given(VERIFIERS, VERIFIERS)
def test_a_verifier_fits_its_own_challenge_only(mine: str, other: str) -> None:
    for how in pkce.METHODS:
        assert pkce.fits(mine, pkce.challenge_of(mine, how), how)
        assert pkce.fits(other, pkce.challenge_of(mine, how), how) == (mine == other)
