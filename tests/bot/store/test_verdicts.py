"""Verdicts are kept once, wait for people where they should, and lose their texts in time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import text, update

from bot.store import AnswerStopped, Store
from bot.store.tables import audit, verdict
from bot.store.verdicts import digest


async def _rows(store: Store, table: Any = verdict) -> list[Any]:
    async with store._database.read() as connection:
        return list((await connection.execute(table.select().order_by(table.c.id))).all())


async def _waiting(store: Store) -> list[int]:
    waiting, total = await store.waiting(limit=100)
    assert len(waiting) == total
    return [one.id for one in waiting]


async def test_a_verdict_is_kept_with_all_that_led_to_it(house: Any, store: Store) -> None:
    accepted = await house.say()
    await house.judge(accepted)
    (row,) = await _rows(store)
    assert (row.message_id, row.place_id) == (accepted.message_id, accepted.place_id)
    assert (row.channel, row.caller) == ("web", "")
    assert (row.direction, row.action, row.policy, row.text_hash) == (
        "input",
        "review",
        "p1",
        digest("hello"),
    )
    assert (row.scores, row.language, row.model) == ({"violence": 0.83, "overall": 0.9}, "en", "mini-1")
    assert row.findings[0] == {
        "check": "classifier",
        "category": "violence",
        "action": "review",
        "score": 0.83,
        "threshold": 0.8,
        "span": None,
    }
    assert (row.text, row.review, row.reviewed_by, row.reviewed_at) == ("oh no", "pending", "", None)


async def test_a_message_that_was_forgotten_meanwhile_gets_no_verdict(house: Any, store: Store) -> None:
    accepted = await house.say()
    await store.forget(accepted.person_id)
    await house.judge(accepted)
    assert await _rows(store) == []


async def test_a_message_that_is_tried_again_and_again_has_one_verdict_a_policy(
    house: Any, store: Store
) -> None:
    accepted = await house.say()
    for policy in ("p1", "p1", "p2"):
        await house.judge(accepted, policy=policy)
    assert [row.policy for row in await _rows(store)] == ["p1", "p2"]


async def test_what_was_found_in_a_piece_is_kept_with_it_or_not_at_all(house: Any, store: Store) -> None:
    accepted = await house.say()
    lease = await house.one()
    begun = await house.begin(lease)
    found = [house.judged(direction="output", text_hash="same") for _ in range(2)]
    await house.piece(lease, begun.answer_id, 1, "hm", judged=found)  # a sentence said twice is found twice
    await store.request_cancel(accepted.place_id)
    with pytest.raises(AnswerStopped):
        await house.piece(lease, begun.answer_id, 2, "late", judged=found)
    rows = await _rows(store)
    assert [(row.message_id, row.place_id) for row in rows] == [(begun.answer_id, accepted.place_id)] * 2


async def test_what_was_allowed_of_an_answer_is_written_with_its_end(house: Any, store: Store) -> None:
    await house.say()
    lease = await house.one()
    begun = await house.begin(lease)
    summed = house.judged(direction="output", action="allow", text=None, waits=False, findings=())
    await house.end(lease, begun.answer_id, judged=[summed])
    (row,) = await _rows(store)
    assert (row.message_id, row.action, row.review, row.text) == (begun.answer_id, "allow", None, None)


async def test_what_v1_sends_again_with_every_request_is_kept_once(house: Any, store: Store) -> None:
    first, second = house.judged(text_hash="aa"), house.judged(text_hash="bb")
    await store.add_verdicts([first], channel="api", caller="app")
    await store.add_verdicts([first, second], channel="api", caller="app")
    await store.add_verdicts([first], channel="api", caller="other")
    await store.add_verdicts([], channel="api", caller="app")
    found = [(row.message_id, row.place_id, row.caller, row.text_hash) for row in await _rows(store)]
    assert found == [(None, None, "app", "aa"), (None, None, "app", "bb"), (None, None, "other", "aa")]


async def test_what_was_only_asked_before_still_waits_for_a_person_when_it_is_said(
    house: Any, store: Store
) -> None:
    asked = house.judged(text_hash="aa", waits=False, text=None)
    said = house.judged(text_hash="aa")
    for one in (asked, said, asked, said):
        await store.add_verdicts([one], channel="api", caller="app")
    assert [row.review for row in await _rows(store)] == [None, "pending"]


async def test_the_worst_waits_first_and_of_each_the_newest(house: Any, store: Store) -> None:
    rows = [house.judged(action=action) for action in ("review", "block", "redact", "block", "review")]
    rows += [house.judged(waits=False, text=None), house.judged(action="allow", waits=False, text=None)]
    await store.add_verdicts(rows, channel="api", caller="app")
    assert await _waiting(store) == [4, 2, 3, 5, 1]
    shown, total = await store.waiting(limit=2)
    assert ([one.id for one in shown], total) == ([4, 2], 5)


async def test_who_decides_first_decides_and_the_second_is_told(house: Any, store: Store) -> None:
    await store.add_verdicts([house.judged()], channel="api", caller="app")
    first = await store.decide(1, "approved", by="ann", note="a film title")
    again = await store.decide(1, "approved", by="bob", note="")
    other = await store.decide(1, "rejected", by="bob", note="")
    assert first is not None
    assert again is not None
    assert other is not None
    assert (first.changed, again.changed, other.changed) == (True, False, False)
    assert (other.verdict.review, other.verdict.reviewed_by, other.verdict.note) == (
        "approved",
        "ann",
        "a film title",
    )
    assert other.verdict.reviewed_at is not None
    assert await _waiting(store) == []
    over = await store.decide(1, "rejected", by="bob", note="it is not", overrule=True)
    assert over is not None
    assert (over.changed, over.verdict.review, over.verdict.reviewed_by) == (True, "rejected", "bob")
    trail = [(row.action, row.subject, row.detail) for row in await _rows(store, audit)]
    assert trail == [
        ("verdict approved", "verdict 1", {"by": "ann", "overruled": False}),
        ("verdict rejected", "verdict 1", {"by": "bob", "overruled": True}),
    ]


async def test_there_is_nothing_to_decide_about_what_waits_for_nobody(house: Any, store: Store) -> None:
    await store.add_verdicts([house.judged(waits=False)], channel="api", caller="app")
    for overrule in (False, True):
        done = await store.decide(1, "approved", by="ann", note="", overrule=overrule)
        assert done is not None
        assert (done.changed, done.verdict.review) == (False, None)
    assert await store.decide(4711, "approved", by="ann", note="") is None
    assert await store.decisions() == []


async def test_a_verdict_is_shown_with_what_was_said_before(house: Any, store: Store) -> None:
    await house.say("first")
    await house.answer(await house.one(), "an answer")
    accepted = await house.say("second")
    await store.note(accepted.place_id, "a notice is not what was said before")
    lease = await house.one()
    await house.judge(accepted, text="second")
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "hm", judged=[house.judged(direction="output")])
    await store.add_verdicts([house.judged()], channel="api", caller="app")
    shown = [await store.verdict(number) for number in (1, 2, 3)]
    assert [one and one[1] for one in shown] == ["an answer", "second", ""]
    assert [one and one[0].place for one in shown] == ["p1", "p1", ""]
    assert await store.verdict(4711) is None


async def test_old_texts_go_with_their_place_in_the_queue_and_decisions_stay(
    house: Any, store: Store
) -> None:
    await store.add_verdicts([house.judged() for _ in range(4)], channel="api", caller="app")
    await store.decide(2, "rejected", by="ann", note="")
    day = 24 * 3600.0
    async with store._database.write() as connection:
        for number, age in ((1, 31 * day), (2, 31 * day), (3, 29 * day)):
            moved = update(verdict).where(verdict.c.id == number).values(created=time.time() - age)
            await connection.execute(moved)
    assert await store.clear_texts(before=time.time() - 30 * day) == 2
    assert await store.clear_texts(before=time.time() - 30 * day) == 0
    rows = await _rows(store)
    assert [(row.text, row.review) for row in rows] == [
        (None, None),
        (None, "rejected"),
        ("oh no", "pending"),
        ("oh no", "pending"),
    ]
    assert all(row.scores and row.text_hash for row in rows)
    assert await _waiting(store) == [4, 3]


async def test_text_that_no_database_keeps_is_kept_without_it(house: Any, store: Store) -> None:
    await store.add_verdicts([house.judged(text="a\0b \ud83d")], channel="api", caller="app")
    assert (await _rows(store))[0].text == "a\ufffdb \ufffd"


async def test_verdicts_of_the_version_before_are_carried_over(house: Any, store: Store) -> None:
    """Down to the schema before and up again, with rows in it."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    from bot.store.schema import Steps

    accepted = await house.say()
    await house.judge(accepted)
    await store.add_verdicts([house.judged()], channel="api", caller="app")  # had no place then
    steps = await asyncio.to_thread(Steps.read)
    step = next(iter(steps.script.walk_revisions("0001", "0002"))).module

    def move(connection: Any, way: Any) -> None:
        with Operations.context(MigrationContext.configure(connection)):
            way()

    async with store._database.write() as connection:
        await connection.run_sync(move, step.downgrade)
        before = (await connection.execute(text("SELECT message_id, text_hash FROM verdict"))).all()
        old = (
            '[{"check": "classifier", "category": "violence", "action": "review"}]'  # as it was written then
        )
        await connection.execute(text("UPDATE verdict SET findings = :old"), {"old": old})
        await connection.run_sync(move, step.upgrade)
    assert [tuple(row) for row in before] == [(accepted.message_id, digest("hello"))]
    (row,) = await _rows(store)
    assert (row.message_id, row.place_id, row.channel) == (accepted.message_id, accepted.place_id, "web")
    assert (row.text_hash, row.findings[0]["category"], row.scores, row.review) == (
        digest("hello"),
        "violence",
        {},
        None,
    )
    shown = await store.verdict(row.id)
    assert shown
    assert shown[0].findings[0]["score"] is shown[0].findings[0]["span"] is None
    await house.judge(accepted, policy="new")  # ids go on, and so do the keys
    assert len(await _rows(store)) == 2
