"""Where parameters may stand and what wins (contract graph 1.4; clients requirements 3-7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from polynym.wire import limits
from tests.graph.forms import MULTIPART, multipart
from tests.graph.toy import READER
from tests.graph.world import USER
from tests.support.asgi import Asgi, Reply

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


async def echoed(client: Asgi, body: bytes, headers: dict[str, str] | None = None, query: str = "") -> Reply:
    return await client.send("POST", f"/echo{query}", body=body, headers=headers)


SOURCES = {
    "query": (b"", None, "?text=hello&number=7"),
    "form": (b"text=hello&number=7", FORM, ""),
    "form with charset": (
        b"text=hello&number=7",
        {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        "",
    ),
    "upper case content type": (b"text=hello&number=7", {"content-type": "APPLICATION/X-WWW-FORM-URLENCODED"}, ""),
    "no content type": (b"text=hello&number=7", None, ""),
    "no content type, JSON": (b'{"text":"hello","number":7}', None, ""),
    "text/plain": (b"text=hello&number=7\r\n", {"content-type": "text/plain"}, ""),
    "multipart": (multipart(("text", "hello", None), ("number", "7", None)), MULTIPART, ""),
    "JSON": (b'{"text":"hello","number":7}', JSON, ""),
    "JSON with charset": (b'{"text":"hello","number":7}', {"content-type": "application/json; charset=utf-8"}, ""),
    "JSON of another kind": (b'{"text":"hello","number":7}', {"content-type": "application/vnd.api+json"}, ""),
    "JSON with byte order mark": (b'\xef\xbb\xbf{"text":"hello","number":7}', JSON, ""),
    "JSON with texts": (b'{"text":"hello","number":"7"}', JSON, ""),
    "JSON with nulls": (b'{"text":"hello","number":7,"flag":null}', JSON, "?"),
    "query with an empty JSON body": (b"", JSON, "?text=hello&number=7"),
    "query with a blank JSON body": (b" \n", JSON, "?text=hello&number=7"),
    "query and form": (b"text=hello", FORM, "?number=7"),
    "query and JSON": (b'{"text":"hello"}', JSON, "?number=7"),
    "query and multipart": (multipart(("text", "hello", None)), MULTIPART, "?number=7"),
    "percent-encoded": (b"te%78t=h%65llo&number=7", FORM, ""),
    "empty pairs": (b"&&text=hello&&number=7&=x&", FORM, ""),
}


@pytest.mark.parametrize("source", SOURCES)
async def test_every_source_gives_the_same_parameters(client: Asgi, source: str) -> None:
    body, headers, query = SOURCES[source]
    reply = await echoed(client, body, headers, query)
    assert reply.json() == {"text": "hello", "number": 7, "method": "POST", "repeated": []}


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"text=body", FORM), (b'{"text":"body"}', JSON), (multipart(("text", "body", None)), MULTIPART)],
)
async def test_the_body_wins_over_the_query(client: Asgi, body: bytes, headers: dict[str, str]) -> None:
    assert (await echoed(client, body, headers, "?text=query")).json()["text"] == "body"


async def test_a_null_in_json_does_not_hide_the_query(client: Asgi) -> None:
    assert (await echoed(client, b'{"text":null}', JSON, "?text=query")).json()["text"] == "query"


@pytest.mark.parametrize(
    "body",
    [
        b'{"shape":{"id":"1"}}',
        b'{"shape":"{\\"id\\":\\"1\\"}"}',
    ],
)
async def test_json_takes_objects_and_json_text_in_strings(client: Asgi, body: bytes) -> None:
    assert (await echoed(client, body, JSON)).json()["shape"] == {"id": "1"}


async def test_a_form_takes_objects_as_json_text(client: Asgi) -> None:
    assert (await client.post("/echo", shape='{"id":"1"}')).json()["shape"] == {"id": "1"}


LISTS = {
    "commas": "names=a,b",
    "commas and blanks": "names=a%2C+b",
    "JSON": 'names=["a","b"]',
    "brackets": "names[]=a&names[]=b",
    "encoded brackets": "names%5B%5D=a&names%5B%5D=b",
    "numbered": "names[0]=a&names[1]=b",
    "numbered backwards": "names[1]=b&names[0]=a",
}


@pytest.mark.parametrize("spelling", LISTS)
async def test_a_list_in_all_its_spellings(client: Asgi, spelling: str) -> None:
    text = LISTS[spelling]
    by_query = await client.send("GET", f"/echo?{text}")
    by_form = await echoed(client, text.encode(), FORM)
    assert by_query.json()["names"] == by_form.json()["names"] == ["a", "b"]


async def test_a_list_in_multipart_may_be_numbered_too(client: Asgi) -> None:
    body = multipart(("names[1]", "b", None), ("names[0]", "a", None))
    assert (await echoed(client, body, MULTIPART)).json()["names"] == ["a", "b"]


@pytest.mark.parametrize("body", [b'{"names":["a","b"]}', b'{"names":"a, b"}', b'{"names":"[\\"a\\",\\"b\\"]"}'])
async def test_a_list_in_json(client: Asgi, body: bytes) -> None:
    assert (await echoed(client, body, JSON)).json()["names"] == ["a", "b"]


@pytest.mark.parametrize("text", ["true", "TRUE", "True", "1", "yes", "on"])
async def test_yes_in_any_case(client: Asgi, text: str) -> None:
    assert (await client.get("/echo", flag=text)).json()["flag"] is True


@pytest.mark.parametrize("text", ["false", "FALSE", "0", "no", "off"])
async def test_no_in_any_case(client: Asgi, text: str) -> None:
    assert (await client.get("/echo", flag=text)).json()["flag"] is False


async def test_json_booleans(client: Asgi) -> None:
    assert (await client.post_json("/echo", {"flag": True})).json()["flag"] is True
    assert (await client.post_json("/echo", {"flag": 0})).json()["flag"] is False


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1619746627", 1_619_746_627_000),
        ("2021-04-30T01:37:07+0000", 1_619_746_627_000),
        ("2021-04-30T01:37:07", 1_619_746_627_000),
        ("2021-04-30T03:37:07+02:00", 1_619_746_627_000),
        ("2021-04-30", 1_619_740_800_000),
        ("-1", -1000),
    ],
)
async def test_a_time_is_unix_seconds_or_a_date(client: Asgi, text: str, time_ms: int) -> None:
    assert (await client.get("/echo", due=text)).json()["due"] == time_ms


IGNORED = "format=json&sdk=php&_fb_x=1&fb_api_req=2&return_ssl_resources=1&transport=cors&suppress_http_code=0"


async def test_transport_parameters_are_ignored(client: Asgi) -> None:
    reply = await client.send("GET", f"/me?access_token={USER}&{IGNORED}")
    assert reply.json() == {"name": "Ada", "id": READER} or reply.json() == {"id": READER, "name": "Ada"}


async def test_a_get_body_is_ignored(client: Asgi) -> None:
    reply = await client.send("GET", "/1001", body=f"access_token={USER}".encode(), headers=FORM)
    assert reply.code == (403, 200, None)
    assert reply.error["message"] == "(#200) Provide valid app ID"


async def test_a_get_that_posts_still_ignores_its_body(client: Asgi) -> None:
    reply = await client.send("GET", f"/me/books?access_token={USER}&method=post", body=b"title=x", headers=FORM)
    assert reply.error["message"] == "(#100) The parameter title is required"


async def test_a_delete_reads_its_body(client: Asgi) -> None:
    assert (await client.send("DELETE", "/echo", body=b'{"text":"x"}', headers=JSON)).json()["text"] == "x"


async def test_post_with_a_query_token_and_the_rest_in_the_form(client: Asgi) -> None:
    reply = await client.send("POST", f"/me/books?access_token={USER}", body=b"title=SDK", headers=FORM)
    assert reply.json() == {"id": "61"}


async def test_a_repeated_name_is_known_and_the_last_one_counts(client: Asgi) -> None:
    assert (await client.send("GET", "/echo?text=a&text=b")).json() == {
        "text": "b",
        "method": "GET",
        "repeated": ["text"],
    }
    body = multipart(("text", "a", None), ("text", "b", None))
    assert (await echoed(client, body, MULTIPART)).json()["repeated"] == ["text"]
    assert (await echoed(client, b'{"text":"a","text":"b"}', JSON)).json()["text"] == "b"


# ------------------------------------------------------------------------------------------------ files


async def test_a_file_arrives_with_its_name_and_type(client: Asgi) -> None:
    body = multipart(("text", "hello", None), ("file", b"\x89PNG\x00\xff", "a.png"))
    reply = await echoed(client, body, MULTIPART)
    assert reply.json()["file"] == {"name": "a.png", "type": "image/png", "size": 6}
    assert reply.json()["text"] == "hello"


async def test_the_only_file_is_taken_whatever_its_part_is_called(client: Asgi) -> None:
    body = multipart(("op1_file0", b"x", "a.png"))
    assert (await echoed(client, body, MULTIPART)).json()["file"]["size"] == 1
    body = multipart(("op1_file0", b"x", "a.png"), ("op1_file1", b"x", "b.png"))
    assert "file" not in (await echoed(client, body, MULTIPART)).json()


async def test_a_text_where_a_file_belongs_is_not_a_file(client: Asgi) -> None:
    assert "file" not in (await client.post("/echo", file="x")).json()
    assert "file" not in (await client.post_json("/echo", {"file": {"content": "x"}})).json()


async def test_a_file_name_is_cut_and_its_odd_characters_stay_in_json(client: Asgi) -> None:
    body = multipart(("file", b"x", "a" * 1000))
    assert len((await echoed(client, body, MULTIPART)).json()["file"]["name"]) == 255
    assert (await echoed(client, multipart(("file", b"x", "a" * 1_000_000)), MULTIPART)).code == (400, 100, None)
    odd = (await echoed(client, multipart(("file", b"x", '../../\\x"\u202e.png')), MULTIPART)).json()["file"]["name"]
    assert odd.endswith(".png")


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("id", "12a", "(#100) param id must be a numeric ID"),
        ("id", "٣", "(#100) param id must be a numeric ID"),
        ("id", "1" * 41, "(#100) param id must be a numeric ID"),
        ("id", "-1", "(#100) param id must be a numeric ID"),
        ("number", "x", "(#100) param number must be an integer"),
        ("number", "--5", "(#100) param number must be an integer"),
        ("number", "1.5", "(#100) param number must be an integer"),
        ("number", "9" * 25, "(#100) param number must be an integer"),
        ("number", "²", "(#100) param number must be an integer"),
        ("number", "101", "(#100) param number must be at most 100"),
        ("number", "-6", "(#100) param number must be at least -5"),
        ("flag", "maybe", "(#100) param flag must be a boolean"),
        ("names", "[1", "(#100) param names must be a list"),
        ("names", '[{"a":1}]', "(#100) param names must be a list"),
        ("names", "a,b,c,d,e,f", "(#100) param names must be a list of at most 5 items"),
        ("days", "mon,wed", "(#100) param days must be a list of {mon, tue}, not 'wed'"),
        ("shape", "[]", "(#100) param shape must be a JSON object"),
        ("shape", "{", "(#100) param shape must be a JSON object"),
        ("shape", "x", "(#100) param shape must be a JSON object"),
        ("kind", "c", "(#100) param kind must be one of {a, b}"),
        ("due", "yesterday", "(#100) param due must be unix seconds or an ISO-8601 time"),
        ("due", "٣", "(#100) param due must be unix seconds or an ISO-8601 time"),
        ("due", "--5", "(#100) param due must be unix seconds or an ISO-8601 time"),
        ("due", "9" * 18, "(#100) param due must be unix seconds or an ISO-8601 time"),
        ("text", "x" * 2001, "(#100) param text must be at most 2000 characters long"),
    ],
)
async def test_a_bad_value_is_refused_by_name(client: Asgi, name: str, value: Any, message: str) -> None:
    reply = await client.get("/echo", **{name: value})
    assert reply.code == (400, 100, None)
    assert reply.error["message"] == message


async def test_a_missing_parameter_is_refused_by_name(client: Asgi) -> None:
    for rest in ("", "&title="):
        reply = await client.send("POST", f"/me/books?access_token={USER}{rest}")
        assert reply.error["message"] == "(#100) The parameter title is required"


ODD: tuple[object, ...] = (
    [], ["x"], {}, {"a": [1]}, 1, 1.5, True, False, -1, 10**30, 10**4000, [USER], "", " ", "\u0007", "\u2028",
)  # fmt: skip


@pytest.mark.parametrize("name", ["id", "number", "flag", "names", "days", "shape", "kind", "due", "text", "file"])
async def test_odd_json_values_are_refused_or_read_but_never_a_fault(client: Asgi, name: str) -> None:
    for value in ODD:
        assert (await client.post_json("/echo", {name: value})).status in (200, 400), value


@pytest.mark.parametrize(
    "name",
    [
        "access_token", "fields", "limit", "after", "before", "offset", "summary", "method", "locale", "pretty", "debug",
        "callback", "metadata", "ids", "suppress_http_code", "date_format", "appsecret_proof", "include_headers", "kind",
        "only",
    ],
)  # fmt: skip
async def test_common_parameters_of_odd_types_never_fault(client: Asgi, name: str) -> None:
    for value in ODD:
        for path in ("/me/shelves", "/me/books", "/me", "/"):
            reply = await client.post_json(path, {"access_token": USER, "method": "get", name: value})
            assert reply.status in (200, 400, 403, 404), (value, reply.body)
            assert reply.status == 200 or "error" in reply.json()


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (b"[" * 100_000, "(#100) The request is not valid JSON: nested deeper than 64 levels"),
        (b'{"a":' * 100_000, "(#100) The request is not valid JSON: "),
        (
            b'{"text":' + b"[" * 64 + b"]" * 64 + b"}",
            "(#100) The request is not valid JSON: nested deeper than 64 levels",
        ),
        (b'{"number":' + b"9" * 5000 + b"}", "(#100) The request is not valid JSON: "),
        (b'{"number":NaN}', "(#100) The request is not valid JSON: "),
        (b'{"number":Infinity}', "(#100) The request is not valid JSON: "),
        (b'{"number":1e400}', "(#100) The request is not valid JSON: "),
        (b'{"text":"\\u0000"}', "(#100) The request is not valid JSON: a NUL character"),
        (b'{"\\u0000":"x"}', "(#100) The request is not valid JSON: a NUL character"),
        (b'{"shape":{"a":["\\u0000"]}}', "(#100) The request is not valid JSON: a NUL character"),
        (b'{"text":"\\ud800"}', "(#100) The request is not valid JSON: "),
        (b'{"text":"\\udc00\\ud800"}', "(#100) The request is not valid JSON: "),
        (b'{"text":"\xed\xa0\x80"}', "(#100) The request is not valid JSON: "),
        (b'{"text":"\xc0\xaf"}', "(#100) The request is not valid JSON: "),
        (b'{"text":"\xff"}', "(#100) The request is not valid JSON: "),
        (b'{"text":"a"', "(#100) The request is not valid JSON: "),
        (b'{"text":"a"}}', "(#100) The request is not valid JSON: "),
        (b"{'text':'a'}", "(#100) The request is not valid JSON: "),
        (b'"text"', "(#100) The request is not valid JSON: the body must be an object"),
        (b"7", "(#100) The request is not valid JSON: the body must be an object"),
        (b"null", "(#100) The request is not valid JSON: the body must be an object"),
    ],
)
async def test_traps_in_json_are_400(client: Asgi, body: bytes, start: str) -> None:
    reply = await echoed(client, body, JSON)
    assert reply.code == (400, 100, None)
    assert reply.error["message"].startswith(start)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"text":"\\\\u0000"}', "\\u0000"),
        (b'{"text":"' + b"9" * 1000 + b'"}', "9" * 1000),
        ('{"text":"\U0001f600"}'.encode(), "\U0001f600"),
        (b'{"text":"\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"text":"' + b"[" * 500 + b'"}', "[" * 500),
    ],
)
async def test_what_only_looks_like_a_trap_is_read(client: Asgi, body: bytes, text: str) -> None:
    assert (await echoed(client, body, JSON)).json()["text"] == text


@pytest.mark.parametrize(
    "pair", ["text=%ff", "text=%c0%af", "text=%ed%a0%80", "text=%00", "%00=1", "%ff=1", "text=a\x00b"]
)
async def test_text_that_is_not_utf8_is_400_in_query_and_form(client: Asgi, pair: str) -> None:
    for reply in (await client.send("GET", f"/echo?{pair}"), await echoed(client, pair.encode("latin-1"), FORM)):
        assert reply.code == (400, 100, None)
        assert reply.error["message"].startswith("(#100) The request is not valid UTF-8 text: ")


@pytest.mark.parametrize("raw", [b"\xff", b"\x00", b"\xed\xa0\x80"])
async def test_text_that_is_not_utf8_is_400_in_multipart(client: Asgi, raw: bytes) -> None:
    body = multipart(("text", raw, None))
    assert (await echoed(client, body, MULTIPART)).error["message"].startswith("(#100) The request is not valid UTF-8")


@pytest.mark.parametrize(
    "text", ["%", "%zz", "%1", "=", "==", "text=%", "text==", "a" * 8000, "[]=1", "a[b]=1", "a[[0]=1"]
)
async def test_sloppy_pairs_are_read(client: Asgi, text: str) -> None:
    assert (await client.send("GET", f"/echo?{text}")).status == 200


async def test_too_many_parameters_are_refused_at_the_bound(client: Asgi) -> None:
    most = "&".join(f"p{n}=1" for n in range(limits.PARAMS_MAX))
    assert (await echoed(client, most.encode(), FORM)).status == 200
    more = await echoed(client, f"{most}&q=1".encode(), FORM)
    assert more.error["message"] == f"(#100) The request has more than {limits.PARAMS_MAX} parameters"
    fields = {f"p{n}": 1 for n in range(limits.PARAMS_MAX)}
    assert (await client.post_json("/echo", fields)).status == 200
    assert (await client.post_json("/echo", fields | {"q": 1})).status == 400


async def test_too_many_parts_are_refused_at_the_bound(client: Asgi) -> None:
    parts = [(f"p{n}", "1", None) for n in range(limits.MULTIPART_PARTS_MAX)]
    assert (await echoed(client, multipart(*parts), MULTIPART)).status == 200
    more = await echoed(client, multipart(*parts, ("q", "1", None)), MULTIPART)
    assert more.error["message"] == f"(#100) The request has more than {limits.MULTIPART_PARTS_MAX} parameters"


async def test_a_body_is_bounded_unless_it_is_an_upload(client: Asgi) -> None:
    big = b"text=" + b"x" * limits.JSON_BYTES_MAX
    for headers in (None, FORM, JSON):
        reply = await echoed(client, big, headers)
        assert reply.code == (413, 100, None)
    upload = multipart(("file", b"x" * (limits.JSON_BYTES_MAX + 1), "a.png"))
    assert (await echoed(client, upload, MULTIPART)).json()["file"]["size"] == limits.JSON_BYTES_MAX + 1
    huge = multipart(("file", b"x" * limits.UPLOAD_BYTES_MAX, "a.png"))
    assert (await echoed(client, huge, MULTIPART)).code == (413, 100, None)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--x", "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary="),
        (b"x", f"multipart/form-data; boundary={'b' * 71}"),
        (b"x", 'multipart/form-data; boundary="'),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\nvalue\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a\r\n b"\r\n\r\nv\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\nv\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\n" + b"A" * 100_000 + b": b\r\n\r\nv\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"<a/>", "application/xml"),
        (b"x", "application/octet-stream"),
        (b"x", "x\u00ff; \u00ff"),
    ],
)
async def test_a_body_that_cannot_be_read_is_400(client: Asgi, body: bytes, content_type: str) -> None:
    reply = await echoed(client, body, {"content-type": content_type})
    assert reply.code == (400, 100, None)
    assert reply.error["message"].startswith("(#100) The request body cannot be read: ")


async def test_multipart_that_was_cut_short_is_not_taken_for_whole(client: Asgi) -> None:
    whole = multipart(("text", "hello", None), ("number", "7", None))
    for length in range(1, len(whole) - 4):
        assert (await echoed(client, whole[:length], MULTIPART)).status == 400


async def test_a_connection_that_closes_within_its_body_ends_in_400() -> None:
    from tests.graph.world import opened_world

    async with opened_world(0) as world:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {
            "type": "http", "method": "POST", "path": "/echo", "query_string": b"", "headers": [], "scheme": "http",
            "client": None, "server": None,
        }  # fmt: skip
        await world.http(scope, receive, send)
        assert sent[0]["status"] == 400


async def test_a_long_value_is_repeated_in_part_only(client: Asgi) -> None:
    reply = await client.send(
        "POST",
        "/me/books",
        body=json.dumps({"access_token": USER, "fields": "x" * 60_000, "method": "get"}).encode(),
        headers=JSON,
    )
    assert reply.status == 400
    assert len(reply.body) < 5000
    assert len(reply.header("www-authenticate") or "") < 1200
