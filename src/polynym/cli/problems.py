"""What ends a command: one clear line on stderr and an exit code."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
UNMET: Final = 4
INTERRUPTED: Final = 130


class CliError(Exception):
    """A command that cannot go on. The message is one line, or one line a problem."""

    def __init__(self, message: str, code: int = FAILURE) -> None:
        super().__init__(message)
        self.code = code
