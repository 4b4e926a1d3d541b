"""Worlds for the security tests, several in one test if need be."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from polynym.core.db import Db, connect
from tests.security.stage import Presence, Stage, build

#: Opens a world on a database of its own; on PostgreSQL the one before is gone by then.
Arena = Callable[..., Awaitable[Stage]]


@pytest.fixture
def sqlite_template(sqlite_templates: Any, features: tuple[Path, ...]) -> Path:
    """A migrated SQLite file to copy, made while no event loop runs."""
    template: Path = sqlite_templates(features)
    return template


@pytest.fixture
def postgresql_database(postgresql_databases: Any, features: tuple[Path, ...]) -> Any:
    """This worker's PostgreSQL database, migrated while no event loop runs."""
    return postgresql_databases(features)


@pytest.fixture(params=["sqlite_template", "postgresql_database"], ids=["sqlite", "postgresql"])
def blank(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Awaitable[str]]:
    """`await blank(n)`: the URL of the n-th fresh database, on each engine in turn."""
    source = request.getfixturevalue(request.param)

    async def sqlite(number: int) -> str:
        path = tmp_path / f"world{number}.db"
        shutil.copyfile(source, path)
        return f"sqlite:///{path}"

    async def postgresql(_number: int) -> str:
        await source.reset()
        return str(source.url)

    return sqlite if request.param == "sqlite_template" else postgresql


@pytest.fixture
async def arena(blank: Callable[[int], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Arena]:
    """`await arena("late")`: a stage on a fresh database, on each engine in turn."""
    opened: list[Db] = []
    numbers = count()

    async def open_stage(presence: Presence = "late", **options: int) -> Stage:
        for db in opened:
            await db.close()
        opened.clear()
        opened.append(await connect(await blank(next(numbers)), acquire_timeout_s=60.0, command_timeout_s=120.0))
        return await build(opened[0], tmp_path / "data", presence, **options)

    yield open_stage
    for db in opened:
        await db.close()
