"""Business Manager: who sees a business, how apps and pages come and go, and what it says when they may not."""

from __future__ import annotations

from typing import Any

import pytest

from polynym.core.ctx import Ctx
from polynym.graph.expand import Ref
from polynym.graph.paging import Window
from polynym.identity import store
from polynym.identity.nodes import APPLICATION, BUSINESS, PAGE, USER
from polynym.wire import errors

from .conftest import (
    COFFEE,
    GAME,
    GAME_ASID,
    JOHNS,
    MOVIE,
    NOW_MS,
    RIVAL,
    RIVAL_APP,
    RIVAL_PAGE,
    THING,
    World,
    refused,
    rows,
)

MANAGE = "business_management"


@pytest.fixture
async def admin(world: World) -> Ctx:
    """Olivia, who administers John's Ventures, with a user token of the game that may manage businesses."""
    await world.tx(lambda tx: store.set_member(tx, world.ids, NOW_MS, JOHNS, world.owner, "ADMIN"))
    asid = await world.log_in(world.owner, GAME, MANAGE)
    return world.by_person(world.owner, asid, GAME, MANAGE)


async def listed(ctx: Ctx, name: str, window: Window | None = None, business: str = JOHNS) -> list[str]:
    return [row["id"] for row in await rows(ctx, BUSINESS, name, business, window)]


async def owner_of(world: World, page: str) -> str | None:
    row = await store.page_row(world.db, page)
    assert row is not None
    owner: str | None = row["business"]
    return owner


# ------------------------------------------------------------------------------------------------ who sees a business


async def test_members_and_the_businesss_own_apps_see_it(world: World, admin: Ctx) -> None:
    fields = "name,verification_status,created_time,two_factor_type"
    expected = {
        "id": JOHNS, "name": "John's Ventures", "verification_status": "verified",
        "created_time": "2026-07-15T12:00:00+0000", "two_factor_type": "none",
    }  # fmt: skip
    assert await world.read(admin, JOHNS, fields) == expected
    assert await world.read(world.by_app(GAME), JOHNS, fields) == expected


async def test_to_everybody_else_it_does_not_exist(world: World, admin: Ctx) -> None:
    for ctx, business in (
        (world.by_app(RIVAL_APP), JOHNS), (admin, RIVAL), (world.by_page(THING), JOHNS), (world.ctx(), JOHNS),
        (world.by_person(world.john, GAME_ASID, GAME, MANAGE), JOHNS),
    ):  # fmt: skip
        with pytest.raises(LookupError):
            await world.resolve(ctx, business)


async def test_a_member_without_the_permission_sees_the_name_only(world: World, admin: Ctx) -> None:
    plain = world.by_person(world.owner, str(admin.caller and admin.caller.subject), GAME)
    assert await world.read(plain, JOHNS) == {"id": JOHNS, "name": "John's Ventures"}
    with refused(errors.PERMISSION_REQUIRED):
        await world.read(plain, JOHNS, "verification_status")


async def test_members_are_seen_by_members_under_business_scoped_ids(world: World, admin: Ctx) -> None:
    member = await world.tx(lambda tx: store.set_member(tx, world.ids, NOW_MS, JOHNS, world.john, "EMPLOYEE"))
    assert member is not None
    assert member in await listed(admin, "business_users")
    answer = await world.read(admin, member, "name,role,email,business")
    assert answer == {
        "id": member, "name": "John Smith", "role": "EMPLOYEE", "email": "john@example.com",
        "business": {"id": JOHNS, "name": "John's Ventures"},
    }  # fmt: skip
    with pytest.raises(LookupError):
        await world.resolve(world.by_app(GAME), member)


