"""Page tokens: who gets one, when it is the same one again, and what it may do."""

from __future__ import annotations

import asyncio

import pytest

from polynym.core.ctx import Ctx
from polynym.identity.store import set_tasks
from polynym.tokens import acts
from polynym.tokens.grants import grant, revoke_grant
from polynym.tokens.issuing import issue_system_user_token, issue_user_token
from polynym.tokens.pages import page_token, page_tokens
from polynym.wire.errors import GraphError

from .conftest import SECRET, World


async def of(world: World, token: str, page: str | None = None) -> str | None:
    ctx = await world.as_(token)
    assert ctx.caller is not None
    return await page_token(ctx, ctx.caller, page or world.page)


async def test_the_same_long_lived_session_gets_the_same_token(world: World) -> None:
    user = await world.log_in(long_lived=True)
    assert await of(world, user) == await of(world, user)


async def test_two_long_lived_sessions_share_a_token_as_long_as_its_origin_lives(world: World) -> None:
    first, second = await world.log_in(long_lived=True), await world.log_in(long_lived=True)
    token = await of(world, first)
    assert await of(world, second) == token
    hash_ = (await world.caller(first)).hash
    await world.change(lambda ctx: acts.logged_out(ctx, hash_))
    assert await of(world, second) != token


async def test_short_sessions_have_tokens_of_their_own_that_end_with_them(world: World) -> None:
    first, second = await world.log_in(), await world.log_in()
    token = await of(world, first)
    assert token is not None
    assert token == await of(world, first)
    assert token != await of(world, second)
    assert (await world.caller(token)).expires_ms == (await world.caller(first)).expires_ms


async def test_a_token_from_a_long_lived_one_never_expires(world: World) -> None:
    token = await of(world, await world.log_in(long_lived=True))
    assert token is not None
    world.clock.advance(days=400)
    assert (await world.caller(token)).expires_ms is None


async def test_pages_and_apps_and_people_have_different_tokens(world: World) -> None:
    await world.change(lambda ctx: set_tasks(ctx.db, world.page, world.mary, ["MANAGE"]))

    async def elsewhere(ctx: Ctx) -> str:
        await grant(ctx, world.john, world.other_app.id, ["pages_show_list"])
        return await issue_user_token(ctx, world.john, world.other_app.id, long_lived=True)

    john, mary = await world.log_in(long_lived=True), await world.log_in(world.mary, long_lived=True)
    other = await world.change(elsewhere)
    tokens = [
        await of(world, john),
        await of(world, john, world.second_page),
        await of(world, mary),
        await of(world, other),
    ]
    assert None not in tokens
    assert len(set(tokens)) == 4


async def test_somebody_without_a_task_gets_none(world: World) -> None:
    assert await of(world, await world.log_in(world.mary)) is None


async def test_a_page_nobody_knows_gives_none(world: World) -> None:
    assert await of(world, await world.log_in(), "1") is None


async def test_without_pages_show_list_there_is_none(world: World) -> None:
    assert await of(world, await world.log_in(None, "pages_messaging")) is None


async def test_manage_pages_is_as_good(world: World) -> None:
    token = await of(world, await world.log_in(None, "manage_pages"))
    assert token is not None
    assert "pages_manage_metadata" in (await world.caller(token)).scopes


async def test_a_page_outside_the_granular_targets_gives_none(world: World) -> None:
    user = await world.log_in(targets={"pages_show_list": [world.second_page]})
    assert await of(world, user) is None
    assert await of(world, user, world.second_page) is not None


async def test_a_page_token_shows_itself_and_nothing_else(world: World) -> None:
    token = await of(world, await world.log_in())
    assert token is not None
    assert await of(world, token) == token
    assert await of(world, token, world.second_page) is None


async def test_an_app_token_derives_none(world: World) -> None:
    assert await of(world, f"{world.app.id}|{SECRET}") is None


