"""Nothing internal is ever told (reliability B.6 case 13, I12): no person key, no scope number, no secret, token or proof, in
answers, in the control plane's answers, in exports and in logs."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sys
from typing import Any

import pytest

from polynym.sandbox.load import load_document
from tests.security import stage
from tests.security.adversary import VARIETY, Player, Query, game_filters, game_nodes, get, posted, sweep
from tests.security.canary import (
    EXTRAS,
    FIRST_PERSON,
    FIRST_SCOPE,
    MARKS,
    NUMBERS,
    credentials,
    internal_numbers,
)
from tests.security.conftest import Arena
from tests.security.stage import ADMIN_KEY, GAME, HELD, OWN_IDS, THING, TOKENS, Stage, X
from tests.support.asgi import Reply

TOKEN = {token.name: token for token in TOKENS}
DRAWN = 400


async def canaries(arena: Arena) -> Stage:
    """A stage in which every internal number is one that can be recognised."""
    made = await arena("late", first_person=FIRST_PERSON, first_scope=FIRST_SCOPE)
    await load_document(made.world.ctx(), json.dumps(EXTRAS).encode(), "extras.json")
    return made


def whole(reply: Reply) -> bytes:
    """Headers and body of an answer."""
    return "\n".join(f"{name}: {value}" for name, value in reply.headers).encode("latin-1") + b"\n\n" + reply.body


def sender(query: Query) -> stage.Token | None:
    """The token that came with a request."""
    given = dict(query.params).get("access_token")
    return next((token for token in HELD if token.text == given), None)


async def control(made: Stage, method: str, path: str, body: Any = None) -> Reply:
    """One call of the control plane."""
    return await made.client.send(
        method, f"/_polynym/v1/{path}", body=b"" if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {ADMIN_KEY}"},
    )  # fmt: skip


# -------------------------------------------------------------------------------------------- the detector detects


def test_the_marks_are_long_enough_to_mean_something() -> None:
    assert min(map(len, MARKS)) >= 5
    for number in (FIRST_PERSON, FIRST_PERSON + NUMBERS, FIRST_SCOPE, FIRST_SCOPE + NUMBERS):
        for order in ("big", "little"):
            assert internal_numbers(number.to_bytes(8, order))  # type: ignore[arg-type]


async def test_the_world_is_full_of_canaries(arena: Arena) -> None:
    made = await canaries(arena)
    keys = [row["person"] for row in await made.world.db.all("SELECT person FROM person")]
    scopes = [row["number"] for row in await made.world.db.all("SELECT number FROM scope")]
    assert len(keys) > 5
    assert len(scopes) > 20
    assert set(keys) <= set(range(FIRST_PERSON, FIRST_PERSON + NUMBERS))
    assert set(scopes) <= set(range(FIRST_SCOPE, FIRST_SCOPE + NUMBERS))


@pytest.mark.parametrize("number", [FIRST_PERSON + 3, FIRST_SCOPE + 9])
def test_an_internal_number_is_found_in_every_disguise(number: int) -> None:
    packed = base64.urlsafe_b64encode(b"xy" + number.to_bytes(8, "big") + b"z").rstrip(b"=")
    spelled = base64.b64encode(f"{number}\x1fbusiness".encode())
    for text in (str(number).encode(), f"{number:x}".encode(), packed, b'{"after":"QVFI' + packed, spelled):
        assert internal_numbers(b"before " + text + b" behind"), text
    assert not internal_numbers(base64.b64encode(bytes(range(200))))


def test_a_secret_of_somebody_else_is_found_and_ones_own_token_is_not() -> None:
    game, john = TOKEN["literal game"], TOKEN["john"]
    assert credentials(f"next?access_token={game.text}".encode(), game) == []
    assert credentials(f"next?access_token={game.text.replace('|', '%7C')}".encode(), game) == []
    assert credentials(f"next?access_token={game.text}".encode(), john)


# ----------------------------------------------------------------------------------------------------------- the graph


async def test_no_answer_of_the_graph_tells_an_internal_number_or_a_credential(arena: Arena) -> None:
    made = await canaries(arena)
    registry = made.world.registry
    player = Player(registry, random.Random(7), game_nodes(), game_filters())
    ids = (OWN_IDS["john", GAME], OWN_IDS["john", THING], GAME, X)
    queries = [*sweep(registry, ids, tokens=VARIETY), *(player.query() for _ in range(DRAWN))]
    queries += sweep(registry, (OWN_IDS["john", GAME], X), methods=("POST", "DELETE"), tokens=VARIETY)
    for query in queries:
        reply = await query.ask(made.client)
        text = whole(reply)
        assert not internal_numbers(text), (query, reply.body)
        told = set(credentials(text, sender(query)))
        # Who may have a page's token is told it, and what an item of a batch repeats is its own.
        told -= {token.text for token in HELD if token.page is not None}
        if "batch" not in f"{query.params}{query.body}" and sender(query) is not None:
            assert not told, (query, reply.body)


async def test_cursors_picture_addresses_and_debug_token_hold_nothing_that_can_be_read(arena: Arena) -> None:
    made = await canaries(arena)
    own = OWN_IDS["john", GAME]
    fields = "id,name,picture,token_for_business,ids_for_apps.limit(1){id,app},ids_for_pages.limit(1){id,page}"
    for query in (
        get(f"/{own}", TOKEN["literal game"], fields=fields, metadata="1", debug="all"),
        get(f"/{own}/ids_for_apps", TOKEN["literal game"], limit="1"),
        get("/me/accounts", TOKEN["owner"], limit="1"),
        get(f"/{X}/owned_apps", TOKEN["owner"], limit="1"),
        get(f"/{X}/business_users", TOKEN["owner"], fields="id,name,email,role,business"),
        *(
            get("/debug_token", TOKEN["literal game"], input_token=TOKEN[name].text)
            for name in ("john", "thing", "owner")
        ),
        posted("/pages_id_mapping", TOKEN["thing"], user_ids=own),
    ):
        reply = await query.ask(made.client)
        assert reply.status == 200, (query, reply.body)
        assert not internal_numbers(whole(reply)), query


async def test_an_error_repeats_no_credential_that_came_with_the_call(arena: Arena) -> None:
    """What is refused is named by the place, not by its content."""
    made = await canaries(arena)
    for token in HELD:
        for params in (
            {"access_token": token.text + "x"}, {"access_token": token.text, "appsecret_proof": token.proof[:-1] + "0"},
            {"access_token": token.text, "appsecret_proof": token.proof, "appsecret_time": "1"},
            {"access_token": token.text, "appsecret_proof": token.proof, "fields": "nonsense"},
            {"access_token": token.text, "appsecret_proof": token.proof, "after": "QVFIx"},
        ):  # fmt: skip
            reply = await made.client.get(f"/{OWN_IDS['john', GAME]}/ids_for_apps", **params)
            if reply.status != 200:
                assert not credentials(whole(reply)), (token, params)
    secret = {"client_id": GAME, "client_secret": "f6" * 16, "grant_type": "client_credentials"}
    assert not credentials(whole(await made.client.get("/oauth/access_token", **secret)))


# --------------------------------------------------------------------------------------------------- the control plane

CALLS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "clock", None),
    ("POST", "clock", {"advance": "1h"}),
    ("POST", "clock", {"advance": "never"}),
    ("GET", "nothing", None),
    ("POST", "acts/say", {"person": "john", "page": "coffee", "text": "hi"}),
    ("POST", "acts/say", {"psid": "1", "page": "coffee", "text": "hi"}),
    ("POST", "acts/say", {"person": "nobody", "page": "coffee", "text": "hi"}),
    ("POST", "acts/log_in", {"person": "canary", "app": "lab"}),
    ("POST", "people", {"name": "New Person", "key": "newcomer", "apps": [{"app": "game"}]}),
    ("POST", "people", {"name": "John", "key": "john"}),
    ("POST", "people", {"name": "John", "key": "again", "apps": [{"app": "game", "id": OWN_IDS["john", GAME]}]}),
    ("PATCH", "people/john", {"name": "John Smythe", "phones": [{"number": "+12125550000"}]}),
    ("PATCH", "people/john", {"email": "mary@example.com"}),
    ("PATCH", "apps/game", {"roles": [{"person": "mary", "role": "tester"}]}),
    ("PATCH", "apps/game", {"secret": "short"}),
    ("PATCH", "pages/thing", {"tasks": [{"person": "mary", "tasks": ["MANAGE"]}]}),
    ("PATCH", "businesses/x", {"members": [{"person": "mary", "role": "ADMIN"}]}),
    ("POST", "businesses", {"name": "New"}),
    ("POST", "pages", {"name": "New", "username": "new"}),
    ("POST", "pages", {"name": "New", "username": "new", "key": "new-2"}),
    ("POST", "acts/leave", {"person": "mary", "app": "game"}),
    ("DELETE", "people/carlos", None),
    ("POST", "acts/erase", {"person": "owner"}),
    ("POST", "acts/erase", {"person": "owner"}),
    ("DELETE", "apps/partnerapp", None),
)


async def test_no_call_of_the_control_plane_tells_an_internal_number_or_an_unasked_secret(arena: Arena) -> None:
    made = await canaries(arena)
    for method, path, body in CALLS:
        reply = await control(made, method, path, body)
        assert reply.status < 500, (path, reply.body)
        assert not internal_numbers(whole(reply)), (path, body, reply.body)
        assert not credentials(whole(reply)), (path, body, reply.body)
    for path in ("world", "world?format=yaml", "env", "env?person=john", "env?app=movie&page=coffee"):
        reply = await control(made, "GET", path)
        assert reply.status == 200, reply.body
        assert not internal_numbers(whole(reply)), path
        assert reply.header("cache-control") == "no-store"


async def test_the_control_plane_and_the_health_checks_tell_a_stranger_nothing(arena: Arena) -> None:
    made = await canaries(arena)
    for path in ("/_polynym/v1/world", "/_polynym/v1/env", "/_polynym/health/live", "/_polynym/health/ready"):
        text = whole(await made.client.get(path))
        assert not internal_numbers(text)
        assert not credentials(text)
        assert b"John" not in text


# ---------------------------------------------------------------------------------------------------------------- logs


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_the_log_of_a_crawl_and_of_a_broken_database_holds_no_credential(log_format: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.security.crawl", log_format,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, log = await process.communicate()
    assert process.returncode == 0, log.decode()[-2_000:]
    assert out == b""
    assert b"unhandled error" in log
    assert b"storage unavailable" in log
    assert b"the database broke" in log
    assert not credentials(log)
    assert not internal_numbers(log)
    for name in (b"John Smith", b"john@example.com", b"+12125552368", b"client_secret"):
        assert name not in log
