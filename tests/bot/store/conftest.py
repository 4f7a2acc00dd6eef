"""What the tests of the store share: an open store on each database, and short words for saying and answering."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from bot.messages import Event, Said
from bot.store import Accepted, Begun, Judged, Lease, Store
from bot.store.clock import text_of
from bot.store.tables import message
from bot.store.verdicts import digest


@dataclass
class House:
    """A store and someone who uses it as the conversation does."""

    store: Store
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def say(
        self,
        text: str = "hello",
        *,
        place: str = "p1",
        person: str = "ann",
        key: str = "",
        command: bool = False,
    ) -> Accepted:
        return await self.store.accept(
            channel="web",
            key=key or f"key-{next(self.numbers)}",
            place_key=place,
            site="demo",
            person_key=person,
            person_name=person.title(),
            language="en",
            text=text,
            correlation=f"c{next(self.numbers)}",
            command=command,
        )

    async def lease(self, *, owner: str = "bot-1", ttl: float = 15.0, limit: int = 64) -> list[Lease]:
        return await self.store.lease(owner=owner, ttl=ttl, limit=limit)

    async def one(self, *, owner: str = "bot-1", ttl: float = 15.0) -> Lease:
        (lease,) = await self.lease(owner=owner, ttl=ttl)
        return lease

    async def begin(self, lease: Lease) -> Begun:
        return await self.store.begin(
            lease,
            variant="starter",
            persona="host",
            policy="p1",
            sampling={"temperature": 0.0},
            prompt_hash="0" * 64,
        )

    async def piece(self, lease: Lease, answer_id: int, seq: int, text: str, judged: Any = ()) -> None:
        await self.store.add_piece(
            lease,
            answer_id,
            seq=seq,
            text=text,
            size=len(text),
            token_ids=[seq, seq + 1],
            action="allow",
            judged=judged,
        )

    async def end(
        self,
        lease: Lease,
        answer_id: int | None = None,
        state: Any = "done",
        notice: str | None = None,
        judged: Any = (),
    ) -> None:
        await self.store.finish(
            lease, answer_id, state=state, finish_reason="stop", notice=notice, judged=judged
        )

    def judged(self, **changes: Any) -> Judged:
        """A verdict that somebody should look at."""
        finding = {"check": "classifier", "category": "violence", "action": "review"}
        finding |= {"score": 0.83, "threshold": 0.8, "span": None}
        values: dict[str, Any] = {"direction": "input", "action": "review", "policy": "p1", "waits": True}
        values |= {"text_hash": f"h{next(self.numbers)}", "text": "oh no", "findings": (finding,)}
        values |= {"scores": {"violence": 0.83, "overall": 0.9}, "language": "en", "model": "mini-1"}
        return Judged(**values | changes)

    async def judge(self, accepted: Accepted, **changes: Any) -> None:
        said = await self.said(accepted.message_id)
        await self.store.add_verdict(
            self.judged(**{"text_hash": digest(said)} | changes),
            message_id=accepted.message_id,
            place_id=accepted.place_id,
            channel="web",
        )

    async def said(self, message_id: int) -> str:
        """A message's words as they are kept."""
        async with self.store._database.read() as connection:
            theirs = select(message.c.content).where(message.c.id == message_id)
            return text_of((await connection.execute(theirs)).scalar_one_or_none() or [])

    async def answer(self, lease: Lease, *texts: str, state: Any = "done") -> int:
        begun = await self.begin(lease)
        for seq, text in enumerate(texts, start=len(begun.pieces) + 1):
            await self.piece(lease, begun.answer_id, seq, text)
        await self.end(lease, begun.answer_id, state)
        return begun.answer_id

    async def seen(self, place_id: int, *, after: int = 0, chunk: int = 500) -> Picture:
        picture = Picture(cursor=after)
        await picture.catch_up(self.store, place_id, chunk=chunk)
        return picture


@dataclass
class Picture:
    """What a viewer shows after the events it was sent."""

    cursor: int = 0
    messages: dict[int, Said] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    async def catch_up(self, store: Store, place_id: int, *, chunk: int = 500) -> None:
        while True:
            events = await store.timeline(place_id, after=self.cursor, limit=chunk)
            for event in events:
                self.see(event)
            if len(events) < chunk:
                return

    def see(self, event: Event) -> None:
        if event.kind != "cleared":
            assert event.clock > self.cursor, "clocks strictly increase"
        self.cursor = event.clock
        self.events.append(event)
        if event.kind == "cleared":
            self.messages.clear()
            return
        said = event.said
        assert said is not None
        if event.kind == "said":
            assert said.message_id not in self.messages, "a message is said once"
        if event.kind == "piece":
            shown = self.messages[said.message_id]
            assert shown.text == event.before, "a piece begins where the viewer's text ends"
            assert said.text == event.before + event.text
        if event.kind == "ended" and said.author == "model":
            assert self.messages[said.message_id].text == said.text, "what was shown is what is remembered"
        self.messages[said.message_id] = said

    def texts(self) -> list[tuple[str, str, str]]:
        return [(said.author, said.text, said.state) for said in self.messages.values()]


@pytest.fixture
async def store(database_url: str, nothing_blocks: None) -> AsyncIterator[Store]:
    async with Store.open(database_url) as store:
        yield store


@pytest.fixture
def house(store: Store) -> House:
    return House(store)


@pytest.fixture
def house_type() -> type[House]:
    return House


@pytest.fixture
def picture_type() -> type[Picture]:
    return Picture
