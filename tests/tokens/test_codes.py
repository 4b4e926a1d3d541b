"""Authorization codes: bound to everything they were made for, and good for exactly one token."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from polynym.core.clock import SandboxClock
from polynym.core.ctx import Ctx
from polynym.core.db import Db
from polynym.tokens import acts, codes
from polynym.tokens.codes import CODE_CHARS, NewCode
from polynym.tokens.grants import revoke_grant
from polynym.wire import limits
from tests.conftest import opened
from tests.support.asgi import Asgi, Reply
from tests.support.demo import GAME, MOVIE, Demo, build_demo

pytestmark = pytest.mark.anyio

CB = "https://app.example/cb"
MINUTE_MS = 60_000


async def person_of(demo: Demo, key: str = "owner") -> int:
    """Somebody's internal number."""
    row = await demo.world.db.one("SELECT person FROM person WHERE key = :key", key=key)
    assert row is not None
    return int(row["person"])


async def made(demo: Demo, **changes: object) -> str:
    """A code as the dialog makes it, for somebody who logged in."""
    ctx = demo.world.ctx()
    new = NewCode(app=GAME, person=await person_of(demo), scopes=("public_profile", "email"), redirect_uri=CB)
    return await ctx.db.transaction(lambda tx: codes.make(ctx.on(tx), replace(new, **changes)))  # type: ignore[arg-type]


async def trade(demo: Demo, made_code: str, client: Asgi | None = None, **changes: str | None) -> Reply:
    """The exchange, with changes; None leaves a parameter out."""
    given = {
        "client_id": GAME,
        "client_secret": await demo.secret(GAME),
        "redirect_uri": CB,
        "code": made_code,
    } | changes
    params = {name: text for name, text in given.items() if text is not None}
    return await (client or demo.client).get("/v19.0/oauth/access_token", **params)


def clock_of(demo: Demo) -> SandboxClock:
    """The world's clock."""
    clock = demo.world.clock
    assert isinstance(clock, SandboxClock)
    return clock


async def test_a_code_becomes_a_long_lived_token_with_what_was_granted(demo: Demo) -> None:
    answer = (await trade(demo, await made(demo))).json()
    assert sorted(answer) == ["access_token", "expires_in", "token_type"]
    seen = await demo.client.get(
        "/debug_token", input_token=answer["access_token"], access_token=await demo.app_token(GAME)
    )
    assert seen.json()["data"]["scopes"] == ["email", "public_profile"]


async def test_it_is_traded_by_post_and_with_basic_credentials_too(demo: Demo) -> None:
    secret = await demo.secret(GAME)
    form = await demo.client.post(
        "/v19.0/oauth/access_token", client_id=GAME, client_secret=secret, redirect_uri=CB, code=await made(demo),
        grant_type="authorization_code",
    )  # fmt: skip
    assert form.status == 200
    basic = {"authorization": "Basic " + b64encode(f"{GAME}:{secret}".encode()).decode()}
    posted = await demo.client.post("/oauth/access_token", headers=basic, redirect_uri=CB, code=await made(demo))
    assert posted.status == 200


async def test_before_v2_3_the_answer_is_form_text(demo: Demo) -> None:
    code = await made(demo)
    world = demo.world
    world.http._unversioned = (2, 2)
    answer = await demo.client.get(
        "/oauth/access_token", client_id=GAME, client_secret=await demo.secret(GAME), redirect_uri=CB, code=code
    )
    assert answer.body.startswith(b"access_token=EAA")
    assert b"&expires=" in answer.body


