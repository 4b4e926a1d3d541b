"""Ids of the same people in two scopes tell nothing about who is who (reliability B.6 case 9, I13)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from polynym.core.db import Db
from polynym.core.ids import SCOPED_ID_MAX, SCOPED_ID_MIN, Ids
from polynym.identity import store
from polynym.sandbox import acts
from tests.security import battery
from tests.support.demo import build_demo

PEOPLE = 40_000
MANY = 10_000
FEW = 200
#: So many act at once, fewer than there are connections.
TOGETHER = 8
#: Any two scope numbers; the ids must not depend on them.
SCOPES = (11, 12)


@pytest.fixture(scope="module")
def chance() -> random.Random:
    """Chance for the ids that are bad on purpose."""
    return random.Random(7)


async def test_forty_thousand_people_loaded_in_bulk_have_unlinkable_ids(db: Db) -> None:
    ids = Ids(20240501)
    pairs = [(person, scope) for person in range(1, PEOPLE + 1) for scope in SCOPES]
    made = await db.transaction(lambda tx: store.mint_many(tx, ids, pairs))
    first, second = made[::2], made[1::2]
    assert battery.findings(first, second, range(PEOPLE)) == []
    # What was answered is what was stored, in both directions.
    for person in (1, 2, PEOPLE // 2, PEOPLE):
        assert await store.id_in_scope(db, person, SCOPES[0]) == first[person - 1]
        assert await store.person_by_scoped_id(db, second[person - 1], SCOPES[1]) == person
        assert await store.person_by_scoped_id(db, second[person - 1], SCOPES[0]) is None
    row = await db.one("SELECT COUNT(*) AS ids, MIN(id) AS lowest, MAX(id) AS highest FROM scoped_id")
    assert row is not None
    assert row["ids"] == 2 * PEOPLE
    assert SCOPED_ID_MIN <= row["lowest"] < row["highest"] <= SCOPED_ID_MAX


async def test_people_who_log_in_and_write_one_by_one_have_unlinkable_ids(db: Db, tmp_path: Path) -> None:
    demo = await build_demo(db, tmp_path / "data", seed="11")
    ctx = demo.world.ctx()
    people = [store.NewPerson(name=f"Person {number}", key=f"p{number}") for number in range(FEW)]
    await db.transaction(lambda tx: store.create_people(tx, 0, people))

    async def meet(number: int) -> tuple[int, int]:
        logged_in = await acts.log_in(ctx, {"person": f"p{number}", "app": "movie"})
        said = await acts.say(ctx, {"person": f"p{number}", "page": "coffee", "text": "hi"})
        return int(logged_in["asid"]), int(said["psid"])

    met = []
    for start in range(0, FEW, TOGETHER):
        met += await asyncio.gather(*map(meet, range(start, min(start + TOGETHER, FEW))))
    asids, psids = [asid for asid, _ in met], [psid for _, psid in met]
    assert battery.findings(asids, psids, range(FEW)) == []


async def test_leaving_and_coming_back_gives_an_id_that_does_not_resemble_the_old_one(db: Db, tmp_path: Path) -> None:
    demo = await build_demo(db, tmp_path / "data", seed="12")
    ctx = demo.world.ctx()
    people = [store.NewPerson(name=f"Person {number}", key=f"p{number}") for number in range(FEW)]
    await db.transaction(lambda tx: store.create_people(tx, 0, people))
    before, after = [], []
    for number in range(FEW):
        body = {"person": f"p{number}", "app": "movie"}
        before.append(int((await acts.log_in(ctx, body))["asid"]))
        await acts.leave(ctx, body)
        after.append(int((await acts.log_in(ctx, body))["asid"]))
    assert not set(before) & set(after)
    assert battery.findings(before, after, range(FEW)) == []


# ------------------------------------------------------------------------------------- the battery finds what it must

Bad = Callable[[random.Random, int], tuple[list[int], list[int]]]


def _sequence(_chance: random.Random, size: int) -> tuple[list[int], list[int]]:
    first = [SCOPED_ID_MIN + 2 * number for number in range(size)]
    return first, [number + 1 for number in first]


def _snowflake(chance: random.Random, size: int) -> tuple[list[int], list[int]]:
    def made(place: int, scope: int) -> int:
        return SCOPED_ID_MIN + (place * 3 << 22 | scope << 12 | chance.randrange(4096))

    return [made(place, 1) for place in range(size)], [made(place, 2) for place in range(size)]


def _masked(chance: random.Random, size: int) -> tuple[list[int], list[int]]:
    first = [chance.randrange(SCOPED_ID_MIN, SCOPED_ID_MAX) for _ in range(size)]
    return first, [number ^ 0x5A5A5A5A for number in first]


def _shifted(chance: random.Random, size: int) -> tuple[list[int], list[int]]:
    first = [chance.randrange(SCOPED_ID_MIN, SCOPED_ID_MAX - 10**12) for _ in range(size)]
    return first, [number + chance.randrange(10**12) for number in first]


def _shared_low_bits(chance: random.Random, size: int) -> tuple[list[int], list[int]]:
    def made(low: int) -> int:
        return (chance.randrange(SCOPED_ID_MIN, SCOPED_ID_MAX) >> 20 << 20) + low

    lows = [chance.randrange(2**20) for _ in range(size)]
    return [made(low) for low in lows], [made(low) for low in lows]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (_sequence, ["the two scopes correlate: 1.0000", "id and creation correlate: 1.0000", "the same difference"]),
        (_snowflake, ["the two scopes correlate: 1.0000", "id and creation correlate: 1.0000", "rank"]),
        (_masked, ["the two scopes correlate", "the same XOR occurs 10000 times"]),
        (_shifted, ["the two scopes correlate", "nearness"]),
        (_shared_low_bits, ["low bits"]),
    ],
)
def test_the_battery_finds_bad_ids(chance: random.Random, bad: Bad, expected: list[str]) -> None:
    first, second = bad(chance, MANY)
    found = battery.findings(first, second, range(MANY))
    assert all(any(text in finding for finding in found) for text in expected), found


def test_the_battery_lets_ids_from_the_systems_chance_pass() -> None:
    """Once in some thousand runs chance itself looks suspicious, so a second look decides."""
    for _ in range(2):
        ids = Ids()
        found = battery.findings(ids.scoped_ids(MANY), ids.scoped_ids(MANY), range(MANY))
        if not found:
            return
    raise AssertionError(found)
