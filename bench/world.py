"""Loaded worlds: one business with two apps and two pages, and very many people known to all four.

Built through the store's own bulk path, kept in the cache directory under the checksum of the schema, and described by
`Facts`, so that a bench knows what to ask and what the answer must be.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import machine
from polynym.app import build, migration_folders
from polynym.core import embedded
from polynym.core.config import load
from polynym.core.ctx import Ctx
from polynym.core.db import Tx
from polynym.identity import store
from polynym.identity.store import NewApp, NewBusiness, NewPage, NewPerson
from polynym.tokens.store import NewToken, issue
from polynym.wire.signatures import appsecret_proof

#: People whose ids are asked for, spread evenly over all.
SAMPLED_MAX = 20_000
PART = 50_000
VERSION = "v19.0"
_GRANT = (
    "INSERT INTO app_grant (person, app, scope, state, granted_ms)"
    " VALUES (:person, :app, 'public_profile', 'granted', :now_ms)"
)
_CONTACT = "INSERT INTO contact (person, scope, wrote_ms) VALUES (:person, :scope, :now_ms)"


@dataclass(frozen=True)
class Facts:
    """What a bench must know of a world. `sample` holds [asid, asid, psid, psid] of some people, in random order."""

    people: int
    apps: list[dict[str, Any]] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    sample: list[list[int]] = field(default_factory=list)

    def app_query(self) -> str:
        """Token and proof of the first app."""
        app = self.apps[0]
        token = f"{app['id']}|{app['secret']}"
        return f"access_token={app['id']}%7C{app['secret']}&appsecret_proof={appsecret_proof(token, app['secret'])}"

    def page_query(self) -> str:
        """Token (issued through the first app) and proof of the first page."""
        token = self.pages[0]["token"]
        return f"access_token={token}&appsecret_proof={appsecret_proof(token, self.apps[0]['secret'])}"


@dataclass(frozen=True)
class Place:
    """Where a world is: the server's data directory and its database."""

    data_dir: Path
    database: str
    facts: Facts


def sqlite(people: int) -> Place:
    """A world in a SQLite file, made when it is not there yet."""
    folder = _folder("sqlite", people)
    if not (folder / "facts.json").exists():
        _make(folder, _sqlite_url(folder), people)
    return Place(folder, _sqlite_url(folder), _facts(folder))


