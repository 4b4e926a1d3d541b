"""The statements behind requests: recorded from the server itself, so that the bare loop runs exactly the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.world import Place
from polynym.app import build
from polynym.core.config import load
from polynym.core.db import Db, Row, Value, connect

USE_CASES = 4
Statement = tuple[str, dict[str, Value]]


class RecordingDb:
    """A store that remembers what it was asked to read."""

    def __init__(self, db: Db) -> None:
        self.store = db
        self.read: list[Statement] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def all(self, sql: str, **params: Value) -> Sequence[Row]:
        """As the store itself."""
        self.read.append((sql, params))
        return await self.store.all(sql, **params)

    async def one(self, sql: str, **params: Value) -> Row | None:
        """As the store itself."""
        self.read.append((sql, params))
        return await self.store.one(sql, **params)


async def record(place: Place, requests: Sequence[bytes]) -> list[Statement]:
    """The one statement of each request. RuntimeError when a request fails or takes more than one."""
    db = RecordingDb(await connect(place.database))
    world = await build(load({"data_dir": place.data_dir, "database": place.database}, {}, Path.cwd()), db=db)
    statements: list[Statement] = []
    try:
        # The first of each use case look their tokens up.
        await world.epoch.poll(db.store)
        for request in requests[:USE_CASES]:
            await _answer(world.asgi, request)
        for request in requests:
            # Several processes may share a PostgreSQL: there, what is cached counts only while it is polled.
            await world.epoch.poll(db.store)
            db.read.clear()
            if (status := await _answer(world.asgi, request)) != 200:
                raise RuntimeError(f"a request was answered with {status}")
            if len(db.read) != 1:
                raise RuntimeError(f"a request takes {len(db.read)} statements, not 1")
            statements += db.read
    finally:
        await world.close()
    return statements


async def _answer(app: Any, request: bytes) -> int:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    method, target, _ = line.decode().split(" ")
    path, _, query = target.partition("?")
    pairs = [(name.lower(), value) for name, value in (header.split(b": ", 1) for header in headers)]
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": pairs, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8484),
        "root_path": "",
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    status: int = sent[0]["status"]
    return status
