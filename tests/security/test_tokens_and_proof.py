"""Tokens and proofs through HTTP (reliability B.6 cases 14, 15, 16 and 24; contract graph 4.8): who may speak, and for whom."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from polynym.core.ctx import Ctx
from polynym.tokens import acts
from polynym.wire.signatures import appsecret_proof
from tests.security import stage
from tests.security.adversary import get, posted, signed
from tests.security.conftest import Arena
from tests.security.stage import (
    ADMIN_KEY,
    COFFEE,
    GAME,
    HELD,
    MOVIE,
    NOW_MS,
    OWN_IDS,
    SECRETS,
    THING,
    TOKENS,
    Stage,
    Token,
    X,
)
from tests.support.asgi import Reply

TOKEN = {token.name: token for token in TOKENS}
ASID, PSID = OWN_IDS["john", GAME], OWN_IDS["john", THING]
NOW_S = NOW_MS // 1000
INVALID, REQUIRED = (
    "Invalid appsecret_proof provided in the API argument",
    "API calls from the server require an appsecret_proof argument",
)


async def control(made: Stage, method: str, path: str, body: Any = None) -> Any:
    """One call of the control plane that succeeds."""
    reply = await made.client.send(
        method, f"/_polynym/v1/{path}", body=b"" if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {ADMIN_KEY}"},
    )  # fmt: skip
    assert reply.status in (200, 201), reply.body
    return reply.json()


def timed(token: Token, seconds: int) -> dict[str, str]:
    """A proof with a time."""
    secret = SECRETS[{"game": GAME, "movie": MOVIE}[token.app]]
    return {
        "access_token": token.text, "appsecret_time": str(seconds),
        "appsecret_proof": appsecret_proof(f"{token.text}|{seconds}", secret),
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------- 14: the proof

_THING = TOKEN["thing"]
_WRONG: dict[str, dict[str, str]] = {
    "upper case": {"appsecret_proof": _THING.proof.upper()}, "cut short": {"appsecret_proof": _THING.proof[:-1]},
    "too long": {"appsecret_proof": _THING.proof + "0"}, "blank before": {"appsecret_proof": f" {_THING.proof}"},
    "of another token": {"appsecret_proof": TOKEN["coffee"].proof}, "empty": {"appsecret_proof": ""},
    "under another app's secret": {"appsecret_proof": appsecret_proof(_THING.text, SECRETS[MOVIE])},
    "the secret itself": {"appsecret_proof": SECRETS[GAME]}, "not ASCII": {"appsecret_proof": "é" * 64},
    "with a time that it does not cover": {"appsecret_proof": _THING.proof, "appsecret_time": str(NOW_S)},
    "a time and no proof": {"appsecret_time": str(NOW_S)},
    "301 s old": timed(_THING, NOW_S - 301), "301 s ahead": timed(_THING, NOW_S + 301),
    "covers a time that is not sent": {"appsecret_proof": timed(_THING, NOW_S)["appsecret_proof"]},
    "time in milliseconds": timed(_THING, NOW_MS), "time with a fraction": timed(_THING, NOW_S) | {"appsecret_time": f"{NOW_S}.0"},
    "time in other digits": timed(_THING, NOW_S) | {"appsecret_time": "".join(chr(ord(d) + 0x630) for d in str(NOW_S))},
    "huge time": timed(_THING, NOW_S) | {"appsecret_time": "9" * 5_000}, "no number": timed(_THING, NOW_S) | {"appsecret_time": "now"},
}  # fmt: skip


async def test_every_wrong_proof_gets_the_same_error_on_every_way_in(arena: Arena) -> None:
    made = await arena("late")
    shapes = set()
    for name, wrong in _WRONG.items():
        params = {"access_token": _THING.text} | wrong
        for ask in (
            made.client.get(f"/{PSID}/ids_for_apps", **params),
            made.client.get("/me", **params),
            made.client.get(f"/{PSID}", fields="name", **params),
            made.client.post("/pages_id_mapping", user_ids=ASID, **params),
            made.client.post_json("/pages_id_mapping", {"user_ids": [ASID], **params}),
            made.client.post("/", batch=[{"method": "GET", "relative_url": f"{PSID}/ids_for_apps"}], **params),
        ):
            reply = await ask
            body = reply.json()
            error = json.loads(body[0]["body"])["error"] if isinstance(body, list) else body.get("error")
            assert error is not None, (name, body)
            shapes.add((error["message"], error["type"], error["code"]))
            assert PSID not in json.dumps(error), name
    assert shapes == {(INVALID, "GraphMethodException", 100)}


async def test_a_right_proof_is_taken_with_and_without_a_time_up_to_the_very_edge(arena: Arena) -> None:
    made = await arena("late")
    for params in (signed(_THING), *(timed(_THING, NOW_S + shift) for shift in (-300, -1, 0, 299, 300))):
        assert (await made.client.get(f"/{PSID}/ids_for_apps", **params)).status == 200, params


async def test_a_proof_that_comes_twice_is_refused_even_when_both_are_right(arena: Arena) -> None:
    made = await arena("late")
    right, token = _THING.proof, _THING.text
    for query in (
        f"access_token={token}&appsecret_proof={right}&appsecret_proof={right}",
        f"access_token={token}&appsecret_proof={'0' * 64}&appsecret_proof={right}",
        f"access_token={token}&appsecret_proof={right}&appsecret_proof={'0' * 64}",
    ):
        reply = await made.client.get(f"/{PSID}/ids_for_apps?{query}")
        assert reply.error["message"] == INVALID, query


@pytest.mark.parametrize(
    ("path", "token"),
    [(f"/{PSID}/ids_for_apps", "thing"), (f"/{PSID}/ids_for_pages", "thing"), (f"/{ASID}/ids_for_pages", "literal game"),
     (f"/{ASID}/ids_for_pages", "minted game")],
)  # fmt: skip
async def test_what_needs_a_proof_needs_it_whatever_the_apps_switch_says(arena: Arena, path: str, token: str) -> None:
    made = await arena("late")
    for switch in (True, False):
        await control(made, "PATCH", "apps/game", {"require_app_secret": switch})
        assert (await made.client.get(path, access_token=TOKEN[token].text)).error["message"] == REQUIRED
        assert (await made.client.get(path, access_token=TOKEN[token].text, callback="fn")).body.count(b"require") == 1
        assert (await get(path, TOKEN[token]).ask(made.client)).status == 200
    assert (await made.client.post("/pages_id_mapping", access_token=_THING.text, user_ids=ASID)).error[
        "message"
    ] == REQUIRED


async def test_the_apps_switch_demands_a_proof_of_everything_at_once(arena: Arena) -> None:
    made = await arena("late")
    for name in ("john", "thing", "minted game", "owner"):
        path = f"/{PSID}" if name == "thing" else "/app"
        assert (await made.client.get(path, access_token=TOKEN[name].text)).status == 200
    await control(made, "PATCH", "apps/game", {"require_app_secret": True})
    for name in ("john", "thing", "minted game", "owner"):
        path = f"/{PSID}" if name == "thing" else "/app"
        assert (await made.client.get(path, access_token=TOKEN[name].text)).error["message"] == REQUIRED
        assert (await get(path, TOKEN[name]).ask(made.client)).status == 200
    # The literal token is the secret itself.
    assert (await made.client.get("/app", access_token=TOKEN["literal game"].text)).status == 200


async def test_a_new_secret_ends_the_old_proofs_at_once(arena: Arena) -> None:
    made = await arena("late")
    assert (await get("/me", TOKEN["john"]).ask(made.client)).status == 200
    await control(made, "PATCH", "apps/game", {"secret": "9f" * 16})
    assert (await get("/me", TOKEN["john"]).ask(made.client)).error["message"] == INVALID
    fresh = {"access_token": TOKEN["john"].text, "appsecret_proof": appsecret_proof(TOKEN["john"].text, "9f" * 16)}
    assert (await made.client.get("/me", **fresh)).status == 200


# ------------------------------------------------------------------------------------- 14: the items of a batch


def item(path: str, **params: str) -> dict[str, str]:
    """One GET of a batch with its own parameters."""
    return {"method": "GET", "relative_url": path + "?" + "&".join(f"{name}={value}" for name, value in params.items())}


async def slots(made: Stage, items: list[Any], **params: str) -> list[tuple[int, str]]:
    """Status and error message (or "") of every item."""
    answers = (await made.client.post("/", batch=items, **params)).json()
    bodies = [json.loads(slot["body"]) for slot in answers]
    return [
        (slot["code"], body.get("error", {}).get("message", "")) for slot, body in zip(answers, bodies, strict=True)
    ]


async def test_every_item_of_a_batch_is_checked_against_its_own_token(arena: Arena) -> None:
    made = await arena("late")
    coffee, mary = TOKEN["coffee"], OWN_IDS["mary", COFFEE]
    items = [
        item(f"{PSID}/ids_for_apps"),  # the batch's token and proof
        item(f"{mary}/ids_for_apps", **signed(coffee)),
        item(f"{mary}/ids_for_apps", access_token=coffee.text),  # a token of its own and no proof
        item(f"{mary}/ids_for_apps", access_token=coffee.text, appsecret_proof=_THING.proof),  # the batch's proof
        item(f"{PSID}/ids_for_apps", appsecret_proof="0" * 64),  # the batch's token, its own proof
        item(f"{PSID}/ids_for_apps", **signed(coffee)),  # the wrong page
        item("me", access_token="EAAnobody"),
        item(f"{PSID}/ids_for_apps"),
    ]
    told = await slots(made, items, **signed(_THING))
    assert [status for status, _ in told] == [200, 200, 400, 400, 400, 400, 400, 200]
    assert [message for _, message in told[2:5]] == [REQUIRED, INVALID, INVALID]


async def test_a_batch_without_a_token_is_as_good_as_its_items(arena: Arena) -> None:
    made = await arena("late")
    told = await slots(made, [item(f"{PSID}/ids_for_apps", **signed(_THING)), item(f"{PSID}/ids_for_apps"), item("me")])
    assert [status for status, _ in told] == [200, 400, 400]


async def test_the_proof_of_the_batch_does_not_cover_an_item_with_its_token_in_a_header(arena: Arena) -> None:
    made = await arena("late")
    header = [{"name": "Authorization", "value": f"Bearer {TOKEN['coffee'].text}"}]
    items = [item(f"{OWN_IDS['mary', COFFEE]}/ids_for_apps") | {"headers": header}]
    assert await slots(made, items, **signed(_THING)) == [(400, REQUIRED)]


# -------------------------------------------------------------------------------------------------- 15, 16: bound to


async def test_a_token_is_of_one_app_whatever_else_is_said(arena: Arena) -> None:
    made = await arena("late")
    token = TOKEN["thing"].text
    for secret in (SECRETS[MOVIE], SECRETS[stage.RIVAL_APP]):
        reply = await made.client.get("/me", access_token=token, appsecret_proof=appsecret_proof(token, secret))
        assert reply.error["message"] == INVALID
    assert (await made.client.get("/me", access_token=f"{MOVIE}|{SECRETS[GAME]}")).error["code"] == 190
    # The token of the movie for the same page knows nobody by the movie's users, and cannot map the game's.
    other = TOKEN["thing movie"]
    reply = await posted("/pages_id_mapping", other, user_ids=ASID).ask(made.client)
    assert reply.error["error_data"] == {"invalid_ids": [ASID]}
    assert (await posted("/pages_id_mapping", other, user_ids=OWN_IDS["john", MOVIE]).ask(made.client)).json() == {
        OWN_IDS["john", MOVIE]: {"id": PSID}
    }
    exchange = {"client_id": MOVIE, "client_secret": SECRETS[MOVIE], "grant_type": "fb_exchange_token"}
    reply = await made.client.get("/oauth/access_token", fb_exchange_token=TOKEN["john"].text, **exchange)
    assert reply.error["message"] == f"The access token does not belong to application {MOVIE}"
    told = await get("/debug_token", TOKEN["literal movie"], input_token=TOKEN["john"].text).ask(made.client)
    assert told.error["code"] == 100


async def test_a_page_token_does_nothing_in_the_name_of_another_page_business_or_person(arena: Arena) -> None:
    made = await arena("late")
    thing = TOKEN["thing"]
    shown = await get(f"/{COFFEE}", thing, fields="id,access_token,business,tasks").ask(made.client)
    assert shown.status in (200, 403)
    assert b"EAA" not in shown.body
    for path in (
        f"/{X}",
        f"/{X}/owned_pages",
        f"/{OWN_IDS['owner', GAME]}/accounts",
        f"/{ASID}/permissions",
        f"/{ASID}",
    ):
        reply = await get(path, thing).ask(made.client)
        assert reply.status in (400, 403), (path, reply.body)
    reply = await made.client.delete(f"/{ASID}/permissions", **signed(thing))
    assert reply.status in (400, 403)
    reply = await made.client.post(f"/{X}/owned_pages", page_id=COFFEE, **signed(thing))
    assert reply.status in (400, 403)


async def test_a_persons_token_reads_nobody_else(arena: Arena) -> None:
    made = await arena("late")
    john, mary = TOKEN["john"], OWN_IDS["mary", GAME]
    invented = "4152368852405999"
    for path in ("", "/ids_for_apps", "/ids_for_pages", "/permissions", "/picture"):
        told, never = [await get(f"/{id_}{path}", john).ask(made.client) for id_ in (mary, invented)]
        assert told.code == (400, 100, 33)
        assert told.error["message"].replace(mary, invented) == never.error["message"]
    for path in (f"/{mary}/permissions", f"/{mary}/permissions/email"):
        assert (await made.client.delete(path, **signed(john))).code == (400, 100, 33)
    assert (await get("/me", TOKEN["mary"]).ask(made.client)).status == 200


# ------------------------------------------------------------------------------------------- 4.8: how tokens end

Death = Callable[[Stage], Awaitable[Any]]


def patched(path: str, body: Any) -> Death:
    """By a change through the control plane."""
    return lambda made: control(made, "PATCH", path, body)


def acted(path: str, body: Any) -> Death:
    """By an act through the control plane."""
    return lambda made: control(made, "POST", path, body)


def through(act: Callable[[Ctx, int], Awaitable[Any]], name: str = "owner") -> Death:
    """By an act of the tokens feature for which there is no call yet."""

    async def run(made: Stage) -> None:
        person = await made.world.db.one("SELECT person FROM person WHERE key = :key", key=name)
        assert person is not None
        await made.world.db.transaction(lambda tx: act(made.world.ctx().on(tx), person["person"]))

    return run


_GAMES = ("owner", "thing", "coffee", "partner page")
#: What happens, the subcode, the tokens that end by it, and some that must not.
DEATHS: dict[str, tuple[Death, int | None, tuple[str, ...], tuple[str, ...]]] = {
    "password changed": (patched("people/owner", {"password": "new"}), 460, (*_GAMES, "thing movie"), ("john", "minted game")),
    "app removed": (acted("acts/leave", {"person": "owner", "app": "game"}), 458, _GAMES, ("thing movie", "john", "mary")),
    "app removed by its user": (acted("acts/leave", {"person": "john", "app": "game"}), 458, ("john",), ("john movie", "owner")),
    "role lost": (patched("pages/thing", {"tasks": []}), 492, ("thing", "thing movie"), ("owner", "coffee")),
    "secret reset": (patched("apps/game", {"secret": "9f" * 16}), None, ("minted game",), ("john", "owner", "thing")),
    "logged out": (through(lambda ctx, _: acts.logged_out(ctx, ctx.keyring.hash_token(TOKEN["john"].text))), 467, ("john",), ("owner",)),
    "checkpoint": (through(lambda ctx, person: acts.account_stopped(ctx, person, "checkpoint")), 459, _GAMES, ("john",)),
    "blocked": (through(lambda ctx, person: acts.account_stopped(ctx, person, "blocked")), 490, _GAMES, ("john",)),
    "unconfirmed": (through(lambda ctx, person: acts.account_stopped(ctx, person, "unconfirmed")), 464, _GAMES, ("john",)),
    "erased": (acted("acts/erase", {"person": "john"}), None, ("john", "john movie"), ("owner", "mary")),
    "app deleted": (lambda made: control(made, "DELETE", "apps/movie"), None, ("john movie", "thing movie"), ("john", "owner")),
    "page deleted": (lambda made: control(made, "DELETE", "pages/coffee"), None, ("coffee",), ("thing", "owner")),
}  # fmt: skip


async def me(made: Stage, name: str) -> Reply:
    """What a token gets now."""
    return await made.client.get("/app", access_token=TOKEN[name].text)


@pytest.mark.parametrize("way", DEATHS)
async def test_a_dead_token_says_what_it_died_of_and_spares_the_others(arena: Arena, way: str) -> None:
    made = await arena("late")
    happens, subcode, dead, alive = DEATHS[way]
    # john's other app demands a proof of everything; that is not what this is about.
    await control(made, "PATCH", "apps/movie", {"require_app_secret": False})
    for name in (*dead, *alive):
        # Asked before, so that every cache holds it.
        assert (await me(made, name)).status == 200, name
    await happens(made)
    for name in dead:
        reply = await me(made, name)
        assert reply.code == (400, 190, subcode), (name, reply.body)
        assert (reply.header("www-authenticate") or "").startswith('OAuth "Facebook Platform" "invalid_token"')
        slot = await slots(made, [{"method": "GET", "relative_url": f"me?access_token={TOKEN[name].text}"}])
        assert slot == [(400, reply.error["message"])]
    for name in alive:
        assert (await me(made, name)).status == 200, name


async def test_a_token_that_was_given_back_or_uninstalled_is_dead(arena: Arena) -> None:
    made = await arena("late")
    revoke = {"client_id": GAME, "client_secret": SECRETS[GAME], "revoke_token": TOKEN["john"].text}
    assert (await me(made, "john")).status == 200
    assert (await made.client.get("/oauth/revoke", **revoke)).json() == {"success": True}
    assert (await me(made, "john")).code == (400, 190, 467)
    assert (await made.client.get("/me", access_token=made.system_user)).status in (200, 400)
    await made.world.db.transaction(lambda tx: acts.uninstalled(made.world.ctx().on(tx), "990011223344556"))
    assert (await made.client.get("/app", access_token=made.system_user)).code == (400, 190, None)


async def test_a_token_dies_of_time_at_the_very_millisecond(arena: Arena) -> None:
    made = await arena("late")
    token = (await control(made, "POST", "acts/log_in", {"person": "mary", "app": "game"}))["user_token"]
    told = (await get("/debug_token", TOKEN["literal game"], input_token=token).ask(made.client)).json()["data"]
    left_ms = told["expires_at"] * 1000 - NOW_MS
    assert 3_600_000 <= left_ms <= 7_200_000
    await control(made, "POST", "clock", {"advance": f"{left_ms - 1}ms"})
    assert (await made.client.get("/me", access_token=token)).status == 200
    await control(made, "POST", "clock", {"advance": "1ms"})
    assert (await made.client.get("/me", access_token=token)).code == (400, 190, 463)


async def test_a_permission_that_is_taken_back_is_gone_from_living_tokens(arena: Arena) -> None:
    made = await arena("late")
    owner = TOKEN["owner"]
    assert (await get(f"/{X}/owned_apps", owner).ask(made.client)).status == 200
    path = f"/{OWN_IDS['owner', GAME]}/permissions/business_management"
    assert (await made.client.delete(path, **signed(owner))).json() == {"success": True}
    reply = await get(f"/{X}/owned_apps", owner).ask(made.client)
    assert (reply.status, reply.error["code"]) == (403, 200)
    assert (await me(made, "owner")).status == 200


# -------------------------------------------------------------------------------------------------- 24: a stolen dump


async def test_nothing_in_a_dump_of_the_database_authenticates(arena: Arena) -> None:
    made = await arena("late")
    names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        "postgresql": "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
    }[made.world.db.engine]
    db = made.world.db
    rows = [dict(row) for table in await db.all(names) for row in await db.all(f'SELECT * FROM "{table["name"]}"')]
    values = {str(value) for row in rows for value in row.values() if value is not None and value != ""}
    dump = json.dumps(rows, ensure_ascii=False)
    for secret in (*SECRETS.values(), "f6" * 16, stage.ADMIN_KEY, stage.SECRET_KEY, *(token.text for token in HELD)):
        assert secret not in dump
    tried = 0
    for value in sorted(values):
        if not value.isprintable() or not value.isascii() or len(value) < 6:
            continue
        for token in (value, f"{GAME}|{value}", value.rpartition(".")[2]):
            reply = await made.client.get("/app", access_token=token)
            assert reply.status in (400, 403), (value, reply.body)
            tried += 1
        for header in (f"Bearer {value}", f"OAuth {value}"):
            assert (await made.client.get("/me", headers={"authorization": header})).status in (400, 403)
        reply = await made.client.get("/_polynym/v1/clock", headers={"authorization": f"Bearer {value}"})
        assert reply.status == 401
        secret = {"client_id": GAME, "client_secret": value, "grant_type": "client_credentials"}
        assert (await made.client.get("/oauth/access_token", **secret)).error["code"] == 1
    assert tried > 300


async def test_no_answer_lets_a_browser_or_a_proxy_keep_or_pass_on_a_token(arena: Arena) -> None:
    made = await arena("late")
    for query in (get("/me/accounts", TOKEN["owner"]), get(f"/{PSID}", _THING), get("/nobody", _THING)):
        reply = await query.ask(made.client)
        assert "no-store" in (reply.header("cache-control") or "")
        assert reply.header("referrer-policy") == "no-referrer"
        assert reply.header("set-cookie") is None
    # No cookie opens anything.
    reply = await made.client.get("/me", headers={"cookie": f"access_token={TOKEN['john'].text}"})
    assert reply.code[:2] == (400, 2500)
