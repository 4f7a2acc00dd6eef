"""Which messages carry an answer: as the house remembers them, and as they stand in the thread after a crash.

Knows what is kept of a message, and how one is found again whose making we did not learn of. Leaves what they say to
`writing`.

Kept of a message: {"part": its number, "start", "end": of the answer's text that it carries (`end` is None while it
grows), "way": how it grew, "final": whether it says how the answer ended}. What a crash leaves, and what becomes of it:

    before a message was made, or kept     it is looked for in the thread: by our metadata, or as an empty stream
    while it grew                          its stream is halted, and it gets its whole text by edits
    after its end, before that was kept    the same: the same text once more changes nothing
    after the last one was kept            nothing is left to do
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from bot.channels.base import Desk
from bot.channels.slack.api import SlackFailure
from bot.channels.slack.ladder import Way
from bot.channels.slack.places import message_key
from bot.channels.slack.posting import Thread
from bot.channels.slack.stream import Growing
from bot.channels.slack.trouble import meaning

log = structlog.get_logger(__name__)


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

    thread: Thread
    desk: Desk
    _known: set[str] = field(default_factory=set)
    _doubtful: bool = False  # a message may stand in the thread that we do not know of

    async def recall(self, *, born: float) -> list[Entry]:
        """What earlier attempts have sent, oldest first. From now on, what is made is looked for before."""
        self._doubtful = True
        entries = []
        for sending in await self.desk.sendings(self.thread.question.message_id):
            detail = sending.detail
            ts = sending.platform_key.rpartition("/")[2]
            self._known.add(ts)
            message = Growing(
                thread=self.thread,
                ts=ts,
                number=detail["part"],
                start=detail["start"],
                shown=detail["start"] if sending.open else detail["end"],
                way="edit",
                born=born,
                doubtful=sending.open and detail["way"] == "stream",
            )
            entries.append(Entry(message, sending.open, detail["final"]))
        return entries

    async def record(self, message: Growing, *, done: bool = False, final: bool = False) -> None:
        """Have a message remembered as it is now. Raises Forgotten, Unavailable."""
        self._known.add(message.ts)
        spot = self.thread.spot
        detail = {
            "part": message.number,
            "start": message.start,
            "end": message.shown if done else None,
            "way": message.way,
            "final": final,
        }
        key = message_key(spot.team, spot.channel, message.ts)
        try:
            await self.desk.sent(self.thread.question.message_id, key, open=not done, detail=detail)
        except LookupError:
            raise Forgotten from None

    async def made(
        self,
        make: Callable[[], Awaitable[Growing]],
        *,
        number: int,
        adopt: Callable[[str, Way], Growing],
    ) -> tuple[Growing, bool]:
        """A new message; or one that an earlier try made without our learning of it, and True. Raises SlackFailure."""
        for last in (False, True):
            if self._doubtful:
                if found := await self._find(number, adopt):
                    return found, True
                self._doubtful = False
            try:
                return await make(), False
            except SlackFailure as failure:
                self._doubtful = failure.lost
                if last or not failure.lost:
                    raise
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    async def erase(self) -> None:
        """Take every message away again."""
        for ts in sorted(self._known):
            with suppress(SlackFailure):
                await self.thread.delete(ts)

    async def _find(self, number: int, adopt: Callable[[str, Way], Growing]) -> Growing | None:
        """Our message that carries the part now due, or a stream of ours that has said nothing yet."""
        try:
            ours = [each for each in await self.thread.ours() if each.ts not in self._known]
        except SlackFailure as failure:
            if meaning(failure) != "otherwise":
                raise
            log.warning("a thread cannot be searched: an answer may come twice", code=failure.code)
            return None
        mine = self.thread.mark(number)
        for each in ours:
            if mine.items() <= each.mark.items():
                return adopt(each.ts, "edit")
            if each.empty and not each.mark:
                return adopt(each.ts, "stream")
        return None
