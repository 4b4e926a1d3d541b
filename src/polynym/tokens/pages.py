"""Page tokens: derived from a user's or system user's token, the same one for the same page as long as both live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from polynym.core.ctx import Caller, Ctx
from polynym.core.db import Row, Tx
from polynym.identity.store import tasks_of
from polynym.tokens import lifetime, store
from polynym.tokens.scopes import all_tasks, lists_page, page_scopes
from polynym.tokens.store import Held, NewToken

#: Locks the tasks on PostgreSQL: a role change either sees the new token or comes first.
_TASKS: Final = "SELECT tasks FROM page_task WHERE person = :person AND page = :page FOR UPDATE"
_DERIVED: Final = """
SELECT hash, scopes FROM token
WHERE kind = 'page' AND person = :person AND page = :page AND dead_ms IS NULL
"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a page token must be like to be the one that is asked for."""

    scopes: frozenset[str]
    targets: str | None
    expires_ms: int | None
    parent: str

    def is_met_by(self, row: Row) -> bool:
        if store.scopes_of(row["scopes"]) != self.scopes or row["targets"] != self.targets:
            return False
        # Tokens that never expire are shared by all the person's long-lived sessions; others belong to their session.
        return row["expires_ms"] == self.expires_ms and (self.expires_ms is None or row["parent"] == self.parent)


async def page_token(ctx: Ctx, caller: Caller, page: str) -> str | None:
    """A token for `page`, None when the caller's token or the person's tasks give no right to it.

    A page token of this very page is its own answer. Only user and system user tokens can derive one.
    """
    if caller.kind == "page":
        return caller.token if caller.page == page else None
    if caller.person is None or not may_list(caller, page):
        return None
    tasks = await tasks_of(ctx.db, page, caller.person)
    return (await page_tokens(ctx, caller, {page: tasks})).get(page)


def may_list(caller: Caller, page: str) -> bool:
    """Whether the token's scopes let it list this page and ask for its token."""
    return caller.kind in ("user", "system_user") and lists_page(caller.scopes, dict(caller.targets), page)


async def page_tokens(ctx: Ctx, caller: Caller, pages: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Tokens for several pages, given with the caller's tasks on them; pages without a right are left out.

    One statement when all of them were asked for before. New ones are stored in one transaction that holds the caller's
    token, so that none outlives it.
    """
    held = Held(caller.scopes, dict(caller.targets))
    wanted = {
        page: _wanted(caller, held, page, tasks) for page, tasks in pages.items() if tasks and may_list(caller, page)
    }
    found = await _found(ctx, caller, wanted)
    missing = sorted(wanted.keys() - found.keys())
    if missing:

        async def mint(tx: Tx) -> dict[str, str]:
            return await _mint(ctx.on(tx), caller, missing)

        found |= await ctx.db.transaction(mint)
    return found


def _wanted(caller: Caller, held: Held, page: str, tasks: Sequence[str]) -> _Wanted:
    scopes = page_scopes(held.scopes, held.targets, page, tasks)
    expires_ms = lifetime.page_expiry(caller.kind, caller.issued_ms, caller.expires_ms)
    return _Wanted(scopes, store.targets_text(held.targets, scopes), expires_ms, caller.hash)


async def _found(ctx: Ctx, caller: Caller, wanted: Mapping[str, _Wanted]) -> dict[str, str]:
    if not wanted or caller.person is None:
        return {}
    only = next(iter(wanted)) if len(wanted) == 1 else None
    rows = await store.shown_tokens(ctx, caller.app.id, "page", person=caller.person, page=only)
    first: dict[str, Row] = {}
    for row in rows:
        need = wanted.get(row["page"])
        if need is not None and need.is_met_by(row):
            first.setdefault(row["page"], row)
    return {page: store.reveal(ctx, row) for page, row in first.items()}


async def _mint(ctx: Ctx, caller: Caller, pages: Sequence[str]) -> dict[str, str]:
    """New tokens, unless another request made them meanwhile, or the person lost the role meanwhile."""
    tasks: dict[str, list[str]] = {}
    for page in pages:
        row = await ctx.db.one(_TASKS, person=caller.person, page=page)
        if row is not None:
            tasks[page] = row["tasks"].split(",")
    held = await store.hold(ctx, caller.hash)
    wanted = {page: _wanted(caller, held, page, each) for page, each in tasks.items()}
    tokens = await _found(ctx, caller, wanted)
    for page, need in wanted.items():
        if page not in tokens and lists_page(held.scopes, held.targets, page):
            tokens[page] = await store.issue(ctx, _new(caller, held, page, need))
    return tokens


def _new(caller: Caller, held: Held, page: str, need: _Wanted) -> NewToken:
    return NewToken(
        kind="page",
        app=caller.app.id,
        person=caller.person,
        page=page,
        system_user=caller.subject if caller.kind == "system_user" else None,
        scopes=need.scopes,
        targets=held.targets,
        expires_ms=need.expires_ms,
        data_access_expires_ms=caller.data_access_expires_ms,
        parent=caller.hash,
        shown=True,
    )


async def narrow(ctx: Ctx, person: int, page: str, tasks: Sequence[str]) -> None:
    """Take from the person's page tokens what their remaining tasks do not cover. `ctx.db` is an open transaction."""
    every = all_tasks(tasks)
    for row in await ctx.db.all(_DERIVED, person=person, page=page):
        scopes = store.scopes_of(row["scopes"])
        await store.set_scopes(ctx, row["hash"], page_scopes(scopes, {}, page, every))
