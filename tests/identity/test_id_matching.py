"""ID matching as handlers answer it: the four use cases, their filters, the gate, and what must not show."""

from __future__ import annotations

from typing import Any

import pytest

from polynym.graph.paging import Window
from polynym.identity import store
from polynym.identity.id_matching import pages_id_mapping
from polynym.identity.nodes import USER
from polynym.identity.ownership import transfer
from polynym.identity.store.matches import Question, find, find_distributed
from polynym.wire import errors

from .conftest import (
    COFFEE,
    GAME,
    GAME_ASID,
    HOUR_MS,
    JOHNS,
    MOVIE,
    MOVIE_ASID,
    NOW_MS,
    RIVAL,
    RIVAL_APP,
    RIVAL_PAGE,
    THING,
    THING_PSID,
    World,
    refused,
    rows,
)

GAME_ROW = {
    "id": GAME_ASID,
    "app": {
        "category": "Business",
        "link": "https://www.facebook.com/games/?app_id=1419232575008550",
        "name": "John's Game App",
        "id": GAME,
    },
}
MOVIE_ROW = {
    "id": MOVIE_ASID,
    "app": {
        "link": "https://apps.facebook.com/johnsmovieappns/",
        "name": "JohnsMovieApp",
        "namespace": "johnsmovieappns",
        "id": MOVIE,
    },
}
THING_ROW = {
    "id": THING_PSID,
    "page": {
        "category": "Musician",
        "link": "https://www.facebook.com/Johns-Next-Great-Thing-380374449010653/",
        "name": "John's Next Great Thing",
        "id": THING,
    },
}


def ids(found: list[Any]) -> list[str]:
    return [row["id"] for row in found]


async def test_the_guides_first_example_answers_as_printed(world: World) -> None:
    answer = await world.read(world.by_app(MOVIE), MOVIE_ASID, "name,age_range,ids_for_apps,ids_for_pages")
    for edge in ("ids_for_apps", "ids_for_pages"):
        del answer[edge]["paging"]
    assert answer == {
        "name": "John Smith",
        "age_range": {"min": 21},
        "ids_for_apps": {"data": [GAME_ROW, MOVIE_ROW]},
        "ids_for_pages": {"data": [THING_ROW]},
        "id": MOVIE_ASID,
    }


async def test_the_guides_second_example_answers_as_printed(world: World) -> None:
    answer = await world.read(world.by_page(THING), THING_PSID, "name,is_payment_enabled,ids_for_apps,ids_for_pages")
    for edge in ("ids_for_apps", "ids_for_pages"):
        del answer[edge]["paging"]
    assert answer == {
        "name": "John Smith",
        "is_payment_enabled": True,
        "ids_for_apps": {"data": [GAME_ROW, MOVIE_ROW]},
        "ids_for_pages": {"data": [THING_ROW]},
        "id": THING_PSID,
    }


async def test_use_case_2_also_works_with_a_page_token_of_the_ids_app(world: World) -> None:
    ctx = world.by_page(THING, MOVIE)
    assert ids(await rows(ctx, USER, "ids_for_pages", MOVIE_ASID)) == [THING_PSID]
    with refused(errors.NO_SUCH_OBJECT):
        await rows(ctx, USER, "ids_for_pages", GAME_ASID)
    with refused(errors.NO_SUCH_OBJECT):
        await rows(ctx, USER, "ids_for_apps", MOVIE_ASID)


async def test_a_person_may_ask_about_themself_only(world: World) -> None:
    ctx = world.by_person(world.john, GAME_ASID)
    assert ids(await rows(ctx, USER, "ids_for_apps", GAME_ASID)) == [GAME_ASID, MOVIE_ASID]
    other = await world.log_in(world.owner, GAME)
    with refused(errors.NO_SUCH_OBJECT):
        await rows(ctx, USER, "ids_for_apps", other)


@pytest.mark.parametrize("edge", ["ids_for_apps", "ids_for_business"])
async def test_the_app_filter_picks_one_app(world: World, edge: str) -> None:
    assert ids(await rows(world.by_app(GAME), USER, edge, GAME_ASID, app=MOVIE)) == [MOVIE_ASID]