async def test_main_page_and_creator_are_named(world: World, admin: Ctx) -> None:
    member = await store.member(world.db, JOHNS, world.owner)
    assert member is not None
    await world.tx(lambda tx: store.update_business(tx, NOW_MS, JOHNS, primary_page=THING))
    await world.db.run("UPDATE business SET created_by = :member WHERE id = :id", member=member["id"], id=JOHNS)
    assert await world.read(admin, JOHNS, "primary_page,created_by") == {
        "id": JOHNS, "primary_page": {"id": THING, "name": "John's Next Great Thing"},
        "created_by": {"id": member["id"], "name": "Olivia Bennett"},
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------ lists


async def test_lists_name_what_is_owned_used_and_asked_for(world: World, admin: Ctx) -> None:
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "page", RIVAL_PAGE, JOHNS, ["MESSAGING"]))
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "app", RIVAL_APP, JOHNS))
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "page", RIVAL_PAGE, JOHNS, "owned"))
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "app", RIVAL_APP, JOHNS, "owned"))
    assert await listed(admin, "owned_apps") == [GAME, MOVIE]
    assert await listed(admin, "owned_pages") == [THING, COFFEE]
    assert await listed(admin, "client_apps") == [RIVAL_APP]
    assert await listed(admin, "client_pages") == [RIVAL_PAGE]
    assert await listed(admin, "owned_pages", Window(1, after=str(world.pages[THING].scope))) == [COFFEE]
    (page,) = await rows(admin, BUSINESS, "pending_owned_pages", JOHNS)
    (app,) = await rows(admin, BUSINESS, "pending_owned_apps", JOHNS)
    assert (page["asset_id"], app["asset_id"]) == (RIVAL_PAGE, RIVAL_APP)
    assert await rows(admin, BUSINESS, "pending_client_pages", JOHNS) == []
    assert await rows(admin, BUSINESS, "pending_client_apps", JOHNS) == []


async def test_lists_show_no_settings_of_an_app(world: World, admin: Ctx) -> None:
    answer = await world.read(admin, JOHNS, "owned_apps{name,deauth_callback_url,created_time,business}")
    assert [set(row) for row in answer["owned_apps"]["data"]] == [{"id", "name"}] * 2


async def test_waiting_claims_show_the_asset(world: World, admin: Ctx) -> None:
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "page", RIVAL_PAGE, JOHNS, "owned"))
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "app", RIVAL_APP, JOHNS, "client"))
    answer = await world.read(admin, JOHNS, "pending_owned_pages{page{link}},pending_client_apps")
    (page,), (app,) = answer["pending_owned_pages"]["data"], answer["pending_client_apps"]["data"]
    assert page["page"] == {"id": RIVAL_PAGE, "link": f"https://www.facebook.com/Rival-Records-{RIVAL_PAGE}/"}
    assert app["application"] == {"id": RIVAL_APP, "name": "Rival Rewards"}


# ------------------------------------------------------------------------------------------------ claims


async def test_an_admin_of_page_and_business_claims_at_once(world: World, admin: Ctx) -> None:
    page = await world.page()
    await world.tx(lambda tx: store.set_tasks(tx, page.id, world.owner, ["MANAGE"]))
    generation = world.epoch.generation
    answer = await world.change(admin, BUSINESS, "owned_pages", JOHNS, page_id=page.id)
    assert answer == {"access_status": "CONFIRMED"}
    assert await owner_of(world, page.id) == JOHNS
    assert world.epoch.generation > generation


async def test_an_admin_of_the_app_claims_it_at_once(world: World, admin: Ctx) -> None:
    app = await world.app()
    await world.tx(lambda tx: store.set_role(tx, app.id, world.owner, "admin"))
    assert await world.change(admin, BUSINESS, "owned_apps", JOHNS, app_id=app.id) == {"access_status": "CONFIRMED"}
    assert app.id in await listed(admin, "owned_apps")


