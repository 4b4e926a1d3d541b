"""What was asked before is answered as if it had not been."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from polynym.graph.http import GraphHttp
from polynym.graph.prepared import KEPT_MAX, TEXT_BYTES_MAX
from polynym.graph.whole import header_lines
from polynym.identity import store
from polynym.tokens.store import kill
from tests.support.asgi import Asgi, Reply
from tests.support.demo import GAME, GAME_ASID, JOHNS, MOVIE, MOVIE_ASID, PSID, RIVAL, THING, Demo

pytestmark = pytest.mark.anyio

EDGE = f"/v19.0/{MOVIE_ASID}/ids_for_apps"


@pytest.fixture
async def signed(demo: Demo) -> dict[str, str]:
    """Token and proof of the movie app."""
    return await demo.signed(MOVIE, await demo.app_token(MOVIE))


def fresh(demo: Demo) -> Asgi:
    """The same world behind a door that remembers nothing."""
    world = demo.world
    config = world.config
    http = GraphHttp(
        world.graph, world.ids, world.clock, policy=config.version_policy, unversioned=config.graph_version,
        locale=config.locale,
    )  # fmt: skip
    return Asgi(http)


def seen(reply: Reply) -> tuple[int, Any]:
    """Status and body without the trace id, which is another one each time."""
    body = reply.json()
    if isinstance(body, dict) and "error" in body:
        body["error"].pop("fbtrace_id")
    return reply.status, body


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"limit": "1"},
        {"fields": "id"},
        {"fields": "id,app{name}"},
        {"app": GAME},
        {"app": "999"},
        {"locale": "fr_FR"},
        {"pretty": "1"},
        {"callback": "f"},
        {"summary": "1"},
        {"debug": "all"},
        {"metadata": "1"},
        {"suppress_http_code": "1"},
        {"method": "get"},
        {"method": "post"},
        {"date_format": "U"},
        {"fields": "nonsense"},
        {"limit": "x"},
        {"after": "QVFInonsense"},
        {"appsecret_proof": "0" * 64},
        {"appsecret_time": "1"},
        {"access_token": "nonsense"},
    ],
    ids=str,
)
async def test_asking_again_for_anybody_answers_what_a_first_call_would(
    demo: Demo, signed: dict[str, str], given: dict[str, str]
) -> None:
    params = signed | given
    for node in (MOVIE_ASID, MOVIE_ASID, GAME_ASID, PSID, "me", "app", "1", "9" * 50, "٣", MOVIE):
        target = f"/v19.0/{node}/ids_for_apps"
        again, first = await demo.client.get(target, **params), await fresh(demo).get(target, **params)
        if "callback" in given:
            assert again.status == first.status
            assert again.header("content-type") == first.header("content-type")
        else:
            assert seen(again) == seen(first)


async def test_a_link_to_the_next_page_names_the_host_that_was_asked_this_time(
    demo: Demo, signed: dict[str, str]
) -> None:
    for host in ("127.0.0.1:8484", "graph.facebook.com", "127.0.0.1:8484"):
        page = await Asgi(demo.world.asgi, host).get(EDGE, **signed, limit="1")
        assert page.json()["paging"]["next"].startswith(f"http://{host}/v19.0/{MOVIE_ASID}/")


async def test_a_revoked_token_opens_nothing_that_it_opened_before(demo: Demo) -> None:
    exchanged = await demo.client.get(
        "/oauth/access_token", grant_type="client_credentials", client_id=MOVIE, client_secret=await demo.secret(MOVIE)
    )
    params = await demo.signed(MOVIE, exchanged.json()["access_token"])
    assert [(await demo.client.get(EDGE, **params)).status for _ in range(3)] == [200, 200, 200]
    ctx = demo.world.ctx()
    await ctx.db.transaction(lambda tx: kill(ctx.on(tx), "revoked", app=MOVIE))
    assert (await demo.client.get(EDGE, **params)).error["code"] == 190


async def test_an_app_that_begins_to_require_proofs_is_asked_for_them_at_once(demo: Demo) -> None:
    user = (await demo.env(app=MOVIE))["USER_TOKEN"]
    me = (await demo.client.get("/v19.0/me", access_token=user)).json()["id"]
    target = f"/v19.0/{me}/ids_for_apps"
    assert [(await demo.client.get(target, access_token=user)).status for _ in range(2)] == [200, 200]
    ctx = demo.world.ctx()

    async def require(tx: Any) -> None:
        await store.update_app(tx, MOVIE, require_app_secret_ms=1)
        await ctx.epoch.bump(tx)

    await ctx.db.transaction(require)
    assert (await demo.client.get(target, access_token=user)).error["code"] == 100


async def test_an_asset_that_changed_hands_is_gone_from_the_next_answer(demo: Demo, signed: dict[str, str]) -> None:
    target = f"/v19.0/{MOVIE_ASID}/ids_for_pages"
    shown = [(await demo.client.get(target, **signed)).json()["data"] for _ in range(2)]
    assert THING in [row["page"]["id"] for row in shown[1]]
    await demo.world.db.run("UPDATE page SET business = :rival WHERE id = :page", rival=RIVAL, page=THING)
    assert THING not in [row["page"]["id"] for row in (await demo.client.get(target, **signed)).json()["data"]]


async def test_an_etag_is_honoured_on_a_read_that_was_asked_before(demo: Demo, signed: dict[str, str]) -> None:
    tags = [(await demo.client.get(EDGE, **signed)).header("etag") for _ in range(2)]
    assert tags[0] == tags[1] is not None
    assert (await demo.client.get(EDGE, **signed, headers={"If-None-Match": tags[1] or ""})).status == 304


async def test_every_repeated_read_is_counted(demo: Demo, signed: dict[str, str]) -> None:
    used = [(await demo.client.get(EDGE, **signed)).header("x-app-usage") for _ in range(60)]
    assert used[-1] != used[0]


async def test_a_header_token_and_a_query_token_do_not_stand_for_each_other(demo: Demo, signed: dict[str, str]) -> None:
    assert (await demo.client.get(EDGE, **signed)).status == 200
    rest = {name: value for name, value in signed.items() if name != "access_token"}
    bearer = {"Authorization": f"Bearer {signed['access_token']}"}
    answers = [await demo.client.get(EDGE, **rest, headers=bearer) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert (await demo.client.get(EDGE, **rest)).error["code"] in (104, 200)


async def test_memory_is_bounded_by_number_and_length_of_what_is_remembered(demo: Demo, signed: dict[str, str]) -> None:
    kept = demo.world.http.prepared
    for number in range(KEPT_MAX + 10):
        await demo.client.get(EDGE, **signed, limit="1", x=str(number))
    assert len(kept) <= KEPT_MAX
    before = len(kept)
    await demo.client.get(EDGE, **signed, x="x" * TEXT_BYTES_MAX)
    assert len(kept) == before


def scope_of(target: str, params: dict[str, str]) -> dict[str, Any]:
    """What a server hands on for a GET."""
    return {
        "type": "http", "method": "GET", "scheme": "http", "path": target, "query_string": urlencode(params).encode(),
        "headers": [(b"host", b"127.0.0.1:8484")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8484),
    }  # fmt: skip


async def test_what_is_answered_at_once_is_what_a_task_would_answer(demo: Demo, signed: dict[str, str]) -> None:
    for node in (MOVIE_ASID, GAME_ASID, "1"):
        target = f"/v19.0/{node}/ids_for_apps"
        usual = await demo.client.get(target, **signed)
        ready = demo.world.http.at_once(scope_of(target, signed)) if demo.world.at_once else None
        if demo.world.db.engine == "postgresql":
            # Its answers have to be waited for.
            assert ready is None
            continue
        assert ready is not None
        names = [line.partition(b":")[0].decode().lower() for line in ready[1].splitlines()]
        assert sorted(names) == sorted(name.lower() for name, _ in usual.headers)
        assert ready[0] == usual.status
        assert b"Content-Length: %d\r\n" % len(ready[2]) in ready[1]
        assert re.sub(b"fbtrace_id.*", b"", ready[2]) == re.sub(b"fbtrace_id.*", b"", usual.body)


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: b", b"a\nb", b"a\rb"])
def test_a_header_with_a_line_end_is_never_written(value: bytes) -> None:
    with pytest.raises(ValueError, match="line end"):
        header_lines([(b"WWW-Authenticate", value)])


async def test_a_read_that_opens_a_review_is_not_answered_at_once_and_opens_it_once(
    demo: Demo, signed: dict[str, str]
) -> None:
    world = demo.world
    world.config = replace(world.config, review="delayed")
    await world.db.run("UPDATE business SET review_state = 'approved' WHERE id = :id", id=JOHNS)
    assert (await demo.client.get(EDGE, **signed)).status == 200
    await world.db.run("UPDATE business SET review_state = 'unreviewed' WHERE id = :id", id=JOHNS)
    if world.at_once:
        assert world.at_once(scope_of(EDGE, signed)) is None
        untouched = await world.db.one("SELECT review_state FROM business WHERE id = :id", id=JOHNS)
        assert untouched is not None
        assert untouched["review_state"] == "unreviewed"
    assert (await demo.client.get(EDGE, **signed)).error["code"] == 200
    after = await world.db.one("SELECT review_state FROM business WHERE id = :id", id=JOHNS)
    assert after is not None
    assert after["review_state"] == "pending"
