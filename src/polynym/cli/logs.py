"""Logs: to stderr, as text on a terminal and as JSON elsewhere. Stdout belongs to what a command answers."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

from polynym.core.config import Config
from polynym.core.log import on_first_line

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(config: Config) -> None:
    """Make every logger of this process write where and how the settings say."""
    level = _LEVELS[config.log_level]
    on_first_line(lambda: _set_up_structlog(config, level))
    logging.basicConfig(
        stream=sys.stderr, level=max(level, logging.WARNING), format="%(levelname)s %(name)s: %(message)s"
    )


def _set_up_structlog(config: Config, level: int) -> None:
    import structlog

    as_text = config.log_format == "text" or (config.log_format == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
