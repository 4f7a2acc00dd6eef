"""How many CPU cores each running cohort computes on: all of them for one alone, a share for each of several.

Knows OpenMP's own interface. CTranslate2 fixes the number for each replica when a model is loaded; what it computes
with follows the calling thread's setting, which can be changed from within the callback, in that very thread.
"""

import ctypes
import os
import threading
from pathlib import Path


class Threads:
    """Counts the running cohorts, and sets the share from inside their decoding loops."""

    def __init__(self, cores: int, *, fixed: bool = False) -> None:
        """`fixed`: never change anything; so does a machine whose OpenMP library cannot be found."""
        self._cores = cores
        self._running = 0
        self._lock = threading.Lock()
        self._openmp = None if fixed or cores < 2 else _openmp()
        self.share = cores

    def enter(self) -> None:
        self._count(1)

    def leave(self) -> None:
        self._count(-1)

    def apply(self, share: int) -> None:
        """Compute on so many cores in this thread from the next step on."""
        if self._openmp is not None:
            self._openmp.omp_set_num_threads(share)

    def _count(self, more: int) -> None:
        with self._lock:
            self._running += more
            self.share = max(1, self._cores // max(1, self._running))


def cores() -> int:
    """Those we may use, fewer than there are in a limited container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _openmp() -> ctypes.PyDLL | None:
    """The OpenMP library that CTranslate2 has loaded, where the system tells which it is."""
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        return None
    loaded = {line.split()[-1] for line in maps.read_text().splitlines() if "ctranslate2.libs/lib" in line}
    for path in sorted(loaded):
        if Path(path).name.startswith(("libgomp", "libiomp5", "libomp")):
            return ctypes.PyDLL(path)
    return None
