"""`{result=name:$.path}`: what an item of a batch takes from an earlier item's result (contract graph 1.11)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

#: Values one reference may expand to; more than any edge or `ids=` takes.
REFERENCE_VALUES_MAX: Final = 1_000
#: References in one batch, all items together.
REFERENCES_MAX: Final = 500

#: The form with `=>` occurs too (contract graph 1.11).
_REFERENCE: Final = re.compile(r"\{result=([^:=>{}]{1,100})(?::|=>)(\$[^{}]{0,200})\}")
#: The same with any of its characters percent-encoded.
_SPELLED: Final = re.compile(r"(?:\{|%7B)result(?:=|%3D)(?:(?!%7D)[^{}]){1,900}(?:\}|%7D)", re.IGNORECASE)
_STEP: Final = re.compile(r"\.(\*|[A-Za-z0-9_\-]+)|\[([0-9]{1,6}|\*)\]|\[['\"]([^'\"\]]+)['\"]\]")


def plainly(text: str) -> str:
    """The text with its references decoded, and everything else as it is."""
    return _SPELLED.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    plain = unquote_plus(match[0]) if "%" in match[0] else match[0]
    return plain if _REFERENCE.fullmatch(plain) else match[0]


def references_in(value: Any) -> list[str]:
    """The names that a text, or the texts of a JSON value, refer to, as often as they do."""
    return [match[1] for text in _texts(value) for match in _REFERENCE.finditer(plainly(text))]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def resolved_text(text: str, results: Mapping[str, Any], *, encode: bool) -> str:
    """`text` with its references replaced by values, several joined by commas; `encode` for URLs and forms.

    Raises BATCH_REFERENCE for a path that is malformed or leads to an object, TOO_MUCH_DATA for a text beyond
    JSON_BYTES_MAX.
    """
    size = len(text)

    def value(match: re.Match[str]) -> str:
        nonlocal size
        joined = ",".join(_plain(each) for each in json_path(results[match[1]], match[2]))
        made = quote(joined, safe=",") if encode else joined
        size += len(made)
        if size > limits.JSON_BYTES_MAX:
            raise GraphError(errors.TOO_MUCH_DATA)
        return made

    return _REFERENCE.sub(value, plainly(text))


def resolved_value(value: Any, results: Mapping[str, Any]) -> Any:
    """A JSON value with the references in its texts replaced."""
    if isinstance(value, str):
        return resolved_text(value, results, encode=False)
    if isinstance(value, Mapping):
        return {name: resolved_value(each, results) for name, each in value.items()}
    if isinstance(value, list):
        return [resolved_value(each, results) for each in value]
    return value


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise GraphError(errors.BATCH_REFERENCE, reference="a value that is not text or a number")


def json_path(value: Any, path: str) -> list[Any]:
    """The values at `$.a.b`, `$.data[0].id`, `$.data.*.id`; none when nothing is there. Raises BATCH_REFERENCE."""
    found, position = [value], 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise GraphError(errors.BATCH_REFERENCE, reference=path)
        found = [child for each in found for child in _children(each, step)]
        if len(found) > REFERENCE_VALUES_MAX:
            raise GraphError(errors.TOO_MUCH_DATA)
        position = step.end()
    return found


def _children(value: Any, step: re.Match[str]) -> list[Any]:
    name = step[1] or step[2] or step[3]
    if name == "*":
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    if isinstance(value, list):
        index = int(name) if name.isascii() and name.isdigit() else len(value)
        return [value[index]] if index < len(value) else []
    return [value[name]] if isinstance(value, dict) and name in value else []
