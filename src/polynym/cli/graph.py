"""polynym graph: a call of the Graph API with token and proof filled in."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import click

from polynym.cli import client
from polynym.cli.client import Server
from polynym.cli.options import where
from polynym.cli.problems import FAILURE, USAGE, CliError
from polynym.wire.signatures import appsecret_proof

_ERROR_STATUS: Final = 400


@click.command()
@where
@click.argument("method", type=click.Choice(["GET", "POST", "DELETE"], case_sensitive=False))
@click.argument("path")
@click.option("--as", "as_", metavar="KIND:NAME", help="page:NAME, app:NAME or user:NAME; whose token is used.")
@click.option("--app", help="The app through which a page or user token is issued.")
@click.option("-F", "--field", "fields", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated.")
@click.option("--json", "json_", is_flag=True, help="Print the answer as it came.")
def graph(
    data_dir: str | None,
    config_file: Path | None,
    method: str,
    path: str,
    as_: str | None,
    app: str | None,
    fields: Sequence[str],
    json_: bool,
) -> None:
    """Call the Graph API, for example: polynym graph GET /me?fields=id,name --as page:thing"""
    server = client.find(data_dir, config_file)
    params = dict(_pair(field) for field in fields)
    if as_ is not None:
        params = _token(server, as_, app) | params
    reply = _call(server, method.upper(), "/" + path.lstrip("/"), params)
    text = reply.body.decode(errors="replace")
    answer = _parsed(text)
    click.echo(text if json_ or answer is None or not sys.stdout.isatty() else _pretty(answer))
    if reply.status >= _ERROR_STATUS or (isinstance(answer, dict) and "error" in answer):
        raise click.exceptions.Exit(FAILURE)


def _pair(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    if not name or not equals:
        raise CliError(f"-F takes NAME=VALUE, not {field!r}", USAGE)
    return name, value


def _token(server: Server, as_: str, app: str | None) -> dict[str, str]:
    """access_token and appsecret_proof of whoever is named."""
    kind, colon, name = as_.partition(":")
    if not colon or not name or kind not in ("page", "app", "user"):
        raise CliError(f"--as takes page:NAME, app:NAME or user:NAME, not {as_!r}", USAGE)
    wanted = {"app": name} if kind == "app" else {"app": app, "page": name if kind == "page" else None}
    env = server.control("GET", "env", **wanted)
    if kind == "user":
        login = server.control("POST", "acts/log_in", {"person": name, "app": env["APP_ID"]})
        token = login["user_token"]
    else:
        token = env["PAGE_TOKEN" if kind == "page" else "APP_TOKEN"]
    if not token:
        raise CliError(f"there is no token for {as_}: nobody manages that page")
    return {"access_token": token, "appsecret_proof": appsecret_proof(token, env["APP_SECRET"])}


def _call(server: Server, method: str, path: str, params: dict[str, str]) -> client.Reply:
    encoded = urlencode(params)
    if method == "POST":
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return server.request(method, path, encoded.encode(), headers)
    joined = path + ("&" if "?" in path else "?") + encoded if encoded else path
    return server.request(method, joined)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pretty(answer: Any) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False)
