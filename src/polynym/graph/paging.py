"""Cursors, windows and the paging object.

A cursor is opaque, deterministic and authenticated: AES-SIV over the row's key, bound to who asks, on which node, edge,
filter and version. A cursor that was flipped, swapped or made under another owner is refused with INVALID_CURSOR; it can
never name a foreign row.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from polynym.core.db import Db, Row
from polynym.graph.call import Call
from polynym.graph.node import Edge
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

#: What newer cursors of the platform start with (contract graph 1.9).
PREFIX: Final = "QVFI"
TAG_SEPARATOR: Final = "\x1f"
OFFSET_MAX: Final = 1_000_000
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_QUOTED_CHARS_MAX: Final = 256

#: Parameters that describe the page or the transport, not the filter, and so never travel into a paging link.
NOT_CARRIED: Final = frozenset(
    [
        "access_token",
        "limit",
        "after",
        "before",
        "offset",
        "method",
        "batch",
        "callback",
        "ids",
        "metadata",
        "__paging_token",
        "__previous",
    ]
)


class Cursors:
    """Makes and opens cursors under one key of 32, 48 or 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._siv = AESSIV(key)

    def seal(self, key: str, tag: str, binding: bytes) -> str:
        """The cursor for the row `key`; equal input gives an equal cursor."""
        sealed = self._siv.encrypt(f"{key}{TAG_SEPARATOR}{tag}".encode(), [binding])
        text = binascii.b2a_base64(sealed, newline=False).translate(_URL_SAFE)
        return PREFIX + text.rstrip(b"=").decode()

    def open(self, cursor: str, binding: bytes) -> tuple[str, str]:
        """Row key and tag of a cursor made for the same binding; anything else raises INVALID_CURSOR."""
        if len(cursor) > limits.CURSOR_CHARS_MAX or not cursor.startswith(PREFIX):
            raise GraphError(errors.INVALID_CURSOR)
        text = cursor[len(PREFIX) :]
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            key, _, tag = self._siv.decrypt(sealed, [binding]).decode().partition(TAG_SEPARATOR)
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise GraphError(errors.INVALID_CURSOR) from error
        # Base64 has spare bits at its end: only the spelling that we made is the cursor.
        if self.seal(key, tag, binding) != cursor:
            raise GraphError(errors.INVALID_CURSOR)
        return key, tag


@dataclass(slots=True)
class Window:
    """The part of an edge that is asked for: at most `limit` rows after or before a key, or from an offset."""

    limit: int
    after: str | None = None
    before: str | None = None
    offset: int = 0
    tag: str | None = None

    def check_tag(self, tag: str) -> None:
        """Refuse a cursor that was made while another owner (or whatever the tag stands for) was in force."""
        if self.tag is not None and self.tag != tag:
            raise GraphError(errors.INVALID_CURSOR)

    def slice(self, rows: Sequence[Any], key: Callable[[Any], str]) -> list[Any]:
        """The window of a short, complete, ordered list: one row more than `limit` when there are more.

        Raises INVALID_CURSOR when the cursor's row is gone: where it stood nobody knows any more.
        """
        if self.before is not None:
            end = _place(rows, key, self.before)
            return list(rows[max(0, end - self.limit - 1) : end])
        start = self.offset + (0 if self.after is None else _place(rows, key, self.after) + 1)
        return list(rows[start : start + self.limit + 1])


def _place(rows: Sequence[Any], key: Callable[[Any], str], wanted: str) -> int:
    for place, row in enumerate(rows):
        if str(key(row)) == wanted:
            return place
    raise GraphError(errors.INVALID_CURSOR)


class Keyset:
    """One list query that can be read forwards and backwards from a key.

    `sql` contains `{window}` where the key's condition belongs; ORDER BY and LIMIT are appended. Keys are BIGINT
    (`type=int`) or digits-only TEXT (`type=str`), ascending, unique, and not null.
    """

    def __init__(self, sql: str, *, key: str, type: type[int] | type[str] = int) -> None:  # noqa: A002
        self._type = type
        self._lowest: int | str = -1 if type is int else ""
        self.forward = sql.format(window=f"{key} > :after") + f" ORDER BY {key} LIMIT :limit OFFSET :offset"
        self.backward = sql.format(window=f"{key} < :before") + f" ORDER BY {key} DESC LIMIT :limit"

    async def fetch(self, db: Db, page: Window, **params: Any) -> Sequence[Row]:
        """Rows of the window in ascending order, one more than `page.limit` when there are more."""
        limit = page.limit + 1
        if page.before is not None:
            rows = await db.all(self.backward, before=self._type(page.before), limit=limit, **params)
            return rows[::-1]
        after = self._lowest if page.after is None else self._type(page.after)
        return await db.all(self.forward, after=after, limit=limit, offset=page.offset, **params)


