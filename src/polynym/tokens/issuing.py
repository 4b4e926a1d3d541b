"""Issuing: the token that a login, an exchange or a business asks for, with the lifetime and scopes of its kind."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from polynym.core.ctx import Ctx
from polynym.tokens import lifetime, store
from polynym.tokens.grants import grants_of
from polynym.tokens.store import NewToken

#: Two clients that ask for an app token at once may mint two; the older one is shown from then on.
_APP: Final = "app"


async def issue_user_token(
    ctx: Ctx,
    person: int,
    app: str,
    *,
    scopes: Collection[str] | None = None,
    long_lived: bool = False,
    shown: bool = False,
    fixed: str | None = None,
    origins: tuple[str, ...] = (),
) -> str:
    """A user token with what the person has granted, or with those of `scopes` that they have granted."""
    given = await grants_of(ctx.db, person, app)
    now_ms = ctx.clock.now_ms()
    new = NewToken(
        kind="user",
        app=app,
        person=person,
        scopes=given.granted if scopes is None else given.granted.intersection(scopes),
        targets=given.targets,
        expires_ms=lifetime.long_user_expiry(now_ms) if long_lived else lifetime.short_user_expiry(now_ms),
        data_access_expires_ms=lifetime.data_access_expiry(now_ms),
        shown=shown,
        fixed=fixed,
        origins=origins,
    )
    return await store.issue(ctx, new)


async def issue_system_user_token(
    ctx: Ctx,
    system_user: str,
    app: str,
    scopes: Collection[str],
    *,
    person: int | None = None,
    in_60_days: bool = False,
    shown: bool = False,
    fixed: str | None = None,
) -> str:
    """A system user's token. `person` is the key under which the system user's tasks on pages are kept, if it has any."""
    new = NewToken(
        kind="system_user",
        app=app,
        person=person,
        system_user=system_user,
        scopes=scopes,
        expires_ms=lifetime.system_user_expiry(ctx.clock.now_ms(), in_60_days=in_60_days),
        shown=shown,
        fixed=fixed,
    )
    return await store.issue(ctx, new)


async def app_token(ctx: Ctx, app: str) -> str:
    """The app's minted token: the same one every time until the secret is reset."""
    rows = await store.shown_tokens(ctx, app, _APP)
    if rows:
        return store.reveal(ctx, rows[0])
    return await store.issue(ctx, NewToken(kind=_APP, app=app, shown=True))
