"""Judging a request's head: sizes and target. What the parser takes and somebody else could read differently."""

from __future__ import annotations

from collections.abc import Sequence

import httptools

from polynym.graph import refusal
from polynym.graph.bounds import GuardLimits
from polynym.graph.refusal import RefusedError

Headers = Sequence[tuple[bytes, bytes]]

_UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})
_CONNECTION_TOKENS = frozenset({b"close", b"keep-alive"})


def check_sizes(bounds: GuardLimits, url: bytes, headers: Headers) -> None:
    """Hold a whole head to its bounds. Raises RefusedError with URL_LONG, HEADERS_MANY, HEADER_LONG or HEADERS_LONG."""
    if len(url) > bounds.url_bytes_max:
        raise RefusedError(refusal.URL_LONG)
    if len(headers) > bounds.headers_max:
        raise RefusedError(refusal.HEADERS_MANY)
    lines = [len(name) + len(value) + 2 for name, value in headers]
    if max(lines, default=0) > bounds.header_line_max:
        raise RefusedError(refusal.HEADER_LONG)
    if sum(lines) + 2 * len(lines) > bounds.headers_bytes_max:
        raise RefusedError(refusal.HEADERS_LONG)


def check_target(url: bytes, headers: Headers) -> None:
    """Accept an absolute target that names the host of the Host header; refuse every other that is not a path."""
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        raise RefusedError(refusal.TARGET) from None
    host = next((value for name, value in headers if name == b"host"), b"")
    authority = url.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0]
    if parsed.schema not in (b"http", b"https") or not parsed.path or authority.lower() != host.lower():
        raise RefusedError(refusal.TARGET)


def body_max(bounds: GuardLimits, headers: Headers) -> int:
    """How many bytes the body may have: an upload more than anything else."""
    upload = any(name == b"content-type" and value[:10].lower() == b"multipart/" for name, value in headers)
    return bounds.multipart_bytes_max if upload else bounds.body_bytes_max


def plain_head(method: bytes, url: bytes, headers: Headers) -> bytes:
    """The head of the same HTTP/1.1 request without the wish to change the protocol."""
    lines = [method + b" " + url + b" HTTP/1.1"]
    for name, value in headers:
        if name == b"connection":
            lines.append(b"connection: " + _without_upgrade(value))
        elif name not in _UPGRADE_HEADERS:
            lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _without_upgrade(connection: bytes) -> bytes:
    return b", ".join(token for token in connection.lower().split(b",") if token.strip() in _CONNECTION_TOKENS)
