"""Authorization codes: stored as a keyed hash, bound to app, person, redirect and grants, and good for one token."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from polynym.core.ctx import Ctx
from polynym.core.db import Row
from polynym.tokens import store
from polynym.tokens.issuing import issue_user_token
from polynym.tokens.pkce import How, fits
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

CODE_CHARS: Final = 180
#: How long a code is remembered after its end, so that who trades it again is told what happened.
KEPT_MS: Final = 24 * 60 * 60 * 1000
_FORM: Final = re.compile(r"AQ[A-Za-z0-9_-]{20,1022}\Z", re.ASCII)

_INSERT: Final = """
INSERT INTO authorization_code (hash, app, person, redirect_uri, scopes, challenge, challenge_how, nonce, parent,
                                issued_ms, expires_ms)
VALUES (:hash, :app, :person, :redirect_uri, :scopes, :challenge, :challenge_how, :nonce, :parent,
        :issued_ms, :expires_ms)
"""
_FIND: Final = "SELECT * FROM authorization_code WHERE hash IN ({hashes}) FOR UPDATE"
_USE: Final = "UPDATE authorization_code SET used_ms = :now_ms WHERE hash = :hash AND used_ms IS NULL"
_END: Final = "UPDATE authorization_code SET expires_ms = :now_ms WHERE person = :person AND expires_ms > :now_ms"
_SWEEP: Final = "DELETE FROM authorization_code WHERE expires_ms < :before_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """A code to be. `redirect_uri` None is for codes that no redirect delivers.

    `parent` is the hash of the token that a client's code was made from: it is traded without the secret, and not after
    that token.
    """

    app: str
    person: int
    scopes: Collection[str]
    redirect_uri: str | None = None
    challenge: str | None = None
    challenge_how: How | None = None
    nonce: str | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """What comes with a code to be traded. `trusted` is True when the app's secret came too, and was right."""

    app: str
    code: str = field(repr=False)
    redirect_uri: str | None
    verifier: str | None = field(repr=False)
    trusted: bool


@dataclass(frozen=True, slots=True)
class Traded:
    """What a code was traded for. `for_client` tells that no secret was needed."""

    token: str = field(repr=False)
    for_client: bool


class ReplayedError(Exception):
    """A code that was traded before: what it was traded for must die, in a transaction that is not rolled back.

    `origin` is what all of it is marked with, besides person and app.
    """

    def __init__(self, origin: str, person: int, app: str) -> None:
        super().__init__("a code was traded again")
        self.origin = origin
        self.person = person
        self.app = app


async def make(ctx: Ctx, new: NewCode) -> str:
    """Store a new code and return it: the only moment at which it is known. `ctx.db` is an open transaction."""
    now_ms = ctx.clock.now_ms()
    code = "AQ" + ctx.ids.url_safe(CODE_CHARS)
    await ctx.db.run(_SWEEP, before_ms=now_ms - KEPT_MS)
    await ctx.db.run(
        _INSERT,
        hash=ctx.keyring.hash_token(code),
        app=new.app,
        person=new.person,
        redirect_uri=new.redirect_uri,
        scopes=store.scopes_text(new.scopes),
        challenge=new.challenge,
        challenge_how=new.challenge_how,
        nonce=new.nonce,
        parent=new.parent,
        issued_ms=now_ms,
        expires_ms=now_ms + limits.OAUTH_CODE_MS,
    )
    return code


async def trade(ctx: Ctx, given: Trade) -> Traded:
    """Trade a code for a long-lived user token with what is still granted. `ctx.db` is an open transaction.

    Of any number who try at once one succeeds. Raises CODE_FORMAT (unknown, or another app's), CLIENT_SECRET,
    REDIRECT_MISSING, REDIRECT_MISMATCH, PARAM_INVALID (code_verifier), CODE_EXPIRED; ReplayedError when it was used.
    """
    row = await _find(ctx, given.code)
    if row is None or row["app"] != given.app:
        raise GraphError(errors.CODE_FORMAT if given.trusted or given.verifier else errors.CLIENT_SECRET)
    _check(row, given)
    now_ms = ctx.clock.now_ms()
    if row["used_ms"] is not None:
        raise ReplayedError(row["hash"], row["person"], row["app"])
    if row["expires_ms"] <= now_ms:
        raise GraphError(errors.CODE_EXPIRED)
    parent = row["parent"]
    scopes = store.scopes_of(row["scopes"])
    origins = (row["hash"],)
    if parent is not None:
        origins += (await store.hold(ctx, parent)).origins
    token = await issue_user_token(ctx, row["person"], row["app"], scopes=scopes, long_lived=True, origins=origins)
    await ctx.db.run(_USE, hash=row["hash"], now_ms=now_ms)
    return Traded(token, parent is not None)


async def _find(ctx: Ctx, code: str) -> Row | None:
    if not _FORM.match(code):
        return None
    hashes = {f"h{number}": hash_ for number, hash_ in enumerate(ctx.keyring.hashes(code))}
    return await ctx.db.one(_FIND.format(hashes=", ".join(f":{name}" for name in hashes)), **hashes)


def _check(row: Row, given: Trade) -> None:
    """Whether this is who the code was made for."""
    challenge = row["challenge"]
    if not given.trusted and challenge is None and row["parent"] is None:
        raise GraphError(errors.CLIENT_SECRET)
    if row["redirect_uri"] is not None and not given.redirect_uri:
        raise GraphError(errors.REDIRECT_MISSING)
    if (row["redirect_uri"] or "") != (given.redirect_uri or ""):
        raise GraphError(errors.REDIRECT_MISMATCH)
    if challenge is None and given.verifier is not None:
        # Whoever took the challenge out of the dialog's address would have taken the protection with it (RFC 9700 4.8.2).
        raise GraphError(
            errors.PARAM_INVALID, name="code_verifier", expected="nothing: the dialog got no code_challenge"
        )
    if challenge is not None and not fits(given.verifier, challenge, row["challenge_how"]):
        expected = "the text whose code_challenge was sent to the dialog"
        raise GraphError(errors.PARAM_INVALID, name="code_verifier", expected=expected)


async def end(ctx: Ctx, person: int) -> None:
    """None of the person's codes can be traded any more: what a change of password does."""
    await ctx.db.run(_END, person=person, now_ms=ctx.clock.now_ms())
