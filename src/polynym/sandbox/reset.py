"""Reset: an empty world, or the demo world, in a database that stays where it is."""

from __future__ import annotations

from importlib import resources
from typing import Final, cast

from polynym.core.ctx import Ctx
from polynym.core.db import Db, Tx
from polynym.sandbox import store
from polynym.sandbox.draft import read_draft
from polynym.sandbox.load import load_draft
from polynym.sandbox.world_file import WorldFile

DEMO: Final = "demo.yaml"
#: What belongs to the installation and not to the world in it. Counters stay, so that no number is used twice.
_KEPT_TABLES: Final = frozenset(("schema_migration", "counter", "setting", "sandbox_clock"))
_TABLES: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    "postgresql": "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
}


async def reset(ctx: Ctx, *, demo: bool = False) -> WorldFile | None:
    """Delete everybody and everything; with `demo` load the demo world, which is then the answer. One transaction."""

    async def replace(tx: Tx) -> WorldFile | None:
        await _empty(ctx.on(tx))
        return await load_demo(ctx.on(tx)) if demo else None

    return await ctx.db.transaction(replace)


async def load_demo(ctx: Ctx) -> WorldFile:
    """Load the demo world. `ctx.db` is an open transaction. Raises WorldFileError when something of it exists."""
    draft = read_draft(demo_document(), DEMO, ctx.clock.now_ms())
    await load_draft(ctx, draft)
    return draft.world


def demo_document() -> bytes:
    """The text of the demo world."""
    return resources.files("polynym.sandbox").joinpath(DEMO).read_bytes()


async def is_empty(db: Db) -> bool:
    """Whether nobody and nothing lives in this database yet."""
    return await store.is_empty(db)


async def _empty(ctx: Ctx) -> None:
    tx = cast(Tx, ctx.db)
    for row in await tx.all(_TABLES[tx.engine]):
        if row["name"] not in _KEPT_TABLES:
            await tx.run(f'DELETE FROM "{row["name"]}"')  # noqa: S608 - a name from the catalogue
    await ctx.epoch.bump(tx)
