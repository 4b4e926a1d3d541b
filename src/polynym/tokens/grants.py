"""Grants: what a person has allowed an app, and for which assets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from polynym.core.ctx import Ctx
from polynym.core.db import Db, Value
from polynym.tokens import store
from polynym.tokens.scopes import ALWAYS, CATALOGUE, Targets, known, taken_away

State = Literal["granted", "declined"]

_UPSERT: Final = """
INSERT INTO app_grant (person, app, scope, state, targets, granted_ms)
VALUES (:person, :app, :scope, :state, :targets, :granted_ms)
ON CONFLICT (person, app, scope) DO UPDATE
SET state = excluded.state, targets = excluded.targets, granted_ms = excluded.granted_ms
"""
_ALL: Final = "SELECT scope, state, targets FROM app_grant WHERE person = :person AND app = :app ORDER BY scope"
_DECLINE: Final = """
UPDATE app_grant SET state = 'declined', targets = NULL
WHERE person = :person AND app = :app AND scope = :scope AND state = 'granted'
"""
_DELETE: Final = (
    "DELETE FROM app_grant WHERE person = :person AND app = :app",
    "DELETE FROM authorization_code WHERE person = :person AND app = :app",
)


class UnknownScopesError(ValueError):
    """Names that are no permissions."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(f"unknown permissions: {', '.join(names)}")
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class Grants:
    """What one person said to one app. `states` is in the order of the names."""

    states: dict[str, State] = field(default_factory=dict)
    targets: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def granted(self) -> frozenset[str]:
        """The scopes that a new token may carry."""
        return frozenset(name for name, state in self.states.items() if state == "granted")


async def grant(
    ctx: Ctx,
    person: int,
    app: str,
    scopes: Iterable[str],
    *,
    declined: Iterable[str] = (),
    targets: Targets | None = None,
) -> frozenset[str]:
    """Record what a person allowed and declined; what they said earlier about other permissions stays.

    `public_profile` is always among the granted. A legacy name also grants the modern set it stands for, limited to the
    same targets. Returns the scopes granted now. Raises UnknownScopesError. Tokens issued earlier keep the scopes they had.
    """
    asked, unknown = known((*scopes, ALWAYS))
    refused = frozenset(declined)
    unknown_too = known(refused)[1]
    if unknown or unknown_too:
        raise UnknownScopesError((*unknown, *unknown_too))
    limits = _spread(targets or {})
    now_ms = ctx.clock.now_ms()
    rows: list[dict[str, Value]] = []
    for name in sorted(asked | refused):
        state: State = "granted" if name in asked else "declined"
        ids = limits.get(name) if state == "granted" else None
        text = None if ids is None else msgspec.json.encode(sorted(ids)).decode()
        rows.append(
            {"person": person, "app": app, "scope": name, "state": state, "targets": text, "granted_ms": now_ms}
        )
    await ctx.db.many(_UPSERT, rows)
    return asked


def _spread(targets: Targets) -> dict[str, Collection[str]]:
    """Targets of a legacy permission are those of the modern ones too, unless these have their own."""
    spread = dict(targets)
    for name in targets:
        for modern in CATALOGUE[name].replaced_by if name in CATALOGUE else ():
            spread.setdefault(modern, targets[name])
    return spread


async def grants_of(db: Db, person: int, app: str) -> Grants:
    """What a person has said to an app so far."""
    rows = await db.all(_ALL, person=person, app=app)
    return Grants(
        {row["scope"]: row["state"] for row in rows},
        {
            row["scope"]: msgspec.json.decode(row["targets"], type=tuple[str, ...])
            for row in rows
            if row["targets"] is not None
        },
    )


async def revoke_grant(ctx: Ctx, person: int, app: str, scope: str) -> bool:
    """Take one permission back: it is declined from now on, and no token of the person for the app carries it any more.

    A legacy permission takes along what it stood for. `ctx.db` is an open transaction. Whether it had been granted.
    """
    had = False
    for name in sorted(taken_away(scope)):
        had |= await ctx.db.run(_DECLINE, person=person, app=app, scope=name) > 0
        await store.remove_scope(ctx, person, app, name)
    return had


async def delete_grants(ctx: Ctx, person: int, app: str) -> None:
    """Forget everything a person said to an app, and the codes that stand for it."""
    for statement in _DELETE:
        await ctx.db.run(statement, person=person, app=app)
