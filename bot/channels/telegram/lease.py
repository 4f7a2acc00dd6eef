"""Work that only one process may do at a time, of all that share a database.

Knows when the work may go on. Leaves what it is to its owner, and the name to the house's shelf.

2026-12: whether the lease is still ours is told by our own clock, counted from before the question was sent. A database
that is away tells nobody that its lease is over; and another process, which still reaches it, must not begin before we
have stopped.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from bot.channels.base import Shelf
from bot.messages import Unavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """In seconds. `margin`: two machines' clocks differ a little, and stopping takes a moment."""

    lasts: float = 10.0  # how long a dead process's work waits for another
    margin: float = 2.5
    renewed: float = 2.5  # while held
    tried: float = 1.0  # while another holds it
    released: float = 2.0  # at most, at the end: it runs out anyway


@dataclass(slots=True, kw_only=True)
class Lease:
    """One name, as one process asks for it. `clock` counts seconds and only ever forward."""

    shelf: Shelf
    name: str
    owner: str
    terms: Terms = Terms()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _until: float = -math.inf

    @property
    def held(self) -> bool:
        """Whether the work may go on."""
        return self.clock() < self._until

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do the work whenever the name is ours, and no longer than that, until cancelled; what ends is begun anew.

        What the work raises ends this, and the name is given back.
        """
        while True:
            try:
                await self._win()
                await self._do(work)
            finally:
                await self._release()

    async def _win(self) -> None:
        if await self._claimed(within=self._good_for):
            return
        log.info("standing by: another process is at it, or the database is away", lease=self.name)
        await self.sleep(self.terms.tried)
        while not await self._claimed(within=self._good_for):
            await self.sleep(self.terms.tried)

    async def _do(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            both = [
                group.create_task(work(), name=f"{self.name}: work"),
                group.create_task(self._renew(), name=f"{self.name}: lease"),
            ]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()

    async def _renew(self) -> None:
        """Hold the name; returns when it is ours no longer."""
        while (left := self._until - self.clock()) > 0:
            await self.sleep(min(self.terms.renewed, left))
            await self._claimed(within=self._until - self.clock())
        log.warning("the lease is lost: another process has it, or the database is away", lease=self.name)

    @property
    def _good_for(self) -> float:
        return self.terms.lasts - self.terms.margin

    async def _claimed(self, *, within: float) -> bool:
        """Ask for the name. That no answer came changes nothing: what was promised before still holds."""
        asked = self.clock()
        try:
            async with asyncio.timeout(within):
                claimed = await self.shelf.claim(self.name, self.owner, seconds=self.terms.lasts)
        except (Unavailable, TimeoutError):
            return False
        self._until = asked + self._good_for if claimed else -math.inf
        return self.held

    async def _release(self) -> None:
        self._until = -math.inf
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(self.terms.released):
                await self.shelf.release(self.name, self.owner)