@pytest.mark.parametrize(
    ("changes", "code", "subcode", "word"),
    [
        ({"code": None}, 1, None, "Missing authorization code"),
        ({"code": "nonsense"}, 100, None, "Invalid verification code format"),
        ({"code": "AQ" + "x" * CODE_CHARS}, 100, None, "Invalid verification code format"),
        ({"redirect_uri": None}, 191, None, "redirect_uri"),
        ({"redirect_uri": CB + "/"}, 100, 36008, "identical"),
        ({"redirect_uri": CB.upper()}, 100, 36008, "identical"),
        ({"client_secret": "0" * 32}, 1, None, "client secret"),
        ({"client_secret": None}, 1, None, "client secret"),
        ({"client_id": "1"}, 101, None, "application"),
        ({"client_id": None}, 101, None, "client_id"),
        ({"grant_type": "password"}, 100, None, "grant_type"),
    ],
)
async def test_every_other_exchange_is_refused_and_leaves_the_code_good(
    demo: Demo, changes: dict[str, str | None], code: int, subcode: int | None, word: str
) -> None:
    fresh = await made(demo)
    refused = await trade(demo, fresh, **changes)
    assert refused.code == (400, code, subcode)
    assert word in refused.error["message"]
    assert (await trade(demo, fresh)).status == 200


async def test_another_apps_code_is_no_code(demo: Demo) -> None:
    code = await made(demo, app=MOVIE)
    assert (await trade(demo, code)).error["message"] == "Invalid verification code format."


async def test_a_code_ends_after_ten_minutes(demo: Demo) -> None:
    early, late = await made(demo), await made(demo)
    await clock_of(demo).freeze(demo.world.db)
    await clock_of(demo).advance(demo.world.db, limits.OAUTH_CODE_MS - MINUTE_MS)
    assert (await trade(demo, early)).status == 200
    await clock_of(demo).advance(demo.world.db, MINUTE_MS)
    assert (await trade(demo, late)).code == (400, 100, 36007)


async def test_trading_a_code_again_ends_the_token_of_the_first_time(demo: Demo) -> None:
    code = await made(demo)
    token = (await trade(demo, code)).json()["access_token"]
    assert (await demo.client.get("/v19.0/me", access_token=token)).status == 200
    for wrong in ({"client_secret": "0" * 32}, {"redirect_uri": "https://evil.example/"}):
        await trade(demo, code, **wrong)
        assert (await demo.client.get("/v19.0/me", access_token=token)).status == 200
    assert (await trade(demo, code)).code == (400, 100, 36009)
    assert (await demo.client.get("/v19.0/me", access_token=token)).error["code"] == 190
    assert (await trade(demo, code)).code == (400, 100, 36009)


async def test_trading_a_code_again_ends_everything_that_came_of_it(demo: Demo) -> None:
    code = await made(demo)
    token = (await trade(demo, code)).json()["access_token"]
    longer = (
        await demo.client.get(
            "/v19.0/oauth/access_token", grant_type="fb_exchange_token", client_id=GAME,
            client_secret=await demo.secret(GAME), fb_exchange_token=token,
        )
    ).json()["access_token"]  # fmt: skip
    for_client, later = [(await client_code(demo, token)).json()["code"] for _ in range(2)]
    given = {"client_secret": None, "redirect_uri": "http://127.0.0.1:9000/x"}
    clients = (await trade(demo, for_client, **given)).json()["access_token"]
    unrelated = (await trade(demo, await made(demo))).json()["access_token"]
    await trade(demo, code)
    for dead in (token, longer, clients):
        assert (await demo.client.get("/v19.0/me", access_token=dead)).error["code"] == 190
    assert (await trade(demo, later, **given)).error["code"] == 190
    assert (await demo.client.get("/v19.0/me", access_token=unrelated)).status == 200


async def test_a_verifier_for_a_code_without_a_challenge_is_refused(demo: Demo) -> None:
    code = await made(demo)
    assert "code_verifier" in (await trade(demo, code, code_verifier="v" * 43)).error["message"]
    assert (await trade(demo, code)).status == 200