async def test_a_system_user_with_a_task_gets_a_token_that_never_expires(world: World) -> None:
    await world.change(lambda ctx: set_tasks(ctx.db, world.page, world.mary, ["MESSAGING"]))
    system = await issue_system_user_token(
        world.ctx, "990011", world.app.id, ["pages_show_list", "pages_messaging"], person=world.mary, in_60_days=True
    )
    token = await of(world, system)
    assert token is not None
    assert token == await of(world, system)
    caller = await world.caller(token)
    assert (caller.expires_ms, caller.scopes) == (None, {"pages_show_list", "pages_messaging"})


async def test_a_system_user_without_tasks_gets_none(world: World) -> None:
    system = await issue_system_user_token(world.ctx, "990011", world.app.id, ["pages_show_list"])
    assert await of(world, system) is None


async def test_scopes_are_those_granted_as_far_as_the_tasks_reach(world: World) -> None:
    await world.change(lambda ctx: set_tasks(ctx.db, world.page, world.mary, ["ANALYZE"]))
    token = await of(
        world, await world.log_in(world.mary, "pages_show_list", "pages_messaging", "read_insights", "email")
    )
    assert token is not None
    assert (await world.caller(token)).scopes == {"pages_show_list", "read_insights", "public_profile"}


async def test_targets_of_other_assets_come_along(world: World) -> None:
    user = await world.log_in(
        None, "pages_show_list", "ads_read", targets={"ads_read": ["7"], "pages_show_list": [world.page]}
    )
    token = await of(world, user)
    assert token is not None
    caller = await world.caller(token)
    assert caller.may_touch("ads_read", "7")
    assert not caller.may_touch("ads_read", "8")


async def test_a_session_with_fewer_scopes_does_not_get_the_token_of_one_with_more(world: World) -> None:
    wide = await of(world, await world.log_in(long_lived=True))

    async def narrower(ctx: Ctx) -> str:
        return await issue_user_token(ctx, world.john, world.app.id, scopes=["pages_show_list"], long_lived=True)

    narrow = await of(world, await world.change(narrower))
    assert narrow is not None
    assert narrow != wide
    assert (await world.caller(narrow)).scopes == {"pages_show_list"}


async def test_a_permission_taken_back_leaves_the_page_token_too(world: World) -> None:
    user = await world.log_in(long_lived=True)
    token = await of(world, user)
    assert token is not None
    await world.change(lambda ctx: revoke_grant(ctx, world.john, world.app.id, "pages_messaging"))
    assert "pages_messaging" not in (await world.caller(token)).scopes
    assert await of(world, user) == token


async def test_a_caller_that_died_meanwhile_derives_nothing(world: World) -> None:
    ctx = await world.as_(await world.log_in(long_lived=True))
    assert ctx.caller is not None
    await world.change(lambda inner: acts.password_changed(inner, world.john))
    with pytest.raises(GraphError) as raised:
        await page_token(ctx, ctx.caller, world.page)
    assert raised.value.entry.subcode == 460


async def test_a_scope_that_went_meanwhile_does_not_come_back_through_a_page(world: World) -> None:
    ctx = await world.as_(await world.log_in(long_lived=True))
    assert ctx.caller is not None
    await world.change(lambda inner: revoke_grant(inner, world.john, world.app.id, "pages_messaging"))
    assert "pages_messaging" in ctx.caller.scopes, "the caller is as it was a moment ago"
    token = await page_token(ctx, ctx.caller, world.page)
    assert token is not None
    assert "pages_messaging" not in (await world.caller(token)).scopes


async def test_many_pages_cost_one_statement_once_they_have_tokens(world: World) -> None:
    ctx = await world.as_(await world.log_in(long_lived=True))
    assert ctx.caller is not None
    pages = {world.page: ["MANAGE"], world.second_page: ["MANAGE"], "1": []}
    first = await page_tokens(ctx, ctx.caller, pages)
    assert set(first) == {world.page, world.second_page}
    before = world.db.statements
    assert await page_tokens(ctx, ctx.caller, pages) == first
    assert world.db.statements - before == 1


async def test_requests_at_the_same_time_get_the_same_token(world: World) -> None:
    ctx = await world.as_(await world.log_in(long_lived=True))
    assert ctx.caller is not None
    tokens = await asyncio.gather(*(page_token(ctx, ctx.caller, world.page) for _ in range(8)))
    assert len(set(tokens)) == 1
