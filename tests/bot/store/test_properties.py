"""Whatever is done in whatever order: clocks rise, all viewers end with one picture, nothing is answered twice."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.store import Lease, LeaseLost, Store

ROUNDS = itertools.count()
STEPS = (
    "accept",
    "again",
    "lease",
    "begin",
    "piece",
    "finish",
    "reset",
    "stop",
    "die",
    "release",
    "note",
    "forget",
)
steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=30
)


class World:
    """Two places, two people, two bots, and viewers who come and go."""

    def __init__(self, house: Any, picture: Any) -> None:
        self.house = house
        self.store: Store = house.store
        self.round = next(ROUNDS)
        self.places: dict[int, int] = {}
        self.people: dict[int, int] = {}
        self.keys: list[tuple[str, int, int]] = []
        self.held: list[Lease] = []
        self.stale: list[Lease] = []
        self.begun: dict[int, tuple[int, int]] = {}  # message -> answer, pieces
        self.answered: Counter[int] = Counter()
        self.viewers: dict[int, Any] = {}
        self.picture = picture

    async def say(self, place: int, person: int, key: str) -> Any:
        accepted = await self.house.say(
            f"message {key}", place=f"{self.round}-{place}", person=f"{self.round}-{person}", key=key
        )
        if not accepted.duplicate:
            self.places[place] = accepted.place_id
            self.people[person] = accepted.person_id
        return accepted

    async def step(self, name: str, place: int, number: int) -> None:
        await getattr(self, f"do_{name}")(place, number)

    async def do_accept(self, place: int, number: int) -> None:
        key = f"{self.round}-{len(self.keys)}"
        self.keys.append((key, place, number % 2))
        assert not (await self.say(place, number % 2, key)).duplicate

    async def do_again(self, place: int, number: int) -> None:
        if self.keys:
            key, where, who = self.keys[number % len(self.keys)]
            assert (await self.say(where, who, key)).duplicate

    async def do_lease(self, place: int, number: int) -> None:
        leases = [
            lease
            for lease in await self.house.lease(owner=f"bot-{number % 2}", limit=100)
            if lease.place.key.startswith(f"{self.round}-")
        ]
        places = [lease.place.id for lease in (*self.held, *leases)]
        assert len(places) == len(set(places)), "one answer a place"
        self.held += leases

    def take(self, number: int) -> Lease | None:
        return self.held[number % len(self.held)] if self.held else None

    async def tried(self, lease: Lease, work: Any) -> Any:
        try:
            return await work
        except LeaseLost:
            self.held.remove(lease)

    async def do_begin(self, place: int, number: int) -> None:
        if lease := self.take(number):
            begun = await self.tried(lease, self.house.begin(lease))
            if begun:
                self.begun[lease.message_id] = (begun.answer_id, len(begun.pieces))

    async def do_piece(self, place: int, number: int) -> None:
        lease = self.take(number)
        if lease and lease.message_id in self.begun:
            answer_id, told = self.begun[lease.message_id]
            await self.tried(lease, self.house.piece(lease, answer_id, told + 1, f"piece {told + 1}. "))
            self.begun[lease.message_id] = (answer_id, told + 1)

    async def do_finish(self, place: int, number: int) -> None:
        if lease := self.take(number):
            state = ("done", "stopped", "failed", "refused")[number % 4]
            notice = "a notice" if number % 2 else None
            await self.tried(lease, self._finish(lease, state, notice))

    async def _finish(self, lease: Lease, state: str, notice: str | None) -> None:
        await self.house.end(lease, state=state, notice=notice)
        self.answered[lease.message_id] += 1
        self.held.remove(lease)

    async def do_reset(self, place: int, number: int) -> None:
        if place in self.places:
            await self.store.reset(self.places[place])

    async def do_stop(self, place: int, number: int) -> None:
        if place in self.places:
            await self.store.request_cancel(self.places[place])

    async def do_die(self, place: int, number: int) -> None:
        if lease := self.take(number):
            await self.store.renew(lease, ttl=-1.0)
            self.held.remove(lease)
            self.stale.append(lease)

    async def do_release(self, place: int, number: int) -> None:
        if lease := self.take(number):
            await self.store.release(lease)
            self.held.remove(lease)
            self.stale.append(lease)

    async def do_note(self, place: int, number: int) -> None:
        if place in self.places:
            await self.store.note(self.places[place], "a note")

    async def do_forget(self, place: int, number: int) -> None:
        if number == 0 and place in self.people:
            await self.store.forget(self.people[place])

    async def watch(self, place: int, chunk: int) -> None:
        if place in self.places:
            viewer = self.viewers.setdefault(place, self.picture())
            await viewer.catch_up(self.store, self.places[place], chunk=chunk)

    async def late_owners_try(self) -> None:
        for lease in self.stale:
            try:
                await self.house.end(lease)
            except LeaseLost:
                continue
            self.answered[lease.message_id] += 1

    async def judge(self) -> None:
        assert all(count == 1 for count in self.answered.values()), "no message is answered twice"
        for place, place_id in self.places.items():
            await self.watch(place, 500)
            whole = (await self.house.seen(place_id)).texts()
            assert self.viewers[place].texts() == whole
            for chunk in (1, 3):
                assert (await self.house.seen(place_id, chunk=chunk)).texts() == whole


async def _play(house: Any, picture: Any, script: list[tuple[str, int, int]]) -> None:
    world = World(house, picture)
    for turn, (name, place, number) in enumerate(script):
        await world.step(name, place, number)
        if turn % 3 == 0:
            await world.watch(place, number + 1)
    await world.late_owners_try()
    await world.judge()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(script=steps)
def _any_order(runner: asyncio.Runner, house: Any, picture: Any, script: list[tuple[str, int, int]]) -> None:
    runner.run(_play(house, picture, script))


def test_any_order_of_events_keeps_the_promises(
    database_url: str, house_type: Any, picture_type: Any
) -> None:
    with asyncio.Runner() as runner:
        opened = Store.open(database_url)
        store = runner.run(opened.__aenter__())
        try:
            _any_order(runner, house_type(store), picture_type)
        finally:
            runner.run(opened.__aexit__(None, None, None))
