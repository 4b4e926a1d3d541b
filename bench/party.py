"""The parties: a server under wrk, or a loop that does the bare work in a process of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from bench import machine
from bench.measure import Sample

START_TIMEOUT_S = 120
CONNECTIONS = 32
_SEPARATOR = b"\x1e"
_offsets = itertools.count(0, 7919)


class Child:
    """A child process on the server's core that says READY when it is; ended when the `with` block ends."""

    def __init__(
        self, name: str, command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - lives as long as the child
        environ = {**os.environ, "NODE_ENV": "production", "PYTHONUNBUFFERED": "1", **(env or {})}
        with machine.pinned(machine.SERVER_CORE):
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd=cwd or machine.ROOT, env=environ, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            )  # fmt: skip
        self.ready = self.line("READY")

    @property
    def pid(self) -> int:
        """The process that does the work."""
        return self.process.pid

    def line(self, prefix: str) -> str:
        """What follows `prefix` on the next line of output that starts with it; RuntimeError when there is none."""
        assert self.process.stdout is not None
        alarm = threading.Timer(START_TIMEOUT_S, self.process.kill)
        alarm.start()
        try:
            for line in self.process.stdout:
                if line.startswith(prefix):
                    return line.removeprefix(prefix).strip()
        finally:
            alarm.cancel()
        self._log.seek(0)
        raise RuntimeError(f"{self.name} did not answer:\n{self._log.read()[-2000:]}")

    def tell(self, text: str) -> None:
        """One line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """End it, gently first."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Running(Protocol):
    """A started server: its name, its URL and the process to be charged."""

    name: str
    ready: str

    @property
    def pid(self) -> int:
        """The process that does the work."""


class Server:
    """A running HTTP server and the requests that wrk sends it. `units` is the work in one request."""

    def __init__(
        self,
        child: Running,
        requests: Sequence[bytes],
        *,
        name: str = "",
        connections: int = CONNECTIONS,
        units: int = 1,
    ) -> None:
        self.name = name or child.name
        self._child = child
        self._url = child.ready
        self._connections = connections
        self._units = units
        self._file = tempfile.NamedTemporaryFile(prefix="polynym-bench-")  # noqa: SIM115 - lives as long as we
        self._file.write(_SEPARATOR.join(requests))
        self._file.flush()

    def measure(self, seconds: float) -> Sample:
        """One run of wrk. RuntimeError when a single request was refused: a wrong answer is not worth measuring."""
        pid, core = self._child.pid, machine.SERVER_CORE
        used, busy = machine.cpu_s(pid), machine.busy_s(core)
        told = self._wrk(seconds)
        used, busy = max(machine.TICK_S, machine.cpu_s(pid) - used), machine.busy_s(core) - busy
        if told["failed"]:
            raise RuntimeError(f"{self.name}: {told['failed']} of {told['requests']} requests failed")
        # On a machine busy with other things a short round may end before its first answer.
        units = max(1, told["requests"]) * self._units
        return Sample(
            units / told["duration_us"] * 1e6, used / units * 1e6, told["p50_us"] / 1e3, told["p99_us"] / 1e3,
            foreign=max(0.0, busy - used) / (told["duration_us"] / 1e6),
        )  # fmt: skip

    def _wrk(self, seconds: float) -> dict[str, Any]:
        command = [
            "wrk", "-t1", f"-c{self._connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s",
            "-s", str(Path(__file__).parent / "wrk.lua"), self._url, "--", self._file.name, str(next(_offsets)),
        ]  # fmt: skip
        with machine.pinned(machine.LOAD_CORE):
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
        told: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
        return told


class Loop:
    """A process that does the bare work for as many seconds as it is told, and says how much it did."""

    def __init__(self, child: Child, *, units: int = 1) -> None:
        self.name = child.name
        self._child = child
        self._units = units

    def measure(self, seconds: float) -> Sample:
        """One turn of the loop."""
        core = machine.SERVER_CORE
        busy = machine.busy_s(core)
        self._child.tell(str(seconds))
        told = json.loads(self._child.line("DONE"))
        units = told["count"] * self._units
        foreign = max(0.0, machine.busy_s(core) - busy - told["cpu_s"]) / told["seconds"]
        return Sample(units / told["seconds"], told["cpu_s"] / units * 1e6, foreign=foreign)


def python(module: str, *arguments: str | Path) -> list[str | Path]:
    """The command that runs a module of this package with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def http_get(target: str, *headers: str) -> bytes:
    """A GET as it goes over the wire."""
    lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1:8484", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def http_post(target: str, body: bytes, *headers: str) -> bytes:
    """A form POST as it goes over the wire."""
    lines = [
        f"POST {target} HTTP/1.1", "Host: 127.0.0.1:8484", "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}", *headers,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
