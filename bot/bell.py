"""Tells those who watch a place, in this process, that there is something new to read in SQL.

Carries no content: a watcher reads from the store, so a slow one costs no memory and a missed ring no text.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """One per process; belongs to the event loop."""

    def __init__(self) -> None:
        self._watchers: defaultdict[int, set[asyncio.Event]] = defaultdict(set)

    def ring(self, place_id: int) -> None:
        """Wake everyone who watches the place."""
        for event in self._watchers.get(place_id, ()):
            event.set()

    @contextmanager
    def listen(self, place_id: int) -> Iterator[asyncio.Event]:
        """An event that is set at each ring; clear it before reading, so that no ring is lost."""
        event = asyncio.Event()
        self._watchers[place_id].add(event)
        try:
            yield event
        finally:
            self._watchers[place_id].discard(event)
            if not self._watchers[place_id]:
                del self._watchers[place_id]


async def rung(event: asyncio.Event, *, within: float) -> bool:
    """Wait for a ring for at most `within` seconds; False when none came."""
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True
