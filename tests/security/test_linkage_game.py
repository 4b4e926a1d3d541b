"""The two-business game (reliability B.6, cases 1, 2, 3, 5, 6, 8; I14, I15): what business X can read does not depend on
what its people do elsewhere, byte for byte."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polynym.app import FEATURES
from polynym.core.db import connect
from polynym.graph.registry import Registry
from tests.security import stage
from tests.security.adversary import (
    VARIETY,
    Heard,
    Player,
    Query,
    game_filters,
    game_nodes,
    get,
    heard,
    posted,
    signed,
    sweep,
)
from tests.security.conftest import Arena
from tests.security.stage import (
    COFFEE,
    FOREIGN_IDS,
    FOREIGN_NODES,
    GAME,
    HELD,
    INVENTED,
    LAB,
    MOVIE,
    OWN_IDS,
    THING,
    Presence,
    Stage,
    X,
)  # fmt: skip
from tests.support.asgi import Reply

#: Requests that are drawn at random, for each world.
DRAWN = 800
#: Headers that differ from one answer to the next whatever was asked: ids of the request, calls counted so far.
PASSING = frozenset(("x-fb-request-id", "x-fb-trace-id", "x-fb-debug", "x-app-usage", "x-business-use-case-usage"))
_CURSOR = re.compile(rb"QVFI[A-Za-z0-9_-]+")
_TRACE = re.compile(rb'"fbtrace_id":\s*"[^"]+"|fbtrace_id\\":\\"[^"]+"')
TOKEN = {token.name: token for token in HELD}


async def play(arena: Arena, presence: Presence, seed: int) -> list[tuple[Query, Heard]]:
    """All requests of one adversary in one world, and everything answered."""
    made = await arena(presence)
    registry = made.world.registry
    player = Player(registry, random.Random(seed), game_nodes(), game_filters())
    transcript = []

    async def ask(query: Query) -> None:
        reply = await query.ask(made.client)
        player.heard(reply)
        transcript.append((query, heard(reply)))

    for query in opening(registry):
        await ask(query)
    await made.world.usage.exchange(made.world.db, "game", made.world.clock.now_ms())
    for _ in range(DRAWN):
        await ask(player.query())
    for query in sweep(
        registry, (OWN_IDS["john", GAME], FOREIGN_NODES[0], X), methods=("POST", "DELETE"), tokens=VARIETY
    ):
        await ask(query)
    return transcript


def opening(registry: Registry) -> Iterator[Query]:
    """Every edge on ids of every sort."""
    own = (OWN_IDS["john", GAME], OWN_IDS["john", THING], GAME, X, "me")
    foreign = (FOREIGN_IDS["john", stage.RIVAL_APP], FOREIGN_IDS["john", stage.GHOST_PAGE], stage.GHOST)
    yield from sweep(registry, (*own, *foreign), tokens=VARIETY)
    for token in HELD:
        for id_ in (OWN_IDS["john", GAME], OWN_IDS["john", THING], OWN_IDS["mary", GAME]):
            for edge in ("ids_for_apps", "ids_for_pages", "ids_for_business"):
                yield get(f"/{id_}/{edge}", token, limit="1", debug="all", metadata="1")
                yield get(f"/{id_}", token, fields=f"id,name,{edge}.limit(1)", metadata="1")


@pytest.mark.parametrize("seed", [20240501])
async def test_foreigners_that_came_later_change_no_byte_of_any_answer(arena: Arena, seed: int) -> None:
    alone, crowded = await play(arena, "absent", seed), await play(arena, "late", seed)
    assert len(alone) == len(crowded)
    for (query, one), (_, other) in zip(alone, crowded, strict=True):
        assert one == other, query
    assert {200, 400, 403, 404} <= {status for _, (status, _, _) in alone}
    assert sum(b'"paging"' in body for _, (_, _, body) in alone) > 50
    told = b"".join(body for _, (_, _, body) in crowded)
    assert b"Ghost" not in told


async def test_foreigners_that_came_earlier_change_nothing_but_the_inside_of_cursors(arena: Arena) -> None:
    """Cursors seal where an asset stands among everybody's; sealed, and of one length."""
    alone, crowded = [await overture(arena, presence) for presence in ("absent", "early")]
    for (query, one), (_, other) in zip(alone, crowded, strict=True):
        assert without_cursors(one) == without_cursors(other), query


