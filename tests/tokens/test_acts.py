"""Everything that ends tokens, whom it spares, and the error each leaves behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polynym.core.ctx import Ctx
from polynym.identity.store import id_in_scope, scoped_id, set_tasks
from polynym.tokens import acts, store
from polynym.tokens.grants import grant, grants_of
from polynym.tokens.issuing import app_token, issue_system_user_token, issue_user_token
from polynym.tokens.pages import page_token
from polynym.wire.errors import GraphError

from .conftest import World


async def fate(world: World, token: str) -> int | str:
    """alive, the subcode of a token's death or its name without one, or unknown."""
    try:
        await world.caller(token)
    except GraphError as error:
        return "unknown" if error.entry.name == "CANNOT_PARSE_TOKEN" else (error.entry.subcode or error.entry.name)
    return "alive"


async def derived(world: World, token: str, page: str | None = None) -> str:
    ctx = await world.as_(token)
    made = await page_token(ctx, ctx.caller, page or world.page)
    assert made is not None
    return made


async def everything(world: World) -> dict[str, str]:
    """One token of every sort."""
    short, long = await world.log_in(), await world.log_in(long_lived=True)
    await world.change(lambda ctx: set_tasks(ctx.db, world.page, world.mary, ["MODERATE"]))
    mary = await world.log_in(world.mary, long_lived=True)
    system = await issue_system_user_token(
        world.ctx, "990011", world.app.id, ["pages_show_list", "pages_messaging"], person=world.mary
    )

    async def elsewhere(ctx: Ctx) -> str:
        await grant(ctx, world.john, world.other_app.id, ["pages_show_list"])
        return await issue_user_token(ctx, world.john, world.other_app.id, long_lived=True)

    other_app = await world.change(elsewhere)
    return {
        "short": short, "long": long, "mary": mary, "system": system, "other app": other_app,
        "page of short": await derived(world, short), "page of long": await derived(world, long),
        "second page": await derived(world, long, world.second_page), "page of mary": await derived(world, mary),
        "page of system": await derived(world, system), "page of other app": await derived(world, other_app),
        "app": await world.change(lambda ctx: app_token(ctx, world.app.id)),
    }  # fmt: skip


JOHNS = ["short", "long", "page of short", "page of long", "second page"]
JOHNS_ELSEWHERE = ["other app", "page of other app"]
#: act -> (subcode it leaves, tokens that die of it)
ACTS: dict[str, tuple[Any, int | str, list[str]]] = {
    "password changed": (lambda ctx, w: acts.password_changed(ctx, w.john), 460, JOHNS + JOHNS_ELSEWHERE),
    "app removed": (lambda ctx, w: acts.deauthorize(ctx, w.john, w.app.id), 458, JOHNS),
    "checkpoint": (lambda ctx, w: acts.account_stopped(ctx, w.john, "checkpoint"), 459, JOHNS + JOHNS_ELSEWHERE),
    "blocked": (lambda ctx, w: acts.account_stopped(ctx, w.john, "blocked"), 490, JOHNS + JOHNS_ELSEWHERE),
    "unconfirmed": (lambda ctx, w: acts.account_stopped(ctx, w.john, "unconfirmed"), 464, JOHNS + JOHNS_ELSEWHERE),
    "role lost": (
        lambda ctx, w: acts.role_lost(ctx, w.john, w.page), 492, ["page of short", "page of long", "page of other app"],
    ),
    "secret reset": (lambda ctx, w: acts.secret_reset(ctx, w.app.id), "INVALID_TOKEN", ["app"]),
    "uninstalled": (lambda ctx, w: acts.uninstalled(ctx, "990011"), "INVALID_TOKEN", ["system", "page of system"]),
}  # fmt: skip


@pytest.mark.parametrize(("act", "subcode", "victims"), ACTS.values(), ids=ACTS.keys())
async def test_an_act_ends_its_tokens_and_no_others(
    world: World, act: Any, subcode: int | str, victims: list[str]
) -> None:
    tokens = await everything(world)
    await world.change(lambda ctx: act(ctx, world))
    fates = {name: await fate(world, token) for name, token in tokens.items()}
    assert fates == {name: subcode if name in victims else "alive" for name in tokens}


async def test_logging_out_ends_one_session_and_its_page_tokens(world: World) -> None:
    tokens = await everything(world)
    session = (await world.caller(tokens["short"])).hash
    assert await world.change(lambda ctx: acts.logged_out(ctx, session)) == 2
    fates = {name: await fate(world, token) for name, token in tokens.items()}
    assert fates == {name: 467 if name in ("short", "page of short") else "alive" for name in tokens}


async def test_time_ends_short_tokens_and_what_came_from_them(world: World) -> None:
    tokens = await everything(world)
    world.clock.advance(hours=2)
    fates = {name: await fate(world, token) for name, token in tokens.items()}
    assert fates == {name: 463 if name in ("short", "page of short") else "alive" for name in tokens}
    world.clock.advance(days=60)
    fates = {name: await fate(world, token) for name, token in tokens.items()}
    dead = ("short", "page of short", "long", "mary", "other app")
    assert fates == {name: 463 if name in dead else "alive" for name in tokens}


async def test_a_token_dies_once(world: World) -> None:
    token = await world.log_in()
    await world.change(lambda ctx: acts.password_changed(ctx, world.john))
    assert await world.change(lambda ctx: acts.account_stopped(ctx, world.john, "checkpoint")) == 0
    assert await fate(world, token) == 460


