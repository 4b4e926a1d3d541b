"""Rate limits and the usage headers (contract graph 3).

Calls are counted per app in a rolling hour and per page in a rolling day, on the world's clock. In `observe` mode the
headers tell the truth and nobody is refused; in `enforce` mode a caller at 100 percent gets the platform's throttle error.
Several processes share their counts through `exchange`, which the server's poller calls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from polynym.core.ctx import Caller
from polynym.core.db import Db, Tx, Unavailable
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

Mode = Literal["observe", "enforce"]
#: How many users an app (`"app"`, id) or engaged users a page (`"page"`, id) has; counted up to a bound.
Users = Callable[[Db, str, str], Awaitable[int]]

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
#: Counters kept in memory; the one unused for longest goes first.
COUNTERS_MAX: Final = 10_000
#: A new app must be usable before anybody logged in: quotas are never computed for fewer users than this.
USERS_MIN: Final = 1


@dataclass(slots=True)
class _Counter:
    """Calls of one app or page: `own` by bucket number in this process, `others` as last read from the database."""

    bucket_ms: int
    window_ms: int
    quota: int
    own: dict[int, int] = field(default_factory=dict)
    unsent: dict[int, int] = field(default_factory=dict)
    others: int = 0
    total: int = 0
    bucket: int = -1
    #: When the users behind the quota were last counted; that costs too much for every exchange.
    counted_ms: int | None = None
    #: The header for a percentage, which seldom changes from one call to the next.
    shown: tuple[int, list[tuple[bytes, bytes]]] | None = None

    def add(self, now_ms: int) -> int:
        bucket = now_ms // self.bucket_ms
        if bucket != self.bucket:
            self._roll(bucket)
        self.own[bucket] = self.own.get(bucket, 0) + 1
        self.unsent[bucket] = self.unsent.get(bucket, 0) + 1
        self.total += 1
        return self.total + self.others

    def _roll(self, bucket: int) -> None:
        self.bucket = bucket
        oldest = bucket - self.window_ms // self.bucket_ms
        self.own = {number: calls for number, calls in self.own.items() if oldest < number <= bucket}
        self.total = sum(self.own.values())

    @property
    def percent(self) -> int:
        percent = (self.total + self.others) * 100 // self.quota
        return percent if percent < limits.RATE_USAGE_FULL else limits.RATE_USAGE_FULL


_Counters = dict[tuple[str, str], _Counter]
_Taken = dict[tuple[str, str], dict[int, int]]


class Usage:
    """Counts calls of one world and refuses those beyond the quota."""

    def __init__(self, mode: Mode, users: Users) -> None:
        self.mode = mode
        self._users = users
        self._counters: OrderedDict[tuple[str, str], _Counter] = OrderedDict()

    def charge(self, caller: Caller, now_ms: int) -> None:
        """Count one call; in enforce mode raises APP_THROTTLED or PAGE_THROTTLED beyond the quota."""
        counter = self._of(caller)
        if counter.add(now_ms) > counter.quota and self.mode == "enforce":
            entry = errors.PAGE_THROTTLED if caller.kind == "page" else errors.APP_THROTTLED
            raise GraphError(entry)

    def headers(self, caller: Caller) -> list[tuple[bytes, bytes]]:
        """`x-app-usage`, or for page tokens `x-business-use-case-usage`; integers are percent of the quota."""
        counter = self._of(caller)
        percent = counter.percent
        # At the full quota a page is also told how long it lasts, which changes by itself.
        lasting = caller.kind != "page" or percent < limits.RATE_USAGE_FULL
        if lasting and counter.shown is not None and counter.shown[0] == percent:
            return counter.shown[1]
        made = self._made(caller, counter, percent)
        counter.shown = percent, made
        return made

    def _made(self, caller: Caller, counter: _Counter, percent: int) -> list[tuple[bytes, bytes]]:
        if caller.kind == "page":
            wait = self._wait_minutes(counter) if percent >= limits.RATE_USAGE_FULL else 0
            text = (
                f'{{"{caller.page}":[{{"type":"pages","call_count":{percent},"total_cputime":{percent},'
                f'"total_time":{percent},"estimated_time_to_regain_access":{wait}}}]}}'
            )
            return [(b"x-business-use-case-usage", text.encode())]
        text = f'{{"call_count":{percent},"total_time":{percent},"total_cputime":{percent}}}'
        return [(b"x-app-usage", text.encode())]

    def _of(self, caller: Caller) -> _Counter:
        key = ("page", caller.page or "") if caller.kind == "page" else ("app", caller.app.id)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = _new_counter(key[0], USERS_MIN)
            if len(self._counters) > COUNTERS_MAX:
                self._counters.popitem(last=False)
        else:
            self._counters.move_to_end(key)
        return counter

    @staticmethod
    def _wait_minutes(counter: _Counter) -> int:
        oldest = min(counter.own, default=counter.bucket)
        until = (oldest + 1) * counter.bucket_ms + counter.window_ms - counter.bucket * counter.bucket_ms
        return max(1, until // _MINUTE_MS)

    async def exchange(self, db: Db, process: str, now_ms: int) -> None:
        """Add this process's new counts to the shared table and read what all others counted in the window.

        A database that only this process uses needs no table: then only the quotas follow the number of users.
        """
        busy = {key: counter for key, counter in self._counters.items() if counter.unsent}
        taken = {key: counter.unsent for key, counter in busy.items()}
        for counter in busy.values():
            counter.unsent = {}
        if db.engine == "postgresql" and taken:
            try:
                await self._share(db, process, now_ms, busy, taken)
            except Unavailable:
                _put_back(busy, taken)
                raise
        for (kind, asset), counter in busy.items():
            if counter.counted_ms is None or abs(now_ms - counter.counted_ms) >= _MINUTE_MS:
                counter.counted_ms = now_ms
                counter.quota = _quota(kind, await self._users(db, kind, asset))

    @staticmethod
    async def _share(db: Db, process: str, now_ms: int, busy: _Counters, taken: _Taken) -> None:
        rows: list[dict[str, str | int]] = [
            {"kind": kind, "asset": asset, "bucket": bucket, "process": process, "calls": calls}
            for (kind, asset), buckets in taken.items()
            for bucket, calls in buckets.items()
        ]

        async def send(tx: Tx) -> None:
            await tx.many(_ADD, rows)
            await tx.run(_FORGET, before_minute=now_ms // _MINUTE_MS - 60, before_hour=now_ms // _HOUR_MS - 24)

        await db.transaction(send)
        # From here on the counts are shared: a failure below must not send them again.
        for buckets in taken.values():
            buckets.clear()
        for (kind, asset), counter in busy.items():
            row = await db.one(_OTHERS, kind=kind, asset=asset, process=process)
            counter.others = row["calls"] if row else 0


def _put_back(busy: _Counters, taken: _Taken) -> None:
    """Counts that could not be shared are shared next time."""
    for key, counter in busy.items():
        for bucket, calls in taken[key].items():
            counter.unsent[bucket] = counter.unsent.get(bucket, 0) + calls


def _new_counter(kind: str, users: int) -> _Counter:
    if kind == "page":
        return _Counter(_HOUR_MS, limits.RATE_WINDOW_PAGE_MS, _quota(kind, users))
    return _Counter(_MINUTE_MS, limits.RATE_WINDOW_APP_MS, _quota(kind, users))


def _quota(kind: str, users: int) -> int:
    each = limits.RATE_PAGE_CALLS_PER_USER if kind == "page" else limits.RATE_APP_CALLS_PER_USER
    return each * max(USERS_MIN, users)


_ADD: Final = """
    INSERT INTO usage_bucket (kind, asset, bucket, process, calls) VALUES (:kind, :asset, :bucket, :process, :calls)
    ON CONFLICT (kind, asset, bucket, process) DO UPDATE SET calls = usage_bucket.calls + excluded.calls"""
_FORGET: Final = """
    DELETE FROM usage_bucket
    WHERE (kind = 'app' AND bucket <= :before_minute) OR (kind = 'page' AND bucket <= :before_hour)"""
_OTHERS: Final = """
    SELECT CAST(coalesce(sum(calls), 0) AS BIGINT) AS calls FROM usage_bucket
    WHERE kind = :kind AND asset = :asset AND process <> :process"""
