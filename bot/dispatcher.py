"""Leases what is unanswered from SQL and sees each answer through: the first run and recovery are the same code.

Knows leases and channels' names; what an answer is stands in `bot/conversation.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog

from bot.answering import Postponed
from bot.bell import rung
from bot.channels.base import Channel
from bot.conversation import Conversation
from bot.messages import NotNow, Person, Place, Question
from bot.notices import notice
from bot.store import Lease, LeaseLost, Store, StoreUnavailable

log = structlog.get_logger(__name__)

LEASE_SECONDS = 15.0  # how long a dead bot's messages wait for another; renewed every third of it
POLL_SECONDS = 1.0  # a message that another replica took in, or a lease that ran out, is found within this
GRACE_SECONDS = 4.0  # for answers under way at the end; ten seconds are all that a service manager gives
AT_ONCE = 64  # answers in this process; more wait in SQL
POSTPONED_SECONDS = 2.0  # between two tries while the queue is away
SHOWINGS = 12  # tries of a channel to show one answer: about ten minutes
SHOWING_LONGEST = 60.0  # seconds between two of them
RESTING_LONGEST = 500.0  # seconds that a platform may ask for at once; one that asks for more is asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """One per process. `owner` names the process in the leases."""

    owner: str
    store: Store
    conversation: Conversation
    channels: Mapping[str, Channel]
    _carried: set[int] = field(default_factory=set)

    @asynccontextmanager
    async def answering(self) -> AsyncGenerator[asyncio.Task[None], None]:
        """Answer while the block lasts; yields the task that does it.

        At its end nothing new is begun, answers under way get a grace, and the rest is put back for the next start.
        """
        stopping = asyncio.Event()
        running = asyncio.create_task(self._run(stopping), name="answering")
        try:
            yield running
        finally:
            stopping.set()
            self.conversation.woken.set()
            try:
                await asyncio.wait({running}, timeout=GRACE_SECONDS)
            finally:  # also when we are told to hurry: what is under way is given back
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def _run(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                self.conversation.woken.clear()
                for lease in await self._lease():
                    self._carried.add(lease.inbox_id)
                    group.create_task(self._carry(lease), name=f"answer {lease.correlation}")
                if not stopping.is_set():
                    await rung(self.conversation.woken, within=POLL_SECONDS)

    async def _lease(self) -> list[Lease]:
        room = AT_ONCE - len(self._carried)
        if room <= 0:
            return []
        try:
            return await self.store.lease(owner=self.owner, ttl=LEASE_SECONDS, limit=room)
        except StoreUnavailable as error:
            log.warning("the database is away", cause=str(error))
            return []

    async def _carry(self, lease: Lease) -> None:
        """One answer from lease to end. Never raises but for cancellation: one answer's trouble is its own."""
        structlog.contextvars.bind_contextvars(correlation=lease.correlation)
        self.conversation.metrics.running.inc()
        try:
            if not await self._show_while_leased(lease):
                await self._postpone(lease)
        except LeaseLost:
            log.info("another process has taken the message over")
        except StoreUnavailable as error:
            log.warning(
                "the database went away under an answer; its lease runs out by itself", cause=str(error)
            )
        except asyncio.CancelledError:
            with suppress(StoreUnavailable, LeaseLost):
                await asyncio.shield(self.store.release(lease))
            raise
        except NotNow as asked:
            log.info("an answer waits for its platform", seconds=asked.seconds)
            with suppress(StoreUnavailable, LeaseLost):
                await self.store.release(lease, seconds=min(asked.seconds, RESTING_LONGEST))
        except Exception:
            log.exception("an answer could not be shown", attempt=lease.attempt)
            await self._show_later(lease)
        finally:
            self.conversation.metrics.running.dec()
            self._carried.discard(lease.inbox_id)
            self.conversation.woken.set()  # the next message of this place may go

    async def _show_while_leased(self, lease: Lease) -> bool:
        """Show the answer beside a task that renews the lease; losing the lease ends the answer. False: postponed."""
        showing = asyncio.ensure_future(self._show(lease))
        renewing = asyncio.ensure_future(self._renew(lease))
        try:
            done, _ = await asyncio.wait({showing, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if showing in done:
                showing.result()
            else:
                renewing.result()
        except Postponed:
            return False
        finally:
            for task in (showing, renewing):
                task.cancel()
            await asyncio.gather(showing, renewing, return_exceptions=True)
        return True

    async def _show(self, lease: Lease) -> None:
        channel = self.channels.get(lease.place.channel)
        delivers = channel is not None and channel.delivers
        async with aclosing(self.conversation.answer(lease, delivers=delivers)) as answer:
            if channel is None:  # its token was taken away since: the answer is kept, nobody watches
                async for _ in answer:
                    pass
            else:
                await channel.show(_question(lease), answer)
        if delivers or lease.ended:
            await self.store.delivered(lease)  # else another process does

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            try:
                if not await self.store.renew(lease, ttl=LEASE_SECONDS):
                    raise LeaseLost(f"message {lease.message_id}")
            except StoreUnavailable:
                log.warning("the lease could not be renewed yet")

    async def _postpone(self, lease: Lease) -> None:
        """Try again a little later."""
        await asyncio.sleep(POSTPONED_SECONDS)
        await self.store.release(lease)

    async def _show_later(self, lease: Lease) -> None:
        """Let a channel that could not show an answer try again, later each time, and in the end not at all."""
        with suppress(LeaseLost, StoreUnavailable):
            if lease.failures + 1 < SHOWINGS:
                pause = min(POSTPONED_SECONDS * 2**lease.failures, SHOWING_LONGEST)
                await self.store.release(lease, seconds=pause, failed=True)
            elif await self.store.delivered(lease):
                log.error("an answer was never brought to its reader", message_id=lease.message_id)
            else:
                await self._fail(lease)

    async def _fail(self, lease: Lease) -> None:
        """Close an answer that its channel cannot show, and let it say at least that."""
        channel = self.channels.get(lease.place.channel)
        delivers = channel is not None and channel.delivers
        await self.store.finish(
            lease,
            None,
            state="failed",
            finish_reason="error",
            notice=notice("failed", lease.place.language),
            delivered=not delivers,
        )
        await self.store.release(lease, failed=True)
        self.conversation.bell.ring(lease.place.id)


def _question(lease: Lease) -> Question:
    place = lease.place
    return Question(
        message_id=lease.message_id,
        key=lease.key,
        place=Place(place.channel, place.key, place.site),
        place_id=place.id,
        person=Person(place.channel, lease.person_key, language=place.language),
        attempt=lease.attempt,
    )