async def overture(arena: Arena, presence: Presence) -> list[tuple[Query, Heard]]:
    made = await arena(presence)
    return [(query, heard(await query.ask(made.client))) for query in opening(made.world.registry)]


def without_cursors(told: Heard) -> Heard:
    """The answer with as many dots as its cursors have characters."""
    status, headers, body = told
    covered = _CURSOR.sub(lambda found: b"." * len(found[0]), body)
    kept = tuple((name, value) for name, value in headers if name != "ETag" or covered == body)
    return status, kept, covered


# ------------------------------------------------------------------------------------- real or invented: one answer


def masked(reply: Reply, id_: str) -> Heard:
    """An answer without what differs from call to call, and without the id that was asked for."""
    body = _TRACE.sub(b"", reply.body.replace(id_.encode(), b"#"))
    headers = [(name, value.replace(id_, "#")) for name, value in reply.headers if name.lower() not in PASSING]
    echoed = id_.encode() in reply.body
    return reply.status, tuple(pair for pair in headers if not (echoed and pair[0] == "ETag")), body


def twins(registry: Registry) -> Iterator[tuple[Query, str, str]]:
    """Requests about a foreign id, with an invented one of the same length."""
    for real in sorted(FOREIGN_IDS.values())[::2]:
        invented = f"{int(real) + 4_000_000_000_007}"
        assert invented not in FOREIGN_NODES
        for token in HELD:
            yield get(f"/{real}", token), real, invented
            for edge in ("ids_for_apps", "ids_for_pages", "ids_for_business", "permissions", "picture"):
                yield get(f"/{real}/{edge}", token, limit="1"), real, invented
            yield get("/", token, ids=f"{OWN_IDS['john', GAME]},{real}", fields="id"), real, invented
            yield get("/ids_for_apps", token, ids=real), real, invented
            yield posted("/pages_id_mapping", token, user_ids=real), real, invented
            batch = f'[{{"method":"GET","relative_url":"{real}?fields=name"}},{{"method":"DELETE","relative_url":"{real}"}}]'
            yield posted("/", token, batch=batch, include_headers="0"), real, invented
    for real, invented in ((stage.GHOST, INVENTED[2]), (stage.GHOST_MEMBER, INVENTED[3])):
        yield from (
            (query, real, invented)
            for query in sweep(registry, (real,), methods=("GET", "POST", "DELETE"), tokens=VARIETY)
        )


async def test_a_foreign_id_answers_like_an_invented_one_everywhere(arena: Arena) -> None:
    made = await arena("late")
    count = 0
    for query, real, invented in twins(made.world.registry):
        first = masked(await query.ask(made.client), real)
        other = masked(await query.replaced(real, invented).ask(made.client), invented)
        assert first == other, query
        count += 1
    assert count > 1_000


@pytest.mark.parametrize("edge", ["ids_for_apps", "ids_for_pages", "ids_for_business"])
async def test_a_foreign_filter_answers_like_one_that_matches_nothing(arena: Arena, edge: str) -> None:
    made = await arena("late")
    name = "page" if edge == "ids_for_pages" else "app"
    own = OWN_IDS["john", GAME]
    nothing = "9" * 15
    for token in ("literal game", "minted game", "john"):
        for foreign in (stage.RIVAL_APP, stage.GHOST_APP, stage.PARTNER_APP, stage.RIVAL_PAGE, stage.PARTNER_PAGE):
            for query in (
                get(f"/{own}/{edge}", TOKEN[token], **{name: foreign}),
                get(f"/{own}", TOKEN[token], fields=f"id,{edge}.{name}({foreign})"),
                get(f"/{own}", TOKEN[token], fields=f"id,{edge}.{name}({foreign}){{id}}", debug="all"),
            ):
                one, other = await query.ask(made.client), await query.replaced(foreign, nothing).ask(made.client)
                assert one.status == 200
                assert masked(one, foreign) == masked(other, nothing)
                assert b"5" * 3 not in one.body
        empty = await get(f"/{own}/{edge}", TOKEN[token], **{name: stage.RIVAL_APP}).ask(made.client)
        assert empty.body == b'{"data":[]}'


