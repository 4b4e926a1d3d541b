"""polynym start and polynym serve: build a world from the settings and answer HTTP with it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import uvloop

from polynym import __version__
from polynym.app import World, build
from polynym.app import serve as serve_http
from polynym.cli import logs
from polynym.cli.failures import explained
from polynym.cli.files import SERVER_FILE, left_behind, read_file, write_atomically
from polynym.cli.options import settings, where
from polynym.cli.problems import INTERRUPTED, USAGE, CliError
from polynym.core.config import Config
from polynym.core.listen import bind
from polynym.sandbox.env import environment
from polynym.sandbox.keys import admin_key
from polynym.sandbox.load import load_document
from polynym.sandbox.lookup import LookupFailedError
from polynym.sandbox.reset import is_empty, reset
from polynym.sandbox.source import WorldFileError
from polynym.wire.signatures import appsecret_proof

F = TypeVar("F", bound=Callable[..., Any])

EMBEDDED: Final = "embedded"
LOCK_FILE: Final = "lock"
#: Holds the word "embedded" in a data directory whose world is in the embedded PostgreSQL.
DATABASE_FILE: Final = "database"
#: The app and the ids of the ID matching guide's own requests, in the demo world.
_GUIDE_APP: Final = "259773517400382"
_GUIDE_ASID: Final = "645195294"


def _server_options(command: F) -> F:
    for decorate in (
        click.option("--database", metavar="URL", help="sqlite:///file, postgresql://… or embedded."),
        click.option("--host", metavar="ADDRESS", help="The address to listen on; default 127.0.0.1."),
        click.option("--port", metavar="N|auto", help="The port; auto takes a free one and prints the URL last."),
        click.option("--url-file", type=click.Path(path_type=Path), help="Write the URL there when ready to answer."),
        click.option("--world", metavar="FILE", help="A world file to load into an empty database."),
        click.option("--review", metavar="MODE", help="instant, delayed, manual or reject."),
    ):
        command = decorate(command)
    return where(command)


@click.command()
@_server_options
@click.option("--seed", metavar="N", help="Makes ids and tokens repeat from run to run.")
def start(config_file: Path | None, url_file: Path | None, **flags: str | None) -> int:
    """Run the sandbox: one click signs people in, the clock can be bent, worlds are loaded from files."""
    config = settings(config_file, flags)
    return _run(config, url_file, sandbox=True)


@click.command()
@_server_options
def serve(config_file: Path | None, url_file: Path | None, **flags: str | None) -> int:
    """Run in production: no sandbox, no demo world, a control plane only with POLYNYM_ADMIN_TOKEN."""
    config = settings(config_file, flags)
    return _run(config, url_file, sandbox=False)


def _run(config: Config, url_file: Path | None, *, sandbox: bool) -> int:
    _check_exposure(config)
    logs.set_up(config)
    with explained(config):
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = _remembered(config)
        if url_file is not None:
            # An address of an earlier run must not be believed while this one is not ready.
            url_file.unlink(missing_ok=True)
        with _only_server(config, sandbox=sandbox), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            # Before anything slow, so that a busy port is said at once; the server binds it again.
            bind(config.host, config.port or 0).close()
            return runner.run(_serve(config, url_file, sandbox=sandbox))


def _check_exposure(config: Config) -> None:
    """Whoever listens beyond this machine brings a secret key. Raises CliError."""
    if config.secret_key is None and not _is_loopback(config.host):
        message = f"listening on {config.host} needs POLYNYM_SECRET_KEY (or POLYNYM_SECRET_KEY_FILE) to be set"
        raise CliError(message, USAGE)


def _remembered(config: Config) -> Config:
    """A data directory whose world is in the embedded PostgreSQL stays with it until told otherwise."""
    marker = config.data_dir / DATABASE_FILE
    if config.provenance.get("database") == "default" and marker.exists():
        return replace(config, database=EMBEDDED)
    if config.database == EMBEDDED:
        write_atomically(marker, f"{EMBEDDED}\n".encode())
    else:
        marker.unlink(missing_ok=True)
    return config


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _only_server(config: Config, *, sandbox: bool) -> Iterator[None]:
    """Keep a second server out of the data directory. In production with PostgreSQL there may be any number."""
    if not sandbox and config.database.startswith("postgres"):
        yield
        return
    with (config.data_dir / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = left_behind(config.data_dir)
            who = f"pid {running['pid']} at {running['url']}" if running else "another server"
            raise CliError(f"{config.data_dir} is in use by {who}; stop it or choose another --data-dir") from None
        yield


async def _serve(config: Config, url_file: Path | None, *, sandbox: bool) -> int:
    world = await build(config, sandbox=sandbox)
    caught: list[int] = []
    try:
        admin_key(config, sandbox=sandbox)
        await _fill(world)
        values = await _values(world) if sandbox else {}

        def ready(url: str) -> None:
            _leave(config.data_dir, url)
            if url_file is not None:
                write_atomically(url_file, f"{url}\n".encode())
            click.echo(_banner(config, url, values, sandbox=sandbox))

        with _signals_noted(caught):
            await serve_http(world, host=config.host, port=config.port or 0, ready=ready)
    finally:
        _take_away(config.data_dir)
        await world.close()
    return INTERRUPTED if signal.SIGINT in caught else 0


@contextmanager
def _signals_noted(caught: list[int]) -> Iterator[None]:
    """Note SIGINT and SIGTERM, which the HTTP server raises again when it has finished, so that we can finish too."""
    noted = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda caught_number, _frame: caught.append(caught_number)) for number in noted]
    try:
        yield
    finally:
        for number, handler in zip(noted, before, strict=True):
            signal.signal(number, handler)


async def _fill(world: World) -> None:
    """Load the configured world, in a sandbox else the demo world, if the database is empty. Raises CliError."""
    file = world.config.world
    if not await is_empty(world.db):
        if file is not None:
            click.echo(f"polynym: the database is not empty, {file} was not loaded", err=True)
        return
    try:
        if file is not None:
            await load_document(world.ctx(), read_file(file), str(file))
        elif world.sandbox:
            await reset(world.ctx(), demo=True)
    except WorldFileError as error:
        raise CliError(str(error)) from None


async def _values(world: World) -> dict[str, str]:
    """What the commands to try need: the environment, and the guide's own requests where they work."""
    values = await environment(world, "")
    with suppress(LookupFailedError):
        guide = await environment(world, "", app=_GUIDE_APP, person=_GUIDE_ASID)
        values |= {"APP_TOKEN": guide["APP_TOKEN"], "ASID": guide["ASID"]}
    return values


