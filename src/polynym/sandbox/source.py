"""Source: the text of a world file as a tree that remembers its lines.

YAML (events of the C parser, so nothing is ever constructed from a tag) and JSON give the same tree. Aliases, merge keys
and foreign tags are refused here with their line.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml

DOCUMENT_BYTES_MAX: Final = 64 * 1024 * 1024
DEPTH_MAX: Final = 16
PROBLEMS_MAX: Final = 100

ScalarKind = Literal["text", "int", "float", "bool", "null"]

_YAML_KINDS: Final[dict[str, ScalarKind]] = {
    "tag:yaml.org,2002:str": "text",
    "tag:yaml.org,2002:timestamp": "text",
    "tag:yaml.org,2002:int": "int",
    "tag:yaml.org,2002:float": "float",
    "tag:yaml.org,2002:bool": "bool",
    "tag:yaml.org,2002:null": "null",
}
_JSON_SPACE: Final = re.compile(r"[ \t\r\n]*")
_JSON_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_JSON_WORDS: Final[dict[str, ScalarKind]] = {"true": "bool", "false": "bool", "null": "null"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a world file: where, and what. `line` counts from 1, 0 when there is no line."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class WorldFileError(Exception):
    """A world that is refused as a whole; `problems` says all that is wrong with it, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as it is written: `text` is the source text without quotes."""

    kind: ScalarKind
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: list[Tree]
    line: int


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping; `lines` has the line of each key, `repeated` the keys that came again with their lines."""

    entries: dict[str, Tree]
    line: int
    lines: dict[str, int] = field(default_factory=dict)
    repeated: list[tuple[str, int]] = field(default_factory=list)


Tree = Scalar | Items | Entries


