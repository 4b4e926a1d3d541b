"""Acts: what happens to a person, an app or a page that ends tokens. Identity, the sandbox and the console call these.

Each takes a Ctx on an open transaction and announces the change itself. An act that also changes identity's rows comes
after that change, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from polynym.core.ctx import Ctx
from polynym.core.db import Tx
from polynym.identity.store import app_row, forget_scope
from polynym.tokens import codes, grants, pages, store


async def deauthorize(ctx: Ctx, person: int, app: str) -> bool:
    """The person removes the app: grants, tokens (458) and the app-scoped id are gone; False when there was nothing.

    Coming back makes a new id, and no token of before leads to it.
    """
    killed = await store.kill(ctx, "deauthorized", person=person, app=app)
    await grants.delete_grants(ctx, person, app)
    row = await app_row(ctx.db, app)
    left = row is not None and await forget_scope(cast(Tx, ctx.db), person, row["scope"])
    if left:
        await store.announce(ctx)
    return bool(killed) or left


async def password_changed(ctx: Ctx, person: int) -> int:
    """Password change or security event: every user token of the person and the page tokens derived from them (460)."""
    await codes.end(ctx, person)
    return await store.kill(ctx, "password_changed", person=person, kinds=("user", "page"))


async def logged_out(ctx: Ctx, hash_: str) -> int:
    """The session that a user token belongs to ended (467)."""
    return await store.kill(ctx, "logged_out", hash=hash_)


async def account_stopped(ctx: Ctx, person: int, reason: str) -> int:
    """A `checkpoint` (459), `blocked` (490) or `unconfirmed` (464) account: all the person's tokens."""
    await codes.end(ctx, person)
    return await store.kill(ctx, reason, person=person, kinds=("user", "page"))


async def role_lost(ctx: Ctx, person: int, page: str) -> int:
    """The person has no task on the page any more: their page tokens for it (492), whatever the app."""
    return await store.kill(ctx, "role_lost", person=person, page=page)


async def tasks_changed(ctx: Ctx, person: int, page: str, tasks: Sequence[str]) -> None:
    """The person's tasks on the page are now these: page tokens lose what the tasks do not cover, or die without any."""
    if tasks:
        await pages.narrow(ctx, person, page, tasks)
    else:
        await role_lost(ctx, person, page)


async def secret_reset(ctx: Ctx, app: str) -> int:
    """The app has a new secret: minted app tokens die, user tokens live on; proofs under the old secret fail by then."""
    killed = await store.kill(ctx, "secret_reset", app=app, kinds=("app",))
    await store.announce(ctx)
    return killed


async def uninstalled(ctx: Ctx, system_user: str) -> int:
    """A business removed the app or revoked its system user: that system user's tokens and derived page tokens."""
    return await store.kill(ctx, "uninstalled", system_user=system_user)


async def erased(ctx: Ctx, *, person: int | None = None, app: str | None = None, page: str | None = None) -> None:
    """A person, app or page ceases to exist: no row of a token or grant of theirs remains."""
    await store.forget(ctx, person=person, app=app, page=page)
