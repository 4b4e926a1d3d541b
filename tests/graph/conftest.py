"""One toy world a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import polynym
from tests.graph.world import World, opened_world
from tests.support.asgi import Asgi


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Sixty books, no quotas."""
    async with opened_world() as made:
        yield made


@pytest.fixture
def client(world: World) -> Asgi:
    """Whoever calls."""
    return world.client


@pytest.fixture(scope="session")
def features() -> tuple[Path, ...]:
    """The core and the graph's own table."""
    package = Path(polynym.__file__).parent
    return (package / "core", package / "graph")
