"""Token rows. A token is a secret: the database sees only its keyed hash, and sealed text where it must be shown again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import msgspec

from polynym.core.ctx import Ctx, TokenKind
from polynym.core.db import Db, Row, Tx, Value
from polynym.tokens.lifetime import REASONS, died_of
from polynym.tokens.scopes import Targets, fitting
from polynym.wire import errors
from polynym.wire.errors import GraphError

#: Longer texts are no tokens of ours; nobody hashes them.
TOKEN_CHARS_MAX: Final = 1_024
FIXED_CHARS_MIN: Final = 8
#: How often a change looks again for tokens that were derived while it ran. Each look locks what it finds.
PASSES_MAX: Final = 20

_INSERT: Final = """
INSERT INTO token (hash, sealed, kind, app, person, page, system_user_id, scopes, targets, issued_ms, expires_ms,
                   data_access_expires_ms, parent, origins)
VALUES (:hash, :sealed, :kind, :app, :person, :page, :system_user_id, :scopes, :targets, :issued_ms, :expires_ms,
        :data_access_expires_ms, :parent, :origins)
"""
_FACTS: Final = """
SELECT t.hash, t.kind, t.app, t.person, t.page, t.system_user_id, t.scopes, t.targets, t.issued_ms, t.expires_ms,
       t.data_access_expires_ms, t.dead_ms, t.dead_reason,
       a.id, a.scope, a.name, a.secret_sealed, a.mode, a.require_app_secret_ms, a.native_ms, p.scope AS page_scope
FROM token t JOIN app a ON a.id = t.app LEFT JOIN page p ON p.id = t.page
WHERE t.hash IN ({hashes})
"""
_SHOWN: Final = """
SELECT hash, sealed, page, scopes, targets, parent, expires_ms FROM token
WHERE app = :app AND kind = :kind AND sealed IS NOT NULL AND dead_ms IS NULL
  AND (expires_ms IS NULL OR expires_ms > :now_ms)
  AND (CAST(:person AS BIGINT) IS NULL OR person = :person)
  AND (CAST(:page AS TEXT) IS NULL OR page = :page)
