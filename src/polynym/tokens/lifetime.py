"""Lifetime: how long each kind of token lives, every way it can die, and the error each death gives. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from polynym.wire import errors, limits
from polynym.wire.errors import Error, GraphError, session_expired

_HOUR_MS: Final = limits.USER_TOKEN_SHORT_MS // 2


@dataclass(frozen=True, slots=True)
class Reason:
    """One way for a token to die before its time; `forgets` cuts the token's row off from its person for good."""

    name: str
    error: Error
    when: str
    source: str
    forgets: bool = False


_REASONS: Final = (
    Reason("password_changed", errors.SESSION_PASSWORD, "Password change or security event.", "C"),
    # The person may come back under a new app-scoped id, and an old token must not lead there.
    Reason("deauthorized", errors.SESSION_UNAUTHORIZED, "The person removed the app.", "C", forgets=True),
    Reason("logged_out", errors.SESSION_LOGGED_OUT, "The person ended the session.", "C"),
    Reason("revoked", errors.SESSION_REVOKED, "The app gave the token back through oauth/revoke.", "C"),
    Reason("role_lost", errors.SESSION_ROLE_LOST, "The person lost every task on the page.", "C, subcode K"),
    Reason("checkpoint", errors.SESSION_CHECKPOINT, "The person must pass a checkpoint.", "K"),
    Reason("blocked", errors.SESSION_BLOCKED, "The person is held by a blocking checkpoint.", "C"),
    Reason("unconfirmed", errors.SESSION_UNCONFIRMED, "The person's account is not confirmed.", "K"),
    Reason("secret_reset", errors.INVALID_TOKEN, "The app's secret was reset; kills minted app tokens only.", "K"),
    Reason("uninstalled", errors.INVALID_TOKEN, "The business removed the app: its system users' tokens.", "K"),
)

#: Every reason by name. Expiry is not here: nobody writes it down, the clock brings it.
REASONS: Final[dict[str, Reason]] = {reason.name: reason for reason in _REASONS}


def short_user_expiry(now_ms: int) -> int:
    """When a user token straight from a login ends: on a full hour, one to two hours away (D).

    The platform's own expiry messages always name a full hour.
    """
    return now_ms - now_ms % _HOUR_MS + limits.USER_TOKEN_SHORT_MS


def long_user_expiry(now_ms: int) -> int:
    """When an exchanged user token ends: 60 days from now (D)."""
    return now_ms + limits.USER_TOKEN_LONG_MS


def system_user_expiry(now_ms: int, *, in_60_days: bool) -> int | None:
    """When a system user's token ends: never, unless `set_token_expires_in_60_days` (D)."""
    return now_ms + limits.SYSTEM_USER_TOKEN_60D if in_60_days else None


def is_long_lived(issued_ms: int, expires_ms: int | None) -> bool:
    """Whether a token was made to last: longer than a login's own token does."""
    return expires_ms is None or expires_ms - issued_ms > limits.USER_TOKEN_SHORT_MS


def page_expiry(parent_kind: str, parent_issued_ms: int, parent_expires_ms: int | None) -> int | None:
    """When a page token ends: with the short user token it came from, otherwise never (D)."""
    if parent_kind == "system_user" or is_long_lived(parent_issued_ms, parent_expires_ms):
        return None
    return parent_expires_ms


def data_access_expiry(login_ms: int) -> int:
    """When the app may no longer read the person's data, unless they log in again: after 90 days (K)."""
    return login_ms + limits.DATA_ACCESS_MS


def data_access_over(data_access_expires_ms: int | None, now_ms: int) -> bool:
    """Whether the data access window has closed; the token itself stays valid."""
    return data_access_expires_ms is not None and now_ms >= data_access_expires_ms


def expires_in_s(expires_ms: int | None, now_ms: int) -> int | None:
    """Whole seconds left, as `expires_in` says it; None for never."""
    return None if expires_ms is None else max(0, (expires_ms - now_ms) // 1000)


def unix_s(moment_ms: int | None) -> int:
    """A time as debug_token says it: unix seconds, 0 for never."""
    return 0 if moment_ms is None else moment_ms // 1000


def death(
    app: str, expires_ms: int | None, dead_ms: int | None, dead_reason: str | None, now_ms: int
) -> GraphError | None:
    """The error of a dead token, None while it lives. What came first counts: expiry or the event.

    The last millisecond of a token is the one before `expires_ms`.
    """
    expired = expires_ms is not None and expires_ms <= now_ms
    if dead_ms is not None and not (expired and expires_ms is not None and expires_ms <= dead_ms):
        return died_of(dead_reason or "", app)
    if expired and expires_ms is not None:
        return session_expired(expires_ms, now_ms)
    return None


def died_of(reason: str, app: str) -> GraphError:
    """The error of a token that ended for `reason`; an unknown reason is an invalid token."""
    known = REASONS.get(reason)
    entry = known.error if known else errors.INVALID_TOKEN
    return GraphError(entry, app_id=app)
