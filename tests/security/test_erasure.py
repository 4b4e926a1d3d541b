"""Erasure leaves nothing that leads from who somebody was to any of their ids (reliability B.6 cases 12 and 45, I22)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polynym.core.db import Db
from polynym.sandbox.load import load_document
from tests.security import stage
from tests.security.adversary import get, posted
from tests.security.conftest import Arena
from tests.security.stage import ADMIN_KEY, GAME, STAFF_SCOPES, THING, TOKENS, Stage, Token, X
from tests.support.asgi import Reply

TOKEN = {token.name: token for token in TOKENS}
#: Eight bytes each in a SQLite file, like every scoped id; the person's key has six.
ASID, MOVIE_ASID, PSID, COFFEE_PSID = "6271828182845905", "6271828182845906", "6141592653589793", "6141592653589794"
PERSON = 8_675_309_000_111
MEMBER = "6577215664901532"
ZOE: dict[str, Any] = {
    "polynym": 1,
    "people": [
        {
            "key": "zoe", "name": "Zoeqx Erasmusz", "locale": "is_IS", "email": "zoeqx@erasmusz.example",
            "birthday": "1977-07-17", "password": "zoeqx-opens-sesame", "profile": "full",
            "phones": [{"number": "+3545550199", "verified": True}, {"number": "+3545550198"}],
            "apps": [
                {"app": "game", "id": ASID, "scopes": STAFF_SCOPES, "declined": ["user_gender"],
                 "targets": {"pages_show_list": [THING]}},
                {"app": "movie", "id": MOVIE_ASID, "scopes": ["public_profile"]},
            ],
            "pages": [
                {"page": "thing", "id": PSID, "wrote": "-2h", "text": "a secret told to the thing page"},
                {"page": "coffee", "id": COFFEE_PSID, "wrote": "-1h", "text": "a secret told to the coffee page"},
            ],
            "business_tokens": [{"business": "x", "token": "AbZoeqxForBusinessX"}],
        }
    ],
    "businesses": [
        {"key": "zoes", "name": "Made by somebody", "members": [{"person": "zoe", "id": MEMBER}], "created_by": "zoe"}
    ],
    "apps": [{"key": "zoesapp", "name": "App with a role", "roles": [{"person": "zoe", "role": "admin"}]}],
    "pages": [{"key": "zoespage", "name": "Page with tasks", "tasks": [{"person": "zoe", "tasks": ["MANAGE"]}]}],
    "installs": [{"app": "zoesapp", "external_business_id": "shop-9", "business": "zoes", "by": "zoe"}],
    "tokens": [
        {"token": "EAAzoequser".ljust(40, "Q"), "app": "game", "person": "zoe", "scopes": STAFF_SCOPES},
        {"token": "EAAzoeqpage".ljust(40, "Q"), "app": "zoesapp", "person": "zoe", "page": "zoespage"},
    ],
}  # fmt: skip
WORDS = (
    ASID, MOVIE_ASID, PSID, COFFEE_PSID, MEMBER, str(PERSON), "Zoeqx", "Erasmusz", "zoeqx@erasmusz.example", "+3545550199",
    "+3545550198", "1977-07-17", "AbZoeqxForBusinessX", "zoeqx-opens-sesame", "a secret told", "is_IS",
)  # fmt: skip


@dataclass
class Zoe:
    """A world with Zoe in it, and everything that must be gone after her."""

    made: Stage
    tokens: list[str]
    hashes: list[str]

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control plane that succeeds."""
        reply = await self.made.client.send(
            method, f"/_polynym/v1/{path}", body=b"" if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {ADMIN_KEY}"},
        )  # fmt: skip
        assert reply.status in (200, 201), reply.body
        return reply.json()

    @property
    def words(self) -> list[str]:
        """Texts that only she brought into the world."""
        return [*WORDS, *self.tokens, *self.hashes]


