"""How much memory this process takes, and what a GPU has free less.

Knows the operating system and the driver.
"""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference import memory

# Seconds between two looks at a GPU's free memory.
LOOK = 0.02


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return _status("VmRSS") or peak()


def peak() -> int:
    """The most that it ever held. Linux also counts what its parent held before exec in getrusage, so not that."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _status("VmHWM") or (most if sys.platform == "darwin" else most * 1024)


def _status(name: str) -> int:
    """A line of Linux' own report on this process, in bytes; 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else 0


@dataclass(slots=True)
class Lowest:
    """What was free on the device at first, and the least since; None where nobody can tell."""

    first: int | None = None
    least: int = 0

    @property
    def taken(self) -> int | None:
        return None if self.first is None else self.first - self.least


@contextmanager
def device_memory(device: str) -> Iterator[Lowest]:
    """Looks at a GPU's free memory all the time while the block runs. Others on the same GPU are counted too."""
    lowest = Lowest()
    lowest.first = _gpu_free() if device != "cpu" else None
    if lowest.first is None:
        yield lowest
        return
    lowest.least = lowest.first
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK):
            lowest.least = min(lowest.least, _gpu_free() or lowest.least)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lowest
    finally:
        over.set()
        watcher.join()


def _gpu_free() -> int | None:
    return memory.unused("cuda") or None
