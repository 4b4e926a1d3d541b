"""Token rows and grants."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynym.core.db import UniqueViolation
from polynym.core.seal import SealError
from polynym.tokens import store
from polynym.tokens.grants import UnknownScopesError, grant, grants_of, revoke_grant
from polynym.tokens.issuing import app_token, issue_user_token
from polynym.tokens.scopes import CATALOGUE
from polynym.tokens.store import NewToken, TokenRefusedError, issue

from .conftest import World

NAMES = st.sets(st.sampled_from(sorted(CATALOGUE)))


@given(NAMES)
def test_scopes_come_back_from_the_database_as_they_went(names) -> None:
    assert store.scopes_of(store.scopes_text(names)) == names


@given(
    st.dictionaries(st.sampled_from(sorted(CATALOGUE)), st.sets(st.from_regex(r"[0-9]{1,17}", fullmatch=True))), NAMES
)
def test_targets_come_back_for_the_scopes_there_are(targets, names) -> None:
    stored = store.targets_of(store.targets_text(targets, names))
    assert {name: set(ids) for name, ids in stored.items()} == {n: set(i) for n, i in targets.items() if n in names}


@pytest.mark.parametrize("kind", ["user", "page", "system_user"])
async def test_a_fixed_token_works(world: World, kind: Any) -> None:
    token = await issue(
        world.ctx, NewToken(kind=kind, app=world.app.id, person=world.john, page=world.page, fixed="fixed-token-1")
    )
    assert token == "fixed-token-1"
    assert (await world.caller(token)).kind == kind


async def test_a_fixed_app_token_works(world: World) -> None:
    fixed = f"{world.app.id}|my-app-token"
    await issue(world.ctx, NewToken(kind="app", app=world.app.id, fixed=fixed))
    assert (await world.caller(fixed)).kind == "app"


@pytest.mark.parametrize("fixed", ["", "short", "with blank", "newline\n", "ünïcödé!", "x" * 1_025, "with|a|bar"])
async def test_a_fixed_token_that_could_never_be_sent_is_refused(world: World, fixed: str) -> None:
    with pytest.raises(TokenRefusedError):
        await issue(world.ctx, NewToken(kind="user", app=world.app.id, person=world.john, fixed=fixed))


@pytest.mark.parametrize("fixed", ["no-bar-in-it", "123|of-another-app"])
async def test_a_fixed_app_token_begins_with_its_app(world: World, fixed: str) -> None:
    with pytest.raises(TokenRefusedError):
        await issue(world.ctx, NewToken(kind="app", app=world.app.id, fixed=fixed))


async def test_a_fixed_token_can_be_given_out_once_only(world: World) -> None:
    new = NewToken(kind="user", app=world.app.id, person=world.john, fixed="fixed-token-1")
    await issue(world.ctx, new)
    with pytest.raises(UniqueViolation):
        await issue(world.ctx, new)


async def test_an_issued_token_looks_like_the_platforms(world: World) -> None:
    tokens = [await world.log_in() for _ in range(5)]
    assert len(set(tokens)) == 5
    for token in tokens:
        assert token.startswith("EAA")
        assert token.endswith("ZDZD")
        assert token.isalnum()


async def test_only_a_token_made_to_be_shown_can_be_shown(world: World) -> None:
    await world.log_in()
    shown = await world.log_in(shown=True)
    rows = await store.shown_tokens(world.ctx, world.app.id, "user", person=world.john)
    assert [store.reveal(world.ctx, row) for row in rows] == [shown]


async def test_an_expired_token_is_not_shown_any_more(world: World) -> None:
    await world.log_in(shown=True)
    world.clock.advance(hours=3)
    assert not await store.shown_tokens(world.ctx, world.app.id, "user", person=world.john)


async def test_a_sealed_token_copied_to_another_row_does_not_open(world: World) -> None:
    first, second = await world.log_in(shown=True), await world.log_in(shown=True)
    rows = {row["hash"]: dict(row) for row in await store.shown_tokens(world.ctx, world.app.id, "user")}
    one, two = (rows[world.keyring.hash_token(token)] for token in (first, second))
    with pytest.raises(SealError):
        store.reveal(world.ctx, one | {"sealed": two["sealed"]})


async def test_the_app_token_stays_the_same(world: World) -> None:
    tokens = {await world.change(lambda ctx: app_token(ctx, world.app.id)) for _ in range(3)}
    assert len(tokens) == 1


async def test_set_scopes_tells_whether_it_changed_anything(world: World) -> None:
    token = await world.log_in()
    hash_ = world.keyring.hash_token(token)
    assert await world.change(lambda ctx: store.set_scopes(ctx, hash_, ["email"]))
    assert not await world.change(lambda ctx: store.set_scopes(ctx, hash_, ["email"]))
    assert (await world.caller(token)).scopes == {"email"}


async def test_forgetting_an_app_or_a_page_leaves_nothing_of_it(world: World) -> None:
    await world.log_in(shown=True)
    page = NewToken(kind="page", app=world.app.id, person=world.john, page=world.page)
    await issue(world.ctx, page)
    await world.change(lambda ctx: store.forget(ctx, page=world.page))
    assert [row["kind"] for row in await world.db.all("SELECT kind FROM token")] == ["user"]
    await world.change(lambda ctx: store.forget(ctx, app=world.app.id))
    assert not await world.db.all("SELECT hash FROM token")
    assert not await world.db.all("SELECT scope FROM app_grant")


# --- grants


async def test_public_profile_is_always_granted(world: World) -> None:
    assert await world.change(lambda ctx: grant(ctx, world.john, world.app.id, [])) == {"public_profile"}


async def test_what_was_said_about_other_permissions_stays(world: World) -> None:
    await world.change(lambda ctx: grant(ctx, world.john, world.app.id, ["email"], declined=["pages_messaging"]))
    await world.change(lambda ctx: grant(ctx, world.john, world.app.id, ["pages_messaging"], declined=["email"]))
    given = await grants_of(world.db, world.john, world.app.id)
    assert given.states == {"email": "declined", "pages_messaging": "granted", "public_profile": "granted"}
    assert given.granted == {"pages_messaging", "public_profile"}


async def test_invented_permissions_are_refused_by_name(world: World) -> None:
    with pytest.raises(UnknownScopesError) as raised:
        await world.change(lambda ctx: grant(ctx, world.john, world.app.id, ["email", "world_domination"]))
    assert raised.value.names == ("world_domination",)
    assert (await grants_of(world.db, world.john, world.app.id)).states == {}


async def test_a_legacy_permissions_targets_are_those_of_what_it_stands_for(world: World) -> None:
    await world.change(
        lambda ctx: grant(ctx, world.john, world.app.id, ["manage_pages"], targets={"manage_pages": [world.page]})
    )
    given = await grants_of(world.db, world.john, world.app.id)
    assert given.targets["pages_show_list"] == (world.page,)
    assert "public_profile" not in given.targets


async def test_a_permission_taken_back_is_declined_and_leaves_every_token(world: World) -> None:
    short, long = await world.log_in(), await world.log_in(long_lived=True)
    assert await world.change(lambda ctx: revoke_grant(ctx, world.john, world.app.id, "pages_messaging"))
    for token in (short, long):
        assert (await world.caller(token)).scopes == {"public_profile", "pages_show_list", "pages_manage_metadata"}
    given = await grants_of(world.db, world.john, world.app.id)
    assert given.states["pages_messaging"] == "declined"
    assert not await world.change(lambda ctx: revoke_grant(ctx, world.john, world.app.id, "pages_messaging"))


async def test_taking_one_permission_back_leaves_one_with_a_like_name(world: World) -> None:
    token = await world.log_in(None, "ads_read", "pages_user_locale", "pages_user_gender")
    await world.change(lambda ctx: revoke_grant(ctx, world.john, world.app.id, "pages_user_locale"))
    assert (await world.caller(token)).scopes == {"ads_read", "pages_user_gender", "public_profile"}


async def test_other_people_and_apps_keep_theirs(world: World) -> None:
    mary = await world.log_in(world.mary)
    await world.log_in()
    await world.change(lambda ctx: revoke_grant(ctx, world.john, world.app.id, "pages_messaging"))
    assert "pages_messaging" in (await world.caller(mary)).scopes


async def test_a_token_may_be_asked_for_with_fewer_scopes_but_not_with_more(world: World) -> None:
    await world.change(lambda ctx: grant(ctx, world.john, world.app.id, ["email"], declined=["pages_messaging"]))
    token = await issue_user_token(world.ctx, world.john, world.app.id, scopes=["email", "pages_messaging", "ads_read"])
    assert (await world.caller(token)).scopes == {"email"}
