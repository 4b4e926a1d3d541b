"""The OAuth endpoints that need no person: app tokens, long-lived exchange, revocation, and the errors of codes."""

from __future__ import annotations

from typing import Any, Final

from polynym.core.ctx import Caller, CallerApp, Ctx
from polynym.core.db import Tx
from polynym.graph.call import Answer, Call
from polynym.graph.node import Param, root
from polynym.identity.store import app_row, list_of_text
from polynym.tokens import codes, lifetime, redirects, store
from polynym.tokens.authenticate import caller_app, look_up
from polynym.tokens.codes import NewCode, Trade
from polynym.tokens.issuing import app_token
from polynym.tokens.proof import check_proof
from polynym.tokens.redirects import REDIRECT_CHARS_MAX
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
        Param("code", doc="An authorization code.", max=store.TOKEN_CHARS_MAX),
        Param("redirect_uri", doc="The one that the code was sent to, letter for letter.", max=REDIRECT_CHARS_MAX),
        Param("code_verifier", doc="PKCE, instead of client_secret or with it.", max=200),
        Param("machine_id", doc="For the exchange by a client without the secret.", max=200),
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
    redirect_uri: str | None,
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
    if secret is not None:
        _check_secret(app, secret)
    if code is None:
        raise GraphError(errors.CODE_MISSING)
    given = Trade(app.id, code, redirect_uri, code_verifier, trusted=secret is not None)
    return await _trade(ctx, call, given, machine_id)


async def _trade(ctx: Ctx, call: Call, given: Trade, machine_id: str | None) -> Answer | dict[str, Any]:
    """A code for a token. A second time ends the token of the first (RFC 6749 4.1.2), and that is not rolled back."""
    try:
        traded = await ctx.db.transaction(lambda tx: codes.trade(ctx.on(tx), given))
    except codes.ReplayedError as replayed:
        origin, person, app = replayed.origin, replayed.person, replayed.app
        await ctx.db.transaction(lambda tx: store.kill(ctx.on(tx), "revoked", person=person, app=app, origin=origin))
        raise GraphError(errors.CODE_USED) from None
    now_ms = ctx.clock.now_ms()
    answer = _answer(call, traded.token, lifetime.expires_in_s(lifetime.long_user_expiry(now_ms), now_ms))
    if traded.for_client and isinstance(answer, dict):
        return answer | {"machine_id": machine_id or ctx.ids.url_safe(24)}
    return answer


@root(
    "oauth/client_code",
    methods=("GET", "POST"),
    public=True,
    doc="A code that one of the app's clients trades for a token of its own, without the secret.",
    source="C koala; contract graph 4.3",
    params=(
        *_CLIENT,
        Param("access_token", required=True, max=store.TOKEN_CHARS_MAX, doc="A long-lived user token of the app."),
        Param("redirect_uri", required=True, max=REDIRECT_CHARS_MAX, doc="One of the app's redirect URIs."),
    ),
)
async def client_code(
    ctx: Ctx, call: Call, client_id: str | None, client_secret: str | None, access_token: str, redirect_uri: str
) -> dict[str, str]:
    """The code carries what the token does. A proof that comes along is checked."""
    app, secret = await _app(ctx, call, client_id, client_secret)
    _check_secret(app, secret)
    caller = await _own(ctx, app, access_token, check_life=True)
    check_proof(caller, call.params, call.repeated, ctx.clock.now_ms, required=False)
    if (
        caller.kind != "user"
        or caller.person is None
        or not lifetime.is_long_lived(caller.issued_ms, caller.expires_ms)
    ):
        raise GraphError(errors.PARAM_INVALID, name="access_token", expected="a long-lived user token")
    row = await app_row(ctx.db, app.id)
    if row is None or not redirects.allowed(redirect_uri, list_of_text(row["redirect_uris"])):
        raise GraphError(errors.DIALOG_URI_BLOCKED)
    new = NewCode(app=app.id, person=caller.person, scopes=caller.scopes, redirect_uri=redirect_uri, parent=caller.hash)
    return {"code": await ctx.db.transaction(lambda tx: codes.make(ctx.on(tx), new))}


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
        origins=held.origins,
    )
    return await store.issue(ctx, new)


def _answer(call: Call, token: str, expires_in: int | None) -> Answer | dict[str, Any]:
    """JSON; form text before v2.3, where the field was called `expires`."""
    if GATES["oauth_form_text"].holds(call.version):
        text = f"access_token={token}" + ("" if expires_in is None else f"&expires={expires_in}")
        return Answer(200, text.encode(), content_type=b"text/plain; charset=UTF-8")
    answer: dict[str, Any] = {"access_token": token, "token_type": "bearer"}
    return answer if expires_in is None else answer | {"expires_in": expires_in}
