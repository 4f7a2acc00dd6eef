"""Gives what platforms delivered to their channels, from SQL: the first reading and those after a crash are one code.

Knows leases and pauses between tries. What an event means is its channel's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from bot.bell import rung
from bot.messages import KeptEvent, Unreadable
from bot.store import Store, StoreUnavailable

log = structlog.get_logger(__name__)

Handler = Callable[[KeptEvent], Awaitable[None]]

LEASE_SECONDS = 15.0  # how long a dead bot's events wait for another; renewed every third of it
POLL_SECONDS = 1.0  # an event that another replica kept, or that is due again, is found within this
AT_ONCE = 256  # events read in this process at the same time; most of them wait for the platform
TRIES = 8  # failures of one event; then it is left out
ATTEMPTS = 50  # to read one event, ended by a crash or not: it may be what kills the process
FIRST_PAUSE = 1.0  # seconds after the first failure; doubles up to the longest
LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """One channel's. `owner` names this process in the leases."""

    channel: str
    owner: str
    store: Store
    woken: asyncio.Event = field(default_factory=asyncio.Event)  # set when an event was kept
    _reading: set[int] = field(default_factory=set)

    async def run(self, handler: Handler) -> None:
        """Give every kept event to `handler` until cancelled. What is under way then is another start's."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold(), name=f"{self.channel}: hold events")
            while True:
                self.woken.clear()
                for event in await self._take():
                    self._reading.add(event.id)
                    group.create_task(self._read(event, handler), name=f"{self.channel}: event {event.id}")
                await rung(self.woken, within=POLL_SECONDS)

    async def _take(self) -> list[KeptEvent]:
        room = AT_ONCE - len(self._reading)
        if room <= 0:
            return []
        try:
            return await self.store.take_events(self.channel, owner=self.owner, ttl=LEASE_SECONDS, limit=room)
        except StoreUnavailable as error:
            log.warning("the database is away", cause=str(error))
            return []

    async def _hold(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            if self._reading:
                with suppress(StoreUnavailable):
                    await self.store.hold_events(list(self._reading), owner=self.owner, ttl=LEASE_SECONDS)

    async def _read(self, event: KeptEvent, handler: Handler) -> None:
        """One event. Never raises but for cancellation: one event's trouble is its own."""
        try:
            await self._handled(event, handler)
        except StoreUnavailable as error:
            log.warning("the database went away under an event; its lease runs out", cause=str(error))
        except asyncio.CancelledError:
            with suppress(StoreUnavailable):
                await asyncio.shield(self.store.put_event_back(event.id, owner=self.owner))
            raise
        finally:
            self._reading.discard(event.id)
            self.woken.set()  # the next of its lane may be read

    async def _handled(self, event: KeptEvent, handler: Handler) -> None:
        if event.attempt > ATTEMPTS:
            log.error("an event was begun too often and is left out", channel=self.channel, key=event.key)
            await self.store.give_up_event(event.id, owner=self.owner)
            return
        try:
            await handler(event)
        except StoreUnavailable:
            raise
        except Unreadable as error:
            log.warning(
                "an event is unreadable and left out", channel=self.channel, key=event.key, cause=str(error)
            )
            await self.store.give_up_event(event.id, owner=self.owner)
        except Exception:
            if event.failures + 1 >= TRIES:
                log.exception("an event cannot be read and is left out", channel=self.channel, key=event.key)
                await self.store.give_up_event(event.id, owner=self.owner)
                return
            pause = min(FIRST_PAUSE * 2**event.failures, LONGEST_PAUSE)
            log.warning("an event is read again later", channel=self.channel, seconds=pause, exc_info=True)
            await self.store.postpone_event(event.id, owner=self.owner, seconds=pause)
        else:
            await self.store.event_handled(event.id, owner=self.owner)
