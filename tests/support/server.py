"""A whole sandbox as its users run it: `polynym start` in a process of its own, on a free port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

POLYNYM = Path(sys.executable).with_name("polynym")
STOP_TIMEOUT_S = 30


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox."""

    url: str
    key: str
    process: subprocess.Popen[str]

    def env(self, **query: str) -> dict[str, str]:
        """What `polynym env` prints."""
        found: dict[str, str] = self.control("GET", "env?" + urlencode(query))
        return found

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call of the control plane; raises on anything but success."""
        request = Request(
            f"{self.url}/_polynym/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urlopen(request) as reply:
            return json.loads(reply.read())


@contextmanager
def sandbox(data_dir: Path, database_url: str | None = None, *options: str) -> Iterator[Sandbox]:
    """Start a sandbox with the demo world, and stop it as Ctrl-C would; a start that fails fails the test."""
    command = [str(POLYNYM), "start", "--port", "auto", "--data-dir", str(data_dir), *options]
    if database_url is not None:
        command += ["--database", database_url]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLYNYM_")}
    errors = data_dir / "stderr.txt"
    data_dir.mkdir(parents=True, exist_ok=True)
    with errors.open("w") as log, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=data_dir
    ) as process:  # fmt: skip
        assert process.stdout is not None
        url = next((line.strip() for line in process.stdout if line.startswith("http://")), "")
        assert url, f"polynym start ended: {errors.read_text()}"
        try:
            yield Sandbox(url, (data_dir / "admin-token").read_text().strip(), process)
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)
