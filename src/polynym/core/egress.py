"""The only way out: judge the URL, resolve once, judge every address, connect to the judged address, never follow.

Everything the server sends to the outside goes through an `Egress`: callbacks, verifications, attachment fetches.
No other module opens a socket. Proxy settings of the environment are not read.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from inspect import isawaitable
from typing import Final, Protocol

import httptools

from polynym.core.address import Target
from polynym.core.gate import (
    PUBLIC_POLICY,
    SANDBOX_POLICY,
    EgressError,
    EgressPolicy,
    FakeResolver,
    Gate,
    Reason,
    Resolver,
    Vetted,
)

__all__ = [
    "PUBLIC_POLICY",
    "SANDBOX_POLICY",
    "Egress",
    "EgressError",
    "EgressPolicy",
    "FakeEgress",
    "FakeResolver",
    "Gate",
    "OutRequest",
    "OutResponse",
    "Reason",
    "Resolver",
    "SocketEgress",
    "SystemResolver",
]

TIMEOUT_S: Final = 20.0
ANSWER_BYTES_MAX: Final = 64 * 1024
HEAD_BYTES_MAX: Final = 32 * 1024
CONNECT_TIMEOUT_S: Final = 5.0
ADDRESSES_TRIED_MAX: Final = 4
INTERIM_ANSWERS_MAX: Final = 8
_READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class OutRequest:
    """One request. `timeout_s` covers everything from resolution to the last byte; `max_bytes` bounds the body read.

    Host, Content-Length, Connection and Accept-Encoding are set by the egress and refused in `headers`.
    """

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    timeout_s: float = TIMEOUT_S
    max_bytes: int = ANSWER_BYTES_MAX


@dataclass(frozen=True, slots=True)
class OutResponse:
    """A whole answer, whatever its status; a redirect is an answer like any other. Header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    address: str = ""
    took_ms: int = 0

    def header(self, name: str) -> str | None:
        """The first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)


class Egress(Protocol):
    """What a feature may know about the outside."""

    async def check(self, url: str) -> None:
        """Refuse a URL that `fetch` would refuse now, without connecting. Raises EgressError."""

    async def fetch(self, request: OutRequest) -> OutResponse:
        """Send once and return the whole answer. Raises EgressError, nothing else."""


class SystemResolver:
    """The operating system's resolver, in the loop's thread pool."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Addresses as getaddrinfo orders them, each once."""
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


# ----------------------------------------------------------------------------------------------------- the wire

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OWN_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "accept-encoding",
        "expect",
        "te",
        "trailer",
        "upgrade",
    }
)
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})


def _render(request: OutRequest, target: Target) -> bytes:
    """The request's bytes. A header that would split the message is refused, not cleaned."""
    if request.method not in _METHODS:
        raise EgressError("protocol", "The request's method is not sent.")
    lines = [f"{request.method} {target.path} HTTP/1.1", f"Host: {target.authority}"]
    for name, value in request.headers:
        if not _TOKEN.fullmatch(name) or not _HEADER_VALUE.fullmatch(value) or name.lower() in _OWN_HEADERS:
            raise EgressError("protocol", "The request has a header that cannot be sent.")
        lines.append(f"{name}: {value}")
    # Never compressed: a small answer stays small.
    lines += ["Accept-Encoding: identity", "Connection: close"]
    if request.body or request.method not in ("GET", "HEAD"):
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body


class _Answer:
    """Collects one final answer from httptools' callbacks and refuses what is over its bounds."""

    def __init__(self, method: str, max_bytes: int) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.done = False
        self.problem: EgressError | None = None
        self._method = method
        self._max_bytes = max_bytes
        self._read = 0
        self._interim = 0
        self._head_done = False
        self._framed = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises EgressError."""
        self._read += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.done:
                raise self.problem or EgressError("protocol", "The answer is not valid HTTP.") from None
        # Chunk sizes, trailers and interim answers are bytes as well.
        if not self.done and self._read > self._max_bytes + HEAD_BYTES_MAX:
            raise _too_large()

    def end(self) -> None:
        """The other side closed. Raises EgressError unless that is how the answer's end was to be told."""
        if not self.done and (not self._head_done or self._framed):
            raise EgressError("protocol", "The answer ended too early.")
        self.done = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done or self._head_done:
            return
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))
        if self._read > HEAD_BYTES_MAX + _READ_BYTES:
            self._fail(_too_large())

    def on_headers_complete(self) -> None:
        if self.done:
            return
        self.status = self.parser.get_status_code()
        if self.status < HTTPStatus.OK:
            self._interim += 1
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS or self._interim > INTERIM_ANSWERS_MAX:
                self._fail(EgressError("protocol", "The answer is not a final one."))
            return
        self._head_done = True
        lengths = [value for name, value in self.headers if name == "content-length"]
        self._framed = bool(lengths) or any(name == "transfer-encoding" for name, _ in self.headers)
        if self._method == "HEAD":
            self.done = True
        elif lengths and int(lengths[0]) > self._max_bytes:
            self._fail(_too_large())

    def on_body(self, data: bytes) -> None:
        if self.done:
            return
        self.body += data
        if len(self.body) > self._max_bytes:
            self._fail(_too_large())

    def on_message_complete(self) -> None:
        if self._head_done:
            self.done = True
        else:
            self.headers.clear()

    def _fail(self, problem: EgressError) -> None:
        self.problem = problem
        raise problem


