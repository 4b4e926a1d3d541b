"""The documentation is true: links lead somewhere, generated pages are current, the tutorial's commands answer as printed."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest

from polynym.app import FEATURES
from polynym.cli import cli
from polynym.core.config import SETTINGS
from polynym.graph.registry import Registry
from polynym.sandbox import routes, world_file
from polynym.sandbox.shape import Many, Struct, reader_of
from tests.support.server import sandbox
from tools import reference

ROOT = Path(reference.__file__).parent.parent
DOCS = ROOT / "docs"
GENERATED = reference.generated()
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *DOCS.rglob("*.md"),
]
TUTORIALS = sorted((DOCS / "tutorial").glob("*.md"))
#: Stands for what differs from run to run.
ANYTHING = "…"

_FENCED = re.compile(r"^(?P<mark><!-- run -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


# ------------------------------------------------------------------------------------------------ links and pages


def headings(text: str) -> set[str]:
    """The anchors that a page's headings give."""
    plain = _FENCED.sub("", text)
    titles = re.findall(r"^#+ (.*)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def relative_links(page: Path) -> Iterator[str]:
    """The links of a page that stay in this repository."""
    return (link for link in _LINK.findall(_FENCED.sub("", page.read_text())) if "://" not in link)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    for link in relative_links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target.read_text()), link


def test_every_page_is_reached_from_the_map():
    reached = {(DOCS / link.partition("#")[0]).resolve() for link in relative_links(DOCS / "index.md")}
    assert {page.resolve() for page in DOCS.rglob("*.md")} - {(DOCS / "index.md").resolve()} <= reached


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generated_page_is_current(name):
    assert (DOCS / "reference" / name).read_text() == GENERATED[name], "run `make docs`"


# ------------------------------------------------------------------------------------------------ nothing undocumented


def test_every_setting_says_what_it_is():
    assert [setting.name for setting in SETTINGS if not setting.doc or not setting.kind] == []


def test_every_node_field_edge_and_root_says_what_it_is_and_where_it_is_from():
    registry = Registry(FEATURES)
    nodes = registry.nodes.values()
    declared = [*nodes, *registry.roots.values()]
    declared += [each for node in nodes for each in (*node.fields.values(), *node.edges.values())]
    assert [each for each in declared if not each.doc or not each.source] == []


def test_every_parameter_of_an_edge_or_root_says_what_it_is():
    registry = Registry(FEATURES)
    edges = [edge for node in registry.nodes.values() for edge in node.edges.values()]
    bare = [(each, param.name) for each in (*edges, *registry.roots.values()) for param in each.params if not param.doc]
    assert bare == []


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            assert child is not None
            yield from commands(child, f"{name} {child_name}")


def test_every_command_and_option_says_what_it_does():
    found = list(commands(cli, "polynym"))
    assert [name for name, command in found if not command.help] == []
    options = [(name, each) for name, command in found for each in command.params if isinstance(each, click.Option)]
    assert [(name, option.name) for name, option in options if not option.help] == []


ENTITIES = {name: struct.type for name, struct in world_file.ENTITIES.items()} | {
    "installs": world_file.Install,
    "tokens": world_file.Token,
}


def documented_keys(section: str) -> dict[str, str]:
    """Key -> the rest of its row, of a section's table; a row may be about several keys."""
    rows = re.findall(r"^\| (`.*?) \| (.*)$", section, re.MULTILINE)
    return {key: rest for keys, rest in rows for key in re.findall(r"`(\w+)`", keys)}


def entry_keys(declared: dataclasses.Field[Any]) -> set[str]:
    """The keys of a list's entries; none for a plain value."""
    reader = reader_of(declared)
    of = reader.item if isinstance(reader, Many) else None
    return {each.name for each in dataclasses.fields(of.type)} if isinstance(of, Struct) else set()


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_world_files_keys_are_those_on_its_page(entity):
    page = (DOCS / "reference" / "world-file.md").read_text()
    documented = documented_keys(page.partition(f"\n## {entity}\n")[2].partition("\n## ")[0])
    fields = dataclasses.fields(ENTITIES[entity])
    assert documented.keys() == {each.name for each in fields}
    for each in fields:
        assert entry_keys(each) <= set(re.findall(r"`(\w+)`", documented[each.name])), each.name


