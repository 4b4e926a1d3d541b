"""debug_token: the exact shape, and who may look."""

from __future__ import annotations

from typing import Any

import pytest

from polynym.core.ctx import Ctx
from polynym.identity.store import set_role
from polynym.tokens import acts
from polynym.tokens.grants import grant
from polynym.tokens.inspection import debug_token
from polynym.tokens.issuing import app_token, issue_system_user_token, issue_user_token
from polynym.tokens.pages import page_token
from polynym.wire.errors import GraphError

from .conftest import NOW_MS, SECRET, World

NOW_S = NOW_MS // 1000
DAY_S = 24 * 3600


async def look(world: World, token: str, caller: str | None = None) -> Any:
    """What the app's own token sees."""
    return await world.ask(debug_token, caller or f"{world.app.id}|{SECRET}", input_token=token)


async def refusal(world: World, token: str, caller: str) -> str:
    with pytest.raises(GraphError) as raised:
        await look(world, token, caller)
    assert (raised.value.entry.code, raised.value.entry.type) == (100, "OAuthException")
    return raised.value.message()


NO_RIGHT = (
    "(#100) You must provide an app access token, or a user access token that is an owner or developer of the app"
)


async def test_a_user_token(world: World) -> None:
    token = await world.log_in(
        None, "email", "pages_messaging", "business_management",
        targets={"pages_messaging": [world.page]}, long_lived=True,
    )  # fmt: skip
    answer = await look(world, token)
    assert answer == {
        "data": {
            "app_id": world.app.id,
            "type": "USER",
            "application": "John's Game App",
            "data_access_expires_at": NOW_S + 90 * DAY_S,
            "expires_at": NOW_S + 60 * DAY_S,
            "is_valid": True,
            "issued_at": NOW_S,
            "scopes": ["business_management", "email", "pages_messaging", "public_profile"],
            "granular_scopes": [
                {"scope": "business_management"},
                {"scope": "pages_messaging", "target_ids": [world.page]},
            ],
            "user_id": world.asid,
        }
    }
    assert list(answer["data"]) == [
        "app_id", "type", "application", "data_access_expires_at", "expires_at", "is_valid", "issued_at", "scopes",
        "granular_scopes", "user_id",
    ]  # fmt: skip


async def test_a_page_token_names_the_page_and_the_person(world: World) -> None:
    ctx = await world.as_(await world.log_in(long_lived=True))
    assert ctx.caller is not None
    token = await page_token(ctx, ctx.caller, world.page)
    data = (await look(world, token or ""))["data"]
    assert (data["type"], data["profile_id"], data["user_id"], data["expires_at"]) == (
        "PAGE",
        world.page,
        world.asid,
        0,
    )
    assert data["is_valid"] is True


async def test_a_system_users_token_never_expires(world: World) -> None:
    token = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management"])
    data = (await look(world, token))["data"]
    assert (data["type"], data["user_id"], data["expires_at"], data["data_access_expires_at"]) == (
        "SYSTEM_USER", "990011", 0, 0,
    )  # fmt: skip


async def test_app_tokens_of_both_forms(world: World) -> None:
    minted = await world.change(lambda ctx: app_token(ctx, world.app.id))
    for token in (minted, f"{world.app.id}|{SECRET}"):
        assert await look(world, token) == {
            "data": {
                "app_id": world.app.id, "type": "APP", "application": "John's Game App", "is_valid": True, "scopes": [],
            }
        }  # fmt: skip


async def test_an_expired_token_is_answered_with_the_error_inside(world: World) -> None:
    token = await world.log_in(None, "email")
    world.clock.advance(hours=2)
    answer = await look(world, token)
    assert answer == {
        "data": {
            "app_id": world.app.id,
            "application": "John's Game App",
            "data_access_expires_at": NOW_S + 90 * DAY_S,
            "error": {
                "code": 190,
                "message": "Error validating access token: Session has expired on Saturday, 30-Mar-24 17:00:00 PDT. "
                "The current time is Saturday, 30-Mar-24 17:20:00 PDT.",
                "subcode": 463,
            },
            "expires_at": 1_711_843_200,
            "is_valid": False,
            "scopes": ["email", "public_profile"],
            "user_id": world.asid,
        }
    }


