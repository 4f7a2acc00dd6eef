"""What is done now and then, whoever is talking: what was kept for a time is dropped when its time is over.

Knows how long things stay. What they are and where they lie is the store's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from bot.settings import EVERY_CHANNEL
from bot.store import Store, StoreUnavailable

log = structlog.get_logger(__name__)

DAY = 24 * 3600.0
HANDLED = 7 * DAY  # that a platform's event is known by its key: none brings one again after more than a day
FAILED = 30 * DAY  # that an event which could not be read is kept for people to look at
EVERY = 3600.0  # seconds between two looks: a text stays at most this much longer
AGAIN = 60.0  # seconds until the next look when the database was away


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """One per process; with several bots each of them does it, and the second finds nothing."""

    store: Store
    days: int  # that the text of a verdict is kept
    message_days: Mapping[str, int] = field(
        default_factory=dict
    )  # by channel, "*" for the others; none: for good
    clock: Callable[[], float] = time.time

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            wait = EVERY if await self.tidy() else AGAIN
            await asyncio.sleep(wait)

    async def tidy(self) -> bool:
        """Look once; False when the database was away."""
        now = self.clock()
        try:
            dropped = await self.store.clear_texts(before=now - self.days * DAY)
            await self._clear_messages(now)
            await self.store.clear_events(handled_before=now - HANDLED, failed_before=now - FAILED)
        except StoreUnavailable as error:
            log.warning("what is due could not be dropped yet", cause=str(error))
            return False
        if dropped:
            log.info("texts of verdicts were dropped", texts=dropped, older_than_days=self.days)
        return True

    async def _clear_messages(self, now: float) -> None:
        for channel in await self.store.channels() if self.message_days else ():
            days = self.message_days.get(channel, self.message_days.get(EVERY_CHANNEL))
            if days is None:
                continue
            cleared = await self.store.clear_messages(channel, before=now - days * DAY)
            if cleared:
                log.info("messages were dropped", channel=channel, messages=cleared, older_than_days=days)