async def test_the_page_filter_has_two_names(world: World) -> None:
    psid = await world.write(world.john, COFFEE)
    ctx = world.by_page(THING)
    assert ids(await rows(ctx, USER, "ids_for_pages", THING_PSID, page=COFFEE)) == [psid]
    assert ids(await rows(ctx, USER, "ids_for_pages", THING_PSID, app=COFFEE)) == [psid]
    assert ids(await rows(ctx, USER, "ids_for_pages", THING_PSID, page=THING, app=COFFEE)) == [THING_PSID]


@pytest.mark.parametrize("only", [RIVAL_APP, THING, "123", "no such app", "٣", "0" + GAME, " "])
async def test_a_filter_that_names_no_own_asset_matches_nothing(world: World, only: str) -> None:
    assert await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID, app=only) == []
    assert await rows(world.by_app(GAME), USER, "ids_for_pages", GAME_ASID, page=RIVAL_PAGE) == []


@pytest.mark.parametrize(
    "wrong",
    ["1234567890123456", "0" + GAME_ASID, "١٢٣", "99999999999999999999", "9" * 400, GAME, THING, "-1", "1e3", "x"],
)
async def test_every_unknown_id_is_the_same_unknown_id(world: World, wrong: str) -> None:
    for edge in ("ids_for_apps", "ids_for_pages", "ids_for_business"):
        with refused(errors.NO_SUCH_OBJECT) as refusal:
            await rows(world.by_app(GAME), USER, edge, wrong)
        assert set(refusal.error.values) == {"verb", "id"}
        assert refusal.error.data is None


async def test_an_id_of_another_scope_is_unknown(world: World) -> None:
    for ctx, foreign in (
        (world.by_app(GAME), MOVIE_ASID),
        (world.by_app(GAME), THING_PSID),
        (world.by_page(COFFEE), THING_PSID),
        (world.by_page(RIVAL_PAGE, RIVAL_APP), THING_PSID),
    ):
        with refused(errors.NO_SUCH_OBJECT):
            await rows(ctx, USER, "ids_for_apps", foreign)


async def test_client_assets_never_match(world: World) -> None:
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "app", RIVAL_APP, JOHNS))
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "page", RIVAL_PAGE, JOHNS))
    assert ids(await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)) == [GAME_ASID, MOVIE_ASID]
    assert ids(await rows(world.by_app(GAME), USER, "ids_for_pages", GAME_ASID)) == [THING_PSID]


async def test_a_page_token_needs_app_and_page_of_one_business(world: World) -> None:
    foreign = await world.write(world.owner, RIVAL_PAGE)
    assert await rows(world.by_page(RIVAL_PAGE, GAME), USER, "ids_for_apps", foreign) == []


async def test_an_app_without_a_business_matches_nothing(world: World) -> None:
    alone = await world.app()
    asid = await world.log_in(world.john, alone.id)
    assert await rows(world.by_app(alone.id), USER, "ids_for_apps", asid) == []
    assert await rows(world.by_app(alone.id), USER, "ids_for_pages", asid) == []
    with refused(errors.NO_SUCH_OBJECT):
        await rows(world.by_app(alone.id), USER, "ids_for_apps", GAME_ASID)


async def test_apps_in_development_and_people_without_a_role_do_not_see_each_other(world: World) -> None:
    await world.tx(lambda tx: store.update_app(tx, MOVIE, mode="development"))
    assert ids(await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)) == [GAME_ASID]
    assert await rows(world.by_app(MOVIE), USER, "ids_for_apps", MOVIE_ASID) == []
    await world.tx(lambda tx: store.set_role(tx, MOVIE, world.john, "tester"))
    assert ids(await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)) == [GAME_ASID, MOVIE_ASID]
    assert ids(await rows(world.by_app(MOVIE), USER, "ids_for_apps", MOVIE_ASID)) == [GAME_ASID, MOVIE_ASID]


