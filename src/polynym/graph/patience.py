"""Clients that do not send, do not read or do not ask: how long they are waited for."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Protocol

from polynym.graph.bounds import GuardLimits


class Reading(Protocol):
    """The connection whose client is waited for."""

    def body_bytes(self) -> int | None:
        """How much of the body came; None while it is we who do not read."""

    def head_too_slow(self) -> None:
        """Called when the head did not come within `head_timeout_s`."""

    def body_too_slow(self) -> None:
        """Called when the body came slower than `rate_min` after `body_grace_s`."""

    def is_idle(self) -> bool:
        """Whether nothing is being read, worked on or queued."""

    def idle_too_long(self) -> None:
        """Called when nothing was asked for `keep_alive_s`."""


class IdleWatch:
    """One timer for the whole connection that looks at the time, instead of one made and cancelled per request."""

    def __init__(self, loop: AbstractEventLoop, bounds: GuardLimits, reading: Reading) -> None:
        self._loop = loop
        self._bounds = bounds
        self._reading = reading
        self._since = 0.0
        self._timer: TimerHandle | None = None

    def begin(self) -> None:
        """The last answer was given now."""
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._bounds.keep_alive_s, self._check)

    def forget(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        """End an idle connection; a busy one gets its timer back with its next answer."""
        self._timer = None
        if not self._reading.is_idle():
            return
        left = self._since + self._bounds.keep_alive_s - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self._reading.idle_too_long()


class SlowWatch:
    """One timer for what a client has begun to send and not finished."""

    def __init__(self, loop: AbstractEventLoop, bounds: GuardLimits, reading: Reading) -> None:
        self.timer: TimerHandle | None = None
        self._loop = loop
        self._bounds = bounds
        self._reading = reading
        self._watched: tuple[int, bool] | None = None

    def watch(self, message: int, *, body: bool) -> None:
        """Wait for the head or the body of that message; more bytes of the same do not extend the time."""
        if self._watched == (message, body):
            return
        self.forget()
        self._watched = (message, body)
        if body:
            self.timer = self._loop.call_later(self._bounds.body_grace_s, self._check_body, None)
        else:
            self.timer = self._loop.call_later(self._bounds.head_timeout_s, self._check_head)

    def forget(self) -> None:
        """Stop waiting."""
        self._watched = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _check_head(self) -> None:
        self.timer = None
        if self._reading.body_bytes() is None:
            self.timer = self._loop.call_later(self._bounds.head_timeout_s, self._check_head)
        else:
            self._reading.head_too_slow()

    def _check_body(self, before: int | None) -> None:
        """Every grace time after the first one must bring its share."""
        self.timer = None
        now = self._reading.body_bytes()
        share = self._bounds.rate_min * self._bounds.body_grace_s
        if before is not None and now is not None and now - before < share:
            self._reading.body_too_slow()
        else:
            self.timer = self._loop.call_later(self._bounds.body_grace_s, self._check_body, now)


class StallWatch:
    """Aborts a transport that drains slower than `rate_min` over `write_stall_s`, also while it is closing.

    A closing transport would otherwise wait for its buffer as long as the client likes.
    """

    def __init__(self, loop: AbstractEventLoop, transport: Transport, bounds: GuardLimits) -> None:
        self._loop = loop
        self._transport = transport
        self._bounds = bounds
        self._timer: TimerHandle | None = None

    def watch(self) -> None:
        """Begin to watch, unless nothing waits to be written."""
        left = self._transport.get_write_buffer_size()
        if self._timer is None and left:
            self._timer = self._loop.call_later(self._bounds.write_stall_s, self._check, left)

    def forget(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, before: int) -> None:
        self._timer = None
        drained = before - self._transport.get_write_buffer_size()
        if drained < min(before, self._bounds.rate_min * self._bounds.write_stall_s):
            self._transport.abort()
        else:
            self.watch()
