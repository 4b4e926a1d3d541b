"""polynym world: load a file into the running sandbox, export what is in it, or start over."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from polynym.cli import client
from polynym.cli.files import read_file, write_atomically
from polynym.cli.options import as_json, where

#: What one of the things that a world file counts is called.
_ONE: Final = {
    "businesses": "business", "apps": "app", "pages": "page", "people": "person", "installs": "install",
    "tokens": "token",
}  # fmt: skip


@click.group()
def world() -> None:
    """Load, export or reset the world of the running sandbox."""


@world.command()
@where
@as_json
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def load(data_dir: str | None, config_file: Path | None, json_: bool, file: Path) -> None:
    """Add what a world file defines. Whatever is wrong with it is said, and then nothing is added."""
    server = client.find(data_dir, config_file)
    loaded = server.control("POST", "world", read_file(file), file=str(file))["loaded"]
    click.echo(json.dumps({"loaded": loaded}) if json_ else f"loaded {_counted(loaded)}")


@world.command()
@where
@click.option(
    "--format", "format_", type=click.Choice(["yaml", "json"]), help="Default: by the file's name, else yaml."
)
@click.option("--json", "json_", is_flag=True, help="The same as --format json.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
def export(data_dir: str | None, config_file: Path | None, format_: str | None, json_: bool, file: Path) -> None:
    """Write the whole world to FILE (or stdout), secrets included; it loads back to an equal world."""
    chosen = "json" if json_ else format_ or ("json" if file.suffix == ".json" else "yaml")
    body = client.find(data_dir, config_file).control_raw("GET", "world", format=chosen).body
    if chosen == "json":
        body = (json.dumps(json.loads(body), indent=2, ensure_ascii=False) + "\n").encode()
    if str(file) == "-":
        sys.stdout.buffer.write(body)
    else:
        write_atomically(file, body)


@world.command()
@where
@as_json
@click.option("--demo", is_flag=True, help="Load the demo world afterwards.")
def reset(data_dir: str | None, config_file: Path | None, json_: bool, demo: bool) -> None:
    """Delete everybody and everything."""
    loaded = client.find(data_dir, config_file).control("DELETE", "world", demo="1" if demo else None)["loaded"]
    click.echo(json.dumps({"loaded": loaded}) if json_ else f"now there is {_counted(loaded)}")


def _counted(loaded: Mapping[str, int]) -> str:
    counts = (f"{number} {_ONE[name] if number == 1 else name}" for name, number in loaded.items() if number)
    return ", ".join(counts) or "nothing"