async def with_zoe(arena: Arena) -> Zoe:
    """Zoe uses everything there is, and has tokens that were derived, exchanged and cached."""
    made = await arena("late")
    await made.world.db.run("UPDATE counter SET next = :next WHERE name = 'person'", next=PERSON)
    await load_document(made.world.ctx(), json.dumps(ZOE).encode(), "zoe.json")
    row = await made.world.db.one("SELECT person FROM person WHERE key = 'zoe'")
    assert row is not None
    assert row["person"] == PERSON
    zoe = Zoe(made, [], [])
    await zoe.control(
        "PATCH", "pages/thing", {"tasks": [{"person": each, "tasks": ["MANAGE"]} for each in ("zoe", "owner")]}
    )
    tokens = [ZOE["tokens"][0]["token"], ZOE["tokens"][1]["token"]]
    mine = await zoe.control("POST", "acts/log_in", {"person": "zoe", "app": "game", "scopes": ["email"]})
    tokens.append(mine["user_token"])
    accounts = await made.client.get("/me/accounts", access_token=tokens[0])
    tokens += [page["access_token"] for page in accounts.json()["data"]]
    assert len(tokens) == 5
    for token in tokens:
        assert (await made.client.get("/me", access_token=token)).status == 200
    # Somebody comes after her, so that the next number is not hers by chance.
    await zoe.control("POST", "people", {"name": "After Her", "key": "after"})
    zoe.tokens, zoe.hashes = tokens, [made.world.keyring.hash_token(token) for token in tokens]
    return zoe


async def everything(db: Db) -> str:
    """Every row of every table, as text."""
    names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        "postgresql": "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
    }[db.engine]
    rows = [dict(row) for table in await db.all(names) for row in await db.all(f'SELECT * FROM "{table["name"]}"')]
    return json.dumps(rows, ensure_ascii=False)


def left(words: list[str], text: str) -> list[str]:
    """The words that are still there."""
    return [word for word in words if word in text]


# ------------------------------------------------------------------------------------------------------------ the rows


@pytest.mark.parametrize("act", ["POST acts/erase", "DELETE people/zoe"])
async def test_no_row_of_any_table_keeps_anything_of_an_erased_person(arena: Arena, act: str) -> None:
    zoe = await with_zoe(arena)
    kept_secret = {"zoeqx-opens-sesame", *zoe.tokens}
    before = await everything(zoe.made.world.db)
    assert set(zoe.words) - set(left(zoe.words, before)) == kept_secret
    method, _, path = act.partition(" ")
    await zoe.control(method, path, {"person": "zoe"} if method == "POST" else None)
    assert left(zoe.words, await everything(zoe.made.world.db)) == []


async def test_the_export_of_the_world_knows_nothing_of_an_erased_person(arena: Arena) -> None:
    zoe = await with_zoe(arena)
    assert left(zoe.words, json.dumps(await zoe.control("GET", "world"), ensure_ascii=False))
    await zoe.control("POST", "acts/erase", {"person": "zoe"})
    assert left(zoe.words, json.dumps(await zoe.control("GET", "world"), ensure_ascii=False)) == []


async def test_erasing_somebody_touches_nobody_else(arena: Arena) -> None:
    zoe = await with_zoe(arena)
    queries = [get(f"/{id_}", TOKEN["literal game"], fields="name,ids_for_apps,ids_for_pages,permissions")
               for (_, asset), id_ in stage.OWN_IDS.items() if asset == GAME]  # fmt: skip
    before = [(await query.ask(zoe.made.client)).body for query in queries]
    assert b"ids_for_apps" in before[0]
    await zoe.control("POST", "acts/erase", {"person": "zoe"})
    assert [(await query.ask(zoe.made.client)).body for query in queries] == before


# ----------------------------------------------------------------------------------------------------------- the bytes


def packed(words: list[str]) -> Iterator[bytes]:
    """What could be left in a file: texts as they are, ids also as the numbers that they are."""
    for word in words:
        yield word.encode()
        if word.isdigit():
            yield int(word).to_bytes(6 if int(word) < 2**47 else 8, "big")


