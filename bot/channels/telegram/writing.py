"""Brings a draft into a chat, by one task: message after message, each kept in mind before it grows.

Knows which part of the text goes into which message, and when. Leaves the calls to `posting`, how an answer may grow
to `ways`, Telegram's draft to `preview`, and what was sent before a crash to `ledger`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.bell import rung
from bot.channels.telegram.api import TelegramFailure
from bot.channels.telegram.content import Content
from bot.channels.telegram.growing import Growing
from bot.channels.telegram.keyboards import Keyboard, answered, growing
from bot.channels.telegram.ledger import Forgotten, Ledger
from bot.channels.telegram.posting import Sent, Talk
from bot.channels.telegram.preview import Preview
from bot.channels.telegram.rich import suits
from bot.channels.telegram.trouble import NOT_RICH, meaning
from bot.channels.telegram.typing_action import Typing
from bot.channels.telegram.ways import Way, Ways
from bot.draft import Draft
from bot.markup.telegram import cut, part, reach

log = structlog.get_logger(__name__)

T = TypeVar("T")

IDLE = 60.0  # seconds between two looks when there is nothing to do: whatever happens wakes us
SOON = 0.01  # between two looks at least
FEW = 100  # characters: a message of fewer is not cut
LONG = 1_000  # characters: to find one's way in more takes too long beside everybody else's answers

_SENTENCE = re.compile(r"[.!?…:][\"'”’)*_]*(?:\s|$)|[。！？：]|\n\s*\n")


async def aside(text: str, work: Callable[[], T]) -> T:
    """Work on a text's markup, beside the loop where the text is long."""
    return await asyncio.to_thread(work) if len(text) > LONG else work()


