"""What a viewer sees and what the model remembers, wherever the viewer comes in."""

from __future__ import annotations

from typing import Any

import pytest

from bot.messages import Event, Said
from bot.store import Store


async def test_a_viewer_sees_each_step_in_order(house: Any, store: Store) -> None:
    accepted = await house.say("hello")
    lease = await house.one()
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "Hi ")
    watching = await house.seen(accepted.place_id)
    await house.piece(lease, begun.answer_id, 2, "there.")
    await house.end(lease, begun.answer_id, notice="bye")
    await watching.catch_up(store, accepted.place_id)
    question, told = accepted.message_id, begun.answer_id
    kinds = [(event.kind, event.said.message_id, event.text, event.before) for event in watching.events]
    note = watching.events[-1].said.message_id
    assert kinds == [
        ("said", question, "", ""),
        ("said", told, "", ""),
        ("piece", told, "Hi ", ""),
        ("piece", told, "there.", "Hi "),
        ("ended", told, "", ""),
        ("ended", question, "", ""),
        ("said", note, "", ""),
    ]
    assert watching.events[1] == Event(
        watching.events[1].clock, "said", Said(told, "model", "", "answering", question)
    )
    assert watching.texts() == [
        ("person", "hello", "done"),
        ("model", "Hi there.", "done"),
        ("house", "bye", "done"),
    ]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 500])
async def test_a_conversation_reads_the_same_in_any_portions(house: Any, store: Store, chunk: int) -> None:
    for turn in range(3):
        accepted = await house.say(f"question {turn}")
        await house.answer(await house.one(), "one ", "two ", "three")
        await store.note(accepted.place_id, "a note")
    whole = await house.seen(accepted.place_id)
    assert (await house.seen(accepted.place_id, chunk=chunk)).texts() == whole.texts()
    assert len(whole.texts()) == 9


async def test_any_cursor_leads_to_the_same_picture(house: Any, store: Store) -> None:
    accepted = await house.say("hello")
    lease = await house.one()
    begun = await house.begin(lease)
    for seq in (1, 2, 3):
        await house.piece(lease, begun.answer_id, seq, f"{seq} ")
        if seq == 2:
            await house.say("and?")
    await house.end(lease, begun.answer_id, "stopped")
    whole = await house.seen(accepted.place_id)
    for cut in range(1, len(whole.events)):
        viewer = await house.seen(accepted.place_id, chunk=cut)
        assert viewer.texts() == whole.texts()
        late = type(whole)()
        for event in whole.events[:cut]:
            late.see(event)
        await late.catch_up(store, accepted.place_id)
        assert late.texts() == whole.texts()


async def test_who_comes_late_is_sent_an_answer_and_not_its_pieces(house: Any) -> None:
    accepted = await house.say("hello")
    await house.answer(await house.one(), *(f"{n} " for n in range(30)))
    kinds = [event.kind for event in (await house.seen(accepted.place_id)).events]
    assert kinds == ["said", "said", "piece", "ended", "ended"]


async def test_nothing_new_is_an_empty_list(house: Any, store: Store) -> None:
    accepted = await house.say("hello")
    viewer = await house.seen(accepted.place_id)
    assert await store.timeline(accepted.place_id, after=viewer.cursor, limit=10) == []
    assert await store.timeline(4711, after=0, limit=10) == []


async def test_a_cursor_that_the_place_never_reached_starts_anew(house: Any) -> None:
    """As after a database was restored from a backup."""
    accepted = await house.say("hello")
    viewer = await house.seen(accepted.place_id, after=10_000)
    assert [event.kind for event in viewer.events] == ["cleared", "said"]


async def test_history_is_questions_each_followed_by_its_answer(house: Any, store: Store) -> None:
    first = await house.say("one")
    await house.say("two")
    await house.answer(await house.one(), "1")
    lease = await house.one()
    history = await store.history(first.place_id, before_message_id=lease.message_id, limit=10)
    assert [(m.author, m.text) for m in history] == [("person", "one"), ("model", "1")]
    await house.answer(lease, "2", state="stopped")
    await store.note(first.place_id, "a notice")
    third = await house.say("three")
    history = await store.history(first.place_id, before_message_id=third.message_id, limit=10)
    assert [m.text for m in history] == ["one", "1", "two", "2"]
    history = await store.history(first.place_id, before_message_id=third.message_id, limit=3)
    assert [m.text for m in history] == ["1", "two", "2"]


async def test_history_leaves_out_what_was_refused_and_what_was_never_shown(house: Any, store: Store) -> None:
    await house.say("bad")
    await house.end(await house.one(), state="refused", notice="no")
    await house.say("unlucky")
    await house.answer(await house.one(), state="failed")
    last = await house.say("now")
    history = await store.history(last.place_id, before_message_id=last.message_id, limit=10)
    assert [m.text for m in history] == ["unlucky"]


async def test_history_begins_at_the_reset(house: Any, store: Store) -> None:
    accepted = await house.say("before")
    await house.answer(await house.one(), "x")
    await house.say("/reset", command=True)
    await store.reset(accepted.place_id)
    await house.say("after")
    await house.answer(await house.one(), "y")
    last = await house.say("now")
    history = await store.history(last.place_id, before_message_id=last.message_id, limit=10)
    assert [m.text for m in history] == ["after", "y"]
    assert len((await house.seen(accepted.place_id)).messages) == 6, "viewers keep what they see"


async def test_a_place_moves_with_what_was_said_but_onto_no_other(house: Any, store: Store) -> None:
    said = await house.say("before", place="old")
    assert await store.move("web", "old", to="new", site="new site")
    place = (await house.one()).place
    assert (place.id, place.key, place.site) == (said.place_id, "new", "new site")
    again = await house.say("after", place="new")
    assert again.place_id == said.place_id
    assert (await store.find("web", "new"), await store.find("web", "old")) == (said.place_id, None)
    assert not await store.move("web", "old", to="newer", site="")
    await house.say("elsewhere", place="other")
    assert not await store.move("web", "new", to="other", site="")