async def test_of_many_who_trade_the_same_codes_at_once_one_each_succeeds(
    demo: Demo, database_url: str, tmp_path: Path
) -> None:
    """On PostgreSQL half of them come through another server on the same database."""
    several = [await made(demo) for _ in range(20)]
    async with AsyncExitStack() as stack:
        doors = [demo.client]
        if demo.world.db.engine == "postgresql":
            second = await stack.enter_async_context(opened(database_url))
            doors.append((await build_demo(second, tmp_path / "data", load=False)).client)
        tries = [trade(demo, code, doors[turn % len(doors)]) for turn in range(50) for code in several]
        answers = await asyncio.gather(*tries)
    tokens = [answer.json()["access_token"] for answer in answers if answer.status == 200]
    assert len(tokens) == len(set(tokens)) == len(several)
    assert {answer.code for answer in answers if answer.status != 200} == {(400, 100, 36009)}


@pytest.mark.parametrize("event", ["password", "removal", "erasure"])
async def test_a_code_does_not_outlive_what_it_stands_for(demo: Demo, event: str) -> None:
    code, person, ctx = await made(demo), await person_of(demo), demo.world.ctx()

    async def happen(inside: Ctx) -> None:
        if event == "password":
            await acts.password_changed(inside, person)
        elif event == "removal":
            await acts.deauthorize(inside, person, GAME)
        else:
            await acts.erased(inside, person=person)

    await clock_of(demo).freeze(ctx.db)
    await ctx.db.transaction(lambda tx: happen(ctx.on(tx)))
    assert (await trade(demo, code)).status == 400


async def test_a_permission_taken_back_meanwhile_is_not_in_the_token(demo: Demo) -> None:
    code, person, ctx = await made(demo), await person_of(demo), demo.world.ctx()
    await ctx.db.transaction(lambda tx: revoke_grant(ctx.on(tx), person, GAME, "email"))
    token = (await trade(demo, code)).json()["access_token"]
    seen = await demo.client.get("/debug_token", input_token=token, access_token=await demo.app_token(GAME))
    assert seen.json()["data"]["scopes"] == ["public_profile"]


async def test_the_database_keeps_no_code_only_its_hash_and_not_for_long(demo: Demo, db: Db) -> None:
    code = await made(demo)
    rows = await db.all("SELECT * FROM authorization_code")
    assert code not in str([dict(row) for row in rows])
    await clock_of(demo).advance(db, limits.OAUTH_CODE_MS + codes.KEPT_MS + MINUTE_MS)
    await made(demo)
    assert len(await db.all("SELECT hash FROM authorization_code")) == 1


# ------------------------------------------------------------------------------------------------ oauth/client_code


async def client_code(demo: Demo, token: str, **changes: str) -> Reply:
    """Ask for a code for a client."""
    given = {
        "client_id": GAME, "client_secret": await demo.secret(GAME), "access_token": token,
        "redirect_uri": "http://127.0.0.1:9000/x",
    } | changes  # fmt: skip
    return await demo.client.get("/v19.0/oauth/client_code", **given)


async def test_a_client_trades_its_code_without_the_secret(demo: Demo) -> None:
    token = (await trade(demo, await made(demo))).json()["access_token"]
    code = (await client_code(demo, token)).json()["code"]
    given = {"client_secret": None, "redirect_uri": "http://127.0.0.1:9000/x"}
    answer = (await trade(demo, code, **given, machine_id="laptop-7")).json()
    assert answer["machine_id"] == "laptop-7"
    assert (await demo.client.get("/v19.0/me", access_token=answer["access_token"])).status == 200
    assert (await trade(demo, code, **given)).code == (400, 100, 36009)


async def test_only_a_long_lived_token_of_the_app_gets_a_client_code(demo: Demo) -> None:
    env = await demo.env(app=GAME)
    long_lived = (await trade(demo, await made(demo))).json()["access_token"]
    for token in (env["PAGE_TOKEN"], env["APP_TOKEN"], "nonsense"):
        assert (await client_code(demo, token)).status == 400
    other = await demo.env(app=MOVIE)
    assert (await client_code(demo, other["USER_TOKEN"])).status == 400
    assert (await client_code(demo, long_lived, redirect_uri="https://evil.example/")).error["code"] == 191
    assert (await client_code(demo, long_lived, client_secret="0" * 32)).error["code"] == 1
    assert (await client_code(demo, long_lived, appsecret_proof="0" * 64)).error["code"] == 100
