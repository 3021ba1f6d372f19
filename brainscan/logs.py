"""One log line per event, readable by people and machines."""

import logging

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware
from structlog.typing import Processor

SHARED_PROCESSORS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso"),
]


# Requests of waiting pages and of health checks, which are not worth a line.
ROUTINE_PATHS = ("/static/", "/metrics")
# A failing check is logged once, when its state changes, not with every request.
HEALTH = "/health/"


class RequestLog(RequestMiddleware):
    """Logs each request by method and path. The query stays out: people search for patients there."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Return method and path."""
        return f"{request.method} {request.path}"


class WithoutRoutine(logging.Filter):
    """Drops the lines that only fill the log: a request's start, health checks, a page asking how far it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to keep the record."""
        if record.name == "django.request" and isinstance(record.args, tuple) and record.args:
            return not str(record.args[-1]).startswith(HEALTH)
        event = record.msg if isinstance(record.msg, dict) else {}
        if event.get("event") == "request_started":
            return False
        if event.get("event") != "request_finished":
            return True
        path = str(event.get("request", "")).partition(" ")[2]
        if path.startswith(HEALTH):
            return False
        return event.get("code", 500) >= 400 or not (path.startswith(ROUTINE_PATHS) or path.endswith("/status/"))


def line_formatter() -> logging.Formatter:
    """Return the formatter of the console handler: `key=value` lines for every logger."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED_PROCESSORS,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], sort_keys=False),
        ],
    )


structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *SHARED_PROCESSORS,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
