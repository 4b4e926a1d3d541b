"""The founding documents' world: John, two apps and two pages of one business, and a rival that must never show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from polynym.core.config import Config
from polynym.core.ctx import Caller, CallerApp, Ctx, TokenKind
from polynym.core.db import Db, Tx, Value
from polynym.core.epoch import Epoch
from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from polynym.graph.call import Call
from polynym.graph.dispatch import Graph
from polynym.graph.expand import Ref
from polynym.graph.node import Node
from polynym.graph.paging import Cursors, Window
from polynym.graph.registry import Registry
from polynym.graph.usage import Usage
from polynym.identity import nodes, store
from polynym.identity.nodes import RESOLVERS
from polynym.identity.store import NewApp, NewBusiness, NewPage, NewPerson
from polynym.wire.errors import Error, GraphError

T = TypeVar("T")

KEYRING = Keyring("a secret that is long enough", Ids())
#: 15 July 2026, noon UTC.
NOW_MS = 1_784_116_800_000
HOUR_MS = 3_600_000
GAME, MOVIE, RIVAL_APP = "1419232575008550", "259773517400382", "735519182640027"
THING, COFFEE, RIVAL_PAGE = "380374449010653", "517220948113306", "664810290375528"
GAME_ASID, MOVIE_ASID, THING_PSID = "10152368852405295", "645195294", "12345123"
JOHNS, RIVAL = "102030405060708", "208172634455661"


@dataclass
class ManualClock:
    """A clock in the test's hands."""

    ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return 0.0


def config(review: str = "instant") -> Config:
    """Settings with one that matters here."""
    return Config(
        data_dir=Path("."), database="sqlite://", host="127.0.0.1", port=8484, public_url=None, world=None,
        review=cast(Any, review), seed=None, graph_version="newest", version_policy="exact", login_fragment=True, locale="en_US",
        rate_limits="observe", accepted_hosts=(), log_level="info", log_format="auto", admin_token=None, secret_key=None,
    )  # fmt: skip


@dataclass
class Known:
    """Stands in for the token store: every token is this caller's, with a good proof."""

    caller: Caller | None

    def cached(self, token: str) -> Caller | None:
        return self.caller

    async def authenticate(self, db: Db, token: str) -> Caller:
        raise AssertionError("every token is known")

    def check_proof(self, *_: Any, required: bool) -> None:
        """Proofs are the token feature's subject."""


@dataclass
class World:
    """One database and short ways to be somebody in it."""

    db: Db
    clock: ManualClock = field(default_factory=ManualClock)
    ids: Ids = field(default_factory=Ids)
    review: str = "instant"
    apps: dict[str, store.CreatedApp] = field(default_factory=dict)
    pages: dict[str, store.CreatedPage] = field(default_factory=dict)
    john: int = 0
    owner: int = 0

    def __post_init__(self) -> None:
        self.epoch = Epoch(self.clock, shared=False)

    # ------------------------------------------------------------------------------------------------ making things

    async def tx(self, act: Callable[[Tx], Awaitable[T]]) -> T:
        return await self.db.transaction(act)

    async def business(self, **new: Any) -> str:
        usual: dict[str, Any] = {"name": "A business", "verified_ms": NOW_MS, "review_state": "approved"}
        return await self.tx(lambda tx: store.create_business(tx, self.ids, NOW_MS, NewBusiness(**(usual | new))))

    async def app(self, **new: Any) -> store.CreatedApp:
        made = await self.tx(
            lambda tx: store.create_app(tx, self.ids, KEYRING, NOW_MS, NewApp(**({"name": "An app"} | new)))
        )
        self.apps[made.id] = made
        return made

    async def page(self, **new: Any) -> store.CreatedPage:
        made = await self.tx(lambda tx: store.create_page(tx, self.ids, NOW_MS, NewPage(**({"name": "A page"} | new))))
        self.pages[made.id] = made
        return made

    async def person(self, **new: Any) -> int:
        return await self.tx(lambda tx: store.create_person(tx, NOW_MS, NewPerson(**({"name": "Ann Other"} | new))))

    async def log_in(self, person: int, app: str, *scopes: str, asid: str | None = None) -> str:
        """An app-scoped id, and what the person allows the app."""
        fixed = None if asid is None else int(asid)
        number = await self.tx(lambda tx: store.scoped_id(tx, self.ids, person, self.apps[app].scope, fixed))
        granted: list[Mapping[str, Value]] = [
            {"person": person, "app": app, "scope": s, "now": NOW_MS} for s in ("public_profile", *scopes)
        ]
        sql = "INSERT INTO app_grant (person, app, scope, state, granted_ms) VALUES (:person, :app, :scope, 'granted', :now)"
        await self.db.many(sql, granted)
        return str(number)

    async def write(self, person: int, page: str, psid: str | None = None) -> str:
        """A page-scoped id, as after a first message."""
        fixed = None if psid is None else int(psid)
        return str(await self.tx(lambda tx: store.scoped_id(tx, self.ids, person, self.pages[page].scope, fixed)))

    def scopes(self) -> list[int]:
        """The scope numbers of all apps and pages."""
        return [app.scope for app in self.apps.values()] + [page.scope for page in self.pages.values()]

    # ------------------------------------------------------------------------------------------------ being somebody

    def ctx(self, caller: Caller | None = None, version: tuple[int, int] = (19, 0)) -> Ctx:
        return Ctx(
            self.db, self.clock, self.ids, cast(Any, None), config(self.review), self.epoch, KEYRING, caller, version,
            origin="http://127.0.0.1:8484",
        )  # fmt: skip

    def _caller(self, kind: TokenKind, app: str, **more: Any) -> Caller:
        made = self.apps[app]
        return Caller(
            kind, f"{kind} token", f"hash of {kind}", CallerApp(app, made.scope, "An app", made.secret), "proof", **more
        )

    def by_app(self, app: str, version: tuple[int, int] = (19, 0)) -> Ctx:
        """With an app token."""
        return self.ctx(self._caller("app", app), version)

    def by_page(self, page: str, app: str = GAME, *scopes: str, person: int | None = None) -> Ctx:
        """With a page token issued through an app."""
        given = frozenset(scopes or ("pages_messaging",))
        scope = self.pages[page].scope
        caller = self._caller(
            "page", app, subject=page, page=page, page_scope=scope, scopes=given, person=person or self.owner
        )
        return self.ctx(caller)

    def by_person(self, person: int, asid: str, app: str = GAME, *scopes: str) -> Ctx:
        """With a user token."""
        given = frozenset({"public_profile", *scopes})
        return self.ctx(self._caller("user", app, subject=asid, person=person, scopes=given))

    # ------------------------------------------------------------------------------------------------ asking

    async def read(self, ctx: Ctx, node_id: str, text: str = "") -> dict[str, Any]:
        """`GET /{node_id}?fields=text` as this caller, without HTTP; raises what the call is refused with."""
        params = {"access_token": "known"} | ({"fields": text} if text else {})
        usage = Usage("observe", one_user)
        graph = Graph(Registry([nodes]), Known(ctx.caller), Cursors(KEYRING.cursor_key), usage, lambda: replace(ctx))
        answer = await graph.answer(Call("GET", (node_id,), ctx.version, params, origin=ctx.origin))
        if answer.error:
            raise answer.value
        found: dict[str, Any] = answer.value
        return found

    async def resolve(self, ctx: Ctx, node_id: str) -> tuple[Node, Any]:
        for resolver in RESOLVERS:
            found = await resolver(ctx, node_id)
            if found is not None:
                return found
        raise LookupError(node_id)

    async def change(
        self, ctx: Ctx, node: Node, name: str, node_id: str, method: str = "POST", /, **params: Any
    ) -> Any:
        """A writing call, in its transaction, as dispatch does it."""
        edge = node.edges[name, cast(Any, method)]
        handler = edge.handler
        assert handler is not None
        arguments: dict[str, Any] = {param.argument: None for param in edge.params} | params

        async def work(tx: Tx) -> Any:
            inside = ctx.on(tx)
            _, row = await self.resolve(inside, node_id)
            return await handler(inside, Ref(node_id, row), **arguments)

        return await self.db.transaction(work)


