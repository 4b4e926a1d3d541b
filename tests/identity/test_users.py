"""What apps, pages and people see of a person."""

from __future__ import annotations

from typing import Any

import pytest

from polynym.identity import store
from polynym.wire import errors

from .conftest import (
    COFFEE,
    GAME,
    GAME_ASID,
    MOVIE,
    MOVIE_ASID,
    NOW_MS,
    RIVAL_APP,
    THING,
    THING_PSID,
    World,
    in_version,
    refused,
)

EVERYTHING = (
    "id,name,first_name,middle_name,last_name,short_name,name_format,email,age_range,link,gender,locale,timezone,birthday,"
    "installed,install_type,is_guest_user,is_payment_enabled"
)


async def test_an_app_sees_what_the_person_allowed_it(world: World) -> None:
    assert await world.read(world.by_app(GAME), GAME_ASID, EVERYTHING) == {
        "id": GAME_ASID, "name": "John Smith", "first_name": "John", "last_name": "Smith", "short_name": "John",
        "name_format": "{first} {last}", "email": "john@example.com", "age_range": {"min": 21}, "installed": True,
        "install_type": "UNKNOWN", "is_guest_user": False,
    }  # fmt: skip
    assert "email" not in await world.read(world.by_app(MOVIE), MOVIE_ASID, EVERYTHING)


async def test_every_further_permission_opens_its_field(world: World) -> None:
    app = await world.app()
    asid = await world.log_in(world.john, app.id, "user_link", "user_gender", "user_birthday")
    answer = await world.read(world.by_app(app.id), asid, "link,gender,birthday,age_range,email")
    assert answer == {
        "id": asid, "gender": "male", "birthday": "07/15/2001",
        "link": f"https://www.facebook.com/app_scoped_user_id/{asid}/",
    }  # fmt: skip


async def test_old_versions_give_the_profile_to_every_app(world: World) -> None:
    app = await world.app()
    asid = await world.log_in(world.john, app.id)
    old = in_version(world.by_app(app.id), 2, 9)
    answer = await world.read(old, asid, "age_range,gender,locale,timezone,link,birthday")
    assert set(answer) == {"id", "age_range", "gender", "locale", "timezone", "link"}


async def test_a_user_token_sees_what_both_token_and_person_allow(world: World) -> None:
    narrow = world.by_person(world.john, GAME_ASID, GAME)
    wide = world.by_person(world.john, GAME_ASID, GAME, "email", "user_birthday")
    assert "email" not in await world.read(narrow, GAME_ASID, "name,email")
    answer = await world.read(wide, GAME_ASID, "email,birthday")
    assert answer == {"id": GAME_ASID, "email": "john@example.com"}


async def test_the_default_is_id_and_name(world: World) -> None:
    for ctx, node_id in ((world.by_app(GAME), GAME_ASID), (world.by_page(THING), THING_PSID)):
        assert await world.read(ctx, node_id) == {"id": node_id, "name": "John Smith"}


@pytest.mark.parametrize("wrong", [MOVIE_ASID, THING_PSID, "1234567890123456", "0" + GAME_ASID, "٣", "x"])
async def test_ids_of_other_scopes_do_not_exist(world: World, wrong: str) -> None:
    other = await world.log_in(world.owner, GAME)
    with pytest.raises(LookupError):
        await world.resolve(world.by_app(GAME), wrong)
    for node_id in (wrong, other):
        with pytest.raises(LookupError):
            await world.resolve(world.by_person(world.john, GAME_ASID), node_id)
    with pytest.raises(LookupError):
        await world.resolve(world.by_page(COFFEE), THING_PSID)
    with pytest.raises(LookupError):
        await world.resolve(world.ctx(), GAME_ASID)


async def test_a_page_token_reads_no_app_scoped_id(world: World) -> None:
    with pytest.raises(LookupError):
        await world.resolve(world.by_page(THING, GAME), GAME_ASID)


async def test_who_allowed_the_app_nothing_does_not_exist_for_it(world: World) -> None:
    await world.db.run("UPDATE app_grant SET state = 'declined' WHERE app = :app", app=GAME)
    with pytest.raises(LookupError):
        await world.resolve(world.by_app(GAME), GAME_ASID)


async def test_foreign_and_invented_ids_cost_the_same_statements(world: World) -> None:
    costs = set()
    for wrong in (MOVIE_ASID, THING_PSID, "1234567890123456", "notanumber"):
        before = world.db.statements
        with pytest.raises(LookupError):
            await world.resolve(world.by_app(RIVAL_APP), wrong)
        costs.add(world.db.statements - before)
    assert len(costs) == 1


# ------------------------------------------------------------------------------------------------ the Messenger profile

