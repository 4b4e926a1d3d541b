"""oauth/access_token and oauth/revoke: grants, where credentials come from, errors byte for byte."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polynym.graph.call import Answer
from polynym.tokens import acts
from polynym.tokens.grants import revoke_grant
from polynym.tokens.issuing import app_token, issue_system_user_token
from polynym.tokens.oauth import access_token, revoke
from polynym.tokens.pages import page_token
from polynym.wire.errors import GraphError

from .conftest import SECRET, World

HOURS_60_DAYS = 60 * 24 * 3600


async def ask(world: World, **params: Any) -> Any:
    """The app's own request, unless a test leaves out or changes something."""
    params = {"client_id": world.app.id, "client_secret": SECRET} | params
    return await world.ask(access_token, **{name: value for name, value in params.items() if value is not None})


async def refusal(world: World, **params: Any) -> tuple[int | None, int | None, str, str]:
    with pytest.raises(GraphError) as raised:
        await ask(world, **params)
    error = raised.value
    return error.entry.code, error.entry.subcode, error.message(), error.entry.slug


# --- client_credentials


async def test_client_credentials_give_the_app_token_without_an_expiry(world: World) -> None:
    answer = await ask(world, grant_type="client_credentials")
    assert set(answer) == {"access_token", "token_type"}
    assert answer["token_type"] == "bearer"
    assert (await world.caller(answer["access_token"])).kind == "app"


async def test_the_app_token_is_the_same_every_time(world: World) -> None:
    first = await ask(world, grant_type="client_credentials")
    assert await ask(world, grant_type="client_credentials") == first


async def test_credentials_may_come_by_http_basic(world: World) -> None:
    answer = await world.ask(access_token, basic=(world.app.id, SECRET), grant_type="client_credentials")
    assert (await world.caller(answer["access_token"])).app.id == world.app.id


async def test_parameters_win_over_http_basic(world: World) -> None:
    answer = await world.ask(
        access_token, basic=(world.other_app.id, "nonsense"), grant_type="client_credentials",
        client_id=world.app.id, client_secret=SECRET,
    )  # fmt: skip
    assert (await world.caller(answer["access_token"])).app.id == world.app.id


# --- fb_exchange_token


async def exchange(world: World, token: str, **params: Any) -> Any:
    return await ask(world, grant_type="fb_exchange_token", fb_exchange_token=token, **params)


async def test_a_short_token_becomes_a_long_one_and_lives_on_itself(world: World) -> None:
    short = await world.log_in(targets={"pages_messaging": [world.page]})
    answer = await exchange(world, short)
    assert list(answer) == ["access_token", "token_type", "expires_in"]
    assert answer["expires_in"] == HOURS_60_DAYS
    old, new = await world.caller(short), await world.caller(answer["access_token"])
    assert (new.scopes, new.targets, new.subject, new.person) == (old.scopes, old.targets, old.subject, old.person)
    assert new.data_access_expires_ms == old.data_access_expires_ms
    assert new.hash != old.hash


async def test_a_long_token_can_be_exchanged_again(world: World) -> None:
    first = await exchange(world, await world.log_in())
    world.clock.advance(days=59)
    second = await exchange(world, first["access_token"])
    assert second["expires_in"] == HOURS_60_DAYS
    world.clock.advance(days=2)
    assert (await world.caller(second["access_token"])).kind == "user"


async def test_an_expired_token_is_not_exchanged(world: World) -> None:
    token = await world.log_in()
    world.clock.advance(hours=2)
    code, subcode, message, _ = await refusal(world, grant_type="fb_exchange_token", fb_exchange_token=token)
    assert (code, subcode) == (190, 463)
    assert message.startswith("Error validating access token: Session has expired on Saturday, 30-Mar-24 17:00:00 PDT.")


async def test_a_dead_token_is_refused_with_the_subcode_of_its_death(world: World) -> None:
    token = await world.log_in()
    await world.change(lambda ctx: acts.deauthorize(ctx, world.john, world.app.id))
    code, subcode, message, slug = await refusal(world, grant_type="fb_exchange_token", fb_exchange_token=token)
    assert (code, subcode, slug) == (190, 458, "invalid_token")
    assert message == f"Error validating access token: The user has not authorized application {world.app.id}."


async def test_another_apps_token_is_refused_before_anything_is_said_about_it(world: World) -> None:
    dead = await world.log_in()
    await world.change(lambda ctx: acts.password_changed(ctx, world.john))
    living = await world.log_in()
    for token in (dead, living):
        assert await refusal(
            world, client_id=world.other_app.id, client_secret=world.other_app.secret,
            grant_type="fb_exchange_token", fb_exchange_token=token,
        ) == (1, None, f"The access token does not belong to application {world.other_app.id}", "invalid_request")  # fmt: skip


