"""What is received of one answer, whatever order, repetition or loss it comes in."""

from __future__ import annotations

import pytest

from worker.asked import Asked
from worker.errors import JobFailed, QueueError, QueueUnavailable
from worker.jobs import AnswerJob, Ended, Event, Failed, Piece
from worker.telling import HANDED_BACK, SUPERSEDED

JOB = AnswerJob(
    id="a", attempt=3, model="m", prompt=(1,), max_tokens=9, deadline=0.0, reply_to="r", correlation="c"
)


async def received(asked: Asked) -> list[Event]:
    asked.end(asked.ending("cancelled"))
    return [event async for event in asked.events()]


async def test_pieces_of_other_attempts_change_nothing() -> None:
    asked = Asked(JOB)
    asked.take(Piece("a", 2, 0, (7,), "old"))
    asked.take(Failed("a", 2, "engine", "old"))
    asked.take(Piece("a", 3, 0, (8,), "new"))
    assert [event.text for event in await received(asked) if isinstance(event, Piece)] == ["new"]


async def test_a_piece_told_twice_is_read_once() -> None:
    asked = Asked(JOB)
    for _ in range(2):
        asked.take(Piece("a", 3, 0, (7, 8), "two"))
    asked.take(Piece("a", 3, 2, (9,), "three"))
    assert [event.text for event in await received(asked) if isinstance(event, Piece)] == ["two", "three"]


async def test_the_rest_of_the_text_told_twice_is_read_once_an_attempt() -> None:
    asked = Asked(JOB)
    asked.take(Piece("a", 3, 0, (7, 8), "two"))
    for _ in range(2):
        asked.take(Piece("a", 3, 2, (), " rest"))
    asked.requeued(asked.next_attempt())
    asked.take(Piece("a", 4, 2, (), " end"))
    assert [event.text for event in await received(asked) if isinstance(event, Piece)] == [
        "two",
        " rest",
        " end",
    ]


async def test_after_a_gap_the_next_attempt_takes_up_from_what_is_here() -> None:
    asked = Asked(JOB)
    asked.take(Piece("a", 3, 0, (7, 8), "two"))
    asked.take(Piece("a", 3, 5, (9,), "lost before"))
    asked.take(Ended("a", 3, "stop", 1, 6, 0))
    assert asked.interrupted
    again = asked.next_attempt()
    assert (again.attempt, again.emitted, again.shown) == (4, (7, 8), 3)
    asked.requeued(again)
    assert not asked.interrupted
    asked.take(Piece("a", 3, 2, (9,), "late, of the old attempt"))
    asked.take(Piece("a", 4, 2, (5,), "new"))
    assert [event.text for event in await received(asked) if isinstance(event, Piece)] == ["two", "new"]


@pytest.mark.parametrize("code", [HANDED_BACK, SUPERSEDED])
async def test_a_worker_that_lets_go_interrupts_and_does_not_fail(code: str) -> None:
    asked = Asked(JOB)
    asked.take(Failed("a", 3, code, "going"))
    assert asked.interrupted
    assert not asked.over


@pytest.mark.parametrize("error", [JobFailed("engine", "no"), QueueUnavailable()])
async def test_an_error_comes_after_what_arrived_before_it(error: QueueError) -> None:
    asked = Asked(JOB)
    asked.take(Piece("a", 3, 0, (7,), "kept"))
    asked.fail(error)
    asked.take(Piece("a", 3, 1, (8,), "too late"))
    events = asked.events()
    assert await anext(events) == Piece("a", 3, 0, (7,), "kept")
    with pytest.raises(type(error)):
        await anext(events)
