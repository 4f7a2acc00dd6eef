"""Brings a draft into a thread, by one task: message after message, each recorded before it says anything.

Knows which part of the text goes into which message. Leaves how one message grows to `stream`, the ways there are to
`ladder`, and what was sent before a crash to `ledger`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bot.bell import rung
from bot.channels.base import Desk
from bot.channels.slack.api import SlackFailure
from bot.channels.slack.blocks import Block, Content, answered, stoppable
from bot.channels.slack.ladder import WAYS, Ladder, Way
from bot.channels.slack.ledger import Forgotten, Ledger
from bot.channels.slack.posting import ASIDE, Thread
from bot.channels.slack.stream import Growing, aside
from bot.channels.slack.trouble import NOT_OFFERED, meaning
from bot.draft import Draft
from bot.markup.slack import cut, part, reach

log = structlog.get_logger(__name__)

IDLE = 60.0  # seconds between two looks when there is nothing to do: whatever happens wakes us


class Status(Protocol):
    """What a thread says of us beside our messages."""

    @property
    def stops(self) -> bool:
        """Whether Slack shows a stop button of its own."""
        ...

    @property
    def after(self) -> str | None:
        """What the session becomes when the answer's last message is complete, None without a session."""
        ...

    def seen(self) -> None:
        """A message of the answer can be seen: it says enough."""
        ...

    def settled(self) -> None:
        """The session has got its status along with the last message."""
        ...