class _RefusedError(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read_document(data: bytes, file: str) -> Tree:
    """The tree of a YAML or JSON document.

    A name ending in .json is JSON; a text that begins with `{` is tried as JSON first. Raises WorldFileError.
    """
    try:
        text = _decode(data)
        if file.endswith(".json"):
            return _read_json(text)
        if text.lstrip().startswith("{"):
            try:
                return _read_json(text)
            except _RefusedError:
                pass
        return _read_yaml(text)
    except _RefusedError as refused:
        raise WorldFileError([Problem(file, refused.line, "", str(refused))]) from None


def _decode(data: bytes) -> str:
    if len(data) > DOCUMENT_BYTES_MAX:
        raise _RefusedError(0, f"larger than {DOCUMENT_BYTES_MAX // 1024 // 1024} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _RefusedError(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from None


def _read_yaml(text: str) -> Tree:
    loader_class: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = loader_class(text)
    try:
        return _Yaml(loader).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _RefusedError(mark.line + 1 if mark else 0, f"not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise _RefusedError(0, f"not YAML: {str(error).splitlines()[0]}") from None
    finally:
        loader.dispose()


class _Yaml:
    """The tree from the loader's events: unlike the loader's own composer it cannot be sent into endless nesting."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def document(self) -> Tree:
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise _RefusedError(0, "the file is empty")
        tree = self._value(self._next(), 0)
        self._next()
        if not isinstance(extra := self._next(), yaml.StreamEndEvent):
            raise _RefusedError(extra.start_mark.line + 1, "a second document begins here; one is expected")
        return tree

    def _next(self) -> Any:
        return self._loader.get_event()

    def _value(self, event: Any, depth: int) -> Tree:
        line: int = event.start_mark.line + 1
        if getattr(event, "anchor", None) is not None:
            raise _RefusedError(line, "anchors and aliases are not supported; write the value out")
        if depth > DEPTH_MAX:
            raise _RefusedError(line, "nested too deeply")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._kind(event, line), event.value, line)
        if event.tag is not None:
            raise _RefusedError(line, f"unsupported tag {event.tag}")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(line, depth)
        return self._entries(line, depth)

    def _items(self, line: int, depth: int) -> Items:
        items: list[Tree] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return Items(items, line)

    def _entries(self, line: int, depth: int) -> Entries:
        tree = Entries({}, line)
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            if not isinstance(key, Scalar) or key.kind != "text":
                raise _RefusedError(key.line, "a key must be text; put it in quotes")
            _add(tree, key.text, key.line, self._value(self._next(), depth + 1))
        return tree

    def _kind(self, event: Any, line: int) -> ScalarKind:
        tag = event.tag or self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        kind = _YAML_KINDS.get(tag)
        if kind is None:
            raise _RefusedError(line, f"unsupported tag {tag}")
        return kind


def _add(tree: Entries, key: str, line: int, value: Tree) -> None:
    if key in tree.entries:
        tree.repeated.append((key, line))
        return
    tree.entries[key] = value
    tree.lines[key] = line


def _read_json(text: str) -> Tree:
    tree, end = _Json(text).value(0, 0)
    rest = _JSON_SPACE.match(text, end)
    if rest and rest.end() != len(text):
        raise _RefusedError(text.count("\n", 0, rest.end()) + 1, "not JSON: text after the end of the document")
    return tree


class _Json:
    """A small JSON reader that knows its lines; strings go through the standard library's scanner."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def value(self, at: int, depth: int) -> tuple[Tree, int]:
        at = self._skip(at)
        head = self.text[at : at + 1]
        if depth > DEPTH_MAX:
            raise self._refused(at, "nested too deeply")
        if head == "{":
            return self._object(at, depth)
        if head == "[":
            return self._array(at, depth)
        if head == '"':
            value, end = self._string(at)
            return Scalar("text", value, self._line(at)), end
        return self._plain(at)

    def _object(self, at: int, depth: int) -> tuple[Tree, int]:
        tree = Entries({}, self._line(at))
        for position in self._members(at, "}"):
            key, end = self._string(position)
            end = self._skip(end)
            if self.text[end : end + 1] != ":":
                raise self._refused(end, "not JSON: expected ':'")
            value, self._end = self.value(end + 1, depth + 1)
            _add(tree, key, self._line(position), value)
        return tree, self._end

    def _array(self, at: int, depth: int) -> tuple[Tree, int]:
        items: list[Tree] = []
        for position in self._members(at, "]"):
            item, self._end = self.value(position, depth + 1)
            items.append(item)
        return Items(items, self._line(at)), self._end

    def _members(self, at: int, close: str) -> Iterator[int]:
        """The position of each member; the caller leaves the end of what it read in `_end`."""
        position = self._skip(at + 1)
        if self.text[position : position + 1] == close:
            self._end = position + 1
            return
        while True:
            yield position
            position = self._skip(self._end)
            mark = self.text[position : position + 1]
            if mark == close:
                self._end = position + 1
                return
            if mark != ",":
                raise self._refused(position, f"not JSON: expected ',' or '{close}'")
            position = self._skip(position + 1)

    def _string(self, at: int) -> tuple[str, int]:
        match = _JSON_STRING.match(self.text, at)
        if match is None:
            raise self._refused(at, "not JSON: expected a string in double quotes")
        try:
            return str(json.loads(match.group())), match.end()
        except ValueError as error:
            raise self._refused(at, f"not JSON: {error}") from None

    def _plain(self, at: int) -> tuple[Tree, int]:
        for word, kind in _JSON_WORDS.items():
            if self.text.startswith(word, at):
                return Scalar(kind, word, self._line(at)), at + len(word)
        number = _JSON_NUMBER.match(self.text, at)
        if number is None:
            raise self._refused(at, "not JSON: expected a value")
        whole = number.group(1) is None and number.group(2) is None
        return Scalar("int" if whole else "float", number.group(), self._line(at)), number.end()

    def _skip(self, at: int) -> int:
        space = _JSON_SPACE.match(self.text, at)
        return space.end() if space else at

    def _line(self, at: int) -> int:
        return bisect_right(self._starts, at)

    def _refused(self, at: int, message: str) -> _RefusedError:
        return _RefusedError(self._line(at), message)


def tree_of(value: object, depth: int = 0) -> Tree:
    """The tree of an already decoded JSON value, for bodies of the control plane; there are no lines in it.

    What is nested deeper than `DEPTH_MAX` becomes null.
    """
    if isinstance(value, dict) and depth <= DEPTH_MAX:
        return Entries({str(key): tree_of(item, depth + 1) for key, item in value.items()}, 0)
    if isinstance(value, list) and depth <= DEPTH_MAX:
        return Items([tree_of(item, depth + 1) for item in value], 0)
    if isinstance(value, bool):
        return Scalar("bool", "true" if value else "false", 0)
    if value is None or isinstance(value, dict | list):
        return Scalar("null", "null", 0)
    kind: ScalarKind = "text" if isinstance(value, str) else "int" if isinstance(value, int) else "float"
    return Scalar(kind, str(value), 0)
