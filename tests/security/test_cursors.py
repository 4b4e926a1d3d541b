"""A cursor is good for the list it came with, and for nothing else (reliability B.6 case 40)."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.security.adversary import signed
from tests.security.conftest import Arena
from tests.security.raw import FORM, TOKEN, Raw, message, reading, send
from tests.security.stage import ADMIN_KEY, GAME, MOVIE, OWN_IDS, THING, Stage, X

ASID, PSID = OWN_IDS["john", GAME], OWN_IDS["john", THING]


@pytest.fixture
async def made(arena: Arena) -> Stage:
    """A stage, on each engine in turn."""
    return await arena("late")


async def first_cursor(made: Stage, id_: str = ASID, edge: str = "ids_for_apps", token: str = "literal game") -> str:
    """The cursor after the first row."""
    told = await send(made, reading(f"/{id_}/{edge}", token, limit="1"))
    cursor: str = json.loads(told.body)["paging"]["cursors"]["after"]
    return cursor


async def test_a_cursor_with_any_bit_changed_is_refused(made: Stage) -> None:
    cursor = await first_cursor(made)
    spoiled = {cursor[:place] + chr(ord(cursor[place]) ^ 1 << bit) + cursor[place + 1 :]
               for place in range(len(cursor)) for bit in range(7)}  # fmt: skip
    spoiled |= {cursor[:place] for place in range(1, len(cursor))} | {
        cursor + "A",
        cursor + "=",
        cursor * 2,
        cursor[::-1],
    }
    for text in spoiled:
        told = await send(made, reading(f"/{ASID}/ids_for_apps", "literal game", after=text, limit="1"))
        assert message(told) in (
            "(#100) Invalid cursors values",
            "(#100) The request is not valid UTF-8 text: a NUL character",
        )


async def test_a_cursor_is_good_for_one_list_of_one_caller_only(made: Stage) -> None:
    cursor = await first_cursor(made)
    for path, token, more in (
        (f"/{ASID}/ids_for_pages", "literal game", {}), (f"/{ASID}/ids_for_business", "literal game", {}),
        (f"/{ASID}/ids_for_apps", "john", {}), (f"/{OWN_IDS['mary', GAME]}/ids_for_apps", "literal game", {}),
        (f"/{ASID}/ids_for_apps", "literal game", {"app": MOVIE}), (f"/v3.2/{ASID}/ids_for_apps", "literal game", {}),
        (f"/{OWN_IDS['john', MOVIE]}/ids_for_apps", "literal movie", {}), (f"/{PSID}/ids_for_apps", "thing", {}),
        (f"/{ASID}/permissions", "literal game", {}), (f"/{X}/owned_apps", "owner", {}),
    ):  # fmt: skip
        for direction in ("after", "before"):
            told = await send(made, reading(path, token, **{direction: cursor}, **more))
            assert message(told) == "(#100) Invalid cursors values", (path, token, more)
        nested = path.rpartition("/")[2]
        node = path.rpartition("/")[0]
        filtered = "".join(f".{name}({value})" for name, value in more.items())
        told = await send(made, reading(node, token, fields=f"{nested}{filtered}.after({cursor})"))
        assert told.status == 400


async def test_what_is_no_cursor_is_refused(made: Stage) -> None:
    for cursor in (
        "QVFI" + "A" * 1_000_000,
        "QVFI",
        "Mg==",
        "' OR 1=1",
        "QVFI" + "é" * 40,
        "\u202e",
        "MTMxNjg2ODMwNjgzNzg5",
    ):
        body = urlencode(signed(TOKEN["literal game"]) | {"after": cursor, "method": "get"}).encode()
        told = await send(made, Raw("POST", f"/{ASID}/ids_for_apps".encode(), b"", (FORM,), (body,)))
        assert message(told) == "(#100) Invalid cursors values", cursor


async def test_a_cursor_outlives_neither_its_person_nor_its_business(made: Stage) -> None:
    cursor = await first_cursor(made)
    gone = {"authorization": f"Bearer {ADMIN_KEY}"}
    assert (await made.client.send("DELETE", "/_polynym/v1/people/john", headers=gone)).status == 200
    told = await send(made, reading(f"/{ASID}/ids_for_apps", "literal game", after=cursor))
    assert "does not exist" in message(told)
