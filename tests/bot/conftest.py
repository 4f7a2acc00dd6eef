"""A whole bot without a worker: a real store, a real tokenizer, a scripted queue."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot import personas
from bot.allowance import Allowance
from bot.bell import Bell
from bot.conversation import Conversation
from bot.meeting import Meeting
from bot.messages import Ending, Incoming, Notice, Person, Place, Receipt, Shown
from bot.metrics import Metrics
from bot.models import Models, Served
from bot.settings import known_variables
from bot.store import Lease, Store
from inference import random_model
from inference.chat import Chat
from moderation import Finding, Moderator
from worker.jobs import AnswerJob
from worker.stub import StubQueue

SOON = 10.0  # seconds; a deadline, not a pause


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that Frontdesk heeds, and no .env of the person who runs the tests."""
    for variable in known_variables():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


async def becomes(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.01)


class Words:
    """A check that blocks one word, hides another, and falls over at a third."""

    name = "words"

    async def judge(self, text, *, direction):
        if "crash" in text:
            raise RuntimeError("out of order")
        return [
            Finding("words", action, category=word, span=(text.index(word), text.index(word) + len(word)))
            for word, action in (("forbidden", "block"), ("secret", "redact"))
            if word in text
        ]


@dataclass
class Desk:
    """Someone who writes to the house and reads what it answers. `script` is what the model says."""

    conversation: Conversation
    queue: StubQueue
    store: Store
    script: list[str] = field(default_factory=lambda: ["Good ", "morning. ", "How are ", "you?"])
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    async def say(self, text: str, *, key: str = "", place: str = "p", language: str = "en") -> Receipt:
        return await self.conversation.receive(
            Incoming(
                key=key or f"k{next(self.numbers)}",
                place=Place("web", place, "demo"),
                person=Person("web", "ann", "Ann", language),
                text=text,
            )
        )

    async def lease(self, owner: str = "here") -> Lease:
        (lease,) = await self.store.lease(owner=owner, ttl=15.0, limit=1)
        return lease

    async def told(self, lease: Lease | None = None) -> list[Shown | Notice]:
        async with aclosing(self.conversation.answer(lease or await self.lease())) as answer:
            return [part async for part in answer if not isinstance(part, Ending)]

    async def ask(self, text: str, **options: str) -> str:
        """Say something and read the whole answer, notices included."""
        await self.say(text, **options)
        return "".join(part.text for part in await self.told())

    async def seen(self, place_id: int = 1) -> list[tuple[str, str, str]]:
        """What a viewer sees in the end: author, text and state of each message."""
        picture = {}
        for event in await self.store.timeline(place_id, after=0, limit=10_000):
            if event.kind == "cleared":
                picture.clear()
            elif event.said:
                picture[event.said.message_id] = event.said
        return [(said.author, said.text, said.state) for said in picture.values()]

    def prompt(self, number: int = -1) -> str:
        """What the model was given to read."""
        job: AnswerJob = self.queue.asked_for[number]
        return self.conversation.models.default.chat.tokenizer.decode(
            list(job.prompt), skip_special_tokens=False
        )


@pytest.fixture(scope="session")
def chat_folder(tmp_path_factory):
    return random_model.make(tmp_path_factory.mktemp("chat") / "model")


@pytest.fixture(scope="session")
def chat(chat_folder):
    return Chat.load(chat_folder)


@pytest.fixture
async def desk(tmp_path, chat) -> AsyncIterator[Desk]:
    script: list[Desk] = []
    async with (
        Store.open(f"sqlite:///{tmp_path / 'house.sqlite3'}") as store,
        StubQueue.scripted(lambda job: script[0].script) as queue,
    ):
        conversation = Conversation(
            store=store,
            queue=queue,
            moderator=Moderator([Words()], policy="test"),
            models=Models(Served("tiny", chat), loaded=lambda: queue.latest.models),
            personas=personas.load(),
            bell=Bell(),
            metrics=Metrics(),
            meeting=Meeting(store=store),
            allowance=Allowance(store=store),
        )
        script.append(Desk(conversation, queue, store))
        yield script[0]
