"""Loggers that load structlog with their first line.

structlog brings Rich and Pygments along for its coloured text. A server that has nothing to say starts a sixth faster and
smaller without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_set_up: list[Callable[[], None]] = []


def on_first_line(set_up: Callable[[], None]) -> None:
    """Call `set_up` before the next line is written, in place of an earlier one."""
    _set_up[:] = [set_up]


class Log:
    """A structured logger: an event, and what belongs to it as keywords."""

    def __init__(self, name: str) -> None:
        self._name = name

    def warning(self, event: str, **values: Any) -> None:
        """Something that an operator may want to look at."""
        self._logger().warning(event, **values)

    def exception(self, event: str, **values: Any) -> None:
        """A bug: the event with the traceback of the error being handled."""
        self._logger().exception(event, **values)

    def _logger(self) -> Any:
        import structlog

        while _set_up:
            _set_up.pop()()
        return structlog.get_logger(self._name)
