"""Erasing a person leaves nothing of them: no row, no byte of the file, and no way back from an old id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polynym.core.ctx import Ctx
from polynym.core.db import Db, Tx, connect
from polynym.identity import store
from polynym.identity.erasure import erase_identity, erase_person
from polynym.identity.nodes import USER
from polynym.identity.store import Phone
from polynym.wire import errors

from .conftest import COFFEE, GAME, GAME_ASID, JOHNS, MOVIE_ASID, NOW_MS, THING, THING_PSID, World, build, refused, rows

TABLES = [
    "object",
    "business",
    "app",
    "app_client",
    "app_permission",
    "app_role",
    "page",
    "page_client",
    "page_task",
    "business_member",
    "business_claim",
    "person",
    "phone",
    "business_token",
    "scoped_id",
    "person_scope",
]


async def canary(world: World) -> tuple[int, list[str]]:
    """A person who is everywhere, and the texts that must be gone afterwards."""
    await world.db.run("UPDATE counter SET next = 8675309000111 WHERE name = 'person'")
    person = await world.person(
        name="Zyxwv Canary", email="zyxwv@example.com", key="canary", phones=(Phone("+15550199999", NOW_MS),)
    )
    marks = ["8675309000111", "Zyxwv", "zyxwv@example.com", "+15550199999"]
    marks += [await world.log_in(person, GAME, "email"), await world.write(person, THING)]
    await world.tx(lambda tx: store.set_role(tx, GAME, person, "admin"))
    await world.tx(lambda tx: store.set_tasks(tx, THING, person, ["MANAGE"]))
    member = await world.tx(lambda tx: store.set_member(tx, world.ids, NOW_MS, JOHNS, person, "ADMIN"))
    assert member is not None
    await world.db.run("UPDATE business SET created_by = :member WHERE id = :id", member=member, id=JOHNS)
    token = await world.read(world.by_app(GAME), marks[4], "token_for_business")
    return person, [*marks, member, token["token_for_business"]]


async def erase_grants(_ctx: Ctx, tx: Tx, person: int) -> None:
    await tx.run("DELETE FROM app_grant WHERE person = :person", person=person)


async def dump(db: Db) -> str:
    found: list[Any] = []
    for table in (*TABLES, "app_grant"):
        found += [dict(row) for row in await db.all(f"SELECT * FROM {table}")]
    return str(found)


async def test_no_table_keeps_anything_of_an_erased_person(world: World) -> None:
    person, marks = await canary(world)
    before = await dump(world.db)
    assert all(mark in before for mark in marks)
    assert await erase_person(world.ctx(), person, (erase_grants, erase_identity))
    after = await dump(world.db)
    assert [mark for mark in marks if mark in after] == []


async def test_erasing_one_person_touches_nobody_else(world: World) -> None:
    ctx = world.by_app(GAME)
    before = await world.read(ctx, GAME_ASID, "name,ids_for_apps,ids_for_pages")
    person, _ = await canary(world)
    await erase_person(world.ctx(), person, (erase_grants, erase_identity))
    assert await world.read(ctx, GAME_ASID, "name,ids_for_apps,ids_for_pages") == before


async def test_an_old_id_answers_like_an_invented_one_and_the_next_contact_makes_new_ids(world: World) -> None:
    await erase_person(world.ctx(), world.john, (erase_grants, erase_identity))
    for ctx, old in ((world.by_app(GAME), GAME_ASID), (world.by_page(THING), THING_PSID)):
        with refused(errors.NO_SUCH_OBJECT):
            await rows(ctx, USER, "ids_for_apps", old)
        with pytest.raises(LookupError):
            await world.resolve(ctx, old)
    again = await world.person(name="John Smith", key="john", email="john@example.com")
    assert again != world.john
    new = {await world.log_in(again, GAME), await world.write(again, THING), await world.write(again, COFFEE)}
    assert not new & {GAME_ASID, MOVIE_ASID, THING_PSID}


async def test_erasure_is_all_or_nothing(world: World) -> None:
    async def failing(_ctx: Ctx, tx: Tx, person: int) -> None:
        raise RuntimeError("a feature could not erase")

    before = await dump(world.db)
    with pytest.raises(RuntimeError):
        await erase_person(world.ctx(), world.john, (erase_identity, failing))
    assert await dump(world.db) == before


async def test_nobody_is_erased_twice(world: World) -> None:
    assert await erase_person(world.ctx(), world.john)
    assert not await erase_person(world.ctx(), world.john)


async def test_erasure_is_announced_to_every_process(world: World) -> None:
    generation = world.epoch.generation
    await erase_person(world.ctx(), world.john)
    assert world.epoch.generation == generation + 1


async def test_the_file_holds_no_byte_of_them_after_a_vacuum(sqlite_url: str, tmp_path: Path) -> None:
    import sqlite3

    db = await connect(sqlite_url)
    world = await build(db)
    person, marks = await canary(world)
    numbers = [int(mark) for mark in marks if mark.isdigit() and mark != marks[-2]]
    await erase_person(world.ctx(), person, (erase_grants, erase_identity))
    await db.close()
    path = sqlite_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = b"".join(file.read_bytes() for file in Path(path).parent.glob(Path(path).name + "*"))
    assert [mark for mark in marks if mark.encode() in content] == []
    # SQLite keeps a 16-digit number as 8 bytes, the internal key as 6; either would be a trace.
    assert [n for n in numbers if n > 10**15 and n.to_bytes(8, "big") in content] == []
    assert person.to_bytes(6, "big") not in content.replace((person + 1).to_bytes(6, "big"), b"")
