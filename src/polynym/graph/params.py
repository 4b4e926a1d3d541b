"""The bag read by type: what a declaration promises its handler. `Any` ends here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from polynym.graph.bag import parse_json
from polynym.graph.call import Upload
from polynym.graph.node import Param
from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

Arguments = dict[str, Any]

_TRUE: Final = frozenset(("true", "1", "yes", "on"))
_FALSE: Final = frozenset(("false", "0", "no", "off", ""))
_NO_FILES: Final[Mapping[str, Upload]] = {}
_INTEGER: Final = re.compile(rf"-?[0-9]{{1,{limits.INTEGER_DIGITS_MAX}}}\Z")
_INT64: Final = 2**63
#: Longer digit runs cannot be an id of ours; they are still answered like any unknown id.
ID_DIGITS_MAX: Final = 40


def truthy(value: Any) -> bool:
    """Whether a loosely given boolean says yes; anything unknown is no."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in _TRUE)


def read_params(
    declared: Sequence[Param], values: Mapping[str, Any], files: Mapping[str, Upload] = _NO_FILES
) -> Arguments:
    """Typed keyword arguments for a handler; raises PARAM_REQUIRED or PARAM_INVALID naming the parameter."""
    arguments: Arguments = {}
    for param in declared:
        raw = values.get(param.name) if param.type != "file" else _upload(param, files)
        if (raw is None or raw == "") and not param.required:
            arguments[param.argument] = param.default
        else:
            arguments[param.argument] = read_param(param, raw)
    return arguments


def _upload(param: Param, files: Mapping[str, Upload]) -> Upload | None:
    """The part of the parameter's name; the only part, whatever its name, when there is one (batch: `file0`)."""
    if param.name in files or len(files) != 1:
        return files.get(param.name)
    return next(iter(files.values()))


def read_param(param: Param, raw: Any) -> Any:
    """One value by its declared type; None or an empty text means absent."""
    if raw is None or raw == "":
        if param.required:
            raise GraphError(errors.PARAM_REQUIRED, name=param.name)
        return param.default
    value = _READERS[param.type](param, raw)
    if param.choices and param.type in ("enum", "string") and value not in param.choices:
        raise _invalid(param, "one of {" + ", ".join(param.choices) + "}")
    return value


def _invalid(param: Param, expected: str) -> GraphError:
    return GraphError(errors.PARAM_INVALID, name=param.name, expected=expected)


def _string(param: Param, raw: Any) -> str:
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise _invalid(param, "a string")
    text = str(raw)
    if param.max is not None and len(text) > param.max:
        raise _invalid(param, f"at most {param.max} characters long")
    return text


def _id(param: Param, raw: Any) -> str:
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or len(text) > ID_DIGITS_MAX:
        raise _invalid(param, "a numeric ID")
    return text


def _int(param: Param, raw: Any) -> int:
    if isinstance(raw, str) and _INTEGER.match(raw):
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool) or abs(raw) >= _INT64:
        raise _invalid(param, "an integer")
    if param.min is not None and raw < param.min:
        raise _invalid(param, f"at least {param.min}")
    if param.max is not None and raw > param.max:
        raise _invalid(param, f"at most {param.max}")
    return raw


def _bool(param: Param, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _invalid(param, "a boolean")


def _list(param: Param, raw: Any) -> list[str]:
    if isinstance(raw, str):
        text = raw.strip()
        raw = _json(param, text, "a list") if text.startswith("[") else [part.strip() for part in text.split(",")]
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        raw = [raw]
    if not isinstance(raw, list) or not all(isinstance(v, (str, int)) and not isinstance(v, bool) for v in raw):
        raise _invalid(param, "a list")
    if param.max is not None and len(raw) > param.max:
        raise _invalid(param, f"a list of at most {param.max} items")
    values = [str(v) for v in raw if v != ""]
    if param.choices and (wrong := [v for v in values if v not in param.choices]):
        raise _invalid(param, f"a list of {{{', '.join(param.choices)}}}, not {wrong[0][:80]!r}")
    return values


def _object(param: Param, raw: Any) -> dict[str, Any]:
    if isinstance(raw, str):
        raw = _json(param, raw, "a JSON object")
    if not isinstance(raw, dict):
        raise _invalid(param, "a JSON object")
    return raw


def _json(param: Param, text: str, expected: str) -> Any:
    try:
        return parse_json(text.encode())
    except (GraphError, UnicodeEncodeError) as error:
        raise _invalid(param, expected) from error


def _time(param: Param, raw: Any) -> int:
    """Unix seconds or an ISO-8601 date; epoch milliseconds out."""
    if isinstance(raw, str) and not _INTEGER.match(raw):
        try:
            moment = datetime.fromisoformat(raw)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return int(moment.timestamp() * 1000)
        except (ValueError, OverflowError) as error:
            raise _invalid(param, "unix seconds or an ISO-8601 time") from error
    time_ms = _int(param, raw) * 1000
    if abs(time_ms) >= _INT64:
        raise _invalid(param, "unix seconds or an ISO-8601 time")
    return time_ms


def _file(param: Param, raw: Any) -> Upload:
    if not isinstance(raw, Upload):
        raise _invalid(param, "a file")
    return raw


_READERS: Final = {
    "string": _string, "enum": _string, "id": _id, "int": _int, "bool": _bool, "list": _list, "object": _object,
    "time": _time, "file": _file,
}  # fmt: skip
