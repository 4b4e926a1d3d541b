"""What must not reach the application: smuggled, oversize and endless requests, over raw sockets to a real uvicorn."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from uvicorn import Config, Server

from polynym.graph.bounds import GuardLimits, peer_of
from polynym.graph.guard import guarded_protocol
from polynym.graph.whole import WHOLE, header_lines

pytestmark = pytest.mark.anyio

LIMITS = GuardLimits(
    body_bytes_max=64 * 1024, multipart_bytes_max=256 * 1024, linger_s=0.3, trace_id=lambda: "AtestTraceId"
)
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class App:
    """Answers every request with what it saw, and remembers the requests that came whole."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.headers: list[dict[bytes, bytes]] = []
        self.gone = asyncio.Event()
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.begun.set()
        if path == "/endless":
            await self._endless(send)
            return
        body = b""
        if path != "/early":
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.gone.set()
                    return
                body += message["body"]
                if not message["more_body"]:
                    break
        if path == "/wait":
            await self.go.wait()
        self.seen.append((scope["method"], path, body))
        self.headers.append(dict(scope["headers"]))
        text = b"x" * 20_000_000 if path == "/blob" else f"{path} {len(body)}".encode()
        head = header_lines([(b"content-length", b"%d" % len(text))])
        # Both ways of answering, in turn: whatever a test says holds for both and for their mixture.
        if len(self.seen) % 2 and scope["extensions"][WHOLE](200, head, text):
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})

    async def _endless(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        self.gone.set()

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.seen]


class Running:
    """A served app and ways to talk to it."""

    def __init__(self, app: App, port: int, connections: set[Any]) -> None:
        self._connections = connections
        self.app = app
        self.port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Pair:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def say(self, data: bytes) -> bytes:
        """Everything the server answers until it closes."""
        reader, writer = await self.connect()
        writer.write(data)
        return await until_closed(reader)

    async def is_left(self) -> None:
        """Wait until the server has let go of every connection."""
        never = asyncio.get_running_loop().create_future()
        for _ in range(500):
            if not self._connections:
                return
            await asyncio.wait({never}, timeout=0.02)
        raise AssertionError(f"{len(self._connections)} connections are still open")

    async def end(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), 30)


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next answer of a connection."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