async def test_others_wait_for_the_owners_consent(world: World, admin: Ctx) -> None:
    page = await world.page()
    await world.tx(lambda tx: store.set_tasks(tx, page.id, world.john, ["MANAGE"]))
    for _ in range(2):
        assert await world.change(admin, BUSINESS, "owned_pages", JOHNS, page_id=page.id) == {
            "access_status": "PENDING"
        }
    assert await owner_of(world, page.id) is None
    assert len(await store.claims_on(world.db, "page", page.id)) == 1
    answer = await world.change(
        admin, BUSINESS, "client_pages", JOHNS, page_id=RIVAL_PAGE, permitted_tasks=["MODERATE"]
    )
    assert answer == {"access_status": "PENDING"}
    (waiting,) = await store.claims_on(world.db, "page", RIVAL_PAGE)
    assert waiting["tasks"] == "ANALYZE,ADVERTISE,MODERATE,MESSAGING"
    assert await world.change(admin, BUSINESS, "client_apps", JOHNS, app_id=RIVAL_APP) == {"access_status": "PENDING"}


async def test_use_of_an_administered_page_is_granted_at_once(world: World, admin: Ctx) -> None:
    await world.tx(lambda tx: store.set_tasks(tx, RIVAL_PAGE, world.owner, ["MANAGE"]))
    answer = await world.change(admin, BUSINESS, "client_pages", JOHNS, page_id=RIVAL_PAGE)
    assert answer == {"access_status": "CONFIRMED"}
    assert await owner_of(world, RIVAL_PAGE) == RIVAL
    with refused(errors.ALREADY_ACCESS):
        await world.change(admin, BUSINESS, "client_pages", JOHNS, page_id=RIVAL_PAGE)


@pytest.mark.parametrize(
    ("edge", "params", "entry"),
    [
        ("owned_pages", {"page_id": THING}, errors.ALREADY_ACCESS),
        ("client_pages", {"page_id": THING}, errors.ALREADY_ACCESS),
        ("owned_apps", {"app_id": GAME}, errors.ALREADY_ACCESS),
        ("owned_pages", {"page_id": RIVAL_PAGE}, errors.PAGE_OWNED),
        ("owned_apps", {"app_id": RIVAL_APP}, errors.PAGE_OWNED),
        ("owned_pages", {"page_id": "1"}, errors.PARAM_INVALID),
        ("owned_apps", {"app_id": THING}, errors.PARAM_INVALID),
    ],
)
async def test_claims_that_cannot_be(world: World, admin: Ctx, edge: str, params: dict[str, Any], entry: Any) -> None:
    with refused(entry):
        await world.change(admin, BUSINESS, edge, JOHNS, **params)


async def test_a_page_that_nobody_administers_cannot_be_claimed(world: World, admin: Ctx) -> None:
    page = await world.page()
    await world.tx(lambda tx: store.set_tasks(tx, page.id, world.john, ["ANALYZE"]))
    with refused(errors.PAGE_ADMIN_NEEDED):
        await world.change(admin, BUSINESS, "owned_pages", JOHNS, page_id=page.id)
    app = await world.app()
    with refused(errors.PAGE_ADMIN_NEEDED):
        await world.change(admin, BUSINESS, "owned_apps", JOHNS, app_id=app.id)


async def test_only_admins_of_the_business_change_it(world: World, admin: Ctx) -> None:
    await world.tx(lambda tx: store.set_member(tx, world.ids, NOW_MS, JOHNS, world.owner, "EMPLOYEE"))
    for edge, method, params in (
        ("owned_pages", "POST", {"page_id": THING}), ("client_apps", "POST", {"app_id": GAME}),
        ("pages", "DELETE", {"page_id": THING}), ("apps", "DELETE", {"app_id": GAME}),
    ):  # fmt: skip
        with refused(errors.BUSINESS_EDIT):
            await world.change(admin, BUSINESS, edge, JOHNS, method, **params)