PAGE_FIELDS = "name,first_name,last_name,is_payment_enabled,locale,timezone,gender"
FULL = {"name": "John Smith", "first_name": "John", "last_name": "Smith", "is_payment_enabled": True}


@pytest.mark.parametrize(
    ("profile", "seen"),
    [
        ("full", FULL),
        ("first_last", {name: value for name, value in FULL.items() if name != "name"}),
        ("name_only", {"name": "John Smith"}),
    ],
)
async def test_a_page_sees_as_much_as_the_profile_gives(world: World, profile: str, seen: dict[str, Any]) -> None:
    await world.tx(lambda tx: store.update_person(tx, world.john, profile=profile))
    assert await world.read(world.by_page(THING), THING_PSID, PAGE_FIELDS) == seen | {"id": THING_PSID}
    picture = await world.read(world.by_page(THING), THING_PSID, "profile_pic")
    assert ("profile_pic" in picture) is (profile != "name_only")


@pytest.mark.parametrize(("profile", "entry"), [("none", errors.NO_PROFILE), ("denied", errors.PROFILE_DENIED)])
async def test_a_profile_may_be_closed(world: World, profile: str, entry: Any) -> None:
    await world.tx(lambda tx: store.update_person(tx, world.john, profile=profile))
    with refused(entry):
        await world.read(world.by_page(THING), THING_PSID, "name")
    assert await world.read(world.by_page(THING), THING_PSID, "id") == {"id": THING_PSID}
    matched = await world.read(world.by_page(THING), THING_PSID, "ids_for_pages")
    assert [row["id"] for row in matched["ids_for_pages"]["data"]] == [THING_PSID]


async def test_a_page_needs_pages_messaging_for_a_profile(world: World) -> None:
    with refused(errors.PERMISSION_MESSAGING):
        await world.read(world.by_page(THING, GAME, "pages_show_list"), THING_PSID, "name")


async def test_language_time_zone_and_gender_need_their_own_permissions(world: World) -> None:
    allowed = world.by_page(THING, GAME, "pages_messaging", "pages_user_locale", "pages_user_timezone")
    answer = await world.read(allowed, THING_PSID, "locale,timezone,gender")
    assert answer == {"id": THING_PSID, "locale": "en_US", "timezone": -5}


async def test_what_an_app_knows_is_not_told_to_a_page_nor_the_reverse(world: World) -> None:
    apps_only = "email,age_range,birthday,link,middle_name,short_name,installed,install_type,is_guest_user"
    assert await world.read(world.by_page(THING), THING_PSID, apps_only) == {"id": THING_PSID}
    assert await world.read(world.by_app(GAME), GAME_ASID, "is_payment_enabled,profile_pic") == {"id": GAME_ASID}


async def test_who_cannot_pay_is_said_to(world: World) -> None:
    await world.tx(lambda tx: store.update_person(tx, world.john, payment_enabled_ms=None))
    answer = await world.read(world.by_page(THING), THING_PSID, "is_payment_enabled")
    assert answer["is_payment_enabled"] is False


async def test_no_field_of_any_read_is_the_internal_key(world: World) -> None:
    await world.db.run("UPDATE counter SET next = 8675309000111 WHERE name = 'person'")
    person = await world.person(name="Canary Bird", birthday="2000-01-01", email="c@example.com")
    psid = await world.write(person, THING)
    asid = await world.log_in(person, GAME, "email", "user_age_range", "user_birthday", "user_link")
    fields = f"{EVERYTHING},picture,profile_pic,ids_for_apps,ids_for_pages,token_for_business"
    for ctx, node_id in ((world.by_app(GAME), asid), (world.by_page(THING), psid)):
        assert "8675309" not in str(await world.read(ctx, node_id, fields))


# ------------------------------------------------------------------------------------------------ pictures


async def test_pictures_share_nothing_between_scopes_or_calls(world: World) -> None:
    seen = set()
    for ctx, node_id in (
        (world.by_app(GAME), GAME_ASID),
        (world.by_app(MOVIE), MOVIE_ASID),
        (world.by_app(GAME), GAME_ASID),
    ):
        url = (await world.read(ctx, node_id, "picture"))["picture"]["data"]["url"]
        assert node_id not in url
        seen.add(url.partition("hash=")[2])
    assert len(seen) == 3


async def test_the_age_follows_the_clock(world: World) -> None:
    person = await world.person(birthday="2013-07-15")
    asid = await world.log_in(person, GAME, "user_age_range")
    year_ms = 366 * 24 * 3600 * 1000
    for years, expected in ((0, {"max": 17, "min": 13}), (5, {"max": 20, "min": 18}), (8, {"min": 21})):
        world.clock.ms = NOW_MS + years * year_ms
        assert (await world.read(world.by_app(GAME), asid, "age_range"))["age_range"] == expected