def postgresql(people: int) -> tuple[Place, embedded.Embedded]:
    """A world in a PostgreSQL cluster of its own with fsync on, started on the load's core; the caller stops it."""
    folder = _folder("postgresql", people)
    made = (folder / "facts.json").exists()
    if not made:
        shutil.rmtree((folder / "postgresql").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with machine.pinned(machine.LOAD_CORE):
        cluster = embedded.start(folder)
    if not made:
        try:
            _fill(folder, cluster.url, people)
        except BaseException:
            cluster.stop()
            raise
    return Place(folder, cluster.url, _facts(folder)), cluster


def _folder(engine: str, people: int) -> Path:
    """Another schema, another folder; those of earlier schemas are deleted."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(path for folder in migration_folders() for path in (folder / "migrations").glob("*.sql")):
        digest.update(path.read_bytes())
    worlds = machine.cache_dir() / "worlds"
    current = worlds / digest.hexdigest()[:12]
    for old in worlds.glob("*"):
        if old != current:
            for cluster in old.glob("*/postgresql"):
                shutil.rmtree(cluster.resolve(), ignore_errors=True)
            shutil.rmtree(old)
    return current / f"{engine}-{people}"


def _sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/polynym.db"


def _facts(folder: Path) -> Facts:
    return Facts(**json.loads((folder / "facts.json").read_text()))


def _make(folder: Path, url: str, people: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _fill(folder, url, people)


def _fill(folder: Path, url: str, people: int) -> None:
    import uvloop

    print(f"loading {people:,} people with 4 ids each into {url.partition(':')[0]} ...", file=sys.stderr, flush=True)
    started = time.perf_counter()
    facts = uvloop.run(_load(folder, url, people))
    (folder / "facts.json").write_text(json.dumps(asdict(facts)))
    print(f"loaded in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


async def _load(folder: Path, url: str, people: int) -> Facts:
    world = await build(load({"data_dir": folder, "database": url}, {}, folder))
    ctx = world.ctx()
    try:
        facts, scopes, owner = await _assets(ctx, people)
        await _tokens(ctx, facts, owner)
        sampled = set(random.Random(1).sample(range(people), min(people, SAMPLED_MAX)))
        for start in range(0, people, PART):
            part = range(start, min(start + PART, people))
            rows = await ctx.db.transaction(lambda tx, part=part: add_people(ctx, tx, part, scopes, facts))
            facts.sample.extend(row for number, row in zip(part, rows, strict=True) if number in sampled)
        random.Random(2).shuffle(facts.sample)
        if ctx.db.engine == "postgresql":
            # What autovacuum would do some time later, now.
            await ctx.db.run("ANALYZE")
        return facts
    finally:
        await world.close()


async def add_people(ctx: Ctx, tx: Tx, part: Iterable[int], scopes: list[int], facts: Facts) -> list[list[int]]:
    """Some people, their ids in every scope, and what goes with them: logins to both apps, first messages to both pages."""
    now_ms = ctx.clock.now_ms()
    people = await store.create_people(tx, now_ms, [NewPerson(name=f"Person {number}") for number in part])
    pairs = [(person, scope) for person in people for scope in scopes]
    made = await store.mint_many(tx, ctx.ids, pairs)
    apps, pages = [app["id"] for app in facts.apps], [page["scope"] for page in facts.pages]
    await tx.many(_GRANT, [{"person": person, "app": app, "now_ms": now_ms} for person in people for app in apps])
    await tx.many(
        _CONTACT, [{"person": person, "scope": page, "now_ms": now_ms} for person in people for page in pages]
    )
    return [made[at : at + len(scopes)] for at in range(0, len(made), len(scopes))]


async def _assets(ctx: Ctx, people: int) -> tuple[Facts, list[int], int]:
    now_ms = ctx.clock.now_ms()

    async def make(tx: Tx) -> tuple[Facts, list[int], int]:
        new = NewBusiness(name="A business", verified_ms=now_ms, review_state="approved")
        business = await store.create_business(tx, ctx.ids, now_ms, new)
        facts = Facts(people)
        for number in (1, 2):
            app = NewApp(
                name=f"App {number}", business=business, mode="live", category="Games", namespace=f"bench{number}",
                link=f"https://example.com/app/{number}",
            )  # fmt: skip
            made = await store.create_app(tx, ctx.ids, ctx.keyring, now_ms, app)
            facts.apps.append({"id": made.id, "scope": made.scope, "secret": made.secret})
        for number in (1, 2):
            new_page = NewPage(
                name=f"Page {number}", business=business, category="Company", link=f"https://example.com/page/{number}"
            )
            page = await store.create_page(tx, ctx.ids, now_ms, new_page)
            facts.pages.append({"id": page.id, "scope": page.scope})
        owner = await store.create_person(tx, now_ms, NewPerson(name="Olive Owner"))
        await store.set_tasks(tx, facts.pages[0]["id"], owner, ["MANAGE"])
        return facts, [asset["scope"] for asset in (*facts.apps, *facts.pages)], owner

    return await ctx.db.transaction(make)


async def _tokens(ctx: Ctx, facts: Facts, owner: int) -> None:
    page = facts.pages[0]
    new = NewToken(
        kind="page", app=facts.apps[0]["id"], person=owner, page=page["id"],
        scopes=("pages_messaging", "pages_read_engagement"),
    )  # fmt: skip
    page["token"] = await ctx.db.transaction(lambda tx: issue(ctx.on(tx), new))
