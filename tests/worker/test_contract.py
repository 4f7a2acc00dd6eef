"""One contract over the real queue and its stub: what the conversation relies on, whichever it is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from worker.client import JobFailed, Queue, QueueBusy, QueueUnavailable
from worker.jobs import AnswerJob, Ended, Piece
from worker.stub import StubQueue

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker, Model, RedisServer, Workers

LIMIT = 2


@dataclass(frozen=True)
class House:
    """A queue with one slot that makes a token each 10 ms, however it does that; `text` is what 60 of them say."""

    queue: Queue
    text: str
    go_away: Callable[[], None]


@pytest.fixture(params=["real", "stub"])
async def house(request: pytest.FixtureRequest) -> AsyncGenerator[House, None]:
    if request.param == "stub":
        words = [f"word{number} " for number in range(400)]
        async with StubQueue.scripted(lambda job: scripted(job, words), limit=LIMIT, pause=0.01) as stub:
            yield House(stub, "".join(words[:60]), stub.go_away)
        return
    workers: Workers = request.getfixturevalue("workers")
    server: RedisServer = request.getfixturevalue("redis_server")
    model: Model = request.getfixturevalue("model")
    workers.start(token_seconds=0.01, FRONTDESK_MAX_ROWS="1")
    async with Queue.open(server.url, limit=LIMIT) as queue:
        yield House(queue, model.direct(max_tokens=60)[1], server.stop)


def scripted(job: AnswerJob, words: list[str]) -> list[str]:
    if job.model == "another":
        raise JobFailed("model_not_loaded", "There is no such model.")
    return words


async def read(queue: Queue, job: AnswerJob) -> tuple[list[Piece], Ended]:
    async with asyncio.timeout(30), queue.answer(job) as events:
        pieces: list[Piece] = []
        async for event in events:
            if isinstance(event, Ended):
                return pieces, event
            pieces.append(event)
    raise AssertionError("no end")


async def test_pieces_come_in_order_and_then_the_end(house: House, job: JobMaker) -> None:
    asked = job()
    pieces, ended = await read(house.queue, asked)
    assert "".join(piece.text for piece in pieces) == house.text
    ids = [token for piece in pieces for token in piece.ids]
    assert [piece.index for piece in pieces] == [
        sum(len(earlier.ids) for earlier in pieces[:number]) for number in range(len(pieces))
    ]
    assert len(ids) == ended.completion_tokens == 60
    assert ended.reason == "length"
    assert ended.prompt_tokens == len(asked.prompt)
    assert {piece.job for piece in pieces} == {asked.id}


async def test_a_resume_repeats_nothing(house: House, job: JobMaker) -> None:
    whole, _ = await read(house.queue, job())
    ids = tuple(token for piece in whole for token in piece.ids)
    pieces, ended = await read(house.queue, job(emitted=ids[:25], shown=40))
    assert "".join(piece.text for piece in pieces) == house.text[40:]
    assert pieces[0].index == 25
    assert ended.completion_tokens == 60


async def test_cancel_ends_a_running_answer_at_once(house: House, job: JobMaker) -> None:
    asked = job(max_tokens=300)
    async with asyncio.timeout(30), house.queue.answer(asked) as events:
        await anext(events)
        began = time.monotonic()
        await house.queue.cancel(asked.id)
        *_, end = [event async for event in events]
        assert time.monotonic() - began < 1
    assert isinstance(end, Ended)
    assert end.reason == "cancelled"


async def test_cancel_ends_a_waiting_answer_before_it_starts(house: House, job: JobMaker) -> None:
    running, waiting = job(max_tokens=300), job()
    async with asyncio.timeout(30), house.queue.answer(running) as events:
        await anext(events)
        async with house.queue.answer(waiting) as none:
            await house.queue.cancel(waiting.id)
            end = await anext(none)
        assert isinstance(end, Ended)
        assert (end.reason, end.completion_tokens) == ("cancelled", 0)
        assert isinstance(await anext(events), Piece), "the running one goes on"
        await house.queue.cancel(running.id)


async def test_an_unknown_job_can_be_cancelled(house: House) -> None:
    await house.queue.cancel("never-heard-of")


async def test_a_full_queue_is_busy_with_an_estimate_and_a_resume_is_let_in(
    house: House, job: JobMaker
) -> None:
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        running = await stack.enter_async_context(house.queue.answer(job(max_tokens=300)))
        await anext(running)
        for _ in range(LIMIT):
            await stack.enter_async_context(house.queue.answer(job()))
        with pytest.raises(QueueBusy) as busy:
            await stack.enter_async_context(house.queue.answer(job()))
        assert busy.value.retry_after >= 1
        await stack.enter_async_context(house.queue.answer(job(emitted=(1,), shown=1)))


async def test_a_place_in_the_queue_is_told_with_an_estimate(house: House, job: JobMaker) -> None:
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        running, first, second = job(max_tokens=300), job(), job()
        events = await stack.enter_async_context(house.queue.answer(running))
        await anext(events)
        assert await house.queue.place(running.id) is None, "it has begun"
        assert await house.queue.place("never-heard-of") is None
        for asked in (first, second):
            await stack.enter_async_context(house.queue.answer(asked))
        while not ((place := await house.queue.place(first.id)) and place.seconds):
            await asyncio.sleep(0.05)  # until the worker's heartbeat says that it is busy
        places = [await house.queue.place(asked.id) for asked in (first, second)]
        one_more = await house.queue.estimate(second.model)
        assert [place.ahead for place in places if place] == [0, 1]
        assert one_more.ahead == 2
        seconds = [place.seconds or 0 for place in places if place]
        assert 0 < seconds[0] < seconds[1] < (one_more.seconds or 0)
        await house.queue.cancel(first.id)
        place = await house.queue.place(second.id)
        assert place is not None
        assert place.ahead == 0, "it moves up"


async def test_leaving_detaches_and_the_answer_is_made_to_its_end(house: House, job: JobMaker) -> None:
    async with asyncio.timeout(30):
        async with house.queue.answer(job(max_tokens=20)) as events:
            await anext(events)
        pieces, ended = await read(house.queue, job(max_tokens=5))
    assert len(pieces) >= 1
    assert ended.reason == "length"


async def test_a_job_that_cannot_be_done_raises_where_it_is_read(house: House, job: JobMaker) -> None:
    with pytest.raises(JobFailed) as failed:
        await read(house.queue, job(model="another"))
    assert failed.value.code == "model_not_loaded"


async def test_a_deadline_ends_an_answer(house: House, job: JobMaker) -> None:
    pieces, ended = await read(house.queue, job(max_tokens=300, deadline=time.time() + 2))
    assert pieces
    assert ended.reason == "deadline"


async def test_redis_going_away_is_said_and_never_raised_by_health(house: House, job: JobMaker) -> None:
    health = await house.queue.health()
    assert health.redis
    assert health.waiting == 0
    assert [worker.loaded for worker in health.workers] == [True]
    async with asyncio.timeout(30), house.queue.answer(job(max_tokens=400)) as events:
        await anext(events)
        house.go_away()
        with pytest.raises(QueueUnavailable):
            async for _ in events:
                pass
    with pytest.raises(QueueUnavailable):
        await read(house.queue, job())
    with pytest.raises(QueueUnavailable):
        await house.queue.cancel("any")
    assert not (await house.queue.health()).redis
