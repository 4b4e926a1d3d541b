"""The demo world in this process, with the keys and tokens a developer would have."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from polynym import app
from polynym.core import config
from polynym.core.db import Db
from polynym.identity.store import secret_context
from polynym.sandbox.env import environment
from polynym.sandbox.load import load_document
from polynym.wire.signatures import appsecret_proof
from tests.support.asgi import Asgi

GAME, MOVIE, RIVAL_APP = "1419232575008550", "259773517400382", "735519182640027"
THING, COFFEE, RIVAL_PAGE = "380374449010653", "517220948113306", "664810290375528"
JOHNS, RIVAL = "102030405060708", "208172634455661"
GAME_ASID, MOVIE_ASID, PSID = "10152368852405295", "645195294", "12345123"


@dataclass
class Demo:
    """A world with the demo loaded, and a client that calls it."""

    world: app.World
    client: Asgi

    async def env(self, **chosen: str) -> dict[str, str]:
        """What `polynym env` prints."""
        return await environment(self.world, "http://127.0.0.1:8484", **chosen)

    async def secret(self, app_id: str) -> str:
        """An app's secret."""
        row = await self.world.db.one("SELECT secret_sealed FROM app WHERE id = :id", id=app_id)
        assert row is not None
        return self.world.keyring.open(row["secret_sealed"], secret_context(app_id))

    async def app_token(self, app_id: str) -> str:
        """The app's token as its id and secret."""
        return f"{app_id}|{await self.secret(app_id)}"

    async def proof(self, app_id: str, token: str) -> str:
        """The appsecret_proof of a token under an app's secret."""
        return appsecret_proof(token, await self.secret(app_id))

    async def signed(self, app_id: str, token: str) -> dict[str, str]:
        """Token and proof, as parameters of a call."""
        return {"access_token": token, "appsecret_proof": await self.proof(app_id, token)}


async def build_demo(db: Db, data_dir: Path, *, load: bool = True, **settings: object) -> Demo:
    """A sandbox world on `db`; settings are those of the command line."""
    flags = {"data_dir": str(data_dir)} | settings
    world = await app.build(config.load(flags, {}, data_dir), db=db)
    if load:
        demo = files("polynym.sandbox").joinpath("demo.yaml").read_bytes()
        await load_document(world.ctx(), demo, "demo.yaml")
    return Demo(world, Asgi(world.asgi))
