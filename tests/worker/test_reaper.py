"""Answers that nobody makes any more, over a real Redis and with workers that are only names."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING

import pytest
import redis.asyncio

from worker import client, ledger
from worker.client import JobFailed, Queue
from worker.jobs import answers_of

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker


async def test_a_job_that_kills_its_workers_is_given_up(
    redis_url: str, job: JobMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LOOK", 0.05)
    claimed: list[bytes] = []
    given_up = asyncio.Event()

    async def claimed_by_the_dying(server: redis.asyncio.Redis) -> None:
        keys = ledger.job_key("deadly"), ledger.cancelled_key("deadly")
        while not given_up.is_set():  # told, not cancelled: redis-py can lose a cancellation
            attempt = await server.hget(keys[0], "attempt")
            if attempt and await server.eval(ledger.CLAIM, 2, *keys, attempt, "dead") == b"yours":
                claimed.append(attempt)
            await asyncio.sleep(0.01)

    async with Queue.open(redis_url, limit=8) as queue, redis.asyncio.from_url(redis_url) as server:
        dying = asyncio.create_task(claimed_by_the_dying(server))
        async with asyncio.timeout(20), queue.answer(job(id="deadly")) as events, aclosing(events):
            with pytest.raises(JobFailed, match="lost"):
                await anext(events)
        given_up.set()
        await dying
    assert len(claimed) == 3


async def test_of_what_a_dead_worker_leaves_the_answers_that_had_begun_come_first(
    redis_url: str, job: JobMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LOOK", 0.2)
    jobs = [job(id="begun", emitted=(1, 2, 3), shown=4), job(id="waiting"), job(id="waiting-too")]
    queue_name = answers_of(jobs[0].model)
    async with (
        Queue.open(redis_url, limit=8) as queue,
        redis.asyncio.from_url(redis_url) as server,
        AsyncExitStack() as answers,
    ):
        for each in jobs:
            await answers.enter_async_context(queue.answer(each))
            keys = ledger.job_key(each.id), ledger.cancelled_key(each.id)
            assert await server.eval(ledger.CLAIM, 2, *keys, each.attempt, "dead") == b"yours"
        await server.delete(queue_name)  # the dead worker had taken them out
        async with asyncio.timeout(20):
            while await server.llen(queue_name) < len(jobs):
                await asyncio.sleep(0.02)
        first = await server.rpop(queue_name)  # as a worker does
        assert first == await server.hget(ledger.job_key("begun"), "message")
