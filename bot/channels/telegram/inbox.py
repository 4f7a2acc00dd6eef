"""The door for everything that Telegram delivers: made safe as it came, read later.

Knows what is kept, and under which key. Leaves how it comes to `poller` and `webhook`, reading to `events`, and what
follows to `reader`.

2026-12: people among themselves are not kept, and not what nobody reads. What cannot be read is kept, for people to
look at; and what the house cannot keep as it came is kept as its words: one strange update must not come again for
ever, and hold up all that come after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.channels.base import Desk
from bot.channels.telegram.api import Api, Me, TelegramFailure
from bot.channels.telegram.events import UNSTORABLE, read
from bot.channels.telegram.lanes import lane, person
from bot.channels.telegram.places import CHANNEL, update_key
from bot.messages import Unavailable, Unreadable

log = structlog.get_logger(__name__)

Update = Mapping[str, Any]


def number(update: object) -> int | None:
    """The number of an update, None where it has none, and so is none."""
    found = update.get("update_id") if isinstance(update, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """One per channel."""

    desk: Desk
    api: Api

    async def take(self, update: Update) -> None:
        """Make an update safe: it may be acknowledged once this returns. Raises Unavailable."""
        me = await self._me()
        if not _concerns_us(update, me):
            return
        key = update_key(me.id, number(update) or 0)
        try:
            await self.desk.keep(CHANNEL, key=key, lane=lane(update), body=update, person=person(update))
        except Unavailable:
            raise
        except Exception:
            log.exception("an update cannot be kept as it came", update=number(update))
            words = {UNSTORABLE: _words(update)}
            await self.desk.keep(CHANNEL, key=key, lane=f"update/{number(update)}", body=words)

    async def _me(self) -> Me:
        try:
            return await self.api.me()
        except TelegramFailure as failure:
            raise Unavailable(f"who we are is not known yet ({failure})") from None


def _concerns_us(update: Update, me: Me) -> bool:
    try:
        return read(update, me=me) is not None
    except Unreadable:
        return True


def _words(update: Update) -> str:
    try:
        return ascii(update)
    except RecursionError:
        return "nested too deeply"
