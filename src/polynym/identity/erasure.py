"""Erasing a person: no row, index or cache keeps a link between who they were and any of their ids.

Every feature that stores something about people has an eraser; `app.py` hands all of them to `erase_person`, features that
depend on identity first. Nothing is freed for reuse: ids and keys are never given out again, a returning person gets
new ones. On SQLite the deleted bytes go with `PRAGMA secure_delete = ON`, or else with the next VACUUM and checkpoint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from polynym.core.ctx import Ctx
from polynym.core.db import Tx
from polynym.identity import store
from polynym.identity.store.businesses import leave_businesses
from polynym.identity.store.people import delete_person_row
from polynym.identity.store.scoped import forget_person

#: Removes what one feature knows about a person, given the context and the internal key; `ctx.db` is the open transaction.
Eraser = Callable[[Ctx, Tx, int], Awaitable[None]]


async def erase_identity(_ctx: Ctx, tx: Tx, person: int) -> None:
    """This feature's eraser: links, roles, tasks, memberships, phones, profile."""
    await forget_person(tx, person)
    await leave_businesses(tx, person)
    await tx.run("DELETE FROM app_role WHERE person = :person", person=person)
    await tx.run("DELETE FROM page_task WHERE person = :person", person=person)
    await delete_person_row(tx, person)


async def erase_person(ctx: Ctx, person: int, erasers: Sequence[Eraser] = (erase_identity,)) -> bool:
    """Erase a person everywhere, in one transaction; False when there is no such person."""

    async def erase(tx: Tx) -> bool:
        if await store.person_row(tx, person) is None:
            return False
        inside = ctx.on(tx)
        for eraser in erasers:
            await eraser(inside, tx, person)
        await ctx.epoch.bump(tx)
        return True

    return await ctx.db.transaction(erase)
