"""debug_token: what a token is, said to those who may know it."""

from __future__ import annotations

from typing import Any, Final

from polynym.core.ctx import Caller, Ctx
from polynym.graph.call import Call
from polynym.graph.node import Param, root
from polynym.identity.roles import develops_app
from polynym.identity.store import id_in_scope, role_of
from polynym.tokens import lifetime, scopes, store
from polynym.tokens.authenticate import Found, look_up
from polynym.wire import errors
from polynym.wire.errors import GraphError

_TYPES: Final = {"user": "USER", "page": "PAGE", "system_user": "SYSTEM_USER", "app": "APP"}


@root(
    "debug_token",
    methods=("GET",),
    doc="Facts about a token: app, kind, subject, scopes, times, and why it no longer works.",
    source="D docs/graph-api/reference/debug_token; contract graph 4.6",
    params=(Param("input_token", required=True, max=store.TOKEN_CHARS_MAX, doc="The token to look at."),),
)
async def debug_token(ctx: Ctx, _call: Call, input_token: str) -> dict[str, Any]:
    """Dead and invented tokens answer 200 with `data.error`.

    Raises DEBUG_TOKEN_CALLER for a caller who may not look at tokens, DEBUG_TOKEN_OTHER_APP for another app's token.
    """
    assert ctx.caller is not None
    await _check_caller(ctx, ctx.caller, input_token)
    try:
        found = await look_up(ctx.db, ctx.keyring, input_token, ctx.clock.now_ms())
    except GraphError as error:
        return _invented(error)
    if found.caller.kind == "client":
        return _invented(GraphError(errors.INVALID_TOKEN))
    if found.caller.app.id != ctx.caller.app.id:
        raise GraphError(errors.DEBUG_TOKEN_OTHER_APP)
    return {"data": await _facts(ctx, found)}


async def _check_caller(ctx: Ctx, caller: Caller, input_token: str) -> None:
    """An app token, a person who owns or develops the app, or a system user looking at its own token."""
    if caller.kind == "app" or (caller.kind == "system_user" and caller.token == input_token):
        return
    role = None
    if caller.kind == "user" and caller.person is not None:
        role = await role_of(ctx.db, caller.app.id, caller.person)
    if not develops_app(role):
        raise GraphError(errors.DEBUG_TOKEN_CALLER)


def _invented(error: GraphError) -> dict[str, Any]:
    """Garbage has one wording here, whichever the caller of an edge would have seen (contract graph 4.6)."""
    if error.entry is errors.CANNOT_PARSE_TOKEN:
        error = GraphError(errors.INVALID_TOKEN)
    return {"data": {"error": error.nested(), "is_valid": False, "scopes": []}}


async def _facts(ctx: Ctx, found: Found) -> dict[str, Any]:
    caller, death = found.caller, found.death
    data: dict[str, Any] = {"app_id": caller.app.id}
    if death is None:
        data["type"] = _TYPES[caller.kind]
    data["application"] = caller.app.name
    if caller.kind != "app":
        data["data_access_expires_at"] = lifetime.unix_s(caller.data_access_expires_ms)
        if death is not None:
            data["error"] = death.nested()
        data["expires_at"] = lifetime.unix_s(caller.expires_ms)
    elif death is not None:
        data["error"] = death.nested()
    data["is_valid"] = death is None
    if caller.kind != "app" and death is None:
        data["issued_at"] = lifetime.unix_s(caller.issued_ms)
    if caller.kind == "page":
        data["profile_id"] = caller.page
    data["scopes"] = sorted(caller.scopes)
    if caller.kind != "app" and death is None:
        data["granular_scopes"] = _granular(caller)
    user_id = await _user_id(ctx, caller)
    return data if user_id is None else data | {"user_id": user_id}


def _granular(caller: Caller) -> list[dict[str, Any]]:
    """Scopes that concern assets, with the assets they are limited to; no `target_ids` means all of them."""
    targets = dict(caller.targets)
    return [
        {"scope": name, "target_ids": list(targets[name])} if name in targets else {"scope": name}
        for name in sorted(caller.scopes)
        if scopes.concerns_assets(name)
    ]


async def _user_id(ctx: Ctx, caller: Caller) -> str | None:
    """The app's own id of the person behind the token; a page token has one too."""
    if caller.kind != "page":
        return caller.subject
    if caller.person is None:
        return None
    scoped = await id_in_scope(ctx.db, caller.person, caller.app.scope)
    return None if scoped is None else str(scoped)
