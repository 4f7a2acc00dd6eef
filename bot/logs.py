"""Logs: JSON lines that carry one correlation id from the channel to the engine, and never a secret.

Knows where lines go. What must not be in them stands in `worker.redaction`, and what is worth a line is for those who
write it.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
from collections.abc import Generator, Iterable, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog

from worker.redaction import hidden

FILE = "frontdesk.log"
FILE_BYTES = 10 * 1024 * 1024  # then the file is rotated
FILES_KEPT = 5

Event = MutableMapping[str, Any]
Shown = Literal["human", "json", "none"]


@contextmanager
def logging_to(
    *,
    level: str = "info",
    file: Path | None = None,
    stderr: Shown = "json",
    stderr_level: str = "info",
    secrets: Iterable[str] = (),
) -> Generator[None, None, None]:
    """Set logging up, ours and the libraries', for as long as the block lasts.

    Lines are made where they are logged and written by a thread of their own, so a slow disk holds nobody up.
    `stderr` "human" is for a terminal. `secrets` are values that must never appear.
    """
    handlers = [_to_stderr(stderr, stderr_level)] if stderr != "none" else []
    if file is not None:
        handlers.append(_to_file(file))
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    entrance = _Entrance(lines)
    entrance.setFormatter(_formatter(secrets))
    writer = logging.handlers.QueueListener(lines, *handlers, respect_handler_level=True)
    root = logging.getLogger()
    before = (root.level, list(root.handlers), structlog.get_config())
    root.handlers = [entrance]
    root.setLevel(level.upper())
    _quieten()
    _configure_structlog()
    writer.start()
    try:
        yield
    finally:
        root.setLevel(before[0])
        root.handlers = before[1]
        structlog.configure(**before[2])
        writer.stop()
        for handler in handlers:
            handler.close()


class _Entrance(logging.handlers.QueueHandler):
    """Renders a record in the thread, and the context, that logged it."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        line = self.format(record)
        return logging.LogRecord(
            record.name, record.levelno, record.pathname, record.lineno, line, None, None
        )


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers are made at import, before this is set up
    )


def _formatter(secrets: Iterable[str]) -> logging.Formatter:
    libraries = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=libraries,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            stamped,
            hidden(secrets),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def stamped(_: object, __: str, event: Event) -> Event:
    """Add the time in UTC; a line that a child wrote keeps its own."""
    event.setdefault("timestamp", datetime.now(UTC).isoformat(timespec="milliseconds"))
    return event


def heard(name: str, line: str, *, plain: str = "warning") -> None:
    """Log a line that a child wrote: JSON as the event that it is, anything else as text of the level `plain`.

    A child of ours writes JSON, so plain text is a traceback or a native library's last words.
    """
    if not line.strip():
        return
    event = _event(line)
    level = logging.getLevelNamesMapping().get(str(event.pop("level", plain)).upper(), logging.INFO)
    event.pop("exc_info", None)
    message = str(event.pop("event", line))
    logger = str(event.pop("logger", name))
    structlog.get_logger(logger).log(level, message, **{**event, "child": name})


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return {str(key): value for key, value in event.items()} if isinstance(event, dict) else {"event": line}


def _to_file(path: Path) -> logging.Handler:
    return _PrivateFile(
        path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", errors="backslashreplace"
    )


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file that others cannot read: people's names may be in it."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        Path(self.baseFilename).chmod(0o600)
        return stream


def _to_stderr(shown: Shown, level: str) -> logging.Handler:
    stream: TextIO = sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setLevel(level.upper())
    if shown == "human":
        handler.setFormatter(_Human())
    return handler


class _Human(logging.Formatter):
    """One short line for people: time, level, what happened, and the facts."""

    LEFT_OUT = frozenset({"timestamp", "level", "event", "logger", "exception", "child"})

    def format(self, record: logging.LogRecord) -> str:
        event = json.loads(record.getMessage())
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        facts = "  ".join(f"{name}={value}" for name, value in event.items() if name not in self.LEFT_OUT)
        said = f"{at:%H:%M:%S} {event.get('level', '')!s:7} {event.get('event', '')}  {facts}".rstrip()
        return "".join(char if char.isprintable() else " " for char in said)


def _quieten() -> None:
    """Libraries that write a line per request say only what went wrong; httpx would write addresses with tokens."""
    for name in (
        "httpx",
        "httpcore",
        "aiohttp.access",
        "alembic",
        "asyncio",
        "telegram",
        "slack_bolt",
        "slack_sdk",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