def _too_large() -> EgressError:
    return EgressError("too_large", "The answer is larger than what is read.")


# ----------------------------------------------------------------------------------------------------- the engine

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[str, int, ssl.SSLContext | None, str | None], Awaitable[Streams]]


async def dial_tcp(address: str, port: int, context: ssl.SSLContext | None, name: str | None) -> Streams:
    """Connect to a literal address; `name` is what the certificate must be for."""
    return await asyncio.open_connection(
        address, port, ssl=context, server_hostname=name if context else None, limit=_READ_BYTES
    )


class SocketEgress:
    """The real way out, one connection per request.

    `tls` and `dial` are seams: a context with another trust store, another way to reach a judged address. Each address
    of a name has `connect_timeout_s` to accept, and a `check` has as long to resolve.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        tls: ssl.SSLContext | None = None,
        dial: Dial = dial_tcp,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self.gate = gate
        self._given_tls = tls
        self._dial = dial
        self._connect_timeout_s = connect_timeout_s

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made when first needed: reading every root certificate is a good part of a start."""
        return self._given_tls or ssl.create_default_context()

    async def check(self, url: str) -> None:
        """Refuse a URL that `fetch` would refuse now."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self.gate.vet(url)
        except TimeoutError:
            raise self.gate.error("resolve", "The name was not resolved in time.") from None

    async def fetch(self, request: OutRequest) -> OutResponse:
        """Send once, to a judged address, and read the whole answer."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(request.timeout_s):
                vetted = await self.gate.vet(request.url)
                payload = _render(request, vetted.target)
                (reader, writer), address = await self._connect(vetted)
                try:
                    answer = await self._exchange(reader, writer, payload, request)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise self.gate.error("timeout", f"No whole answer within {request.timeout_s:g} s.") from None
        return OutResponse(
            status=answer.status,
            headers=tuple(answer.headers),
            body=bytes(answer.body),
            address=address,
            took_ms=round((loop.time() - started) * 1000),
        )

    async def _connect(self, vetted: Vetted) -> tuple[Streams, str]:
        """The first judged address that accepts."""
        target = vetted.target
        context = self._tls if target.scheme == "https" else None
        problem = "No address accepted a connection."
        for address in vetted.addresses[:ADDRESSES_TRIED_MAX]:
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    return await self._dial(address, target.port, context, target.host), address
            except ssl.SSLCertVerificationError as error:
                # Told in every policy: the owner must be able to repair it, and only a TLS server has a certificate.
                raise EgressError("tls", f"The certificate is not valid: {error.verify_message}") from None
            except ssl.SSLError as error:
                raise self.gate.error("tls", f"No TLS connection: {error.reason}") from None
            except OSError as error:
                problem = f"{address} port {target.port} did not accept a connection: {error.strerror or 'no answer'}"
        raise self.gate.error("connect", problem)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, payload: bytes, request: OutRequest
    ) -> _Answer:
        answer = _Answer(request.method, request.max_bytes)
        try:
            # Not drained: a server may answer and close before it has read everything, and that answer counts.
            writer.write(payload)
            while not answer.done:
                data = await reader.read(_READ_BYTES)
                answer.feed(data) if data else answer.end()
        except EgressError as error:
            if error.reason == "protocol" and not answer.status:
                raise self.gate.error("protocol", error.detail) from None
            raise
        except (OSError, RuntimeError):  # RuntimeError is what uvloop raises for a connection that is gone
            raise self.gate.error("protocol", "The connection broke before the answer was whole.") from None
        return answer


# ----------------------------------------------------------------------------------------------------- for tests


Handler = Callable[[OutRequest], OutResponse | Awaitable[OutResponse]]


class FakeEgress:
    """An outside that `handler` plays, behind the same judgement of URLs and addresses.

    `sent` lists what was let out, in order. The handler may raise EgressError; its answer is held to `max_bytes`.
    """

    def __init__(
        self, handler: Handler, *, policy: EgressPolicy = PUBLIC_POLICY, resolver: Resolver | None = None
    ) -> None:
        self.gate = Gate(policy, resolver or FakeResolver())
        self.sent: list[OutRequest] = []
        self._handler = handler

    async def check(self, url: str) -> None:
        """Refuse a URL that `fetch` would refuse now."""
        await self.gate.vet(url)

    async def fetch(self, request: OutRequest) -> OutResponse:
        """Judge, remember, ask the handler."""
        vetted = await self.gate.vet(request.url)
        _render(request, vetted.target)
        self.sent.append(request)
        made = self._handler(request)
        response = await made if isawaitable(made) else made
        if len(response.body) > request.max_bytes:
            raise _too_large()
        return replace(response, address=vetted.addresses[0])
