"""Moments as people write them: `-2h`, `+1d12h`, `2026-11-21T20:43:00Z`. Pure; epoch milliseconds inside."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from polynym.core.clock import EARLIEST_MS, LATEST_MS, parse_duration

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment_ms(text: str, now_ms: int) -> int:
    """Epoch milliseconds of `now`, of a time relative to `now_ms` (`-2h`, `+3d`) or of an ISO-8601 time.

    An ISO time without an offset is UTC, a bare date its first instant. Raises ValueError, also outside 1970 … 2100.
    """
    if text == "now":
        return now_ms
    if text[:1] in {"-", "+"}:
        sign = -1 if text[0] == "-" else 1
        return _bounded(now_ms + sign * parse_duration(text[1:]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("expected a time such as -2h, -3d or 2026-11-21T20:43:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _bounded((moment - _EPOCH) // timedelta(milliseconds=1))


def format_moment(moment_ms: int) -> str:
    """ISO-8601 in UTC with the milliseconds only where there are some."""
    moment = _EPOCH + timedelta(milliseconds=moment_ms)
    timespec = "milliseconds" if moment_ms % 1000 else "seconds"
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def birthday_of_age(age: int, now_ms: int) -> str:
    """The birthday (YYYY-MM-DD) of somebody who turns `age` today."""
    today = (_EPOCH + timedelta(milliseconds=now_ms)).date()
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return date(today.year - age, today.month, day).isoformat()


def is_date(text: str) -> bool:
    """Whether YYYY-MM-DD is a day of the calendar."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _bounded(moment_ms: int) -> int:
    if not EARLIEST_MS <= moment_ms < LATEST_MS:
        raise ValueError("a time between 1970 and 2100 is expected")
    return moment_ms
