"""What a login changes: who may be asked for what, and what comes of the answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from polynym.core.ctx import Ctx
from polynym.core.db import Db, Row, Tx
from polynym.identity import roles
from polynym.identity import store as identity
from polynym.tokens import codes, dialog, grants, lifetime
from polynym.tokens.codes import NewCode
from polynym.tokens.dialog import Asked, Given
from polynym.tokens.issuing import issue_user_token
from polynym.tokens.scopes import ALWAYS, known
from polynym.wire import errors
from polynym.wire.errors import GraphError
from polynym.wire.versions import Version


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


async def conclude(ctx: Ctx, app: Row, asked: Asked, person: int, decision: Decision | None) -> Given:
    """The person goes back to the app: with what they just decided, or (None) with what holds anyway.

    Makes the app-scoped id at a first login. `ctx.db` is an open transaction.
    """
    await identity.scoped_id(cast(Tx, ctx.db), ctx.ids, person, app["scope"])
    if decision is not None:
        await grants.grant(
            ctx, person, app["id"], decision.granted, declined=decision.declined, targets=decision.targets
        )
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
