"""`fields=name,accounts.limit(2){id,picture.width(50)}` to a tree and back.

    fields := item ("," item)*
    item   := name mod* [ "{" fields "}" ] mod*
    mod    := "." function "(" argument ")"

Blanks may stand between any two tokens. An argument is raw text up to its matching parenthesis.
`.fields(a,b)` is an old spelling of `{a,b}`; `.as(alias)` renames the output. A JSON array of strings is the
same as its items joined by commas. Positions in errors count characters from 0, as the platform's do.

A name may come twice: items of one name and alias are one item with the children of both, and the last
argument given to a function counts. `a,a.as(b)` are two items.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from polynym.wire import errors, limits
from polynym.wire.errors import GraphError

_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_PARENTHESIS: Final = re.compile(r"[()]")

#: Functions that only an edge understands, so that an item with one of them is priced as a list.
_PAGING: Final = frozenset({"limit", "offset", "after", "before", "since", "until", "order", "summary"})


@dataclass(frozen=True, slots=True)
class Item:
    """One selected field or edge.

    `args` are (function, raw argument) in the order first given, without `as` and `fields`. `children` is
    None when the caller named none, which means the default fields; it is never empty.
    """

    name: str
    args: tuple[tuple[str, str], ...] = ()
    children: tuple[Item, ...] | None = None
    alias: str | None = None

    @property
    def key(self) -> str:
        """The name in the output."""
        return self.alias or self.name

    def arg(self, function: str) -> str | None:
        """The raw argument of a function, None when it was not called."""
        return next((raw for name, raw in self.args if name == function), None)


def parse(text: str) -> tuple[Item, ...]:
    """Read a `fields` parameter; empty or blank text is the empty tuple.

    Raises FIELDS_SYNTAX (2500) where the grammar breaks, and TOO_MUCH_DATA beyond FIELDS_CHARS_MAX,
    FIELDS_DEPTH_MAX, FIELDS_NAMES_MAX or FIELDS_FUNCTIONS_MAX (every occurrence counts). Time is linear in the
    length of the text.
    """
    if len(text) > limits.FIELDS_CHARS_MAX:
        raise GraphError(errors.TOO_MUCH_DATA)
    if len(text) > limits.FIELDS_CACHED_CHARS_MAX:
        return _parse(text)
    return _parse_cached(text)


@lru_cache(limits.FIELDS_CACHED_MAX)
def _parse_cached(text: str) -> tuple[Item, ...]:
    return _parse(text)


def _parse(text: str) -> tuple[Item, ...]:
    if text.lstrip().startswith("["):
        text = _joined(text)
    return _Parser(text).read()


def _joined(text: str) -> str:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise _syntax(text, _skip(text, 0), "Expected name.") from None
    if not all(isinstance(item, str) for item in items):
        raise _syntax(text, _skip(text, 0), "Expected name.")
    joined = ",".join(items)
    # JSON can write what UTF-8 cannot: half of a surrogate pair.
    if "\0" in joined or joined.encode(errors="ignore").decode() != joined:
        raise _syntax(text, _skip(text, 0), "Expected name.")
    return joined


def _skip(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _syntax(text: str, position: int, problem: str) -> GraphError:
    return GraphError(errors.FIELDS_SYNTAX, problem=problem, position=position, text=text)


class _Draft:
    """An item while more may be added to it."""

    __slots__ = ("args", "children")

    def __init__(self) -> None:
        self.args: dict[str, str] = {}
        self.children: _Level | None = None

    def merge(self, other: _Draft) -> None:
        self.args.update(other.args)
        if other.children is not None:
            self.add_children(other.children)

    def add_children(self, level: _Level) -> None:
        if self.children is None:
            self.children = level
            return
        for key, draft in level.items():
            _add(self.children, key, draft)


_Key = tuple[str, str | None]  # name, alias
_Level = dict[_Key, _Draft]


def _add(level: _Level, key: _Key, draft: _Draft) -> None:
    known = level.setdefault(key, draft)
    if known is not draft:
        known.merge(draft)


def _finished(level: _Level) -> tuple[Item, ...]:
    return tuple(
        Item(
            name,
            tuple(draft.args.items()),
            None if draft.children is None else _finished(draft.children),
            alias,
        )
        for (name, alias), draft in level.items()
    )


class _Parser:
    """One pass over one text, by descent that FIELDS_DEPTH_MAX bounds."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.names = 0
        self.parentheses = 0

    def read(self) -> tuple[Item, ...]:
        self._blank()
        if self.position == len(self.text):
            return ()
        return _finished(self._level("", 1))

    def _level(self, close: str, depth: int) -> _Level:
        """Items up to `close`, which is consumed; the empty `close` is the end of the text."""
        if depth > limits.FIELDS_DEPTH_MAX:
            raise GraphError(errors.TOO_MUCH_DATA)
        level: _Level = {}
        while True:
            key, draft = self._item(depth)
            _add(level, key, draft)
            if self._take(close):
                return level
            if not self._take(","):
                raise self._unexpected(f'"{close}"' if close else "end of string")

    def _item(self, depth: int) -> tuple[_Key, _Draft]:
        self.names += 1
        if self.names > limits.FIELDS_NAMES_MAX:
            raise GraphError(errors.TOO_MUCH_DATA)
        name, alias, draft = self._name(), None, _Draft()
        braced = False
        while True:
            if self._take("."):
                alias = self._modifier(draft, depth) or alias
            elif not braced and self._take("{"):
                # One block only: the platform too refuses comments{id}{from}.
                braced = True
                draft.add_children(self._level("}", depth + 1))
            else:
                return (name, alias), draft

    def _modifier(self, draft: _Draft, depth: int) -> str | None:
        """Read one `.function(argument)` into the draft; the alias if it is `as`."""
        function = self._name()
        if not self._take("("):
            raise self._unexpected('"("')
        self._count_parenthesis()
        if function == "fields":
            draft.add_children(self._level(")", depth + 1))
        elif function == "as":
            alias = self._name()
            if not self._take(")"):
                raise self._unexpected('")"')
            return alias
        else:
            draft.args[function] = self._argument()
        return None

    def _argument(self) -> str:
        begin, open_count = self.position, 1
        for match in _PARENTHESIS.finditer(self.text, begin):
            if match.group() == "(":
                self._count_parenthesis()
                open_count += 1
                continue
            open_count -= 1
            if open_count == 0:
                self.position = match.end()
                return self.text[begin : match.start()].strip()
        self.position = len(self.text)
        raise self._unexpected('")"')

    def _count_parenthesis(self) -> None:
        self.parentheses += 1
        if self.parentheses > limits.FIELDS_FUNCTIONS_MAX:
            raise GraphError(errors.TOO_MUCH_DATA)

    def _name(self) -> str:
        self._blank()
        match = _NAME.match(self.text, self.position)
        if match is None:
            raise _syntax(self.text, self.position, "Expected name.")
        self.position = match.end()
        return match.group()

    def _take(self, token: str) -> bool:
        """Consume the token if it comes next; the empty token is the end of the text."""
        self._blank()
        if token == "":
            return self.position == len(self.text)
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def _blank(self) -> None:
        self.position = _skip(self.text, self.position)

    def _unexpected(self, expected: str) -> GraphError:
        if self.position == len(self.text):
            return _syntax(self.text, self.position, f"Expected {expected}, got end of string")
        found = self.text[self.position]
        return _syntax(self.text, self.position, f'Expected {expected} instead of "{found}".')


