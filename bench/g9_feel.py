"""G9: how it feels: from the command to the first answer, what it takes while it waits, a simple read."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench import machine, peers
from bench.measure import ROUNDS, Result, at_most, interleave, ratio, spread
from bench.options import Options
from bench.party import Child, Server, http_get
from bench.world import VERSION

_POLYNYM = Path(sys.executable).with_name("polynym")
_URL = re.compile(r"http://(127\.0\.0\.1|localhost):(\d+)")
#: moto looks at the region and service in it, and at nothing else.
_AWS = "Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
_START_TIMEOUT_S = 60


def run(options: Options) -> Result:
    """The sandbox as a developer starts it, then the three servers side by side."""
    first: list[float] = []
    second: list[float] = []
    bare: list[float] = []
    # Once uncounted: it compiles the modules.
    with tempfile.TemporaryDirectory(prefix="polynym-bench-") as folder, Sandbox(folder) as sandbox:
        sandbox.first_answer()
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="polynym-bench-") as folder:
            for seconds in (first, second):
                started = time.perf_counter()
                with Sandbox(folder) as sandbox:
                    sandbox.first_answer()
                    seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        with machine.pinned(machine.SERVER_CORE):
            subprocess.run([sys.executable, "-c", "import asyncio, sqlite3, uvicorn"], check=True)
        bare.append(time.perf_counter() - started)
    result = _read(options)
    noise = spread(bare)
    result.figures += [
        at_most("first start to first answer", first, 0.6, "s", noise=noise),
        at_most("second start to first answer", second, 0.6, "s", noise=noise),
    ]
    result.notes.append(f"python -c 'import asyncio, sqlite3, uvicorn' alone: {sorted(bare)[ROUNDS // 2]:.2f} s")
    return result


def _read(options: Options) -> Result:
    command, folder = peers.node("json_server.mjs")
    with (
        tempfile.TemporaryDirectory(prefix="polynym-bench-") as data_dir,
        Sandbox(data_dir) as sandbox,
        Child("json-server", command, cwd=folder) as json_server,
        Child("moto", peers.moto()) as moto,
    ):
        sandbox.first_answer()
        idle_mb = machine.memory_mb(sandbox.pid)[0]
        env = sandbox.env()
        _fill_bucket(moto.ready)
        parties = [
            Server(json_server, [http_get(f"/pages/{page}") for page in range(1, 101)], name="json-server GET"),
            Server(sandbox, [_read_page(env)], name="polynym GET page"),
            Server(moto, [http_get("/bench/page", _AWS)], name="moto S3 GET"),
        ]
        samples = interleave(parties, seconds=options.seconds)
    result = Result("G9", "feel", "requests", samples)
    theirs, mine, motos = (samples[party.name] for party in parties)
    result.figures = [
        ratio("GET ÷ json-server", mine, theirs, 3, 3),
        ratio("GET ÷ moto", mine, motos, 25, 25),
        ratio("CPU of json-server ÷ CPU", theirs, mine, 3, 3, of=lambda sample: sample.cpu_us),
        ratio("CPU of moto ÷ CPU", motos, mine, 25, 25, of=lambda sample: sample.cpu_us),
        at_most("resident memory, idle", [idle_mb], 60, "MB"),
    ]
    return result


def _read_page(env: dict[str, str]) -> bytes:
    return http_get(f"/{VERSION}/{env['PAGE_ID']}?fields=name&access_token={env['PAGE_TOKEN']}")


def _fill_bucket(url: str) -> None:
    name, _, value = _AWS.partition(": ")
    for path, body in (("bench", b""), ("bench/page", b'{"id": "1", "name": "Page 1"}')):
        headers = {name: value, "Content-Type": "application/json"}
        request = urllib.request.Request(url + path, data=body, headers=headers, method="PUT")
        urllib.request.urlopen(request).close()


def _environment() -> dict[str, str]:
    """Ours, but compiled modules may be kept, as on a developer's machine, and no setting of polynym's."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("POLYNYM_")
    }


class Sandbox:
    """`polynym start` with the demo world, on the server's core; the first URL it prints is its own."""

    name = "polynym"

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir
        command = [str(_POLYNYM), "start", "--data-dir", data_dir, "--port", "auto"]
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - lives as long as we
        with machine.pinned(machine.SERVER_CORE):
            self._process = subprocess.Popen(
                command, text=True, stdout=subprocess.PIPE, stderr=self._log, env=_environment()
            )
        self.ready = self._url()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def _url(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _URL.search(line):
                return f"{found[0]}/"
        self._log.seek(0)
        raise RuntimeError(f"polynym start printed no URL:\n{self._log.read()[-2000:]}")

    def first_answer(self) -> None:
        """Return when the Graph answers: an error about the missing token is one."""
        host, _, port = self.ready.removeprefix("http://").rstrip("/").partition(":")
        until = time.perf_counter() + _START_TIMEOUT_S
        while True:
            connection = http.client.HTTPConnection(host, int(port), timeout=_START_TIMEOUT_S)
            try:
                connection.request("GET", f"/{VERSION}/me")
                json.load(connection.getresponse())
                return
            except ConnectionRefusedError:
                if time.perf_counter() > until:
                    raise
            finally:
                connection.close()

    def env(self) -> dict[str, str]:
        """What `polynym env` prints."""
        command = [str(_POLYNYM), "env", "--data-dir", self._data_dir, "--format", "json"]
        ran = subprocess.run(command, check=True, capture_output=True, text=True, env=_environment())
        found: dict[str, str] = json.loads(ran.stdout)
        return found

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
