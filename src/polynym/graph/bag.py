"""One bag of parameters from query, form, multipart and JSON.

Parsing never guesses: bytes that are not UTF-8, a NUL, a number with thousands of digits or JSON nested too deep are
refused with an error that names the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from polynym.graph.call import Upload
from polynym.graph.multipart import parse_multipart
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

#: Longer texts are parsed anew each time: nobody may fill the memory with them.
_CACHED_BYTES_MAX: Final = 1024
_LIST_KEY: Final = re.compile(r"([^\[\]]{1,200})\[([0-9]{0,4})\]\Z")


@dataclass(slots=True)
class Bag:
    """Parameters of one request: `values` merged (body wins over query), the query's own texts, files, repeated names."""

    values: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()


def parse_pairs(raw: bytes) -> tuple[dict[str, str], frozenset[str]]:
    """Parameters of a query string or form body, last one wins; `name[]` and `name[0]` become one JSON list.

    Returns the values and the names that came more than once. Raises BAD_ENCODING or TOO_MANY_PARAMS.
    """
    if not raw:
        return {}, frozenset()
    # A client asks with the same token, proof and fields again and again; only the path changes.
    values, repeated = _parsed_cached(raw) if len(raw) <= _CACHED_BYTES_MAX else _parsed(raw)
    return values.copy(), repeated


def _parsed(raw: bytes) -> tuple[dict[str, str], frozenset[str]]:
    if raw.count(b"&") >= limits.PARAMS_MAX:
        raise GraphError(errors.TOO_MANY_PARAMS, limit=limits.PARAMS_MAX)
    pairs = []
    for pair in raw.split(b"&"):
        name, _, value = pair.partition(b"=")
        pairs.append((_decoded(name), _decoded(value)))
    return _collected(pairs)


_parsed_cached = lru_cache(maxsize=2048)(_parsed)


def _collected(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], frozenset[str]]:
    values: dict[str, str] = {}
    repeated: set[str] = set()
    lists: dict[str, list[tuple[int, str]]] = {}
    for key, text in pairs:
        if not key:
            continue
        if key[-1] == "]" and (match := _LIST_KEY.match(key)):
            entries = lists.setdefault(match[1], [])
            entries.append((int(match[2]) if match[2] else len(entries), text))
        elif key in values:
            repeated.add(key)
            values[key] = _joined_fields(values[key], text) if key == "fields" else text
        else:
            values[key] = text
    for key, entries in lists.items():
        values[key] = msgspec.json.encode([text for _, text in sorted(entries, key=lambda e: e[0])]).decode()
    return values, frozenset(repeated)


def _joined_fields(first: str, second: str) -> str:
    """`fields` may come more than once, each time as a list or as text."""
    return ",".join(part for text in (first, second) if (part := fields_text(text)))


def fields_text(text: str) -> str:
    """`fields` as plain text when it is a JSON list of texts; anything else as it is."""
    if not text.lstrip().startswith("["):
        return text
    try:
        parts = parse_json(text.encode())
    except GraphError:
        return text
    return ",".join(parts) if all(isinstance(part, str) for part in parts) else text


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode()
        if "%" in text or "+" in text:
            text = unquote_plus(text, errors="strict")
    except UnicodeDecodeError as error:
        raise GraphError(errors.BAD_ENCODING, reason="a parameter") from error
    if "\x00" in text:
        raise GraphError(errors.BAD_ENCODING, reason="a NUL character")
    return text


def parse_json(raw: bytes) -> Any:
    """A JSON value from a request: UTF-8 (a BOM is dropped), bounded depth, no NaN, no NUL, no lone surrogate.

    Of a key that comes twice the last one counts. Raises BAD_JSON.
    """
    try:
        value = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, ValueError) as error:
        raise GraphError(errors.BAD_JSON, reason=str(error)[:120]) from error
    # Fewer brackets cannot nest deeper; only longer texts are worth a look.
    if raw.count(b"{") + raw.count(b"[") > limits.JSON_DEPTH_MAX and not _is_shallow(value):
        raise _too_deep()
    # Behind another backslash it is no NUL, so the text alone does not tell.
    if b"\\u0000" in raw and _has_nul(value):
        raise GraphError(errors.BAD_JSON, reason="a NUL character")
    return value


def _too_deep() -> GraphError:
    return GraphError(errors.BAD_JSON, reason=f"nested deeper than {limits.JSON_DEPTH_MAX} levels")


def _is_shallow(value: Any) -> bool:
    """Whether objects and lists nest no deeper than allowed; looks at them level by level."""
    level = [value]
    for _ in range(limits.JSON_DEPTH_MAX):
        level = [
            child
            for each in level
            for child in (each.values() if type(each) is dict else each)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return True
    return False


def _has_nul(value: Any) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if "\x00" in each:
                return True
        elif isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            waiting.extend(each)
            waiting.extend(each.values())
    return False


def parse_body(raw: bytes, content_type: str, bag: Bag) -> None:
    """Merge a request body into the bag. No content type means a form (clients requirement 4)."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        texts, bag.files = parse_multipart(raw, content_type)
        _merge_texts(bag, _collected(texts))
    elif kind == "application/json" or kind.endswith("+json") or (not kind and raw[:1] == b"{"):
        _merge_json(raw, bag)
    elif kind in ("", "application/x-www-form-urlencoded", "text/plain"):
        _merge_texts(bag, parse_pairs(raw.strip(b"\r\n")))
    else:
        raise GraphError(errors.BAD_BODY, reason=f"content type {kind[:80]} is not spoken here")


def _merge_texts(bag: Bag, collected: tuple[dict[str, str], frozenset[str]]) -> None:
    values, repeated = collected
    bag.values.update(values)
    bag.repeated |= repeated


def _merge_json(raw: bytes, bag: Bag) -> None:
    # original-coast-clothing posts with a JSON content type and an empty body; everything is in the query then.
    if not raw.strip():
        return
    value = parse_json(raw)
    if isinstance(value, list):
        value = {"batch": value}
    if not isinstance(value, dict):
        raise GraphError(errors.BAD_JSON, reason="the body must be an object")
    if len(value) > limits.PARAMS_MAX:
        raise GraphError(errors.TOO_MANY_PARAMS, limit=limits.PARAMS_MAX)
    # null means that the parameter is not there.
    bag.values.update((name, each) for name, each in value.items() if each is not None)
