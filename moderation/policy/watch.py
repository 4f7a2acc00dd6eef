"""A policy file that an operator may change while the house is running.

Knows when to look at it and what to do when it is broken: go on with what was right. Judges nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from moderation.errors import PolicyError
from moderation.policy.file import Policy, load

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds; an operator who saves a file and tries it out has not switched windows yet

Mark = tuple[int, int, int]  # inode, time of change, size: editors replace files or write into them


class Watched:
    """The policy of a file, read again when the file changed. The bundled one (`path` None) changes with the package
    alone, and so with a restart."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises PolicyError."""
        self._path = path
        self._clock = clock
        self._looked = clock()
        self._mark = _mark(path)
        self.policy = load(path)
        self._looking = threading.Lock()  # a slow look must not overwrite what a later one found
        self.trouble = ""  # why the file as it is now is not the policy; empty when it is

    async def current(self) -> Policy:
        """The policy to judge by now. Looks at the file no more than once a second, beside the loop."""
        if self._path is not None and self._clock() - self._looked >= LOOK_EVERY:
            self._looked = self._clock()  # before the look: who asks meanwhile goes on with what there is
            await asyncio.to_thread(self.look)
        return self.policy

    def look(self) -> None:
        """Reads the file if it is another one than before. Never raises: the reason is in `trouble` and in the log."""
        with self._looking:
            mark = _mark(self._path)
            if mark != self._mark:
                self._mark = mark
                self._read()

    def _read(self) -> None:
        try:
            policy = load(self._path)
        except PolicyError as error:
            self._keep(str(error))
        except Exception as error:
            self._keep(f"{self._path}: cannot be used: {error!r}")
        else:
            self.policy, self.trouble = policy, ""
            log.info("the policy changed: version %s now", policy.version)

    def _keep(self, reason: str) -> None:
        self.trouble = reason
        log.error("the changed policy is not used, version %s goes on:\n%s", self.policy.version, reason)


def _mark(path: Path | None) -> Mark | None:
    """None where there is no such file."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
