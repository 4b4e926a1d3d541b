"""One sandbox a module and engine: clients only read, or clean up after themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.support.server import Sandbox, sandbox


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with the demo world, on each engine in turn."""
    data_dir: Path = tmp_path_factory.mktemp("sandbox")
    if request.param == "sqlite":
        with sandbox(data_dir) as started:
            yield started
        return
    server: str = request.getfixturevalue("postgresql_server")
    name = f"clients_{data_dir.parent.name}_{request.module.__name__.rpartition('.')[2]}".replace("-", "_").lower()
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    try:
        with sandbox(data_dir, urlunsplit(urlsplit(server)._replace(path=f"/{name}"))) as started:
            yield started
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()
