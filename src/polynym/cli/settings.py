"""polynym config: every setting and where its value came from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from polynym.cli.options import as_json, settings, where


@click.group("config")
def config_group() -> None:
    """Show the settings and where they come from."""


@config_group.command()
@where
@as_json
def show(data_dir: str | None, config_file: Path | None, json_: bool) -> None:
    """Show every setting, its value (secrets masked) and its origin."""
    rows = list(settings(config_file, {"data_dir": data_dir}).shown())
    if json_:
        click.echo(json.dumps({name: {"value": value, "origin": origin} for name, value, origin in rows}, indent=2))
        return
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
