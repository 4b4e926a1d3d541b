"""How apps and pages come to a business and leave it: claims, consent, removal.

Whoever changes an owner goes through `transfer`: it tells every process, and where reviews are not instant it puts the new
owner under review again, so that an asset claimed a moment ago links nothing yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, cast

from polynym.core.ctx import Ctx
from polynym.core.db import Row, Tx
from polynym.identity import matching, roles, store
from polynym.identity.store.ownership import withdraw_claims
from polynym.identity.store.rows import Access, AssetKind
from polynym.wire import errors
from polynym.wire.errors import GraphError

AccessStatus = Literal["CONFIRMED", "PENDING"]
_NOUNS: Final[dict[AssetKind, str]] = {"app": "the ID of an app", "page": "the ID of a page"}


def open_tx(ctx: Ctx) -> Tx:
    """The open transaction that dispatch put into a writing handler's context."""
    return cast(Tx, ctx.db)


async def transfer(ctx: Ctx, kind: AssetKind, asset: str, business: str | None) -> None:
    """Give an app or page to a business, or to nobody. `ctx.db` is an open transaction."""
    tx = open_tx(ctx)
    now_ms = ctx.clock.now_ms()
    await store.set_owner(tx, now_ms, kind, asset, business)
    if business is not None and ctx.config.review != "instant":
        await store.reopen_review(tx, business, matching.review_due_ms(ctx.config.review, now_ms))
    await ctx.epoch.bump(tx)


async def claim(
    ctx: Ctx, business: str, person: int, kind: AssetKind, asset: str, access: Access, tasks: Sequence[str] = ()
) -> AccessStatus:
    """Ask for an asset in the name of a business: CONFIRMED when the person administers it, else PENDING.

    Raises PARAM_INVALID for an unknown asset, ALREADY_ACCESS, PAGE_OWNED, and PAGE_ADMIN_NEEDED when there is nobody
    who could consent.
    """
    row = await asset_row(ctx, kind, asset)
    if row is None:
        raise GraphError(errors.PARAM_INVALID, name=f"{kind}_id", expected=_NOUNS[kind])
    owner = row["business"]
    if owner == business or (access == "client" and await store.is_client(ctx.db, kind, asset, business)):
        raise GraphError(errors.ALREADY_ACCESS)
    if access == "owned" and owner is not None:
        raise GraphError(errors.PAGE_OWNED)
    if await administers(ctx, kind, asset, person):
        await _confirm(ctx, business, kind, asset, access, tasks)
        return "CONFIRMED"
    if owner is None and not await _has_admin(ctx, kind, asset):
        raise GraphError(errors.PAGE_ADMIN_NEEDED)
    await store.add_claim(open_tx(ctx), ctx.ids, ctx.clock.now_ms(), kind, asset, business, access, tasks)
    return "PENDING"


async def _confirm(ctx: Ctx, business: str, kind: AssetKind, asset: str, access: Access, tasks: Sequence[str]) -> None:
    if access == "owned":
        await transfer(ctx, kind, asset, business)
    else:
        await store.add_client(open_tx(ctx), ctx.clock.now_ms(), kind, asset, business, tasks)


async def remove(ctx: Ctx, business: str, kind: AssetKind, asset: str) -> None:
    """Take an asset out of a business, whether it owns it, uses it, or only asked. Raises PAGE_ELSEWHERE otherwise."""
    tx = open_tx(ctx)
    row = await asset_row(ctx, kind, asset)
    if row is not None and row["business"] == business:
        await transfer(ctx, kind, asset, None)
        return
    used = await store.remove_client(tx, kind, asset, business)
    asked = await withdraw_claims(tx, kind, asset, business)
    if not (used or asked):
        raise GraphError(errors.PAGE_ELSEWHERE)


async def asset_row(ctx: Ctx, kind: AssetKind, asset: str) -> Row | None:
    """The row of an app or page."""
    return await (store.app_row(ctx.db, asset) if kind == "app" else store.page_row(ctx.db, asset))


async def administers(ctx: Ctx, kind: AssetKind, asset: str, person: int) -> bool:
    """Whether a person may decide to whom an app or page belongs."""
    if kind == "app":
        return roles.administers_app(await store.role_of(ctx.db, asset, person))
    return roles.administers_page(await store.tasks_of(ctx.db, asset, person))


async def _has_admin(ctx: Ctx, kind: AssetKind, asset: str) -> bool:
    if kind == "app":
        return any(roles.administers_app(row["role"]) for row in await store.roles_of(ctx.db, asset))
    return any(roles.administers_page(row["tasks"].split(",")) for row in await store.people_of(ctx.db, asset))
