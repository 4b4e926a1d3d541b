"""Draft: a world as it was read from YAML or JSON, with all that is wrong with it.

`parse` and `dump` are inverse: what is dumped is read back to an equal world.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import yaml

from polynym.sandbox.shape import Place, Reading, Reference, Struct, WrongValueError
from polynym.sandbox.source import Tree, WorldFileError, read_document
from polynym.sandbox.world_file import FORMAT, WorldFile

_WORLD: Final = Struct(WorldFile)


@dataclass(frozen=True, slots=True)
class Draft:
    """A read world with what is still to be compared with a database: references to keys that the file does not have
    (`unresolved`), and in `reading.claims` every value that must not exist yet."""

    world: WorldFile
    reading: Reading
    unresolved: tuple[Reference, ...]


def parse(data: bytes, file: str, now_ms: int) -> WorldFile:
    """The world of a document that stands for itself. Raises WorldFileError with every problem."""
    draft = read_draft(data, file, now_ms)
    refuse_unresolved(draft, draft.unresolved)
    return draft.world


def read_draft(data: bytes, file: str, now_ms: int) -> Draft:
    """Like `parse`, but references to keys that the document lacks are left for the caller. Raises WorldFileError when
    anything else is wrong, and then names the dangling references too."""
    reading = Reading(file, now_ms)
    world = _read(_WORLD, read_document(data, file), reading)
    unresolved = tuple(r for r in reading.references if (f"{r.kind}.key", r.name) not in reading.claims)
    draft = Draft(world or WorldFile(polynym=FORMAT), reading, unresolved)
    if world is not None:
        _check_installs(world, reading)
        _check_tokens(world, reading)
    if reading.problems:
        refuse_unresolved(draft, unresolved)
    return draft


def refuse_unresolved(draft: Draft, references: Iterable[Reference]) -> None:
    """Note `references` as dangling; raises WorldFileError when the draft has any problem."""
    for reference in references:
        known = [value for group, value in draft.reading.claims if group == f"{reference.kind}.key"]
        close = get_close_matches(reference.name, known, 1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        message = f'there is no {reference.kind} with the key "{reference.name}"{hint}'
        draft.reading.refuse(reference.line, reference.path, message)
    if draft.reading.problems:
        raise WorldFileError(sorted(draft.reading.problems, key=lambda problem: problem.line))


def dump(world: WorldFile) -> dict[str, Any]:
    """The document of a world, without what is at its default; `parse` reads it back to an equal world."""
    return _WORLD.dump(world)


def render_yaml(world: WorldFile) -> str:
    """The document of a world as YAML, letters of every script as they are."""
    # Not the C emitter, which writes what is beyond the basic plane as escapes.
    text: str = yaml.dump(dump(world), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes every value out, even a list that occurs twice: aliases are not read back."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _read(reader: Struct, tree: Tree, reading: Reading) -> Any:
    try:
        return reader.read(tree, Place(reading, ""))
    except WrongValueError as wrong:
        reading.refuse(tree.line, "", str(wrong))
        return None


def _check_installs(world: WorldFile, reading: Reading) -> None:
    for index, install in enumerate(world.installs):
        path = f"installs[{index}].external_business_id"
        reading.claim("install", f"{install.app}/{install.external_business_id}", 0, path)


def _check_tokens(world: WorldFile, reading: Reading) -> None:
    for index, token in enumerate(world.tokens):
        if token.page is not None and token.person is None:
            reading.refuse(0, f"tokens[{index}]", "the token of a page belongs to a person with a task on it")
        if (token.person is None) != ("|" in token.token):
            reading.refuse(
                0, f"tokens[{index}].token", "the token of an app is its id, a bar and more; others have no bar"
            )
