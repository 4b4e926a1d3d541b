"""Ctx: everything a handler may touch, in one argument, with no globals behind it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from polynym.core.clock import Clock
    from polynym.core.config import Config
    from polynym.core.db import Db
    from polynym.core.egress import Egress
    from polynym.core.epoch import Epoch
    from polynym.core.ids import Ids
    from polynym.core.seal import Keyring

TokenKind = Literal["user", "page", "app", "client", "system_user"]


@dataclass(frozen=True, slots=True)
class CallerApp:
    """What a token's app brings to every call. Ownership is not here: it is read when it is asked for."""

    id: str
    scope: int
    name: str
    secret: str = field(repr=False)
    mode: Literal["development", "live"] = "live"
    require_app_secret: bool = False
    native: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: one valid token and what it stands for.

    `subject` is the public id that `me` means (ASID, page id, system user id; None for app tokens).
    `proof` is the hex HMAC-SHA256 of the token under the app's secret, made once and cached with the caller.
    `expires_ms` is epoch milliseconds, None for never.
    """

    kind: TokenKind
    token: str = field(repr=False)
    hash: str
    app: CallerApp
    proof: str = field(repr=False)
    subject: str | None = None
    person: int | None = field(default=None, repr=False)
    page: str | None = None
    page_scope: int | None = None
    scopes: frozenset[str] = frozenset()
    targets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    locale: str | None = None
    issued_ms: int = 0
    expires_ms: int | None = None
    data_access_expires_ms: int | None = None
    #: The token itself carries the app's secret, so a proof adds nothing.
    literal: bool = False

    def may_touch(self, scope: str, target: str) -> bool:
        """Whether `scope` was granted for the asset `target`; a scope without targets covers all assets."""
        if scope not in self.scopes:
            return False
        return all(target in ids for name, ids in self.targets if name == scope)


@dataclass(slots=True)
class Ctx:
    """One request's (or batch item's, or worker step's) world.

    `origin` is scheme://host[:port] as the caller addressed us, for absolute links. `version` is (major, minor).
    """

    db: Db
    clock: Clock
    ids: Ids
    egress: Egress
    config: Config
    epoch: Epoch
    keyring: Keyring
    caller: Caller | None = None
    version: tuple[int, int] = (0, 0)
    locale: str = "en_US"
    origin: str = ""
    #: Messages for `__debug__`: level, text, link.
    debug: list[tuple[str, str, str | None]] = field(default_factory=list)

    def on(self, db: Db) -> Ctx:
        """The same context on another database handle, such as an open transaction."""
        return replace(self, db=db)
