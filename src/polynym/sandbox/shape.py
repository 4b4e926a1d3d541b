"""Shape: how a frozen dataclass is read from a tree and written back.

A field says with `entry(reader)` how its value is read. A reader raises `WrongValueError` for a value of the wrong kind; everything
that is wrong is collected in the `Reading`, with line and path. `dump` is the exact inverse, in values of JSON.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, Protocol

from polynym.sandbox import moments
from polynym.sandbox.source import PROBLEMS_MAX, Entries, Items, Problem, Scalar, Tree

#: Longer lists of choices are not spelt out in a message.
CHOICES_SHOWN_MAX: Final = 8

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_DIGITS: Final = re.compile(r"[1-9][0-9]{0,18}")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_UNSTORABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class WrongValueError(Exception):
    """A value that a reader does not take; the message completes "path: …"."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A value that must be unique in a world: where it stands in the file. `group` is what it must be unique among."""

    group: str
    value: str
    line: int
    path: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A mention of another entity: which kind, by which name, and where."""

    kind: str
    name: str
    line: int
    path: str


@dataclass(slots=True)
class Reading:
    """What is learnt while a document is read: problems, unique values and references."""

    file: str
    now_ms: int
    problems: list[Problem] = field(default_factory=list)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)

    def refuse(self, line: int, path: str, message: str) -> None:
        """Note a problem; beyond PROBLEMS_MAX the rest is not listed."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(self.file, line, path, message))

    def claim(self, group: str, value: str, line: int, path: str) -> None:
        """Note a value that must be unique; the second one is a problem."""
        first = self.claims.setdefault((group, value), Claim(group, value, line, path))
        if first.path != path:
            place = f"line {first.line}" if first.line else first.path
            self.refuse(line, path, f'"{value}" is already taken on {place}')


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader is: the reading and the path so far."""

    reading: Reading
    path: str

    def at(self, name: str) -> Place:
        """The place of a key."""
        return Place(self.reading, f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> Place:
        """The place of an item of a list."""
        return Place(self.reading, f"{self.path}[{index}]")


class Reader(Protocol):
    """Reads one value and writes it back."""

    def read(self, tree: Tree, place: Place) -> Any:
        """The value; raises WrongValueError."""

    def dump(self, value: Any) -> Any:
        """The value as JSON writes it."""


_REQUIRED: Final = "required"


def entry(reader: Reader, *, required: bool = False, default: Any = None) -> Any:
    """A dataclass field read by `reader`. An absent or null value is the default."""
    metadata = {"reader": reader, _REQUIRED: required}
    return field(default=default, metadata=metadata)


def reader_of(declared: dataclasses.Field[Any]) -> Reader:
    """The reader that a field was declared with."""
    reader: Reader = declared.metadata["reader"]
    return reader


def scalar(tree: Tree, expected: str, *kinds: str) -> str:
    """The source text of a scalar of one of `kinds`. Raises WrongValueError naming what was `expected`."""
    if isinstance(tree, Scalar) and tree.kind in kinds:
        return tree.text
    found = "a list" if isinstance(tree, Items) else "a mapping" if isinstance(tree, Entries) else tree.kind
    hint = "; put it in quotes" if isinstance(tree, Scalar) and "text" in kinds and tree.kind != "null" else ""
    raise WrongValueError(f"expected {expected}, found {found}{hint}")


@dataclass(frozen=True, slots=True)
class Text:
    """A text, optionally one of `choices`, matching `pattern` (described by `expected`) or unique among `unique`."""

    length: int = 500
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    expected: str = "text"
    unique: str | None = None
    lines: bool = False

    def read(self, tree: Tree, place: Place) -> str:
        """The text itself."""
        text = scalar(tree, self.expected, "text")
        if self.choices and text not in self.choices:
            raise WrongValueError(self._no_choice(text))
        if not text or len(text) > self.length:
            raise WrongValueError(f"expected 1 to {self.length} characters, found {len(text)}")
        if _UNSTORABLE.search(text) or (not self.lines and ("\n" in text or "\t" in text)):
            raise WrongValueError("control characters are not allowed")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise WrongValueError(f'expected {self.expected}, found "{text}"')
        if self.unique:
            place.reading.claim(self.unique, text, tree.line, place.path)
        return text

    def dump(self, value: str) -> str:
        """The text itself."""
        return value

    def _no_choice(self, text: str) -> str:
        if len(self.choices) <= CHOICES_SHOWN_MAX:
            return f'expected one of {", ".join(self.choices)}; found "{text[:120]}"'
        close = get_close_matches(text, self.choices, 1)
        return f'expected {self.expected}, found "{text[:120]}"' + (f'; did you mean "{close[0]}"?' if close else "")


@dataclass(frozen=True, slots=True)
class Key:
    """The name by which other entities of the file mention this one."""

    kind: str

    def read(self, tree: Tree, place: Place) -> str:
        """Letters, digits, `_`, `.` and `-`; unique among its kind."""
        text = scalar(tree, "a key", "text", "int")
        if not _KEY.fullmatch(text):
            raise WrongValueError(f'expected letters, digits, "_", "." or "-" (at most 100); found "{text[:120]}"')
        place.reading.claim(f"{self.kind}.key", text, tree.line, place.path)
        return text

    def dump(self, value: str) -> str:
        """The key itself."""
        return value


@dataclass(frozen=True, slots=True)
class PublicId:
    """A public id: decimal digits, quoted or not, unique among all ids of the file."""

    digits: int = 17

    def read(self, tree: Tree, place: Place) -> str:
        """The digits as text, never as a number."""
        text = scalar(tree, "an id of decimal digits", "text", "int")
        if not _DIGITS.fullmatch(text) or len(text) > self.digits:
            raise WrongValueError(f'expected an id of 1 to {self.digits} decimal digits, found "{text[:40]}"')
        place.reading.claim("id", text, tree.line, place.path)
        return text

    def dump(self, value: str) -> str:
        """The digits as text."""
        return value


@dataclass(frozen=True, slots=True)
class Ref:
    """The key of another entity."""

    kind: str

    def read(self, tree: Tree, place: Place) -> str:
        """The name; whether it exists is checked when all has been read."""
        text = scalar(tree, f"the key of a {self.kind}", "text", "int")
        place.reading.references.append(Reference(self.kind, text, tree.line, place.path))
        return text

    def dump(self, value: str) -> str:
        """The key itself."""
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between `low` and `high`."""

    low: int
    high: int

    def read(self, tree: Tree, place: Place) -> int:  # noqa: ARG002
        """The number."""
        text = scalar(tree, "a whole number", "int")
        if not _WHOLE.fullmatch(text) or not self.low <= int(text) <= self.high:
            raise WrongValueError(f"expected a whole number from {self.low} to {self.high}, found {text}")
        return int(text)

    def dump(self, value: int) -> int:
        """The number."""
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, tree: Tree, place: Place) -> bool:  # noqa: ARG002
        """The truth value."""
        return scalar(tree, "true or false", "bool").lower() in {"true", "yes", "on", "y"}

    def dump(self, value: bool) -> bool:
        """The truth value."""
        return value


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, relative or ISO-8601. With `since`, also true (from now on) or false (not)."""

    since: bool = False

    def read(self, tree: Tree, place: Place) -> int | None:
        """Epoch milliseconds."""
        if self.since and isinstance(tree, Scalar) and tree.kind == "bool":
            return place.reading.now_ms if Flag().read(tree, place) else None
        expected = "true, false or a time" if self.since else "a time such as -2h or 2026-11-21T20:43:00Z"
        try:
            return moments.parse_moment_ms(scalar(tree, expected, "text"), place.reading.now_ms)
        except ValueError as error:
            raise WrongValueError(str(error)) from None

    def dump(self, value: int) -> str:
        """ISO-8601."""
        return moments.format_moment(value)


@dataclass(frozen=True, slots=True)
class Many:
    """A list. `unique` names the attribute (or "" for the item itself) that no two items may share."""

    item: Reader
    unique: str | None = None

    def read(self, tree: Tree, place: Place) -> tuple[Any, ...]:
        """The items that could be read."""
        if not isinstance(tree, Items):
            raise WrongValueError("expected a list")
        values = [_attempt(self.item, child, place.item(index)) for index, child in enumerate(tree.items)]
        self._check_unique(values, tree, place)
        return tuple(value for value in values if value is not None)

    def dump(self, value: tuple[Any, ...]) -> list[Any]:
        """A JSON list."""
        return [self.item.dump(item) for item in value]

    def _check_unique(self, values: list[Any], tree: Items, place: Place) -> None:
        if self.unique is None:
            return
        seen: set[object] = set()
        for index, value in enumerate(values):
            mark = getattr(value, self.unique, None) if self.unique else value
            if mark is not None and mark in seen:
                place.reading.refuse(tree.items[index].line, place.item(index).path, f'"{mark}" is in the list twice')
            seen.add(mark)


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping from names, each of which `name` takes, to values of one kind."""

    item: Reader
    name: Text

    def read(self, tree: Tree, place: Place) -> dict[str, Any]:
        """The entries that could be read."""
        if not isinstance(tree, Entries):
            raise WrongValueError("expected a mapping")
        _refuse_repeated(tree, place)
        values: dict[str, Any] = {}
        for name, child in tree.entries.items():
            key = _attempt(self.name, Scalar("text", name, tree.lines.get(name, 0)), place.at(name))
            value = _attempt(self.item, child, place.at(name))
            if key is not None and value is not None:
                values[key] = value
        return values

    def dump(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A JSON object."""
        return {name: self.item.dump(item) for name, item in value.items()}


@dataclass(frozen=True, slots=True)
class Struct:
    """A mapping with declared keys: one frozen dataclass."""

    type: type[Any]

    def read(self, tree: Tree, place: Place) -> Any:
        """An instance; None when a problem was noted."""
        before = len(place.reading.problems)
        given = self.read_given(tree, place)
        for declared in dataclasses.fields(self.type):
            if declared.metadata[_REQUIRED] and _is_absent(tree, declared.name):
                place.reading.refuse(tree.line, place.path, f'"{declared.name}" is missing')
        if len(place.reading.problems) > before:
            return None
        return self.type(**{name: value for name, value in given.items() if value is not None})

    def read_given(self, tree: Tree, place: Place) -> dict[str, Any]:
        """Only the keys that are given, null as None; for changes of an existing entity."""
        if not isinstance(tree, Entries):
            raise WrongValueError("expected a mapping")
        _refuse_repeated(tree, place)
        readers = {declared.name: reader_of(declared) for declared in dataclasses.fields(self.type)}
        given: dict[str, Any] = {}
        for name, child in tree.entries.items():
            if name not in readers:
                close = get_close_matches(name, readers, 1)
                hint = f'; did you mean "{close[0]}"?' if close else ""
                place.reading.refuse(tree.lines.get(name, 0), place.at(name).path, f"unknown key{hint}")
            elif isinstance(child, Scalar) and child.kind == "null":
                given[name] = None
            else:
                given[name] = _attempt(readers[name], child, place.at(name))
        return given

    def dump(self, value: Any) -> dict[str, Any]:
        """A JSON object without what is at its default."""
        return {
            declared.name: reader_of(declared).dump(getattr(value, declared.name))
            for declared in dataclasses.fields(self.type)
            if getattr(value, declared.name) != declared.default
        }


def _attempt(reader: Reader, tree: Tree, place: Place) -> Any:
    try:
        return reader.read(tree, place)
    except WrongValueError as wrong:
        place.reading.refuse(tree.line, place.path, str(wrong))
        return None


def _is_absent(tree: Tree, name: str) -> bool:
    child = tree.entries.get(name) if isinstance(tree, Entries) else None
    return child is None or (isinstance(child, Scalar) and child.kind == "null")


def _refuse_repeated(tree: Entries, place: Place) -> None:
    for name, line in tree.repeated:
        place.reading.refuse(line, place.at(name).path, "the key is given twice")
