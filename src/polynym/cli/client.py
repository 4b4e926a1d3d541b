"""Client: finds the running server and calls it.

`POLYNYM_URL` (with `POLYNYM_ADMIN_TOKEN`) wins; else the data directory, where a running server leaves its address in
`server.json` and its key in `admin-token`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

# The one caller outside core: it talks to our own server.
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener  # noqa: TID251

from polynym.cli.files import KEY_FILE, left_behind
from polynym.cli.options import settings
from polynym.cli.problems import FAILURE, UNREACHABLE, USAGE, CliError

TIMEOUT_S: Final = 60
PREFIX: Final = "/_polynym/v1"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the key of its control plane."""

    url: str
    key: str | None = field(repr=False)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Any request; an error status is a reply too. Raises CliError when nobody answers."""
        made = Request(self.url + path, body, dict(headers or {}), method=method)  # noqa: S310
        # Our server is never behind the proxy that the environment names for the outside.
        opener = build_opener(ProxyHandler({}), _NoRedirect)
        try:
            with opener.open(made, timeout=TIMEOUT_S) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise CliError(f"{self.url} does not answer: {reason}", UNREACHABLE) from None

    def control(self, method: str, call: str, body: Any = None, **query: str | None) -> Any:
        """A call of the control plane: the decoded answer. `body` is bytes or becomes JSON. Raises CliError."""
        return self.control_raw(method, call, body, **query).json()

    def control_raw(self, method: str, call: str, body: Any = None, **query: str | None) -> Reply:
        """The same, undecoded."""
        given = urlencode({name: value for name, value in query.items() if value is not None})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key or ''}", "Content-Type": "application/json"}
        reply = self.request(method, f"{PREFIX}/{call}" + (f"?{given}" if given else ""), data, headers)
        if reply.status >= 400:  # noqa: PLR2004 - the first status of errors
            raise CliError(_message(reply), FAILURE)
        return reply


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        return None


def _message(reply: Reply) -> str:
    """One line of an error answer, or one line a problem of a world file."""
    try:
        error = reply.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"the server answered {reply.status}: {reply.body[:200].decode(errors='replace')}"
    if error.get("problems"):
        return "\n".join(_problem(each) for each in error["problems"])
    hint = f" ({error['hint']})" if error.get("hint") else ""
    return f"{error.get('message')}{hint}"


def _problem(problem: Mapping[str, Any]) -> str:
    place = ":".join(str(problem[name]) for name in ("file", "line") if problem[name])
    return ": ".join(part for part in (place, problem["path"], problem["message"]) if part)


def find(data_dir: str | None = None, config_file: Path | None = None) -> Server:
    """The server that commands are about. Raises CliError: no server is running, or its key cannot be read."""
    config = settings(config_file, {"data_dir": data_dir})
    given = os.environ.get("POLYNYM_URL") if data_dir is None else None
    if given:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CliError(f"POLYNYM_URL must be http://host[:port], not {given!r}", USAGE)
        return Server(given.rstrip("/"), config.admin_token or _key(config.data_dir, must=False))
    left = left_behind(config.data_dir)
    if left is None:
        raise CliError(f"no server is running with {config.data_dir} (start one: polynym start)", UNREACHABLE)
    return Server(left["url"], config.admin_token or _key(config.data_dir, must=True))


def _key(data_dir: Path, *, must: bool) -> str | None:
    try:
        return (data_dir / KEY_FILE).read_text().strip()
    except OSError as error:
        if must:
            raise CliError(f"cannot read the key of the control plane: {error}") from None
        return None
