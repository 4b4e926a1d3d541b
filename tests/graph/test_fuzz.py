"""Nothing that anybody can send is a fault of the server (reliability B.5, B.6 37-40).

POLYNYM_FUZZ_EXAMPLES sets how many examples each of the five properties draws; the last test sends twenty times as many
mutations of good requests, so that 5,000 make more than 125,000 requests in all.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.graph.forms import BOUNDARY
from tests.graph.world import APP_TOKEN, PAGE_TOKEN, SCOPED, STRICT, USER, World, opened_world
from tests.support.asgi import Reply

EXAMPLES = int(os.environ.get("POLYNYM_FUZZ_EXAMPLES", "150"))
MUTATIONS = 20 * EXAMPLES
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


class Running(NamedTuple):
    """A world and the loop it lives in."""

    runner: asyncio.Runner
    world: World

    def send(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        return self.runner.run(self.world.client.send(method, target, body=body, headers=headers))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One world for all requests: what one of them breaks, the next ones notice."""
    with asyncio.Runner() as runner:
        opened = opened_world(10)
        world = runner.run(opened.__aenter__())
        yield Running(runner, world)
        runner.run(opened.__aexit__(None, None, None))


def check(reply: Reply) -> None:
    """Never a fault, always shaped, headers always whole."""
    assert reply.status < 500, reply.body
    if reply.status >= 400:
        error = reply.error
        assert isinstance(error["message"], str)
        assert error["type"]
        assert error["fbtrace_id"]
        assert reply.header("www-authenticate")
    for name, value in reply.headers:
        assert not set("\r\n\0") & set(name + value), (name, value)
    assert reply.header("facebook-api-version")


# ------------------------------------------------------------------------------------------------ strategies

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)
SAFE_TEXT = st.text(max_size=40)
TOKENS = st.sampled_from((USER, SCOPED, APP_TOKEN, PAGE_TOKEN, STRICT, "", "garbage"))
NAMES = st.sampled_from(
    (
        "id", "name", "email", "birthday", "motto", "joined", "seen", "nickname", "handle", "card", "cards", "favourite", "books", "shelves",
        "friends", "ideas", "pokes", "feed", "secrets", "notes", "portrait", "likes", "title", "pages", "chapters", "sequels", "number",
        "nothing", "",
    )
)  # fmt: skip
ARGUMENTS = st.sampled_from(
    ("limit(1)", "limit(100)", "limit(0)", "limit(-1)", "limit(x)", "offset(3)", "after(QVFI)", "before(x)", "summary(true)", "kind(iron)",
     "only([\"s1\"])", "only([)", "pages(2)", "as(id)", "as(x)", "fields(id)", "limit(9999999999999999999999)", "order(x)", "after()", "(")
)  # fmt: skip


def _fields(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    modifiers = st.lists(ARGUMENTS, max_size=3).map(lambda given: "".join(f".{each}" for each in given))
    nested = st.one_of(st.just(""), children.map(lambda inner: "{" + inner + "}"))
    return st.lists(st.builds(lambda *parts: "".join(parts), NAMES, modifiers, nested), min_size=1, max_size=5).map(
        ",".join
    )


FIELDS = st.recursive(st.just("id"), _fields, max_leaves=8)
BROKEN_FIELDS = st.one_of(
    FIELDS,
    st.tuples(FIELDS, st.integers(0, 40), ANY_TEXT).map(lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :]),
    st.text(alphabet='ab,.(){}[]" \\\u0663', max_size=40),
    ANY_TEXT,
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.integers(-(10**30), 10**30), st.floats(), ANY_TEXT,
        st.sampled_from((USER, "true", "1", "QVFI", "[", "{}", "1001", "me", "get", "POST", 10**400)),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
    max_leaves=10,
)  # fmt: skip
PARAMS = st.sampled_from(
    (
        "access_token", "fields", "limit", "after", "before", "offset", "summary", "method", "locale", "pretty", "debug", "callback",
        "metadata", "ids", "suppress_http_code", "date_format", "appsecret_proof", "appsecret_time", "include_headers", "kind", "only",
        "title", "pages", "cover", "text", "id", "number", "flag", "names", "days", "shape", "due", "file", "redirect", "batch", "fields[]",
        "ids[0]", "names[9999]", "", "a[b]", "format",
    )
)  # fmt: skip
PATHS = st.one_of(
    st.sampled_from(
        (
            "me", "1001", "1", "5001", "me/books", "me/shelves", "me/friends", "1/chapters", "1/sequels", "me/notes/archive", "ada", "app",
            "echo", "who/am_i", "only/page", "me/likes", "me/portrait", "plain", "duplicate", "under/review", "", "v2.6/me", "v99.0/me",
        )
    ),
    st.lists(st.one_of(SAFE_TEXT, st.sampled_from(("me", "1001", "v2.6", "books", "..", ".", "%2f", "9" * 30))), max_size=4).map("/".join),
)  # fmt: skip
METHODS = st.sampled_from(("GET", "POST", "DELETE", "PUT", "HEAD", "PATCH", "OPTIONS", "get"))
VALUES = st.one_of(
    ANY_TEXT, BROKEN_FIELDS, TOKENS,
    st.sampled_from(("1", "0", "true", "get", "post", "DELETE", "1001,1", "[]", "{}", '["\\ud800"]', "\x00", "9" * 5000, "--1", "a" * 3000)),
)  # fmt: skip


def encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


# ------------------------------------------------------------------------------------------------ properties


@FUZZ
@given(
    PATHS,
    TOKENS,
    BROKEN_FIELDS,
    st.sampled_from(("", "&pretty=1", "&limit=3", "&metadata=1", "&debug=all", "&date_format=U", "&limit=%ff")),
)
def test_fields_are_never_a_fault(running: Running, path: str, token: str, fields: str, more: str) -> None:
    check(running.send("GET", f"/{path.replace('?', '')}?access_token={encoded(token)}&fields={encoded(fields)}{more}"))


@FUZZ
@given(
    METHODS,
    PATHS,
    st.lists(st.tuples(PARAMS, VALUES), max_size=6),
    st.lists(st.tuples(PARAMS, VALUES), max_size=6),
    TOKENS,
)
def test_forms_and_paths_are_never_a_fault(
    running: Running, method: str, path: str, query: list[tuple[str, str]], form: list[tuple[str, str]], token: str
) -> None:
    pairs = ["&".join(f"{encoded(name)}={encoded(value)}" for name, value in given) for given in (query, form)]
    target = f"/{path.replace('?', '')}?{pairs[0]}&access_token={encoded(token)}"
    check_any(
        running.send(method, target, pairs[1].encode(), {"content-type": "application/x-www-form-urlencoded"}), method
    )


def check_any(reply: Reply, method: str) -> None:
    """HEAD and 304 have no body to look at."""
    if method == "HEAD":
        assert reply.status < 500
    else:
        check(reply)


@FUZZ
@given(
    METHODS, PATHS, st.one_of(st.dictionaries(PARAMS, JSON_VALUES, max_size=6), JSON_VALUES), TOKENS, st.booleans(),
    st.sampled_from(("application/json", "", "text/plain", "application/x+json; charset=x", "multipart/form-data; boundary=x")),
)  # fmt: skip
def test_json_bodies_are_never_a_fault(
    running: Running, method: str, path: str, value: Any, token: str, as_is: bool, content_type: str
) -> None:
    if isinstance(value, dict) and not as_is:
        value = {"access_token": token} | value
    body = json.dumps(value).encode()
    check_any(running.send(method, f"/{path.replace('?', '')}", body, {"content-type": content_type}), method)


ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "method": st.one_of(METHODS, st.sampled_from(("get", "", 7, None))),
        "relative_url": st.one_of(
            PATHS,
            st.builds(lambda path, fields: f"{path}?fields={fields}", PATHS, BROKEN_FIELDS),
            st.sampled_from(
                ("{result=a:$.id}", "?ids={result=a:$.data.*.id}", "%7Bresult%3Da%3A%24.data%7D", "echo?text={result=a:$}", "me?{result=b=>$[0]}",
                 "http://[", "me?access_token=PAGE", "me?batch=[]", "1?method=delete")
            ),
            ANY_TEXT, JSON_VALUES,
        ),
        "body": st.one_of(st.none(), VALUES, st.dictionaries(PARAMS, JSON_VALUES, max_size=4), st.just("text={result=a:$.id}"), JSON_VALUES),
        "headers": st.one_of(st.none(), st.just(["If-None-Match: *"]), st.just([{"name": "Authorization", "value": "Bearer PAGE"}]), JSON_VALUES),
        "name": st.sampled_from(("a", "b", "", None, 7)),
        "depends_on": st.one_of(st.sampled_from(("a", "b", "", None, ["a"])), JSON_VALUES),
        "omit_response_on_success": st.one_of(st.booleans(), JSON_VALUES),
        "attached_files": st.sampled_from(("file", "x,y", None, "")),
    },
)  # fmt: skip