async def test_one_match_is_one_statement(world: World) -> None:
    for ctx, edge, node_id in (
        (world.by_app(GAME), "ids_for_apps", GAME_ASID),
        (world.by_page(THING), "ids_for_pages", THING_PSID),
        (world.by_app(GAME), "ids_for_business", GAME_ASID),
    ):
        before = world.db.statements
        await rows(ctx, USER, edge, node_id)
        assert world.db.statements - before == 1


async def test_ownership_counts_at_the_moment_of_the_read(world: World) -> None:
    ctx = world.by_app(GAME)
    await world.tx(lambda tx: transfer(ctx.on(tx), "app", MOVIE, RIVAL))
    assert ids(await rows(ctx, USER, "ids_for_apps", GAME_ASID)) == [GAME_ASID]
    assert MOVIE_ASID in ids(await rows(world.by_app(MOVIE), USER, "ids_for_apps", MOVIE_ASID))


async def test_a_cursor_dies_when_the_callers_app_changes_hands(world: World) -> None:
    first = await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID, Window(1))
    edge = USER.edges["ids_for_apps", "GET"]
    assert edge.tag is not None
    after = Window(1, after=edge.key(first[0]), tag=edge.tag(first[0]))
    assert ids(await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID, after)) == [MOVIE_ASID]
    await world.tx(lambda tx: transfer(world.by_app(GAME).on(tx), "app", GAME, RIVAL))
    with refused(errors.INVALID_CURSOR):
        await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID, after)
    await world.tx(lambda tx: transfer(world.by_app(GAME).on(tx), "app", GAME, None))
    with refused(errors.INVALID_CURSOR):
        await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID, after)


async def test_windows_page_forwards_backwards_and_by_offset(world: World) -> None:
    made = [(await world.app(business=JOHNS)).id for _ in range(4)]
    expected = [GAME_ASID, MOVIE_ASID] + [await world.log_in(world.john, app) for app in made]
    ctx, key = world.by_app(GAME), USER.edges["ids_for_apps", "GET"].key
    everything = await rows(ctx, USER, "ids_for_apps", GAME_ASID)
    assert ids(everything) == expected
    for limit in range(1, 8):
        assert ids(await rows(ctx, USER, "ids_for_apps", GAME_ASID, Window(limit))) == expected[: limit + 1]
        assert ids(await rows(ctx, USER, "ids_for_apps", GAME_ASID, Window(limit, offset=2))) == expected[2 : limit + 3]
        for at, row in enumerate(everything):
            after, before = Window(limit, after=key(row)), Window(limit, before=key(row))
            assert ids(await rows(ctx, USER, "ids_for_apps", GAME_ASID, after)) == expected[at + 1 : at + limit + 2]
            assert (
                ids(await rows(ctx, USER, "ids_for_apps", GAME_ASID, before)) == expected[max(0, at - limit - 1) : at]
            )


@pytest.mark.parametrize("target", ["app", "page"])
@pytest.mark.parametrize("asked", [GAME_ASID, MOVIE_ASID, "1", "0"])
@pytest.mark.parametrize("only", [None, GAME, THING, RIVAL_PAGE])
async def test_the_pair_for_distributed_databases_answers_the_same(
    world: World, target: Any, asked: str, only: str | None
) -> None:
    await world.tx(lambda tx: store.update_app(tx, MOVIE, mode="development"))
    for app in world.apps.values():
        question = Question(app.id, None, int(asked), app.scope, app.scope, only)
        joined, spread = await find(world.db, target, question), await find_distributed(world.db, target, question)
        assert joined.standing == spread.standing
        assert joined.person == spread.person
        assert joined.rows == spread.rows


# ------------------------------------------------------------------------------------------------ the gate


async def gate_of(world: World) -> dict[str, Any]:
    row = await store.business_row(world.db, JOHNS)
    assert row is not None
    return {"state": row["review_state"], "due": row["review_due_ms"]}


async def unreviewed(world: World, mode: str) -> None:
    world.review = mode
    await world.tx(lambda tx: store.update_business(tx, NOW_MS, JOHNS, review_state="unreviewed"))


