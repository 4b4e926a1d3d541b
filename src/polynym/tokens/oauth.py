"""The OAuth endpoints that need no person: app tokens, long-lived exchange, revocation, and the errors of codes."""

from __future__ import annotations

from typing import Any, Final

from polynym.core.ctx import Caller, CallerApp, Ctx
from polynym.core.db import Tx
from polynym.graph.call import Answer, Call
from polynym.graph.node import Param, root
from polynym.identity.store import app_row
from polynym.tokens import lifetime, store
from polynym.tokens.authenticate import caller_app, look_up
from polynym.tokens.issuing import app_token
from polynym.tokens.store import NewToken
from polynym.wire import errors, signatures
from polynym.wire.errors import GraphError
from polynym.wire.versions import GATES

GRANT_TYPES: Final = ("authorization_code", "client_credentials", "fb_exchange_token")
#: Kinds that can be exchanged for a longer life.
_EXCHANGEABLE: Final = ("user", "system_user")

_CLIENT: Final = (
    Param("client_id", doc="The app's id. Also accepted as the user name of HTTP Basic."),
    Param("client_secret", doc="The app's secret. Also accepted as the password of HTTP Basic."),
)


@root(
    "oauth/access_token",
    methods=("GET", "POST"),
    public=True,
    doc="Get an app token, exchange a token for a longer-lived one, or trade in an authorization code.",
    source="D documentation/facebook-login/guides/access-tokens; contract graph 4.3",
    params=(
        *_CLIENT,
        Param("grant_type", doc="client_credentials, fb_exchange_token, or authorization_code (the default)."),
        Param("fb_exchange_token", max=store.TOKEN_CHARS_MAX, doc="The token to exchange."),
        Param(
            "set_token_expires_in_60_days",
            "bool",
            doc="For a system user's token: let the new one expire.",
            default=False,
        ),
        Param("code", doc="An authorization code."),
        Param("code_verifier", doc="PKCE, instead of client_secret."),
        Param("machine_id", doc="For the exchange by a client without the secret."),
    ),
)
async def access_token(
    ctx: Ctx,
    call: Call,
    client_id: str | None,
    client_secret: str | None,
    grant_type: str | None,
    fb_exchange_token: str | None,
    set_token_expires_in_60_days: bool,
    code: str | None,
    code_verifier: str | None,
    machine_id: str | None,
) -> Answer | dict[str, Any]:
    """Dispatch by grant type; the app is validated first, then its secret, then the rest."""
    app, secret = await _app(ctx, call, client_id, client_secret)
    if grant_type == "client_credentials":
        _check_secret(app, secret)
        return _answer(call, await _app_token(ctx, app), None)
    if grant_type == "fb_exchange_token":
        _check_secret(app, secret)
        return await _exchange(ctx, call, app, fb_exchange_token, in_60_days=set_token_expires_in_60_days)
    if grant_type not in (None, "authorization_code"):
        raise GraphError(errors.GRANT_TYPE, grant_type=grant_type, supported=", ".join(GRANT_TYPES))
    if secret is not None or (code is not None and code_verifier is None and machine_id is None):
        _check_secret(app, secret)
    # No code has been given out yet: whatever comes is not one.
    raise GraphError(errors.CODE_MISSING if code is None else errors.CODE_FORMAT)


@root(
    "oauth/revoke",
    methods=("GET", "POST"),
    public=True,
    doc="Give a token back: it, and the page tokens derived from it, stop working at once.",
    source="C facebook-business guides; contract graph 4.3",
    params=(
        *_CLIENT,
        Param("revoke_token", required=True, max=store.TOKEN_CHARS_MAX, doc="The token to revoke."),
        Param("access_token", max=store.TOKEN_CHARS_MAX, doc="A token of the same app; checked when given."),
    ),
)
async def revoke(
    ctx: Ctx, call: Call, client_id: str | None, client_secret: str | None, revoke_token: str, access_token: str | None
) -> dict[str, Any]:
    """Revoking twice succeeds twice; another app's token is refused before anything about it is told."""
    app, secret = await _app(ctx, call, client_id, client_secret)
    _check_secret(app, secret)
    if access_token is not None:
        await _own(ctx, app, access_token, check_life=True)
    caller = await _own(ctx, app, revoke_token, check_life=False)
    if caller.literal or caller.kind == "client":
        raise GraphError(errors.INVALID_TOKEN)

    async def kill(tx: Tx) -> None:
        await store.kill(ctx.on(tx), "revoked", hash=caller.hash)

    await ctx.db.transaction(kill)
    return {"success": True}


