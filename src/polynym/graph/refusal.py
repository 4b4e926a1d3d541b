"""Requests that are answered before any handler sees them: the statuses, the texts, the bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request the guard answers itself: HTTP status, Graph code and text."""

    status: int
    code: int
    message: str
    transient: bool = False


class RefusedError(Exception):
    """Stops a parser from inside one of its callbacks."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why.message)
        self.why = why


def _malformed(why: str) -> Refusal:
    return Refusal(400, 100, f"(#100) Invalid HTTP request: {why}")


INVALID = _malformed("it cannot be parsed")
HOST_MISSING = _malformed("no Host header")
HOST_TWICE = _malformed("more than one Host header")
LENGTH_TWICE = _malformed("more than one Content-Length header")
ENCODING_BAD = _malformed("Transfer-Encoding is not chunked")
ENCODING_OLD = _malformed("Transfer-Encoding in HTTP/1.0")
BOTH_FRAMINGS = _malformed("Content-Length and Transfer-Encoding together")
LOOKALIKE = _malformed("a header that only looks like one that frames the message")
TRAILER = _malformed("a trailer that frames the message")
TARGET = _malformed("the request target")
CONNECT = _malformed("CONNECT is not supported")
CHUNK_OVERHEAD = _malformed("chunk extensions and trailers are too long")
VERSION = Refusal(505, 100, "(#100) Invalid HTTP request: HTTP/1.1 is spoken here")
URL_LONG = Refusal(414, 100, "(#100) The URL is too long")
HEADER_LONG = Refusal(431, 100, "(#100) A header is too long")
HEADERS_LONG = Refusal(431, 100, "(#100) The headers are too long")
HEADERS_MANY = Refusal(431, 100, "(#100) Too many headers")
BODY_LARGE = Refusal(413, 100, "(#100) The request body is too large")
HEAD_SLOW = Refusal(408, 2, "(#2) The request's headers did not arrive in time", transient=True)
BODY_SLOW = Refusal(408, 2, "(#2) The request's body arrived too slowly", transient=True)
CROWDED = Refusal(429, 4, "(#4) Too many connections from this address", transient=True)


def render(refusal: Refusal, trace_id: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The whole answer, an error as every Graph error looks, closing the connection."""
    error: dict[str, object] = {"message": refusal.message, "type": "OAuthException", "code": refusal.code}
    if refusal.transient:
        error["is_transient"] = True
    error["fbtrace_id"] = trace_id
    body = json.dumps({"error": error}, separators=(",", ":")).encode("ascii")
    trace = trace_id.encode("ascii")
    lines = [
        *headers,
        (b"content-type", b"application/json; charset=UTF-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"access-control-allow-origin", b"*"),
        (b"x-fb-trace-id", trace),
        (b"x-fb-request-id", trace),
        (b"connection", b"close"),
    ]
    head = b"".join(b"%s: %s\r\n" % line for line in lines)
    return STATUS_LINE[refusal.status] + head + b"\r\n" + body
