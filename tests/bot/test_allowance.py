"""How much one person may ask, and all together in one place: counted in SQL, and never against a redelivery."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from bot.allowance import Allowance, Limit
from bot.messages import Incoming, NotAccepted, Person, Place
from bot.notices import notice
from bot.store import Store
from bot.store.tables import message

MIDNIGHT = 86_400.0 * 20_000


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with Store.open(database_url) as opened:
        yield opened


class Clock:
    def __init__(self, now: float = MIDNIGHT + 3600) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Talk:
    """People who write, at times that the test says."""

    def __init__(self, store: Store, **limits: Any) -> None:
        self.store = store
        self.clock = Clock()
        self.allowance = Allowance(store=store, clock=self.clock, **limits)
        self.number = 0

    async def say(self, *, person: str = "ann", place: str = "p", key: str = "", language: str = "en") -> Any:
        self.number += 1
        incoming = Incoming(
            key or f"k{self.number}", Place("web", place), Person("web", person, language=language), "hello"
        )
        await self.allowance.check(incoming)
        accepted = await self.store.accept(
            channel="web",
            key=incoming.key,
            place_key=place,
            site="",
            person_key=person,
            person_name="",
            language=language,
            text="hello",
            correlation=incoming.key,
            command=False,
        )
        async with self.store._database.write() as connection:
            await connection.execute(
                update(message).where(message.c.id == accepted.message_id).values(created=self.clock.now)
            )
        return accepted

    async def refused(self, **more: Any) -> tuple[str, str, int]:
        with pytest.raises(NotAccepted) as told:
            await self.say(**more)
        refusal = told.value.refusal
        return refusal.code, refusal.sentence, refusal.retry_after


async def test_a_person_may_send_so_many_a_minute_wherever_and_others_go_on(store: Store) -> None:
    talk = Talk(store, person=Limit(messages=3))
    for place in ("p", "q", "r"):
        await talk.say(place=place)
        talk.clock.now += 10
    assert await talk.refused() == ("flood", notice("flood", seconds=30), 30)
    await talk.say(person="bob")
    talk.clock.now += 30
    await talk.say()
    assert (await talk.refused())[0] == "flood"


async def test_what_was_taken_in_before_is_a_duplicate_and_no_flood(store: Store) -> None:
    talk = Talk(store, person=Limit(messages=1))
    first = await talk.say(key="again")
    assert await talk.refused()
    again = await talk.say(key="again")
    assert (again.duplicate, again.message_id) == (True, first.message_id)


async def test_in_one_place_all_count_together(store: Store) -> None:
    talk = Talk(store, place=Limit(messages=2))
    await talk.say(person="ann")
    await talk.say(person="bob")
    assert (await talk.refused(person="eve"))[0] == "flood"
    await talk.say(person="eve", place="elsewhere")


async def test_a_days_tokens_are_used_up_until_midnight(store: Store) -> None:
    talk = Talk(store, person=Limit(tokens=100))
    person = (await talk.say()).person_id
    await store.add_usage(model="m", prompt_tokens=60, completion_tokens=39, engine_ms=1.0, person_id=person)
    await _at(store, talk.clock.now)
    await talk.say()
    said = await talk.allowance.today("web", "ann", language="en")
    assert said == notice("usage_of", used="99", limit="100", hours=23)
    await store.add_usage(model="m", prompt_tokens=1, completion_tokens=0, engine_ms=1.0, person_id=person)
    await _at(store, talk.clock.now)
    code, sentence, seconds = await talk.refused(language="zh")
    assert (code, sentence, seconds) == ("spent", notice("spent", "zh", hours=23), 23 * 3600)
    await talk.say(person="bob")
    talk.clock.now = MIDNIGHT + 86_400
    await talk.say()


async def test_a_places_tokens_are_used_up_for_everybody(store: Store) -> None:
    talk = Talk(store, place=Limit(tokens=10))
    place = (await talk.say()).place_id
    await store.add_usage(model="m", prompt_tokens=10, completion_tokens=0, engine_ms=1.0, place_id=place)
    await _at(store, talk.clock.now)
    assert (await talk.refused(person="bob"))[0] == "spent"
    await talk.say(place="elsewhere")


async def test_without_limits_nothing_is_asked_of_the_database() -> None:
    allowance = Allowance(store=None)  # type: ignore[arg-type]
    await allowance.check(Incoming("k", Place("web", "p"), Person("web", "ann"), "hello"))


async def test_who_has_no_limit_still_learns_what_they_used(store: Store) -> None:
    talk = Talk(store)
    assert await talk.allowance.today("web", "nobody", language="en") == notice("usage", used="0")


async def _at(store: Store, moment: float) -> None:
    from bot.store.tables import usage

    async with store._database.write() as connection:
        await connection.execute(update(usage).values(created=moment))
