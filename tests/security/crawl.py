"""Log output under scrutiny: a whole crawl, and a server whose database breaks, in a process with the product's own logging.

`python -m tests.security.crawl text|json` writes nothing but logs to stderr.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from polynym import app
from polynym.cli import logs
from polynym.core import config, migrate
from polynym.core.db import Db, Unavailable, connect
from tests.security import stage
from tests.security.adversary import Player, game_filters, game_nodes, get
from tests.security.canary import FIRST_PERSON, FIRST_SCOPE
from tests.security.stage import GAME, HELD, OWN_IDS


class Breaking:
    """A database that answers until `failure` is set, and then raises it together with what it was asked."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self.failure: type[Exception] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def all(self, sql: str, **params: Any) -> Any:
        """Like the other one, or broken."""
        self._fail()
        return await self._db.all(sql, **params)

    async def one(self, sql: str, **params: Any) -> Any:
        """Like the other one, or broken."""
        self._fail()
        return await self._db.one(sql, **params)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure("the database broke")


async def crawl(directory: Path) -> None:
    """Ask everything, then ask a server that breaks."""
    db = Breaking(await connect(f"sqlite:///{directory / 'polynym.db'}"))
    await migrate.upgrade(db, app.migration_folders())  # type: ignore[arg-type]
    made = await stage.build(
        db, directory / "data", first_person=FIRST_PERSON, first_scope=FIRST_SCOPE  # type: ignore[arg-type]
    )  # fmt: skip
    player = Player(made.world.registry, random.Random(1), game_nodes(), game_filters())
    for _ in range(400):
        player.heard(await player.query().ask(made.client))
    for failure in (Unavailable, RuntimeError):
        db.failure = failure
        for token in HELD:
            await get(f"/{OWN_IDS['john', GAME]}", token, fields="name,ids_for_apps").ask(made.client)
            if failure is Unavailable:
                await made.client.get("/_polynym/v1/env", headers={"authorization": f"Bearer {stage.ADMIN_KEY}"})
    db.failure = None
    await made.world.close()


def main() -> None:
    """Crawl with the log format that the command line names."""
    with tempfile.TemporaryDirectory() as directory:
        settings = {"data_dir": directory, "log_level": "debug", "log_format": sys.argv[1]}
        logs.set_up(config.load(settings, {}, Path(directory)))
        asyncio.run(crawl(Path(directory)))


if __name__ == "__main__":
    main()
