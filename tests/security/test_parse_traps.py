"""Whatever is sent is answered as the Graph answers: reliability B.5 and B.6, cases 33 to 41, I21, on every root and edge."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from polynym.wire import limits
from tests.security import stage, traps
from tests.security.adversary import edges, signed
from tests.security.conftest import Arena
from tests.security.fuzz import multipart, multipart_type
from tests.security.raw import FORM, JSON, TOKEN, Raw, Told, message, reading, send
from tests.security.stage import ADMIN_KEY, GAME, OWN_IDS, THING, Stage, X

ASID, PSID = OWN_IDS["john", GAME], OWN_IDS["john", THING]
#: A reader for each sort of node.
PLACES = {
    "User": (ASID, "literal game"), "Application": (GAME, "literal game"), "Page": (THING, "thing"), "Business": (X, "owner"),
    "BusinessUser": (stage.OWNER_MEMBER, "owner"),
}  # fmt: skip
#: Parameters of every call, besides those that a root or edge declares.
COMMON = (
    "fields",
    "limit",
    "after",
    "offset",
    "ids",
    "locale",
    "access_token",
    "appsecret_proof",
    "appsecret_time",
    "method",
)


@pytest.fixture
async def made(arena: Arena) -> Stage:
    """A stage, on each engine in turn."""
    return await arena("late")


# ------------------------------------------------------------------------------------------ every trap, everywhere


def targets(made: Stage) -> Iterator[tuple[str, str, str, list[str]]]:
    """(method, path, token, parameters) of every root and of every edge that is built."""
    registry = made.world.registry
    for root in registry.roots.values():
        token = "thing" if root.path == "pages_id_mapping" else "literal game"
        for method in root.methods:
            yield method, f"/{root.path}", token, [param.name for param in root.params]
    for node, edge in edges(registry):
        if edge.built and node.name in PLACES and (edge.name, edge.method) != ("permissions", "DELETE"):
            id_, token = PLACES[node.name]
            path = f"/{id_}/{edge.name}".removesuffix("/")
            yield edge.method, path, token, [param.name for param in edge.params]
    yield from (("GET", f"/{id_}", token, []) for id_, token in PLACES.values())


def carried(method: str, path: str, values: dict[str, str], turn: int) -> Raw:
    """The values in the query, or by turns in a form, in JSON, in JSON as what they are, in parts, or in a batch."""
    query = urlencode(values, errors="replace").encode()
    place = path.encode()
    if turn % 6 == 5:
        item = {"method": method, "relative_url": f"{path[1:]}?{query.decode()}"}
        return Raw("POST", b"/", b"", (FORM,), (urlencode({"batch": json.dumps([item])}).encode(),))
    if method != "POST" or turn % 6 == 0:
        return Raw(method, place, query)
    if turn % 6 == 1:
        return Raw(method, place, b"", (FORM,), (query,))
    if turn % 6 == 2:
        return Raw(method, place, b"", (multipart_type(),), (multipart(values, with_file=True),))
    if turn % 6 == 3:
        return Raw(method, place, b"", (JSON,), (json.dumps(values).encode(),))
    body = ",".join(f"{json.dumps(name)}:{value or 'null'}" for name, value in values.items())
    return Raw(method, place, b"", (JSON,), (f"{{{body}}}".encode("utf-8", "surrogatepass"),))


async def test_every_trap_in_every_parameter_of_every_root_and_edge_gets_an_answer(made: Stage) -> None:
    short = {name: text for name, text in traps.TEXTS.items() if len(text) < 2_000}
    turn = 0
    for method, path, token, names in targets(made):
        for name in (*names, *COMMON[turn % 3 :: 3]):
            for trap in list(short.values())[turn % 2 :: 2]:
                values = signed(TOKEN[token]) | {name: trap}
                turn += 1
                await send(made, carried(method, path, values, turn))
    assert turn > 2_500


async def test_a_long_trap_in_every_kind_of_parameter_gets_an_answer(made: Stage) -> None:
    for text in (text for text in traps.TEXTS.values() if len(text) >= 2_000):
        for turn, name in enumerate((*COMMON, "app", "user_ids", "input_token", "batch", "page_id", "permission")):
            for path in (f"/{ASID}/ids_for_apps", "/pages_id_mapping", "/debug_token", f"/{X}/owned_pages", "/"):
                await send(made, carried("POST", path, signed(TOKEN["thing"]) | {name: text}, 1 + turn % 4))


async def test_every_trap_as_a_node_an_edge_or_a_version_gets_an_answer(made: Stage) -> None:
    query = urlencode(signed(TOKEN["literal game"])).encode()
    for trap in traps.TEXTS.values():
        text = quote(trap[:3_000], safe="")
        for path in (
            f"/{text}",
            f"/{ASID}/{text}",
            f"/{text}/ids_for_apps",
            f"/v{text}/me",
            f"/{X}/apps/{text}",
            f"//{text}//",
        ):
            for method in ("GET", "POST", "DELETE"):
                told = await send(made, Raw(method, path.encode(), query))
                if method == "GET" and path == f"/{text}" and trap != "app":
                    assert told.status >= 400, told.body


async def test_bytes_that_are_no_text_get_an_answer_wherever_they_stand(made: Stage) -> None:
    for data in traps.BYTES.values():
        for raw in with_bytes(data):
            await send(made, raw)


def with_bytes(data: bytes) -> Iterator[Raw]:
    """Requests with these bytes in their query, form, parts, headers and path."""
    credentials = urlencode(signed(TOKEN["literal game"])).encode() + b"&"
    for name in (b"fields", b"ids", b"app", b"limit", b"after", b"appsecret_proof", b"access_token", b"method", data):
        query = credentials + name + b"=" + data
        yield Raw("GET", f"/{ASID}/ids_for_apps".encode(), query)
        yield Raw("POST", f"/{ASID}/ids_for_apps".encode(), b"method=get", (FORM,), (query,))
        part = b'--b0undary\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n--b0undary--\r\n' % (name, data)
        yield Raw("POST", b"/pages_id_mapping", credentials, (multipart_type(),), (part,))
    for header in (b"authorization", b"if-none-match", b"content-type", b"cookie"):
        yield Raw("POST", b"/me", credentials, ((header, b"Bearer " + data),), (b"x",))
    for path in (b"/" + data, b"/me/" + data):
        yield Raw("GET", path.replace(b"?", b""), credentials)


JSON_BODIES = {
    "depth of a hundred thousand": b"[" * traps.DEEP, "the same, closed": b"[" * traps.DEEP + b"]" * traps.DEEP,
    "object of that depth": b'{"a":' * traps.DEEP, "65 levels": b'{"a":' * 65 + b"1" + b"}" * 65,
    "a number of 5000 digits": b'{"limit":' + b"9" * 5_000 + b"}", "NaN": b'{"limit":NaN}', "1e400": b'{"limit":1e400}',
    "minus infinity": b'{"limit":-Infinity}', "NUL": b'{"fields":"a\\u0000"}', "NUL as a byte": b'{"fields":"\x00"}',
    "NUL in a name": b'{"\\u0000":1}', "lone surrogate": b'{"fields":"\\ud800"}', "lone surrogate in a list": b'{"ids":["\\udfff"]}',
    "surrogates the wrong way": b'{"fields":"\\udc00\\ud800"}', "BOM": b'\xef\xbb\xbf{"fields":"id"}', "UTF-16": '{"a":1}'.encode("utf-16"),
    "overlong": b'{"fields":"\xc0\xaf"}', "duplicate keys": b'{"fields":"id","fields":"name"}', "a list": b"[1]", "a text": b'"x"',
    "a number": b"1", "null": b"null", "nothing": b"", "blanks": b" \n ", "two values": b"{}{}", "a comment": b"{}//", "half": b'{"a"',
    "ids of a list of objects": b'{"ids":[{"a":1}]}', "ids of numbers": b'{"ids":[99999999999999999999,1.5,true,null]}',
    "token of a list": b'{"access_token":["x"]}', "proof of an object": b'{"access_token":"x","appsecret_proof":{}}',
    "time of an object": b'{"access_token":"x","appsecret_proof":"x","appsecret_time":{"a":1}}', "method of a list": b'{"method":["get"]}',
    "locale of a number": b'{"locale":1}', "callback of an object": b'{"callback":{}}', "fields of numbers": b'{"fields":[1,2]}',
    "fields of a deep list": b'{"fields":[[[["id"]]]]}', "batch of everything": b'{"batch":[null,1,"x",[],{}]}',
}  # fmt: skip


async def test_a_trap_as_a_whole_json_body_is_refused_or_read_but_never_breaks_anything(made: Stage) -> None:
    query = urlencode(signed(TOKEN["thing"])).encode()
    for body in JSON_BODIES.values():
        for path in (
            "/",
            "/me",
            "/pages_id_mapping",
            f"/{PSID}/ids_for_apps",
            f"/{X}/owned_pages",
            "/oauth/access_token",
        ):
            for extra in (b"", b"&method=get"):
                await send(made, Raw("POST", path.encode(), query + extra, (JSON,), (body,)))


# ------------------------------------------------------------------------------------------------- 33: fields, ids


async def test_a_bomb_of_fields_is_refused_before_any_query_and_cheaply(made: Stage) -> None:
    token = TOKEN["owner"]
    for name, text in traps.FIELDS_BOMBS.items():
        body = urlencode(signed(token) | {"fields": text, "method": "get"}).encode()
        costs = []
        for _ in range(3):
            await made.world.epoch.poll(made.world.db)
            await send(made, Raw("GET", b"/me", urlencode(signed(token)).encode()))
            before, begun = made.world.db.statements, time.thread_time()
            told = await send(made, Raw("POST", b"/me", b"", (FORM,), (body,)))
            costs.append((time.thread_time() - begun, made.world.db.statements - before))
            assert 400 <= told.status < 500, (name, told.body[:200])
        # What `me` is must be known to say which fields there are; of what was asked for nothing is read.
        assert min(statements for _, statements in costs) <= 1, name
        assert min(seconds for seconds, _ in costs) < 0.05, name


async def test_a_limit_of_a_million_is_no_more_than_the_limit_of_the_edge(made: Stage) -> None:
    assert (await send(made, reading("/me", "owner", fields="accounts.limit(1000000){id}"))).status == 200
    assert (await send(made, reading("/me/accounts", "owner", limit="1000000"))).status == 200


async def test_too_many_ids_are_refused(made: Stage) -> None:
    for count in (51, 10_000):
        values = signed(TOKEN["literal game"]) | {"ids": ",".join(map(str, range(count))), "method": "get"}
        told = await send(made, Raw("POST", b"/", b"", (FORM,), (urlencode(values).encode(),)))
        assert message(told) == f"(#100) Too many IDs. Maximum: 50. Provided: {count}."


# ---------------------------------------------------------------------------------------------------------- 34: batch


async def batch(made: Stage, items: Any, **more: str) -> Told:
    """A batch of the owner."""
    values = {"batch": items if isinstance(items, str) else json.dumps(items)} | signed(TOKEN["owner"]) | more
    return await send(made, Raw("POST", b"/", b"", (FORM,), (urlencode(values).encode(),)))


def item(url: str, **more: Any) -> dict[str, Any]:
    """One GET of a batch."""
    return {"method": "GET", "relative_url": url, **more}


async def test_what_a_batch_must_not_be(made: Stage) -> None:
    too_many = await batch(made, [item("me")] * 51)
    assert message(too_many) == "Too many requests in batch message. Maximum batch size is 50"
    cyclic = [item("me", name="a", depends_on="b"), item("me", name="b", depends_on="a")]
    assert "unresolved request" in message(await batch(made, cyclic))
    assert "unresolved request" in message(await batch(made, [item("me", name="a", depends_on="a")]))
    nested = json.loads((await batch(made, [item("?batch=[]"), item("me?batch=[]"), item("me")])).body)
    assert [slot["code"] for slot in nested] == [400, 400, 200]
    for items in ("", "[]", "{", "5", '"x"', "[" * traps.DEEP, '[{"method":5}]', '[{"relative_url":null}]', "[[[]]]"):
        assert (await batch(made, items)).status == 400


async def test_a_batch_shares_one_budget_and_isolates_failures(made: Stage) -> None:
    dear = item("me?fields=businesses.limit(90){owned_pages.limit(100){id}}")
    slots = json.loads((await batch(made, [dear, dear, item("me"), item("nobody"), item("me")])).body)
    assert [slot["code"] for slot in slots] == [200, 400, 200, 404, 200]
    assert "reduce the amount of data" in slots[1]["body"]


async def test_references_that_lead_nowhere_or_too_far_fail_alone(made: Stage) -> None:
    first = item("me/accounts", name="a", omit_response_on_success=False)
    for path in (
        "$.data.*.id",
        "$",
        "$.x",
        "$.data[99999]",
        "$..",
        "$[",
        "$.data.*.*.*.*",
        "$.data[*]",
        "$.*",
        "$.data.-1",
    ):
        for url in (f"?ids={{result=a:{path}}}", f"{{result=a:{path}}}", f"{{result=a:{path}}}/{{result=a:{path}}}"):
            slots = json.loads((await batch(made, [first, item(url), item("me")])).body)
            assert slots[0]["code"] == slots[2]["code"] == 200
            assert slots[1] is None or slots[1]["code"] in (200, 400, 403, 404)


# ------------------------------------------------------------------------------------------------------- 37: oversize


async def test_what_is_too_big_is_refused_with_its_own_status(made: Stage) -> None:
    token = urlencode(signed(TOKEN["thing"])).encode()
    huge = (b'{"a":"', *(b"x" * 100_000 for _ in range(12)), b'"}')
    assert (await send(made, Raw("POST", b"/me", token, (JSON,), huge))).status == 413
    assert (await send(made, Raw("POST", b"/me", token, (FORM,), huge))).status == 413
    many = b"&".join(b"p%d=1" % number for number in range(100_000))
    assert (await send(made, Raw("POST", b"/me", token, (FORM,), (many,)))).status == 400
    assert (await send(made, Raw("GET", b"/me", token + b"&" + many))).status == 400
    parts = multipart({f"p{number}": "1" for number in range(limits.MULTIPART_PARTS_MAX + 1)})
    assert (await send(made, Raw("POST", b"/me", token, (multipart_type(),), (parts,)))).status == 400


CONTENT_TYPES = (
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 71,
    'multipart/form-data; boundary="\xff"', "multipart/mixed; boundary=b", "text/xml", "application/json; charset=utf-7",
    "application/json\x00", ";;;", "application/x-www-form-urlencoded; charset=utf-16",
)  # fmt: skip


async def test_an_odd_content_type_gets_an_answer(made: Stage) -> None:
    token = urlencode(signed(TOKEN["thing"])).encode()
    for content_type in CONTENT_TYPES:
        for body in (b"--b\r\n\r\n--b--", b"{}", b"a=b", b"--\r\n", b"\x00"):
            await send(made, Raw("POST", b"/me", token, ((b"content-type", content_type.encode("latin-1")),), (body,)))


async def test_no_value_of_a_caller_breaks_into_a_header(made: Stage) -> None:
    evil = "x\r\nSet-Cookie: stolen=1\r\n\r\n<html>"
    for path, params in (
        (f"/{quote(evil)}", {}), ("/me", {"fields": evil}), ("/me", {"callback": evil}), ("/me", {"locale": evil}),
        ("/debug_token", {"input_token": evil}), ("/me", {"after": evil}), ("/me/picture", {"type": evil}),
        ("/oauth/access_token", {"client_id": evil}), ("/oauth/access_token", {"client_id": GAME, "grant_type": evil}),
    ):  # fmt: skip
        told = await send(made, reading(path, "owner", **params))
        names = [name.lower() for name, _ in told.headers]
        assert b"set-cookie" not in names, (path, params)


# ------------------------------------------------------------------------------------------------------ 38, 39: texts


async def test_an_id_has_one_spelling(made: Stage) -> None:
    query = urlencode(signed(TOKEN["literal game"])).encode()
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in ASID)
    for spelled in (
        "٣",
        wide,
        f"{ASID}\u200b",
        f" {ASID}",
        f"{ASID} ",
        f"+{ASID}",
        f"0{ASID}",
        f"{ASID}.0",
        f"{ASID}e0",
    ):
        for path in (f"/{quote(spelled)}", f"/{quote(spelled)}/ids_for_apps"):
            assert (await send(made, Raw("GET", path.encode(), query))).status in (400, 404), spelled
        told = await send(made, reading("/", "literal game", ids=f"{spelled},{PSID}"))
        assert told.status in (400, 404), spelled


async def test_no_statement_in_any_value_is_ever_run(made: Stage) -> None:
    async def counted() -> list[int]:
        rows = [
            await made.world.db.one(f"SELECT COUNT(*) AS n FROM {table}")
            for table in ("person", "token", "app", "page")
        ]
        return [row["n"] for row in rows if row is not None]

    before = await counted()
    for text in (
        "'; DELETE FROM token; --",
        "0 OR 1=1",
        "1) OR (1=1",
        "' UNION SELECT hash FROM token --",
        "%' OR '%'='",
    ):
        for method, path, token, names in targets(made):
            for name in (*names, "fields", "after", "limit", "ids"):
                if method == "GET":
                    told = await send(made, carried(method, path, signed(TOKEN[token]) | {name: text}, 0))
                    assert b"syntax" not in told.body.lower() or b"Expected" in told.body
    assert await counted() == before
    own = await send(made, reading(f"/{ASID}/ids_for_apps", "literal game", app="' OR ''='"))
    assert json.loads(own.body) == {"data": []}


# ---------------------------------------------------------------------------------------------------------- 41: clock

CLOCKS: tuple[dict[str, Any], ...] = (
    {"advance": "-1h"}, {"advance": "10000d" * 10}, {"advance": "876000h"}, {"advance": 5}, {"advance": None}, {"scale": -1},
    {"scale": 0}, {"scale": 1e300}, {"scale": "NaN"}, {"freeze": "yes"}, {"advance": "1h", "freeze": True}, {}, {"now_ms": 0},
    {"set": "1970-01-01"}, {"advance": "٣h"}, {"advance": "9" * 5_000 + "h"},
)  # fmt: skip


async def test_the_clock_goes_neither_back_nor_beyond_its_bounds(made: Stage) -> None:
    key = ((b"authorization", f"Bearer {ADMIN_KEY}".encode()), JSON)
    for body in CLOCKS:
        told = await send(made, Raw("POST", b"/_polynym/v1/clock", b"", key, (json.dumps(body).encode(),)))
        assert told.status == 400, body
        assert made.world.clock.now_ms() == stage.NOW_MS


async def test_no_time_that_a_caller_sends_counts(made: Stage) -> None:
    expected = (await send(made, reading(f"/{ASID}", "literal game"))).body
    for name in ("timestamp", "now", "time", "date", "created_time"):
        for value in ("0", "4102444800", "9" * 30, "2100-01-01"):
            assert (await send(made, reading(f"/{ASID}", "literal game", **{name: value}))).body == expected