def content(path: Path) -> bytes:
    """The database file and everything beside it."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


async def test_the_sqlite_file_holds_no_byte_of_an_erased_person_after_a_vacuum(
    sqlite_template: Path, tmp_path: Path
) -> None:
    import shutil

    from polynym.core.db import connect

    path = tmp_path / "world.db"
    shutil.copyfile(sqlite_template, path)

    async def arena(*_: str) -> Stage:
        return await stage.build(await connect(f"sqlite:///{path}"), tmp_path / "data")

    zoe = await with_zoe(arena)
    before = content(path)
    assert [form for form in packed(zoe.hashes) if form not in before] == []
    assert int(ASID).to_bytes(8, "big") in before
    assert PERSON.to_bytes(6, "big") in before
    assert b"Zoeqx" in before
    await zoe.control("POST", "acts/erase", {"person": "zoe"})
    await zoe.made.world.close()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    after = content(path)
    assert [form for form in packed(zoe.words) if form in after] == []
    assert b"John Smith" in after


# ------------------------------------------------------------------------------------------------------- the way back


def masked(reply: Reply, id_: str) -> tuple[int, bytes]:
    """Status and body without the id that was asked for and the trace id."""
    body = reply.body.replace(id_.encode(), b"#")
    trace = reply.json()["error"]["fbtrace_id"] if b'"error"' in body else ""
    return reply.status, body.replace(trace.encode(), b"") if trace else body


@pytest.mark.parametrize(
    ("token", "old", "invented"),
    [("literal game", ASID, "6271828182845911"), ("minted game", ASID, "6271828182845911"),
     ("literal movie", MOVIE_ASID, "6271828182845912"), ("thing", PSID, "6141592653589799"),
     ("coffee", COFFEE_PSID, "6141592653589798")],
)  # fmt: skip
async def test_an_old_id_answers_like_an_invented_one(arena: Arena, token: str, old: str, invented: str) -> None:
    zoe = await with_zoe(arena)
    client = zoe.made.client
    queries = [
        get(f"/{old}", TOKEN[token]),
        get(f"/{old}", TOKEN[token], fields="id,name,ids_for_apps"),
        *(get(f"/{old}/{edge}", TOKEN[token]) for edge in ("ids_for_apps", "ids_for_pages", "permissions", "picture")),
        get("/", TOKEN[token], ids=old),
        posted("/pages_id_mapping", TOKEN["thing"], user_ids=old),
        posted("/pages_id_mapping", TOKEN["thing"], user_ids=old, ignore_invalid_ids="true"),
    ]
    # Asked before, so that whatever remembers has something to remember.
    assert (await queries[0].ask(client)).status == 200
    await zoe.control("POST", "acts/erase", {"person": "zoe"})
    for query in queries:
        gone, never = await query.ask(client), await query.replaced(old, invented).ask(client)
        assert masked(gone, old) == masked(never, invented), query
        assert b"Zoeqx" not in gone.body


async def test_the_tokens_of_an_erased_person_are_forgotten_at_once(arena: Arena) -> None:
    zoe = await with_zoe(arena)
    client, tokens = zoe.made.client, zoe.tokens
    await zoe.control("POST", "acts/erase", {"person": "zoe"})
    garbage = (await client.get("/me", access_token="EAAnever")).error
    for token in tokens:
        reply = await client.get("/me", access_token=token)
        assert reply.error | {"fbtrace_id": ""} == garbage | {"fbtrace_id": ""}
        told = (await get("/debug_token", TOKEN["literal game"], input_token=token).ask(client)).json()["data"]
        assert told == {
            "error": {"code": 190, "message": "Invalid OAuth access token."}, "is_valid": False, "scopes": [],
        }  # fmt: skip


async def test_whoever_comes_back_after_an_erasure_is_a_stranger_with_new_ids(arena: Arena) -> None:
    zoe = await with_zoe(arena)
    await zoe.control("POST", "acts/erase", {"person": "zoe"})
    again = {"key": "zoe", "name": "Zoeqx Erasmusz", "email": "zoeqx@erasmusz.example"}
    await zoe.control("POST", "people", again)
    asid = (await zoe.control("POST", "acts/log_in", {"person": "zoe", "app": "game"}))["asid"]
    psid = (await zoe.control("POST", "acts/say", {"person": "zoe", "page": "thing", "text": "me again"}))["psid"]
    assert not {asid, psid} & {ASID, MOVIE_ASID, PSID, COFFEE_PSID}
    found = await get(f"/{asid}", TOKEN["literal game"], fields="ids_for_apps,ids_for_pages,token_for_business").ask(
        zoe.made.client
    )
    body = found.json()
    assert [row["id"] for row in body["ids_for_apps"]["data"]] == [asid]
    assert [row["id"] for row in body["ids_for_pages"]["data"]] == [psid]
    assert body["token_for_business"] != "AbZoeqxForBusinessX"


# ---------------------------------------------------------------------------------------------------- only one app left

LEAVINGS = ("control plane", "the person's own token", "the app's token")


async def leave(zoe: Zoe, way: str) -> None:
    """Zoe removes the game."""
    if way == LEAVINGS[0]:
        assert await zoe.control("POST", "acts/leave", {"person": "zoe", "app": "game"}) == {"left": True}
    else:
        own = ZOE["tokens"][0]["token"]
        token = own if way == LEAVINGS[1] else TOKEN["literal game"].text
        assert (await zoe.made.client.delete(f"/{ASID}/permissions", access_token=token)).json() == {"success": True}


@pytest.mark.parametrize("way", LEAVINGS)
async def test_who_removes_an_app_is_unknown_to_it_at_once_and_comes_back_under_another_id(
    arena: Arena, way: str
) -> None:
    zoe = await with_zoe(arena)
    client, token = zoe.made.client, TOKEN["literal game"]
    await leave(zoe, way)
    for query in (get(f"/{ASID}", token), get(f"/{ASID}/ids_for_apps", token), get(f"/{ASID}/permissions", token)):
        gone, never = await query.ask(client), await query.replaced(ASID, "6271828182845911").ask(client)
        assert gone.code == (400, 100, 33)
        assert masked(gone, ASID) == masked(never, "6271828182845911")
    assert left([ASID], await everything(zoe.made.world.db)) == []
    assert (await client.get("/me", access_token=ZOE["tokens"][0]["token"])).code == (400, 190, 458)
    back = await zoe.control("POST", "acts/log_in", {"person": "zoe", "app": "game"})
    assert back["asid"] != ASID
    linked = (await get(f"/{PSID}/ids_for_apps", TOKEN["thing"]).ask(client)).json()["data"]
    assert [row["id"] for row in linked] == [back["asid"], MOVIE_ASID]
    # The old token stays dead, and no longer says whose it was.
    told = (await get("/debug_token", token, input_token=ZOE["tokens"][0]["token"]).ask(client)).json()["data"]
    assert not told["is_valid"]
    assert back["asid"] not in json.dumps(told)


async def test_who_leaves_the_last_app_of_a_business_gets_another_token_for_business(arena: Arena) -> None:
    zoe = await with_zoe(arena)
    token: Token = TOKEN["literal game"]

    async def token_for_business(asid: str) -> str:
        reply = await get(f"/{asid}", token, fields="token_for_business").ask(zoe.made.client)
        return str(reply.json()["token_for_business"])

    old = await token_for_business(ASID)
    assert old == "AbZoeqxForBusinessX"
    await zoe.control("POST", "acts/leave", {"person": "zoe", "app": "game"})
    back = (await zoe.control("POST", "acts/log_in", {"person": "zoe", "app": "game"}))["asid"]
    # She never left the movie, so the business still knows her.
    assert await token_for_business(back) == old
    for app in ("game", "movie"):
        await zoe.control("POST", "acts/leave", {"person": "zoe", "app": app})
    back = (await zoe.control("POST", "acts/log_in", {"person": "zoe", "app": "game"}))["asid"]
    assert await token_for_business(back) != old


async def test_an_app_or_page_that_is_deleted_takes_its_ids_along(arena: Arena) -> None:
    zoe = await with_zoe(arena)
    await zoe.control("DELETE", "apps/movie")
    await zoe.control("DELETE", "pages/coffee")
    text = await everything(zoe.made.world.db)
    assert left([MOVIE_ASID, COFFEE_PSID, "a secret told to the coffee page"], text) == []
    assert left([ASID, PSID], text) == [ASID, PSID]
    assert (await get(f"/{X}/owned_apps", TOKEN["owner"]).ask(zoe.made.client)).status == 200
