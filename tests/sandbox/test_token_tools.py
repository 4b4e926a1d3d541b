"""What the control plane tells of tokens, and how it lets them die."""

from __future__ import annotations

from typing import Any

import pytest

from polynym.sandbox.token_tools import REASONS
from polynym.wire.signatures import appsecret_proof, parse_signed_request

GAME, MOVIE, THING, GAME_ASID = "1419232575008550", "259773517400382", "380374449010653", "10152368852405295"


async def env_of(plane: Any) -> dict[str, str]:
    """What `polynym env` prints."""
    found: dict[str, str] = await plane.ok("GET", "env")
    return found


async def test_a_living_token_is_shown_with_everything_but_itself(plane: Any) -> None:
    env = await env_of(plane)
    told = await plane.ok("POST", "tokens/show", {"token": env["PAGE_TOKEN"]})
    assert (told["valid"], told["error"], told["kind"], told["me"]) == (True, None, "page", THING)
    assert told["app"] == {"id": GAME, "name": "John's Game App"}
    assert "pages_messaging" in told["scopes"]
    assert told["proof"] == appsecret_proof(env["PAGE_TOKEN"], env["APP_SECRET"])
    assert env["PAGE_TOKEN"] not in str(told)
    app = await plane.ok("POST", "tokens/show", {"token": env["APP_TOKEN"]})
    assert (app["kind"], app["me"], app["expires"]) == ("app", None, None)


@pytest.mark.parametrize(
    ("reason", "subcode"),
    [("expired", 463), ("password_changed", 460), ("deauthorized", 458), ("checkpoint", 459), ("unconfirmed", 464),
     ("logged_out", 467), ("blocked", 490), ("role_lost", 492), ("revoked", None), ("uninstalled", None)],
)  # fmt: skip
async def test_a_token_dies_of_what_it_is_told_and_callers_get_that_error(
    plane: Any, reason: str, subcode: int | None
) -> None:
    made = await plane.ok("POST", "acts/log_in", {"person": "owner", "app": "game", "scopes": ["pages_show_list"]})
    token = made["user_token"]
    accounts = (await plane.http.get("/v19.0/me/accounts", access_token=token)).json()["data"]
    told = await plane.ok("POST", "tokens/invalidate", {"token": token, "reason": reason})
    assert told["died"] == 1 + len(accounts)
    refused = (await plane.http.get("/v19.0/me", access_token=token)).error
    assert refused["code"] == 190
    if subcode is not None:
        assert refused["error_subcode"] == told["error"]["error_subcode"] == subcode
    assert (await plane.http.get("/v19.0/me", access_token=accounts[0]["access_token"])).error["code"] == 190
    shown = await plane.ok("POST", "tokens/show", {"token": token})
    assert (shown["valid"], shown["error"]["message"]) == (False, refused["message"])
    assert (await plane.call("POST", "tokens/invalidate", {"token": token, "reason": reason})).status == 409


async def test_every_way_to_die_has_a_name_that_is_listed_when_another_is_asked(plane: Any) -> None:
    env = await env_of(plane)
    reply = await plane.call("POST", "tokens/invalidate", {"token": env["USER_TOKEN"], "reason": "boredom"})
    assert reply.status == 400
    assert all(reason in reply.json()["error"]["hint"] for reason in REASONS)


@pytest.mark.parametrize(
    ("call", "body", "status", "param"),
    [
        ("tokens/show", {}, 400, "token"),
        ("tokens/show", {"token": "nonsense"}, 404, "token"),
        ("tokens/show", {"token": f"{GAME}|nonsense"}, 404, "token"),
        ("tokens/show", {"token": 7}, 400, "token"),
        ("tokens/invalidate", {"token": "nonsense", "reason": "expired"}, 404, "token"),
        ("tokens/proof", {"token": "x", "app": "nothing"}, 404, None),
        ("tokens/proof", {"token": "x", "app": "game", "time": "soon"}, 400, "time"),
        ("tokens/proof", {"token": "x", "app": "game", "time": "1" * 5000}, 400, "time"),
        ("signed_requests", {"app": "game"}, 400, "person"),
        ("signed_requests", {"app": "game", "person": "layla"}, 409, "person"),
        ("signed_requests", {"app": "game", "person": "john", "page": "thing"}, 400, "page"),
    ],
)
async def test_what_cannot_be_done_is_said(
    plane: Any, call: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    reply = await plane.call("POST", call, body)
    assert reply.status == status
    if param is not None:
        assert reply.json()["error"]["param"] == param


async def test_the_apps_own_secret_cannot_die(plane: Any) -> None:
    env = await env_of(plane)
    literal = f"{env['APP_ID']}|{env['APP_SECRET']}"
    assert (await plane.call("POST", "tokens/invalidate", {"token": literal, "reason": "expired"})).status == 409


async def test_proofs_are_those_that_the_graph_accepts(plane: Any) -> None:
    env = await env_of(plane)
    token, now_s = env["PAGE_TOKEN"], str(plane.world.clock.now_ms() // 1000)
    plain = (await plane.ok("POST", "tokens/proof", {"token": token}))["appsecret_proof"]
    timed = (await plane.ok("POST", "tokens/proof", {"token": token, "time": now_s}))["appsecret_proof"]
    wrong = (await plane.ok("POST", "tokens/proof", {"token": token, "app": MOVIE}))["appsecret_proof"]
    call = {"access_token": token}
    assert (await plane.http.get("/v19.0/me", **call, appsecret_proof=plain)).status == 200
    assert (await plane.http.get("/v19.0/me", **call, appsecret_proof=timed, appsecret_time=now_s)).status == 200
    assert (await plane.http.get("/v19.0/me", **call, appsecret_proof=wrong)).status == 400


async def test_a_signed_request_names_the_person_as_the_app_knows_them(plane: Any) -> None:
    env = await env_of(plane)
    told = await plane.ok("POST", "signed_requests", {"app": "game", "person": "john"})
    now_ms = plane.world.clock.now_ms()
    payload = parse_signed_request(told["signed_request"], env["APP_SECRET"], now_ms=now_ms, max_age_s=60)
    assert payload == {"algorithm": "HMAC-SHA256", "issued_at": now_ms // 1000, "user_id": GAME_ASID}
    assert told["user_id"] == GAME_ASID