ORDER BY issued_ms, hash
"""
#: Changes nothing and locks the row until the transaction ends, on both engines.
_HOLD: Final = """
UPDATE token SET dead_ms = NULL WHERE hash = :hash AND dead_ms IS NULL RETURNING scopes, targets, origins
"""
_DEATH: Final = "SELECT app, dead_reason FROM token WHERE hash = :hash"
_KILL: Final = """
UPDATE token SET dead_ms = :now_ms, dead_reason = :reason, sealed = NULL{forget}
WHERE dead_ms IS NULL AND {condition}
"""
_KILL_CHILDREN: Final = """
UPDATE token SET dead_ms = :now_ms, dead_reason = :reason, sealed = NULL{forget}
WHERE dead_ms IS NULL AND parent IN (SELECT hash FROM token WHERE dead_ms IS NOT NULL AND {condition})
"""
_EXPIRE: Final = """
UPDATE token SET expires_ms = :now_ms, sealed = NULL
WHERE dead_ms IS NULL AND (hash = :hash OR parent = :hash) AND (expires_ms IS NULL OR expires_ms > :now_ms)
"""
_TAKE_SCOPE: Final = """
UPDATE token SET scopes = replace(scopes, :scope, ',')
WHERE person = :person AND app = :app AND replace(scopes, :scope, ',') <> scopes
"""
_SET_SCOPES: Final = "UPDATE token SET scopes = :scopes WHERE hash = :hash AND scopes <> :scopes"
_FORGET: Final = {
    "person": (
        "DELETE FROM token WHERE parent IN (SELECT hash FROM token WHERE person = :value)",
        "DELETE FROM token WHERE person = :value",
        "DELETE FROM app_grant WHERE person = :value",
        "DELETE FROM authorization_code WHERE person = :value",
    ),
    "app": (
        "DELETE FROM token WHERE app = :value",
        "DELETE FROM app_grant WHERE app = :value",
        "DELETE FROM authorization_code WHERE app = :value",
    ),
    "page": ("DELETE FROM token WHERE page = :value",),
}
_FILTERS: Final = ("person", "app", "page", "system_user_id", "hash")


class TokenRefusedError(ValueError):
    """A fixed token that cannot be one: too short, too long, not printable ASCII, or of the wrong form for its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to be issued. Scopes that its kind may not carry are left out.

    `shown` keeps it sealed so that the API can show it again. `fixed` is a token from a world file instead of a new one.
    """

    kind: TokenKind
    app: str
    person: int | None = None
    page: str | None = None
    system_user: str | None = None
    scopes: Collection[str] = ()
    targets: Targets = field(default_factory=dict)
    expires_ms: int | None = None
    data_access_expires_ms: int | None = None
    parent: str | None = None
    #: Hashes of the authorization codes that it goes back to: traded again, they end it.
    origins: tuple[str, ...] = ()
    shown: bool = False
    fixed: str | None = field(default=None, repr=False)


def scopes_text(scopes: Collection[str]) -> str:
    """Scopes as stored: sorted, with a comma at both ends."""
    return ",".join(("", *sorted(scopes), "")) if scopes else ","


def scopes_of(text: str) -> frozenset[str]:
    """Scopes from their stored form."""
    return frozenset(text.split(",")) - {""}


def targets_text(targets: Targets, scopes: Collection[str]) -> str | None:
    """Granular targets as stored, for these scopes only; None when nothing is limited."""
    kept = {name: sorted(ids) for name, ids in sorted(targets.items()) if name in scopes}
    return msgspec.json.encode(kept).decode() if kept else None


def targets_of(text: str | None) -> dict[str, tuple[str, ...]]:
    """Granular targets from their stored form."""
    return {} if text is None else msgspec.json.decode(text, type=dict[str, tuple[str, ...]])


async def issue(ctx: Ctx, new: NewToken) -> str:
    """Store a new token and return it: the only moment at which it is known. Raises UniqueViolation, TokenRefusedError."""
    token = _minted(ctx, new) if new.fixed is None else _checked(new.fixed, new)
    hash_ = ctx.keyring.hash_token(token)
    scopes = fitting(new.scopes, new.kind)
    await ctx.db.run(
        _INSERT,
        hash=hash_,
        sealed=ctx.keyring.seal(token, _seal_context(hash_)) if new.shown else None,
        kind=new.kind,
        app=new.app,
        person=new.person,
        page=new.page,
        system_user_id=new.system_user,
        scopes=scopes_text(scopes),
        targets=targets_text(new.targets, scopes),
        issued_ms=ctx.clock.now_ms(),
        expires_ms=new.expires_ms,
        data_access_expires_ms=new.data_access_expires_ms,
        parent=new.parent,
        origins=f",{','.join(new.origins)}," if new.origins else None,
    )
    return token


def _minted(ctx: Ctx, new: NewToken) -> str:
    return f"{new.app}|{ctx.ids.app_token_part()}" if new.kind == "app" else ctx.ids.token(new.app)


def _checked(fixed: str, new: NewToken) -> str:
    if not FIXED_CHARS_MIN <= len(fixed) <= TOKEN_CHARS_MAX:
        raise TokenRefusedError(f"a token has {FIXED_CHARS_MIN} to {TOKEN_CHARS_MAX} characters")
    if not all("!" <= character <= "~" for character in fixed):
        raise TokenRefusedError("a token is printable ASCII without blanks")
    if ("|" in fixed) != (new.kind == "app") or (new.kind == "app" and not fixed.startswith(f"{new.app}|")):
        raise TokenRefusedError("the token of an app starts with the app's id and a bar; no other token has a bar")
    return fixed


def _seal_context(hash_: str) -> str:
    return f"token:{hash_}"


async def token_row(db: Db, hashes: Sequence[str]) -> Row | None:
    """The facts of a token and its app and page, by the token's hashes (one a key). One statement."""
    names = ", ".join(f":h{number}" for number in range(len(hashes)))
    params: dict[str, Value] = {f"h{number}": hash_ for number, hash_ in enumerate(hashes)}
    return await db.one(_FACTS.format(hashes=names), **params)


async def shown_tokens(
    ctx: Ctx, app: str, kind: TokenKind, *, person: int | None = None, page: str | None = None
) -> Sequence[Row]:
    """Living tokens that may be shown again, oldest first; `reveal` opens one."""
    return await ctx.db.all(_SHOWN, app=app, kind=kind, person=person, page=page, now_ms=ctx.clock.now_ms())


def reveal(ctx: Ctx, row: Row) -> str:
    """The token itself, from a row of `shown_tokens`."""
    return ctx.keyring.open(row["sealed"], _seal_context(row["hash"]))


@dataclass(frozen=True, slots=True)
class Held:
    """What a held token may do at this moment; a cached caller may be up to a second older."""

    scopes: frozenset[str]
    targets: dict[str, tuple[str, ...]]
    origins: tuple[str, ...] = ()


