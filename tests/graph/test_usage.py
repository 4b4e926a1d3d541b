"""Rate limits and what the headers say of them (contract graph 3; reliability 44)."""

from __future__ import annotations

import json

import pytest

from polynym.core.db import Db, Unavailable
from polynym.graph import usage
from polynym.graph.usage import Usage
from polynym.wire import limits
from tests.graph.world import CALLERS, OTHER, PAGE_TOKEN, STRANGER, USER, World, opened_world, users_of
from tests.support.asgi import Asgi, Reply

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
APP_QUOTA = limits.RATE_APP_CALLS_PER_USER
PAGE_QUOTA = limits.RATE_PAGE_CALLS_PER_USER


def app_percent(reply: Reply) -> int:
    shown = json.loads(reply.header("x-app-usage") or "")
    assert len(set(shown.values())) == 1
    percent: int = shown["call_count"]
    return percent


async def call(client: Asgi, times: int, token: str = USER) -> Reply:
    for _ in range(times - 1):
        await client.get("/me", access_token=token)
    return await client.get("/me", access_token=token)


async def test_observing_never_refuses_and_stops_counting_at_100_percent(client: Asgi) -> None:
    reply = await call(client, APP_QUOTA + 10)
    assert reply.status == 200
    assert app_percent(reply) == 100


async def test_the_call_beyond_the_quota_is_refused_and_says_so() -> None:
    async with opened_world(0, rate_limits="enforce") as world:
        last = await call(world.client, APP_QUOTA)
        assert (last.status, app_percent(last)) == (200, 100)
        reply = await world.client.get("/me", access_token=USER)
        assert reply.code == (403, 4, None)
        assert reply.error["message"] == "(#4) Application request limit reached"
        assert reply.error["is_transient"] is True
        assert app_percent(reply) == 100
        # Other tokens of the app, other paths and other versions are the same app.
        for target in ("/v2.6/me", "/me/", "//me", "/1001", "/?ids=1001", "/echo/../me"):
            refused = await world.client.get(target, access_token=STRANGER)
            assert refused.code[:2] in ((403, 4), (400, 2500))
        assert (await world.client.get("/me", access_token=OTHER)).status == 200
        assert (await world.client.get("/me", access_token=PAGE_TOKEN)).status == 200
        assert (await world.client.get("/echo")).status == 200


