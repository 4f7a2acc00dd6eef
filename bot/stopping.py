"""How a process is asked to end, and how long it may take: signals become requests, and requests have an end.

Knows signals and time. What is ended is the caller's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

log = structlog.get_logger(__name__)

# Seconds after SIGTERM; everything is to be gone within 10. The bot gives answers under way 4 s and closes in one more.
ENDS_WITHIN = 6.5
GIVEN_UP = 9.5
ONE_PRESS = 0.5  # signals closer together than this are one request: a closing terminal sends several


@dataclass(frozen=True, slots=True)
class Stop:
    """What the operator asked for by signals: `asked` to end, and then to `hurry`."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)


async def until_stopped(work: Coroutine[Any, Any, None], *, stop: Stop) -> None:
    """Run `work` until it ends by itself or is asked to: cancelled once then, and once more to hurry it."""
    working: asyncio.Future[Any] = asyncio.ensure_future(work)
    asked: asyncio.Future[Any] = asyncio.ensure_future(stop.asked.wait())
    try:
        await asyncio.wait((working, asked), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            log.info("stopping")
            working.cancel()
            await _hurried(working, stop=stop)
        if not working.cancelled():
            working.result()
    finally:
        asked.cancel()


async def _hurried(working: asyncio.Future[Any], *, stop: Stop) -> None:
    hurry: asyncio.Future[Any] = asyncio.ensure_future(stop.hurry.wait())
    await asyncio.wait((working, hurry), timeout=ENDS_WITHIN, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})


def watchdog() -> None:
    """If even the end gets stuck: leave. The kernel and the pipes end the children with us."""
    timer = threading.Timer(GIVEN_UP, os._exit, (1,))
    timer.daemon = True
    timer.start()


@contextmanager
def stop_signals(*, first: Callable[[], None] = lambda: None) -> Generator[Stop, None, None]:
    """SIGTERM, SIGINT and SIGHUP become requests for as long as the block lasts; the first one also calls `first`."""
    loop = asyncio.get_running_loop()
    stop, pressed = Stop(), [0.0]

    def asked() -> None:
        if not stop.asked.is_set():
            pressed[0] = loop.time()
            stop.asked.set()
            first()
        elif loop.time() - pressed[0] > ONE_PRESS:
            stop.hurry.set()

    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else it was started with nohup
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, asked)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
