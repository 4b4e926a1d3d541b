"""ASGI: request -> Call -> Answer -> bytes, with every header the platform sends.

One callable serves the whole graph; there is no framework below it, because this is the hot path.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, NamedTuple

import msgspec

from polynym.core.clock import Clock
from polynym.core.ids import Ids
from polynym.core.log import Log
from polynym.graph import batch
from polynym.graph.bag import Bag, parse_body, parse_pairs
from polynym.graph.call import Answer, Call
from polynym.graph.dispatch import METHODS, NODE_AND_EDGE, Graph
from polynym.graph.params import truthy
from polynym.graph.path import split_path
from polynym.graph.prepared import TEXT_BYTES_MAX, PreparedReads, Text
from polynym.graph.whole import WHOLE, Headers, Whole, header_lines
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError
from polynym.wire.versions import DEFAULT, NEWEST, Policy, Version, effective, parse_version, version_text

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = Log("polynym.graph")

JSON: Final = b"application/json; charset=UTF-8"
JAVASCRIPT: Final = b"text/javascript; charset=UTF-8"
#: The build number of `x-fb-rev`: any integer, constant for a release.
REVISION: Final = b"1000700000"
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z]{2})?\Z")
_CALLBACK: Final = re.compile(r"[A-Za-z_$][\w$.\[\]]{0,127}\Z", re.ASCII)
_ALWAYS: Final[Headers] = [
    (b"Access-Control-Allow-Origin", b"*"),
    (b"Pragma", b"no-cache"),
    (b"Expires", b"Sat, 01 Jan 2000 00:00:00 GMT"),
    (b"Vary", b"Accept-Encoding"),
    (b"Strict-Transport-Security", b"max-age=15552000; preload"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"x-fb-rev", REVISION),
]
_OK_CACHE: Final = (b"Cache-Control", b"private, no-cache, no-store, must-revalidate")
_ERROR_CACHE: Final = (b"Cache-Control", b"no-store")
_PREFLIGHT: Final[Headers] = [
    (b"Access-Control-Allow-Methods", b"GET, POST, DELETE, PUT, HEAD, OPTIONS"),
    (b"Access-Control-Allow-Headers", b"authorization, content-type, if-none-match, idempotency-key"),
    (b"Access-Control-Max-Age", b"86400"),
]
#: Where a batch may be posted.
_BATCH_PATHS: Final = ((), ("me",))
_BODY_METHODS: Final = frozenset(("POST", "PUT", "DELETE"))
_OK: Final = 200
#: Headers that decide about the answer to a read, Host aside.
_DECIDING: Final = frozenset((b"authorization", b"if-none-match"))
_NOT_MODIFIED: Final = 304
_NO_EXTENSIONS: Final[dict[str, Any]] = {}
_encoder: Final = msgspec.json.Encoder()


class Fixed(NamedTuple):
    """Headers that many answers share, and the same rendered."""

    headers: Headers
    lines: bytes


class Reply(NamedTuple):
    """An answer as it goes out. `fixed` is None when something in it took the place of the usual headers."""

    status: int
    fixed: Fixed | None
    more: Headers
    body: bytes

    @property
    def headers(self) -> Headers:
        """All headers but Content-Length."""
        return self.more if self.fixed is None else self.fixed.headers + self.more


class GraphHttp:
    """The Graph API as an ASGI application."""

    def __init__(
        self, graph: Graph, ids: Ids, clock: Clock, *, policy: Policy, unversioned: str | None, locale: str,
        public_url: str | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self._ids = ids
        self._clock = clock
        self._policy: Policy = policy
        self._unversioned = _configured(unversioned)
        self._locale = locale
        self._public_url = public_url.rstrip("/") if public_url else None
        self.prepared = PreparedReads()
        self._fixed: dict[tuple[Version, bool], Fixed] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        method = scope["method"]
        reply = self._preflight(scope) if method == "OPTIONS" else await self.respond(scope, receive)
        status, fixed, more, body = reply
        if status != _NOT_MODIFIED:
            more.append((b"Content-Length", b"%d" % len(body)))
        if fixed is not None and method != "HEAD":
            whole: Whole | None = scope.get("extensions", _NO_EXTENSIONS).get(WHOLE)
            if whole is not None and whole(status, fixed.lines + header_lines(more), body):
                return
        await send({"type": "http.response.start", "status": status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})

    def at_once(self, scope: Scope) -> tuple[int, bytes, bytes] | None:
        """Status, header lines and body for a read that was asked before, if nothing has to be waited for; else None.

        On SQLite a read never waits: what is under way here either ends, or waits for a transaction that has not begun (a
        review to be opened) and is then given up and asked again in the usual way.
        """
        requested, segments = split_path(scope["path"])
        text = self._text(scope, requested, segments)
        prepared = None if text is None else self.prepared.find(text)
        if prepared is None or not self.graph.may_repeat(prepared, segments[0]):
            return None
        steps = self.graph.answer(prepared.call, prepared, segments[0])
        try:
            steps.send(None)
        except StopIteration as ended:
            status, fixed, more, body = self.encode(prepared.call, ended.value)
        else:
            steps.close()
            return None
        more.append((b"Content-Length", b"%d" % len(body)))
        lines = header_lines(more)
        return status, lines if fixed is None else fixed.lines + lines, body

    async def respond(self, scope: Scope, receive: Receive) -> Reply:
        """The reply to one request."""
        requested, segments = split_path(scope["path"])
        text = self._text(scope, requested, segments)
        prepared = None if text is None else self.prepared.find(text)
        if prepared is not None and self.graph.may_repeat(prepared, segments[0]):
            return self.encode(prepared.call, await self.graph.answer(prepared.call, prepared, segments[0]))
        call = Call("GET", (), DEFAULT, {}, locale=self._locale)
        try:
            await self._read(call, scope, receive)
        except GraphError as error:
            return self.encode(call, self.graph.error(call, error))
        if "batch" in call.params and call.method == "POST" and call.segments in _BATCH_PATHS:
            return self.encode(call, await batch.answer(self, call))
        answer = await self.graph.answer(call)
        if text is not None and not answer.error and (fresh := self.graph.prepare(call)) is not None:
            self.prepared.keep(text, fresh)
        return self.encode(call, answer)

    def _text(self, scope: Scope, requested: Version | None, segments: tuple[str, ...]) -> Text | None:
        """What a read is remembered by; None for a call that something besides its text decides."""
        query: bytes = scope["query_string"]
        if requested is None or len(segments) != NODE_AND_EDGE or len(query) > TEXT_BYTES_MAX:
            return None
        if scope["method"] != "GET" or self._policy != "exact":
            return None
        host = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name in _DECIDING:
                return None
        return query, segments[1], requested, host, scope["scheme"]

    def _preflight(self, scope: Scope) -> Reply:
        """The answer to OPTIONS: yes to everything, with the headers that every answer carries."""
        call = Call("OPTIONS", (), self.version(split_path(scope["path"])[0]), {})
        return self.encode(call, Answer(_OK, b"", list(_PREFLIGHT)))

    def version(self, requested: Version | None) -> Version:
        """The version a call is served by; an unversioned one gets the configured or the oldest usable version."""
        if requested is not None and self._policy == "exact":
            return requested
        if requested is None and self._unversioned is not None:
            return self._unversioned
        return effective(requested, self._policy, self._clock.now_ms())

    async def _read(self, call: Call, scope: Scope, receive: Receive) -> None:
        requested, call.segments = split_path(scope["path"])
        call.version = self.version(requested)
        call.method = scope["method"]
        content_type = _read_headers(call, scope)
        if self._public_url is not None:
            call.origin = self._public_url
        if scope["query_string"]:
            call.query, call.repeated = parse_pairs(scope["query_string"])
            call.params = call.query.copy()
        # The body of a GET is ignored: a token in it is no token (contract graph 1.3).
        if call.method in _BODY_METHODS and (body := await _body(receive, content_type)):
            bag = Bag(call.params, call.query, repeated=call.repeated)
            parse_body(body, content_type, bag)
            call.files, call.repeated = bag.files, bag.repeated
        self.settle(call)

    def settle(self, call: Call) -> None:
        """Apply `method=` and `locale=` and, for reads by POST, let paging links repeat the body's parameters."""
        carrier = call.method
        override = call.params.get("method")
        if isinstance(override, str) and carrier in ("GET", "POST") and override:
            call.method = override.upper()
        if carrier in _BODY_METHODS and METHODS.get(call.method) == "GET":
            call.query = {name: _query_text(value) for name, value in call.params.items()}
        locale = call.params.get("locale")
        if isinstance(locale, str) and _LOCALE.match(locale):
            call.locale, call.locale_given = locale, True

    @staticmethod
    def authorize(call: Call, value: str) -> None:
        """Take a token, or a name and password, from an Authorization header."""
        _read_authorization(call, value)

    def encode(self, call: Call, answer: Answer) -> Reply:
        """The bytes of an answer: envelope, ETag, JSONP, pretty printing and all response headers."""
        try:
            return self._encode(call, answer)
        except Exception:
            # A value that JSON cannot say: our bug, and still an answer.
            log.exception("unhandled error", path="/".join(call.segments), method=call.method)
            return self._encode(call, self.graph.error(call, GraphError(errors.UNKNOWN)))

    def _encode(self, call: Call, answer: Answer) -> Reply:
        request_id, trace_id, debug = self._ids.request_ids()
        status, params = answer.status, call.params
        content_type = answer.content_type or JSON
        if answer.error:
            body = _encoder.encode(answer.value.body(call.locale, request_id))
        elif isinstance(answer.value, bytes):
            body = answer.value
        else:
            body = _encoder.encode(answer.value)
        is_json = content_type is JSON and body != b""
        if "pretty" in params and is_json and truthy(params["pretty"]):
            body = msgspec.json.format(body, indent=3)
        usual = self._fixed_headers(call.version, answer.error)
        fixed: Fixed | None = usual
        more = [
            (b"x-fb-request-id", request_id.encode()),
            (b"x-fb-trace-id", trace_id.encode()),
            (b"x-fb-debug", debug.encode()),
            (b"Content-Type", content_type),
        ]
        if call.caller is not None:
            more += self.graph.usage.headers(call.caller)
        wrapped = _jsonp(params["callback"], body) if "callback" in params and is_json else None
        other = [*answer.headers, (b"Content-Type", JAVASCRIPT)] if wrapped is not None else answer.headers
        if other:
            fixed, more = None, _overridden(usual.headers + more, other)
        if wrapped is not None:
            status, body = _OK, wrapped
        elif answer.error:
            status = _OK if truthy(params.get("suppress_http_code")) else status
        elif status == _OK and METHODS.get(call.method) == "GET":
            tag = b'"' + hashlib.sha1(body, usedforsecurity=False).hexdigest().encode() + b'"'
            more.append((b"ETag", tag))
            if call.if_none_match is not None and _names_tag(call.if_none_match, tag.decode()):
                status, body = _NOT_MODIFIED, b""
        return Reply(status, fixed, more, body)

    def _fixed_headers(self, version: Version, error: bool) -> Fixed:
        fixed = self._fixed.get((version, error))
        if fixed is None:
            cache = _ERROR_CACHE if error else _OK_CACHE
            headers = [(b"facebook-api-version", version_text(version).encode()), *_ALWAYS, cache]
            fixed = self._fixed[version, error] = Fixed(headers, header_lines(headers))
        return fixed


