"""Token tools: what a token is, how it dies on request, proofs and signed requests as the platform makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from polynym.core.ctx import Ctx
from polynym.identity import store as identity
from polynym.sandbox import lookup
from polynym.sandbox.moments import format_moment
from polynym.sandbox.plane import ControlError, refuse_unknown, text_param
from polynym.tokens import lifetime, store
from polynym.tokens.authenticate import Found, look_up
from polynym.wire import signatures
from polynym.wire.errors import GraphError
from polynym.wire.versions import NEWEST

EXPIRED: Final = "expired"
TIME_DIGITS_MAX: Final = 12
REASONS: Final = (EXPIRED, *sorted(lifetime.REASONS))


async def show(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a token is, for whom, how long, and the error that it is answered with if it is dead."""
    refuse_unknown(body, "token")
    token = cast(str, text_param(body, "token"))
    found = await _found(ctx, token)
    caller, death = found.caller, found.death
    return {
        "valid": death is None,
        "error": None if death is None else _error(death),
        "kind": caller.kind,
        "app": {"id": caller.app.id, "name": caller.app.name},
        "me": caller.subject,
        "scopes": sorted(caller.scopes),
        "targets": {name: list(ids) for name, ids in caller.targets},
        "issued": format_moment(caller.issued_ms) if caller.issued_ms else None,
        "expires": None if caller.expires_ms is None else format_moment(caller.expires_ms),
        "proof_required": caller.app.require_app_secret and not caller.literal,
        "proof": caller.proof,
    }


async def invalidate(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, Any]:
    """Let a token die of something, and the page tokens that were derived from it; how many died, and of which error.

    An app's id and secret cannot die: reset the secret for that.
    """
    refuse_unknown(body, "token", "reason")
    token, reason = cast(str, text_param(body, "token")), cast(str, text_param(body, "reason"))
    if reason not in REASONS:
        raise ControlError(400, f'"{reason[:80]}" is no reason', "reason", f"one of {', '.join(REASONS)}")
    found = await _found(ctx, token)
    if found.caller.literal or found.caller.kind == "client":
        raise ControlError(409, "the app's own secret is no token that can die", "token", "PATCH the app's secret")
    if found.death is not None:
        raise ControlError(409, f"it is dead already: {_message(found.death)}", "token")
    hash_ = found.caller.hash
    if reason == EXPIRED:
        died = await ctx.db.transaction(lambda tx: store.expire(ctx.on(tx), hash_))
    else:
        died = await ctx.db.transaction(lambda tx: store.kill(ctx.on(tx), reason, hash=hash_))
    after = (await _found(ctx, token)).death
    return {"died": died, "error": None if after is None else _error(after)}


async def proof(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, str]:
    """The appsecret_proof of a token under its own app's secret, or another's; with `time` (unix) that of both together."""
    refuse_unknown(body, "token", "app", "time")
    token, time = cast(str, text_param(body, "token")), text_param(body, "time", required=False)
    if time is not None and not (time.isascii() and time.isdigit() and len(time) <= TIME_DIGITS_MAX):
        raise ControlError(400, '"time" must be unix seconds', "time")
    name = text_param(body, "app", required=False)
    if name is None:
        secret = (await _found(ctx, token)).caller.app.secret
    else:
        secret = await _secret(ctx, (await lookup.find(ctx.db, "app", name)).id)
    return {"appsecret_proof": signatures.appsecret_proof(token, secret, None if time is None else int(time))}


async def signed_request(ctx: Ctx, body: Mapping[str, Any]) -> dict[str, str]:
    """What the platform sends to an app's deauthorize callback about a person."""
    refuse_unknown(body, "app", "person")
    app = await lookup.find(ctx.db, "app", cast(str, text_param(body, "app")))
    person = await lookup.find(ctx.db, "person", cast(str, text_param(body, "person")))
    asid = await identity.id_in_scope(ctx.db, person.person, app.scope)
    if asid is None:
        message = f"{person.key or person.name} never logged in to {app.key or app.id}"
        raise ControlError(409, message, "person", "POST acts/log_in first")
    payload = {"issued_at": ctx.clock.now_ms() // 1000, "user_id": str(asid)}
    return {"signed_request": signatures.signed_request(payload, await _secret(ctx, app.id)), "user_id": str(asid)}


async def _found(ctx: Ctx, token: str) -> Found:
    try:
        return await look_up(ctx.db, ctx.keyring, token, ctx.clock.now_ms())
    except GraphError as error:
        raise ControlError(404, f"this is no token of this world: {_message(error)}", "token") from None


async def _secret(ctx: Ctx, app: str) -> str:
    row = await identity.app_row(ctx.db, app)
    assert row is not None
    return ctx.keyring.open(row["secret_sealed"], identity.secret_context(app))


def _message(error: GraphError) -> str:
    return str(_error(error)["message"])


def _error(error: GraphError) -> dict[str, Any]:
    """The error as a caller sees it, without a trace."""
    told = dict(error.body(None, "")["error"])
    told.pop("fbtrace_id", None)
    return told | {"status": error.status(NEWEST)}
