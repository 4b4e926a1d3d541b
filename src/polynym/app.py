"""The features, and settings -> a running world.

A World is everything one server holds; several can live in one process. `build` makes one from a Config, `serve` answers
HTTP with it until told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from polynym import __version__
from polynym.core import migrate, seal
from polynym.core.clock import Clock, SandboxClock, SystemClock
from polynym.core.config import Config
from polynym.core.ctx import Ctx
from polynym.core.db import Db, Unavailable, connect
from polynym.core.egress import Egress, SocketEgress, SystemResolver
from polynym.core.epoch import Epoch
from polynym.core.gate import PUBLIC_POLICY, SANDBOX_POLICY, Gate
from polynym.core.ids import Ids
from polynym.core.listen import bind
from polynym.core.log import Log
from polynym.core.seal import Keyring
from polynym.graph.bounds import AtOnce, GuardLimits
from polynym.graph.dispatch import Graph
from polynym.graph.hosts import host_allowed
from polynym.graph.http import GraphHttp, Receive, Scope, Send
from polynym.graph.paging import Cursors
from polynym.graph.registry import Registry
from polynym.graph.usage import Usage
from polynym.identity import nodes as identity_nodes
from polynym.tokens import nodes as token_nodes
from polynym.tokens.audience import users_of
from polynym.tokens.authenticate import Authenticator
from polynym.wire import errors
from polynym.wire.errors import GraphError
from polynym.wire.versions import Version

log = Log("polynym")

#: In import order: a later feature may declare edges on an earlier one's nodes.
FEATURES: Final = (identity_nodes, token_nodes)
#: Folders with migrations, in the order they are applied.
MIGRATIONS: Final = ("core", "graph", "identity", "tokens", "sandbox")

POLL_S: Final = 0.4
CONTROL_PREFIX: Final = "/_polynym/"


def migration_folders() -> list[Path]:
    """The feature folders that may hold migrations."""
    here = Path(__file__).parent
    return [here / name for name in MIGRATIONS]


@dataclass(slots=True)
class World:
    """One server's parts. `sandbox` is False in `polynym serve`."""

    config: Config
    db: Db
    clock: Clock
    ids: Ids
    egress: Egress
    epoch: Epoch
    keyring: Keyring
    authenticator: Authenticator
    registry: Registry
    usage: Usage
    sandbox: bool
    own_ports: set[int]
    graph: Graph = field(init=False)
    http: GraphHttp = field(init=False)
    _control: Any = None
    _login: Any = None
    _poller: asyncio.Task[None] | None = None
    _closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        cursors = Cursors(self.keyring.cursor_key)
        self.graph = Graph(self.registry, self.authenticator, cursors, self.usage, self.ctx)
        self.http = GraphHttp(
            self.graph, self.ids, self.clock, policy=self.config.version_policy, unversioned=self.config.graph_version,
            locale=self.config.locale, public_url=self.config.public_url,
        )  # fmt: skip

    def ctx(self) -> Ctx:
        """A fresh context without a caller."""
        return Ctx(self.db, self.clock, self.ids, self.egress, self.config, self.epoch, self.keyring)

    @property
    def at_once(self) -> AtOnce | None:
        """What may answer a GET without a task; None where a read may have to wait for the database."""
        return self.http.at_once if self.db.engine == "sqlite" else None

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The whole server as one ASGI callable: host check, control plane, graph."""
        if scope["type"] != "http":
            return
        host = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
                break
        path: str = scope["path"]
        if not host_allowed(host.decode("latin-1"), self.config.accepted_hosts):
            await _refuse(send, GraphError(errors.WRONG_HOST, host=host[:80].decode("latin-1")), self.ids)
        elif path.startswith(CONTROL_PREFIX):
            await self.control()(scope, receive, send)
        elif "/dialog/" in path and self.login().serves(path):
            await self.login()(scope, receive, send)
        else:
            await self.http(scope, receive, send)

    def control(self) -> Any:
        """The control plane and health checks, imported when first asked for."""
        if self._control is None:
            from polynym.graph.reference import openapi
            from polynym.sandbox.routes import control_plane

            self._control = control_plane(self, lambda: openapi(self.registry, __version__))
        return self._control

    def login(self) -> Any:
        """The login dialog, imported when first asked for."""
        if self._login is None:
            from polynym.login.http import LoginDialog
            from polynym.sandbox.visitors import Everybody

            self._login = LoginDialog(self, Everybody())
        return self._login

    def version(self, requested: Version | None) -> Version:
        """The version that serves a call."""
        return self.http.version(requested)

    def start_polling(self) -> None:
        """Notice what other processes change: cached facts, the clock, shared call counts."""
        self._poller = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        process = self.ids.trace_id()
        while True:
            try:
                await self.epoch.poll(self.db)
                if isinstance(self.clock, SandboxClock):
                    await self.clock.refresh(self.db)
                await self.usage.exchange(self.db, process, self.clock.now_ms())
            except Unavailable as error:
                log.warning("poll failed", reason=str(error))
            await asyncio.sleep(POLL_S)

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Run `closer` when the world is closed, after the database."""
        self._closers.append(closer)

    async def close(self) -> None:
        """Stop polling and let go of the database."""
        if self._poller is not None:
            self._poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poller
        await self.db.close()
        for closer in self._closers:
            await closer()


