"""Due: moving the clock, and running on the way what falls due, in the order of time.

One source of due things so far: reviews of businesses. Expired tokens are listed for information; nobody runs them.
"""

from __future__ import annotations

from typing import Any, Final

from polynym.core.clock import LATEST_MS, SandboxClock
from polynym.core.ctx import Ctx
from polynym.core.db import Tx
from polynym.identity.store.businesses import close_review

#: No more than this is run, or listed, by one call.
FIRED_MAX: Final = 10_000
LISTED_MAX: Final = 1_000

_NEXT_REVIEW: Final = (
    "SELECT id, key, name, review_due_ms FROM business WHERE review_state = 'pending' AND review_due_ms <= :until"
    " ORDER BY review_due_ms, id LIMIT 1"
)
_EXPIRED: Final = (
    "SELECT t.kind, t.app, t.page, t.expires_ms, a.name FROM token t JOIN app a ON a.id = t.app"
    " WHERE t.expires_ms > :start AND t.expires_ms <= :until AND t.dead_ms IS NULL ORDER BY t.expires_ms, t.hash LIMIT :most"
)


async def advance(ctx: Ctx, clock: SandboxClock, ms: int) -> list[dict[str, Any]]:
    """Move the clock forward by `ms`, stopping at everything that falls due; what fired, in the order of time.

    Raises ValueError for a time that the clock does not reach.
    """
    start = clock.now_ms()
    until = start + ms
    if ms < 0 or until > LATEST_MS:
        raise ValueError("the clock only goes forward, and no further than 2100")
    fired: list[dict[str, Any]] = []
    while len(fired) < FIRED_MAX and (happened := await _next(ctx, clock, until)) is not None:
        fired.append(happened)
    await _move_to(ctx, clock, until)
    fired += await _expired_tokens(ctx, start, until)
    return sorted(fired, key=lambda event: int(event["at_ms"]))


async def _next(ctx: Ctx, clock: SandboxClock, until: int) -> dict[str, Any] | None:
    """Run the earliest thing that is due by `until`, at its time."""
    row = await ctx.db.one(_NEXT_REVIEW, until=until)
    if row is None:
        return None
    await _move_to(ctx, clock, row["review_due_ms"])
    state: Any = "rejected" if ctx.config.review == "reject" else "approved"

    async def decide(tx: Tx) -> None:
        await close_review(tx, row["id"], state, max(clock.now_ms(), row["review_due_ms"]))

    await ctx.db.transaction(decide)
    return {
        "kind": "review_decided",
        "at_ms": row["review_due_ms"],
        "business": row["id"],
        "name": row["name"],
        "state": state,
    }


async def _move_to(ctx: Ctx, clock: SandboxClock, moment_ms: int) -> None:
    missing = moment_ms - clock.now_ms()
    if missing > 0:
        await clock.advance(ctx.db, missing)


async def _expired_tokens(ctx: Ctx, start: int, until: int) -> list[dict[str, Any]]:
    rows = await ctx.db.all(_EXPIRED, start=start, until=until, most=LISTED_MAX)
    return [
        {
            "kind": "token_expired",
            "at_ms": row["expires_ms"],
            "type": row["kind"],
            "app": row["app"],
            "name": row["name"],
            "page": row["page"],
        }
        for row in rows
    ]
