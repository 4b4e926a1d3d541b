"""A client that speaks to an ASGI application in this process: the whole server but the socket."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Reply:
    """One answer as it would go over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first header of that name, any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def error(self) -> dict[str, Any]:
        """The error object; fails the test when the answer is not one."""
        body = self.json()
        assert isinstance(body, dict), body
        assert "error" in body, body
        found: dict[str, Any] = body["error"]
        return found

    @property
    def code(self) -> tuple[int, int, int | None]:
        """HTTP status, Graph code and subcode of an error answer."""
        return self.status, self.error.get("code", 0), self.error.get("error_subcode")


class Asgi:
    """`await client.get("/me", fields="id", access_token=…)`; parameters go where the method carries them."""

    def __init__(self, app: App, host: str = "127.0.0.1:8484") -> None:
        self.app = app
        self.host = host

    async def get(self, target: str, /, *, headers: Mapping[str, str] | None = None, **params: Any) -> Reply:
        """GET with a query string."""
        query = urlencode(_texts(params))
        joined = target + ("&" if "?" in target else "?") + query if query else target
        return await self.send("GET", joined, headers=headers)

    async def post(self, target: str, /, *, headers: Mapping[str, str] | None = None, **params: Any) -> Reply:
        """POST with a form body."""
        form = {"content-type": "application/x-www-form-urlencoded"} | dict(headers or {})
        return await self.send("POST", target, body=urlencode(_texts(params)).encode(), headers=form)

    async def delete(self, target: str, /, **params: Any) -> Reply:
        """DELETE with a query string."""
        return await self.send("DELETE", f"{target}?{urlencode(_texts(params))}")

    async def post_json(self, target: str, value: Any, **headers: str) -> Reply:
        """POST with a JSON body."""
        return await self.send(
            "POST", target, body=json.dumps(value).encode(), headers={"content-type": "application/json"} | headers
        )

    async def follow(self, url: str) -> Reply:
        """GET an absolute URL of this server, such as a paging link."""
        parts = urlsplit(url)
        assert parts.netloc == self.host, url
        return await self.send("GET", f"{parts.path}?{parts.query}")

    async def send(
        self, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Any request, byte for byte."""
        path, _, query = target.partition("?")
        sent = [(b"host", self.host.encode())]
        sent += [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": query.encode("latin-1"), "headers": sent, "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8484), "root_path": "",
        }  # fmt: skip
        messages: list[Any] = []
        incoming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        start = messages[0]
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return Reply(start["status"], pairs, b"".join(m.get("body", b"") for m in messages[1:]))


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
