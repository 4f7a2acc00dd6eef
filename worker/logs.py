"""The worker's log: one JSON object a line on standard error, with the correlation id of the answer it is about.

Knows structlog and the standard library's logging. Leaves what is logged to everybody else.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

import structlog

from worker.redaction import hidden


def set_up(level: str, *, secrets: Iterable[str] = ()) -> None:
    """Everything logged in this process from now on, Celery's and kombu's lines included, as JSON lines without the
    secrets that are given and without what looks like one."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                hidden(secrets),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("celery", "kombu"):
        # Their INFO is a line for every task, which ours tells better. A lost connection is a warning, and stays.
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def masked(url: str) -> str:
    """The URL without the password that it may hold."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}", query=""))
