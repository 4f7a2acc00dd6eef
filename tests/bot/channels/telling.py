"""What stands on our side when an answer goes out: a desk's memory of what was sent, and a teller of answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bot.messages import Ending, Notice, Question, Sending, Shown, State, Unavailable
from tests.bot.channels.shelf import MemoryShelf

ANSWER = 77  # an answer's id


@dataclass
class Fate:
    """Lets a process die: at its n-th step it hangs until it is killed. What it asks of the platform and of the desk
    counts as two steps each, before and after."""

    at: int = 0  # 0: never
    steps: int = 0
    died: asyncio.Event = field(default_factory=asyncio.Event)
    moment: tuple[str, int] = ("", 0)  # what it died at, and the how manieth of these that was
    _done: Counter[str] = field(default_factory=Counter)

    async def step(self, what: str = "") -> None:
        self.steps += 1
        self._done[what] += 1
        if self.steps == self.at:
            self.moment = what, self._done[what]
            self.died.set()
            await asyncio.Event().wait()


@dataclass
class Books:
    """The desk, as far as showing needs it. `gone`: somebody had everything forgotten."""

    fate: Fate = field(default_factory=Fate)
    away: bool = False
    gone: bool = False
    stopped: list[int] = field(default_factory=list)
    sent_before: list[tuple[str, bool]] = field(default_factory=list)  # every change, in order
    notes: MemoryShelf = field(default_factory=MemoryShelf)
    _sendings: dict[int, dict[str, Sending]] = field(default_factory=dict)

    async def sendings(self, message_id: int) -> Sequence[Sending]:
        self._reach()
        return list(self._sendings.get(message_id, {}).values())

    async def sent(
        self,
        message_id: int,
        platform_key: str,
        *,
        open: bool,  # noqa: A002
        detail: Mapping[str, Any],
    ) -> None:
        self._reach()
        if self.gone:
            raise LookupError("no such message")
        await self.fate.step("to be kept")
        self.sent_before.append((platform_key, open))
        self._sendings.setdefault(message_id, {})[platform_key] = Sending(platform_key, open, dict(detail))
        await self.fate.step("kept")

    async def stop(self, place_id: int) -> bool:
        self.stopped.append(place_id)
        return True

    def shelf(self, channel: str) -> MemoryShelf:
        return self.notes

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("the books are away")


@dataclass
class Teller:
    """Tells one answer as often as it is asked, from its beginning each time, with a pause before each thing."""

    pause: float = 0.0  # seconds
    items: list[Shown | Notice | Ending | Exception] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, text: str) -> None:
        self._tell(Shown(ANSWER, len(self.items), text))

    def note(self, text: str) -> None:
        self._tell(Notice(text))

    def end(self, state: State = "done", answer_id: int | None = ANSWER) -> None:
        self._tell(Ending(answer_id, state))

    def break_off(self, error: Exception) -> None:
        self._tell(error)

    def go_on(self) -> None:
        """What broke it off is over."""
        self.items = [item for item in self.items if not isinstance(item, Exception)]

    @property
    def text(self) -> str:
        return "".join(item.text for item in self.items if isinstance(item, Shown))

    async def answer(self) -> AsyncGenerator[Shown | Notice | Ending, None]:
        at = 0
        while True:
            while at == len(self.items):
                self._more.clear()
                await self._more.wait()
            item = self.items[at]
            at += 1
            await asyncio.sleep(self.pause)
            if isinstance(item, Exception):
                raise item
            yield item
            if isinstance(item, Ending):
                return

    def _tell(self, item: Shown | Notice | Ending | Exception) -> None:
        self.items.append(item)
        self._more.set()


async def killed(task: asyncio.Task[Any]) -> None:
    """As a process that dies, from the outside: nothing more happens."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@dataclass(kw_only=True)
class Asking:
    """One question and its teller, shown as the house does it."""

    out: Any  # the channel's outgoing side, with its `shower` and its `books`
    question: Question
    teller: Teller = field(default_factory=Teller)
    attempts: int = 0

    async def show_until_it_dies(self, shower: Any) -> bool:
        """Show it in a process that may die; False when it did not."""
        showing = asyncio.create_task(self.show(shower))
        dying = asyncio.create_task(self.out.books.fate.died.wait())
        async with asyncio.timeout(10):
            await asyncio.wait({showing, dying}, return_when=asyncio.FIRST_COMPLETED)
        lived = showing.done()
        if lived:
            showing.result()
        await killed(dying)
        await killed(showing)
        return not lived

    async def show(self, shower: Any = None) -> None:
        """Show the answer until it is shown, as the house does: once more with the next attempt number."""
        self.attempts += 1
        question = replace(self.question, attempt=self.attempts)
        await (shower or self.out.shower).show(question, self.teller.answer())

    @asynccontextmanager
    async def showing(self, shower: Any = None) -> AsyncIterator[asyncio.Task[None]]:
        """It is shown meanwhile; leaving the block waits for its end."""
        task = asyncio.create_task(self.show(shower))
        try:
            yield task
            async with asyncio.timeout(10):
                await task
        finally:
            await killed(task)
