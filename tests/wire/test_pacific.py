"""Pacific time without a time zone database, checked against the rule's own turning points."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.wire.limits import CLOCK_MAX_MS, CLOCK_MIN_MS
from polynym.wire.pacific import pacific


def ms(*moment: int) -> int:
    """A UTC moment as epoch milliseconds."""
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("moment_ms", "text"),
    [
        (0, "Wednesday, 31-Dec-69 16:00:00 PST"),
        (1_711_839_600_000, "Saturday, 30-Mar-24 16:00:00 PDT"),
        (ms(2024, 3, 10, 9, 59, 59), "Sunday, 10-Mar-24 01:59:59 PST"),
        (ms(2024, 3, 10, 10), "Sunday, 10-Mar-24 03:00:00 PDT"),
        (ms(2024, 11, 3, 8, 59, 59), "Sunday, 03-Nov-24 01:59:59 PDT"),
        (ms(2024, 11, 3, 9), "Sunday, 03-Nov-24 01:00:00 PST"),
        (ms(2026, 3, 8, 10), "Sunday, 08-Mar-26 03:00:00 PDT"),
        (ms(2026, 11, 1, 9), "Sunday, 01-Nov-26 01:00:00 PST"),
        (ms(2006, 4, 2, 9, 59, 59), "Sunday, 02-Apr-06 01:59:59 PST"),
        (ms(2006, 4, 2, 10), "Sunday, 02-Apr-06 03:00:00 PDT"),
        (ms(2006, 10, 29, 9), "Sunday, 29-Oct-06 01:00:00 PST"),
        (ms(1986, 4, 27, 10), "Sunday, 27-Apr-86 03:00:00 PDT"),
        (ms(2024, 2, 29, 12), "Thursday, 29-Feb-24 04:00:00 PST"),
        (ms(2025, 1, 1, 7, 59, 59), "Tuesday, 31-Dec-24 23:59:59 PST"),
        (ms(2025, 1, 1, 8), "Wednesday, 01-Jan-25 00:00:00 PST"),
    ],
)
def test_known_moments(moment_ms: int, text: str) -> None:
    assert pacific(moment_ms) == text


@given(st.integers(CLOCK_MIN_MS, CLOCK_MAX_MS))
def test_every_moment_of_a_sandbox_clock_reads_back_as_itself(moment_ms: int) -> None:
    text, zone = pacific(moment_ms).rsplit(" ", 1)
    local = datetime.strptime(text, "%A, %d-%b-%y %H:%M:%S").replace(tzinfo=UTC)
    offset_s = {"PST": 8, "PDT": 7}[zone] * 3600
    # %y keeps only two digits of the year: compare within a century of 36525 days at most.
    century_s = (int(local.timestamp()) + offset_s - moment_ms // 1000) % (36_525 * 86_400)
    assert century_s == 0
