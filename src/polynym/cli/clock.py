"""polynym clock: show the sandbox's time, jump, stop, run faster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from polynym.cli import client
from polynym.cli.options import as_json, where
from polynym.cli.problems import USAGE, CliError
from polynym.core.clock import parse_duration
from polynym.sandbox.moments import format_moment


@click.group()
def clock() -> None:
    """Show or turn the sandbox's clock."""


@clock.command()
@where
@as_json
def show(data_dir: str | None, config_file: Path | None, json_: bool) -> None:
    """Show what time it is there."""
    _say(client.find(data_dir, config_file).control("GET", "clock"), json_)


@clock.command()
@where
@as_json
@click.argument("duration")
def advance(data_dir: str | None, config_file: Path | None, json_: bool, duration: str) -> None:
    """Jump forward by DURATION (25h, 90m, 30s, 7d) and run what falls due on the way."""
    try:
        parse_duration(duration)
    except ValueError as error:
        raise CliError(str(error), USAGE) from None
    _turn(data_dir, config_file, json_, {"advance": duration})


@clock.command()
@where
@as_json
def freeze(data_dir: str | None, config_file: Path | None, json_: bool) -> None:
    """Let time stand still."""
    _turn(data_dir, config_file, json_, {"freeze": True})


@clock.command()
@where
@as_json
def resume(data_dir: str | None, config_file: Path | None, json_: bool) -> None:
    """Let time run on from where it stood."""
    _turn(data_dir, config_file, json_, {"resume": True})


@clock.command()
@where
@as_json
@click.argument("factor", type=float)
def scale(data_dir: str | None, config_file: Path | None, json_: bool, factor: float) -> None:
    """Let time pass FACTOR times as fast."""
    _turn(data_dir, config_file, json_, {"scale": factor})


def _turn(data_dir: str | None, config_file: Path | None, json_: bool, body: Mapping[str, Any]) -> None:
    _say(client.find(data_dir, config_file).control("POST", "clock", body), json_)


def _say(state: Mapping[str, Any], json_: bool) -> None:
    if json_:
        click.echo(json.dumps(state))
        return
    how = (
        "frozen"
        if state["frozen"]
        else "running"
        if state["scale"] == 1
        else f"running {state['scale']:g} times as fast"
    )
    click.echo(f"{format_moment(state['now_ms'])} ({how})")
    for event in state.get("fired", ()):
        click.echo(f"  {format_moment(event['at_ms'])}  {_event(event)}")


def _event(event: Mapping[str, Any]) -> str:
    if event["kind"] == "review_decided":
        return f"review of {event['name']}: {event['state']}"
    if event["kind"] == "token_expired":
        return f"{event['type']} token for {event['name']} expired"
    return str(event["kind"])
