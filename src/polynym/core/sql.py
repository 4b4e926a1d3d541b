"""SQL text as both engines want it: parameter names to numbers, lock clauses away, scripts into statements. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: What must be copied untouched, before the one group that is ours. Order matters: literals hide everything inside them.
_OPAQUE = r"""
    [eE]'(?:[^'\\]|\\.|'')*'          # E'…' of PostgreSQL, with backslash escapes
  | '(?:[^']|'')*'                    # string literal
  | "(?:[^"]|"")*"                    # quoted identifier
  | --[^\n]*                          # comment to the end of the line
  | /\*.*?\*/                         # comment
  | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$   # dollar quotes of PostgreSQL
"""
_PARAMETER = re.compile(_OPAQUE + r"| :: | :(?P<name>[A-Za-z_]\w*)", re.VERBOSE | re.DOTALL)
_LOCK = re.compile(
    _OPAQUE
    + r"| \s*\b(?P<lock>FOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE)\b(?:\s+OF\s+\w+)?(?:\s+(?:SKIP\s+LOCKED|NOWAIT)\b)?)",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_END = re.compile(_OPAQUE + r"| (?P<end>;)", re.VERBOSE | re.DOTALL)
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def numbered(sql: str, mark: str = "$") -> tuple[str, tuple[str, ...]]:
    """`:name` to `$n` (or `?n`), and the names in the order of their numbers; a name used twice has one number."""
    names: dict[str, int] = {}

    def replace(found: re.Match[str]) -> str:
        name = found["name"]
        return found[0] if name is None else f"{mark}{names.setdefault(name, len(names) + 1)}"

    text = _PARAMETER.sub(replace, sql)
    return text, tuple(names)


def without_locks(sql: str) -> str:
    """The statement without `FOR UPDATE [SKIP LOCKED]` and its kin, which SQLite neither knows nor needs."""
    return _LOCK.sub(lambda found: found[0] if found["lock"] is None else "", sql)


def statements(script: str) -> Iterator[str]:
    """The statements of a migration, in order, without those that are only comments. No trigger bodies."""
    start = 0
    for found in _END.finditer(script):
        if found["end"] is not None:
            yield from _worth_running(script[start : found.start()])
            start = found.end()
    yield from _worth_running(script[start:])


def _worth_running(text: str) -> Iterator[str]:
    if _COMMENTS.sub("", text).strip():
        yield text.strip()
