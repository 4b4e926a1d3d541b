"""Clocks: a sandbox's time goes only forward, and every process of a world shares it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polynym.core.clock import DAY_MS, HOUR_MS, LATEST_MS, SandboxClock, SystemClock, parse_duration
from polynym.core.db import Db

START_MS = 1_700_000_000_000


class Machine:
    """A machine's clock that a test turns."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> SandboxClock:
    return SandboxClock(machine)


async def test_it_starts_as_real_time(clock: SandboxClock, machine: Machine, db: Db) -> None:
    await clock.load(db)
    machine.ms += 1_234
    assert clock.now_ms() == START_MS + 1_234
    assert (clock.frozen, clock.factor) == (False, 1.0)


async def test_it_advances_and_runs_on(clock: SandboxClock, machine: Machine, db: Db) -> None:
    assert await clock.advance(db, 25 * HOUR_MS) == START_MS + 25 * HOUR_MS
    machine.ms += 10
    assert clock.now_ms() == START_MS + 25 * HOUR_MS + 10


async def test_frozen_it_stands_and_still_advances(clock: SandboxClock, machine: Machine, db: Db) -> None:
    assert await clock.freeze(db) == START_MS
    machine.ms += HOUR_MS
    assert clock.now_ms() == START_MS
    assert await clock.advance(db, 5) == START_MS + 5
    assert clock.frozen
    machine.ms += HOUR_MS
    assert await clock.resume(db) == START_MS + 5
    machine.ms += 7
    assert clock.now_ms() == START_MS + 12


async def test_it_runs_faster_and_slower_without_a_jump(clock: SandboxClock, machine: Machine, db: Db) -> None:
    assert await clock.scale(db, 60) == START_MS
    machine.ms += 1_000
    assert clock.now_ms() == START_MS + 60_000
    assert await clock.scale(db, 0.5) == START_MS + 60_000
    machine.ms += 1_000
    assert clock.now_ms() == START_MS + 60_500
    assert clock.factor == 0.5


@pytest.mark.parametrize("factor", [0, -1, 0.0001, 10**9, float("nan"), float("inf")])
async def test_an_impossible_scale_is_refused(clock: SandboxClock, db: Db, factor: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        await clock.scale(db, factor)


async def test_it_stays_between_1970_and_2100(clock: SandboxClock, machine: Machine, db: Db) -> None:
    for ms in (-1, LATEST_MS):
        with pytest.raises(ValueError, match="clock"):
            await clock.advance(db, ms)
    assert await clock.advance(db, LATEST_MS - START_MS) == LATEST_MS
    machine.ms += DAY_MS
    assert clock.now_ms() == LATEST_MS


async def test_another_process_notices_on_refresh(clock: SandboxClock, machine: Machine, db: Db) -> None:
    other = SandboxClock(machine)
    await other.load(db)
    await clock.advance(db, DAY_MS)
    assert other.now_ms() == START_MS
    assert await other.refresh(db)
    assert other.now_ms() == START_MS + DAY_MS
    assert not await other.refresh(db)
    await other.freeze(db)
    assert await clock.refresh(db)
    assert clock.frozen


async def test_changes_by_two_processes_add_up(clock: SandboxClock, machine: Machine, db: Db) -> None:
    other = SandboxClock(machine)
    await clock.advance(db, DAY_MS)
    assert await other.advance(db, HOUR_MS) == START_MS + DAY_MS + HOUR_MS


async def test_a_restart_finds_the_clock_as_it_was(clock: SandboxClock, machine: Machine, db: Db) -> None:
    await clock.scale(db, 10)
    await clock.advance(db, DAY_MS)
    machine.ms += 500
    again = SandboxClock(machine)
    await again.load(db)
    assert again.now_ms() == clock.now_ms() == START_MS + DAY_MS + 5_000


async def test_loading_an_earlier_snapshot_goes_back(clock: SandboxClock, db: Db) -> None:
    await clock.freeze(db)
    await clock.advance(db, DAY_MS)
    await db.run("UPDATE sandbox_clock SET frozen_ms = :ms, base_ms = :ms", ms=START_MS)
    await clock.refresh(db)
    assert clock.now_ms() == START_MS + DAY_MS
    await clock.load(db)
    assert clock.now_ms() == START_MS


steps = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(0, 400 * DAY_MS)),
        st.tuples(st.just("freeze"), st.none()),
        st.tuples(st.just("resume"), st.none()),
        st.tuples(st.just("scale"), st.floats(0.001, 10_000)),
        st.tuples(st.just("machine"), st.integers(-DAY_MS, DAY_MS)),
        st.tuples(st.just("other"), st.integers(0, DAY_MS)),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_it_never_goes_backwards_whatever_is_done(db: Db, steps: list[tuple[str, float | None]]) -> None:
    machine = Machine()
    clock, other = SandboxClock(machine), SandboxClock(machine)
    await db.run("DELETE FROM sandbox_clock")
    seen = clock.now_ms()
    for step, value in steps:
        if step == "machine":
            machine.ms += int(value or 0)
        elif step == "other":
            await other.refresh(db)
            await other.advance(db, int(value or 0))
            await clock.refresh(db)
        elif step == "advance":
            await clock.advance(db, int(value or 0))
        elif step == "scale":
            await clock.scale(db, value or 1)
        elif step == "freeze":
            await clock.freeze(db)
        else:
            await clock.resume(db)
        now_ms = clock.now_ms()
        assert now_ms >= seen
        seen = now_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("25h", 25 * HOUR_MS),
        ("90m", 5_400_000),
        ("30s", 30_000),
        ("7d", 7 * DAY_MS),
        ("1h30m", 5_400_000),
        ("500ms", 500),
        ("1d2h3m4s5ms", 93_784_005),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1.5h", "1 h", "1y", "1H", "9" * 15 + "d", "٣h", "1h\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


def test_the_system_clock_tells_time() -> None:
    clock = SystemClock()
    assert START_MS < clock.now_ms() < LATEST_MS
    assert clock.monotonic() <= clock.monotonic()
