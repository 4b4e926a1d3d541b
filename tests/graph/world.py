"""A server of the toy: a memory database, a clock that tests move, and tokens from a dictionary."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polynym.core import config
from polynym.core.ctx import Caller, CallerApp, Ctx, TokenKind
from polynym.core.db import Db, connect
from polynym.core.egress import FakeEgress
from polynym.core.epoch import Epoch
from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from polynym.graph.dispatch import Graph
from polynym.graph.http import GraphHttp
from polynym.graph.paging import Cursors
from polynym.graph.registry import Registry
from polynym.graph.usage import Mode, Usage
from polynym.wire import errors
from polynym.wire.errors import GraphError
from polynym.wire.versions import Policy
from tests.graph.toy import INSERT, OTHER_READER, PAGE, READER, SCHEMA, Toy
from tests.support.asgi import Asgi

#: Wednesday, 2024-01-03 04:05:06 UTC.
NOW_MS: Final = 1_704_254_706_000
APP: Final = "7001"
OTHER_APP: Final = "7002"
SECRET: Final = "toy-secret"

# ------------------------------------------------------------------------------------------------ tokens


def _caller(kind: TokenKind, token: str, **facts: Any) -> Caller:
    app = facts.pop("app", CallerApp(APP, 1, "Toy", SECRET))
    return Caller(kind=kind, token=token, hash="", app=app, proof=proof_of(token), **facts)


def proof_of(token: str, secret: str = SECRET) -> str:
    """The appsecret_proof of a token."""
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()


STRICT_APP: Final = CallerApp("7003", 3, "Strict", SECRET, require_app_secret=True)
USER, STRANGER, SCOPED, APP_TOKEN, PAGE_TOKEN, CLIENT, STRICT, FRENCH, OTHER, NATIVE = (
    "USER", "STRANGER", "SCOPED", f"{APP}|{SECRET}", "PAGE", "CLIENT", "STRICT", "FRENCH", "OTHER", "NATIVE",
)  # fmt: skip
CALLERS: Final = {
    caller.token: caller
    for caller in (
        _caller("user", USER, subject=READER),
        _caller("user", STRANGER, subject=OTHER_READER),
        _caller("user", SCOPED, subject=READER, scopes=frozenset({"email", "user_birthday", "read_feed"})),
        _caller("app", APP_TOKEN),
        _caller("page", PAGE_TOKEN, subject=PAGE, page=PAGE),
        _caller("client", CLIENT),
        _caller("user", STRICT, subject=READER, app=STRICT_APP),
        _caller("user", FRENCH, subject=READER, locale="fr_FR"),
        _caller("user", OTHER, subject=READER, app=CallerApp(OTHER_APP, 2, "Other", SECRET)),
        _caller("app", NATIVE, app=CallerApp("7004", 4, "Native", SECRET, native=True)),
    )
}


class ToyTokens:
    """Tokens from a dictionary: half of them known at once, the others only after `authenticate`."""

    def cached(self, token: str) -> Caller | None:
        """User tokens need no look-up."""
        caller = CALLERS.get(token)
        return caller if caller is not None and caller.kind == "user" else None

    async def authenticate(self, db: Db, token: str) -> Caller:
        """Any of them."""
        if token == "EXPIRED":
            raise errors.session_expired(NOW_MS - 1, NOW_MS)
        if token not in CALLERS:
            raise GraphError(errors.CANNOT_PARSE_TOKEN)
        return CALLERS[token]

    def check_proof(
        self, caller: Caller, params: Mapping[str, Any], repeated: frozenset[str], now_ms: int, *, required: bool
    ) -> None:
        """A proof is the hex HMAC of the token; nothing else."""
        proof = params.get("appsecret_proof")
        if proof is None:
            if required or caller.app.require_app_secret:
                raise GraphError(errors.PROOF_REQUIRED)
        elif "appsecret_proof" in repeated or proof != caller.proof:
            raise GraphError(errors.PROOF_INVALID)


# ------------------------------------------------------------------------------------------------ the world


class ToyClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return self.ms

    def monotonic(self) -> float:
        """Seconds."""
        return self.ms / 1000


async def users_of(_db: Db, kind: str, asset: str) -> int:
    """Every app and page has one user."""
    return 1


@dataclass
class World:
    """A toy server and what is behind it."""

    db: Db
    clock: ToyClock
    graph: Graph
    http: GraphHttp
    client: Asgi
    usage: Usage
    registry: Registry


REGISTRY: Final = Registry((Toy(),))


def toy_world(
    db: Db, *, rate_limits: Mode = "observe", policy: Policy = "exact", unversioned: str | None = "newest",
    public_url: str | None = None,
) -> World:  # fmt: skip
    """A world on an open database that has the toy's table."""
    clock, ids = ToyClock(), Ids(7)
    settings = config.load({}, {}, Path("/nonexistent"))
    keyring = Keyring("a toy secret of enough length", ids)
    egress, epoch = FakeEgress(lambda request: _nobody()), Epoch(clock, shared=False)
    usage = Usage(rate_limits, users_of)

    def context() -> Ctx:
        return Ctx(db, clock, ids, egress, settings, epoch, keyring)

    graph = Graph(REGISTRY, ToyTokens(), Cursors(keyring.cursor_key), usage, context)
    http = GraphHttp(graph, ids, clock, policy=policy, unversioned=unversioned, locale="en_US", public_url=public_url)
    return World(db, clock, graph, http, Asgi(http), usage, REGISTRY)


def _nobody() -> Any:
    raise AssertionError("the toy calls nobody")


async def fill(db: Db, count: int = 60, reader: str = READER, first: int = 1) -> None:
    """Books 1, 2, 3 … of a reader; every third has no pages."""
    rows = [
        {"id": n, "reader": reader, "title": f"Book {n}", "pages": None if n % 3 == 0 else n}
        for n in range(first, first + count)
    ]
    await db.many(INSERT, rows)


@asynccontextmanager
async def opened_world(count: int = 60, **options: Any) -> AsyncIterator[World]:
    """A fresh world with that many books of Ada's."""
    db = await connect("sqlite://")
    try:
        await db.run(SCHEMA)
        if count:
            await fill(db, count)
        yield toy_world(db, **options)
    finally:
        await db.close()