async def test_what_is_removed_may_be_claimed_by_another(world: World, admin: Ctx) -> None:
    assert await world.change(admin, BUSINESS, "pages", JOHNS, "DELETE", page_id=THING) == {"success": True}
    assert await world.change(admin, BUSINESS, "apps", JOHNS, "DELETE", app_id=MOVIE) == {"success": True}
    assert await listed(admin, "owned_pages") == [COFFEE]
    assert await listed(admin, "owned_apps") == [GAME]
    with refused(errors.PAGE_ELSEWHERE):
        await world.change(admin, BUSINESS, "pages", JOHNS, "DELETE", page_id=THING)
    with refused(errors.PAGE_ELSEWHERE):
        await world.change(admin, BUSINESS, "pages", JOHNS, "DELETE", page_id="1")


async def test_use_and_claims_can_be_given_up(world: World, admin: Ctx) -> None:
    await world.tx(lambda tx: store.add_client(tx, NOW_MS, "page", RIVAL_PAGE, JOHNS))
    await world.tx(lambda tx: store.add_claim(tx, world.ids, NOW_MS, "page", RIVAL_PAGE, JOHNS, "owned"))
    assert await world.change(admin, BUSINESS, "pages", JOHNS, "DELETE", page_id=RIVAL_PAGE) == {"success": True}
    assert await listed(admin, "client_pages") == []
    assert await owner_of(world, RIVAL_PAGE) == RIVAL


# ------------------------------------------------------------------------------------------------ businesses of a person


def myself(ctx: Ctx) -> str:
    assert ctx.caller is not None
    assert ctx.caller.subject is not None
    return ctx.caller.subject


async def test_a_person_sees_their_businesses_and_memberships(world: World, admin: Ctx) -> None:
    assert [row["id"] for row in await rows(admin, USER, "businesses", myself(admin))] == [JOHNS]
    (membership,) = await rows(admin, USER, "business_users", myself(admin))
    assert (membership["business_id"], membership["role"]) == (JOHNS, "ADMIN")


async def test_a_person_makes_a_business_and_is_its_admin(world: World, admin: Ctx) -> None:
    page = await world.page()
    await world.tx(lambda tx: store.set_tasks(tx, page.id, world.owner, ["MANAGE"]))
    made = await world.change(
        admin,
        USER,
        "businesses",
        myself(admin),
        name=" New Ltd ",
        vertical="RETAIL",
        primary_page=page.id,
        timezone_id=1,
    )
    assert made == {"id": made["id"], "name": "New Ltd"}
    answer = await world.read(admin, made["id"], "verification_status,created_by,primary_page,vertical")
    assert answer["verification_status"] == "not_verified"
    assert answer["created_by"]["name"] == "Olivia Bennett"
    row = await store.business_row(world.db, made["id"])
    assert row is not None
    assert row["review_state"] == "unreviewed"


async def test_a_business_needs_a_name_and_a_page_of_its_maker(world: World, admin: Ctx) -> None:
    with refused(errors.NAME_INVALID):
        await world.change(admin, USER, "businesses", myself(admin), name="  ", vertical="OTHER")
    with refused(errors.PAGE_ADMIN_NEEDED):
        await world.change(
            admin, USER, "businesses", myself(admin), name="x", vertical="OTHER", primary_page=RIVAL_PAGE
        )


async def test_the_last_admin_stays(world: World, admin: Ctx) -> None:
    with refused(errors.LAST_ADMIN):
        await world.change(admin, USER, "businesses", myself(admin), "DELETE", business=JOHNS)
    await world.tx(lambda tx: store.set_member(tx, world.ids, NOW_MS, JOHNS, world.john, "ADMIN"))
    answer = await world.change(admin, USER, "businesses", myself(admin), "DELETE", business=JOHNS)
    assert answer == {"success": True}
    with refused(errors.PARAM_INVALID):
        await world.change(admin, USER, "businesses", myself(admin), "DELETE", business=JOHNS)


# ------------------------------------------------------------------------------------------------ apps and pages