@FUZZ
@given(
    st.lists(st.one_of(ITEMS, ITEMS, ITEMS, JSON_VALUES), max_size=5),
    TOKENS,
    st.sampled_from(("/", "/v2.6/", "/me")),
    st.booleans(),
    JSON_VALUES,
)
def test_batches_are_never_a_fault(
    running: Running, items: list[Any], token: str, path: str, as_form: bool, include: Any
) -> None:
    if as_form:
        form = urlencode({"access_token": token, "batch": json.dumps(items)}).encode()
        reply = running.send("POST", path, form, {"content-type": "application/x-www-form-urlencoded"})
    else:
        body = {"access_token": token, "batch": items, "include_headers": include}
        reply = running.send("POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
    check(reply)
    if reply.status == 200:
        slots = reply.json()
        assert len(slots) == len(items)
        assert all(slot is None or (slot["code"] < 500 and isinstance(slot["body"], str | None)) for slot in slots), (
            slots
        )


@FUZZ
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.tuples(PARAMS, st.binary(max_size=20), st.sampled_from((None, "a.png", 'a"b', "../x", ""))), max_size=4).map(
            lambda parts: b"".join(
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'.encode()
                + (b"" if filename is None else f'; filename="{filename}"'.encode()) + b"\r\n\r\n" + value + b"\r\n"
                for name, value, filename in parts
            ) + f"--{BOUNDARY}--\r\n".encode()
        ),
    ),
    st.integers(0, 60), st.binary(max_size=4),
    st.sampled_from(("echo", "me/books?access_token=USER", "", "me?access_token=USER&method=get")),
    st.sampled_from(("", f"multipart/form-data; boundary={BOUNDARY}", f"multipart/form-data; boundary={BOUNDARY}", "application/json", "x/y", "a;b=\xff")),
    st.sampled_from(("", "Bearer USER", "Basic x", "Basic \xff", "Basic YTpi", "OAuth \xff", "\xff")),
    st.sampled_from(("", "*", '"x"', "\xff")),
)  # fmt: skip
def test_bytes_and_headers_are_never_a_fault(
    running: Running,
    body: bytes,
    place: int,
    noise: bytes,
    target: str,
    content_type: str,
    authorization: str,
    tag: str,
) -> None:
    headers = {"content-type": content_type, "authorization": authorization, "if-none-match": tag}
    check_any(running.send("POST", f"/{target}", body[:place] + noise + body[place:], headers), "GET")
    raw = (body[:place] + noise).decode("latin-1").replace("?", "")
    check_any(running.send("GET", f"/{target.partition('?')[0]}?{raw}", headers=headers), "GET")


# ------------------------------------------------------------------------------------------------ mutations

