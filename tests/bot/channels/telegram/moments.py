"""Time that passes when a test says so: a clock, and sleepers that it wakes in order."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

SETTLES = 50  # rounds of the loop after which everybody who was woken sleeps again


@dataclass
class Moments:
    """`clock` and `sleep` are for what is tested; `pass_` is for the test."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)
    _asleep: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asleep, (self.now + seconds, next(self._numbers), woken))
        await woken

    async def pass_(self, seconds: float) -> None:
        """Let so many seconds pass."""
        end = self.now + seconds
        await self._settle()
        while self._asleep and self._asleep[0][0] <= end:
            at, _, woken = heapq.heappop(self._asleep)
            self.now = max(self.now, at)
            if not woken.done():
                woken.set_result(None)
            await self._settle()
        self.now = end

    async def _settle(self) -> None:
        for _ in range(SETTLES):
            await asyncio.sleep(0)
