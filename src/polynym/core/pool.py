"""Open PostgreSQL connections, who uses them and who waits for one.

asyncpg's own pool resets a connection with a statement on every release and starts a task on every acquire. The store
leaves no session state behind and its waits have one fixed bound, so it needs neither.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from asyncpg import Connection, InterfaceError, PostgresError

from polynym.core.db import Unavailable


class Pool:
    """At most `size` connections, opened when needed, the most recently used first.

    A permit is the right to one connection; whoever gives one back hands it to who has waited longest.
    """

    def __init__(self, open_one: Callable[[], Awaitable[Connection]], size: int, timeout_s: float) -> None:
        self._open_one = open_one
        self._size = self._permits = size
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []
        self._in_use: set[Connection] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def acquire(self) -> Connection:
        """An open connection. Raises Unavailable when none is free or can be opened within the timeout."""
        if self._closed:
            raise Unavailable("the store is closed")
        await self._permit()
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                self._in_use.add(connection)
                return connection
        return await self._open()

    def release(self, connection: Connection, *, broken: bool = False) -> None:
        """Give it back; `broken` when its last use was cut short, so that nobody reads somebody else's answer."""
        self._in_use.discard(connection)
        if broken:
            connection.terminate()
        elif not connection.is_closed():
            self._idle.append(connection)
        self._give_permit()

    async def close(self) -> None:
        """Wait, within the timeout, for those in use, then close all."""
        if self._closed:
            return
        self._closed = True
        try:
            for _ in range(self._size):
                await self._permit()
        except Unavailable:
            for connection in tuple(self._in_use):
                connection.terminate()
        while self._idle:
            await self._idle.pop().close(timeout=self._timeout_s)

    async def _open(self) -> Connection:
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._open_one()
        except (OSError, PostgresError, InterfaceError) as error:
            self._give_permit()
            raise Unavailable(f"cannot connect to PostgreSQL: {error or type(error).__name__}") from error
        except BaseException:
            self._give_permit()
            raise
        self._in_use.add(connection)
        return connection

    async def _permit(self) -> None:
        if self._permits:
            self._permits -= 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        deadline = loop.call_later(self._timeout_s, _refuse, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # Cancelled in the very moment the permit came.
                self._give_permit()
            raise
        finally:
            deadline.cancel()

    def _give_permit(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._permits += 1


def _refuse(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(Unavailable("every PostgreSQL connection of this process is in use"))
