"""How often someone may ask: token buckets by key, in this process's memory.

Knows keys and a clock. What a key stands for (an address, a session, an API key) is the caller's business.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

KEYS = 50_000  # buckets kept; the one unused for longest goes first, so that a flood of keys cannot fill the memory


class Limiter:
    """`burst` at once, then `rate` a second, for each key."""

    def __init__(self, *, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> (tokens, at)

    def take(self, key: str) -> float:
        """0.0 when `key` may go ahead (and one is taken), else the seconds until it may."""
        now = self._clock()
        tokens, at = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        while len(self._buckets) > KEYS:
            self._buckets.popitem(last=False)
        return wait
