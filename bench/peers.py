"""The peers: installed once into the cache directory, by package name, never into the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from bench import machine

SERVERS = Path(__file__).parent / "servers"
#: Major versions are fixed, so that figures of different days compare the same thing.
NODE_PACKAGES = ("oidc-provider@9", "json-server@0.17")
MOTO = "moto[s3,server]==5.*"


class MissingError(Exception):
    """Something that a bench needs is not here and cannot be installed; the message says what to do."""


def wrk() -> None:
    """Make sure that the load generator is there."""
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _say("installing wrk")
        _run("apt-get", "install", "-y", "-qq", "wrk")
    if not shutil.which("wrk"):
        raise MissingError("the benches need wrk: apt-get install wrk")


def node(script: str) -> tuple[list[str | Path], Path]:
    """The command and the directory that run one of our scripts against the npm peers."""
    if not shutil.which("npm"):
        raise MissingError("this bench needs node and npm for its peers")
    folder = machine.cache_dir() / "node"
    if not (folder / ".installed").exists() or (folder / ".installed").read_text() != " ".join(NODE_PACKAGES):
        _say(f"installing {', '.join(NODE_PACKAGES)}")
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
        _run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *NODE_PACKAGES, cwd=folder)
        (folder / ".installed").write_text(" ".join(NODE_PACKAGES))
    # Node looks for packages beside the script.
    shutil.copy(SERVERS / script, folder / script)
    return ["node", script], folder


def moto() -> list[str | Path]:
    """The command that runs moto's server in an environment of its own."""
    folder = machine.cache_dir() / "moto"
    interpreter = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        _say(f"installing {MOTO}")
        venv.create(folder, with_pip=True, clear=True)
        _run(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MOTO)
        (folder / ".installed").touch()
    return [interpreter, SERVERS / "moto_app.py"]


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    try:
        subprocess.run([str(part) for part in command], check=True, cwd=cwd, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingError(f"{command[0]} failed: {getattr(error, 'stderr', error)}") from error