# ------------------------------------------------------------------------------------------------ shared is not owned


async def test_an_asset_that_x_uses_as_a_client_is_never_linked(arena: Arena) -> None:
    made = await arena("late")
    shared = {stage.PARTNER_APP.encode(), stage.PARTNER_PAGE.encode()}
    foreign = {id_.encode() for id_ in FOREIGN_IDS.values()} | {OWN_IDS["john", stage.PARTNER_PAGE].encode()}
    for (person, asset), id_ in OWN_IDS.items():
        if asset == stage.PARTNER_PAGE:
            continue
        for token in HELD:
            reply = await get(f"/{id_}", token, fields="id,ids_for_apps,ids_for_pages,ids_for_business").ask(
                made.client
            )
            assert not [each for each in shared | foreign if each in reply.body], (person, asset, token)


async def test_the_token_of_a_page_that_x_only_works_for_links_nothing(arena: Arena) -> None:
    made = await arena("late")
    psid = OWN_IDS["john", stage.PARTNER_PAGE]
    token = TOKEN["partner page"]
    assert (await get(f"/{psid}", token, fields="name").ask(made.client)).json() == {"name": "John Smith", "id": psid}
    for edge in ("ids_for_apps", "ids_for_pages"):
        assert (await get(f"/{psid}/{edge}", token).ask(made.client)).body == b'{"data":[]}'
    reply = await posted("/pages_id_mapping", token, user_ids=OWN_IDS["john", GAME]).ask(made.client)
    assert reply.body == b"{}"


# --------------------------------------------------------------------------------------------------------- wrong scope


async def test_the_token_of_another_page_of_the_same_business_knows_no_id_of_this_one(arena: Arena) -> None:
    made = await arena("late")
    coffee = TOKEN["coffee"]
    real, invented = OWN_IDS["john", THING], "4123451230000999"
    for path in ("", "/ids_for_apps", "/ids_for_pages", "/picture"):
        one = await get(f"/{real}{path}", coffee).ask(made.client)
        assert one.code == (400, 100, 33)
        other = await get(f"/{invented}{path}", coffee).ask(made.client)
        assert masked(one, real) == masked(other, invented)


@pytest.mark.parametrize("token", ["literal movie", "john movie", "thing movie", "literal lab"])
async def test_the_token_of_another_app_of_the_same_business_knows_no_id_of_this_one(arena: Arena, token: str) -> None:
    made = await arena("late")
    real, invented = OWN_IDS["mary", GAME], "4152368852405999"
    for path in ("", "/ids_for_apps", "/ids_for_pages", "/ids_for_business", "/permissions"):
        one = await get(f"/{real}{path}", TOKEN[token]).ask(made.client)
        assert one.status in (400, 403)
        other = await get(f"/{invented}{path}", TOKEN[token]).ask(made.client)
        assert masked(one, real) == masked(other, invented)


async def test_enumerating_around_known_ids_finds_nobody(arena: Arena) -> None:
    made = await arena("late")
    token = TOKEN["minted game"]
    shapes = set()
    known = {int(id_) for id_ in (*OWN_IDS.values(), *FOREIGN_IDS.values())}
    for id_ in (int(OWN_IDS["john", GAME]), int(FOREIGN_IDS["john", stage.RIVAL_APP])):
        for guess in (*range(id_ + 1, id_ + 9), *range(id_ - 8, id_), *(id_ ^ 1 << bit for bit in range(50))):
            if guess not in known and len(str(guess)) == 16:
                reply = await get(f"/{guess}/ids_for_apps", token).ask(made.client)
                shapes.add(masked(reply, str(guess)))
    assert len(shapes) == 1


# --------------------------------------------------------------------------------------------- ownership that changes


async def give(made: Stage, collection: str, key: str, business: str | None) -> None:
    """What the control plane does when an app or page changes hands."""
    reply = await made.client.send(
        "PATCH", f"/_polynym/v1/{collection}/{key}",
        body=(f'{{"business":"{business}"}}' if business else '{"business":null}').encode(),
        headers={"authorization": f"Bearer {stage.ADMIN_KEY}", "content-type": "application/json"},
    )  # fmt: skip
    assert reply.status == 200, reply.body