async def test_a_token_of_a_person_who_left_does_not_name_them(world: World) -> None:
    token = await world.log_in()
    await world.change(lambda ctx: acts.deauthorize(ctx, world.john, world.app.id))
    data = (await look(world, token))["data"]
    assert (data["is_valid"], data["error"]["subcode"]) == (False, 458)
    assert "user_id" not in data


async def test_a_minted_app_token_after_a_secret_reset(world: World) -> None:
    minted = await world.change(lambda ctx: app_token(ctx, world.app.id))
    await world.change(lambda ctx: acts.secret_reset(ctx, world.app.id))
    data = (await look(world, minted))["data"]
    assert (data["is_valid"], data["error"]) == (False, {"code": 190, "message": "Invalid OAuth access token."})


@pytest.mark.parametrize("token", ["garbage", "EAAinvented", "٣", "EAA" + "x" * 900])
async def test_garbage_is_answered_alike(world: World, token: str) -> None:
    assert await look(world, token) == {
        "data": {"error": {"code": 190, "message": "Invalid OAuth access token."}, "is_valid": False, "scopes": []}
    }


async def test_a_client_token_is_not_an_access_token(world: World) -> None:
    data = (await look(world, f"{world.app.id}|{world.app.client_token}"))["data"]
    assert data["error"]["message"] == "Invalid OAuth access token."


async def test_an_erased_persons_token_is_garbage(world: World) -> None:
    token = await world.log_in()
    await world.change(lambda ctx: acts.erased(ctx, person=world.john))
    assert await look(world, token) == await look(world, "garbage")


# --- who may look


async def test_another_apps_token_is_none_of_this_apps_business(world: World) -> None:
    token = await world.log_in()
    caller = f"{world.other_app.id}|{world.other_app.secret}"
    expected = "(#100) The App_id in the input_token did not match the Viewing App"
    assert await refusal(world, token, caller) == expected
    await world.change(lambda ctx: acts.password_changed(ctx, world.john))
    assert await refusal(world, token, caller) == expected


@pytest.mark.parametrize(
    ("role", "may"), [("admin", True), ("developer", True), ("tester", False), ("insights", False), (None, False)]
)
async def test_a_person_needs_to_own_or_develop_the_app(world: World, role: Any, may: bool) -> None:
    await world.change(lambda ctx: set_role(ctx.db, world.app.id, world.mary, role))
    caller, token = await world.log_in(world.mary, "email"), await world.log_in()
    if may:
        assert (await look(world, token, caller))["data"]["is_valid"] is True
    else:
        assert await refusal(world, token, caller) == NO_RIGHT
        assert await refusal(world, caller, caller) == NO_RIGHT


async def test_a_developer_of_another_app_may_not_look(world: World) -> None:
    token = await world.log_in()

    async def elsewhere(ctx: Ctx) -> str:
        await set_role(ctx.db, world.app.id, world.mary, "admin")
        await grant(ctx, world.mary, world.other_app.id, ["email"])
        return await issue_user_token(ctx, world.mary, world.other_app.id)

    assert await refusal(world, token, await world.change(elsewhere)) == NO_RIGHT


async def test_a_page_token_may_not_look_even_at_itself(world: World) -> None:
    ctx = await world.as_(await world.log_in())
    assert ctx.caller is not None
    page = await page_token(ctx, ctx.caller, world.page)
    assert await refusal(world, page or "", page or "") == NO_RIGHT


async def test_a_system_user_may_look_at_its_own_token_only(world: World) -> None:
    first = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management"])
    second = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management"])
    assert (await look(world, first, first))["data"]["is_valid"] is True
    assert await refusal(world, second, first) == NO_RIGHT
