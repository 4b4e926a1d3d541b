"""Time. The only module that reads the system's clock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from polynym.core.db import Db, Tx

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

#: A sandbox clock stays within 1970 … 2100.
EARLIEST_MS = 0
LATEST_MS = 4_102_444_800_000
SCALE_MAX = 1_000_000
#: The permille at which a sandbox's second is a real one.
SCALE_REAL = 1_000

_UNIT_MS = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS, "ms": 1}
_DURATION = re.compile(r"(?:\d{1,15}(?:d|h|ms|m|s))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+)(d|h|ms|m|s)", re.ASCII)


class Clock(Protocol):
    """What time it is in this world."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start, for timers, leases and measuring; a sandbox cannot bend them."""


class SystemClock:
    """The machine's own time."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Setting:
    """How a sandbox clock is set: the row of `sandbox_clock`, which every process of the world shares."""

    base_ms: int
    anchor_ms: int
    scale_permille: int = 1_000
    frozen_ms: int | None = None

    def at(self, system_ms: int) -> int:
        """The sandbox's time at a system time, kept within its bounds."""
        if self.frozen_ms is not None:
            return self.frozen_ms
        passed_ms = system_ms - self.anchor_ms
        if self.scale_permille != SCALE_REAL:
            passed_ms = passed_ms * self.scale_permille // 1_000
        now_ms = self.base_ms + passed_ms
        return now_ms if EARLIEST_MS <= now_ms <= LATEST_MS else min(max(now_ms, EARLIEST_MS), LATEST_MS)

    def moved_to(self, now_ms: int, system_ms: int, scale_permille: int | None = None) -> Setting:
        """The same clock, frozen or running, showing `now_ms` at this system time. Raises ValueError outside bounds."""
        if not EARLIEST_MS <= now_ms <= LATEST_MS:
            raise ValueError("the sandbox's clock goes from 1970 to 2100")
        frozen_ms = None if self.frozen_ms is None else now_ms
        return Setting(now_ms, system_ms, scale_permille or self.scale_permille, frozen_ms)


_ENSURE = """
    INSERT INTO sandbox_clock (id, frozen_ms, base_ms, anchor_ms, scale_permille)
    VALUES (1, CAST(:frozen_ms AS BIGINT), :base_ms, :anchor_ms, :scale_permille) ON CONFLICT (id) DO NOTHING
"""
_LOCK = "SELECT frozen_ms, base_ms, anchor_ms, scale_permille FROM sandbox_clock WHERE id = 1 FOR UPDATE"
_READ = "SELECT frozen_ms, base_ms, anchor_ms, scale_permille FROM sandbox_clock WHERE id = 1"
_WRITE = """
    UPDATE sandbox_clock SET frozen_ms = CAST(:frozen_ms AS BIGINT), base_ms = :base_ms, anchor_ms = :anchor_ms,
           scale_permille = :scale_permille WHERE id = 1
"""


class SandboxClock:
    """A clock that can be advanced, frozen and sped up. It never goes backwards, whatever the system's clock does.

    Its setting lives in the database. The process that changes it knows at once, others when they next `refresh`; the
    app calls that at least once a second. `load` takes over what is stored even when that is earlier, as after a
    restored snapshot.
    """

    def __init__(self, system: Clock | None = None) -> None:
        self._system = system or SystemClock()
        # Bound once: every call of the graph asks for the time.
        self._system_ms = self._system.now_ms
        system_ms = self._system_ms()
        self._setting = Setting(system_ms, system_ms)
        self._last_ms = EARLIEST_MS

    def now_ms(self) -> int:
        now_ms = self._setting.at(self._system_ms())
        if now_ms < self._last_ms:
            return self._last_ms
        self._last_ms = now_ms
        return now_ms

    def monotonic(self) -> float:
        return self._system.monotonic()

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._setting.frozen_ms is not None

    @property
    def factor(self) -> float:
        """How many of the sandbox's seconds pass in a real one, when it runs."""
        return self._setting.scale_permille / 1_000

    async def load(self, db: Db) -> None:
        """Take over the stored setting, or real time when there is none."""
        stored = await self._stored(db)
        system_ms = self._system.now_ms()
        self._last_ms = EARLIEST_MS
        self._setting = stored or Setting(system_ms, system_ms)

    async def refresh(self, db: Db) -> bool:
        """Notice what another process did to the clock; True when there was something."""
        stored = await self._stored(db)
        if stored is None or stored == self._setting:
            return False
        self._setting = stored
        return True

    async def advance(self, db: Db, ms: int) -> int:
        """Jump forward, frozen or running; the new time. Raises ValueError backwards and past 2100."""
        if ms < 0:
            raise ValueError("the sandbox's clock does not go backwards")
        return await self._change(db, lambda old, now_ms, at_ms: old.moved_to(now_ms + ms, at_ms))

    async def freeze(self, db: Db) -> int:
        """Stand still; the time at which."""

        def frozen(old: Setting, now_ms: int, at_ms: int) -> Setting:
            return Setting(now_ms, at_ms, old.scale_permille, now_ms)

        return await self._change(db, frozen)

    async def resume(self, db: Db) -> int:
        """Run on from where it stood, as fast as it did."""

        def running(old: Setting, now_ms: int, at_ms: int) -> Setting:
            return Setting(now_ms, at_ms, old.scale_permille)

        return await self._change(db, running)

    async def scale(self, db: Db, factor: float) -> int:
        """Let time pass `factor` times as fast, from now. Raises ValueError outside 0.001 … 1,000,000."""
        permille = round(factor * 1_000) if 0 < factor <= SCALE_MAX else 0
        if permille < 1:
            raise ValueError(f"the clock's scale is between 0.001 and {SCALE_MAX}")
        return await self._change(db, lambda old, now_ms, at_ms: old.moved_to(now_ms, at_ms, permille))

    async def _change(self, db: Db, change: Callable[[Setting, int, int], Setting]) -> int:
        """Store what `change` makes of (setting, sandbox time, system time); takes effect here with the commit."""

        async def store(tx: Tx) -> int:
            await tx.run(_ENSURE, **_columns(self._setting))
            row = await tx.one(_LOCK)
            assert row is not None
            old, system_ms = Setting(**dict(row)), self._system.now_ms()
            new = change(old, max(old.at(system_ms), self._last_ms), system_ms)
            await tx.run(_WRITE, **_columns(new))
            tx.after_commit(lambda: self._take(new))
            return new.base_ms

        return await db.transaction(store)

    def _take(self, setting: Setting) -> None:
        self._setting = setting
        # This time is told to whoever changed the clock, so it counts as seen.
        self._last_ms = max(self._last_ms, setting.base_ms)

    async def _stored(self, db: Db) -> Setting | None:
        row = await db.one(_READ)
        return Setting(**dict(row)) if row else None


def _columns(setting: Setting) -> dict[str, int | None]:
    return {
        "frozen_ms": setting.frozen_ms,
        "base_ms": setting.base_ms,
        "anchor_ms": setting.anchor_ms,
        "scale_permille": setting.scale_permille,
    }


def parse_duration(text: str) -> int:
    """Milliseconds of `25h`, `90m`, `30s`, `7d`, `500ms`, or several together: `1h30m`. Raises ValueError."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 25h, 90m, 30s, 7d, 500ms or 1h30m")
    total_ms = sum(int(number) * _UNIT_MS[unit] for number, unit in _DURATION_PART.findall(text))
    if total_ms > LATEST_MS:
        raise ValueError(f"{text!r} is longer than the sandbox's clock can go")
    return total_ms