@pytest.mark.parametrize("asked", [GAME_ASID, "1234567890123456"])
async def test_a_delayed_review_opens_at_the_first_call_and_ends_48_hours_later(world: World, asked: str) -> None:
    await unreviewed(world, "delayed")
    with refused(errors.REVIEW_PENDING):
        await rows(world.by_app(GAME), USER, "ids_for_apps", asked)
    assert await gate_of(world) == {"state": "pending", "due": NOW_MS + 48 * HOUR_MS}
    world.clock.ms += 48 * HOUR_MS - 1
    with refused(errors.REVIEW_PENDING):
        await rows(world.by_page(THING), USER, "ids_for_pages", THING_PSID)
    assert await gate_of(world) == {"state": "pending", "due": NOW_MS + 48 * HOUR_MS}
    world.clock.ms += 1
    assert ids(await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)) == [GAME_ASID, MOVIE_ASID]
    assert await gate_of(world) == {"state": "approved", "due": None}


async def test_a_review_in_mode_reject_ends_in_a_refusal(world: World) -> None:
    await unreviewed(world, "reject")
    for _ in range(3):
        with refused(errors.REVIEW_PENDING):
            await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)
        world.clock.ms += 48 * HOUR_MS
    assert await gate_of(world) == {"state": "rejected", "due": None}


async def test_a_manual_review_waits_for_a_decision(world: World) -> None:
    await unreviewed(world, "manual")
    with refused(errors.REVIEW_PENDING):
        await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)
    world.clock.ms += 1000 * HOUR_MS
    with refused(errors.REVIEW_PENDING):
        await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)
    await world.tx(lambda tx: store.update_business(tx, NOW_MS, JOHNS, review_state="approved"))
    assert ids(await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)) == [GAME_ASID, MOVIE_ASID]


@pytest.mark.parametrize(
    "standing",
    [{"verified_ms": None}, {"service_provider_ms": 1}, {"review_state": "rejected"}, {"review_state": "pending"}],
)
@pytest.mark.parametrize("asked", [GAME_ASID, "1234567890123456", MOVIE_ASID])
async def test_the_refusal_is_the_same_whatever_id_is_asked_for(
    world: World, standing: dict[str, Any], asked: str
) -> None:
    await world.tx(lambda tx: store.update_business(tx, NOW_MS, JOHNS, **standing))
    for edge in ("ids_for_apps", "ids_for_pages", "ids_for_business"):
        with refused(errors.REVIEW_PENDING) as refusal:
            await rows(world.by_app(GAME), USER, edge, asked)
        assert refusal.error.values == {}


async def test_claiming_an_asset_puts_the_owner_under_review_again_unless_reviews_are_instant(world: World) -> None:
    page = await world.page()
    await world.tx(lambda tx: transfer(world.ctx().on(tx), "page", page.id, JOHNS))
    assert await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)
    world.review = "delayed"
    await world.tx(lambda tx: transfer(world.ctx().on(tx), "page", page.id, JOHNS))
    with refused(errors.REVIEW_PENDING):
        await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)
    world.clock.ms += 48 * HOUR_MS
    assert await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID)


async def test_who_works_for_two_other_businesses_is_refused_when_asking_for_one_of_them(world: World) -> None:
    second = await world.business()
    client = await world.page(business=second)
    asked = await world.write(world.john, client.id)
    ctx = world.by_page(client.id, GAME)
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "page", client.id, JOHNS))
    assert await rows(ctx, USER, "ids_for_apps", asked) == []
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "app", RIVAL_APP, JOHNS))
    with refused(errors.REVIEW_PENDING):
        await rows(ctx, USER, "ids_for_apps", asked)
    assert await rows(world.by_app(GAME), USER, "ids_for_apps", GAME_ASID), "its own ids stay its own"


# ------------------------------------------------------------------------------------------------ token_for_business


