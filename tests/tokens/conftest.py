"""A small world for token tests: two apps, two people, two pages, and a clock that only moves when told to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import pytest

from polynym.core.ctx import Caller, Ctx
from polynym.core.db import Db, Tx
from polynym.core.epoch import Epoch
from polynym.core.ids import Ids
from polynym.core.seal import Keyring
from polynym.graph.call import Call
from polynym.graph.params import read_params
from polynym.identity.store import (
    CreatedApp,
    NewApp,
    NewPage,
    NewPerson,
    create_app,
    create_page,
    create_person,
    scoped_id,
    set_tasks,
)
from polynym.tokens.authenticate import Authenticator
from polynym.tokens.grants import grant
from polynym.tokens.issuing import issue_user_token

T = TypeVar("T")

SECRET = "0123456789abcdef0123456789abcdef"
KEY = "a key that is long enough"
#: Saturday, 30 March 2024, 15:20:00 in Los Angeles.
NOW_MS = 1_711_837_200_000
PAGE_SCOPES = ("pages_show_list", "pages_messaging", "pages_manage_metadata")


@dataclass
class ManualClock:
    """A clock in the test's hands; `real_s` is what timers see."""

    ms: int = NOW_MS
    real_s: float = 0.0

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.real_s

    def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        self.ms += round(((days * 24 + hours) * 3600 + seconds) * 1000)


@dataclass
class World:
    """One database with everything that most tests need, and short ways to do what they often do."""

    db: Db
    app: CreatedApp
    other_app: CreatedApp
    john: int
    mary: int
    page: str
    second_page: str
    asid: str
    clock: ManualClock = field(default_factory=ManualClock)
    ids: Ids = field(default_factory=Ids)
    keyring: Keyring = field(default_factory=lambda: Keyring(KEY, Ids()))
    epoch: Epoch = field(init=False)
    authenticator: Authenticator = field(init=False)

    def __post_init__(self) -> None:
        self.epoch = Epoch(self.clock, shared=False)
        self.authenticator = Authenticator(self.clock, self.epoch, self.keyring)

    @property
    def ctx(self) -> Ctx:
        """A context outside any transaction, without a caller."""
        nothing = cast(Any, None)
        return Ctx(
            db=self.db,
            clock=self.clock,
            ids=self.ids,
            egress=nothing,
            config=nothing,
            epoch=self.epoch,
            keyring=self.keyring,
            version=(19, 0),
        )

    async def change(self, act: Callable[[Ctx], Awaitable[T]]) -> T:
        """Run an act in a transaction of its own."""

        async def work(tx: Tx) -> T:
            return await act(self.ctx.on(tx))

        return await self.db.transaction(work)

    async def log_in(self, person: int | None = None, *scopes: str, **options: Any) -> str:
        """A user token of the first app; John's, with the page scopes, unless told otherwise."""
        who = self.john if person is None else person

        async def work(ctx: Ctx) -> str:
            await grant(ctx, who, self.app.id, scopes or PAGE_SCOPES, targets=options.pop("targets", None))
            return await issue_user_token(ctx, who, self.app.id, **options)

        return await self.change(work)

    async def caller(self, token: str) -> Caller:
        """Whom a token stands for, without any cache."""
        return await Authenticator(self.clock, self.epoch, self.keyring).authenticate(self.db, token)

    async def as_(self, token: str, version: tuple[int, int] = (19, 0)) -> Ctx:
        """A context whose caller is the token's."""
        return replace(self.ctx, caller=await self.caller(token), version=version)

    async def ask(
        self,
        handler: Any,
        token: str | None = None,
        *,
        version: tuple[int, int] = (19, 0),
        basic: Any = None,
        **params: Any,
    ) -> Any:
        """What a root handler answers to these parameters, typed as the graph types them."""
        ctx = replace(self.ctx, version=version) if token is None else await self.as_(token, version)
        call = Call("GET", tuple(handler.root.path.split("/")), version, params, basic=basic, caller=ctx.caller)
        return await handler(ctx, call, **read_params(handler.root.params, params))


async def build(db: Db, keyring: Keyring) -> dict[str, Any]:
    """Create the world's rows."""
    ids = Ids()

    async def work(tx: Tx) -> dict[str, Any]:
        app = await create_app(tx, ids, keyring, NOW_MS, NewApp(name="John's Game App", secret=SECRET))
        other = await create_app(tx, ids, keyring, NOW_MS, NewApp(name="Another App"))
        john = await create_person(tx, NOW_MS, NewPerson(name="John Smith", locale="fr_FR"))
        mary = await create_person(tx, NOW_MS, NewPerson(name="Mary Jones"))
        pages = [
            (await create_page(tx, ids, NOW_MS, NewPage(name=name, category="Musician"))).id
            for name in ("Next Great Thing", "Second Thing")
        ]
        asid = 0
        for person in (john, mary):
            for each in (app, other):
                made = await scoped_id(tx, ids, person, each.scope)
                asid = made if (person, each) == (john, app) else asid
        for page in pages:
            await set_tasks(tx, page, john, ["MANAGE"])
        return {
            "app": app, "other_app": other, "john": john, "mary": mary, "page": pages[0], "second_page": pages[1],
            "asid": str(asid),
        }  # fmt: skip

    return await db.transaction(work)


@pytest.fixture
async def world(db: Db) -> World:
    """The world, on each engine in turn."""
    return World(db, **await build(db, Keyring(KEY, Ids())))
