"""What platforms deliver: kept once, read in order within a lane, by one process at a time, and never lost."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.store import Store
from bot.store.tables import event


async def keep(store: Store, key: str, lane: str = "a", channel: str = "slack") -> bool:
    return await store.keep_event(channel, key=key, lane=lane, body={"text": key})


async def take(store: Store, owner: str = "bot-1", ttl: float = 15.0, channel: str = "slack") -> list[str]:
    return [each.key for each in await store.take_events(channel, owner=owner, ttl=ttl, limit=9)]


async def test_an_event_is_kept_once_for_each_channel(store: Store) -> None:
    assert await keep(store, "1")
    assert not await keep(store, "1")
    assert await keep(store, "1", channel="telegram")


async def test_two_that_bring_the_same_event_keep_it_once(store: Store) -> None:
    assert sorted(await asyncio.gather(*(keep(store, "1") for _ in range(4)))) == [False, False, False, True]


async def test_of_each_lane_the_oldest_is_read_and_the_next_waits_for_it(store: Store) -> None:
    for key, lane in (("1", "a"), ("2", "a"), ("3", "b")):
        await keep(store, key, lane)
    first = await store.take_events("slack", owner="bot-1", ttl=15.0, limit=9)
    assert [(each.key, each.body, each.attempt) for each in first] == [
        ("1", {"text": "1"}, 1),
        ("3", {"text": "3"}, 1),
    ]
    assert await take(store, "bot-2") == []
    await store.event_handled(first[0].id, owner="bot-1")
    assert await take(store, "bot-2") == ["2"]


async def test_a_handled_event_is_remembered_without_its_body(store: Store) -> None:
    await keep(store, "1")
    (one,) = await store.take_events("slack", owner="bot-1", ttl=15.0, limit=9)
    await store.event_handled(one.id, owner="bot-1")
    assert not await keep(store, "1")
    async with store._database.read() as connection:
        (row,) = (await connection.execute(event.select())).all()
    assert (row.state, row.body) == ("handled", None)


async def test_a_dead_reader_s_event_is_read_by_another_and_the_dead_changes_nothing(store: Store) -> None:
    await keep(store, "1")
    (old,) = await store.take_events("slack", owner="dead", ttl=-1.0, limit=9)
    (new,) = await store.take_events("slack", owner="alive", ttl=15.0, limit=9)
    assert (new.id, new.attempt) == (old.id, 2)
    await store.event_handled(old.id, owner="dead")
    await store.hold_events([old.id], owner="alive", ttl=-1.0)
    assert await take(store) == ["1"]


async def test_a_postponed_event_waits_and_holds_its_lane(store: Store) -> None:
    await keep(store, "1")
    await keep(store, "2")
    (one,) = await store.take_events("slack", owner="bot-1", ttl=15.0, limit=9)
    await store.postpone_event(one.id, owner="bot-1", seconds=60)
    assert await take(store) == []
    async with store._database.write() as connection:
        await connection.execute(event.update().where(event.c.id == one.id).values(lease_until=0.0))
    assert await take(store) == ["1"]


async def test_what_was_given_up_is_kept_and_left_out(store: Store) -> None:
    await keep(store, "1")
    await keep(store, "2")
    (one,) = await store.take_events("slack", owner="bot-1", ttl=15.0, limit=9)
    await store.give_up_event(one.id, owner="bot-1")
    assert await take(store) == ["2"]
    async with store._database.read() as connection:
        rows = (await connection.execute(event.select().order_by(event.c.id))).all()
    assert (rows[0].state, rows[0].body) == ("failed", {"text": "1"})


async def test_what_was_handled_long_ago_is_dropped_and_what_is_open_is_not(store: Store) -> None:
    for key in ("handled", "failed", "open"):
        await keep(store, key, lane=key)
    taken = {each.key: each.id for each in await store.take_events("slack", owner="x", ttl=15.0, limit=9)}
    await store.event_handled(taken["handled"], owner="x")
    await store.give_up_event(taken["failed"], owner="x")
    assert await store.clear_events(handled_before=0.0, failed_before=0.0) == 0
    assert await store.clear_events(handled_before=1e12, failed_before=0.0) == 1
    assert await store.clear_events(handled_before=1e12, failed_before=1e12) == 1
    assert not await keep(store, "open", lane="open")
    assert await keep(store, "handled")


async def test_what_nobody_has_read_yet_goes_with_the_person(house: Any, store: Store) -> None:
    accepted = await house.say(person="ann")
    for key, who in (("1", "ann"), ("2", "bob")):
        await store.keep_event("web", key=key, lane=key, body={"text": "hello"}, person=who)
    await store.forget(accepted.person_id)
    assert await take(store, channel="web") == ["2"]


async def test_only_failures_are_counted_as_such(store: Store) -> None:
    await keep(store, "1")
    for _ in range(3):
        (one,) = await store.take_events("slack", owner="x", ttl=15.0, limit=9)
        await store.put_event_back(one.id, owner="x")
    (one,) = await store.take_events("slack", owner="x", ttl=15.0, limit=9)
    await store.postpone_event(one.id, owner="x", seconds=0)
    (one,) = await store.take_events("slack", owner="x", ttl=15.0, limit=9)
    assert (one.attempt, one.failures) == (5, 1)