@dataclass(slots=True, kw_only=True)
class Writer:
    """One answer's."""

    talk: Talk
    ways: Ways
    ledger: Ledger
    draft: Draft
    preview: Preview
    typing: Typing
    clock: Callable[[], float]
    _start: int = 0  # of the text that no finished message carries
    _number: int = 1  # of the message that carries it
    _open: Growing | None = None
    _last: Growing | None = None  # the finished one before
    _final: bool = False
    _whole: bool = False  # after what went wrong nothing more grows: the rest is posted whole
    _silent: bool = False  # what was sent twice may stand there twice: nothing more until the end
    _due: float = 0.0
    _setback: float = 0.0
    _since: float | None = None  # when there was first something to show in a message that is not there yet

    async def run(self) -> None:
        """Until the draft is over and stands in the chat. Raises TelegramFailure, Unavailable."""
        try:
            await self._write()
        except Forgotten:
            log.info("a question is gone: its answer is taken away")
            await self.ledger.erase()

    @property
    def _language(self) -> str:
        return self.talk.question.person.language

    @property
    def _way(self) -> Way:
        return "post" if self._whole else self.ways.best(self.talk.spot)

    @property
    def _begins(self) -> bool:
        """Whether the message that is due has the beginning of the answer."""
        return self._start == 0

    # -- the course ------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        if self.talk.question.attempt > 1:
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
        for entry in await self.ledger.recall():
            if entry.open:
                self._reopen(entry.message)
            else:
                self._pass(entry.message)
            self._final = self._final or entry.final

    async def _step(self) -> float:
        """Show what is new if it is time; returns for how many seconds there is nothing to do unless more is told."""
        if (wait := self._due - self.clock()) > 0:
            return wait
        try:
            await self._show(self.draft.text)
        except TelegramFailure as failure:
            if meaning(failure) == "never":
                raise
            self._put_off(failure)
        else:
            self._setback = 0.0
        return self._idle()

    def _put_off(self, failure: TelegramFailure) -> None:
        """Not now. Where it was no more than not our turn, that is nothing to speak of."""
        wait = failure.retry_after
        if not failure.rate_limited or not wait:
            timing = self.ways.timing
            self._setback = min(max(timing.setback, 2 * self._setback), timing.longest_setback)
            wait = max(wait, self._setback)
            log.info("an answer waits for Telegram", code=failure.code, method=failure.method)
        self._due = self.clock() + wait

    def _idle(self) -> float:
        now, timing = self.clock(), self.ways.timing
        if self._due > now:
            return self._due - now
        wait = IDLE
        if self._since is not None and self._open is None and self._way == "edit":
            wait = self._since + timing.first - now
        elif self.preview.content and self._way == "draft":
            wait = self.preview.lasts
        return max(wait, SOON)

    async def _show(self, text: str) -> None:
        """As much of the text as may be seen now."""
        if self._final or self._silent:
            return
        while (end := await aside(text, lambda: cut(text, self._start))) is not None:
            await self._close(text, end)
        if self._way == "post":
            return
        seen = await aside(text, lambda: reach(text, self._start))
        if not text[self._start : seen].strip():
            self._since = None  # what there was may be half of something now
            return
        if self._open:
            await self._grow(self._open, text, seen)
        elif not await self._preview(text, seen) and self._ripe(text, seen):
            await self._begin(text, seen)

    async def _finish(self) -> None:
        text, ending = self.draft.text, self.draft.ending
        keyboard: Keyboard | None = None
        if ending and ending.answer_id is not None and text.strip():
            keyboard = answered(ending.answer_id, self._language)
        below = Content.of("", sentences=self.draft.sentences(self._language), keyboard=keyboard)
        if await self._finish_rich(text, below):
            return
        while (end := await aside(text, lambda: cut(text, self._start, ended=True))) is not None:
            await self._close(text, end)
        if self._open is None and self._last and not text[self._start :].strip():
            self._reopen(self._last)  # it was complete before it was known to be the last
        await self._close(text, len(text), below)

    async def _pause(self) -> None:
        """The answer will be told again later: say what there is to say until then."""
        sentences = tuple(self.draft.notices)
        try:
            if message := self._open or self._last:
                done = message is not self._open  # kept once more, to learn of a question that is gone
                await self.ledger.record(message, done=done, final=self._final)
            if sentences:
                await self.talk.send(Content.of("", sentences=sentences), reply=True, urgent=True)
        except TelegramFailure as failure:
            if meaning(failure) == "never":
                raise
            log.info("an answer was interrupted in silence", code=failure.code)

    # -- a message that grows --------------------------------------------------------------------------------

    def _ripe(self, text: str, end: int) -> bool:
        """Whether a message may begin with this much: a sentence, or what has waited long enough."""
        now = self.clock()
        if self._since is None:
            self._since = now
        waited = now - self._since >= self.ways.timing.first
        return waited or _SENTENCE.search(text, self._start, end) is not None

    async def _begin(self, text: str, end: int) -> None:
        content = await self._growing(text, end)
        try:
            sent = await self.talk.send(content, reply=self._begins, urgent=False)
        except TelegramFailure as failure:
            if failure.lost:  # it may stand there: of what comes twice, nothing but the whole is of use
                self._whole = True
            if meaning(failure) != "otherwise":
                raise
            log.warning("an answer cannot grow", code=failure.code, why=failure.description)
            self._whole = True
            return
        self._open = self._message(sent, content, shown=end)
        self._pace("edit")
        await self.ledger.record(self._open)

    async def _grow(self, message: Growing, text: str, end: int) -> None:
        content = await self._growing(text, end)
        if content == message.said:
            return
        try:
            await self.talk.edit(message.message_id, content, urgent=False)
        except TelegramFailure as failure:
            message.unsure = message.unsure or failure.lost
            if meaning(failure) != "otherwise":
                raise
            await self._leave(message, failure)
            return
        message.said, message.shown = content, end
        message.grown += 1
        self._pace("edit")

    async def _preview(self, text: str, end: int) -> bool:
        """Show Telegram's own draft; False where there is none."""
        if self._way != "draft" or not await self.preview.show(await self._content(text, end, Content())):
            return False
        self._pace("draft")
        return True

    async def _growing(self, text: str, end: int) -> Content:
        return await self._content(text, end, Content(keyboard=growing(self._language)))

    async def _content(self, text: str, end: int, below: Content) -> Content:
        """Of the message that is due, up to `end`, with what stands below."""

        def made() -> Content:
            shows = text[self._start : end].strip()
            markdown = part(text, self._start, end).text if shows else ""
            return Content.of(markdown, sentences=below.sentences, keyboard=below.keyboard)

        return await aside(text, made)

    def _pace(self, way: Way) -> None:
        grown = self._open.grown if self._open else 0
        self._due = self.clock() + self.ways.interval(self.talk.spot, way, grown)

    # -- a message for good ----------------------------------------------------------------------------------

    async def _close(self, text: str, end: int, below: Content | None = None) -> None:
        """Complete the open message, or send it whole; `below` says that it is the last, and what stands there."""
        final = below is not None
        below = below or Content()
        content = await self._content(text, end, below)
        if content.rendered and content.sentences and not content.fits:  # these get a message of their own
            await self._close(text, end)
            await self._close(text, end, below)
            return
        if self._open is None and content.empty:
            self._start, self._final = end, final
            return
        message = await self._completed(text, end, content)
        if message is None:  # the way was not clear; now it is
            await self._close(text, end, below if final else None)
            return
        message.said, message.shown = content, end
        await self.ledger.record(message, done=True, final=final)
        self._pass(message)
        self._final = final
        if message.unsure:
            await self._insist(message, content)

    async def _completed(self, text: str, end: int, content: Content) -> Growing | None:
        """The message with its whole content; None when something else had to be done first."""
        message = self._open
        try:
            if message is None:
                return self._message(await self._sent(content), content, shown=end)
            if not content.empty and content != message.said:
                await self.talk.edit(message.message_id, content, urgent=True)
        except TelegramFailure as failure:
            if meaning(failure) != "otherwise":
                raise
            if message is not None:
                await self._leave(message, failure)
            elif failure.code != "too_long" or not await self._halved(text, end):
                raise
            return None
        return message

    async def _insist(self, message: Growing, content: Content) -> None:
        """Say it once more when an earlier edit may have come after all: nobody would see the end of the answer."""
        self.typing.be_quiet()
        await self.talk.api.sleep(self.ways.timing.late)
        try:
            await self.talk.edit(message.message_id, content, urgent=False)
        except TelegramFailure as failure:
            log.info("a message was not said once more", code=failure.code)

    async def _sent(self, content: Content) -> Sent:
        """A new message. Sent once more when its answer was lost: twice is better than never. After that it goes no
        more than once at the end, and once in each attempt."""
        try:
            return await self.talk.send(content, reply=self._begins, urgent=True)
        except TelegramFailure as failure:
            again = not (self._silent or self.talk.question.attempt > 1)
            self._silent = self._silent or failure.lost
            if not (failure.lost and again):
                raise
            log.warning("a message may come twice", code=failure.code)
        sent = await self.talk.send(content, reply=self._begins, urgent=True)
        self._silent = False
        return sent

    async def _halved(self, text: str, end: int) -> bool:
        """Send the first half of what Telegram finds too long; False when it is no more than a few words."""
        half = (end - self._start) // 2
        if half < FEW:
            return False
        middle = await aside(text, lambda: cut(text[:end], self._start, half, ended=True))
        await self._close(text, middle or self._start + half)
        return True

    async def _finish_rich(self, text: str, below: Content) -> bool:
        """Send the whole answer as a rich message where that is wanted and better; False where not."""
        untouched = self._open is None and self._number == 1 and not below.sentences
        if not (self.ways.rich and untouched and await aside(text, lambda: suits(text))):
            return False
        try:
            sent = await self.talk.send_rich(text, below.keyboard, reply=True)
        except TelegramFailure as failure:
            if failure.code not in NOT_RICH:
                raise
            log.warning("no rich messages here", code=failure.code, why=failure.description)
            self.ways.not_rich()
            return False
        message = self._message(sent, below, shown=len(text))
        await self.ledger.record(message, done=True, final=True)
        self._pass(message)
        self._final = True
        return True

    async def _leave(self, message: Growing, failure: TelegramFailure) -> None:
        """It can be changed no more: it keeps what it shows, the rest goes into others, each sent whole. All of it does
        when it is gone, or goes away now because nobody knows what it shows."""
        log.warning("a message can be changed no more", code=failure.code, why=failure.description)
        self._whole = True
        if failure.code == "not_found":
            message.shown = message.start
        else:
            await self._tidy(message)
        await self.ledger.record(message, done=True)
        self._pass(message)
        self._last = None

    async def _tidy(self, message: Growing) -> None:
        try:
            if message.shown == message.start:
                await self.talk.delete(message.message_id)
            else:
                await self.talk.take_buttons(message.message_id)
        except TelegramFailure as kept:
            if meaning(kept) == "never":
                raise
            log.warning("a message stays as it is beside its successor", code=kept.code)

    # -- which message -----------------------------------------------------------------------------------------

    def _message(self, sent: Sent, content: Content, *, shown: int) -> Growing:
        return Growing(
            key=sent.key,
            message_id=sent.message_id,
            number=self._number,
            start=self._start,
            shown=shown,
            said=content,
        )

    def _reopen(self, message: Growing) -> None:
        self._open, self._start, self._number = message, message.start, message.number

    def _pass(self, message: Growing) -> None:
        """On to the next message."""
        self._open, self._last = None, message
        self._start, self._number = message.shown, message.number + 1
        self._since = None
        self.preview.end()