async def _app(ctx: Ctx, call: Call, client_id: str | None, client_secret: str | None) -> tuple[CallerApp, str | None]:
    """The app that calls, and the secret it gave; parameters win over HTTP Basic, each for itself."""
    basic_id, basic_secret = call.basic or (None, None)
    client_id = client_id or basic_id
    if not client_id:
        raise GraphError(errors.CLIENT_ID_MISSING)
    if not (client_id.isascii() and client_id.isdigit()):
        raise GraphError(errors.APP_ID_INVALID)
    row = await app_row(ctx.db, client_id)
    if row is None:
        raise GraphError(errors.APP_INFO)
    return caller_app(ctx.keyring, row), client_secret or basic_secret


def _check_secret(app: CallerApp, secret: str | None) -> None:
    if secret is None or not signatures.constant_time_equal(secret, app.secret):
        raise GraphError(errors.CLIENT_SECRET)


async def _app_token(ctx: Ctx, app: CallerApp) -> str:
    async def get_or_mint(tx: Tx) -> str:
        return await app_token(ctx.on(tx), app.id)

    return await ctx.db.transaction(get_or_mint)


async def _own(ctx: Ctx, app: CallerApp, token: str, *, check_life: bool) -> Caller:
    """The caller behind a token of this app. Whose it is comes before whether it lives."""
    found = await look_up(ctx.db, ctx.keyring, token, ctx.clock.now_ms())
    if found.caller.app.id != app.id:
        raise GraphError(errors.TOKEN_OF_OTHER_APP, app_id=app.id)
    if check_life and found.death is not None:
        raise found.death
    return found.caller


async def _exchange(
    ctx: Ctx, call: Call, app: CallerApp, token: str | None, *, in_60_days: bool
) -> Answer | dict[str, Any]:
    """A new token with the old one's scopes and a new life; the old one lives on until its own end."""
    if token is None:
        raise GraphError(errors.PARAM_REQUIRED, name="fb_exchange_token")
    old = await _own(ctx, app, token, check_life=True)
    if old.kind not in _EXCHANGEABLE:
        raise GraphError(errors.INVALID_TOKEN)
    now_ms = ctx.clock.now_ms()
    if old.kind == "user":
        expires_ms: int | None = lifetime.long_user_expiry(now_ms)
    else:
        # A token that expires is never traded for one that does not.
        expires_ms = lifetime.system_user_expiry(now_ms, in_60_days=in_60_days or old.expires_ms is not None)

    async def issue(tx: Tx) -> str:
        return await _issue_longer(ctx.on(tx), old, expires_ms)

    return _answer(call, await ctx.db.transaction(issue), lifetime.expires_in_s(expires_ms, now_ms))


async def _issue_longer(ctx: Ctx, old: Caller, expires_ms: int | None) -> str:
    held = await store.hold(ctx, old.hash)
    new = NewToken(
        kind=old.kind,
        app=old.app.id,
        person=old.person,
        system_user=old.subject if old.kind == "system_user" else None,
        scopes=held.scopes,
        targets=held.targets,
        expires_ms=expires_ms,
        data_access_expires_ms=old.data_access_expires_ms,
    )
    return await store.issue(ctx, new)


def _answer(call: Call, token: str, expires_in: int | None) -> Answer | dict[str, Any]:
    """JSON; form text before v2.3, where the field was called `expires`."""
    if GATES["oauth_form_text"].holds(call.version):
        text = f"access_token={token}" + ("" if expires_in is None else f"&expires={expires_in}")
        return Answer(200, text.encode(), content_type=b"text/plain; charset=UTF-8")
    answer: dict[str, Any] = {"access_token": token, "token_type": "bearer"}
    return answer if expires_in is None else answer | {"expires_in": expires_in}


@root(
    "dialog/oauth",
    methods=("GET", "POST"),
    doc="The login dialog: known, not built.",
    source="D: contract graph 4.2",
    public=True,
)
async def dialog(_ctx: Ctx, _call: Call) -> Answer:
    """Says so; nobody is sent anywhere."""
    raise GraphError(errors.UNBUILT_EDGE, edge="dialog/oauth", node="Login")
