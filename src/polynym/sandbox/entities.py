"""Entities: one business, app, page or person at a time, in world-file form: made, changed, deleted.

Here other entities may be mentioned by key, name or public id. What is answered is short: key, name, ids, and the secret of
an app that has just been made.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, cast

from polynym.core.ctx import Ctx
from polynym.core.db import Tx
from polynym.identity import store as identity
from polynym.identity.erasure import erase_person
from polynym.sandbox import lookup, store
from polynym.sandbox.acts import ERASERS
from polynym.sandbox.changes import CHANGES, Changer
from polynym.sandbox.load import INSTALL, Loader, conflicts
from polynym.sandbox.lookup import Found, Kind
from polynym.sandbox.plane import ControlError
from polynym.sandbox.shape import Place, Reading, WrongValueError
from polynym.sandbox.source import Problem, tree_of
from polynym.sandbox.world_file import ENTITIES
from polynym.tokens import acts as token_acts

KINDS: Final[Mapping[str, Kind]] = {"businesses": "business", "apps": "app", "pages": "page", "people": "person"}
_KEY_TRIES: Final = 1_000


async def create(ctx: Ctx, collection: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Add an entity; without `key` one is made from its name. Raises ControlError (400, 404 and 409)."""
    kind = KINDS[collection]
    named = dict(body)
    if named.get("key") is None and isinstance(named.get("name"), str):
        named["key"] = await _free_key(ctx, kind, named["name"])
    reading = Reading("", ctx.clock.now_ms())
    entry = _read(lambda: ENTITIES[collection].read(tree_of(named), Place(reading, "")), reading)

    async def write(tx: Tx) -> dict[str, Any]:
        inside = ctx.on(tx)
        taken = await conflicts(inside, list(reading.claims.values()))
        if taken:
            raise ControlError(409, f'"{taken[0].value}" exists already', taken[0].path)
        loader = Loader(inside, await _mentioned(inside, reading))
        await _WRITERS[collection](loader, entry)
        await inside.epoch.bump(tx)
        return await summary(inside, await lookup.find(tx, kind, entry.key), with_secret=True)

    return await ctx.db.transaction(write)


async def change(ctx: Ctx, collection: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Change the given keys of an entity and leave the others; null means the default. Raises ControlError."""
    found = await lookup.find(ctx.db, KINDS[collection], name)
    reading = Reading("", ctx.clock.now_ms())
    given = _read(lambda: ENTITIES[collection].read_given(tree_of(dict(body)), Place(reading, "")), reading)
    if "id" in given and given["id"] != found.id:
        raise ControlError(400, "an id cannot be changed", "id")

    async def write(tx: Tx) -> dict[str, Any]:
        inside = ctx.on(tx)
        names = await _mentioned(inside, reading)
        changer = Changer(Loader(inside, names), found, given)
        await CHANGES[collection](changer)
        await inside.epoch.bump(tx)
        return await summary(inside, await changer.again())

    return await ctx.db.transaction(write)


async def delete(ctx: Ctx, collection: str, name: str) -> dict[str, Any]:
    """Delete an entity and what hangs on it. Raises ControlError."""
    found = await lookup.find(ctx.db, KINDS[collection], name)
    if found.kind == "person":
        return {"deleted": await erase_person(ctx, found.person, ERASERS)}
    await ctx.db.transaction(lambda tx: _delete(ctx.on(tx), found))
    return {"deleted": True}


async def _delete(ctx: Ctx, found: Found) -> None:
    tx = cast(Tx, ctx.db)
    if found.kind == "business":
        await identity.delete_business_row(tx, found.id)
    elif found.kind == "app":
        await token_acts.erased(ctx, app=found.id)
        await identity.delete_app_row(tx, found.id)
        await store.forget_sections(tx, INSTALL, found.id)
    else:
        await token_acts.erased(ctx, page=found.id)
        await store.forget_contacts(tx, scope=found.scope)
        await identity.delete_page_row(tx, found.id)
    await store.forget_sections(tx, found.kind, found.id)
    await ctx.epoch.bump(tx)


async def summary(ctx: Ctx, found: Found, *, with_secret: bool = False) -> dict[str, Any]:
    """What an entity is called: key, name, id; of a person the scoped ids, of an app on demand the secret."""
    answer: dict[str, Any] = {"key": found.key, "name": found.name}
    if found.kind == "person":
        apps, pages = await store.scoped_ids(ctx.db, found.person)
        answer["apps"] = [{"app": row["name"], "id": str(row["id"])} for row in apps]
        answer["pages"] = [{"page": row["name"], "id": str(row["id"])} for row in pages]
        return answer
    answer["id"] = found.id
    if with_secret and found.kind == "app":
        row = await identity.app_row(ctx.db, found.id)
        assert row is not None
        answer["secret"] = ctx.keyring.open(row["secret_sealed"], identity.secret_context(found.id))
    return answer


async def _write_business(loader: Loader, entry: Any) -> None:
    await loader.business(entry)
    await loader.finish_business(entry)


async def _write_app(loader: Loader, entry: Any) -> None:
    await loader.app(entry)


async def _write_page(loader: Loader, entry: Any) -> None:
    await loader.page(entry)


async def _write_person(loader: Loader, entry: Any) -> None:
    await loader.people((entry,))
    await loader.links(loader.person(entry.key), entry)


_WRITERS: Final = {
    "businesses": _write_business,
    "apps": _write_app,
    "pages": _write_page,
    "people": _write_person,
}


def _read(read: Any, reading: Reading) -> Any:
    try:
        entry = read()
    except WrongValueError as wrong:
        raise ControlError(400, str(wrong)) from None
    if reading.problems:
        raise refusal(reading.problems, 400)
    return entry


def refusal(problems: list[Problem], status: int) -> ControlError:
    """The answer to something in world-file form that is wrong: the first problem, and all of them."""
    first = problems[0]
    error = ControlError(status, f"{first.path}: {first.message}" if first.path else first.message, first.path or None)
    error.more = {
        "problems": [
            {"file": each.file or None, "line": each.line or None, "path": each.path, "message": each.message}
            for each in problems
        ]
    }
    return error


async def _mentioned(ctx: Ctx, reading: Reading) -> dict[tuple[str, str], Found]:
    """What an entity mentions, each by key, name or public id. Raises LookupFailedError."""
    return {
        (reference.kind, reference.name): await lookup.find(ctx.db, cast(Kind, reference.kind), reference.name)
        for reference in reading.references
    }


async def _free_key(ctx: Ctx, kind: Kind, name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80] or kind
    for number in range(1, _KEY_TRIES):
        key = stem if number == 1 else f"{stem}-{number}"
        if await lookup.by_key(ctx.db, kind, key) is None:
            return key
    raise ControlError(409, f'there are too many called "{name}"', "key", "give a key")