async def test_the_hour_rolls() -> None:
    async with opened_world(0, rate_limits="enforce") as world:
        await call(world.client, APP_QUOTA // 2)
        world.clock.ms += 30 * MINUTE_MS
        assert app_percent(await call(world.client, APP_QUOTA // 2)) == 100
        world.clock.ms += 29 * MINUTE_MS
        assert (await world.client.get("/me", access_token=USER)).status == 403
        world.clock.ms += 1 * MINUTE_MS
        # The first half is an hour old and forgotten; the second half and the refused call count.
        reply = await world.client.get("/me", access_token=USER)
        assert (reply.status, app_percent(reply)) == (200, (APP_QUOTA // 2 + 2) * 100 // APP_QUOTA)
        world.clock.ms += 2 * HOUR_MS
        assert app_percent(await world.client.get("/me", access_token=USER)) == 0


async def test_a_page_has_a_day_and_its_own_error() -> None:
    async with opened_world(0, rate_limits="enforce") as world:
        caller = CALLERS[PAGE_TOKEN]
        for _ in range(PAGE_QUOTA - 1):
            world.usage.charge(caller, world.clock.now_ms())
        assert (await world.client.get("/me", access_token=PAGE_TOKEN)).status == 200
        world.clock.ms += 2 * HOUR_MS
        reply = await world.client.get("/me", access_token=PAGE_TOKEN)
        assert reply.code == (400, 80001, None)
        assert reply.error["message"] == (
            "(#80001) There have been too many calls to this Page account. Wait a bit and try again. For more info, please "
            "refer to https://developers.facebook.com/docs/graph-api/overview/rate-limiting."
        )
        shown = json.loads(reply.header("x-business-use-case-usage") or "")["5001"][0]
        assert (shown["type"], shown["call_count"]) == ("pages", 100)
        wait_minutes = shown["estimated_time_to_regain_access"]
        assert 21 * 60 <= wait_minutes <= 23 * 60
        world.clock.ms += wait_minutes * MINUTE_MS
        assert (await world.client.get("/me", access_token=PAGE_TOKEN)).status == 200


async def test_a_refused_call_does_nothing() -> None:
    async with opened_world(rate_limits="enforce") as world:
        await call(world.client, APP_QUOTA)
        assert (await world.client.delete("/1", access_token=USER)).code == (403, 4, None)
        assert await world.db.one("SELECT id FROM toy_book WHERE id = 1") is not None


async def test_every_item_of_a_batch_counts() -> None:
    async with opened_world(rate_limits="enforce") as world:
        items = json.dumps([{"relative_url": "me"}] * 50)
        for _ in range(3):
            assert (await world.client.post("/", access_token=USER, batch=items)).status == 200
        await call(world.client, 20)
        slots = (await world.client.post("/", access_token=USER, batch=items)).json()
        assert [slot["code"] for slot in slots] == [200] * 30 + [403] * 20


async def test_a_bad_token_is_counted_against_nobody(world: World) -> None:
    await world.client.get("/me", access_token="garbage")
    await world.client.get("/me")
    assert app_percent(await world.client.get("/me", access_token=USER)) == 0


async def test_the_counter_unused_for_longest_goes_first() -> None:
    kept = Usage("observe", users_of)
    callers = [CALLERS[USER], CALLERS[OTHER]]
    for caller in callers:
        kept.charge(caller, 0)
    kept.charge(CALLERS[USER], 0)
    assert list(kept._counters) == [("app", "7002"), ("app", "7001")]
    assert usage.COUNTERS_MAX == 10_000


# ------------------------------------------------------------------------------------------------ several processes


async def test_processes_share_their_counts_where_the_database_is_shared(db: Db) -> None:
    caller = CALLERS[USER]
    here, there = Usage("enforce", users_of), Usage("enforce", users_of)
    for _ in range(50):
        here.charge(caller, 0)
        there.charge(caller, 0)
    for _ in range(2):
        await here.exchange(db, "here", 0)
        await there.exchange(db, "there", 0)
        here.charge(caller, 0)
    await here.exchange(db, "here", 0)
    shown = json.loads(dict(here.headers(caller))[b"x-app-usage"])["call_count"]
    assert shown == (51 if db.engine == "postgresql" else 26)


async def test_shared_counts_are_forgotten_with_their_window(db: Db) -> None:
    caller = CALLERS[USER]
    here, there = Usage("observe", users_of), Usage("observe", users_of)
    there.charge(caller, 0)
    await there.exchange(db, "there", 0)
    later = 61 * MINUTE_MS
    here.charge(caller, later)
    await here.exchange(db, "here", later)
    rows = await db.all("SELECT process FROM usage_bucket")
    assert [row["process"] for row in rows] == (["here"] if db.engine == "postgresql" else [])


async def test_quotas_follow_the_number_of_users(db: Db) -> None:
    async def many(_db: Db, _kind: str, _asset: str) -> int:
        return 10

    grown = Usage("observe", many)
    caller = CALLERS[USER]
    for _ in range(200):
        grown.charge(caller, 0)
    assert json.loads(dict(grown.headers(caller))[b"x-app-usage"])["call_count"] == 100
    await grown.exchange(db, "here", 0)
    assert json.loads(dict(grown.headers(caller))[b"x-app-usage"])["call_count"] == 10


async def test_counts_that_could_not_be_shared_are_shared_later(postgresql_url: str) -> None:
    from tests.conftest import opened

    kept = Usage("observe", users_of)
    kept.charge(CALLERS[USER], 0)
    async with opened(postgresql_url) as database:
        await database.run("ALTER TABLE usage_bucket RENAME TO usage_away")
        await database.close()
        with pytest.raises(Unavailable):
            await kept.exchange(database, "here", 0)
    async with opened(postgresql_url) as database:
        await database.run("ALTER TABLE usage_away RENAME TO usage_bucket")
        await kept.exchange(database, "here", 0)
        row = await database.one("SELECT calls FROM usage_bucket")
        assert row is not None
        assert row["calls"] == 1
        # Nothing new: nothing is sent twice.
        await kept.exchange(database, "here", 0)
        row = await database.one("SELECT calls FROM usage_bucket")
        assert row is not None
        assert row["calls"] == 1