@dataclass(slots=True, kw_only=True)
class Writer:
    """One answer's."""

    thread: Thread
    desk: Desk
    ladder: Ladder
    ledger: Ledger
    draft: Draft
    status: Status
    clock: Callable[[], float]
    _start: int = 0  # of the text that no finished message carries
    _number: int = 1  # of the message that carries it
    _open: Growing | None = None
    _last: Growing | None = None  # the finished one before
    _final: bool = False
    _at_most: Way = "stream"  # this answer's best way, after what went wrong
    _whole: bool = False  # this message is posted in one go: there are too many streams
    _due: float = 0.0
    _setback: float = 0.0
    _counted: ExitStack = field(default_factory=ExitStack)

    async def run(self) -> None:
        """Until the draft is over and stands in the thread. Raises SlackFailure, Unavailable."""
        try:
            with self._counted:
                await self._write()
        except Forgotten:
            log.info("a question is gone: its answer is taken away", team=self._team)
            await self.ledger.erase()

    @property
    def _team(self) -> str:
        return self.thread.spot.team

    @property
    def _language(self) -> str:
        return self.thread.question.person.language

    # -- the course ------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        if self.thread.question.attempt > 1:
            await self._recall()
        while not self.draft.over:
            self.draft.changed.clear()
            await rung(self.draft.changed, within=await self._step())
        if self.draft.ending is None:
            await self._pause()
        elif not self._final:
            await self._finish()

    async def _recall(self) -> None:
        """Go on where earlier attempts have ended."""
        for entry in await self.ledger.recall(born=self.clock()):
            if entry.open:
                self._reopen(entry.message)
            else:
                self._pass(entry.message)
            self._final = self._final or entry.final
            self.status.seen()

    async def _step(self) -> float:
        """Show what is new if it is time; returns for how many seconds there is nothing to do unless more is told."""
        if (wait := self._due - self.clock()) > 0:
            return wait
        try:
            await self._show(self.draft.text)
        except SlackFailure as failure:
            if meaning(failure) == "never":
                raise
            self._put_off(failure)
        else:
            self._setback = 0.0
        self._count()
        return self._idle()

    def _put_off(self, failure: SlackFailure) -> None:
        timing = self.ladder.timing
        self._setback = min(max(timing.setback, 2 * self._setback), timing.longest_setback)
        self._due = self.clock() + max(self._setback, failure.retry_after)
        log.info("an answer waits for Slack", code=failure.code, method=failure.method, team=self._team)

    def _idle(self) -> float:
        now = self.clock()
        if self._due > now:
            return self._due - now
        if self._open is None or self._open.way != "stream":
            return IDLE
        age, timing = now - self._open.born, self.ladder.timing
        due = timing.rollover if age < timing.rollover else timing.overdue
        return max(due - age, timing.append)

    async def _show(self, text: str) -> None:
        """As much of the text as may be seen now."""
        if self._final or (self._open and self._open.stopped):
            return
        while (end := await aside(text, lambda: self._cut(text))) is not None:
            await self._close(text, end)
        if self._open is None and text[self._start :].strip():
            await self._begin(text)
        seen = await aside(text, lambda: reach(text, self._start))
        if self._open and text[self._open.shown : seen].strip():
            await self._grow(self._open, text, seen)

    def _cut(self, text: str) -> int | None:
        """Where the open message must end, for its length or for its age."""
        end = cut(text, self._start)
        if end is not None or self._open is None or self._open.way != "stream":
            return end
        age, shown = self.clock() - self._open.born, self._open.shown
        if age >= self.ladder.timing.rollover:
            end = cut(text, self._start, after=shown)
        if end is None and age >= self.ladder.timing.overdue and shown > self._start:
            end = shown
        return end

    async def _finish(self) -> None:
        text, ending = self.draft.text, self.draft.ending
        while (end := await aside(text, lambda: cut(text, self._start, ended=True))) is not None:
            await self._close(text, end)
        buttons: tuple[Block, ...] = ()
        if ending and ending.answer_id is not None and text.strip():
            buttons = answered(ending.answer_id, self.thread.spot.thread, self._language)
        if self._open is None and self._last and not text[self._start :].strip():
            self._reopen(self._last)  # it was complete before it was known to be the last
        below = Content(sentences=self.draft.sentences(self._language), buttons=buttons)
        await self._close(text, len(text), below)

    async def _pause(self) -> None:
        """The answer will be told again later: leave nothing that looks broken until then."""
        sentences = tuple(self.draft.notices)
        try:
            if message := self._open or self._last:
                await message.rest()
                done = message is not self._open  # kept once more, to learn of a question that is gone
                await self.ledger.record(message, done=done, final=self._final)
            if sentences:
                await self.thread.post(Content(sentences=sentences), self.thread.mark(ASIDE))
        except SlackFailure as failure:
            log.info("an answer was interrupted in silence", code=failure.code, team=self._team)

    # -- one message -----------------------------------------------------------------------------------------

    async def _begin(self, text: str) -> None:
        """Open the next message in the best way there is; none is opened when it is to be posted whole."""
        if self._way() == "stream":
            try:
                self._open, _ = await self._made(self._started)
            except SlackFailure as failure:
                self._fall(failure)
        if self._open is None and self._way() == "edit":
            end = await aside(text, lambda: reach(text, self._start))
            if end > self._start:
                self._open, _ = await self._made(lambda: self._posted(text, end))
        if self._open:
            self._count()
            self.status.seen()
            await self.ledger.record(self._open)

    def _way(self) -> Way:
        best = self.ladder.best(self._team)
        return "post" if self._whole else max(best, self._at_most, key=WAYS.index)

    def _fall(self, failure: SlackFailure) -> None:
        """No stream: one way down, for this message, this answer or this workspace. Raises what may pass."""
        if failure.rate_limited:
            self._whole = True
        elif meaning(failure) != "otherwise":
            raise failure
        elif failure.code in NOT_OFFERED:
            log.info("no streams here", code=failure.code, team=self._team)
            self.ladder.lacks(self._team, "stream")
            self._at_most = "edit"
        else:
            self._at_most = "edit"

    async def _started(self) -> Growing:
        urgent = self._number > 1  # it goes on with what people are reading
        return self._message(await self.thread.start(urgent=urgent), "stream")

    async def _posted(self, text: str, end: int) -> Growing:
        content = await self._growing(text, end)
        message = self._message(
            await self.thread.post(content, self.thread.mark(self._number, start=self._start)), "edit"
        )
        message.shown = end
        self._pace("edit")
        return message

    async def _grow(self, message: Growing, text: str, end: int) -> None:
        mark = self.thread.mark(self._number, start=self._start)
        try:
            await message.grow(text, end, await self._growing(text, end), mark)
        except SlackFailure as failure:
            if meaning(failure) != "otherwise":
                raise
            await self._leave(message, failure)
            return
        self._pace(message.way)
        if message.stopped:
            await self.desk.stop(self.thread.question.place_id)

    async def _growing(self, text: str, end: int) -> Content:
        buttons = () if self.status.stops else stoppable(self.thread.spot.thread, self._language)
        return Content(markdown=await self._markdown(text, end), buttons=buttons)

    async def _markdown(self, text: str, end: int) -> str:
        """Of the message that is due, up to `end`."""
        return await aside(text, lambda: part(text, self._start, end).text)

    def _pace(self, way: Way) -> None:
        self._due = self.clock() + self.ladder.interval(self._team, way)

    async def _close(self, text: str, end: int, below: Content | None = None) -> None:
        """Complete the open message, or post it whole; `below` says that it is the last, and what stands there."""
        final = below is not None
        markdown = await self._markdown(text, end) if text[self._start : end].strip() else ""
        below = below or Content()
        content = Content(markdown=markdown, sentences=below.sentences, buttons=below.buttons)
        mark = self.thread.mark(self._number, start=self._start, end=end, final=final)
        message = self._open
        if message is None:
            if not content.markdown and not content.sentences:
                return
            message, found = await self._made(lambda: self._said(content, mark, end))
            if found:
                self._open = message
                await self.ledger.record(message)
        if self._open:
            after = self.status.after if final else None
            try:
                if await self._open.complete(text, end, content, mark, session_status=after):
                    self.status.settled()
            except SlackFailure as failure:
                if meaning(failure) != "otherwise":
                    raise
                await self._leave(self._open, failure)
                await self._close(text, end, below if final else None)
                return
        await self.ledger.record(message, done=True, final=final)
        self._pass(message)
        self._final = final

    async def _said(self, content: Content, mark: dict[str, int | bool], end: int) -> Growing:
        message = self._message(await self.thread.post(content, mark), "post")
        message.shown = end
        self.status.seen()
        return message

    async def _leave(self, message: Growing, failure: SlackFailure) -> None:
        """It can be changed no more: it keeps what it shows, the rest goes into others, each posted whole. When it is
        not known what it shows it goes away first, or that would be seen twice."""
        log.warning("a message can be changed no more", code=failure.code, team=self._team)
        self._at_most = "post"
        if message.shown == message.start:
            try:
                await self.thread.delete(message.ts)
            except SlackFailure as kept:
                if meaning(kept) != "otherwise":
                    raise
                log.warning("a message stays beside its successor", code=kept.code, team=self._team)
        await self.ledger.record(message, done=True)
        self._pass(message)
        self._last = None

    async def _made(self, make: Callable[[], Awaitable[Growing]]) -> tuple[Growing, bool]:
        return await self.ledger.made(make, number=self._number, adopt=self._message)

    def _message(self, ts: str, way: Way) -> Growing:
        return Growing(
            thread=self.thread,
            ts=ts,
            number=self._number,
            start=self._start,
            shown=self._start,
            way=way,
            born=self.clock(),
        )

    def _reopen(self, message: Growing) -> None:
        message.way = "edit"
        self._open, self._start, self._number = message, message.start, message.number

    def _pass(self, message: Growing) -> None:
        """On to the next message."""
        self._open, self._last = None, message
        self._start, self._number = message.shown, message.number + 1
        self._whole = False
        self._count()

    def _count(self) -> None:
        """Let the workspace's other answers know that this one grows, and how."""
        self._counted.close()
        if self._open:
            self._counted.enter_context(self.ladder.growing(self._team, self._open.way))
