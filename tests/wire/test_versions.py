"""Which versions exist, which one serves a call, what each sees."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.wire.versions import (
    DEFAULT,
    GATES,
    NEWEST,
    OLDEST,
    RELEASES,
    Gate,
    at_least,
    effective,
    oldest_usable,
    parse_version,
    version_text,
)

MOMENTS = st.integers(0, 4_102_444_800_000)
KNOWN = st.sampled_from([release.version for release in RELEASES])


def ms(year: int, month: int, day: int) -> int:
    """Midnight UTC as epoch milliseconds."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


def test_v2_3_is_the_oldest_and_v26_the_newest_and_default() -> None:
    assert (OLDEST, NEWEST, DEFAULT) == ((2, 3), (26, 0), (26, 0))


def test_releases_are_in_order_of_number_and_of_both_dates() -> None:
    assert [r.version for r in RELEASES] == sorted({r.version for r in RELEASES})
    assert [r.released for r in RELEASES] == sorted(r.released for r in RELEASES)
    ends = [r.until for r in RELEASES if r.until is not None]
    assert ends == sorted(ends)
    assert len(ends) == len(RELEASES) - 1


@given(KNOWN)
def test_every_version_reads_back_from_its_text(version: tuple[int, int]) -> None:
    assert parse_version(version_text(version)) == version


@pytest.mark.parametrize(
    "segment",
    [
        "v99.0",
        "v2.2",
        "v1.0",
        "v2.13",
        "v19",
        "V19.0",
        "v019.0",
        "v19.00",
        "19.0",
        "v19.0 ",
        "v١٩.0",
        "me",
        "",
    ],
)
def test_what_never_was_a_version_is_a_node_like_any_other(segment: str) -> None:
    assert parse_version(segment) is None


@given(st.text())
def test_any_segment_is_a_version_or_none(segment: str) -> None:
    parse_version(segment)


def test_versions_compare_as_numbers() -> None:
    assert at_least((2, 12), (2, 9))
    assert not at_least((2, 9), (2, 12))
    assert at_least((2, 9), (2, 9))


@given(KNOWN, MOMENTS)
def test_the_exact_policy_serves_what_was_asked_for_at_any_time(version: tuple[int, int], now_ms: int) -> None:
    assert effective(version, "exact", now_ms) == version


@given(KNOWN, MOMENTS)
def test_falling_forward_never_goes_back_nor_serves_a_retired_version(version: tuple[int, int], now_ms: int) -> None:
    served = effective(version, "fall_forward", now_ms)
    assert served == max(version, oldest_usable(now_ms))


@pytest.mark.parametrize(
    ("now_ms", "version"),
    [
        (ms(2016, 6, 1), (2, 3)),
        (ms(2026, 5, 21) - 1, (19, 0)),
        (ms(2026, 5, 21), (20, 0)),
        (ms(2030, 1, 1), (26, 0)),
    ],
)
def test_a_call_without_a_version_gets_the_oldest_usable_one(now_ms: int, version: tuple[int, int]) -> None:
    assert effective(None, "exact", now_ms) == version
    assert effective(None, "fall_forward", now_ms) == version


@pytest.mark.parametrize(
    ("gate", "version", "holds"),
    [
        ("id_matching", (2, 8), False), ("id_matching", (2, 9), True), ("id_matching", (2, 10), True),
        ("page_perms", (3, 0), True), ("page_perms", (3, 1), False),
        ("bare_subscribed_fields", (3, 1), True),
        ("bare_subscribed_fields", (3, 2), False), ("permission_403", (2, 12), False),
        ("permission_403", (3, 0), True),
        ("no_token_200", (17, 0), False), ("no_token_200", (18, 0), True),
        ("wide_default_fields", (2, 3), True),
        ("wide_default_fields", (2, 4), False), ("oauth_form_text", (2, 3), False),
    ],
)  # fmt: skip
def test_gates_turn_at_their_version(gate: str, version: tuple[int, int], holds: bool) -> None:
    assert GATES[gate].holds(version) is holds


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
def test_every_gate_has_one_side_and_a_source(gate: Gate) -> None:
    assert gate.source
    assert gate.text.endswith(".")
    assert (gate.since is None) != (gate.until is None)
