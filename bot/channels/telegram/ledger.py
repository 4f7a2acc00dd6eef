"""Which messages carry an answer, as the house remembers them after a crash.

Knows what is kept of a message. Leaves what they say to `writing`.

Kept of a message: {"part": its number, "start", "end": of the answer's text that it carries (`end` is None while it
grows), "final": whether it says how the answer ended}. What a crash leaves, and what becomes of it:

    before a message was sent              it is sent
    between that and its being kept        it stays, and is sent once more: Telegram lets no bot look for it
    while it grew                          it gets its whole text by an edit
    after its end, before that was kept    the same: the same text once more changes nothing
    after the last one was kept            nothing is left to do
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.channels.base import Desk
from bot.channels.telegram.api import TelegramFailure
from bot.channels.telegram.growing import Growing
from bot.channels.telegram.places import message_id_of
from bot.channels.telegram.posting import Talk
from bot.messages import Unavailable

log = structlog.get_logger(__name__)

TRIES = 4  # to have a message remembered: one that is not comes twice


class Forgotten(Exception):
    """The question is gone, and its answer with it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that an earlier attempt has sent."""

    message: Growing
    open: bool
    final: bool


@dataclass(slots=True, kw_only=True)
class Ledger:
    """One answer's."""

    talk: Talk
    desk: Desk
    pause: float  # seconds after the first try, doubled after each
    _known: set[int] = field(default_factory=set)

    async def recall(self) -> list[Entry]:
        """What earlier attempts have sent, oldest first."""
        entries = []
        for sending in await self.desk.sendings(self.talk.question.message_id):
            detail = sending.detail
            message_id = message_id_of(sending.platform_key) or 0
            self._known.add(message_id)
            message = Growing(
                key=sending.platform_key,
                message_id=message_id,
                number=detail["part"],
                start=detail["start"],
                shown=detail["start"] if sending.open else detail["end"],
            )
            entries.append(Entry(message, sending.open, detail["final"]))
        return entries

    async def record(self, message: Growing, *, done: bool = False, final: bool = False) -> None:
        """Have a message remembered as it is now. Raises Forgotten, Unavailable."""
        self._known.add(message.message_id)
        detail = {
            "part": message.number,
            "start": message.start,
            "end": message.shown if done else None,
            "final": final,
        }
        try:
            await self._keep(message.key, open=not done, detail=detail)
        except LookupError:
            raise Forgotten from None

    async def _keep(self, key: str, **what: Any) -> None:
        for attempt in range(TRIES - 1):
            with suppress(Unavailable):
                return await self.desk.sent(self.talk.question.message_id, key, **what)
            await self.talk.api.sleep(self.pause * 2**attempt)
        return await self.desk.sent(self.talk.question.message_id, key, **what)

    async def erase(self) -> None:
        """Take every message away again."""
        for message_id in sorted(self._known):
            try:
                await self.talk.delete(message_id)
            except TelegramFailure as failure:
                log.warning(
                    "what was forgotten stays in its chat", code=failure.code, why=failure.description
                )
