"""Long polling: what has happened is fetched, all of it made safe, and only the next poll tells Telegram so.

Knows offsets, the pace of polls, and that one process polls at a time. Leaves one update to `inbox`, the lease to
`lease`, and what a failure means to `backoff`.

2026-12: no offset is kept. What was fetched and not confirmed before a crash comes again, and the house knows its key.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from bot.channels.base import Desk
from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.backoff import Backoff
from bot.channels.telegram.inbox import Inbox, number
from bot.channels.telegram.lease import Lease
from bot.channels.telegram.parsing import HANDLED
from bot.channels.telegram.places import CHANNEL
from bot.messages import Unavailable

log = structlog.get_logger(__name__)

LEASE: Final = "poller"  # who polls; its name on the shelf
WAITS = 25  # seconds that Telegram holds a poll open while there is nothing
HANGS = 15.0  # seconds more, then a poll is given up
APART = 0.55  # seconds between the beginnings of two polls, whatever comes back
AGAIN = 1.0  # seconds until the house is asked again to keep what it could not


@dataclass(slots=True, kw_only=True)
class Poller:
    """One per process; of all processes, one polls. `clock` counts seconds and only ever forward."""

    api: Api
    inbox: Inbox
    lease: Lease
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    backoff: Backoff = field(default_factory=lambda: Backoff(what="getUpdates"))
    _begun: float = -math.inf  # the last poll

    @classmethod
    def over(cls, api: Api, inbox: Inbox, desk: Desk) -> Poller:
        """The poller of a desk."""
        return cls(api=api, inbox=inbox, lease=Lease(shelf=desk.shelf(CHANNEL), name=LEASE, owner=desk.owner))

    async def run(self) -> None:
        """Poll whenever it is up to us, until cancelled."""
        await self.lease.run(self._lead)

    async def _lead(self) -> None:
        log.info("this process fetches what people write to Telegram")
        offset: int | None = None
        hooked = True  # perhaps: a webhook that is still set keeps everything from us
        while await self._may_go_on():
            try:
                if hooked:
                    await self.api.call("deleteWebhook", drop_pending_updates=False)
                    hooked = False
                updates = await self._polled(offset)
            except TelegramFailure as failure:
                await self.sleep(self.backoff.after(failure))
                continue
            self.backoff.over()
            offset = await self._kept(updates, offset)

    async def _may_go_on(self) -> bool:
        """Wait until a poll may begin; whether one may then."""
        await self.sleep(max(0.0, self._begun + APART - self.clock()))
        return self.lease.held

    async def _polled(self, offset: int | None) -> Sequence[Mapping[str, Any]]:
        """One poll. Raises TelegramFailure, whatever goes wrong with it."""
        self._begun = self.clock()
        try:
            async with asyncio.timeout(WAITS + HANGS):
                told = await self.api.updates(offset=offset, timeout=WAITS, allowed=HANDLED)
        except TimeoutError:
            raise TelegramFailure("timeout", method="getUpdates") from None
        except TelegramFailure:
            raise
        except Exception:
            log.exception("what Telegram told could not be read")
            raise TelegramFailure("unreadable", method="getUpdates") from None
        updates = [update for update in told if number(update) is not None]
        if told and not updates:
            raise TelegramFailure("unreadable", method="getUpdates")
        return updates

    async def _kept(self, updates: Sequence[Mapping[str, Any]], offset: int | None) -> int | None:
        """All of them are safe; the offset that confirms them."""
        for update in updates:
            await self._keep(update)
        numbers = [number(update) or 0 for update in updates]
        return max(numbers) + 1 if numbers else offset

    async def _keep(self, update: Mapping[str, Any]) -> None:
        """One is safe, once the house is there: however long that takes, or until our lease is lost."""
        while True:
            try:
                await self.inbox.take(update)
            except Unavailable as error:
                log.warning("an update could not be kept; it is tried again", cause=str(error))
                await self.sleep(AGAIN)
            else:
                return
