"""Any bytes get an answer that a client can read, and never a 5xx (I21)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polynym.core.db import connect
from tests.security import stage, traps
from tests.security.adversary import get, signed
from tests.security.conftest import Arena
from tests.security.fuzz import Fuzzer, Tally, multipart_type
from tests.security.raw import FORM, JSON, TOKEN, Raw, ask, fault, reading, send
from tests.security.stage import ADMIN_KEY, GAME, OWN_IDS, Stage, X

#: How many requests hypothesis makes up; raise it to look longer.
EXAMPLES = int(os.environ.get("POLYNYM_FUZZ_EXAMPLES", "200"))
#: How many the fuzzer does.
FUZZED = max(2_500, EXAMPLES)
ASID = OWN_IDS["john", GAME]


@pytest.fixture
async def made(arena: Arena) -> Stage:
    """A stage, on each engine in turn."""
    return await arena("late")


async def test_thousands_of_fuzzed_requests_are_all_answered(made: Stage) -> None:
    await fuzzed(made, (raw for raw in Fuzzer(99).requests() if not raw.path.startswith(b"/_polynym")), FUZZED)


async def test_a_fuzzed_control_plane_answers_in_json(made: Stage) -> None:
    await fuzzed(made, (raw for raw in Fuzzer(98).requests() if raw.path.startswith(b"/_polynym")), FUZZED // 5)


async def fuzzed(made: Stage, requests: Iterator[Raw], count: int) -> None:
    """Send so many of them; each is answered as it must be."""
    tally = Tally()
    for raw in islice(requests, count):
        await tally.try_out(made.world, raw)
    assert not tally.faults, tally.first
    assert sum(tally.statuses.values()) == count


async def test_the_control_plane_answers_in_json_whatever_the_path_and_query(made: Stage) -> None:
    key = ((b"authorization", f"Bearer {ADMIN_KEY}".encode()),)
    for raw in (
        Raw("GET", b"/_polynym/"), Raw("GET", b"/_polynym/%00"), Raw("HEAD", b"/_polynym/v1/env"),
        Raw("GET", b"/_polynym/v1/clock", b"\xff", key), Raw("GET", b"/_polynym/v1/clock", b"%ff", key),
        Raw("POST", b"/_polynym/%0av1/people", b"", key), Raw("PATCH", b"/_polynym/v1%0d/apps/game", b"", key),
        Raw("TRACE", b"/_polynym/v1/clock"),
    ):  # fmt: skip
        await send(made, raw)


@pytest.fixture
async def one(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Callable[[Raw], Any]]:
    """A world that stays the same for all of hypothesis's examples."""
    path = tmp_path / "world.db"
    shutil.copyfile(sqlite_template, path)
    stage_ = await stage.build(await connect(f"sqlite:///{path}"), tmp_path / "data")
    yield lambda raw: ask(stage_.world, raw)
    await stage_.world.close()


_credentials = st.sampled_from([urlencode(signed(token)).encode() + b"&" for token in stage.HELD] + [b""])
_names = st.sampled_from(
    [b"fields", b"ids", b"batch", b"limit", b"after", b"method", b"callback", b"app", b"user_ids", b"debug"]
)
_bytes = st.binary(max_size=60) | st.sampled_from(
    [text[:400].encode("utf-8", "replace") for text in traps.TEXTS.values()]
)
_pairs = st.lists(st.tuples(_names, _bytes).map(b"=".join) | _bytes, max_size=4).map(b"&".join)
_paths = st.sampled_from(
    [b"/", b"/me", b"/app", b"/" + ASID.encode(), f"/{ASID}/ids_for_apps".encode(), f"/{X}/owned_pages".encode(), b"/debug_token",
     b"/oauth/access_token", b"/pages_id_mapping", b"/v2.6/me", b"/picture"]
) | st.binary(max_size=30).map(lambda data: b"/" + data.replace(b"?", b""))  # fmt: skip
_types = st.sampled_from([FORM, JSON, multipart_type(), (b"content-type", b""), (b"x", b"y")])
_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and objects of these."""
    names = st.sampled_from(["batch", "fields", "ids", "method", "relative_url", "access_token", "a"])
    return inner | st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)


_bodies = (
    _pairs
    | _bytes
    | _nested(_nested(_nested(_leaves))).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "BREW"]), path=_paths,
    credentials=_credentials, query=_pairs, content_type=_types, body=_bodies, cut=st.integers(0, 100),
)  # fmt: skip
async def test_no_bytes_that_hypothesis_finds_get_an_answer_that_nobody_may_get(
    one: Callable[[Raw], Any], method: str, path: bytes, credentials: bytes, query: bytes, content_type: tuple[bytes, bytes],
    body: bytes, cut: int,
) -> None:  # fmt: skip
    raw = Raw(method, path, credentials + query, (content_type,), (body[:cut], body[cut:]))
    told = await one(raw)
    assert fault(raw, told) is None, told


def test_get_is_what_the_adversary_calls_a_signed_read() -> None:
    """The two spellings of a request agree."""
    assert reading("/me", "owner").query == urlencode(get("/me", TOKEN["owner"]).params).encode()