def test_every_call_of_the_control_plane_is_on_its_page():
    page = (DOCS / "reference" / "control-plane.md").read_text()
    calls = [" ".join(call) for call in routes._CALLS]
    assert [call for call in calls if f"`{call}`" not in page] == []


# ------------------------------------------------------------------------------------------------ commands that run


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of a page and the answer printed below it, "" when none is."""

    command: str
    language: str
    answer: str


def steps(page: Path) -> list[Step]:
    """The marked commands of a page, in order."""
    blocks = [match.groupdict() for match in _FENCED.finditer(page.read_text())]
    marked = [(block, after) for block, after in pairwise([*blocks, None]) if block and block["mark"]]
    found = []
    for block, after in marked:
        printed = after if after and not after["mark"] and after["language"] in ("json", "text") else None
        found.append(Step(block["text"], printed["language"] if printed else "", printed["text"] if printed else ""))
    return found


def as_pattern(text: str) -> str:
    """A regular expression for a text in which ANYTHING stands for whatever was there."""
    return ".*".join(re.escape(part) for part in text.split(ANYTHING))


def differences(printed: Any, real: Any, path: str = "$") -> list[str]:
    """Where a real JSON answer is not the printed one."""
    if isinstance(printed, str) and isinstance(real, str) and re.fullmatch(as_pattern(printed), real):
        return []
    if isinstance(printed, dict) and isinstance(real, dict) and printed.keys() == real.keys():
        return [found for key in printed for found in differences(printed[key], real[key], f"{path}.{key}")]
    if isinstance(printed, list) and isinstance(real, list) and len(printed) == len(real):
        pairs = enumerate(zip(printed, real, strict=True))
        return [found for index, (a, b) in pairs for found in differences(a, b, f"{path}[{index}]")]
    return [] if printed == real else [f"{path}: printed {printed!r}, but it is {real!r}"]


def check(step: Step, output: str) -> None:
    """Fail unless a command answered as printed."""
    where = f"{step.command}\n{output}"
    if step.language == "json":
        assert differences(json.loads(step.answer), json.loads(output)) == [], where
    elif step.language == "text":
        assert re.fullmatch(as_pattern(step.answer.strip()), output.strip(), re.DOTALL), where


def test_a_printed_answer_is_told_from_another_one():
    printed = {"id": "…", "app": [{"name": "EAA…"}]}
    assert differences(printed, {"id": "1", "app": [{"name": "EAAx"}]}) == []
    assert differences(printed, {"id": "1", "app": [{"name": "x"}]}) == ["$.app[0].name: printed 'EAA…', but it is 'x'"]
    assert differences(printed, {"id": "1", "app": []}) != []
    assert differences(printed, {"id": "1"}) != []


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorials_commands_answer_as_printed(page, tmp_path):
    marked = steps(page)
    assert marked
    # One shell for all, as a reader has; what it prints after a command is set apart by a line that no command prints.
    line = "=== next command ==="
    script = f"\nprintf '\\n{line}\\n'\n".join(step.command for step in marked)
    with sandbox(tmp_path / "data"):
        environment = os.environ | {
            "POLYNYM_DATA_DIR": str(tmp_path / "data"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path),
        }
        shell = subprocess.run(
            ["/bin/sh", "-eu"], input=script, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert shell.returncode == 0, shell.stderr
    outputs = shell.stdout.split(f"\n{line}\n")
    assert len(outputs) == len(marked), shell.stderr
    for step, output in zip(marked, outputs, strict=True):
        check(step, output)


def test_the_readmes_answer_is_that_of_the_tutorial():
    block = next(match for match in _FENCED.finditer((ROOT / "README.md").read_text()) if match["language"] == "json")
    answers = [step.answer for page in TUTORIALS for step in steps(page) if step.language == "json"]
    assert json.loads(block["text"]) in [json.loads(answer) for answer in answers]