# --- back to text ---


def render(items: tuple[Item, ...]) -> str:
    """The text of a tree; `parse(render(items)) == items` for every tree that `parse` can return."""
    return ",".join(map(_render_item, items))


def _render_item(item: Item) -> str:
    modifiers = "".join(f".{function}({raw})" for function, raw in item.args)
    alias = "" if item.alias is None else f".as({item.alias})"
    children = "" if item.children is None else "{" + render(item.children) + "}"
    return item.name + modifiers + alias + children


# --- price ---

#: Told the path of names from the root, whether that item is a list.
IsList = Callable[[tuple[str, ...]], bool]


def cost(
    items: tuple[Item, ...],
    default_limit: int = limits.PAGE_LIMIT_DEFAULT,
    is_list: IsList | None = None,
) -> int:
    """How many nodes a read of these items may return below its root, before any query is made.

    A list counts its limit (at most PAGE_LIMIT_MAX, what a page can hold; `default_limit` when none is asked
    for) times itself and what hangs under it; a single object counts one; a plain field nothing. Without
    `is_list`, which a caller that knows the nodes should give, whatever has children or a paging function
    counts as a list: too dear at worst, never too cheap except for edges named bare.
    """
    return _cost(items, default_limit, is_list, ())


def _cost(items: tuple[Item, ...], default_limit: int, is_list: IsList | None, path: tuple[str, ...]) -> int:
    total = 0
    for item in items:
        here = (*path, item.name)
        below = 0 if item.children is None else _cost(item.children, default_limit, is_list, here)
        many = _looks_like_list(item) if is_list is None else is_list(here)
        if many:
            total += _page_size(item.arg("limit"), default_limit) * (1 + below)
        elif item.children is not None:
            total += 1 + below
    return total


def _looks_like_list(item: Item) -> bool:
    return item.children is not None or any(function in _PAGING for function, _ in item.args)


def _page_size(raw: str | None, default_limit: int) -> int:
    if raw is None or not (raw.isascii() and raw.isdigit()):
        return default_limit
    # Comparing lengths first: int() of a very long text is an error of its own.
    return limits.PAGE_LIMIT_MAX if len(raw) > limits.INTEGER_DIGITS_MAX else min(int(raw), limits.PAGE_LIMIT_MAX)
