"""One message of ours that grows: by Slack's own streaming, or by putting more and more text into it.

Knows what is surely shown, and how a dead or doubtful stream is mended: it is halted, and the message gets its whole
text anew. Leaves where a message ends, and what to do when it can be changed no more, to `writing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.channels.slack.api import SlackFailure
from bot.channels.slack.blocks import Content
from bot.channels.slack.ladder import Way
from bot.channels.slack.posting import Mark, Thread
from bot.channels.slack.trouble import STILL_STREAMING, STOPPED_BY_USER, STREAM_OVER, meaning
from bot.markup.slack import between, part

log = structlog.get_logger(__name__)

T = TypeVar("T")

LONG = 4_000  # characters: to find one's way in more takes too long beside everybody else's answers


async def aside(text: str, work: Callable[[], T]) -> T:
    """Work on a text's markup, beside the loop where the text is long."""
    return await asyncio.to_thread(work) if len(text) > LONG else work()


@dataclass(slots=True, kw_only=True)
class Growing:
    """A message that carries the answer from `start` on; up to `shown` it surely does.

    `way` is how it grows from now on, "stream" or "edit". `doubtful`: it may still be streaming, and show more than we
    know. `stopped`: the person has pressed Slack's stop button.
    """

    thread: Thread
    ts: str
    number: int
    start: int
    shown: int
    way: Way
    born: float
    doubtful: bool = False
    stopped: bool = False

    async def grow(self, text: str, end: int, content: Content, mark: Mark) -> None:
        """Show `text` up to `end`; `content` is the same whole. Raises SlackFailure when that must wait or is not to be
        had."""
        if self.way == "stream":
            try:
                more = await aside(text, lambda: self._more(text, end))
                await self.thread.append(self.ts, more)
            except SlackFailure as failure:
                self._mend(failure)
            else:
                self.shown = end
                return
        if not self.stopped:
            await self._rewrite(content, mark, urgent=False)
            self.shown = end

    async def complete(
        self, text: str, end: int, content: Content, mark: Mark, *, session_status: str | None = None
    ) -> bool:
        """Show `text` up to `end` and what belongs below, for good. True when `session_status` was set by the way."""
        if self.way == "stream":
            rest = await aside(text, lambda: self._more(text, end) + part(text, self.start, end).closing)
            try:
                await self.thread.stop(
                    self.ts,
                    text=rest if rest.strip() else "",
                    content=content,
                    mark=mark,
                    session_status=session_status,
                )
            except SlackFailure as failure:
                self._mend(failure)
            else:
                self.shown = end
                return session_status is not None
        await self._rewrite(content, mark, urgent=True)
        self.shown = end
        return False

    async def rest(self) -> None:
        """Grow no more for now: what follows, follows by edits."""
        if self.way == "stream":
            await self.thread.halt(self.ts)
            self.way = "edit"

    def _more(self, text: str, end: int) -> str:
        begins = self.shown == self.start
        opening = part(text, self.start, self.start).opening if begins else ""
        return opening + between(text, self.shown, end, begins=begins)

    def _mend(self, failure: SlackFailure) -> None:
        """From a stream that failed to a message that is edited. Raises the failure when the stream may go on later."""
        if not failure.lost and failure.code not in STREAM_OVER and meaning(failure) != "otherwise":
            raise failure
        log.info("a stream goes on by edits", code=failure.code, team=self.thread.spot.team)
        self.way = "edit"
        self.doubtful = failure.code not in STREAM_OVER
        self.stopped = failure.code == STOPPED_BY_USER

    async def _rewrite(self, content: Content, mark: Mark, *, urgent: bool) -> None:
        if self.doubtful:
            await self.thread.halt(self.ts)
            self.doubtful = False
        try:
            await self.thread.update(self.ts, content, mark, urgent=urgent)
        except SlackFailure as failure:
            if failure.code != STILL_STREAMING:
                raise
            await self.thread.halt(self.ts)
            await self.thread.update(self.ts, content, mark, urgent=urgent)