async def test_what_expired_before_the_event_stays_expired(world: World) -> None:
    token = await world.log_in()
    world.clock.advance(hours=3)
    await world.change(lambda ctx: acts.password_changed(ctx, world.john))
    assert await fate(world, token) == 463


async def test_a_dead_token_keeps_nothing_that_could_be_shown(world: World) -> None:
    await derived(world, await world.log_in(long_lived=True))
    await world.change(lambda ctx: acts.password_changed(ctx, world.john))
    assert all(row["sealed"] is None for row in await world.db.all("SELECT sealed FROM token"))


async def test_removing_the_app_forgets_grants_and_the_id(world: World) -> None:
    await world.log_in()
    assert await world.change(lambda ctx: acts.deauthorize(ctx, world.john, world.app.id))
    assert await id_in_scope(world.db, world.john, world.app.scope) is None
    assert (await grants_of(world.db, world.john, world.app.id)).states == {}
    assert not await world.change(lambda ctx: acts.deauthorize(ctx, world.john, world.app.id)), "there was nothing left"


async def test_a_token_of_before_does_not_lead_to_the_id_of_after(world: World) -> None:
    old = await world.log_in()
    await world.change(lambda ctx: acts.deauthorize(ctx, world.john, world.app.id))
    await world.change(lambda ctx: scoped_id(ctx.db, world.ids, world.john, world.app.scope))
    new = await world.log_in()
    assert (await world.caller(new)).subject != world.asid
    assert await fate(world, old) == 458
    row = await world.db.one("SELECT person FROM token WHERE hash = :hash", hash=world.keyring.hash_token(old))
    assert row is not None
    assert row["person"] is None


async def test_fewer_tasks_take_scopes_from_page_tokens_and_none_ends_them(world: World) -> None:
    user = await world.log_in(long_lived=True)
    token = await derived(world, user)

    async def now(ctx: Ctx, tasks: list[str]) -> None:
        await set_tasks(ctx.db, world.page, world.john, tasks)
        await acts.tasks_changed(ctx, world.john, world.page, tasks)

    await world.change(lambda ctx: now(ctx, ["ANALYZE"]))
    assert (await world.caller(token)).scopes == {"public_profile", "pages_show_list"}
    assert await derived(world, user) == token, "it is what an analyst would get"
    await world.change(lambda ctx: now(ctx, []))
    assert await fate(world, token) == 492
    assert await fate(world, user) == "alive"


async def test_an_erased_persons_tokens_were_never_there(world: World) -> None:
    tokens = await everything(world)
    await world.change(lambda ctx: acts.erased(ctx, person=world.john))
    fates = {name: await fate(world, token) for name, token in tokens.items()}
    assert fates == {name: "unknown" if name in JOHNS + JOHNS_ELSEWHERE else "alive" for name in tokens}
    for table in ("token", "app_grant"):
        assert not await world.db.all(f"SELECT * FROM {table} WHERE person = :person", person=world.john)


async def test_a_kill_needs_a_target_and_a_known_reason(world: World) -> None:
    for options in ({}, {"kinds": ("user",)}):
        with pytest.raises(ValueError, match="filter"):
            await world.change(lambda ctx, options=options: store.kill(ctx, "revoked", **options))
    with pytest.raises(ValueError, match="reason"):
        await world.change(lambda ctx: store.kill(ctx, "boredom", person=world.john))


async def test_a_kill_by_kind_takes_the_derived_page_tokens_along(world: World) -> None:
    user = await world.log_in()
    page = await derived(world, user)
    assert await world.change(lambda ctx: store.kill(ctx, "revoked", person=world.john, kinds=("user",))) == 2
    assert await fate(world, page) == 467


async def test_no_page_token_outlives_a_removal_that_runs_beside_its_making(world: World) -> None:
    """Whichever commits first: the page token is refused, or it dies too."""
    for _ in range(5):
        await world.change(lambda ctx: scoped_id(ctx.db, world.ids, world.john, world.app.scope))
        user = await world.log_in(long_lived=True)
        ctx = await world.as_(user)

        async def make(ctx: Ctx = ctx) -> str | None:
            try:
                return await page_token(ctx, ctx.caller, world.page)
            except GraphError:
                return None

        removal = world.change(lambda ctx: acts.deauthorize(ctx, world.john, world.app.id))
        made, _ = await asyncio.gather(make(), removal)
        assert made is None or await fate(world, made) == 458


async def test_no_page_token_outlives_a_role_that_is_lost_beside_its_making(world: World) -> None:
    user = await world.log_in(long_lived=True)
    ctx = await world.as_(user)
    for _ in range(5):
        await world.change(lambda ctx: set_tasks(ctx.db, world.page, world.john, ["MANAGE"]))

        async def lose(inner: Ctx) -> None:
            await set_tasks(inner.db, world.page, world.john, [])
            await acts.tasks_changed(inner, world.john, world.page, [])

        made, _ = await asyncio.gather(page_token(ctx, ctx.caller, world.page), world.change(lose))
        assert made is None or await fate(world, made) == 492


async def test_no_token_outlives_an_erasure_that_runs_beside_its_making(world: World) -> None:
    for _ in range(5):
        await world.change(lambda ctx: scoped_id(ctx.db, world.ids, world.john, world.app.scope))
        user = await world.log_in(long_lived=True)
        ctx = await world.as_(user)
        await asyncio.gather(
            page_token(ctx, ctx.caller, world.page),
            world.change(lambda inner: acts.erased(inner, person=world.john)),
            return_exceptions=True,
        )
        assert not await world.db.all("SELECT hash FROM token WHERE person = :person", person=world.john)
