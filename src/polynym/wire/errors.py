"""The one catalogue: every error the server raises, byte for byte as clients match it, each with its source.

Code raises an entry, never a number or a sentence: `raise GraphError(errors.UNKNOWN_PATH, path=rest)`. What
the platform prints oddly (double spaces, a missing prefix, a missing code) is printed oddly here. Entries we
had to invent say so in their source (`I`) and are 4xx: a caller's mistake is never a fault of ours.

They stand by subject in `request_errors`, `token_errors` and `policy_errors`; all are names of this module.
"""

# ruff: noqa: F403, PLC0414 - this module exists to show the names of others.

from __future__ import annotations

from typing import Final

from polynym.wire.envelope import Error as Error
from polynym.wire.envelope import GraphError as GraphError
from polynym.wire.envelope import language as language
from polynym.wire.pacific import pacific as pacific
from polynym.wire.policy_errors import *
from polynym.wire.request_errors import *
from polynym.wire.token_errors import *
from polynym.wire.token_errors import SESSION_EXPIRED as SESSION_EXPIRED

#: Every entry by name.
CATALOGUE: Final[dict[str, Error]] = {
    entry.name: entry for entry in list(globals().values()) if isinstance(entry, Error)
}


def session_expired(expired_ms: int, now_ms: int) -> GraphError:
    """190/463 with both times written as the platform writes them. Times are epoch milliseconds."""
    return GraphError(SESSION_EXPIRED, expired=pacific(expired_ms), now=pacific(now_ms))
