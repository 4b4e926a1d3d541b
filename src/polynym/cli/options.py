"""Options that several commands share, and the settings that follow from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from polynym.cli.problems import USAGE, CliError
from polynym.core import config
from polynym.core.config import Config

F = TypeVar("F", bound=Callable[..., Any])


def where(command: F) -> F:
    """--data-dir and --config: which installation a command is about."""
    for decorate in (
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="A polynym.toml to read."),
        click.option("--data-dir", metavar="DIR", help="Where everything is kept."),
    ):
        command = decorate(command)
    return command


def as_json(command: F) -> F:
    """--json on a command that reads."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON.")(command)


def settings(config_file: Path | None, flags: Mapping[str, object]) -> Config:
    """The settings, from flags, environment, file and defaults. Raises CliError."""
    try:
        return config.load(flags, os.environ, Path.cwd(), config_file)
    except config.ConfigError as error:
        raise CliError(str(error), USAGE) from None
