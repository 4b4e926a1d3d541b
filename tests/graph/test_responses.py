"""What every answer looks like: headers, envelope, encodings (contract graph 1.5, 1.6, 1.10, 2.1-2.3)."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from tests.graph.world import APP_TOKEN, FRENCH, NOW_MS, PAGE_TOKEN, USER, opened_world
from tests.support.asgi import Asgi, Reply

JSON = "application/json; charset=UTF-8"
ALWAYS = {
    "Access-Control-Allow-Origin": r"\*",
    "Pragma": "no-cache",
    "Expires": "Sat, 01 Jan 2000 00:00:00 GMT",
    "Vary": "Accept-Encoding",
    "Strict-Transport-Security": "max-age=15552000; preload",
    "facebook-api-version": r"v26\.0",
    "x-fb-trace-id": r"[A-Za-z0-9_-]{11}",
    "x-fb-request-id": r"A[A-Za-z0-9_-]{22}",
    "x-fb-rev": r"\d+",
    "x-fb-debug": r"[A-Za-z0-9+/]{86,88}=*",
    "Content-Length": r"\d+",
    "Content-Type": re.escape(JSON),
}
TARGETS = ["/me?access_token=USER", "/me", "/echo", "/v99.0/me", "/broken", "/?ids=", "/nobody?access_token=USER"]


@pytest.mark.parametrize("target", TARGETS)
async def test_every_answer_carries_the_platforms_headers_once(client: Asgi, target: str) -> None:
    reply = await client.send("GET", target)
    names = [name.lower() for name, _ in reply.headers]
    assert len(names) == len(set(names))
    for name, pattern in ALWAYS.items():
        assert re.fullmatch(pattern, reply.header(name) or ""), (name, reply.header(name))
    assert int(reply.header("content-length") or 0) == len(reply.body)


async def test_cache_control_differs_for_errors(client: Asgi) -> None:
    assert (await client.get("/me", access_token=USER)).header(
        "cache-control"
    ) == "private, no-cache, no-store, must-revalidate"
    assert (await client.get("/me")).header("cache-control") == "no-store"


async def test_ids_of_requests_never_come_twice(client: Asgi) -> None:
    replies = [await client.get("/me", access_token=USER) for _ in range(20)]
    assert len({reply.header("x-fb-request-id") for reply in replies}) == 20
    assert len({reply.header("x-fb-trace-id") for reply in replies}) == 20


async def test_an_errors_trace_id_is_the_request_id(client: Asgi) -> None:
    reply = await client.get("/me")
    assert reply.error["fbtrace_id"] == reply.header("x-fb-request-id")


# ------------------------------------------------------------------------------------------------ errors


async def test_the_error_envelope_byte_for_byte(client: Asgi) -> None:
    reply = await client.get("/v19.0/1001")
    trace = reply.header("x-fb-request-id")
    assert reply.body.decode() == (
        '{"error":{"message":"(#200) Provide valid app ID","type":"OAuthException","code":200,"fbtrace_id":"'
        + f'{trace}"}}}}'
    )


@pytest.mark.parametrize(
    ("target", "challenge"),
    [
        ("/1001", 'OAuth "Facebook Platform" "invalid_request" "(#200) Provide valid app ID"'),
        ("/me?access_token=x", 'OAuth "Facebook Platform" "invalid_token" "Invalid OAuth access token - Cannot parse access token"'),
        ("/me", 'OAuth "Facebook Platform" "invalid_request" "An active access token must be used to query information about the current user."'),
        ("/me/feed?access_token=USER", 'OAuth "Facebook Platform" "insufficient_scope" "(#200) Requires read_feed permission"'),
        ("/broken", 'OAuth "Facebook Platform" "unknown_error" "An unknown error occurred"'),
    ],
)  # fmt: skip
async def test_the_challenge_names_its_slug(client: Asgi, target: str, challenge: str) -> None:
    assert (await client.send("GET", target)).header("www-authenticate") == challenge


@pytest.mark.parametrize(
    "name", ['"', "\\", "\r\nSet-Cookie: a=b", "\u00e9", "\u4e2d", "\U0001f600", "\x7f", "a" * 5000, "\u2028"]
)
async def test_an_echoed_name_cannot_break_out_of_its_header(client: Asgi, name: str) -> None:
    reply = await client.get(f"/{name}", access_token=USER)
    assert reply.status == 404
    challenge = reply.header("www-authenticate") or ""
    assert "\r" not in challenge
    assert "\n" not in challenge
    assert re.fullmatch(r'OAuth "Facebook Platform" "invalid_request" "(?:[^"\\]|\\.)*"', challenge)
    assert len(challenge) < 2200


async def test_success_has_no_challenge(client: Asgi) -> None:
    assert (await client.get("/me", access_token=USER)).header("www-authenticate") is None


async def test_a_bug_is_a_graph_shaped_500_that_tells_nothing(client: Asgi) -> None:
    for target in ("/broken", "/unsayable"):
        reply = await client.get(target)
        assert reply.code == (500, 1, None)
        assert reply.error["message"] == "An unknown error occurred"
        assert reply.error["is_transient"] is True
        assert b"Zero" not in reply.body


async def test_a_database_that_is_away_is_a_503_with_retry_after(client: Asgi) -> None:
    reply = await client.get("/down")
    assert reply.code == (503, 2, None)
    assert reply.error["is_transient"] is True
    assert reply.header("retry-after") == "1"
    assert b"refused" not in reply.body


async def test_texts_for_end_users_come_with_the_error(client: Asgi) -> None:
    error = (await client.post("/duplicate")).error
    assert (error["code"], error["is_transient"]) == (506, False)
    assert error["error_user_title"] == "Duplicate Status Update"
    assert list(error) == [
        "message",
        "type",
        "code",
        "is_transient",
        "error_user_title",
        "error_user_msg",
        "fbtrace_id",
    ]


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("fr_FR", "Statut en double"), ("fr_CA", "Statut en double"), ("fr", "Statut en double"), ("fr-FR", "Statut en double"),
        ("es_LA", "Estado duplicado"), ("de_DE", "Duplicate Status Update"), ("", "Duplicate Status Update"),
        ("../../etc", "Duplicate Status Update"),
    ],
)  # fmt: skip
async def test_locale_localizes_them(client: Asgi, locale: str, title: str) -> None:
    assert (await client.post("/duplicate", locale=locale)).error["error_user_title"] == title


async def test_the_review_error_is_localized_whole(client: Asgi) -> None:
    assert "under review" in (await client.get("/under/review", access_token=USER)).error["message"]
    french = (
        "(#200) L\u2019acc\u00e8s de votre entreprise \u00e0 cette API est actuellement en cours de v\u00e9rification"
    )
    assert (await client.get("/under/review", access_token=USER, locale="fr_FR")).error["message"] == french
    assert (await client.get("/under/review", access_token=FRENCH)).error["message"] == french
    assert "Tu empresa" in (await client.get("/under/review", access_token=FRENCH, locale="es_ES")).error["message"]


# ------------------------------------------------------------------------------------------------ JSON


async def test_json_is_compact_unless_pretty(client: Asgi) -> None:
    plain = await client.get("/me", access_token=USER)
    assert plain.body == b'{"id":"1001","name":"Ada"}'
    assert (await client.get("/me", access_token=USER, pretty="0")).body == plain.body
    assert (await client.get("/me", access_token=USER, pretty="1")).body == b'{\n   "id": "1001",\n   "name": "Ada"\n}'
    assert (await client.get("/me", access_token=USER, pretty="true")).body.startswith(b"{\n   ")
    assert (await client.get("/me", pretty="1")).body.startswith(b'{\n   "error": {\n      "message"')


async def test_pretty_is_propagated_into_paging_links(client: Asgi) -> None:
    for pretty in ("0", "1"):
        reply = await client.get("/me/books", access_token=USER, pretty=pretty, limit=1)
        assert f"pretty={pretty}" in reply.json()["paging"]["next"]


async def test_unset_fields_are_omitted(client: Asgi) -> None:
    assert (await client.get("/1001", access_token=USER, fields="name,motto,card")).json() == {
        "name": "Ada", "card": {"number": "4711", "id": "9001"}, "id": "1001",
    }  # fmt: skip
    assert (await client.get("/1002", access_token=USER, fields="card,cards")).json() == {"cards": [], "id": "1002"}


async def test_times_are_iso_and_with_date_format_unix(client: Asgi) -> None:
    fields = "joined,seen,card{since}"
    times = (await client.get("/me", access_token=USER, fields=fields)).json()
    assert (times["joined"], times["seen"]) == ("2021-04-30T01:37:07+0000", "2024-01-01T00:00:00+0000")
    unix = (await client.get("/me", access_token=USER, fields=fields, date_format="U")).json()
    assert (unix["joined"], unix["seen"], unix["card"]["since"]) == (1619746627, 1704067200, 1577836800)


# ------------------------------------------------------------------------------------------------ JSONP and status


def called(reply: Reply, callback: str) -> object:
    text = reply.body.decode()
    assert text.startswith(f"/**/ {callback}(")
    assert text.endswith(");")
    return json.loads(text[len(f"/**/ {callback}(") : -2])


@pytest.mark.parametrize("callback", ["fn", "a.b", "$", "_x1", "jQuery_123", "a[0]", "f" * 128])
async def test_jsonp_wraps_and_is_200_even_for_errors(client: Asgi, callback: str) -> None:
    good = await client.get("/me", access_token=USER, callback=callback)
    bad = await client.get("/me", callback=callback)
    for reply in (good, bad):
        assert reply.status == 200
        assert reply.header("content-type") == "text/javascript; charset=UTF-8"
        assert [name for name, _ in reply.headers].count("Content-Type") == 1
    assert called(good, callback) == {"id": "1001", "name": "Ada"}
    assert "error" in called(bad, callback)  # type: ignore[operator]


@pytest.mark.parametrize(
    "callback", ["", "a b", "alert(1)//", "1a", "a;b", "a\n", "a<script>", "\u00e9", "a\u2028", "f" * 129, "(", "a-b"]
)
async def test_what_is_no_name_of_a_function_is_not_called(client: Asgi, callback: str) -> None:
    reply = await client.get("/me", access_token=USER, callback=callback)
    assert reply.body == b'{"id":"1001","name":"Ada"}'
    assert reply.header("content-type") == JSON
    assert reply.header("x-content-type-options") == "nosniff"


async def test_jsonp_holds_no_line_end_that_json_allows_and_scripts_do_not(client: Asgi) -> None:
    reply = await client.get("/1002", access_token=USER, fields="motto", callback="fn")
    assert b"\xe2\x80\xa8" not in reply.body
    assert called(reply, "fn") == {"motto": "\u2028</script>", "id": "1002"}


async def test_neither_files_nor_redirects_are_wrapped(client: Asgi) -> None:
    assert (await client.get("/plain", callback="fn", pretty="1")).body == b"a=1&b=\xff"
    assert (await client.get("/1001/portrait", callback="fn", pretty="1")).status == 302


@pytest.mark.parametrize("value", ["1", "true", "TRUE"])
async def test_suppress_http_code_makes_errors_200(client: Asgi, value: str) -> None:
    reply = await client.get("/me", suppress_http_code=value)
    assert reply.status == 200
    assert reply.error["code"] == 2500


# ------------------------------------------------------------------------------------------------ ETag


async def test_the_etag_is_the_quoted_sha1_of_the_body(client: Asgi) -> None:
    reply = await client.get("/me", access_token=USER)
    assert reply.header("etag") == f'"{hashlib.sha1(reply.body).hexdigest()}"'


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '{}, "x"', "*", " * "])
async def test_if_none_match_gives_304_without_a_body(client: Asgi, form: str) -> None:
    tag = (await client.get("/me", access_token=USER)).header("etag") or ""
    reply = await client.get("/me", access_token=USER, headers={"if-none-match": form.format(tag)})
    assert (reply.status, reply.body) == (304, b"")
    assert reply.header("etag") == tag
    assert reply.header("content-length") is None
    assert reply.header("x-app-usage")


@pytest.mark.parametrize("form", ['"x"', "", "x", '"*"'])
async def test_another_tag_gives_the_body(client: Asgi, form: str) -> None:
    assert (await client.get("/me", access_token=USER, headers={"if-none-match": form})).status == 200


async def test_a_304_counts_as_a_call() -> None:
    async with opened_world(0, rate_limits="enforce") as world:
        tag = (await world.client.get("/me", access_token=USER)).header("etag") or ""
        for _ in range(99):
            await world.client.get("/me", access_token=USER, headers={"if-none-match": tag})
        reply = await world.client.get("/me", access_token=USER, headers={"if-none-match": tag})
        assert reply.status == 304
        assert json.loads(reply.header("x-app-usage") or "")["call_count"] == 50


async def test_only_successful_reads_have_an_etag(client: Asgi) -> None:
    assert (await client.get("/me")).header("etag") is None
    assert (await client.get("/me", headers={"if-none-match": "*"})).status == 400
    assert (await client.post("/me/books", access_token=USER, title="x")).header("etag") is None
    assert (await client.delete("/1", access_token=USER)).header("etag") is None
    reply = await client.get("/me", access_token=USER, callback="fn", headers={"if-none-match": "*"})
    assert reply.status == 200


# ------------------------------------------------------------------------------------------------ debug


async def test_debug_adds_messages_of_its_level(client: Asgi) -> None:
    warning = {"message": "shelves are old", "type": "warning", "link": "https://example.com/shelves"}
    info = {"message": "shelves are read", "type": "info"}
    for level, messages in (("all", [warning, info]), ("info", [warning, info]), ("warning", [warning])):
        reply = await client.get("/me/shelves", access_token=USER, debug=level, limit=1)
        assert reply.json()["__debug__"] == {"messages": messages}
    assert "__debug__" not in (await client.get("/me/shelves", access_token=USER)).json()
    assert "__debug__" not in (await client.get("/me/shelves", access_token=USER, debug="x")).json()
    assert (await client.get("/me", access_token=USER, debug="all")).json()["__debug__"] == {"messages": []}


# ------------------------------------------------------------------------------------------------ usage headers


async def test_usage_headers_by_kind_of_token(client: Asgi) -> None:
    assert (await client.get("/me", access_token=USER)).header(
        "x-app-usage"
    ) == '{"call_count":0,"total_time":0,"total_cputime":0}'
    assert (await client.get("/1001", access_token=APP_TOKEN)).header("x-app-usage")
    page = await client.get("/me", access_token=PAGE_TOKEN)
    assert page.header("x-app-usage") is None
    assert page.header("x-business-use-case-usage") == (
        '{"5001":[{"type":"pages","call_count":0,"total_cputime":0,"total_time":0,"estimated_time_to_regain_access":0}]}'
    )
    assert (await client.get("/echo")).header("x-app-usage") is None
    assert (await client.get("/nobody", access_token=USER)).header("x-app-usage")


async def test_http_1_0_without_a_host_still_gets_links() -> None:
    async with opened_world() as world:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": "/me/books", "query_string": b"access_token=USER&limit=1", "headers": [],
            "scheme": "http", "client": None, "server": ("127.0.0.1", 99),
        }  # fmt: skip
        await world.http(scope, receive, send)
        assert b"http://127.0.0.1:99/v26.0/1001/books?" in sent[1]["body"]


async def test_links_use_the_public_url_when_there_is_one() -> None:
    async with opened_world(public_url="https://graph.example/") as world:
        reply = await world.client.get("/me/books", access_token=USER, limit=1)
        assert reply.json()["paging"]["next"].startswith("https://graph.example/v26.0/1001/books?")
        assert world.clock.now_ms() == NOW_MS