def _configured(unversioned: str | None) -> Version | None:
    """The version for calls without one as it is configured: `newest`, `v19.0` or `19.0`; None for the oldest usable."""
    if not unversioned:
        return None
    return NEWEST if unversioned == "newest" else parse_version("v" + unversioned.removeprefix("v"))


def _query_text(value: Any) -> str:
    """A parameter of a JSON body as it would stand in a query."""
    return value if isinstance(value, str) else _encoder.encode(value).decode()


def _overridden(headers: Headers, by: Headers) -> Headers:
    """Headers with those of `by` in place of their namesakes."""
    names = {name.lower() for name, _ in by}
    return [header for header in headers if header[0].lower() not in names] + by


def _jsonp(callback: Any, body: bytes) -> bytes | None:
    """The body as a script that calls `callback`; None when that is no name of a function."""
    if not isinstance(callback, str) or not _CALLBACK.match(callback):
        return None
    # Two characters that JSON allows and older scripts take for the end of a line.
    body = body.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return b"/**/ " + callback.encode() + b"(" + body + b");"


def _names_tag(if_none_match: str, tag: str) -> bool:
    """Whether If-None-Match holds the tag: alone, in a list, weak, or as `*`."""
    return tag in if_none_match or if_none_match.strip() == "*"


def _read_headers(call: Call, scope: Scope) -> str:
    """Take what the graph needs from the headers; returns the content type."""
    content_type = ""
    host = ""
    for name, value in scope["headers"]:
        if name == b"host":
            host = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"authorization":
            _read_authorization(call, value.decode("latin-1"))
        elif name == b"if-none-match":
            text = value.decode("latin-1")
            call.if_none_match = text if call.if_none_match is None else f"{call.if_none_match}, {text}"
    if not host:
        # HTTP/1.0 may come without a Host.
        name, port = scope.get("server") or ("localhost", 80)
        host = f"{name}:{port}"
    call.origin = f"{scope['scheme']}://{host}"
    client = scope.get("client")
    call.client = client[0] if client else ""
    return content_type


def _read_authorization(call: Call, value: str) -> None:
    """Take a token or a name and password from an Authorization header."""
    scheme, _, rest = value.strip().partition(" ")
    # A header without a scheme word is no token (contract graph 1.4).
    if not rest:
        return
    if scheme.lower() in ("bearer", "oauth"):
        call.header_token = rest.strip()
    elif scheme.lower() == "basic":
        try:
            user, colon, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except ValueError:
            return
        if colon:
            call.basic = (user, password)


async def _body(receive: Receive, content_type: str) -> bytes:
    """The whole request body; raises BODY_TOO_LARGE past its limit (the guard refuses most before)."""
    is_upload = content_type[:10].lower() == "multipart/"
    limit = limits.UPLOAD_BYTES_MAX if is_upload else limits.JSON_BYTES_MAX
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GraphError(errors.BAD_BODY, reason="the connection was closed")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise GraphError(errors.BODY_TOO_LARGE, limit=limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
