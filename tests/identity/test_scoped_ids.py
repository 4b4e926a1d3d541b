"""Scoped ids: made once, found both ways, bulk-loaded, forgotten."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.core.db import Tx, UniqueViolation
from polynym.core.ids import Ids
from polynym.identity import store
from polynym.identity.store import NewPerson
from polynym.identity.store.matches import business_token, make_business_token

from .conftest import GAME, JOHNS, MOVIE, MOVIE_ASID, NOW_MS, THING, THING_PSID, World


class RepeatingIds(Ids):
    """Chance that gives every scoped id several times."""

    def __init__(self, numbers: list[int]) -> None:
        super().__init__(1)
        self.numbers = iter([number for number in numbers for _ in range(2)])

    def scoped_id(self) -> int:
        return next(self.numbers)


async def test_a_person_has_one_id_in_a_scope(world: World) -> None:
    scope = world.apps[GAME].scope
    first = await world.tx(lambda tx: store.scoped_id(tx, world.ids, world.owner, scope))
    assert await world.tx(lambda tx: store.scoped_id(tx, world.ids, world.owner, scope)) == first
    assert 10**15 <= first < 9 * 10**15
    assert await store.id_in_scope(world.db, world.owner, scope) == first
    assert await store.person_by_scoped_id(world.db, first, scope) == world.owner


async def test_an_id_means_nothing_in_another_scope(world: World) -> None:
    assert await store.person_by_scoped_id(world.db, int(THING_PSID), world.pages[THING].scope) == world.john
    for scope in world.scopes():
        if scope != world.pages[THING].scope:
            assert await store.person_by_scoped_id(world.db, int(THING_PSID), scope) is None


async def test_a_taken_id_is_not_given_twice(world: World) -> None:
    scope, other = world.apps[GAME].scope, world.apps[MOVIE].scope
    twice = RepeatingIds([10**15, 10**15 + 1, 10**15 + 2])
    made = [await world.tx(lambda tx, s=s: store.scoped_id(tx, twice, world.owner, s)) for s in (scope, other)]  # type: ignore[misc]
    assert made == [10**15, 10**15 + 1]


async def test_a_fixed_id_is_kept_or_refused(world: World) -> None:
    scope = world.apps[MOVIE].scope
    john, owner = world.john, world.owner
    assert await world.tx(lambda tx: store.scoped_id(tx, world.ids, john, scope, int(MOVIE_ASID))) == int(MOVIE_ASID)
    for person, fixed in ((john, 77), (owner, int(MOVIE_ASID)), (owner, int(GAME))):
        with pytest.raises(store.Duplicate):
            await world.tx(lambda tx, p=person, f=fixed: store.scoped_id(tx, world.ids, p, scope, f))  # type: ignore[misc]


async def test_forgetting_a_scope_leaves_no_row_and_the_return_brings_a_new_id(world: World) -> None:
    scope = world.apps[MOVIE].scope
    assert await world.tx(lambda tx: store.forget_scope(tx, world.john, scope))
    assert not await world.tx(lambda tx: store.forget_scope(tx, world.john, scope))
    assert await store.id_in_scope(world.db, world.john, scope) is None
    assert await store.person_by_scoped_id(world.db, int(MOVIE_ASID), scope) is None
    assert await world.tx(lambda tx: store.scoped_id(tx, world.ids, world.john, scope)) != int(MOVIE_ASID)


async def test_token_for_business_ends_with_the_last_app_of_the_business(world: World) -> None:
    token = await world.tx(lambda tx: make_business_token(tx, world.ids, world.john, JOHNS))
    assert await world.tx(lambda tx: make_business_token(tx, world.ids, world.john, JOHNS)) == token
    await world.tx(lambda tx: store.forget_scope(tx, world.john, world.apps[MOVIE].scope))
    assert await business_token(world.db, world.john, JOHNS) == token
    await world.tx(lambda tx: store.forget_scope(tx, world.john, world.apps[GAME].scope))
    assert await business_token(world.db, world.john, JOHNS) is None


async def test_many_ids_are_made_in_order_and_found(world: World) -> None:
    people = await world.tx(lambda tx: store.create_people(tx, NOW_MS, [NewPerson(name="P Q")] * 300))
    pairs = [(person, scope) for person in people for scope in world.scopes()]
    made = await world.tx(lambda tx: store.mint_many(tx, world.ids, pairs))
    assert len(set(made)) == len(pairs)
    for number, (person, scope) in list(zip(made, pairs, strict=True))[::97]:
        assert await store.person_by_scoped_id(world.db, number, scope) == person
        assert await store.id_in_scope(world.db, person, scope) == number


async def test_many_ids_survive_a_collision_with_a_stored_one(world: World) -> None:
    scope = world.apps[GAME].scope
    people = await world.tx(lambda tx: store.create_people(tx, NOW_MS, [NewPerson(name="P Q")] * 2))
    await world.tx(lambda tx: store.add_scoped_ids(tx, [(10**15, world.owner, scope)]))
    chance = RepeatingIds([10**15 + each for each in range(8)])
    made = await world.tx(lambda tx: store.mint_many(tx, chance, [(person, scope) for person in people]))
    assert 10**15 not in made
    assert len(set(made)) == 2


async def test_loading_refuses_a_second_id_for_the_same_pair(world: World) -> None:
    with pytest.raises(UniqueViolation):
        await world.tx(lambda tx: store.mint_many(tx, world.ids, [(world.john, world.apps[GAME].scope)]))


async def test_ids_of_one_person_in_two_scopes_come_in_no_order(world: World) -> None:
    async def load(tx: Tx) -> list[int]:
        people = await store.create_people(tx, NOW_MS, [NewPerson(name="P Q")] * 500)
        return await store.mint_many(tx, world.ids, [(p, world.apps[GAME].scope) for p in people])

    made = await world.tx(load)
    rising = sum(a < b for a, b in pairwise(made))
    assert 180 < rising < 320, "half of the neighbours, give or take six standard deviations"


@given(st.integers(1, 2**63 - 1))
def test_every_number_that_fits_is_an_id(number: int) -> None:
    assert store.parse_id(str(number)) == number


@pytest.mark.parametrize(
    "text",
    ["", "0", "01", "-1", "+1", " 1", "1 ", "1.0", "1e3", "٣", "１", "²", "x", "9223372036854775808", "9" * 5000],
)
def test_everything_else_is_none(text: str) -> None:
    assert store.parse_id(text) is None
