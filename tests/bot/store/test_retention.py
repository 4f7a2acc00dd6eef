"""What was said goes when its days are over, all that hangs on it with it, and nothing else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from bot.store import Store
from bot.store.tables import answer, feedback, inbox, message, outbox, piece, verdict


async def _count(store: Store, table: Any) -> int:
    async with store._database.read() as connection:
        return len((await connection.execute(table.select())).all())


async def _age(store: Store, *ids: int, moment: float = 100.0) -> None:
    async with store._database.write() as connection:
        await connection.execute(update(message).where(message.c.id.in_(ids)).values(created=moment))


async def test_old_questions_go_with_all_that_hangs_on_them_and_their_keys_stay(
    house: Any, store: Store
) -> None:
    old = await house.say("old", key="old")
    await house.judge(old, text="old")
    await store.sent(old.message_id, "1", open=False, detail={})
    await house.answer(await house.one(), "old answer")
    note = await store.note(old.place_id, "an old notice")
    new = await house.say("new", key="new")
    await house.answer(await house.one(), "new answer")
    async with store._database.read() as connection:
        notices = [row.id for row in await connection.execute(message.select()) if row.author == "house"]
    await _age(store, old.message_id, *notices)
    assert note is None or note
    assert await store.clear_messages("web", before=200.0) == 2
    seen = await house.seen(new.place_id)
    assert [text for _, text, _ in seen.texts()] == ["new", "new answer"]
    for table, left in ((message, 2), (answer, 1), (piece, 1), (verdict, 0), (feedback, 0), (outbox, 0)):
        assert await _count(store, table) == left, table
    assert await _count(store, inbox) == 2
    assert (await house.say("old", key="old")).duplicate  # P1 outlives the words


async def test_what_is_still_answered_and_what_other_channels_say_stays(house: Any, store: Store) -> None:
    waiting = await house.say("waiting")
    begun = await house.say("begun", place="p2")
    await house.lease(limit=1)
    await _age(store, waiting.message_id, begun.message_id)
    assert await store.clear_messages("web", before=200.0) == 0
    for lease in await house.lease(owner="bot-1"):
        await house.answer(lease, "done")
    assert await store.clear_messages("slack", before=200.0) == 0
    assert await store.channels() == ["web"]


async def test_what_is_asked_once_more_goes_with_the_first_only_when_it_is_answered(
    house: Any, store: Store
) -> None:
    first = await house.say("old")
    answer_id = await house.answer(await house.one(), "old answer")
    again = await store.again(
        channel="web", place_key="p1", answer_id=answer_id, key="again", correlation="c"
    )
    assert again
    await _age(store, first.message_id)
    assert await store.clear_messages("web", before=200.0) == 0
    await house.answer(await house.one(), "another answer")
    assert await store.clear_messages("web", before=200.0) == 1
    assert await _count(store, message) == 0
    await house.say("and the place goes on")
    assert await house.one()


async def test_much_goes_in_portions(house: Any, store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr("bot.store.retention.MOST", 2)
    said = await house.say("first")
    await house.end(await house.one())
    for number in range(5):
        await store.note(said.place_id, f"notice {number}")
    async with store._database.write() as connection:
        await connection.execute(update(message).where(message.c.author == "house").values(created=100.0))
    assert await store.clear_messages("web", before=200.0) == 5
    assert await _count(store, message) == 1
