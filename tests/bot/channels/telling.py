"""What stands on our side when an answer goes out: a desk's memory of what was sent, and a teller of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.messages import Ending, Notice, Sending, Shown, State, Unavailable
from tests.bot.channels.shelf import MemoryShelf

ANSWER = 77  # an answer's id


@dataclass
class Fate:
    """Lets a process die: at its n-th step it hangs until it is killed. What it asks of the platform and of the desk
    counts as two steps each, before and after."""

    at: int = 0  # 0: never
    steps: int = 0
    died: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
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
        await self.fate.step()
        self.sent_before.append((platform_key, open))
        self._sendings.setdefault(message_id, {})[platform_key] = Sending(platform_key, open, dict(detail))
        await self.fate.step()

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