FORM = "application/x-www-form-urlencoded"
_BATCH = json.dumps(
    [
        {"name": "a", "method": "POST", "relative_url": "me/books", "body": "title=x&pages=7"},
        {"relative_url": "?ids={result=a:$.id}&fields=title", "headers": [{"name": "If-None-Match", "value": "x"}]},
        {
            "method": "POST",
            "relative_url": "echo",
            "body": {"text": "{result=a:$.id}"},
            "depends_on": "a",
            "attached_files": "file",
        },
    ]
)
_MULTIPART = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="access_token"\r\n\r\n{USER}\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="batch"\r\n\r\n{_BATCH}\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nx\r\n'
    f"--{BOUNDARY}--\r\n"
)
#: Method, target, body, content type.
GOOD: tuple[tuple[str, str, bytes, str], ...] = (
    ("GET", f"/v26.0/me?access_token={USER}&fields=name,books.limit(2){{title,chapters.limit(1)}},cards{{id}}&pretty=1&metadata=1", b"", ""),
    ("GET", f"/me/books?access_token={USER}&limit=2&summary=true&fields=title,pages&after=QVFIx&offset=3", b"", ""),
    ("GET", f"/?ids=1001,1,ada&access_token={APP_TOKEN}&fields=id&date_format=U&debug=all&locale=fr_FR", b"", ""),
    ("GET", f"/me/shelves?access_token={SCOPED}&only[]=s1&only[1]=s2&kind=wood&callback=fn&suppress_http_code=1", b"", ""),
    ("GET", "/echo?text=%E2%82%AC&id=17&number=-5&flag=TRUE&names=[%22a%22]&days=mon,tue&shape=%7B%22a%22:1%7D&kind=a&due=2021-04-30", b"", ""),
    ("POST", "/me/books", f"access_token={USER}&title=A+b&pages=7&fields=title%2Cpages".encode(), FORM),
    ("POST", "/echo", b'{"text":"a\\u00e9","id":17,"number":7,"flag":true,"names":["a"],"shape":{"a":[1.5e3,null]},"due":1619746627}', "application/json"),
    ("POST", "/", urlencode({"access_token": USER, "batch": _BATCH, "include_headers": "false"}).encode(), FORM),
    ("POST", "/v2.6/", json.dumps({"access_token": USER, "batch": json.loads(_BATCH)}).encode(), "application/json"),
    ("POST", "/me", _MULTIPART.encode(), f"multipart/form-data; boundary={BOUNDARY}"),
    ("POST", f"/me?access_token={USER}&method=get", b"fields=id&ids=&limit=0", ""),
)  # fmt: skip
TRAPS = (
    b"\x00", b"%00", b"%ff", b"\xff", b"\xed\xa0\x80", b"%ED%A0%80", b"\\ud800", b"\\u0000", b"[" * 200, b"{" * 200, b"}" * 9, b"9" * 400, b"--1",
    b"1e400", b"NaN", b"null", b"-", b"&", b"=", b"?", b"#", b"/", b"%2F", b"..", b";", b"'", b'"', b"\\", b"\r\n", b"\n\nx:y", b"\xef\xbb\xbf",
    b"{result=a:$.id}", b"%7Bresult%3Da%3A%24%7D", b"{result=a:$.*.*.*}", b"QVFI" * 30, b"me", b"1001", b"v2.3", b"v99.0", b"get", b"batch", b"ids",
    b"fields", b".limit(", b")", b"access_token", "\u0663".encode(), "\u2028".encode(), "\U0001f600".encode(), b"true", b"[]", b"{}", b"[7]",
)  # fmt: skip


def mutated(chance: random.Random, raw: bytes) -> bytes:
    """The text with a few bytes changed, lost, doubled, or replaced by a trap."""
    text = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(text) + 1)
        what = chance.randrange(5)
        if what == 0 and place < len(text):
            text[place] ^= 1 << chance.randrange(8)
        elif what == 1:
            del text[place : place + chance.choice((1, 1, 2, 8, 40))]
        elif what == 2:
            text[place:place] = text[place : place + chance.choice((1, 4, 20, 200))]
        else:
            text[place : place + chance.choice((0, 0, 1, 6))] = chance.choice(TRAPS)
    return bytes(text)


def test_mutations_of_good_requests_are_never_a_fault(running: Running) -> None:
    chance = random.Random(os.environ.get("POLYNYM_FUZZ_SEED", "toy"))

    async def attack() -> None:
        for number in range(MUTATIONS):
            method, target, body, content_type = chance.choice(GOOD)
            if body and chance.random() < 0.7:
                body = mutated(chance, body)
            else:
                target = "/" + mutated(chance, target.encode()[1:]).decode("latin-1")
            if chance.random() < 0.05:
                method = chance.choice(("GET", "POST", "DELETE", "PUT"))
            headers = {"content-type": content_type} if content_type else {}
            reply = await running.world.client.send(method, target, body=body, headers=headers)
            try:
                if reply.status != 304 and b"fn(" not in reply.body[:20]:
                    check(reply)
                assert reply.status < 500
                if reply.body[:1] == b"[":
                    assert all(slot is None or slot["code"] < 500 for slot in reply.json())
            except AssertionError as error:
                raise AssertionError(f"request {number}: {method} {target!r} {body!r} {content_type}") from error

    running.runner.run(attack())