async def test_everybody_sees_the_public_side_of_apps_and_pages(world: World) -> None:
    for ctx in (world.by_app(RIVAL_APP), world.by_page(RIVAL_PAGE, RIVAL_APP), world.by_person(world.john, GAME_ASID)):
        assert await world.read(ctx, GAME, "name,category,link,namespace,company,created_time,business") == {
            "id": GAME, "name": "John's Game App", "category": "Business",
            "link": f"https://www.facebook.com/games/?app_id={GAME}",
        } or ctx.caller is None  # fmt: skip
        assert await world.read(ctx, THING, "name,category,username,is_published") == {
            "id": THING, "name": "John's Next Great Thing", "category": "Musician", "username": "thing",
        }  # fmt: skip


async def test_an_app_reads_and_changes_its_own_settings(world: World) -> None:
    answer = await world.change(
        world.by_app(GAME), APPLICATION, "", GAME, app_domains=["example.com"], company="John's",
        deauth_callback_url="https://example.com/bye",
    )  # fmt: skip
    assert answer == {"success": True}
    assert await world.read(world.by_app(GAME), GAME, "app_domains,company,deauth_callback_url,created_time,business") == {
        "id": GAME, "app_domains": ["example.com"], "company": "John's", "deauth_callback_url": "https://example.com/bye",
        "created_time": "2026-07-15T12:00:00+0000", "business": {"id": JOHNS, "name": "John's Ventures"},
    }  # fmt: skip


async def test_another_app_changes_nothing(world: World) -> None:
    with refused(errors.NO_SUCH_OBJECT):
        await world.change(world.by_app(MOVIE), APPLICATION, "", GAME, company="Mine")


@pytest.mark.parametrize(
    "url", ["ftp://x/", "javascript:alert(1)", "http://", "https://u:p@x/", "//x", "http://[::1", "x"]
)
async def test_addresses_of_an_app_must_be_callable(world: World, url: str) -> None:
    for name in ("deauth_callback_url", "privacy_policy_url", "terms_of_service_url"):
        with refused(errors.PARAM_INVALID) as refusal:
            await world.change(world.by_app(GAME), APPLICATION, "", GAME, **{name: url})
        assert refusal.error.values["name"] == name


async def test_the_owner_of_a_page_is_for_its_admins_with_the_permission(world: World, admin: Ctx) -> None:
    expected = {"id": THING, "business": {"id": JOHNS, "name": "John's Ventures"}}
    assert await world.read(world.by_page(THING, GAME, MANAGE), THING, "business") == expected
    for ctx in (admin, world.by_app(GAME), world.by_page(THING), world.by_page(COFFEE, GAME, MANAGE)):
        with refused(errors.PERMISSION_REQUIRED):
            await world.read(ctx, THING, "business")
    await world.tx(lambda tx: store.set_tasks(tx, THING, world.owner, ["MANAGE"]))
    assert await world.read(admin, THING, "business") == expected


async def test_tasks_are_perms_in_old_versions(world: World, admin: Ctx) -> None:
    await world.tx(lambda tx: store.set_tasks(tx, THING, world.owner, ["ADVERTISE"]))
    assert (await world.read(admin, THING, "tasks"))["tasks"] == ["ANALYZE", "ADVERTISE"]
    admin.version = (3, 0)
    assert (await world.read(admin, THING, "perms"))["perms"] == ["CREATE_ADS", "BASIC_ADMIN"]
    assert "tasks" not in PAGE.defaults((3, 0))


async def test_a_business_is_found_only_through_the_edge_that_was_asked_for(world: World, admin: Ctx) -> None:
    _, row = await world.resolve(admin, JOHNS)
    picture = BUSINESS.edges["picture", "GET"].handler
    assert picture is not None
    answer = await picture(admin, Ref(JOHNS, row), Window(1), type_=None, width=None, height=None, redirect=False)
    assert answer["data"]["width"] == 50
