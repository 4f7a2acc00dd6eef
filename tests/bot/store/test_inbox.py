"""What comes in is kept once, waits its turn, and belongs to one bot at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.store import AnswerStopped, Lease, LeaseLost, Store
from bot.store.answers import Answers


async def test_a_message_is_there_once_it_is_accepted(house: Any, store: Store) -> None:
    accepted = await house.say("hello")
    assert not accepted.duplicate
    lease = await house.one()
    assert (lease.message_id, lease.text, lease.attempt) == (accepted.message_id, "hello", 1)
    assert (lease.place.channel, lease.place.key, lease.place.site) == ("web", "p1", "demo")
    assert (lease.place.language, lease.place.persona, lease.place.mode) == ("en", "", "assistant")


async def test_a_key_seen_before_changes_nothing(house: Any) -> None:
    first = await house.say("hello", key="k")
    again = await house.say("hello", key="k")
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    assert len((await house.seen(first.place_id)).events) == 1


async def test_the_same_key_at_the_same_moment_is_one_message(house: Any) -> None:
    accepted = await asyncio.gather(*(house.say("hello", key="k") for _ in range(12)))
    assert len({a.message_id for a in accepted}) == 1
    assert [a.duplicate for a in accepted].count(False) == 1
    await house.answer(await house.one(), "hi")
    assert await house.lease() == []


async def test_newcomers_who_speak_in_several_places_at_once_are_one_person(house: Any) -> None:
    accepted = await asyncio.gather(*(house.say(place=f"p{n}", person="ann") for n in range(12)))
    assert len({a.person_id for a in accepted}) == 1


async def test_a_redelivery_after_the_answer_is_not_answered_again(house: Any) -> None:
    await house.say(key="k")
    await house.answer(await house.one(), "hi")
    assert (await house.say(key="k")).duplicate
    assert await house.lease() == []


async def test_a_command_waits_for_no_answer(house: Any) -> None:
    accepted = await house.say("/help", command=True)
    assert await house.lease() == []
    assert (await house.seen(accepted.place_id)).texts() == [("person", "/help", "done")]


async def test_a_place_is_answered_one_at_a_time_in_order(house: Any) -> None:
    for text in ("one", "two", "three"):
        await house.say(text)
    told = []
    for _ in range(3):
        lease = await house.one()
        assert await house.lease(owner="bot-2") == []
        told.append(lease.text)
        await house.answer(lease, "ok")
    assert told == ["one", "two", "three"]
    assert await house.lease() == []


async def test_places_do_not_wait_for_each_other(house: Any) -> None:
    for place in ("a", "b", "c"):
        await house.say(place=place)
    assert {lease.place.key for lease in await house.lease()} == {"a", "b", "c"}


async def test_no_more_than_the_limit_is_leased(house: Any) -> None:
    for place in ("a", "b", "c"):
        await house.say(place=place)
    assert [lease.place.key for lease in await house.lease(limit=2)] == ["a", "b"]


async def test_several_bots_never_lease_the_same_message(house: Any) -> None:
    for place in range(20):
        await house.say(place=f"p{place}")
    taken = await asyncio.gather(*(house.lease(owner=f"bot-{n}", limit=5) for n in range(8)))
    ids = [lease.inbox_id for leases in taken for lease in leases]
    assert len(ids) == len(set(ids))
    rest = await house.lease()
    assert len(ids) + len(rest) == 20


async def test_a_lease_that_ran_out_is_taken_by_another(house: Any, store: Store) -> None:
    await house.say()
    dead = await house.one(ttl=0.0)
    lease = await house.one(owner="bot-2")
    assert (lease.message_id, lease.attempt) == (dead.message_id, 2)
    assert not await store.renew(dead, ttl=15.0)
    assert await store.renew(lease, ttl=15.0)


async def test_a_lease_from_before_the_clock_jumped_back_is_over(house: Any) -> None:
    await house.say()
    await house.one(ttl=3600.0)  # its end lies further ahead than any lease of 15 s can end
    assert (await house.one(owner="bot-2", ttl=15.0)).attempt == 2


async def test_a_renewed_lease_is_nobody_elses(house: Any, store: Store) -> None:
    await house.say()
    lease = await house.one(ttl=0.0)
    assert await store.renew(lease, ttl=15.0)
    assert await house.lease(owner="bot-2") == []


async def test_a_released_message_is_free_at_once(house: Any, store: Store) -> None:
    await house.say()
    first = await house.one()
    await store.release(first)
    assert (await house.one(owner="bot-2")).attempt == 2
    with pytest.raises(LeaseLost):
        await house.begin(first)


async def test_releasing_a_lost_lease_takes_nothing_from_its_new_owner(house: Any, store: Store) -> None:
    await house.say()
    dead = await house.one(ttl=0.0)
    lease = await house.one(owner="bot-2")
    await store.release(dead)
    assert await store.renew(lease, ttl=15.0)


async def test_stop_ends_what_waits_and_names_what_is_under_way(house: Any, store: Store) -> None:
    accepted = await house.say("one")
    await house.say("two")
    lease = await house.one()
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "half")
    correlations = await store.request_cancel(accepted.place_id)
    assert correlations[0] == lease.correlation
    assert len(correlations) == 2
    states = {said.text: said.state for said in (await house.seen(accepted.place_id)).messages.values()}
    assert states == {"one": "queued", "two": "stopped", "half": "answering"}
    with pytest.raises(AnswerStopped):
        await house.piece(lease, begun.answer_id, 2, " and no more")
    await house.end(lease, begun.answer_id, "stopped")
    assert await house.lease() == []
    assert await store.request_cancel(accepted.place_id) == []


async def test_stop_is_remembered_for_an_answer_that_is_given_back(house: Any, store: Store) -> None:
    accepted = await house.say()
    lease = await house.one()
    await store.request_cancel(accepted.place_id)
    await store.release(lease)
    assert (await house.one()).ended  # all that is left is to tell it
    assert (await house.seen(accepted.place_id)).texts() == [("person", "hello", "stopped")]


async def test_stop_is_remembered_when_the_owner_dies(house: Any, store: Store) -> None:
    accepted = await house.say()
    lease = await house.one(ttl=0.3)
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "half")
    await store.request_cancel(accepted.place_id)
    await asyncio.sleep(0.4)  # the lease runs out
    assert (await house.one(owner="bot-2")).ended
    seen = await house.seen(accepted.place_id)
    assert seen.texts() == [("person", "hello", "stopped"), ("model", "half", "stopped")]


async def test_what_was_stopped_and_is_forgotten_as_it_is_leased_again_troubles_nobody(
    house: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await house.say()
    await house.one(ttl=0.3)
    await store.request_cancel(accepted.place_id)
    await house.say(place="other")
    await asyncio.sleep(0.4)  # the lease runs out
    finish = Answers.finish

    async def forgotten_before(self: Answers, lease: Lease, *arguments: Any, **options: Any) -> None:
        await store.forget(accepted.person_id)
        await finish(self, lease, *arguments, **options)

    monkeypatch.setattr(Answers, "finish", forgotten_before)
    assert [lease.place.key for lease in await house.lease(owner="bot-2")] == ["other"]


async def test_stop_ends_at_once_what_a_dead_bot_had_begun(house: Any, store: Store) -> None:
    accepted = await house.say()
    lease = await house.one(ttl=0.0)
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "half")
    await store.request_cancel(accepted.place_id)
    assert (await house.one(owner="bot-2")).ended
    with pytest.raises(LeaseLost):
        await house.piece(lease, begun.answer_id, 2, "more")


async def test_text_that_a_database_cannot_keep_is_made_readable(house: Any) -> None:
    accepted = await house.say("a\0b\ud800c\U0001f600")
    lease = await house.one()
    assert lease.text == "a\ufffdb\ufffdc\U0001f600"
    await house.answer(lease, "x\0y")
    assert [text for _, text, _ in (await house.seen(accepted.place_id)).texts()][-1] == "x\ufffdy"