@pytest.mark.parametrize(("token", "id_"), [("literal game", OWN_IDS["john", GAME]), ("thing", OWN_IDS["john", THING])])
@pytest.mark.parametrize("edge", ["ids_for_apps", "ids_for_pages"])
async def test_a_cursor_dies_when_the_app_that_asks_changes_hands(
    arena: Arena, token: str, id_: str, edge: str
) -> None:
    made = await arena("late")
    first = (await get(f"/{id_}/{edge}", TOKEN[token], limit="1").ask(made.client)).json()
    assert len(first["data"]) == 1
    assert "next" in first["paging"]
    await give(made, "apps", "game", "rival")
    assert (await made.client.follow(first["paging"]["next"])).error["message"] == "(#100) Invalid cursors values"
    again = await get(f"/{id_}/{edge}", TOKEN[token]).ask(made.client)
    assert again.status == 200
    shown = {row[edge.removeprefix("ids_for_").removesuffix("s")]["id"] for row in again.json()["data"]}
    assert not shown & {MOVIE, THING, COFFEE, LAB}
    await give(made, "apps", "game", "x")
    assert (await made.client.follow(first["paging"]["next"])).status == 200


@pytest.mark.parametrize("departs", ["game", "movie"])
async def test_an_asset_that_left_between_two_pages_of_a_list_is_not_shown(arena: Arena, departs: str) -> None:
    made = await arena("late")
    token = TOKEN["literal game"]
    first = (await get(f"/{OWN_IDS['john', GAME]}/ids_for_apps", token, limit="1").ask(made.client)).json()
    assert [row["app"]["id"] for row in first["data"]] == [GAME]
    await give(made, "apps", departs, "rival")
    second = await made.client.follow(first["paging"]["next"])
    if departs == "game":
        assert second.code == (400, 100, None)
    else:
        assert second.json() == {"data": []}
    assert OWN_IDS["john", MOVIE].encode() not in second.body


async def test_ownership_is_read_anew_by_every_item_of_a_batch(arena: Arena) -> None:
    made = await arena("late")
    list_, owner = f"{OWN_IDS['john', THING]}/ids_for_apps", TOKEN["owner"]
    page = "&".join(f"{name}={value}" for name, value in signed(TOKEN["thing"]).items())
    items = [
        {"method": "GET", "relative_url": f"{list_}?{page}"},
        {"method": "DELETE", "relative_url": f"{X}/apps?app_id={MOVIE}"},
        {"method": "GET", "relative_url": f"{list_}?{page}"},
    ]
    before, removed, after = (await made.client.post("/", batch=items, **signed(owner))).json()
    assert (before["code"], removed["code"], after["code"]) == (200, 200, 200)
    assert OWN_IDS["john", MOVIE] in before["body"]
    assert OWN_IDS["john", MOVIE] not in after["body"]


# ----------------------------------------------------------------------------------------------- what hypothesis finds


@st.composite
def requests(draw: st.DrawFn) -> Query:
    """Whatever a player may ask, with choices that can be made simpler."""
    return Player(Registry(FEATURES), draw(st.randoms(note_method_calls=False)), game_nodes(), game_filters()).query()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=requests())
async def test_no_request_that_hypothesis_finds_tells_the_two_worlds_apart(
    pair: tuple[Stage, Stage], query: Query
) -> None:
    alone, crowded = pair
    assert heard(await query.ask(alone.client)) == heard(await query.ask(crowded.client))


@pytest.fixture
async def pair(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[tuple[Stage, Stage]]:
    """Both worlds at once; on SQLite, where two databases cost nothing."""
    stages = []
    presences: tuple[Presence, ...] = ("absent", "late")
    for presence in presences:
        path = tmp_path / f"{presence}.db"
        shutil.copyfile(sqlite_template, path)
        stages.append(await stage.build(await connect(f"sqlite:///{path}"), tmp_path / "data", presence))
    yield stages[0], stages[1]
    for made in stages:
        await made.world.close()
