"""Every number is in the table under its own name, with unit and source."""

from __future__ import annotations

import re

import pytest

from polynym.wire import limits
from polynym.wire.limits import LIMITS, Limit


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS.keys())
def test_every_limit_is_a_constant_with_unit_source_and_text(limit: Limit) -> None:
    assert getattr(limits, limit.name) == limit.value
    assert limit.unit
    assert re.match(r"[DSPCKI]( |:|$)", limit.source)
    assert limit.text.endswith(".")


def test_no_number_is_missing_from_the_table() -> None:
    public = {name for name, value in vars(limits).items() if name.isupper() and isinstance(value, int)}
    assert {name for name in public if not name.startswith("_")} == set(LIMITS)


@pytest.mark.parametrize("name", [name for name in LIMITS if name.endswith("_MS")])
def test_times_that_end_in_ms_are_milliseconds(name: str) -> None:
    assert LIMITS[name].unit == "ms"


def test_the_numbers_that_the_graph_is_built_on() -> None:
    assert (limits.FIELDS_DEPTH_MAX, limits.FIELDS_NAMES_MAX, limits.EXPANSION_NODES_MAX) == (8, 500, 10_000)
    assert (limits.BATCH_MAX, limits.IDS_MAX, limits.JSON_DEPTH_MAX) == (50, 50, 64)
    assert limits.USER_TOKEN_LONG_MS == 5_184_000_000
    assert limits.REVIEW_MS == 172_800_000
