"""Epoch: tells every process that something cached about apps, tokens or roles has changed.

Whoever changes such a fact calls `bump` inside the same transaction. In this process the listeners run right after the
commit; other processes learn it by `poll`, which the server calls at least twice a second. When polling fails for more than
`STALE_AFTER_MS`, `fresh` is False and nobody may trust a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from polynym.core.clock import Clock
from polynym.core.db import Db, Tx

STALE_AFTER_MS: Final = 1_000

_BUMP = "UPDATE counter SET next = next + 1 WHERE name = 'cache_epoch'"
_READ = "SELECT next FROM counter WHERE name = 'cache_epoch'"


class Epoch:
    """The generation of everything cached. `generation` also guards fills: remember it before reading, compare before
    storing."""

    def __init__(self, clock: Clock, *, shared: bool) -> None:
        self.generation = 0
        self._clock = clock
        self._shared = shared
        self._seen: int | None = None
        self._polled_s = clock.monotonic()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, here or in another process."""
        self._listeners.append(listener)

    async def bump(self, tx: Tx) -> None:
        """Announce a change that `tx` makes; takes effect with its commit."""
        await tx.run(_BUMP)
        tx.after_commit(self._changed)

    async def poll(self, db: Db) -> None:
        """Notice changes made by other processes."""
        row = await db.one(_READ)
        seen = row["next"] if row else 0
        if seen != self._seen:
            self._seen = seen
            self._changed()
        self._polled_s = self._clock.monotonic()

    @property
    def fresh(self) -> bool:
        """Whether caches may be trusted: a database used by one process only, or polled within the last second."""
        return not self._shared or (self._clock.monotonic() - self._polled_s) * 1000 <= STALE_AFTER_MS

    def _changed(self) -> None:
        self.generation += 1
        for listener in self._listeners:
            listener()
