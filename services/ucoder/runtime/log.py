"""The logs: structlog with dotted event names; run and brief come from contextvars. JSON, or text on a terminal."""

import logging
import sys
from typing import TextIO

import structlog

from ucoder.runtime.settings import Settings


def configure(settings: Settings, stream: TextIO = sys.stderr) -> None:
    """Configures structlog for this process. Records go to `stream`, so stdout holds the program's output alone."""
    console = settings.log_format == "console" or (settings.log_format == "auto" and stream.isatty())
    pretty = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    renderer: structlog.typing.Processor = pretty if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if console else [structlog.processors.format_exc_info]),  # without locals: they may hold secrets
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