async def _refuse(send: Send, error: GraphError, ids: Ids) -> None:
    import msgspec

    body = msgspec.json.encode(error.body(None, ids.trace_id()))
    headers = [
        (b"Content-Type", b"application/json; charset=UTF-8"),
        (b"Content-Length", str(len(body)).encode()),
        (b"Cache-Control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": error.status((26, 0)), "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def build(config: Config, *, sandbox: bool = True, db: Db | None = None) -> World:
    """A world from its settings: database opened and upgraded, clock loaded, nothing listening yet.

    Raises Unavailable, SchemaTooNew or OSError with one clear line each.
    """
    closers: list[Callable[[], Awaitable[None]]] = []
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if db is None:
        url = config.database
        if url == "embedded":
            from polynym.core import embedded

            cluster = await asyncio.to_thread(embedded.start, config.data_dir)
            url = cluster.url
            closers.append(lambda: asyncio.to_thread(cluster.stop))
        db = await connect(url)
    await migrate.upgrade(db, migration_folders())
    ids = Ids(config.seed)
    clock: Clock = SystemClock()
    if sandbox:
        clock = sandbox_clock = SandboxClock()
        await sandbox_clock.load(db)
    epoch = Epoch(clock, shared=db.engine == "postgresql")
    keyring = seal.load(config.secret_key, config.data_dir, ids)
    own_ports = {port} if (port := urlsplit(config.database).port) else set()
    world = World(
        config=config, db=db, clock=clock, ids=ids, egress=make_egress(own_ports, sandbox=sandbox), epoch=epoch,
        keyring=keyring, authenticator=Authenticator(clock, epoch, keyring), registry=Registry(FEATURES),
        usage=Usage(config.rate_limits, users_of), sandbox=sandbox, own_ports=own_ports,
    )  # fmt: skip
    for closer in closers:
        world.on_close(closer)
    await world.epoch.poll(db)
    return world


def make_egress(own_ports: set[int], *, sandbox: bool) -> Egress:
    """The way out: public addresses only in production, loopback as well in the sandbox, never our own ports."""
    gate = Gate(SANDBOX_POLICY if sandbox else PUBLIC_POLICY, SystemResolver(), own_ports)
    return SocketEgress(gate)


async def serve(world: World, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Answer HTTP until SIGINT or SIGTERM; `ready` gets the base URL as soon as requests are answered.

    Raises PortBusy. Requests in progress are finished before it returns.
    """
    from polynym.server import answer_on

    bound = bind(host, port)
    address = bound.getsockname()
    world.own_ports.add(address[1])
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    url = f"http://{shown}:{address[1]}"
    world.start_polling()
    try:
        limits = GuardLimits(trace_id=world.ids.trace_id, at_once=world.at_once)
        await answer_on(bound, world.asgi, limits, ready=lambda: ready(url))
    finally:
        bound.close()