def _leave(data_dir: Path, url: str) -> None:
    """Leave the address for commands that look for the server."""
    write_atomically(data_dir / SERVER_FILE, json.dumps({"url": url, "pid": os.getpid()}).encode())


def _take_away(data_dir: Path) -> None:
    running = left_behind(data_dir)
    if running is not None and running["pid"] == os.getpid():
        with suppress(OSError):
            (data_dir / SERVER_FILE).unlink()


def _banner(config: Config, url: str, values: Mapping[str, str], *, sandbox: bool) -> str:
    """What a start prints: where it is and three commands to try; with `--port auto` the URL is the last line."""
    kind = "sandbox" if sandbox else "server"
    lines = [f"polynym {__version__} {kind}: {url}  (data in {config.data_dir})"]
    if sandbox:
        lines += ["", "Try:", *(f"  {command}" for command in _commands(config, url, values)), ""]
    if config.port is None:
        lines.append(url)
    return "\n".join(lines)


def _commands(config: Config, url: str, values: Mapping[str, str]) -> list[str]:
    commands = []
    if values["ASID"] and values["APP_TOKEN"]:
        fields = "name,age_range,ids_for_apps,ids_for_pages"
        commands.append(_curl(f"{url}/{values['ASID']}?fields={fields}", access_token=values["APP_TOKEN"]))
    if values["PSID"] and values["PAGE_TOKEN"]:
        fields = "name,is_payment_enabled,ids_for_apps,ids_for_pages"
        token = values["PAGE_TOKEN"]
        proof = appsecret_proof(token, values["APP_SECRET"])
        commands.append(_curl(f"{url}/{values['PSID']}?fields={fields}", access_token=token, appsecret_proof=proof))
    given = config.provenance.get("data_dir") != "default"
    option = f" --data-dir {shlex.quote(str(config.data_dir))}" if given else ""
    commands.append(f'eval "$({_program()} env{option})"')
    return commands


def _program() -> str:
    """How to call this program again: by name if the name leads here, else by path."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m polynym.cli"
    found = shutil.which(path.name)
    return path.name if found and Path(found).resolve() == path.resolve() else shlex.quote(str(path))


def _curl(url: str, **params: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in params.items())
    return f"curl -s {shlex.quote(url + query)}"
