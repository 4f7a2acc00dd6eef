"""Who is let into the queue, over a real Redis: by the wait that the workers' own heartbeats predict (P5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import redis.asyncio

from worker import ledger
from worker.client import Queue, QueueBusy, QueueUnavailable
from worker.health import WorkerInfo

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker, RedisServer

# All places taken. Before an answer was seen one counts 128 tokens: half a second each, and one has to end first.
FULL = WorkerInfo(
    name="w",
    host="h",
    pid=1,
    model="tiny",
    device="cpu",
    loaded=True,
    running=4,
    waiting=0,
    slots=4,
    queues=("answers",),
    tokens_per_second=256.0,
    queued_tokens=400,
)


@asynccontextmanager
async def opened(url: str, worker: WorkerInfo, *, max_wait: float) -> AsyncGenerator[Queue, None]:
    """The queue once it has heard of a worker that does nothing but say how it is."""
    async with redis.asyncio.from_url(url) as client, Queue.open(url, limit=64, max_wait=max_wait) as queue:
        await beat(client, worker)
        await queue.health()
        yield queue


async def beat(client: redis.asyncio.Redis, worker: WorkerInfo) -> None:
    await client.set(ledger.worker_key(worker.name), worker.encode())
    await client.zadd(ledger.WORKERS, {worker.name: time.time()})


async def test_a_job_that_would_begin_too_late_is_refused_at_once_with_the_seconds(
    redis_url: str, job: JobMaker
) -> None:
    async with opened(redis_url, FULL, max_wait=2.0) as queue, AsyncExitStack() as stack:
        for ahead in range(4):
            estimate = await queue.estimate("tiny")
            assert (estimate.ahead, estimate.seconds) == (ahead, 0.5 + ahead * 0.5)
            await stack.enter_async_context(queue.answer(job()))
        began = time.monotonic()
        with pytest.raises(QueueBusy) as busy:
            await stack.enter_async_context(queue.answer(job()))
        assert busy.value.retry_after == 1, "half a second until one more has its turn"
        assert time.monotonic() - began < 1
        assert (await queue.health()).waiting == 4, "what is refused leaves nothing behind"
        await stack.enter_async_context(queue.answer(job(emitted=(5,), shown=1)))


async def test_an_engine_with_too_much_to_do_refuses_though_nobody_is_in_the_queue(
    redis_url: str, job: JobMaker
) -> None:
    behind = replace(FULL, waiting=4, queued_tokens=256 * 60)
    async with opened(redis_url, behind, max_wait=20.0) as queue:
        estimate = await queue.estimate("tiny")
        assert (estimate.ahead, estimate.seconds) == (4, 30.5)
        with pytest.raises(QueueBusy) as busy:
            async with queue.answer(job()):
                pass
        assert 10 <= busy.value.retry_after <= 12, "so long until the wait is 20 seconds"


async def test_a_worker_that_gets_faster_lets_more_in_without_being_asked(
    redis_url: str, job: JobMaker
) -> None:
    slow = replace(FULL, tokens_per_second=1.0)
    async with (
        asyncio.timeout(30),
        opened(redis_url, slow, max_wait=10.0) as queue,
        redis.asyncio.from_url(redis_url) as client,
    ):
        with pytest.raises(QueueBusy):
            async with queue.answer(job()):
                pass
        await beat(client, replace(FULL, running=0, queued_tokens=0))
        while True:  # it looks each second
            try:
                async with queue.answer(job()):
                    break
            except QueueBusy:
                await asyncio.sleep(0.05)


async def test_without_redis_there_is_no_estimate(redis_server: RedisServer, job: JobMaker) -> None:
    async with opened(redis_server.url, FULL, max_wait=2.0) as queue:
        await asyncio.to_thread(redis_server.stop)
        with pytest.raises(QueueUnavailable):
            await queue.estimate("tiny")
        with pytest.raises(QueueUnavailable):
            await queue.place("any")