async def one_user(_db: Db, _kind: str, _key: str) -> int:
    """How many people use an app or page, for quotas."""
    return 1


async def rows(ctx: Ctx, node: Node, name: str, node_id: str, window: Window | None = None, **params: Any) -> list[Any]:
    """What a reading edge's handler answers."""
    edge = node.edges[name, "GET"]
    assert edge.handler is not None
    arguments: dict[str, Any] = {param.argument: None for param in edge.params} | params
    found: list[Any] = await edge.handler(ctx, Ref(node_id, None), window or Window(25), **arguments)
    return found


class refused:  # noqa: N801 - reads as a sentence: with refused(errors.X)
    """`with refused(errors.X):` the block raises this very entry; `.error` is what was raised."""

    def __init__(self, entry: Error) -> None:
        self.entry = entry
        self.error: GraphError = cast(GraphError, None)

    def __enter__(self) -> refused:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        assert isinstance(error, GraphError), f"expected {self.entry.name}, got {error!r}"
        assert error.entry is self.entry
        self.error = error
        return True


async def build(db: Db) -> World:
    """The world of the founding documents in this database."""
    world = World(db)
    await world.business(id=JOHNS, key="johns", name="John's Ventures")
    await world.business(id=RIVAL, key="rival", name="Rival Ltd")
    await world.app(id=GAME, name="John's Game App", business=JOHNS, category="Business")
    await world.app(id=MOVIE, name="JohnsMovieApp", business=JOHNS, namespace="johnsmovieappns")
    await world.app(id=RIVAL_APP, name="Rival Rewards", business=RIVAL, category="Shopping")
    await world.page(id=THING, name="John's Next Great Thing", business=JOHNS, category="Musician", username="thing")
    await world.page(id=COFFEE, name="John's Coffee Corner", business=JOHNS, category="Coffee Shop")
    await world.page(id=RIVAL_PAGE, name="Rival Records", business=RIVAL, category="Record Label")
    world.owner = await world.person(name="Olivia Bennett", key="owner", email="olivia@example.com")
    world.john = await world.person(
        name="John Smith", key="john", email="john@example.com", birthday="2001-07-15", gender="male", timezone=-5,
        payment_enabled_ms=NOW_MS,
    )  # fmt: skip
    await world.log_in(world.john, GAME, "email", "user_age_range", asid=GAME_ASID)
    await world.log_in(world.john, MOVIE, "user_age_range", asid=MOVIE_ASID)
    await world.log_in(world.john, RIVAL_APP, "email")
    await world.write(world.john, THING, THING_PSID)
    await world.write(world.john, RIVAL_PAGE)
    return world


@pytest.fixture
async def world(db: Db) -> World:
    """The founding documents' world on each engine in turn."""
    return await build(db)


def in_version(ctx: Ctx, major: int, minor: int) -> Ctx:
    """The same caller, speaking another version."""
    return replace(ctx, version=(major, minor))
