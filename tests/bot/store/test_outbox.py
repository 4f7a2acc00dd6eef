"""What was sent where, and the shelves of channels."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from bot.messages import Place
from bot.store import Store
from bot.store.tables import inbox


async def test_sendings_are_remembered_in_order_with_what_changed(house: Any, store: Store) -> None:
    said = await house.say()
    await store.sent(said.message_id, "1.1", open=True, detail={"from": 0})
    await store.sent(said.message_id, "1.2", open=True, detail={"from": 9})
    await store.sent(said.message_id, "1.1", open=False, detail={"from": 0, "to": 9})
    found = await store.sendings(said.message_id)
    assert [(each.platform_key, each.open, each.detail) for each in found] == [
        ("1.1", False, {"from": 0, "to": 9}),
        ("1.2", True, {"from": 9}),
    ]


async def test_sendings_go_with_their_question(house: Any, store: Store) -> None:
    said = await house.say(key="k")
    await store.sent(said.message_id, "1.1", open=True, detail={})
    await store.withdraw(Place("web", "p1"), "k")
    assert await store.sendings(said.message_id) == []
    with pytest.raises(LookupError):
        await store.sent(said.message_id, "1.2", open=True, detail={})


async def test_an_answer_that_ended_stays_leased_until_it_is_delivered(house: Any, store: Store) -> None:
    await house.say("hello")
    await house.say("and then?")
    lease = await house.one()
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "hi")
    await store.finish(
        lease, begun.answer_id, state="done", finish_reason="stop", notice="bye", delivered=False
    )
    assert await house.lease(owner="bot-2") == []  # the next message of the place waits
    await store.release(lease)
    again = await house.one(owner="bot-2")
    assert (again.message_id, again.ended, again.attempt) == (lease.message_id, True, 2)
    told = await store.told(again)
    assert (told.answer_id, told.state, told.notices) == (begun.answer_id, "done", ("bye",))
    assert [piece.text for piece in told.pieces] == ["hi"]
    await store.delivered(lease)  # the one before has no say any more
    assert await house.lease(owner="bot-3") == []
    await store.delivered(again)
    assert (await house.one(owner="bot-3")).text == "and then?"


async def test_stop_leaves_what_has_ended_to_its_delivery(house: Any, store: Store) -> None:
    said = await house.say("hello")
    lease = await house.one()
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "hi")
    await store.finish(lease, begun.answer_id, state="done", finish_reason="stop", delivered=False)
    assert await store.request_cancel(said.place_id) == []
    await store.release(lease)
    assert (await store.told(await house.one())).state == "done"


async def test_a_shelf_keeps_takes_and_forgets(store: Store) -> None:
    shelf, other = store.shelf("slack"), store.shelf("telegram")
    await shelf.put("team/1", "a")
    await shelf.put("team/1", "b")
    await shelf.put("team_2", "c")
    assert await shelf.get("team/1") == "b"
    assert await other.get("team/1") is None
    assert await shelf.names("team/") == ["team/1"]
    assert await shelf.names() == ["team/1", "team_2"]
    await shelf.drop("team/1")
    assert await shelf.get("team/1") is None


async def test_of_several_takers_one_gets_it(store: Store) -> None:
    shelf = store.shelf("slack")
    await shelf.put("state", "once")
    taken = await asyncio.gather(*(shelf.take("state") for _ in range(4)))
    assert sorted(map(str, taken)) == ["None", "None", "None", "once"]


async def test_after_its_time_nothing_is_found(store: Store) -> None:
    shelf = store.shelf("slack")
    await shelf.put("old", "x", seconds=-1)
    await shelf.put("new", "y", seconds=600)
    assert (await shelf.get("old"), await shelf.take("old"), await shelf.get("new")) == (None, None, "y")
    assert await shelf.names() == ["new"]


async def test_a_name_has_one_holder_until_it_is_given_back_or_its_time_is_over(store: Store) -> None:
    shelf = store.shelf("telegram")
    claims = [shelf.claim("poller", f"bot-{number}", seconds=60) for number in range(4)]
    assert sorted(await asyncio.gather(*claims)) == [False, False, False, True]
    holder = await shelf.get("poller")
    assert holder is not None
    assert await shelf.claim("poller", holder, seconds=60)
    await shelf.release("poller", "somebody else")
    assert not await shelf.claim("poller", "somebody else", seconds=60)
    await shelf.release("poller", holder)
    assert await shelf.claim("poller", "next", seconds=-1)
    assert await shelf.claim("poller", "the one after", seconds=60)
    assert await store.shelf("slack").claim("poller", "another channel's", seconds=60)


async def test_a_long_claim_holds_and_a_process_whose_clock_is_ahead_ends_nobodys(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = store.shelf("telegram")
    assert await shelf.claim("a long one", "bot-1", seconds=3600)
    assert not await shelf.claim("a long one", "bot-2", seconds=3600)
    if store._database.postgres:  # where several share one
        assert await shelf.claim("poller", "bot-1", seconds=15)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 60)
        await shelf.put("note", "value", seconds=5)
        assert not await shelf.claim("poller", "bot-2", seconds=15)


async def test_a_platforms_message_is_known_by_the_answer_that_it_carries(house: Any, store: Store) -> None:
    said = await house.say("hello")
    await store.sent(said.message_id, "1/2/3", open=True, detail={})
    assert await store.answer_at("web", "1/2/3") is None  # nothing is answered yet
    begun = await house.begin(await house.one())
    assert await store.answer_at("web", "1/2/3") == (Place("web", "p1", "demo"), begun.answer_id)
    assert await store.answer_at("slack", "1/2/3") is None
    assert await store.answer_at("web", "1/2/4") is None


async def test_what_was_shown_in_part_and_stopped_by_nobody_who_heard_it_is_still_told(
    house: Any, store: Store
) -> None:
    for dies in (True, False):
        said = await house.say("hello")
        lease = await house.one(ttl=-1.0 if dies else 15.0)
        begun = await house.begin(lease)
        await house.piece(lease, begun.answer_id, 1, "hi")
        if not dies:
            await store.release(lease)  # at the end of its process
        assert await store.request_cancel(said.place_id) == [lease.correlation]
        again = await house.one(owner="bot-2")
        assert again.ended
        assert (await store.told(again)).state == "stopped"
        assert await store.delivered(again)
        assert await house.lease() == []


async def test_a_stop_that_comes_while_it_is_answered_and_its_process_dies_is_still_told(
    house: Any, store: Store
) -> None:
    said = await house.say("hello")
    lease = await house.one()
    await store.request_cancel(said.place_id)
    await store.release(lease)
    again = await house.one(owner="bot-2")
    assert (again.ended, (await store.told(again)).state) == (True, "stopped")


async def test_an_answer_that_could_not_be_shown_waits_and_its_failures_are_counted(
    house: Any, store: Store
) -> None:
    await house.say("hello")
    lease = await house.one()
    await store.release(lease, seconds=60.0, failed=True)
    assert await house.lease() == []
    async with store._database.write() as connection:
        await connection.execute(inbox.update().values(lease_until=0.0))
    lease = await house.one()
    assert (lease.failures, lease.attempt) == (1, 2)
    await store.release(lease)
    assert (await house.one()).failures == 1
