"""A request as bytes, sent to the ASGI application as the HTTP server would hand it over, and what every answer must be."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlencode

from polynym.app import World
from tests.security.adversary import signed
from tests.security.stage import TOKENS, Stage

TOKEN: Final = {token.name: token for token in TOKENS}
Headers = tuple[tuple[bytes, bytes], ...]

HOST: Final = (b"host", b"127.0.0.1:8484")
FORM: Final = (b"content-type", b"application/x-www-form-urlencoded")
JSON: Final = (b"content-type", b"application/json")
#: What an HTTP header may be made of.
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_NAME: Final = re.compile(rb"[A-Za-z0-9-]+")
_JSONP: Final = re.compile(rb"/\*\*/ [\w$.\[\]]+\((.*)\);", re.DOTALL)
_SERVER_FAULT: Final = 500
_CLIENT_FAULT: Final = 400


@dataclass(frozen=True)
class Raw:
    """Method, target and query as they stand on the request line, headers besides Host, and the body in pieces."""

    method: str
    path: bytes
    query: bytes = b""
    headers: Headers = ()
    body: tuple[bytes, ...] = (b"",)


@dataclass(frozen=True)
class Told:
    """An answer as bytes."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The header of that name."""
        return next((value for key, value in self.headers if key.lower() == name), None)


async def ask(world: World, raw: Raw) -> Told:
    """Send a request; the path is decoded as the server does it."""
    scope = {
        "type": "http", "http_version": "1.1", "method": raw.method, "scheme": "http",
        "path": unquote(raw.path.decode("latin-1")), "raw_path": raw.path, "query_string": raw.query,
        "headers": [HOST, *raw.headers], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8484), "root_path": "",
    }  # fmt: skip
    pieces = list(raw.body)
    sent: list[Any] = []

    async def receive() -> Any:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    await world.asgi(scope, receive, send)
    return Told(sent[0]["status"], sent[0]["headers"], b"".join(message.get("body", b"") for message in sent[1:]))


def fault(raw: Raw, told: Told) -> str | None:
    """What is wrong with an answer: a server error, an answer that no client can read, a header that was broken into."""
    if told.status >= _SERVER_FAULT:
        return f"status {told.status}"
    for name, value in told.headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return f"header {name!r}: {value!r}"
    length = told.header(b"content-length")
    if raw.method != "HEAD" and length is not None and int(length) != len(told.body):
        return f"Content-Length {length!r} of {len(told.body)} bytes"
    if raw.method == "HEAD" or told.status in (204, 304) or not told.body:
        return None if told.status < _CLIENT_FAULT or raw.method == "HEAD" else "an error without a body"
    return _body_fault(raw, told)


def _body_fault(raw: Raw, told: Told) -> str | None:
    content_type = told.header(b"content-type") or b""
    if content_type.startswith((b"image/", b"text/plain", b"application/yaml")):
        return None if told.status < _CLIENT_FAULT else "an error that is not JSON"
    text = told.body
    if content_type.startswith(b"text/javascript"):
        found = _JSONP.fullmatch(text)
        if found is None:
            return "a script that calls nothing"
        text = found[1]
    try:
        body = json.loads(text)
    except ValueError as error:
        return f"not JSON: {error}"
    if told.status < _CLIENT_FAULT:
        return None
    return _error_fault(raw, body)


def _error_fault(raw: Raw, body: Any) -> str | None:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not error["message"]:
        return "an error without a message"
    if raw.path.startswith(b"/_polynym"):
        return None
    if not isinstance(error.get("fbtrace_id"), str) or not isinstance(error.get("type"), str):
        return "an error that is not shaped like the Graph's"
    if error["type"] != "GraphBatchException" and not isinstance(error.get("code"), int):
        return "an error without a code"
    return None


# --------------------------------------------------------------------------------------------------------------- on a stage


async def send(made: Stage, raw: Raw) -> Told:
    """Send it; the answer is one that may be given."""
    told = await ask(made.world, raw)
    found = fault(raw, told)
    assert found is None, (found, str(raw)[:1_500], told.body[:500])
    return told


def message(told: Told) -> str:
    """The message of an error."""
    text: str = json.loads(told.body)["error"]["message"]
    return text


def reading(path: str, token: str, **params: str) -> Raw:
    """A signed GET as bytes."""
    return Raw("GET", path.encode(), urlencode(params | signed(TOKEN[token])).encode())
