"""When and how fast a worker process ends: by a signal, with its parent, or retired, once nobody needs its model.

Knows signals, the parent's pipe and the time that is given. What runs meanwhile is `serve`'s.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

import structlog
from celery.worker import state as celery_state

from worker.telling import Live

log = structlog.get_logger(__name__)

# At the end: answers under way get GRACE seconds, then they are handed back; LAST is when the process ends whatever
# hangs, a prefill that cannot be cut short or a server that does not answer. Service managers give ten seconds.
GRACE = 3.0
LAST = 8.0

LOOK = 0.1  # seconds


@dataclass(slots=True)
class Ending:
    """Signals come to the main thread, which Celery's loop keeps. `idle` tells whether neither the queue nor the
    engine has anything for this process."""

    live: Live | None = None
    idle: Callable[[], bool] = lambda: True
    changed: Callable[[], None] = lambda: None
    asked: threading.Event = field(default_factory=threading.Event)
    retiring: bool = False
    grace: float = GRACE

    def watch(self, parent_pipe: int | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if parent_pipe is not None:
            threading.Thread(
                target=self._watch_parent, args=(parent_pipe,), name="parent", daemon=True
            ).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.asked.is_set():
            self.asked.set()
            # Celery's own loop looks at it, stops taking, and lets what runs come to its end.
            vars(celery_state)["should_stop"] = 0
            threading.Thread(target=self._hurry, name="ending", daemon=True).start()

    def _watch_parent(self, pipe: int) -> None:
        try:
            with open(pipe, "rb", closefd=False) as orders:
                for order in orders:
                    self._obey(order)
        except OSError as error:
            log.warning("the parent's pipe cannot be read", cause=str(error))
            return
        log.warning("the parent is gone")
        self.grace = 0.0  # nobody is left to read the answers; they are in SQL and begin anew
        os.kill(os.getpid(), signal.SIGTERM)

    def _obey(self, order: bytes) -> None:
        word, _, quiet = order.decode().partition(" ")
        self.retiring = word == "retire"
        log.info("worker retiring" if self.retiring else "worker staying")
        if self.retiring:
            threading.Thread(target=self._retire, args=(float(quiet),), name="retiring", daemon=True).start()
        self.changed()

    def _retire(self, quiet: float) -> None:
        """Answers under way, and those that wait for this model, are seen through, however long that takes."""
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + quiet:
            time.sleep(LOOK)
            if not self.retiring:
                return
            if not self.idle():
                quiet_since = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)

    def _hurry(self) -> None:
        began = time.monotonic()
        log.info("worker ending")
        while self.live and len(self.live) and time.monotonic() < began + self.grace:
            time.sleep(0.02)
        if self.live is not None:
            handed_back = self.live.hand_back()
            if handed_back:
                log.info("answers are handed back", answers=handed_back)
        time.sleep(max(0.0, began + LAST - time.monotonic()))
        log.error("the worker did not come to its end in time")
        # Not sys.exit: that would wait for the threads that hang, and a loaded Generator aborts the interpreter's end.
        os._exit(0)
