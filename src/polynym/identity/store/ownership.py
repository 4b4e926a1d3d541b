"""Who owns what, and who asked for it: owned and client assets, claims. Ownership is read when it is asked for.

An asset has at most one owner. A client may use it; a client is never its owner, and id matching looks at owners only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from polynym.core.db import Db, Row, Tx, Value
from polynym.core.ids import Ids
from polynym.identity.store.rows import Access, AssetKind

_OWN: Final[dict[AssetKind, str]] = {
    "app": "UPDATE app SET business = :business, business_since_ms = :since WHERE id = :asset",
    "page": "UPDATE page SET business = :business, business_since_ms = :since WHERE id = :asset",
}
_USE: Final[dict[AssetKind, str]] = {
    "app": "INSERT INTO app_client (app, business, created_ms) VALUES (:asset, :business, :now) ON CONFLICT DO NOTHING",
    "page": (
        "INSERT INTO page_client (page, business, created_ms, tasks) VALUES (:asset, :business, :now, :tasks)"
        " ON CONFLICT (business, page) DO UPDATE SET tasks = excluded.tasks"
    ),
}
_STOP_USING: Final[dict[AssetKind, str]] = {
    "app": "DELETE FROM app_client WHERE business = :business AND app = :asset",
    "page": "DELETE FROM page_client WHERE business = :business AND page = :asset",
}
_CLIENTS: Final[dict[AssetKind, str]] = {
    "app": "SELECT business FROM app_client WHERE app = :asset ORDER BY business",
    "page": "SELECT business FROM page_client WHERE page = :asset ORDER BY business",
}


async def set_owner(tx: Tx, now_ms: int, kind: AssetKind, asset: str, business: str | None) -> None:
    """Make a business the owner of an app or page, or nobody (None). Every claim on it to own is settled by that.

    The new owner stops being its client. The caller bumps the epoch, and reopens the review where that applies:
    `identity.ownership.transfer` does both.
    """
    await tx.run(_OWN[kind], business=business, since=None if business is None else now_ms, asset=asset)
    if business is not None:
        await remove_client(tx, kind, asset, business)
        await tx.run(
            "DELETE FROM business_claim WHERE kind = :kind AND asset = :asset"
            " AND (access = 'owned' OR business = :business)",
            kind=kind,
            asset=asset,
            business=business,
        )


async def add_client(
    tx: Tx, now_ms: int, kind: AssetKind, asset: str, business: str, tasks: Sequence[str] = ()
) -> None:
    """Let a business use an asset it does not own; `tasks` limits what it may do on a page."""
    values: dict[str, Value] = {"business": business, "now": now_ms, "asset": asset}
    if kind == "page":
        values["tasks"] = ",".join(tasks) or None
    await tx.run(_USE[kind], **values)
    await tx.run(
        "DELETE FROM business_claim WHERE kind = :kind AND asset = :asset AND business = :business"
        " AND access = 'client'",
        kind=kind,
        asset=asset,
        business=business,
    )


async def remove_client(tx: Tx, kind: AssetKind, asset: str, business: str) -> bool:
    """End a business's use of an asset; False when there was none."""
    return await tx.run(_STOP_USING[kind], business=business, asset=asset) > 0


async def clients_of(db: Db, kind: AssetKind, asset: str) -> list[str]:
    """The businesses that may use an asset without owning it."""
    return [row["business"] for row in await db.all(_CLIENTS[kind], asset=asset)]


async def is_client(db: Db, kind: AssetKind, asset: str, business: str) -> bool:
    """Whether a business may use an asset without owning it."""
    return business in await clients_of(db, kind, asset)


async def businesses_served(db: Db, business: str) -> int:
    """How many other businesses own an asset that this one uses as a client."""
    row = await db.one(
        "SELECT COUNT(*) AS number FROM ("
        " SELECT p.business FROM page_client c JOIN page p ON p.id = c.page"
        "  WHERE c.business = :business AND p.business IS NOT NULL AND p.business <> :business"
        " UNION SELECT a.business FROM app_client c JOIN app a ON a.id = c.app"
        "  WHERE c.business = :business AND a.business IS NOT NULL AND a.business <> :business) AS served",
        business=business,
    )
    return 0 if row is None else int(row["number"])


async def add_claim(
    tx: Tx, ids: Ids, now_ms: int, kind: AssetKind, asset: str, business: str, access: Access, tasks: Sequence[str] = ()
) -> None:
    """Note that a business asks for an asset, until its owner agrees. Asking twice changes nothing."""
    await tx.run(
        "INSERT INTO business_claim (id, business, kind, asset, access, tasks, created_ms)"
        " VALUES (:id, :business, :kind, :asset, :access, :tasks, :now) ON CONFLICT DO NOTHING",
        id=ids.object_id(),
        business=business,
        kind=kind,
        asset=asset,
        access=access,
        tasks=",".join(tasks) or None,
        now=now_ms,
    )


async def withdraw_claims(tx: Tx, kind: AssetKind, asset: str, business: str) -> bool:
    """Take back what a business asked for; False when it asked for nothing."""
    return (
        await tx.run(
            "DELETE FROM business_claim WHERE kind = :kind AND asset = :asset AND business = :business",
            kind=kind,
            asset=asset,
            business=business,
        )
        > 0
    )


async def claim(db: Db, claim_id: str) -> Row | None:
    """A waiting claim by id: business, kind, asset, access, tasks."""
    return await db.one("SELECT * FROM business_claim WHERE id = :id", id=claim_id)


async def claims_on(db: Db, kind: AssetKind, asset: str) -> Sequence[Row]:
    """Everybody who asked for an asset: id, business, access, tasks."""
    return await db.all(
        "SELECT id, business, access, tasks FROM business_claim WHERE kind = :kind AND asset = :asset ORDER BY id",
        kind=kind,
        asset=asset,
    )


async def approve_claim(tx: Tx, now_ms: int, claim_id: str) -> bool:
    """The owner agrees: the claim takes effect; False when it is not waiting any more. The caller bumps the epoch."""
    row = await claim(tx, claim_id)
    if row is None:
        return False
    if row["access"] == "owned":
        await set_owner(tx, now_ms, row["kind"], row["asset"], row["business"])
    else:
        tasks = row["tasks"].split(",") if row["tasks"] else ()
        await add_client(tx, now_ms, row["kind"], row["asset"], row["business"], tasks)
    return True


async def decline_claim(tx: Tx, claim_id: str) -> bool:
    """The owner refuses: the claim is gone; False when it was not waiting."""
    return await tx.run("DELETE FROM business_claim WHERE id = :id", id=claim_id) > 0
