"""What must agree with itself: fields with their parts, batch items with single calls, sources with each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.world import APP_TOKEN, FRENCH, PAGE_TOKEN, SCOPED, STRANGER, STRICT, USER, opened_world, proof_of
from tests.support.asgi import Reply

PERSON_FIELDS = (
    "id", "name", "email", "motto", "joined", "seen", "nickname", "card", "cards{id}", "favourite", "favourite{pages}",
    "books.limit(2)", "books.limit(2){title,pages}", "books.limit(1){chapters.limit(1)}", "shelves.kind(iron)", "ideas", "friends{name}",
    "books.limit(0).summary(true)", "notes", "feed.limit(1)", "nothing", "name{id}", "secrets", "likes", "books.limit(x)",
)  # fmt: skip
PATHS = (
    "me",
    "1001",
    "1",
    "5001",
    "me/books",
    "me/shelves",
    "me/friends",
    "1/chapters",
    "424242",
    "nobody",
    "me/nothing",
    "me/feed",
    "who/am_i",
    "v2.6/me",
    "v99.0/me",
    "echo",
    "me/likes",
    "1001/portrait",
    "app",
)
TOKENS = (USER, STRANGER, SCOPED, APP_TOKEN, PAGE_TOKEN, STRICT, FRENCH, "garbage", None)
#: Differ from call to call, or only where they stand.
VOLATILE = {
    "x-fb-request-id",
    "x-fb-trace-id",
    "x-fb-debug",
    "x-app-usage",
    "x-business-use-case-usage",
    "content-length",
}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all."""
    with asyncio.Runner() as made:
        yield made


def told(reply: Reply) -> tuple[int, Any, dict[str, str]]:
    """Status, JSON and headers without what is different every time."""
    return reply.status, without_trace(reply.json() if reply.body else None), {
        name.lower(): value for name, value in reply.headers if name.lower() not in VOLATILE
    }  # fmt: skip


def without_trace(value: Any) -> Any:
    if isinstance(value, dict) and "error" in value:
        return {"error": {name: each for name, each in value["error"].items() if name != "fbtrace_id"}}
    return value


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(PERSON_FIELDS),
        min_size=1,
        max_size=6,
        unique_by=lambda field: field.partition("{")[0].partition(".")[0],
    ),
    st.sampled_from((USER, SCOPED)),
)
def test_a_read_of_many_fields_is_the_union_of_reads_of_each(
    runner: asyncio.Runner, fields: list[str], token: str
) -> None:
    async def check() -> None:
        async with opened_world(5) as world:
            whole = await world.client.get("/me", access_token=token, fields=",".join(fields))
            parts = [await world.client.get("/me", access_token=token, fields=field) for field in fields]
            if any(part.status != 200 for part in parts):
                assert whole.status != 200
                assert without_trace(whole.json()) in [
                    without_trace(part.json()) for part in parts if part.status != 200
                ]
                return
            union: dict[str, Any] = {}
            for part in parts:
                union |= part.json()
            assert whole.json() == union

    runner.run(check())


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(PATHS), st.sampled_from(TOKENS), st.sampled_from(("", "id,name", "title", "nothing", "{")),
    st.sampled_from(("", "1", "x", "5000")), st.sampled_from(("", "fr_FR")), st.booleans(),
)  # fmt: skip
def test_an_item_of_a_batch_is_the_call_alone(
    runner: asyncio.Runner, path: str, token: str | None, fields: str, limit: str, locale: str, prove: bool
) -> None:
    query = {name: value for name, value in (("fields", fields), ("limit", limit), ("locale", locale)) if value}
    if token is not None:
        query["access_token"] = token
        if prove:
            query["appsecret_proof"] = proof_of(token)

    async def check() -> None:
        async with opened_world(5) as world:
            target = f"{path}?{urlencode(query)}"
            alone = told(await world.client.send("GET", f"/{target}"))
            batched = await world.client.post("/", batch=json.dumps([{"relative_url": target}]))
            slot = batched.json()[0]
            headers = [(header["name"], header["value"]) for header in slot["headers"]]
            as_reply = told(Reply(slot["code"], headers, (slot["body"] or "").encode()))
            if path == "who/am_i" and alone[0] == 200:
                # The one place that tells them apart on purpose.
                assert (alone[1].pop("in_batch"), as_reply[1].pop("in_batch")) == (False, True)
                alone[2].pop("etag"), as_reply[2].pop("etag")
            assert as_reply == alone
            assert 400 <= batched.status < 500 or batched.status == 200

    runner.run(check())


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(PATHS), st.sampled_from(TOKENS[:-2]),
    st.dictionaries(st.sampled_from(("fields", "limit", "pretty", "offset", "text", "number", "summary")), st.sampled_from(("1", "id", "", "x", "0", "a,b")), max_size=4),
)  # fmt: skip
def test_where_parameters_stand_makes_no_difference_to_the_answer(
    runner: asyncio.Runner, path: str, token: str, params: dict[str, str]
) -> None:
    async def check() -> None:
        async with opened_world(5) as world:
            given: dict[str, Any] = {"access_token": token, "method": "get"} | params
            answers = [
                told(await world.client.send("POST", f"/{path}?{urlencode(given)}")),
                told(await world.client.post(f"/{path}", **given)),
                told(await world.client.post_json(f"/{path}", given)),
                told(await world.client.get(f"/{path}", **given)),
            ]
            # Links repeat parameters in the order they came, which is the same everywhere here.
            assert answers[1:] == answers[:1] * 3

    runner.run(check())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(("1001", "1002", "1", "2", "5001", "ada")), min_size=1, max_size=6, unique=True),
    st.sampled_from(("", "id", "name", "title")),
)
def test_ids_is_a_map_of_single_reads(runner: asyncio.Runner, ids: list[str], fields: str) -> None:
    async def check() -> None:
        async with opened_world(5) as world:
            many = await world.client.get("/", access_token=USER, ids=",".join(ids), fields=fields)
            single = {each: await world.client.get(f"/{each}", access_token=USER, fields=fields) for each in ids}
            if all(reply.status == 200 for reply in single.values()):
                assert many.json() == {each: reply.json() for each, reply in single.items()}
            else:
                assert many.status != 200

    runner.run(check())
