"""Authentication: from the text of a token to the Caller it stands for, or to the error of its death.

Hot path: one dictionary. Behind it one statement (two for people's tokens) and no trust in anything that may have
changed since: see `core.epoch`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from polynym.core.clock import Clock
from polynym.core.ctx import Caller, CallerApp, TokenKind
from polynym.core.db import Db, Row
from polynym.core.epoch import Epoch
from polynym.core.seal import Keyring
from polynym.identity.store import app_row, client_token_context, secret_context
from polynym.tokens import lifetime, store
from polynym.tokens.proof import check_proof
from polynym.wire import errors, signatures
from polynym.wire.errors import GraphError

#: Callers kept in memory, least recently used ones go first; about 1 kB each.
CACHED_MAX: Final = 100_000

_PERSON: Final = """
SELECT s.id, p.locale FROM person_scope s JOIN person p ON p.person = s.person
WHERE s.person = :person AND s.scope = :scope
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A token that exists: whom it stands for, and the error of its death if it is dead."""

    caller: Caller
    death: GraphError | None = None


class Authenticator:
    """The token store as `graph` sees it: a cache, a look-up behind it, and the check of proofs."""

    check_proof = staticmethod(check_proof)

    def __init__(self, clock: Clock, epoch: Epoch, keyring: Keyring, *, cached_max: int = CACHED_MAX) -> None:
        self._epoch = epoch
        self._keyring = keyring
        self._cached_max = cached_max
        self._callers: OrderedDict[str, Caller] = OrderedDict()
        # Bound once: these three are most of what a call costs here.
        self._find, self._touch, self._now_ms = self._callers.get, self._callers.move_to_end, clock.now_ms
        epoch.on_change(self._callers.clear)

    def cached(self, token: str) -> Caller | None:
        """The caller if it is known, alive and may be trusted; never touches the database."""
        caller = self._find(token)
        if caller is None or not self._epoch.fresh:
            return None
        if caller.expires_ms is not None and caller.expires_ms <= self._now_ms():
            return None
        self._touch(token)
        return caller

    async def authenticate(self, db: Db, token: str) -> Caller:
        """The caller of a living token; raises the error of a dead or an unknown one.

        What was read while something changed is used once and not kept. Failures are never kept.
        """
        generation = self._epoch.generation
        found = await look_up(db, self._keyring, token, self._now_ms())
        if found.death is not None:
            raise found.death
        if self._epoch.generation == generation:
            self._keep(token, found.caller)
        return found.caller

    def _keep(self, token: str, caller: Caller) -> None:
        self._callers[token] = caller
        if len(self._callers) > self._cached_max:
            self._callers.popitem(last=False)

    def __len__(self) -> int:
        return len(self._callers)


async def look_up(db: Db, keyring: Keyring, token: str, now_ms: int) -> Found:
    """Find out what a text is: a living token, a dead one, or (raised) none at all.

    Raises CANNOT_PARSE_TOKEN, MALFORMED_TOKEN; for `id|…` also APP_INFO (no such app) and TOKEN_SIGNATURE.
    """
    if not token.isascii() or len(token) > store.TOKEN_CHARS_MAX:
        raise GraphError(errors.CANNOT_PARSE_TOKEN)
    app, bar, rest = token.partition("|")
    if bar:
        return await _app_token(db, keyring, token, app, rest, now_ms)
    row = await store.token_row(db, keyring.hashes(token))
    if row is None:
        raise GraphError(errors.CANNOT_PARSE_TOKEN)
    caller = await _stored_caller(db, keyring, token, row)
    death = _death(row, now_ms)
    if death is None and caller.kind == "user" and caller.subject is None:
        # Nobody may act for a person whom the app cannot name: the link was erased without its tokens.
        death = lifetime.died_of("deauthorized", caller.app.id)
    return Found(caller, death)


async def _app_token(db: Db, keyring: Keyring, token: str, app: str, rest: str, now_ms: int) -> Found:
    """`id|secret`, `id|client token` or a minted `id|27 characters`; all comparisons are made, each in constant time."""
    row = await app_row(db, app) if app.isdigit() else None
    if row is None:
        raise GraphError(errors.APP_INFO)
    facts = caller_app(keyring, row)
    client_token = keyring.open(row["client_token_sealed"], client_token_context(app))
    is_secret = signatures.constant_time_equal(rest, facts.secret)
    is_client = signatures.constant_time_equal(rest, client_token)
    if is_secret or is_client:
        proof = signatures.appsecret_proof(token, facts.secret)
        hash_ = keyring.hash_token(token)
        kind: TokenKind = "app" if is_secret else "client"
        return Found(Caller(kind=kind, token=token, hash=hash_, app=facts, proof=proof, literal=is_secret))
    minted = await store.token_row(db, keyring.hashes(token))
    if minted is None or minted["app"] != app:
        raise GraphError(errors.TOKEN_SIGNATURE)
    return Found(await _stored_caller(db, keyring, token, minted), _death(minted, now_ms))


def caller_app(keyring: Keyring, row: Row) -> CallerApp:
    """What a token's app brings to every call, from a row with the app's columns."""
    return CallerApp(
        id=row["id"],
        scope=row["scope"],
        name=row["name"],
        secret=keyring.open(row["secret_sealed"], secret_context(row["id"])),
        mode=row["mode"],
        require_app_secret=row["require_app_secret_ms"] is not None,
        native=row["native_ms"] is not None,
    )


async def _stored_caller(db: Db, keyring: Keyring, token: str, row: Row) -> Caller:
    app = caller_app(keyring, row)
    subject, locale = await _subject(db, row, app.scope)
    return Caller(
        kind=row["kind"],
        token=token,
        hash=row["hash"],
        app=app,
        proof=signatures.appsecret_proof(token, app.secret),
        subject=subject,
        person=row["person"],
        page=row["page"],
        page_scope=row["page_scope"],
        scopes=store.scopes_of(row["scopes"]),
        targets=tuple(store.targets_of(row["targets"]).items()),
        locale=locale,
        issued_ms=row["issued_ms"],
        expires_ms=row["expires_ms"],
        data_access_expires_ms=row["data_access_expires_ms"],
    )


async def _subject(db: Db, row: Row, app_scope: int) -> tuple[str | None, str | None]:
    """What `me` means for this token, and the person's locale."""
    if row["kind"] == "page":
        return row["page"], None
    if row["kind"] == "system_user":
        return row["system_user_id"], None
    if row["kind"] != "user" or row["person"] is None:
        return None, None
    person = await db.one(_PERSON, person=row["person"], scope=app_scope)
    return (None, None) if person is None else (str(person["id"]), person["locale"])


def _death(row: Row, now_ms: int) -> GraphError | None:
    return lifetime.death(row["app"], row["expires_ms"], row["dead_ms"], row["dead_reason"], now_ms)