async def test_token_for_business_is_one_for_all_apps_of_a_business(world: World) -> None:
    by_game = await world.read(world.by_app(GAME), GAME_ASID, "token_for_business")
    by_movie = await world.read(world.by_person(world.john, MOVIE_ASID, MOVIE), MOVIE_ASID, "token_for_business")
    assert by_game["token_for_business"] == by_movie["token_for_business"]
    assert set(by_game) == {"id", "token_for_business"}


async def test_token_for_business_changes_with_the_owner_and_differs_between_people(world: World) -> None:
    other = await world.log_in(world.owner, GAME)
    first = await world.read(world.by_app(GAME), GAME_ASID, "token_for_business")
    second = await world.read(world.by_app(GAME), other, "token_for_business")
    await world.tx(lambda tx: transfer(world.ctx().on(tx), "app", GAME, RIVAL))
    third = await world.read(world.by_app(GAME), GAME_ASID, "token_for_business")
    assert len({each["token_for_business"] for each in (first, second, third)}) == 3


async def test_token_for_business_needs_a_business_that_may_match(world: World) -> None:
    await world.tx(lambda tx: transfer(world.ctx().on(tx), "app", GAME, None))
    with refused(errors.APP_NEEDS_BUSINESS):
        await world.read(world.by_app(GAME), GAME_ASID, "token_for_business")
    await world.tx(lambda tx: store.update_business(tx, NOW_MS, JOHNS, review_state="rejected"))
    with refused(errors.REVIEW_PENDING):
        await world.read(world.by_app(MOVIE), MOVIE_ASID, "token_for_business")
    assert "token_for_business" not in await world.read(world.by_page(THING), THING_PSID, "token_for_business")


# ------------------------------------------------------------------------------------------------ many at once


async def mapping(world: World, *user_ids: str, ignore: bool = False, app: str = GAME, page: str = THING) -> Any:
    return await pages_id_mapping(world.by_page(page, app), None, list(user_ids), ignore)  # type: ignore[arg-type]


async def test_mapping_gives_the_page_scoped_ids(world: World) -> None:
    other = await world.log_in(world.owner, GAME)
    psid = await world.write(world.owner, THING)
    silent = await world.log_in(await world.person(), GAME)
    assert await mapping(world, GAME_ASID, other, silent) == {GAME_ASID: {"id": THING_PSID}, other: {"id": psid}}


@pytest.mark.parametrize("count", [1, 2, 10, 11, 50, 51, 200])
async def test_mapping_takes_any_number_up_to_200_in_one_statement(world: World, count: int) -> None:
    people = await world.tx(lambda tx: store.create_people(tx, NOW_MS, [store.NewPerson(name="P Q")] * count))
    scopes = (world.apps[GAME].scope, world.pages[THING].scope)
    made = await world.tx(lambda tx: store.mint_many(tx, world.ids, [(p, s) for p in people for s in scopes]))
    asids, psids = [str(n) for n in made[::2]], [str(n) for n in made[1::2]]
    before = world.db.statements
    assert await mapping(world, *asids) == {a: {"id": p} for a, p in zip(asids, psids, strict=True)}
    assert world.db.statements - before == 1


async def test_mapping_names_the_invalid_ids_or_leaves_them_out(world: World) -> None:
    wrong = [MOVIE_ASID, THING_PSID, "1", "x", "0" + GAME_ASID, GAME]
    with refused(errors.IDS_INVALID) as refusal:
        await mapping(world, wrong[0], GAME_ASID, *wrong[1:])
    assert refusal.error.data == {"invalid_ids": wrong}
    assert await mapping(world, *wrong, GAME_ASID, ignore=True) == {GAME_ASID: {"id": THING_PSID}}


async def test_mapping_stays_inside_one_business_and_behind_the_gate(world: World) -> None:
    assert await mapping(world, GAME_ASID, page=RIVAL_PAGE) == {}
    await world.tx(lambda tx: store.update_app(tx, GAME, mode="development"))
    assert await mapping(world, GAME_ASID) == {}
    await world.tx(lambda tx: store.update_business(tx, NOW_MS, JOHNS, review_state="pending"))
    for asked in (GAME_ASID, "1"):
        with refused(errors.REVIEW_PENDING):
            await mapping(world, asked)
