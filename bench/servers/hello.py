"""The smallest ASGI application on polynym's own server: same uvicorn settings, same guard, same loop."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import uvloop

from polynym.app import World, build, serve
from polynym.core.config import load

BODY = b"Hello, world!"
HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(BODY)).encode())]


class Hello:
    """A world, empty and in memory, that says hello to everybody."""

    at_once = None

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    async def asgi(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Say hello."""
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


async def main(data_dir: str) -> None:
    """Serve until terminated."""
    world = await build(load({"data_dir": data_dir, "database": "sqlite://", "port": "auto"}, {}, Path.cwd()))
    hello = cast(World, Hello(world))
    try:
        await serve(hello, host="127.0.0.1", port=0, ready=lambda url: print(f"READY {url}/", flush=True))
    finally:
        await world.close()


with tempfile.TemporaryDirectory(prefix="polynym-bench-") as folder:
    uvloop.run(main(folder))