@pytest.mark.parametrize("token", ["garbage", "EAAnothing"])
async def test_garbage_is_not_exchanged(world: World, token: str) -> None:
    code, subcode, _, slug = await refusal(world, grant_type="fb_exchange_token", fb_exchange_token=token)
    assert (code, subcode, slug) == (190, None, "invalid_token")


async def test_page_and_app_tokens_are_not_exchanged(world: World) -> None:
    ctx = await world.as_(await world.log_in())
    assert ctx.caller is not None
    page = await page_token(ctx, ctx.caller, world.page)
    minted = await world.change(lambda inner: app_token(inner, world.app.id))
    for token in (page, minted, f"{world.app.id}|{SECRET}", f"{world.app.id}|{world.app.client_token}"):
        code, _, _, _ = await refusal(world, grant_type="fb_exchange_token", fb_exchange_token=token)
        assert code == 190


async def test_a_missing_token_is_named(world: World) -> None:
    code, _, message, _ = await refusal(world, grant_type="fb_exchange_token")
    assert (code, message) == (100, "(#100) The parameter fb_exchange_token is required")


async def test_a_system_users_new_token_expires_when_asked_to_and_the_old_one_stays(world: World) -> None:
    old = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management"])
    answer = await exchange(world, old, set_token_expires_in_60_days="true")
    assert answer["expires_in"] == HOURS_60_DAYS
    new = await world.caller(answer["access_token"])
    assert (new.kind, new.subject, new.scopes) == ("system_user", "990011", {"business_management"})
    world.clock.advance(days=61)
    assert (await world.caller(old)).kind == "system_user"


async def test_a_system_users_token_that_never_expires_stays_so_without_the_wish(world: World) -> None:
    old = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management"])
    assert set(await exchange(world, old)) == {"access_token", "token_type"}


async def test_an_expiring_system_user_token_is_never_traded_for_one_that_does_not(world: World) -> None:
    old = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management"], in_60_days=True)
    assert (await exchange(world, old))["expires_in"] == HOURS_60_DAYS


async def test_a_permission_taken_back_does_not_return_by_exchange(world: World) -> None:
    token = await world.log_in()
    await world.change(lambda ctx: revoke_grant(ctx, world.john, world.app.id, "pages_messaging"))
    answer = await exchange(world, token)
    assert "pages_messaging" not in (await world.caller(answer["access_token"])).scopes


async def test_no_exchanged_token_outlives_a_password_change_beside_it(world: World) -> None:
    for _ in range(5):
        token = await world.log_in()
        answer, _ = await asyncio.gather(
            exchange(world, token),
            world.change(lambda ctx: acts.password_changed(ctx, world.john)),
            return_exceptions=True,
        )
        if not isinstance(answer, GraphError):
            with pytest.raises(GraphError) as raised:
                await world.caller(answer["access_token"])
            answer = raised.value
        assert answer.entry.subcode == 460


# --- before v2.3


async def test_before_v2_3_the_answer_is_form_text(world: World) -> None:
    credentials = {"client_id": world.app.id, "client_secret": SECRET}
    answer = await world.ask(access_token, version=(2, 2), grant_type="client_credentials", **credentials)
    assert isinstance(answer, Answer)
    token = await world.change(lambda ctx: app_token(ctx, world.app.id))
    assert answer.value == f"access_token={token}".encode()
    assert answer.content_type == b"text/plain; charset=UTF-8"
    short = await world.log_in()
    answer = await world.ask(
        access_token, version=(2, 2), grant_type="fb_exchange_token", fb_exchange_token=short, **credentials
    )
    assert answer.value.endswith(b"&expires=5184000")
    assert isinstance(
        await world.ask(access_token, version=(2, 3), grant_type="client_credentials", **credentials), dict
    )


# --- errors, in the order in which the platform looks

