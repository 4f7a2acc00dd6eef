"""The updates that wait for our bot: numbered one by one, asked for by getUpdates or sent to its webhook.

Knows which kinds the bot asked for, and that earlier ones come first until they are confirmed. Leaves the way to a
webhook to `delivery`.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiogram import types

from tests.telegram_double.answers import Asked, Refused, method

Update = dict[str, Any]
KINDS = frozenset(types.Update.model_fields) - {"update_id"}

# What comes only to a bot that asks for it by name.
ON_DEMAND = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
MOST = 100  # updates in one answer
LONGEST = 50  # seconds that a poll waits at most
TERMINATED = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
WEBHOOK_IS_SET = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


@dataclass(kw_only=True)
class Updates:
    """`told`: every update that there was, wanted or not; `pending`: those not confirmed yet, earliest first."""

    webhook: Callable[[], bool]  # whether one is set
    told: list[Update] = field(default_factory=list)
    pending: list[Update] = field(default_factory=list)
    allowed: tuple[str, ...] = ()
    polls: list[float] = field(default_factory=list)
    held: list[Update] | None = None
    reversing: int = 0  # how many updates are held back to come in the other order
    again: list[Update] = field(default_factory=list)  # come once more although confirmed
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(700_000_001))
    _untold: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _poller: object = None
    _thread: int = field(default_factory=threading.get_ident)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def wants(self, kind: str) -> bool:
        return kind in self.allowed if self.allowed else kind not in ON_DEMAND

    def add(self, kind: str, content: dict[str, Any]) -> Update:
        """Something happened: tell the bot if it wants to know. What it is not told leaves no gap in the numbers."""
        wanted = self.wants(kind)
        update = {"update_id": next(self._numbers if wanted else self._untold), kind: content}
        self.told.append(update)
        if wanted:
            self.put(update)
        return update

    def put(self, update: Update) -> None:
        """An update on its way, as it is; numbered if it has no number."""
        if self.held is not None:
            self.held.append(update)
        else:
            self.pending.append(update)
            self.ring()
        if self.held is not None and self.reversing and len(self.held) >= self.reversing:
            late, self.held, self.reversing = self.held[::-1], None, 0
            self.pending += late
            self.ring()

    def number(self) -> int:
        return next(self._numbers)

    def repeat(self, update_id: int) -> None:
        """The same update comes once more."""
        self.again.append(next(update for update in self.told if update.get("update_id") == update_id))
        self.ring()

    def confirm(self, update: Update) -> None:
        """It arrived: by a webhook."""
        if update in self.pending:
            self.pending.remove(update)

    def ring(self) -> None:
        """There may be something new; also from another thread."""
        if threading.get_ident() == self._thread:
            self._bell.set()
        else:
            self._loop.call_soon_threadsafe(self._bell.set)

    async def something(self) -> None:
        """Wait until there may be something new."""
        self._bell.clear()
        await self._bell.wait()

    async def poll(self, *, offset: int, limit: int, timeout: int) -> Sequence[Update]:  # noqa: ASYNC109 (Telegram's word)
        """The earliest updates that are not confirmed; waits for one. Raises Refused when another poll comes."""
        self._poller = mine = object()
        self.ring()
        self._forget(offset)
        try:
            async with asyncio.timeout(timeout):
                while not (self.pending or self.again):
                    await self.something()
                    self._alone(mine)
        except TimeoutError:
            pass
        self._alone(mine)
        repeated, self.again = self.again[:limit], self.again[limit:]
        return [*repeated, *self.pending[: limit - len(repeated)]]

    def _alone(self, mine: object) -> None:
        if self._poller is not mine:
            raise Refused(TERMINATED, status=409)
        if self.webhook():
            raise Refused(WEBHOOK_IS_SET, status=409)

    def _forget(self, offset: int) -> None:
        if offset < 0:
            self.pending = self.pending[offset:]
        elif offset:
            self.pending = [update for update in self.pending if update["update_id"] >= offset]


def allow(asked: Asked) -> None:
    """What the bot wants to hear of from now on, if the call says so."""
    if "allowed_updates" in asked.arguments:
        wanted = asked.get("allowed_updates", [])
        asked.problems += [f"there are no updates {name}" for name in wanted if name not in KINDS]
        asked.updates.allowed = tuple(wanted)


@method("getUpdates")
async def get_updates(asked: Asked) -> Sequence[Update]:
    updates = asked.updates
    if updates.webhook():
        raise Refused(WEBHOOK_IS_SET, status=409)
    allow(asked)
    limit = min(MOST, max(1, asked.get("limit", MOST)))
    return await updates.poll(
        offset=asked.get("offset", 0), limit=limit, timeout=min(LONGEST, asked.get("timeout", 0))
    )
