"""Times as the platform prints them in messages: US Pacific, without a time zone database or a locale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STANDARD: Final = timedelta(hours=-8)
_DAYLIGHT: Final = timedelta(hours=-7)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: From a year on, newest first: daylight time lasts from the first Sunday on or after one (month, day) to another.
_RULES: Final = ((2007, (3, 8), (11, 1)), (1987, (4, 1), (10, 25)), (0, (4, 24), (10, 25)))


def pacific(moment_ms: int) -> str:
    """Epoch milliseconds as `Saturday, 30-Mar-24 16:00:00 PDT`, the form of every 190/463 message.

    Exact from 1987 on. Before that the rule of 1967 is used, which misses the energy-crisis years 1974 and
    1975.
    """
    utc = _EPOCH + timedelta(milliseconds=moment_ms)
    daylight = _is_daylight(utc)
    local = utc + (_DAYLIGHT if daylight else _STANDARD)
    day = f"{_DAYS[local.weekday()]}, {local.day:02d}-{_MONTHS[local.month - 1]}-{local.year % 100:02d}"
    return f"{day} {local.hour:02d}:{local.minute:02d}:{local.second:02d} {'PDT' if daylight else 'PST'}"


def _is_daylight(utc: datetime) -> bool:
    # Clocks turn at 02:00 wall time, which is 10:00 UTC in spring (UTC-8) and 09:00 UTC in autumn (UTC-7).
    # A spring or autumn turn never falls near New Year, so the UTC year is the local year wherever it
    # matters.
    begin, end = next((begin, end) for year, begin, end in _RULES if utc.year >= year)
    spring, autumn = _sunday(utc.year, *begin), _sunday(utc.year, *end)
    return spring + timedelta(hours=10) <= utc < autumn + timedelta(hours=9)


def _sunday(year: int, month: int, earliest: int) -> datetime:
    """Midnight of the first Sunday on or after the given day."""
    day = datetime(year, month, earliest, tzinfo=UTC)
    return day + timedelta(days=6 - day.weekday())