REFUSALS: dict[str, tuple[dict[str, Any], tuple[int, str, str]]] = {
    "no client_id": ({"client_id": None}, (101, "Missing client_id parameter.", "invalid_request")),
    "client_id is no number": (
        {"client_id": "123abc"}, (101, "Error validating application. Invalid application ID.", "invalid_request"),
    ),
    "client_id in other digits": (
        {"client_id": "١٢٣"}, (101, "Error validating application. Invalid application ID.", "invalid_request"),
    ),
    "unknown app": (
        {"client_id": "424242"},
        (101, "Error validating application. Cannot get application info due to a system error.", "invalid_request"),
    ),
    "wrong secret": (
        {"client_secret": "wrong", "grant_type": "client_credentials"},
        (1, "Error validating client secret.", "invalid_request"),
    ),
    "no secret": (
        {"client_secret": None, "grant_type": "client_credentials"},
        (1, "Error validating client secret.", "invalid_request"),
    ),
    "wrong secret with a code": (
        {"client_secret": "wrong", "code": "AQB"}, (1, "Error validating client secret.", "invalid_request"),
    ),
    "wrong secret in an exchange": (
        {"client_secret": "wrong", "grant_type": "fb_exchange_token", "fb_exchange_token": "EAA"},
        (1, "Error validating client secret.", "invalid_request"),
    ),
    "no code": ({}, (1, "Missing authorization code", "invalid_code")),
    "no code, grant named": ({"grant_type": "authorization_code"}, (1, "Missing authorization code", "invalid_code")),
    "no code, no secret": ({"client_secret": None}, (1, "Missing authorization code", "invalid_code")),
    "not a code": ({"code": "nonsense"}, (100, "Invalid verification code format.", "invalid_code")),
    "not a code, with a verifier": (
        {"client_secret": None, "code": "nonsense", "code_verifier": "v"},
        (100, "Invalid verification code format.", "invalid_code"),
    ),
    "a code without secret or verifier": (
        {"client_secret": None, "code": "AQB"}, (1, "Error validating client secret.", "invalid_request"),
    ),
    "unknown grant": (
        {"grant_type": "password"},
        (100, "Invalid grant_type: 'password'. Supported types: authorization_code, client_credentials, "
              "fb_exchange_token", "invalid_request"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("params", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_is_byte_for_byte_the_platforms(world: World, params: Any, expected: Any) -> None:
    code, _, message, slug = await refusal(world, **params)
    assert (code, message, slug) == expected


async def test_a_prefix_or_another_spelling_of_the_secret_is_wrong(world: World) -> None:
    for secret in (SECRET[:-1], SECRET.upper(), SECRET + "0", " " + SECRET, "\ud800", "é" * 32, world.other_app.secret):
        code, _, message, _ = await refusal(world, client_secret=secret, grant_type="client_credentials")
        assert (code, message) == (1, "Error validating client secret.")


# --- oauth/revoke


async def give_back(world: World, token: str, **params: Any) -> Any:
    params = {"client_id": world.app.id, "client_secret": SECRET, "revoke_token": token} | params
    return await world.ask(revoke, **params)


async def test_a_revoked_token_and_its_page_tokens_are_dead(world: World) -> None:
    user, other = await world.log_in(long_lived=True), await world.log_in(long_lived=True)
    ctx = await world.as_(user)
    assert ctx.caller is not None
    page = await page_token(ctx, ctx.caller, world.page)
    assert await give_back(world, user) == {"success": True}
    for token in (user, page):
        with pytest.raises(GraphError) as raised:
            await world.caller(token or "")
        assert raised.value.entry.subcode == 467
        assert "may be due to a system error" in raised.value.message()
    assert (await world.caller(other)).kind == "user"


async def test_revoking_twice_succeeds_twice(world: World) -> None:
    token = await world.log_in()
    assert await give_back(world, token) == await give_back(world, token) == {"success": True}


async def test_rotation_works_in_the_order_clients_use(world: World) -> None:
    old = await issue_system_user_token(world.ctx, "990011", world.app.id, ["business_management"], in_60_days=True)
    new = (await exchange(world, old, set_token_expires_in_60_days=True))["access_token"]
    assert await give_back(world, old, access_token=new) == {"success": True}
    assert (await world.caller(new)).kind == "system_user"
    with pytest.raises(GraphError):
        await world.caller(old)


async def test_only_the_app_itself_revokes(world: World) -> None:
    token = await world.log_in()
    attempts: list[dict[str, Any]] = [
        {"client_secret": "wrong"},
        {"client_id": world.other_app.id},
        {"client_id": world.other_app.id, "client_secret": world.other_app.secret},
        {"access_token": "EAAgarbage"},
        {"access_token": f"{world.other_app.id}|{world.other_app.secret}"},
    ]
    for params in attempts:
        with pytest.raises(GraphError):
            await give_back(world, token, **params)
    assert (await world.caller(token)).kind == "user"


async def test_a_dead_access_token_does_not_revoke(world: World) -> None:
    dead = await world.log_in()
    await world.change(lambda ctx: acts.password_changed(ctx, world.john))
    token = await world.log_in()
    with pytest.raises(GraphError) as raised:
        await give_back(world, token, access_token=dead)
    assert raised.value.entry.subcode == 460


async def test_a_secret_cannot_be_revoked(world: World) -> None:
    for token in (f"{world.app.id}|{SECRET}", f"{world.app.id}|{world.app.client_token}", "EAAgarbage"):
        with pytest.raises(GraphError) as raised:
            await give_back(world, token)
        assert raised.value.entry.code == 190
