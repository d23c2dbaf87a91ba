"""Logging of our processes: one line an event, as JSON or for a terminal; the libraries' records go the same way."""

import logging
import logging.config
from typing import Any

import structlog

from ops.settings import LogSettings

CHATTY = ("aiokafka", "faust", "mode", "httpx")
"""Libraries whose `info` is about themselves."""


def configure(settings: LogSettings) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_standard_library(settings, shared))


def _standard_library(settings: LogSettings, shared: list[Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "oa": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "oa"}},
        "loggers": {name: {"level": "WARNING"} for name in CHATTY},
        "root": {"handlers": ["stderr"], "level": settings.level.upper()},
    }


def _rendering(settings: LogSettings) -> list[Any]:
    if settings.format == "console":
        # without the locals that rich would show: there are secrets among them
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
