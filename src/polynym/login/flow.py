"""What a login changes: who may be asked for what, and what comes of the answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from polynym.core.ctx import Ctx
from polynym.core.db import Db, Row, Tx
from polynym.identity import roles
from polynym.identity import store as identity
from polynym.tokens import codes, dialog, grants, lifetime
from polynym.tokens.codes import NewCode
from polynym.tokens.dialog import Asked, Given
from polynym.tokens.issuing import issue_user_token
from polynym.tokens.scopes import ALWAYS, CATALOGUE, known, page_targets
from polynym.wire import errors
from polynym.wire.errors import GraphError
from polynym.wire.versions import Version

_BUSINESS: Final = "business_management"


@dataclass(frozen=True, slots=True)
class Offer:
    """What one person can be asked by one app: `offered` permissions, and the `states` of what they said before."""

    offered: frozenset[str]
    states: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about the asked permissions. `targets` limit granted ones to single assets."""

    granted: frozenset[str]
    declined: frozenset[str] = frozenset()
    targets: Mapping[str, Collection[str]] = field(default_factory=dict)


async def asked_by(db: Db, params: Mapping[str, str], version: Version) -> tuple[Row, Asked]:
    """The app that asks, and what it asks for. Raises the errors of `dialog.read`, for our own page."""
    app = await identity.app_row(db, dialog.app_asked(params))
    if app is None:
        raise GraphError(errors.DIALOG_APP_ID)
    return app, dialog.read(params, version, identity.list_of_text(app["redirect_uris"]))


async def offer(db: Db, app: Row, asked: Asked, person: int) -> Offer:
    """What this person can be asked.

    Who has a role on the app can be asked for everything; others need the app to be live, and are never asked for what it
    was not reviewed for (contract graph 11). Raises DIALOG_DEVELOPMENT, and for developers DIALOG_SCOPES.
    """
    role = await identity.role_of(db, app["id"], person)
    if app["mode"] == "development" and not roles.uses_app_in_development(role):
        raise GraphError(errors.DIALOG_DEVELOPMENT)
    if asked.unknown and role is not None:
        raise GraphError(errors.DIALOG_SCOPES, scopes=", ".join(asked.unknown))
    states = (await grants.grants_of(db, person, app["id"])).states
    if role is not None:
        return Offer(asked.scopes, states)
    access = await identity.permissions_of(db, app["id"])
    return Offer(frozenset(name for name in asked.scopes if access.get(name, "advanced") == "advanced"), states)


def decided(offered: Offer, names: Collection[str], version: Version) -> Decision:
    """The decision that grants `names` of what was offered, and declines the rest.

    A name that another stands for counts as granted with it. Raises PARAM_INVALID for what is no permission.
    """
    chosen, unknown = known(names, version)
    if unknown:
        raise GraphError(errors.PARAM_INVALID, name="polynym_grant", expected="all, none or names of permissions")
    granted = (chosen & offered.offered) | {ALWAYS}
    return Decision(granted, offered.offered - granted)


def ticked(
    names: Collection[str], boxes: Collection[str], offered: Offer, nothing_of: Collection[str]
) -> frozenset[str]:
    """Which of the undecided `names` a form grants: those whose box is ticked.

    A permission about pages or businesses of which none was picked is not granted: without targets it would hold for all.
    A legacy permission, which has no box, is granted when everything offered that it stands for is.
    """
    chosen = {name for name in names if name in boxes and not _concerns(name, nothing_of)}
    held = chosen | {name for name, state in offered.states.items() if state == "granted"}
    legacy = {name for name in names if CATALOGUE[name].legacy}
    return frozenset(chosen | {name for name in legacy if held.issuperset(_modern(name, offered))})


def _modern(name: str, offered: Offer) -> frozenset[str]:
    return offered.offered.intersection(CATALOGUE[name].replaced_by)


def _concerns(name: str, kinds: Collection[str]) -> bool:
    return ("page" in kinds and bool(CATALOGUE[name].tasks)) or ("business" in kinds and name == _BUSINESS)


def targets_of(granted: frozenset[str], picked: Mapping[str, Collection[str]]) -> dict[str, Collection[str]]:
    """What the picked assets limit: page permissions to pages, business_management to businesses."""
    targets: dict[str, Collection[str]] = {}
    if picked.get("page"):
        targets |= page_targets(granted, picked["page"])
    if picked.get("business") and _BUSINESS in granted:
        targets[_BUSINESS] = picked["business"]
    return targets


async def conclude(ctx: Ctx, app: Row, asked: Asked, person: int, decision: Decision | None) -> Given:
    """The person goes back to the app: with what they just decided, or (None) with what holds anyway.

    Makes the app-scoped id at a first login. `ctx.db` is an open transaction.
    """
    await identity.scoped_id(cast(Tx, ctx.db), ctx.ids, person, app["scope"])
    if decision is not None:
        await _record(ctx, app["id"], person, decision)
    now = await grants.grants_of(ctx.db, person, app["id"])
    code = token = None
    now_ms = ctx.clock.now_ms()
    if asked.code:
        new = NewCode(
            app=app["id"], person=person, scopes=now.granted, redirect_uri=asked.redirect_uri,
            challenge=asked.challenge, challenge_how=asked.challenge_how, nonce=asked.nonce,
        )  # fmt: skip
        code = await codes.make(ctx, new)
    if asked.token:
        token = await issue_user_token(ctx, person, app["id"])
    return Given(
        code=code,
        token=token,
        expires_in=lifetime.expires_in_s(lifetime.short_user_expiry(now_ms), now_ms) or 0,
        data_access_expires_s=lifetime.unix_s(lifetime.data_access_expiry(now_ms)),
        granted=tuple(sorted(now.granted)),
        declined=tuple(sorted(name for name, state in now.states.items() if state == "declined")),
    )


async def _record(ctx: Ctx, app: str, person: int, decision: Decision) -> None:
    """Note what was decided. What is refused now leaves the tokens that have it; what was not asked stays as it was."""
    before = await grants.grants_of(ctx.db, person, app)
    for name in sorted(decision.declined & before.granted):
        await grants.revoke_grant(ctx, person, app, name)
    # A legacy name grants what it stands for, too: not more widely than the person once said.
    kept = {name: ids for name, ids in before.targets.items() if name not in decision.granted}
    await grants.grant(
        ctx, person, app, decision.granted, declined=decision.declined, targets=kept | dict(decision.targets)
    )
