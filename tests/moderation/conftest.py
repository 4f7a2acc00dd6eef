"""What the tests of moderation share: drafts, a source that the test feeds, and a check that does as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from moderation.verdict import Direction, Finding


@dataclass(frozen=True, slots=True)
class Bit:
    text: str
    number: int = 0


class Feed:
    """A source under the test's hand: `give` a text, `end` it or `fail` it; notes that it was closed."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Bit | Exception | None] = asyncio.Queue()
        self.closed = False
        self.tasks: set[asyncio.Task[object] | None] = set()
        self._given = 0

    def give(self, *texts: str) -> None:
        for text in texts:
            self._queue.put_nowait(Bit(text, self._given))
            self._given += 1

    def end(self) -> None:
        self._queue.put_nowait(None)

    def fail(self, error: Exception) -> None:
        self._queue.put_nowait(error)

    async def drafts(self) -> AsyncGenerator[Bit, None]:
        try:
            while (item := await self._queue.get()) is not None:
                self.tasks.add(asyncio.current_task())
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.tasks.add(asyncio.current_task())
            self.closed = True


@dataclass
class Told:
    """A check that finds what it was told to find: each word's finding wherever the word stands."""

    words: dict[str, Finding] = field(default_factory=dict)
    name: str = "told"
    read: list[str] = field(default_factory=list)
    fails: bool = False

    async def judge(self, text: str, *, direction: Direction) -> Sequence[Finding]:
        self.read.append(text)
        if self.fails:
            raise RuntimeError("out of order")
        return [
            Finding(self.name, f.action, span=(at, at + len(word)), replacement=f.replacement)
            for word, f in self.words.items()
            for at in range(len(text))
            if text.startswith(word, at)
        ]


async def each(texts: Iterable[str]) -> AsyncGenerator[Bit, None]:
    for number, text in enumerate(texts):
        yield Bit(text, number)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def block() -> Finding:
    return Finding("told", "block")


@pytest.fixture
def stream() -> object:
    return each
