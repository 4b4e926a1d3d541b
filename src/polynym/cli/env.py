"""polynym env: what a client needs, for a shell, a .env file, a program or a workflow."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from polynym.cli import client
from polynym.cli.options import as_json, where


@click.command()
@where
@as_json
@click.option("--app", help="The app: key, name or id.")
@click.option("--page", help="The page: key, name or id.")
@click.option("--person", help="The person whose PSID and ASID are shown: key, name or id.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["shell", "dotenv", "json", "github"]),
    default="shell",
    help="For eval, a .env file, a program, or $GITHUB_ENV.",
)
def env(
    data_dir: str | None,
    config_file: Path | None,
    json_: bool,
    app: str | None,
    page: str | None,
    person: str | None,
    format_: str,
) -> None:
    """Print what a client needs to talk to one app and one page: `eval "$(polynym env)"`."""
    values = client.find(data_dir, config_file).control("GET", "env", app=app, page=page, person=person)
    click.echo(render(values, "json" if json_ else format_))


def render(values: Mapping[str, str], format_: str) -> str:
    """The values in one of the formats."""
    if format_ == "json":
        return json.dumps(values, indent=2)
    if format_ == "github":
        return "\n".join(f"{name}={value}" for name, value in values.items())
    if format_ == "dotenv":
        return "\n".join(f"{name}={_dotenv(value)}" for name, value in values.items())
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _dotenv(value: str) -> str:
    """Single quotes: no reader of .env files expands anything in them."""
    plain = all(character.isalnum() or character in "-_.:/" for character in value)
    return value if plain else f"'{value}'"