async def hold(ctx: Ctx, hash_: str) -> Held:
    """Keep a token from dying or losing scopes until this transaction ends. Raises the error of its death.

    Whatever derives a token from another holds that one first: then a kill either sees the new token or prevents it.
    """
    row = await ctx.db.one(_HOLD, hash=hash_)
    if row is None:
        raise await _death_of(ctx, hash_)
    origins = tuple(part for part in (row["origins"] or "").split(",") if part)
    return Held(scopes_of(row["scopes"]), targets_of(row["targets"]), origins)


async def _death_of(ctx: Ctx, hash_: str) -> GraphError:
    """Why a stored token is dead."""
    row = await ctx.db.one(_DEATH, hash=hash_)
    if row is None:
        return GraphError(errors.INVALID_TOKEN)
    return died_of(row["dead_reason"] or "", row["app"])


async def kill(
    ctx: Ctx,
    reason: str,
    *,
    person: int | None = None,
    app: str | None = None,
    page: str | None = None,
    system_user: str | None = None,
    hash: str | None = None,  # noqa: A002 - the column's name
    origin: str | None = None,
    kinds: Sequence[TokenKind] = (),
) -> int:
    """End every living token that fits all the filters, and the page tokens derived from them; how many there were.

    `ctx.db` is an open transaction. `reason` is one of `lifetime.REASONS`. At least one filter besides `kinds` is needed.
    """
    chosen = dict(zip(_FILTERS, (person, app, page, system_user, hash), strict=True))
    filters: dict[str, Value] = {name: value for name, value in chosen.items() if value is not None}
    if not (filters or origin) or reason not in REASONS:
        raise ValueError("kill needs a filter and a known reason")
    of_origin = [] if origin is None else ["origins LIKE :origins ESCAPE '~'"]
    condition = " AND ".join([f"{name} = :{name}" for name in filters] + of_origin + _kind_condition(kinds))
    if origin is not None:
        filters["origins"] = f"%,{origin.replace('_', '~_')},%"
    forget = ", person = NULL" if REASONS[reason].forgets else ""
    params: dict[str, Value] = filters | _kind_params(kinds)
    params |= {"now_ms": ctx.clock.now_ms(), "reason": reason}
    statements = [text.format(condition=condition, forget=forget) for text in (_KILL, _KILL_CHILDREN)]
    return await _until_quiet(ctx, statements, params)


async def expire(ctx: Ctx, hash_: str) -> int:
    """Bring the end of a token, and of the page tokens derived from it, forward to now; how many there were.

    `ctx.db` is an open transaction.
    """
    return await _until_quiet(ctx, (_EXPIRE,), {"hash": hash_, "now_ms": ctx.clock.now_ms()})


def _kind_condition(kinds: Sequence[TokenKind]) -> list[str]:
    return [f"kind IN ({', '.join(f':kind{number}' for number in range(len(kinds)))})"] if kinds else []


def _kind_params(kinds: Sequence[TokenKind]) -> dict[str, Value]:
    return {f"kind{number}": kind for number, kind in enumerate(kinds)}


async def _until_quiet(ctx: Ctx, statements: Sequence[str], params: Mapping[str, Value]) -> int:
    """Repeat until nothing changes: a token derived while the first pass waited for its parent is seen by the next."""
    changed = 0
    for _ in range(PASSES_MAX):
        this_pass = 0
        for statement in statements:
            this_pass += await ctx.db.run(statement, **params)
        if not this_pass:
            break
        changed += this_pass
    if changed:
        await announce(ctx)
    return changed


async def announce(ctx: Ctx) -> None:
    """Tell every process that something it may have cached about tokens changed."""
    await ctx.epoch.bump(cast(Tx, ctx.db))


async def remove_scope(ctx: Ctx, person: int, app: str, scope: str) -> int:
    """Take one scope from all tokens of a person for an app, page tokens included; how many had it."""
    return await _until_quiet(ctx, (_TAKE_SCOPE,), {"person": person, "app": app, "scope": f",{scope},"})


async def set_scopes(ctx: Ctx, hash_: str, scopes: Collection[str]) -> bool:
    """Replace the scopes of one token; whether that changed anything."""
    changed = await ctx.db.run(_SET_SCOPES, hash=hash_, scopes=scopes_text(scopes)) > 0
    if changed:
        await announce(ctx)
    return changed


async def forget(ctx: Ctx, *, person: int | None = None, app: str | None = None, page: str | None = None) -> None:
    """Delete every trace of a person's, an app's or a page's tokens and grants: afterwards they were never there.

    `ctx.db` is an open transaction.
    """
    values: dict[str, Value] = {"person": person, "app": app, "page": page}
    for name, value in values.items():
        if value is not None:
            await _until_quiet(ctx, _FORGET[name], {"value": value})
