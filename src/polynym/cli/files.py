"""Files: what commands read and write, and what a running server leaves in its data directory."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from polynym.cli.problems import CliError

SERVER_FILE: Final = "server.json"
KEY_FILE: Final = "admin-token"


def read_file(file: Path) -> bytes:
    """The bytes of a file, of stdin for `-`. Raises CliError."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CliError(f"cannot read {file}: {error.strerror}") from None


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file that holds secrets: aside, readable by its owner only, then moved into place. Raises CliError."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as opened:
            opened.write(content)
        aside.replace(file)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise CliError(f"cannot write {file}: {error.strerror}") from None


def left_behind(data_dir: Path) -> dict[str, Any] | None:
    """What the running server of a data directory left there: url and pid; None when it is not running."""
    try:
        left = json.loads((data_dir / SERVER_FILE).read_text())
        os.kill(int(left["pid"]), 0)
        return {"url": str(left["url"]), "pid": int(left["pid"])}
    except PermissionError:
        # Running, as somebody else; or a file that we may not read.
        return _readable(data_dir)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _readable(data_dir: Path) -> dict[str, Any] | None:
    try:
        left = json.loads((data_dir / SERVER_FILE).read_text())
        return {"url": str(left["url"]), "pid": int(left["pid"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
