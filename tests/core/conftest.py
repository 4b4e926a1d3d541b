"""The core's own tests need no feature's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

import polynym


@pytest.fixture(scope="session")
def features() -> tuple[Path, ...]:
    """Only the core."""
    return (Path(polynym.__file__).parent / "core",)
