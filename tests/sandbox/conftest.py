"""A context on a fresh database, as the control plane hands it to what is tested here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polynym.app import World, build
from polynym.core import config
from polynym.core.clock import SandboxClock
from polynym.core.ctx import Ctx
from polynym.core.db import Db
from polynym.core.egress import EgressError, FakeEgress, OutRequest, OutResponse
from polynym.core.epoch import Epoch
from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from tests.support.asgi import Asgi, Reply


@pytest.fixture
async def ctx(db: Db, tmp_path: Path) -> Ctx:
    """A context without a caller, on each engine in turn."""
    clock = SandboxClock()
    await clock.load(db)
    await clock.freeze(db)
    ids = Ids()
    epoch = Epoch(clock, shared=False)
    settings = config.load({"data_dir": str(tmp_path)}, {}, tmp_path)
    return Ctx(db, clock, ids, FakeEgress(_nobody_answers), settings, epoch, Keyring("a key for tests only", ids))


def _nobody_answers(request: OutRequest) -> OutResponse:
    raise EgressError("connect", f"nothing is called here, but {request.url} was")


KEY = "the-key-of-this-test"


class Plane:
    """A client of the control plane of one server, with the key."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.http = Asgi(world.asgi)

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Any call; `body` is bytes or becomes JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {KEY}"} | headers
        return await self.http.send(method, f"/_polynym/v1/{path}", body=data, headers=sent)

    async def ok(self, method: str, path: str, body: object = None) -> Any:
        """A call that must succeed; its answer."""
        reply = await self.call(method, path, body)
        assert reply.status in (200, 201), reply.body
        return reply.json()


@pytest.fixture
async def plane(db: Db, tmp_path: Path) -> Plane:
    """A sandbox with the demo world and a clock that stands still, on each engine in turn."""
    settings = config.load({"data_dir": str(tmp_path), "admin_token": KEY}, {}, tmp_path)
    world = await build(settings, db=db)
    made = Plane(world)
    await made.ok("POST", "clock", {"freeze": True})
    await made.ok("DELETE", "world?demo=1")
    return made
