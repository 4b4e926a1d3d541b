"""polynym db: bring the schema up to date, or say whether it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import click

from polynym.app import migration_folders
from polynym.cli.failures import explained
from polynym.cli.options import as_json, settings, where
from polynym.cli.problems import FAILURE, CliError
from polynym.core import embedded, migrate
from polynym.core.config import Config
from polynym.core.db import Db, connect

T = TypeVar("T")


@click.group()
def db() -> None:
    """Upgrade or check the database's schema."""


@db.command()
@where
@as_json
@click.option("--database", metavar="URL", help="sqlite:///file, postgresql://… or embedded.")
def upgrade(data_dir: str | None, config_file: Path | None, json_: bool, database: str | None) -> None:
    """Apply the migrations that are missing."""
    config = settings(config_file, {"data_dir": data_dir, "database": database})
    applied = with_database(config, lambda opened: migrate.upgrade(opened, migration_folders()), make=True)
    names = [str(migration) for migration in applied]
    click.echo(json.dumps({"applied": names}) if json_ else "\n".join(names) or "up to date")


@db.command()
@where
@as_json
@click.option("--database", metavar="URL", help="sqlite:///file, postgresql://… or embedded.")
def check(data_dir: str | None, config_file: Path | None, json_: bool, database: str | None) -> None:
    """Say whether the schema is up to date: exit code 1 when it is not."""
    config = settings(config_file, {"data_dir": data_dir, "database": database})
    missing = with_database(config, lambda opened: migrate.check(opened, migration_folders()))
    names = [str(migration) for migration in missing]
    click.echo(
        json.dumps({"missing": names}) if json_ else "\n".join(f"missing {name}" for name in names) or "up to date"
    )
    if names:
        raise click.exceptions.Exit(FAILURE)


def with_database(config: Config, use: Callable[[Db], Awaitable[T]], *, make: bool = False) -> T:
    """What `use` makes of the configured database. Unless `make`, a missing SQLite file is not created. Raises CliError."""
    with explained(config):
        if config.database == "embedded":
            cluster = embedded.start(config.data_dir)
            try:
                return asyncio.run(_use(cluster.url, use))
            finally:
                cluster.stop()
        file = sqlite_file(config.database)
        if file is not None and make:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif file is not None and not file.exists():
            raise CliError(f"there is no database at {file}")
        return asyncio.run(_use(config.database, use))


def sqlite_file(database: str) -> Path | None:
    """The file of a SQLite URL; None for others and for memory."""
    parts = urlsplit(database)
    path = unquote(parts.path[1:])
    return Path(path) if parts.scheme == "sqlite" and path else None


async def _use(url: str, use: Callable[[Db], Awaitable[T]]) -> T:
    opened = await connect(url)
    try:
        return await use(opened)
    finally:
        await opened.close()
