"""polynym token, proof, signed-request: what a token is, how it dies, and what is signed with an app's secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from polynym.cli import client
from polynym.cli.options import as_json, where


@click.group()
def token() -> None:
    """Show a token, or let it die of something."""


@token.command()
@where
@as_json
@click.argument("token", metavar="TOKEN")
def show(data_dir: str | None, config_file: Path | None, json_: bool, token: str) -> None:
    """Show what TOKEN is, what it may do, how long, and what it is answered with if it is dead."""
    told = client.find(data_dir, config_file).control("POST", "tokens/show", {"token": token})
    click.echo(json.dumps(told, indent=2, ensure_ascii=False) if json_ else _shown(told))


@token.command()
@where
@as_json
@click.argument("token", metavar="TOKEN")
@click.option("--reason", required=True, help="expired, password_changed, deauthorized, checkpoint, ...")
def invalidate(data_dir: str | None, config_file: Path | None, json_: bool, token: str, reason: str) -> None:
    """Let TOKEN, and the page tokens derived from it, die of a reason."""
    body = {"token": token, "reason": reason}
    told = client.find(data_dir, config_file).control("POST", "tokens/invalidate", body)
    click.echo(json.dumps(told, ensure_ascii=False) if json_ else f"{told['died']} died: {_told(told['error'])}")


@click.command()
@where
@click.argument("token", metavar="TOKEN")
@click.option("--app", metavar="APP", help="The app whose secret is used: key, name or id. Default: the token's own.")
@click.option("--time", metavar="UNIX", help="An appsecret_time to make it with, in unix seconds.")
def proof(data_dir: str | None, config_file: Path | None, token: str, app: str | None, time: str | None) -> None:
    """Print the appsecret_proof of TOKEN."""
    body = {"token": token} | ({"app": app} if app else {}) | ({"time": time} if time else {})
    click.echo(client.find(data_dir, config_file).control("POST", "tokens/proof", body)["appsecret_proof"])


@click.command("signed-request")
@where
@click.option("--app", required=True, metavar="APP", help="Key, name or id.")
@click.option("--person", required=True, metavar="PERSON", help="Key, name, e-mail address or any id.")
def signed_request(data_dir: str | None, config_file: Path | None, app: str, person: str) -> None:
    """Print the signed_request that the platform posts to APP's deauthorize callback about PERSON."""
    told = client.find(data_dir, config_file).control("POST", "signed_requests", {"app": app, "person": person})
    click.echo(told["signed_request"])


def _shown(told: Mapping[str, Any]) -> str:
    lines = [
        ("state", "valid" if told["valid"] else f"dead: {_told(told['error'])}"),
        ("kind", told["kind"]),
        ("app", f"{told['app']['name']} ({told['app']['id']})"),
        ("me", told["me"] or "-"),
        ("scopes", ", ".join(told["scopes"]) or "-"),
        *(("limited", f"{name}: {', '.join(ids)}") for name, ids in told["targets"].items()),
        ("issued", told["issued"] or "-"),
        ("expires", told["expires"] or "never"),
        ("proof", told["proof"]),
    ]
    return "\n".join(f"{name:8} {text}" for name, text in lines)


def _told(error: Mapping[str, Any] | None) -> str:
    if error is None:
        return "nothing"
    subcode = f"/{error['error_subcode']}" if "error_subcode" in error else ""
    return f"({error['code']}{subcode}) {error['message']}"
