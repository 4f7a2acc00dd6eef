"""A house in memory behind a channel: it keeps what `Desk` promises of hearing; the test is the model."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot import commands
from bot.messages import (
    About,
    Incoming,
    KeptEvent,
    NotAccepted,
    Person,
    Place,
    Question,
    Receipt,
    Refusal,
    Sending,
    Unavailable,
    Unreadable,
    Used,
)
from bot.notices import notice
from tests.bot.channels.shelf import MemoryShelf

Handler = Callable[[KeptEvent], Awaitable[None]]


@dataclass
class House:
    """The desk. `away`: what is kept cannot be reached; `failing`: the next reads of events fail."""

    away: bool = False
    received: list[Incoming] = field(default_factory=list)
    revised: dict[str, str] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)  # places
    busy: set[str] = field(default_factory=set)  # places where something is being answered
    rated: dict[int, tuple[str, int, str]] = field(default_factory=dict)  # answer -> person, value, reason
    answers: dict[int, str] = field(default_factory=dict)  # answer -> place
    repeated: list[tuple[int, str]] = field(default_factory=list)  # answer, key
    forgotten: list[str] = field(default_factory=list)
    kept: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)  # key -> lane, body
    failures: list[Exception] = field(default_factory=list)  # of reading events
    unreadable: list[str] = field(default_factory=list)  # keys of events given up at once
    usage: Used = field(default_factory=lambda: Used(0, 0, 0, 0.0))
    links: dict[str, Person] = field(default_factory=dict)  # one-time token -> who got it
    linked: list[tuple[str, str]] = field(default_factory=list)  # key of the one, key of the other
    moved: list[tuple[str, str]] = field(default_factory=list)  # places
    meetings: dict[str, str] = field(default_factory=dict)  # channel -> address
    carriers: dict[str, tuple[Place, int]] = field(default_factory=dict)  # platform key -> place, answer
    owner: str = "here"
    notes: MemoryShelf = field(default_factory=MemoryShelf)
    places: dict[str, int] = field(default_factory=dict)
    _keys: dict[str, int] = field(default_factory=dict)
    _lanes: dict[str, list[KeptEvent]] = field(default_factory=lambda: defaultdict(list))
    _kept: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _reading: int = 0

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("the house is away")

    # -- what a platform delivers -----------------------------------------------------------------------------------

    async def keep(
        self, channel: str, *, key: str, lane: str, body: Mapping[str, Any], person: str = ""
    ) -> bool:
        self._reach()
        if key in self.kept:
            return False
        self.kept[key] = (lane, body)
        self._lanes[lane].append(KeptEvent(next(self._numbers), key, body, 1))
        self._kept.set()
        return True

    async def handle(self, channel: str, handler: Handler) -> None:
        """In order within a lane; what fails is read again soon."""
        async with asyncio.TaskGroup() as group:
            lanes: dict[str, asyncio.Task[None]] = {}
            while True:
                self._kept.clear()
                for lane, waiting in list(self._lanes.items()):
                    if waiting and (lane not in lanes or lanes[lane].done()):
                        lanes[lane] = group.create_task(self._read(waiting, handler))
                await self._kept.wait()

    async def _read(self, waiting: list[KeptEvent], handler: Handler) -> None:
        self._reading += 1
        try:
            while waiting:
                try:
                    await handler(waiting[0])
                except Unreadable as error:
                    self.unreadable.append(waiting.pop(0).key)
                    self.failures.append(error)
                except Exception as error:
                    self.failures.append(error)
                    waiting[0] = replace(waiting[0], attempt=waiting[0].attempt + 1)
                    await asyncio.sleep(0.01)
                else:
                    waiting.pop(0)
        finally:
            self._reading -= 1

    @property
    def idle(self) -> bool:
        """Whether everything was read that was kept."""
        return not self._reading and not any(self._lanes.values())

    async def receive(self, incoming: Incoming) -> Receipt:
        self._reach()
        language = incoming.person.language
        text = incoming.text.strip()
        if not text and not incoming.attachments:
            raise NotAccepted(Refusal("empty", notice("empty", language)))
        if len(text) > 8_000:
            raise NotAccepted(Refusal("oversized", notice("oversized", language, limit=8_000)))
        place_id = self.places.setdefault(incoming.place.key, next(self._numbers))
        if incoming.key in self._keys:
            return Receipt(self._keys[incoming.key], place_id, duplicate=True)
        self._keys[incoming.key] = next(self._numbers)
        self.received.append(incoming)
        command = commands.parse(text)
        said = notice(command, language) if command in ("reset", "help") else ""
        if command == "stop":
            stopped = await self.stop(place_id)
            said = notice("stopped" if stopped else "nothing_to_stop", language)
        return Receipt(self._keys[incoming.key], place_id, duplicate=False, notice=said)

    async def revise(self, place: Place, key: str, text: str) -> None:
        self._reach()
        if self._said(place, key):
            self.revised[key] = text

    async def withdraw(self, place: Place, key: str) -> None:
        self._reach()
        if self._said(place, key):
            self.withdrawn.append(key)

    def _said(self, place: Place, key: str) -> bool:
        return any(said.key == key and said.place.key == place.key for said in self.received)

    # -- what people ask for -----------------------------------------------------------------------------------

    async def find(self, place: Place) -> int | None:
        self._reach()
        return self.places.get(place.key)

    async def stop(self, place_id: int) -> bool:
        self._reach()
        (key,) = (key for key, known in self.places.items() if known == place_id)
        self.stops.append(key)
        if key not in self.busy:
            return False
        self.busy.discard(key)
        return True

    async def again(self, place: Place, *, message_id: int, key: str) -> Receipt | None:
        self._reach()
        if self.answers.get(message_id) != place.key:
            return None
        self.repeated.append((message_id, key))
        return Receipt(next(self._numbers), self.places[place.key], duplicate=False)

    async def rate(
        self, place: Place, person: Person, *, message_id: int, value: int, reason: str = ""
    ) -> bool:
        self._reach()
        known = self.answers.get(message_id) == place.key
        if known:
            self.rated[message_id] = (person.key, value, reason)
        return known

    async def answer_at(self, channel: str, platform_key: str) -> tuple[Place, int] | None:
        self._reach()
        return self.carriers.get(platform_key)

    async def move(self, place: Place, to: Place) -> bool:
        self._reach()
        if place.key not in self.places or to.key in self.places:
            return False
        self.places[to.key] = self.places.pop(place.key)
        self.moved.append((place.key, to.key))
        return True

    async def invitations(self, person: Person) -> Sequence[str]:
        self._reach()
        return [address.replace("{token}", "once") for address in self.meetings.values()]

    async def invited(self, token: str) -> Person | None:
        self._reach()
        return self.links.get(token)

    async def link(self, token: str, person: Person) -> bool:
        self._reach()
        other = self.links.pop(token, None)
        if other is not None:
            self.linked.append((other.key, person.key))
        return other is not None

    def meet(self, channel: str, address: str) -> None:
        self.meetings[channel] = address

    async def used(self, person: Person) -> Used:
        self._reach()
        return self.usage

    async def today(self, person: Person) -> str:
        self._reach()
        return notice("usage", person.language, used="0")

    async def export(self, person: Person) -> Mapping[str, Any]:
        self._reach()
        return {"person": person.key, "said": [each.text for each in self.received if each.person == person]}

    async def forget(self, person: Person) -> None:
        self._reach()
        self.forgotten.append(person.key)

    def about(self, channel: str, *, language: str, site: str = "") -> About:
        chinese = language.startswith("zh")
        return About(
            greeting="您好！" if chinese else "Hello!",
            suggestions=("这是什么？",) if chinese else ("What is this?", "What can you do?"),
            model="starter",
        )

    def shelf(self, channel: str) -> MemoryShelf:
        return self.notes

    async def sendings(self, message_id: int) -> Sequence[Sending]:
        return []

    async def sent(self, message_id: int, platform_key: str, **more: Any) -> None:
        """Showing has tests of its own."""

    # -- what the test does --------------------------------------------------------------------------------------

    def question(self, incoming: Incoming) -> Question:
        """What was received, as its channel is given it to show the answer."""
        return Question(
            message_id=self._keys[incoming.key],
            key=incoming.key,
            place=incoming.place,
            place_id=self.places[incoming.place.key],
            person=incoming.person,
            attempt=1,
        )

    def new_answer(self, place: Place) -> int:
        """The id of an answer in a place."""
        answer_id = next(self._numbers)
        self.answers[answer_id] = place.key
        return answer_id