def binding(call: Call, node_id: str, edge: Edge, filters: Mapping[str, Any]) -> bytes:
    """What a cursor is good for: this app and subject, this node, edge, filter and version."""
    caller = call.caller
    who = f"{caller.app.id}|{caller.kind}|{caller.subject}" if caller else ""
    # Quoted as Python quotes: no value can pass for two parameters.
    chosen = "&".join([f"{name}={value!r}" for name, value in filters.items() if value is not None])
    major, minor = call.version
    bound = f"{who}|{major}.{minor}|{node_id}|{edge.name}|{chosen}"
    return bound.encode(errors="backslashreplace")


#: What asks for another window than the first.
_WINDOW: Final = frozenset(("limit", "offset", "after", "before"))


def window(values: Mapping[str, Any], edge: Edge, cursors: Cursors, bound: bytes) -> Window:
    """Read limit, offset, after and before; raises PARAM_INVALID or INVALID_CURSOR by name."""
    if _WINDOW.isdisjoint(values):
        return Window(edge.limit_default)
    limit = _count(values, "limit", edge.limit_default)
    page = Window(min(limit, edge.limit_max), offset=_count(values, "offset", 0))
    if page.offset > OFFSET_MAX:
        raise GraphError(errors.PARAM_INVALID, name="offset", expected=f"at most {OFFSET_MAX}")
    # Of both, `after` counts.
    if after := values.get("after"):
        page.after, page.tag = cursors.open(_cursor(after), bound)
    elif before := values.get("before"):
        page.before, page.tag = cursors.open(_cursor(before), bound)
    return page


def _cursor(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise GraphError(errors.INVALID_CURSOR)


def requested_limit(values: Mapping[str, Any], edge: Edge) -> int:
    """The number of rows that a page may hold: what the cost budget counts."""
    return min(_count(values, "limit", edge.limit_default), edge.limit_max)


def _count(values: Mapping[str, Any], name: str, default: int) -> int:
    raw = values.get(name)
    if raw is None or raw == "":
        return default
    if isinstance(raw, int) and not isinstance(raw, bool):
        number = raw
    elif isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= limits.INTEGER_DIGITS_MAX:
        number = int(raw)
    else:
        raise GraphError(errors.PARAM_INVALID, name=name, expected="a non-negative integer")
    if number < 0:
        raise GraphError(errors.PARAM_INVALID, name=name, expected="a non-negative integer")
    return number


def envelope(
    call: Call, edge: Edge, node_id: str, rows: Sequence[Any], page: Window, *, cursors: Cursors, bound: bytes,
    carried: Mapping[str, str],
) -> tuple[Sequence[Any], dict[str, Any] | None]:  # fmt: skip
    """Cut the surplus row and make the paging object; None for a page without rows.

    `carried` are the parameters that next/previous repeat (fields, pretty, filters). Links are absolute on the caller's
    origin, name the resolved node and carry the token if it came as a parameter.
    """
    more = len(rows) > page.limit
    backwards = page.before is not None
    shown = rows
    if more:
        shown = rows[len(rows) - page.limit :] if backwards else rows[: page.limit]
    if not shown:
        return [], None
    tag = edge.tag(shown[0]) if edge.tag else ""
    first = last = cursors.seal(str(edge.key(shown[0])), tag, bound)
    if len(shown) > 1:
        last = cursors.seal(str(edge.key(shown[-1])), tag, bound)
    paging: dict[str, Any] = {"cursors": {"before": first, "after": last}}
    by_offset = page.offset > 0 and page.after is None and not backwards
    if more or backwards:
        step = {"offset": str(page.offset + page.limit)} if by_offset else {"after": last}
        paging["next"] = _link(call, edge, node_id, page, step, carried)
    if (more and backwards) or (not backwards and (page.after is not None or page.offset)):
        step = {"offset": str(max(0, page.offset - page.limit))} if by_offset else {"before": first}
        paging["previous"] = _link(call, edge, node_id, page, step, carried)
    return shown, paging


def _link(
    call: Call, edge: Edge, node_id: str, page: Window, step: Mapping[str, str], carried: Mapping[str, str]
) -> str:
    query: dict[str, str] = {}
    if call.caller is not None and call.header_token is None:
        query["access_token"] = call.caller.token
    query.update({name: value for name, value in carried.items() if name not in NOT_CARRIED})
    query["limit"] = str(page.limit)
    query.update(step)
    major, minor = call.version
    text = "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in query.items()])
    return f"{call.origin}/v{major}.{minor}/{node_id}/{edge.name}?{text}"


def _quoted(text: str) -> str:
    """Percent-encoded; what links repeat (names, tokens, fields) is mostly the same from call to call."""
    return _quoted_short(text) if len(text) <= _QUOTED_CHARS_MAX else quote_plus(text)


_quoted_short = lru_cache(maxsize=4096)(quote_plus)
