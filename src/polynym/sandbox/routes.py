"""The control plane: what only a test platform can do, as JSON under /_polynym/v1; and the health checks beside it.

Every call but the health checks and the OpenAPI document needs `Authorization: Bearer <key>`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from polynym.core.clock import SandboxClock, parse_duration
from polynym.core.db import BadText, ConstraintViolation, Unavailable, UniqueViolation
from polynym.core.log import Log
from polynym.graph.hosts import PLATFORM_HOSTS, host_allowed
from polynym.identity.store import Duplicate
from polynym.sandbox import acts, due, entities, token_tools
from polynym.sandbox.draft import dump, render_yaml
from polynym.sandbox.env import environment
from polynym.sandbox.export import export_world
from polynym.sandbox.keys import KEY_FILE, admin_key
from polynym.sandbox.load import ConflictError, load_document
from polynym.sandbox.lookup import LookupFailedError
from polynym.sandbox.plane import ControlError, Host, refuse_unknown
from polynym.sandbox.reset import reset
from polynym.sandbox.source import DOCUMENT_BYTES_MAX, WorldFileError
from polynym.sandbox.world_file import FORMAT, WorldFile
from polynym.wire import signatures

PREFIX: Final = "/_polynym/v1"
BODY_BYTES_MAX: Final = 1024 * 1024
#: Calls of `world.md` that come with later features.
PLANNED: Final = frozenset(
    (
        *(
            f"acts/{name}"
            for name in ["opt_in", "react", "read", "edit", "link_account", "block", "delete_conversation"]
        ),
        *["installs", "deliveries", "explain", "faults", "snapshots", "stream"],
    )
)
_COUNTED: Final = ("businesses", "apps", "pages", "people", "installs", "tokens")

log = Log("polynym")

Answer = Mapping[str, Any] | Response
Handler = Callable[[Host, Request], Awaitable[Answer]]
#: Gives the OpenAPI document, ready as bytes or to be encoded.
OpenApi = Callable[[], Any]


def control_plane(host: Host, openapi: OpenApi | None = None) -> Starlette:
    """The ASGI application behind /_polynym/."""
    plane = _Plane(host, admin_key(host.config, sandbox=host.sandbox), openapi)
    routes = [
        Route("/_polynym/health/live", _live, methods=["GET"]),
        Route("/_polynym/health/ready", plane.ready, methods=["GET"]),
        Route(f"{PREFIX}/openapi.json", plane.document, methods=["GET"]),
        Route("/{path:path}", plane.call, methods=["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: _nothing, 405: _nothing})


async def _nothing(_request: Request, _error: Exception) -> Response:
    """What no route takes, such as a path with a line break or an unknown verb, is answered like any unknown call."""
    return _refused(ControlError(404, "there is no such call", None, f"calls begin with {PREFIX}/"))


async def _live(_request: Request) -> Response:
    return _json({"status": "ok"})


class _Plane:
    """Checks a call, finds its handler, and turns what it raises into the error that is answered."""

    def __init__(self, host: Host, key: str | None, openapi: OpenApi | None) -> None:
        self._host = host
        self._key = key
        self._openapi = openapi

    async def ready(self, _request: Request) -> Response:
        """200 when the database answers, else 503."""
        try:
            await self._host.db.one("SELECT 1 AS one")
        except Unavailable:
            return _json({"status": "unavailable"}, 503)
        return _json({"status": "ok"})

    async def document(self, _request: Request) -> Response:
        """The OpenAPI document of the graph."""
        if self._openapi is None:
            return _refused(ControlError(404, "there is no OpenAPI document in this server"))
        made = self._openapi()
        body = made if isinstance(made, bytes) else msgspec.json.encode(made)
        return Response(body, media_type="application/json")

    async def call(self, request: Request) -> Response:
        """Any call."""
        try:
            self._check(request)
            handler = self._handler(request)
            answer = await handler(self._host, request)
            return answer if isinstance(answer, Response) else _json(answer)
        except ControlError as error:
            return _refused(error)
        except LookupFailedError as error:
            return _refused(_of_lookup(error))
        except WorldFileError as error:
            return _refused(entities.refusal(error.problems, 409 if isinstance(error, ConflictError) else 400))
        except UniqueViolation as error:
            return _refused(ControlError(409, f"{error.table} with this {', '.join(error.columns)} exists already"))
        except Duplicate as error:
            return _refused(ControlError(409, str(error)))
        except (BadText, ConstraintViolation) as error:
            return _refused(ControlError(400, str(error)))
        except Unavailable as error:
            log.warning("control plane: database unavailable", reason=str(error))
            return _refused(ControlError(503, "the database does not answer now"))

    def _check(self, request: Request) -> None:
        if not request.scope["path"].isprintable():
            raise ControlError(404, "there is no such call", None, f"calls begin with {PREFIX}/")
        if not request.scope["query_string"].isascii():
            raise ControlError(400, "the query is not percent-encoded", "query", "encode it as UTF-8, then with %XX")
        if self._host.sandbox and not _is_loopback(request.headers.get("host", "")):
            raise ControlError(421, "the control plane answers to loopback names only", None, "use http://127.0.0.1")
        if self._key is None:
            raise ControlError(404, "there is no control plane here", None, "set POLYNYM_ADMIN_TOKEN to have one")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        fits = signatures.constant_time_equal(given.strip(), self._key)
        if scheme.lower() != "bearer" or not fits:
            hint = f"send Authorization: Bearer <content of {KEY_FILE} in the data directory, or POLYNYM_ADMIN_TOKEN>"
            raise ControlError(401, "the key of the control plane is missing or wrong", "Authorization", hint)

    def _handler(self, request: Request) -> Handler:
        path = request.url.path.removeprefix(PREFIX).strip("/")
        if not request.url.path.startswith(f"{PREFIX}/"):
            raise ControlError(
                404, f"there is nothing at {request.url.path[:200]}", None, f"calls begin with {PREFIX}/"
            )
        first, _, rest = path.partition("/")
        sandbox_only = first in ("acts", "clock")
        if sandbox_only and not self._host.sandbox:
            raise ControlError(404, f"{first} exists only in the sandbox", None, "polynym start")
        name = f"{first}/{{id}}" if first in entities.KINDS and rest and "/" not in rest else path
        methods = {method: handler for (method, known), handler in _CALLS.items() if known == name}
        if handler := methods.get(request.method):
            return handler
        raise _not_found(request.method, path, methods)


def _not_found(method: str, path: str, methods: Mapping[str, Handler]) -> ControlError:
    if methods:
        return ControlError(404, f"there is no {method} {path}", None, f"there is {', '.join(sorted(methods))}")
    if path in PLANNED or path.partition("/")[0] in PLANNED:
        return ControlError(404, f"{path[:200]} is not built yet")
    return ControlError(404, f"there is no call {method} {path[:200]}")


def _is_loopback(host: str) -> bool:
    name = host.lower().partition(":")[0].removesuffix(".")
    return host_allowed(host, frozenset()) and name not in PLATFORM_HOSTS


# ------------------------------------------------------------------------------------------------------------ calls


async def _get_clock(host: Host, _request: Request) -> Answer:
    return clock_state(host)


async def _post_clock(host: Host, request: Request) -> Answer:
    body = await _body(request)
    refuse_unknown(body, "advance", "freeze", "resume", "scale")
    if len(body) != 1:
        raise ControlError(400, "exactly one of advance, freeze, resume and scale is needed")
    (name, value) = next(iter(body.items()))
    try:
        fired = await _turn(host, cast(SandboxClock, host.clock), name, value)
    except ValueError as error:
        raise ControlError(400, str(error), name) from None
    return clock_state(host) | {"fired": fired}


async def _turn(host: Host, clock: SandboxClock, name: str, value: object) -> list[dict[str, Any]]:
    """Do to the clock what was asked; what fired. Raises ValueError."""
    if name == "advance":
        return await due.advance(host.ctx(), clock, parse_duration(value if isinstance(value, str) else ""))
    if name == "scale":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("scale is a number")
        await clock.scale(host.db, value)
        return []
    if value is not True:
        raise ValueError(f"{name} is true or absent")
    await (clock.freeze(host.db) if name == "freeze" else clock.resume(host.db))
    return []


def clock_state(host: Host) -> dict[str, Any]:
    """What the clock shows and how it runs."""
    clock = cast(SandboxClock, host.clock)
    return {"now_ms": clock.now_ms(), "frozen": clock.frozen, "scale": clock.factor}


async def _get_env(host: Host, request: Request) -> Answer:
    query = _query(request, "app", "page", "person")
    origin = f"{request.url.scheme}://{request.headers['host']}"
    return await environment(host, origin, query.get("app"), query.get("page"), query.get("person"))


async def _get_world(host: Host, request: Request) -> Answer:
    world = await export_world(host.ctx())
    if _query(request, "format").get("format") == "yaml":
        return Response(render_yaml(world), media_type="application/yaml", headers=_NO_STORE)
    return dump(world)


async def _post_world(host: Host, request: Request) -> Answer:
    file = _query(request, "file").get("file", "the world")[:200]
    world = await load_document(host.ctx(), await _read(request, DOCUMENT_BYTES_MAX), file)
    return {"loaded": _counts(world)}


async def _delete_world(host: Host, request: Request) -> Answer:
    demo = _query(request, "demo").get("demo", "0")
    if demo not in ("0", "1"):
        raise ControlError(400, "demo is 0 or 1", "demo")
    world = await reset(host.ctx(), demo=demo == "1")
    return {"loaded": _counts(world or WorldFile(polynym=FORMAT))}


def _counts(world: WorldFile) -> dict[str, int]:
    return {name: len(getattr(world, name)) for name in _COUNTED}


def _act(act: Callable[[Any, Mapping[str, Any]], Awaitable[Answer]]) -> Handler:
    async def handler(host: Host, request: Request) -> Answer:
        return await act(host.ctx(), await _body(request))

    return handler


async def _create(host: Host, request: Request) -> Answer:
    collection = _segments(request)[0]
    return _json(await entities.create(host.ctx(), collection, await _body(request)), 201)


async def _change(host: Host, request: Request) -> Answer:
    collection, name = _segments(request)
    return await entities.change(host.ctx(), collection, name, await _body(request))


async def _delete(host: Host, request: Request) -> Answer:
    collection, name = _segments(request)
    return await entities.delete(host.ctx(), collection, name)


_CALLS: Final[Mapping[tuple[str, str], Handler]] = {
    ("GET", "clock"): _get_clock,
    ("POST", "clock"): _post_clock,
    ("GET", "env"): _get_env,
    ("GET", "world"): _get_world,
    ("POST", "world"): _post_world,
    ("DELETE", "world"): _delete_world,
    ("POST", "acts/say"): _act(acts.say),
    ("POST", "acts/log_in"): _act(acts.log_in),
    ("POST", "acts/leave"): _act(acts.leave),
    ("POST", "acts/erase"): _act(acts.erase),
    ("POST", "tokens/show"): _act(token_tools.show),
    ("POST", "tokens/invalidate"): _act(token_tools.invalidate),
    ("POST", "tokens/proof"): _act(token_tools.proof),
    ("POST", "signed_requests"): _act(token_tools.signed_request),
    **{("POST", collection): _create for collection in entities.KINDS},
    **{("PATCH", f"{collection}/{{id}}"): _change for collection in entities.KINDS},
    **{("DELETE", f"{collection}/{{id}}"): _delete for collection in entities.KINDS},
}


# ------------------------------------------------------------------------------------------------- bodies and answers

_NO_STORE: Final = {"Cache-Control": "no-store"}


def _segments(request: Request) -> list[str]:
    return _path(request).split("/")


def _path(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(PREFIX).strip("/")


def _query(request: Request, *known: str) -> dict[str, str]:
    given = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
    refuse_unknown(given, *known)
    return given


async def _body(request: Request) -> dict[str, Any]:
    data = await _read(request, BODY_BYTES_MAX)
    try:
        body = msgspec.json.decode(data or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(400, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ControlError(400, "the body must be a JSON object")
    return body


async def _read(request: Request, most: int) -> bytes:
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                raise ControlError(400, f"the body is larger than {most // 1024 // 1024} MiB")
    except ClientDisconnect:
        raise ControlError(400, "the body ended early") from None
    return bytes(data)


def _of_lookup(error: LookupFailedError) -> ControlError:
    answer = ControlError(409 if error.candidates else 404, str(error), error.kind)
    if error.candidates:
        answer.hint = "use a key or an id"
        answer.more = {"candidates": list(error.candidates)}
    return answer


def _refused(error: ControlError) -> Response:
    response = _json(error.body(), error.status)
    if error.status == 401:  # noqa: PLR2004
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, _NO_STORE, "application/json")