@asynccontextmanager
async def serving(limits: GuardLimits = LIMITS) -> AsyncIterator[Running]:
    app = App()
    config = Config(app, http=guarded_protocol(limits), ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    # Without the protocol's number, asyncio would not switch Nagle's algorithm off for what is accepted.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    await server.startup(sockets=[listener])
    running = Running(app, listener.getsockname()[1], server.server_state.connections)
    try:
        yield running
    finally:
        app.go.set()
        await running.end()
        await server.shutdown(sockets=[listener])


def assert_refused(raw: bytes, status: int) -> None:
    """One answer, shaped like a Graph error, that says it is the last."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), raw[:200]
    assert b"\r\nconnection: close" in head
    assert b"\r\ncontent-type: application/json; charset=UTF-8" in head
    error = json.loads(body)["error"]
    assert error["type"] == "OAuthException"
    assert error["fbtrace_id"] == "AtestTraceId"
    assert isinstance(error["code"], int)
    assert error["message"].startswith(f"(#{error['code']}) ")


NEXT = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def get(*headers: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    return b"\r\n".join([line, *([host] if host else []), *headers]) + b"\r\n\r\n"


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return get(*headers, line=b"POST / HTTP/1.1") + body


TE = b"Transfer-Encoding: chunked"
SMUGGLING = {
    "two hosts": get(b"Host: b"),
    "the same host twice": get(b"Host: a"),
    "two hosts in different case": get(b"hOST: b"),
    "no host": get(host=b""),
    "length twice, different": post(b"Content-Length: 1", b"Content-Length: 40", body=b"x"),
    "length twice, equal": post(b"Content-Length: 1", b"content-length: 1", body=b"x"),
    "length list": post(b"Content-Length: 1, 1", body=b"x"),
    "length with a plus": post(b"Content-Length: +1", body=b"x"),
    "length with a minus": post(b"Content-Length: -1", body=b"x"),
    "length in hex": post(b"Content-Length: 0x1", body=b"x"),
    "length with a point": post(b"Content-Length: 1.0", body=b"x"),
    "length with an inner space": post(b"Content-Length: 1 1", body=b"x"),
    "length empty": post(b"Content-Length: ", body=b""),
    "length over 64 bits": post(b"Content-Length: 18446744073709551617", body=b"x"),
    "length with 5000 zeros": post(b"Content-Length: " + b"0" * 5000 + b"1", body=b"x"),
    "length and coding": post(b"Content-Length: 4", TE, body=b"0\r\n\r\n"),
    "coding and length": post(TE, b"Content-Length: 4", body=b"0\r\n\r\n"),
    "coding xchunked": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "coding identity": post(b"Transfer-Encoding: identity", body=b"0\r\n\r\n"),
    "coding gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "coding chunked, identity": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "coding chunked, chunked": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "coding with a comma": post(b"Transfer-Encoding: chunked,", body=b"0\r\n\r\n"),
    "coding in quotes": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "coding with parameters": post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"),
    "coding with a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "coding with a NUL": post(b"Transfer-Encoding: chunked\x00", body=b"0\r\n\r\n"),
    "coding with a high byte": post(b"Transfer-Encoding: chunked\xa0", body=b"0\r\n\r\n"),
    "coding empty": post(b"Transfer-Encoding: ", body=b"0\r\n\r\n"),
    "coding twice": post(TE, TE, body=b"0\r\n\r\n"),
    "coding twice, gzip first": post(b"Transfer-Encoding: gzip", TE, body=b"0\r\n\r\n"),
    "coding twice, identity last": post(TE, b"Transfer-Encoding: identity", body=b"0\r\n\r\n"),
    "coding with an underscore": post(b"Transfer_Encoding: chunked", body=b""),
    "length with an underscore": post(b"Content_Length: 40", body=b""),
    "coding before a colon with a space": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "coding before a colon with a tab": post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"),
    "coding on the next line": post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"),
    "coding in HTTP/1.0": get(TE, line=b"POST / HTTP/1.0") + b"0\r\n\r\n",
    "space before the colon": get(b"X : y"),
    "header without a name": get(b": y"),
    "header without a colon": get(b"X"),
    "header with a space in its name": get(b"X Y: z"),
    "header name with a high byte": get(b"X\xff: z"),
    "folded header": get(b"X: a", b" b"),
    "folded header with a tab": get(b"X: a", b"\tb"),
    "folded first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "NUL in a header": get(b"X: a\x00b"),
    "bare CR in a header": get(b"X: a\rb"),
    "bare LF after a header": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "chunk size 0x": post(TE, body=b"0x1\r\nx\r\n0\r\n\r\n"),
    "chunk size with a plus": post(TE, body=b"+1\r\nx\r\n0\r\n\r\n"),
    "chunk size with a minus": post(TE, body=b"-1\r\nx\r\n0\r\n\r\n"),
    "chunk size with a space": post(TE, body=b"1 \r\nx\r\n0\r\n\r\n"),
    "chunk size with an underscore": post(TE, body=b"1_0\r\nx\r\n0\r\n\r\n"),
    "chunk size over 64 bits": post(TE, body=b"fffffffffffffffff\r\nx\r\n0\r\n\r\n"),
    "chunk size empty": post(TE, body=b"\r\nx\r\n0\r\n\r\n"),
    "chunk size ended by LF": post(TE, body=b"1\nx\r\n0\r\n\r\n"),
    "chunk extension ended by LF": post(TE, body=b"1;a\nx\r\n0\r\n\r\n"),
    "chunk longer than it says": post(TE, body=b"1\r\nxx\r\n0\r\n\r\n"),
    "chunk without its line end": post(TE, body=b"1\r\nx0\r\n\r\n"),
    "chunk extension of 64 kB": post(TE, body=b"1;" + b"a" * 65536 + b"\r\nx\r\n0\r\n\r\n"),
    "many chunk extensions": post(TE, body=(b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 16 + b"0\r\n\r\n"),
    "trailers of 64 kB": post(TE, body=b"0\r\n" + b"T: v\r\n" * 11_000 + b"\r\n"),
    "trailer with a length": post(TE, body=b"0\r\nContent-Length: 40\r\n\r\n"),
    "trailer with a host": post(TE, body=b"0\r\nHost: b\r\n\r\n"),
    "trailer with a coding": post(TE, body=b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "target without a slash": get(line=b"GET x HTTP/1.1"),
    "target of another host": get(line=b"GET http://b/ HTTP/1.1"),
    "target with a user": get(line=b"GET http://a@b/ HTTP/1.1"),
    "target of another scheme": get(line=b"GET ftp://a/ HTTP/1.1"),
    "target without a path": get(line=b"GET http://a HTTP/1.1"),
    "target asterisk": get(line=b"OPTIONS * HTTP/1.1"),
    "target with a space": get(line=b"GET /a b HTTP/1.1"),
    "target with a NUL": get(line=b"GET /\x00 HTTP/1.1"),
    "target with a high byte": get(line=b"GET /\xff HTTP/1.1"),
    "CONNECT": get(line=b"CONNECT b:443 HTTP/1.1"),
    "lower-case method": get(line=b"get / HTTP/1.1"),
    "unknown method": get(line=b"SMUGGLE / HTTP/1.1"),
    "tab in the request line": get(line=b"GET\t/\tHTTP/1.1"),
    "lower-case version": get(line=b"GET / http/1.1"),
    "no version number": get(line=b"GET / HTTP/"),
    "HTTP/1.2": get(line=b"GET / HTTP/1.2"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
    "noise": bytes(range(256)) * 10,
}
OVERSIZE = {
    "URL of 8 KiB and one": (414, get(line=b"GET /" + b"a" * 8192 + b" HTTP/1.1")),
    "URL of 100 kB": (414, get(line=b"GET /" + b"a" * 100_000 + b" HTTP/1.1")),
    "URL that never ends": (414, b"GET /" + b"a" * 100_000),
    "header line over 8 KiB": (431, get(b"X: " + b"a" * 8190)),
    "header line of 200 kB": (431, get(b"X: " + b"a" * 200_000)),
    "header value that never ends": (431, get()[:-2] + b"X: " + b"a" * 200_000),
    "header name that never ends": (431, get()[:-2] + b"a" * 200_000),
    "headers over 32 KiB": (431, get(*[b"X: " + b"a" * 1000] * 34)),
    "101 headers": (431, get(*[b"X: y"] * 100)),
    "10000 headers": (431, get(*[b"X: y"] * 10_000)),
    "headers that never end": (431, get(*[b"X: y"] * 20_000)[:-2]),
    "declared JSON over its bound": (413, post(b"Content-Type: application/json", b"Content-Length: 65537")),
    "declared 100 MB": (413, post(b"Content-Length: 100000000")),
    "declared form over its bound": (
        413,
        post(b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 65537"),
    ),
    "declared multipart over its bound": (413, post(b"Content-Type: multipart/form-data", b"Content-Length: 262145")),
    "sent and declared over its bound": (413, post(b"Content-Length: 5000000", body=b"x" * 5_000_000)),
    "streamed over its bound": (413, post(TE, body=b"10001\r\n" + b"x" * 65537 + b"\r\n0\r\n\r\n")),
    "streamed without end": (413, post(TE, body=b"ffffffff\r\n" + b"x" * 1_000_000)),
    "streamed in small chunks": (413, post(TE, body=b"1\r\nx\r\n" * 70_000)),
    "streamed multipart over its bound": (
        413,
        post(b"Content-Type: Multipart/form-data", TE, body=b"40001\r\n" + b"x" * 262145 + b"\r\n0\r\n\r\n"),
    ),
    "HTTP/2.0": (505, get(line=b"GET / HTTP/2.0")),
    "HTTP/0.9": (505, get(line=b"GET / HTTP/0.9")),
}


@pytest.mark.parametrize("name", SMUGGLING)
async def test_a_message_with_doubtful_framing_is_refused_and_the_connection_ends(name: str) -> None:
    async with serving() as server:
        assert_refused(await server.say(SMUGGLING[name] + NEXT), 400)
        assert server.app.seen == []


@pytest.mark.parametrize("name", SMUGGLING)
async def test_doubtful_framing_is_refused_just_the_same_byte_by_byte(name: str) -> None:
    data = SMUGGLING[name] + NEXT
    async with serving() as server:
        reader, writer = await server.connect()
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(min(len(data), 200)):
            writer.write(data[at : at + 1])
            await writer.drain()
        writer.write(data[200:])
        assert_refused(await until_closed(reader), 400)
        assert server.app.seen == []


@pytest.mark.parametrize("name", OVERSIZE)
async def test_a_message_over_a_bound_is_refused_and_the_connection_ends(name: str) -> None:
    status, data = OVERSIZE[name]
    async with serving() as server:
        assert_refused(await server.say(data + NEXT), status)
        assert server.app.seen == []


@pytest.mark.parametrize("name", [*SMUGGLING, *OVERSIZE])
async def test_earlier_requests_of_the_connection_are_answered_before_the_refusal(name: str) -> None:
    status, data = OVERSIZE.get(name) or (400, SMUGGLING[name])
    if name == "TLS hello":
        data = data[:3]
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(get(line=b"GET /first HTTP/1.1") + get(line=b"GET /wait HTTP/1.1") + data + NEXT)
        assert await answer(reader) == (200, b"/first 0")
        server.app.go.set()
        assert await answer(reader) == (200, b"/wait 0")
        assert_refused(await until_closed(reader), status)
        assert server.app.paths == ["/first", "/wait"]


AT_THE_BOUND = {
    "URL of 8 KiB": get(line=b"GET /" + b"a" * 8191 + b" HTTP/1.1"),
    "header line of 8 KiB": get(b"X: " + b"a" * 8189),
    "headers of almost 32 KiB": get(*[b"X: " + b"a" * 1000] * 32),
    "100 headers": get(*[b"X: y"] * 99),
    "declared": post(b"Content-Length: 65536", body=b"x" * 65536),
    "declared multipart": post(b"Content-Type: multipart/form-data", b"Content-Length: 262144", body=b"x" * 262144),
    "streamed": post(TE, body=b"10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n"),
    "streamed in small chunks": post(TE, body=b"1\r\nx\r\n" * 65536 + b"0\r\n\r\n"),
    "small chunk extensions": post(TE, body=b"1;a=b\r\nx\r\n" * 1000 + b"0\r\n\r\n"),
    "one long chunk extension": post(TE, body=b"1;" + b"a" * 8000 + b"\r\nx\r\n0\r\n\r\n"),
    "coding in capitals": post(b"TRANSFER-ENCODING: CHUNKED", body=b"1\r\nx\r\n0\r\n\r\n"),
    "HTTP/1.0 kept to one": get(line=b"GET / HTTP/1.0"),
    "HTTP/1.0 without a host": get(line=b"GET / HTTP/1.0", host=b""),
    "absolute target": get(line=b"GET http://A/x?y HTTP/1.1"),
    "empty lines first": b"\r\n\r\n" + get(),
}


@pytest.mark.parametrize("name", AT_THE_BOUND)
async def test_a_message_at_a_bound_is_answered(name: str) -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(AT_THE_BOUND[name])
        status, _ = await answer(reader)
        assert status == 200
        assert len(server.app.seen) == 1


async def test_smaller_bounds_than_a_read_hold_for_every_pipelined_request() -> None:
    async with serving(replace(LIMITS, header_line_max=100, url_bytes_max=50)) as server:
        raw = await server.say(get() + get(b"X: " + b"a" * 100) + NEXT)
        assert b" 431 " in raw
        assert server.app.paths == ["/"]
        raw = await server.say(get() + get(line=b"GET /" + b"a" * 60 + b" HTTP/1.1") + NEXT)
        assert b" 414 " in raw
        assert server.app.paths == ["/", "/"]


async def test_the_bound_of_a_header_line_holds_across_reads() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        data = get() * 200 + get(b"X: " + b"a" * 12_000) + NEXT
        writer.write(data)
        raw = await until_closed(reader)
        assert raw.count(b"HTTP/1.1 200 ") == 200
        assert raw.count(b"HTTP/1.1 431 ") == 1


# --------------------------------------------------------------------------------------------- what must go on working


async def test_pipelined_requests_are_answered_in_order_however_many() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(b"".join(get(line=b"GET /%d HTTP/1.1" % n) for n in range(5000)))
        for number in range(5000):
            assert await answer(reader) == (200, b"/%d 0" % number)


async def test_pipelined_requests_with_bodies_keep_their_bodies() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        bodies = [b"x" * (n * 97 % 5000) for n in range(300)]
        for number, body in enumerate(bodies):
            if number % 2:
                writer.write(post(b"Content-Length: %d" % len(body), body=body))
            else:
                chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
                writer.write(post(TE, body=chunk + b"0\r\nX-Trailer: v\r\n\r\n"))
        for body in bodies:
            assert await answer(reader) == (200, b"/ %d" % len(body))
        assert [body for _, _, body in server.app.seen] == bodies
        assert not any(b"x-trailer" in headers for headers in server.app.headers)


async def test_queued_requests_wait_as_bytes_while_the_first_is_slow() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(get(line=b"GET /wait HTTP/1.1") + get(line=b"GET /next HTTP/1.1") * 20_000)
        await server.app.begun.wait()
        server.app.go.set()
        assert await answer(reader) == (200, b"/wait 0")
        for _ in range(20_000):
            assert await answer(reader) == (200, b"/next 0")


async def test_a_connection_is_kept_for_further_requests() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        for number in range(20):
            writer.write(post(b"Content-Length: 3", body=b"abc") if number % 2 else get())
            assert await answer(reader) == (200, b"/ 3" if number % 2 else b"/ 0")


async def test_a_whole_answer_and_a_sent_one_are_the_same_bytes() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        answers = []
        for _ in range(2):
            writer.write(get())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            answers.append((re.sub(rb"date: [^\r]*", b"date:", head), await reader.readexactly(3)))
        assert answers[0] == answers[1]


def once(scope: Any) -> tuple[int, bytes, bytes] | None:
    """Answers what begins with /once without a task."""
    text = b"once " + scope["path"].encode()
    return (200, b"content-length: %d\r\n" % len(text), text) if scope["path"].startswith("/once") else None


async def test_answers_given_at_once_keep_their_place_among_the_others() -> None:
    async with serving(replace(LIMITS, at_once=once)) as server:
        reader, writer = await server.connect()
        paths = [b"/%s%d" % (b"once" if n % 3 == 1 else b"", n) for n in range(300)]
        writer.write(b"".join(get(line=b"GET %s HTTP/1.1" % path) for path in paths))
        for path in paths:
            expected = b"once " + path if b"once" in path else path + b" 0"
            assert await answer(reader) == (200, expected)
        assert not any("once" in path for path in server.app.paths)


async def test_an_answer_given_at_once_leaves_the_connection_as_long_to_live_as_any_other() -> None:
    never = asyncio.get_running_loop().create_future()
    async with serving(replace(LIMITS, at_once=once, head_timeout_s=0.1, keep_alive_s=30)) as server:
        reader, writer = await server.connect()
        request = get(line=b"GET /once HTTP/1.1")
        for pieces in ([request], [request[:9], request[9:]]):
            for piece in pieces:
                writer.write(piece)
                await asyncio.wait({never}, timeout=0.02)
            assert await answer(reader) == (200, b"once /once")
            await asyncio.wait({never}, timeout=0.4)
        writer.write(request)
        assert await answer(reader) == (200, b"once /once")


async def test_an_answer_given_at_once_to_a_last_request_ends_the_connection() -> None:
    async with serving(replace(LIMITS, at_once=once)) as server:
        told = await server.say(get(b"Connection: close", line=b"GET /once HTTP/1.1"))
        assert b"connection: close" in told
        assert await server.say(get(b"Connection: close", b"X: " + b"x" * 70_000, line=b"GET /once HTTP/1.1"))


async def test_a_connection_that_is_to_end_ends_after_either_kind_of_answer() -> None:
    async with serving() as server:
        for _ in range(2):
            told = await server.say(get(b"Connection: close"))
            assert b"connection: close" in told
            assert told.endswith(b"/ 0")


async def test_a_request_may_come_byte_by_byte() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        for byte in post(b"Content-Length: 3", body=b"abc"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert await answer(reader) == (200, b"/ 3")


async def test_a_client_that_asks_before_sending_its_body_is_told_to_go_on() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(post(b"Content-Length: 3", b"Expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert await answer(reader) == (200, b"/ 3")


async def test_a_client_that_asks_before_too_large_a_body_is_refused_at_once() -> None:
    async with serving() as server:
        assert_refused(await server.say(post(b"Content-Length: 70000", b"Expect: 100-continue")), 413)


@pytest.mark.parametrize(
    "upgrade",
    [
        (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13"),
        (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        (b"Upgrade: h2c", b"Connection: keep-alive, upgrade"),
    ],
)
async def test_a_request_for_another_protocol_is_answered_as_the_plain_request_it_is(
    upgrade: tuple[bytes, ...],
) -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(
            get(*upgrade)
            + post(*upgrade, b"Content-Length: 40", body=b"x" * 4 + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx")
            + post(*upgrade, TE, body=b"3\r\nabc\r\n0\r\n\r\n")
            + get(line=b"GET /last HTTP/1.1")
        )
        assert [await answer(reader) for _ in range(4)] == [
            (200, b"/ 0"),
            (200, b"/ 40"),
            (200, b"/ 3"),
            (200, b"/last 0"),
        ]
        assert all(b"upgrade" not in headers for headers in server.app.headers)


async def test_a_request_for_another_protocol_is_held_to_the_same_bounds() -> None:
    upgrade = (b"Connection: Upgrade", b"Upgrade: h2c")
    async with serving() as server:
        assert_refused(await server.say(post(*upgrade, b"Content-Length: 70000") + NEXT), 413)
        assert_refused(await server.say(post(*upgrade, TE, body=b"0x1\r\nx\r\n0\r\n\r\n") + NEXT), 400)
        assert_refused(await server.say(get(*upgrade, b"Host: b") + NEXT), 400)
        assert server.app.seen == []


async def test_a_body_the_application_did_not_want_is_passed_over() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(get(b"Content-Length: 40000", line=b"POST /early HTTP/1.1"))
        assert await answer(reader) == (200, b"/early 0")
        writer.write(b"x" * 40_000 + get())
        assert await answer(reader) == (200, b"/ 0")


async def test_broken_framing_after_an_early_answer_ends_the_connection() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(get(TE, line=b"POST /early HTTP/1.1"))
        assert await answer(reader) == (200, b"/early 0")
        writer.write(b"0x1\r\n" + NEXT)
        assert await until_closed(reader) == b""
        assert server.app.paths == ["/early"]


async def test_a_running_application_is_told_when_its_request_is_refused() -> None:
    async with serving() as server:
        reader, writer = await server.connect()
        writer.write(post(TE, body=b"3\r\nabc\r\n"))
        await server.app.begun.wait()
        writer.write(b"zz\r\n")
        assert_refused(await until_closed(reader), 400)
        await asyncio.wait_for(server.app.gone.wait(), 5)
        assert server.app.seen == []


async def test_a_refusal_carries_the_servers_own_headers() -> None:
    async with serving(replace(LIMITS, headers=((b"facebook-api-version", b"v19.0"),))) as server:
        assert b"\r\nfacebook-api-version: v19.0\r\n" in await server.say(get(host=b""))


# --------------------------------------------------------------------------------------------- slow clients

QUICK = replace(LIMITS, head_timeout_s=0.5, body_grace_s=0.25, rate_min=1000, keep_alive_s=0.5, write_stall_s=0.25)


async def drip(pair: Pair, data: bytes, every_s: float = 0.02) -> bytes:
    """Send byte after byte until the server closes; what it said."""
    reader, writer = pair
    said = asyncio.ensure_future(until_closed(reader))
    for byte in data:
        writer.write(bytes([byte]))
        done, _ = await asyncio.wait({said}, timeout=every_s)
        if done:
            break
    try:
        return await said
    except ConnectionResetError:
        # Closed without a word while a byte was under way.
        return b""


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with serving(QUICK) as server:
        assert await server.say(b"") == b""


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
async def test_half_a_head_is_cut_in_time(start: bytes) -> None:
    async with serving(QUICK) as server:
        assert_refused(await server.say(start), 408)


async def test_bytes_that_trickle_in_do_not_extend_the_time_of_a_head() -> None:
    async with serving(QUICK) as server:
        assert_refused(await drip(await server.connect(), b"GET /" + b"a" * 1000), 408)


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with serving(QUICK) as server:
        assert await drip(await server.connect(), b"\r\n" * 500) == b""


@pytest.mark.parametrize("first", [get(), post(b"Content-Length: 3", body=b"abc")])
async def test_half_a_head_after_a_whole_request_is_cut_in_time(first: bytes) -> None:
    async with serving(replace(QUICK, keep_alive_s=30)) as server:
        pair = await server.connect()
        pair[1].write(first)
        assert (await answer(pair[0]))[0] == 200
        assert_refused(await drip(pair, b"GET /" + b"a" * 1000), 408)


@pytest.mark.parametrize(
    "head",
    [post(b"Content-Length: 1000"), post(TE), post(b"Content-Type: multipart/form-data", b"Content-Length: 1000")],
)
async def test_a_body_that_stops_is_cut(head: bytes) -> None:
    async with serving(QUICK) as server:
        assert_refused(await server.say(head), 408)
        await asyncio.wait_for(server.app.gone.wait(), 5)


async def test_a_body_that_trickles_is_cut() -> None:
    async with serving(QUICK) as server:
        pair = await server.connect()
        pair[1].write(post(b"Content-Length: 1000"))
        assert_refused(await drip(pair, b"x" * 1000), 408)
        assert server.app.seen == []


async def test_a_body_that_is_fast_enough_may_take_longer_than_the_grace() -> None:
    async with serving(replace(QUICK, rate_min=2, body_grace_s=0.5)) as server:
        reader, writer = await server.connect()
        writer.write(post(b"Content-Length: 20"))
        said = asyncio.ensure_future(answer(reader))
        for _ in range(20):
            await asyncio.wait({said}, timeout=0.06)
            writer.write(b"x")
        assert await said == (200, b"/ 20")


async def test_an_idle_connection_is_closed_after_the_keep_alive_time() -> None:
    async with serving(QUICK) as server:
        reader, writer = await server.connect()
        for _ in range(3):
            writer.write(get())
            assert (await answer(reader))[0] == 200
        assert await until_closed(reader) == b""


async def test_a_request_that_takes_long_is_not_idle() -> None:
    async with serving(QUICK) as server:
        reader, writer = await server.connect()
        writer.write(get() + get(line=b"GET /wait HTTP/1.1"))
        assert (await answer(reader))[0] == 200
        said = asyncio.ensure_future(answer(reader))
        await asyncio.wait({said}, timeout=1)
        assert not said.done()
        server.app.go.set()
        assert await said == (200, b"/wait 0")


async def test_a_client_whose_bytes_we_hold_back_is_not_slow() -> None:
    async with serving(QUICK) as server:
        reader, writer = await server.connect()
        writer.write(get(line=b"GET /wait HTTP/1.1") + get() * 500 + get()[:-2])
        said = asyncio.ensure_future(answer(reader))
        await asyncio.wait({said}, timeout=1)
        server.app.go.set()
        assert await said == (200, b"/wait 0")
        for _ in range(500):
            assert await answer(reader) == (200, b"/ 0")
        assert_refused(await until_closed(reader), 408)


@pytest.mark.parametrize("path", [b"/endless", b"/blob"])
async def test_a_client_that_does_not_read_is_cut(path: bytes) -> None:
    async with serving(QUICK) as server:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        with client:
            await loop.sock_connect(client, ("127.0.0.1", server.port))
            await loop.sock_sendall(client, get(line=b"GET %s HTTP/1.1" % path))
            await server.app.begun.wait()
            await server.is_left()
            got = 0
            while part := await loop.sock_recv(client, 1 << 20):
                got += len(part)
            assert got < 16_000_000


async def test_a_client_that_reads_late_gets_everything() -> None:
    async with serving(replace(LIMITS, write_stall_s=20)) as server:
        reader, writer = await server.connect()
        writer.write(get(line=b"GET /blob HTTP/1.1"))
        await server.app.begun.wait()
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.1)
        status, body = await answer(reader)
        assert (status, len(body)) == (200, 20_000_000)
        writer.write(get())
        assert await answer(reader) == (200, b"/ 0")


async def test_500_slow_clients_do_not_keep_others_waiting() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    async with serving(replace(LIMITS, head_timeout_s=5)) as server:
        slow = []
        for number in range(500):
            reader, writer = await server.connect()
            writer.write((b"GET / HTTP/1.1\r\nHo", post(b"Content-Length: 9"), b"G", b"\r\n")[number % 4])
            slow.append(reader)
        reader, writer = await server.connect()
        for _ in range(20):
            writer.write(get(line=b"GET /health HTTP/1.1"))
            assert await asyncio.wait_for(answer(reader), 2) == (200, b"/health 0")
        for number, reader in enumerate(slow):
            if number % 4 in (0, 2):
                assert_refused(await until_closed(reader), 408)


# --------------------------------------------------------------------------------------------- crowds


async def test_one_address_may_have_so_many_connections_and_no_more() -> None:
    async with serving(replace(LIMITS, connections_loopback_max=3)) as server:
        pairs = [await server.connect() for _ in range(3)]
        for reader, writer in pairs:
            writer.write(get())
            assert (await answer(reader))[0] == 200
        assert_refused(await server.say(get()), 429)
        pairs[0][1].close()
        await pairs[0][1].wait_closed()
        for _ in range(5):
            pairs[1][1].write(get())
            assert (await answer(pairs[1][0]))[0] == 200
        reader, writer = await server.connect()
        writer.write(get())
        assert (await answer(reader))[0] == 200


async def test_a_flood_of_connections_is_not_even_told_why() -> None:
    async with serving(replace(LIMITS, connections_loopback_max=1, linger_s=5)) as server:
        reader, writer = await server.connect()
        writer.write(get())
        assert (await answer(reader))[0] == 200
        assert_refused(await server.say(get()), 429)
        for _ in range(20):
            try:
                assert await server.say(b"") == b""
            except ConnectionResetError:
                continue
        writer.write(get())
        assert (await answer(reader))[0] == 200


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("127.0.0.1", ("127.0.0.1", True)),
        ("::1", ("::1", True)),
        ("::ffff:127.0.0.1", ("127.0.0.1", True)),
        ("::ffff:192.0.2.1", ("192.0.2.1", False)),
        ("192.0.2.1", ("192.0.2.1", False)),
        ("2001:db8:1:2:3:4:5:6", ("2001:db8:1:2::", False)),
        ("2001:db8:1:2:ffff::1", ("2001:db8:1:2::", False)),
        ("testclient", ("testclient", False)),
    ],
)
def test_an_ipv6_client_is_counted_by_its_network(address: str, peer: tuple[str, bool]) -> None:
    assert peer_of(address) == peer
