"""One person in several channels: a token joins what two have said, used and rated, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.messages import Person, Place
from bot.store import Store
from bot.store.tables import audit, shelf

ANN = Person("web", "ann", name="Ann")
PHONE = Person("telegram", "7", name="Ann T.")


async def say(store: Store, who: Person, text: str, *, key: str) -> Any:
    return await store.accept(
        channel=who.channel,
        key=key,
        place_key=f"place of {who.key}",
        site="",
        person_key=who.key,
        person_name=who.name,
        language=who.language,
        text=text,
        correlation=key,
        command=False,
    )


async def test_a_token_joins_two_people_and_what_they_said(store: Store) -> None:
    first = await say(store, ANN, "from the page", key="k1")
    await say(store, PHONE, "from the phone", key="k2")
    token = await store.invite(ANN)
    assert await store.invited(token) == ANN
    assert await store.link(token, PHONE)
    assert await store.who("telegram", "7") == first.person_id
    exported = await store.export(first.person_id)
    assert [said["content"][0]["text"] for said in exported["messages"]] == [
        "from the page",
        "from the phone",
    ]
    assert {each["channel"] for each in exported["identities"]} == {"web", "telegram"}
    await store.forget(first.person_id)
    assert (await store.export(first.person_id))["messages"] == []
    async with store._database.read() as connection:
        actions = list((await connection.execute(select(audit.c.action))).scalars())
    assert actions == ["link", "forget"]


async def test_a_token_is_good_once_and_for_a_while_and_lies_nowhere_as_it_is(store: Store) -> None:
    token, late = await store.invite(ANN), await store.invite(ANN)
    async with store._database.read() as connection:
        notes = [str(tuple(row)) for row in (await connection.execute(select(shelf))).all()]
    assert len(notes) == 2
    assert not any(token in note for note in notes)
    assert await store.link(token, PHONE)
    assert not await store.link(token, replace(PHONE, key="8"))
    assert await store.invited(token) is None
    async with store._database.write() as connection:
        await connection.execute(update(shelf).values(until=1.0))
    assert await store.invited(late) is None
    assert not await store.link(late, replace(PHONE, key="9"))
    assert not await store.link("guessed", PHONE)


async def test_nobody_becomes_two_in_one_channel_nor_joins_themselves(store: Store) -> None:
    assert not await store.link(await store.invite(ANN), ANN)
    assert await store.link(await store.invite(ANN), PHONE)
    assert not await store.link(await store.invite(ANN), replace(PHONE, key="8"))
    assert not await store.link(await store.invite(ANN), PHONE)  # it is done already


async def test_several_at_once_join_two_people_once_and_lose_nothing_that_is_said_meanwhile(
    store: Store,
) -> None:
    for number in range(10):
        ann, phone = replace(ANN, key=f"ann-{number}"), replace(PHONE, key=f"phone-{number}")
        other = replace(PHONE, key=f"other-{number}")
        await say(store, phone, "first", key=f"first-{number}")
        tokens = [await store.invite(ann), await store.invite(ann), await store.invite(phone)]
        joined = await asyncio.gather(
            store.link(tokens[0], phone),
            store.link(tokens[1], other),
            store.link(tokens[2], ann),
            *(say(store, phone, "more", key=f"more-{number}-{each}") for each in range(4)),
        )
        assert joined[:3].count(True) == 1, "nobody is two in one channel"
        with_ann = other if joined[1] else phone
        assert await store.who(*_identity(ann)) == await store.who(*_identity(with_ann))
        theirs = await store.who(*_identity(phone))
        assert theirs is not None
        assert len((await store.export(theirs))["messages"]) == 5


def _identity(who: Person) -> tuple[str, str]:
    return who.channel, who.key


async def test_an_answer_under_way_is_used_by_whom_its_asker_has_become(house: Any, store: Store) -> None:
    await house.say("hello")
    lease = await house.one()
    begun = await house.begin(lease)
    assert await store.link(await store.invite(PHONE), Person("web", "ann"))
    await store.finish(
        lease, begun.answer_id, state="done", finish_reason="stop", prompt_tokens=3, completion_tokens=4
    )
    person_id = await store.who("telegram", "7")
    assert person_id is not None
    assert (await store.used(person_id)).answers == 1


async def test_who_rated_the_same_answer_twice_keeps_one_thumb(house: Any, store: Store) -> None:
    await house.say("hello")
    lease = await house.one()
    begun = await house.begin(lease)
    await store.finish(lease, begun.answer_id, state="done", finish_reason="stop")
    where = Place("web", "p1")
    assert await store.rate(where, Person("web", "ann"), message_id=begun.answer_id, value=1)
    assert await store.rate(where, PHONE, message_id=begun.answer_id, value=-1)
    assert await store.link(await store.invite(Person("web", "ann")), PHONE)
    person_id = await store.who("web", "ann")
    assert person_id is not None
    assert [each["value"] for each in (await store.export(person_id))["feedback"]] == [1]


@pytest.mark.parametrize("linked", [False, True])
async def test_a_person_is_invited_where_they_are_not_known_yet(store: Store, *, linked: bool) -> None:
    channels = ("web", "slack", "telegram")
    if linked:
        assert await store.link(await store.invite(ANN), PHONE)
    assert await store.elsewhere(ANN, channels) == (["slack"] if linked else ["slack", "telegram"])
