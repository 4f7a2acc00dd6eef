"""A source of drafts read ahead in a task of its own, so that a clock can end the waiting for the next one.

Knows how to end that task together with the block it was opened in. Leaves what is read to others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Sign = Literal["late", "ended"]


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncGenerator[None, None]:
    """Runs `work` beside the block and raises what it raises once both are done.

    Leaving early cancels the work and waits until it has ended; what it raises then has no reader any more
    and goes to the loop's exception handler. Not a TaskGroup: these blocks stand in generators, where a
    group would cancel whoever reads them.
    """
    task = asyncio.create_task(work)
    try:
        yield
        await task
    finally:
        task.cancel()
        await asyncio.wait({task})


class Source(Generic[T]):
    """What was read and not yet asked for. Read ahead without bound: an answer has an end."""

    def __init__(self) -> None:
        self._arrived: deque[T] = deque()
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    async def next(self, *, by: float | None) -> T | Sign:
        """The next item; "ended" after the last; "late" when none came `by` this time of the loop's clock."""
        if not self._arrived and not self._ended:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_at(by, self._wake) if by is not None else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer:
                    timer.cancel()
        if self._arrived:
            return self._arrived.popleft()
        return "ended" if self._ended else "late"

    async def read(self, items: AsyncGenerator[T, None]) -> None:
        """Reads `items` to their end and closes them, all in the calling task."""
        try:
            async with aclosing(items):
                async for item in items:
                    self._arrived.append(item)
                    self._wake()
        finally:
            self._ended = True
            self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


@asynccontextmanager
async def reading(items: AsyncGenerator[T, None]) -> AsyncGenerator[Source[T], None]:
    """Opens a source over `items`; leaving the block closes them, or raises the error they ended with."""
    source: Source[T] = Source()
    async with beside(source.read(items)):
        yield source
