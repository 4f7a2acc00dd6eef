"""What people make of what was said: corrected, taken back, rated, asked for once more."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.messages import Attachment, Person, Place
from bot.store import Store
from bot.store.tables import feedback, message, verdict
from bot.store.verdicts import digest

HERE = Place("web", "p1")
ANN = Person("web", "ann")


async def test_corrected_words_are_what_is_answered_and_remembered(house: Any, store: Store) -> None:
    await house.say("helo", key="k")
    assert await store.revise("web", "k", "hello")
    lease = await house.one()
    assert lease.text == "hello"
    await house.answer(lease, "hi")
    assert await store.revise("web", "k", "hello there")
    later = await house.say("and now?")
    history = await store.history(later.place_id, before_message_id=later.message_id, limit=9)
    assert [message.text for message in history] == ["hello there", "hi"]
    assert not await store.revise("web", "unknown", "x")


async def test_corrected_words_are_judged_anew_and_the_old_verdict_goes(house: Any, store: Store) -> None:
    said = await house.say("hello", key="k")
    await house.judge(said, action="review", text="hello")
    await house.answer(await house.one(), "hi")
    later = await house.say("and now?")

    async def unclear() -> list[bool]:
        history = await store.history(later.place_id, before_message_id=later.message_id, limit=9)
        return [message.unclear for message in history]

    assert await unclear() == [False, False]
    await store.revise("web", "k", "something else")
    assert await unclear() == [True, False]
    async with store._database.read() as connection:
        assert (await connection.execute(verdict.select())).all() == []


async def test_files_stay_when_the_words_change(house: Any, store: Store) -> None:
    await store.accept(
        channel="web",
        key="k",
        place_key="p1",
        site="",
        person_key="ann",
        person_name="",
        language="en",
        text="look",
        correlation="c",
        command=False,
        attachments=[Attachment("notes.md", "# Notes")],
    )
    await store.revise("web", "k", "look again")
    assert (await house.one()).text == "look again\n\n[notes.md]\n# Notes"


async def test_what_is_taken_back_goes_with_its_answer(house: Any, store: Store) -> None:
    first = await house.say("hello", key="k")
    await house.answer(await house.one(), "hi")
    assert await store.withdraw(HERE, "k") == []
    assert await store.find("web", "p1") is None
    assert await store.withdraw(HERE, "k") == []
    assert (await house.say("hello", key="k")).duplicate  # a late redelivery is not answered
    assert first.place_id


async def test_what_is_taken_back_while_it_is_answered_names_what_to_stop(house: Any, store: Store) -> None:
    await house.say("hello", key="k")
    lease = await house.one()
    assert await store.withdraw(HERE, "k") == [lease.correlation]
    assert not await store.renew(lease, ttl=15.0)


async def test_another_try_answers_the_same_question_and_forgets_the_first_pair(
    house: Any, store: Store
) -> None:
    await house.say("a joke, please")
    answer_id = await house.answer(await house.one(), "no")
    again = await store.again(channel="web", place_key="p1", answer_id=answer_id, key="b1", correlation="x")
    assert again
    assert not again.duplicate
    lease = await house.one()
    assert (lease.text, lease.again, lease.key) == ("a joke, please", True, "b1")
    second = await house.answer(lease, "knock knock")
    later = await house.say("another one")
    history = await store.history(later.place_id, before_message_id=later.message_id, limit=9)
    assert [message.text for message in history] == ["a joke, please", "knock knock"]

    same = await store.again(channel="web", place_key="p1", answer_id=answer_id, key="b1", correlation="y")
    assert same
    assert same.duplicate
    for place, wanted, key in (("p1", answer_id, "b2"), ("p2", second, "b3"), ("p1", 999, "b4")):
        asked = store.again(channel="web", place_key=place, answer_id=wanted, key=key, correlation="z")
        assert await asked is None


async def test_an_answer_under_way_is_not_tried_again(house: Any, store: Store) -> None:
    await house.say("hello")
    begun = await house.begin(await house.one())
    asked = store.again(channel="web", place_key="p1", answer_id=begun.answer_id, key="b", correlation="x")
    assert await asked is None


async def test_a_reason_given_after_the_thumb_is_kept_beside_it(house: Any, store: Store) -> None:
    await house.say()
    answer_id = await house.answer(await house.one(), "hi")

    async def kept() -> tuple[int, str]:
        async with store._database.read() as connection:
            (row,) = (await connection.execute(feedback.select())).all()
        return row.value, row.reason

    assert await store.rate(HERE, ANN, message_id=answer_id, value=-1)
    assert await store.rate(HERE, ANN, message_id=answer_id, value=-1, reason="too short")
    assert await kept() == (-1, "too short")
    assert await store.rate(HERE, ANN, message_id=answer_id, value=-1)
    assert await kept() == (-1, "too short")
    assert await store.rate(HERE, ANN, message_id=answer_id, value=1)
    assert await kept() == (1, "")
    assert not await store.rate(Place("web", "p2"), ANN, message_id=answer_id, value=1)


async def test_a_verdict_on_words_that_were_changed_meanwhile_does_not_clear_the_new_ones(
    house: Any, store: Store
) -> None:
    said = await house.say("hello", key="k")
    lease = await house.one()
    await store.revise("web", "k", "something else")
    await house.judge(said, action="allow", text_hash=digest(lease.text))
    await house.answer(lease, "hi")
    later = await house.say("and now?")
    history = await store.history(later.place_id, before_message_id=later.message_id, limit=9)
    assert [(message.text, message.unclear) for message in history] == [
        ("something else", True),
        ("hi", False),
    ]


async def test_what_was_asked_again_is_corrected_and_taken_back_with_the_first(
    house: Any, store: Store
) -> None:
    await house.say("my privat words", key="k")
    first = await house.answer(await house.one(), "no")
    await store.again(channel="web", place_key="p1", answer_id=first, key="b1", correlation="x")
    assert await store.revise("web", "k", "my private words")
    second = await house.answer(await house.one(), "yes")
    again = store.again(channel="web", place_key="p1", answer_id=second, key="b2", correlation="y")
    assert await again
    lease = await house.one()
    assert lease.text == "my private words"
    assert await store.withdraw(HERE, "k") == [lease.correlation]
    assert not await store.renew(lease, ttl=15.0)
    async with store._database.read() as connection:
        assert (await connection.execute(message.select())).all() == []


async def test_what_is_taken_back_before_it_comes_in_stays_out(house: Any, store: Store) -> None:
    assert await store.withdraw(HERE, "late") == []
    assert (await house.say("hello", key="late")).duplicate
    assert await house.lease() == []


async def test_two_presses_of_one_button_ask_once_and_both_are_told_so(house: Any, store: Store) -> None:
    await house.say("hello")
    answer_id = await house.answer(await house.one(), "hi")
    both = await asyncio.gather(
        *(
            store.again(channel="web", place_key="p1", answer_id=answer_id, key="b", correlation="x")
            for _ in range(2)
        )
    )
    assert sorted(each.duplicate for each in both if each) == [False, True]
    assert len(await house.lease()) == 1


async def test_a_place_of_which_only_the_house_s_sentences_are_left_is_empty(
    house: Any, store: Store
) -> None:
    said = await house.say("hello", key="k")
    await store.note(said.place_id, "I am busy.")
    await store.withdraw(HERE, "k")
    assert await store.find("web", "p1") is None


async def test_rating_and_forgetting_at_once_end_both(house: Any, store: Store) -> None:
    accepted = await house.say(person="ann")
    answer_id = await house.answer(await house.one(), "hi")
    german = Person("web", "ann", language="de")  # another language than the one that is kept
    for _ in range(5):
        await asyncio.gather(
            store.rate(HERE, german, message_id=answer_id, value=1), store.forget(accepted.person_id)
        )
