"""The HTTP server in front of a world: uvicorn with our guard, told when it answers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from polynym.graph.bounds import GuardLimits
from polynym.graph.guard import guarded_protocol

#: How long a stopping server waits for requests in progress.
DRAIN_S: Final = 20
BACKLOG: Final = 2048


class Server(uvicorn.Server):
    """A uvicorn server that calls `ready` as soon as it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then tell."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


async def answer_on(bound: socket.socket, app: Any, limits: GuardLimits, *, ready: Callable[[], None]) -> None:
    """Answer HTTP on a bound socket until SIGINT or SIGTERM; requests in progress are finished before it returns."""
    config = uvicorn.Config(
        app, http=guarded_protocol(limits), interface="asgi3", loop="none", lifespan="off",
        access_log=False, log_config=None, server_header=False, proxy_headers=False, ws="none", backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
    )  # fmt: skip
    await Server(config, ready).serve(sockets=[bound])
