"""How long tokens live and what each death says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.tokens import lifetime
from polynym.tokens.lifetime import REASONS, death, died_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TIMES = st.integers(0, 4_102_444_800_000)

DEATHS = {
    "password_changed": 460, "deauthorized": 458, "logged_out": 467, "revoked": 467, "role_lost": 492, "checkpoint": 459,
    "blocked": 490, "unconfirmed": 464, "secret_reset": None, "uninstalled": None,
}  # fmt: skip


@given(TIMES)
def test_a_short_user_token_lives_one_to_two_hours_and_ends_on_the_hour(now_ms) -> None:
    expires_ms = lifetime.short_user_expiry(now_ms)
    assert HOUR_MS < expires_ms - now_ms <= 2 * HOUR_MS
    assert expires_ms % HOUR_MS == 0


@given(TIMES)
def test_a_short_token_is_not_long_lived_and_a_long_one_is(now_ms) -> None:
    assert not lifetime.is_long_lived(now_ms, lifetime.short_user_expiry(now_ms))
    assert lifetime.is_long_lived(now_ms, lifetime.long_user_expiry(now_ms))


def test_a_long_user_token_lives_60_days() -> None:
    assert lifetime.expires_in_s(lifetime.long_user_expiry(1_000), 1_000) == 5_184_000


def test_the_documentations_5183944_seconds_are_60_days_less_56_seconds() -> None:
    assert lifetime.expires_in_s(lifetime.long_user_expiry(0), 56_000) == 5_183_944


def test_a_system_users_token_expires_only_when_asked_to() -> None:
    assert lifetime.system_user_expiry(0, in_60_days=False) is None
    assert lifetime.system_user_expiry(0, in_60_days=True) == 60 * DAY_MS


def test_a_page_token_from_a_short_user_token_expires_with_it() -> None:
    assert lifetime.page_expiry("user", 0, 2 * HOUR_MS) == 2 * HOUR_MS


@pytest.mark.parametrize(("kind", "expires_ms"), [("user", 60 * DAY_MS), ("user", None), ("system_user", 60 * DAY_MS)])
def test_a_page_token_from_a_long_lived_token_never_expires(kind, expires_ms) -> None:
    assert lifetime.page_expiry(kind, 0, expires_ms) is None


def test_the_data_access_window_closes_after_90_days() -> None:
    closes_ms = lifetime.data_access_expiry(0)
    assert closes_ms == 90 * DAY_MS
    assert not lifetime.data_access_over(closes_ms, closes_ms - 1)
    assert lifetime.data_access_over(closes_ms, closes_ms)
    assert not lifetime.data_access_over(None, closes_ms)


def test_never_is_zero_in_debug_token() -> None:
    assert (lifetime.unix_s(None), lifetime.unix_s(1_352_419_328_999)) == (0, 1_352_419_328)


def test_a_token_lives_until_the_millisecond_before_its_expiry() -> None:
    assert death("1", 5_000, None, None, 4_999) is None
    expired = death("1", 5_000, None, None, 5_000)
    assert expired is not None
    assert expired.entry.subcode == 463


def test_expiry_is_told_in_pacific_time_byte_for_byte() -> None:
    expired = death("1", 1_711_839_600_000, None, None, 1_711_922_287_000)
    assert expired is not None
    assert expired.message() == (
        "Error validating access token: Session has expired on Saturday, 30-Mar-24 16:00:00 PDT. "
        "The current time is Sunday, 31-Mar-24 14:58:07 PDT."
    )


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_has_its_subcode(reason) -> None:
    assert died_of(reason, "42").body(None, "t")["error"].get("error_subcode") == DEATHS[reason]
    assert died_of(reason, "42").entry.code == 190


def test_a_removed_app_is_named_in_the_error() -> None:
    assert died_of("deauthorized", "42").message() == (
        "Error validating access token: The user has not authorized application 42."
    )


@given(TIMES, TIMES, TIMES)
def test_what_came_first_is_what_a_token_died_of(expires_ms, dead_ms, now_ms) -> None:
    error = death("1", expires_ms, dead_ms, "password_changed", now_ms)
    assert error is not None
    assert error.entry.subcode == (463 if expires_ms <= now_ms and expires_ms <= dead_ms else 460)
