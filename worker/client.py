"""The bot's end of the queue: ask for an answer, read it as it is made, cancel, see how the workers are.

Knows Redis, jobs and attempts. Opens three connections or so for the whole process, and reads one stream for all its
answers. What a worker does with a job stands in `tasks`; what is done with an answer is the caller's business.
"""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import redis
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from worker import ledger
from worker.asked import Asked
from worker.errors import JobFailed, QueueBusy, QueueError, QueueUnavailable
from worker.forecast import Estimate, Forecast, Mean
from worker.health import Health, WorkerInfo
from worker.jobs import AnswerJob, Ended, Event, Piece, answers_of, encode_event, model_of
from worker.message import envelope
from worker.reaper import Reaper
from worker.roll import Roll
from worker.stream import BLOCK, LENGTH, Reader

__all__ = [
    "Estimate",
    "Health",
    "JobFailed",
    "Queue",
    "QueueBusy",
    "QueueError",
    "QueueUnavailable",
    "WorkerInfo",
]

log = structlog.get_logger(__name__)

LOOK = 1.0  # seconds between two looks at the answers under way; P3's ten seconds leave room for four silent ones
RECONNECT = (0.0, 0.1, 0.3, 0.6)  # waits before open answers are given up; a restart of the server takes less
RETRY = 1.0  # seconds between later tries
TIMEOUT = 5.0  # seconds for any command; the reader's waits longer
CANCEL_AGAIN = 0.1  # seconds
GOODBYE = 1.0  # seconds at the end for taking our stream along


class Queue:
    """One per process, opened with `Queue.open`."""

    def __init__(
        self, *, client: redis.asyncio.Redis, reader: redis.asyncio.Redis, limit: int, max_wait: float
    ) -> None:
        self.reply_to = f"frontdesk:replies:{uuid.uuid4().hex}"
        self._client = client
        self._limit = limit
        self._max_wait = max_wait
        self._reader = Reader(reader, stream=self.reply_to)
        self._asked: dict[str, Asked] = {}
        self._roll = Roll(client)
        self._reaper = Reaper(client, cancel=self.cancel, roll=self._roll)
        self._mean = Mean()
        self._interrupted = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, redis_url: str, *, limit: int, max_wait: float = math.inf
    ) -> AsyncGenerator[Queue, None]:
        """The queue on a Redis server (redis://, rediss:// or unix://), away or not. `limit` jobs may wait for each
        model, and none that would begin later than in `max_wait` seconds."""
        # One try more at once, for a connection that a restarted server has closed; longer waits are decided here.
        options: dict[str, Any] = {"socket_connect_timeout": TIMEOUT, "retry": Retry(NoBackoff(), 1)}
        client = redis.asyncio.from_url(redis_url, socket_timeout=TIMEOUT, **options)
        reader = redis.asyncio.from_url(redis_url, socket_timeout=BLOCK + TIMEOUT, **options)
        queue = cls(client=client, reader=reader, limit=limit, max_wait=max_wait)
        with suppress(redis.RedisError, OSError, TimeoutError):
            async with asyncio.timeout(RETRY):  # who is there is known from the beginning, if it can be
                await queue._roll.call()
        tasks = [
            asyncio.create_task(queue._read(), name="queue reader"),
            asyncio.create_task(queue._look(), name="queue reaper"),
        ]
        try:
            yield queue
        finally:
            await _ended(tasks)
            with suppress(redis.RedisError, OSError):
                async with asyncio.timeout(GOODBYE):  # else it ends by its own time
                    await client.delete(queue.reply_to)
            await client.aclose()
            await reader.aclose()

    # -- asking --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def answer(self, job: AnswerJob) -> AsyncGenerator[AsyncGenerator[Piece | Ended, None], None]:
        """Queue the job and yield its pieces and, last, its end. Leaving the block detaches, and cancels nothing.

        A worker's death costs a pause: another attempt takes up where the last piece ended. Raises QueueBusy (only a
        job that resumes nothing is refused), QueueUnavailable and JobFailed, the latter two also while reading.
        """
        asked = Asked(job)
        before = self._asked.get(job.id)
        self._asked[job.id] = asked
        if before is not None:
            before.fail(JobFailed("superseded", "The same process asked for this answer again."))
        began = time.monotonic()
        try:
            await self._submit(asked)
            async with aclosing(asked.events()) as events:
                yield events
        finally:
            if self._asked.get(job.id) is asked:
                del self._asked[job.id]
            if asked.ended is not None:
                self._mean.add(job, asked.ended, seconds=time.monotonic() - began)

    async def _submit(self, asked: Asked) -> None:
        job = replace(asked.job, reply_to=self.reply_to)
        forecast = self._forecast(job.model)
        room = forecast.room(limit=self._limit, max_wait=self._max_wait)
        limit = None if job.emitted or job.shown else room
        answer, first, second = await self._put(asked, job, limit=limit)
        if answer == "old" and second == self.reply_to:
            # our own earlier try, given up when Redis went away and asked again
            job = replace(job, attempt=int(first) + 1)
            answer, first, _ = await self._put(asked, job, limit=limit)
        if answer == "old":
            raise JobFailed("superseded", f"Attempt {first} of this answer counts, not {job.attempt}.")
        if answer == "busy":
            raise QueueBusy(retry_after=forecast.patience(int(first), room=room))
        if answer == "cancelled":
            asked.end(asked.ending("cancelled"))

    async def _put(self, asked: Asked, job: AnswerJob, *, limit: int | None) -> tuple[str, str, str]:
        """Into the queue, at its end unless `limit` wait there; without one, where somebody has seen the answer begin,
        at its head."""
        now = time.time()
        queue = answers_of(job.model)
        ending = Ended(job.id, job.attempt, "cancelled", len(job.prompt), len(job.emitted), 0)
        previous, asked.job = asked.job, job  # before it is in Redis: its first piece may overtake our answer
        try:
            reply: Any = await self._client.eval(
                ledger.SUBMIT,
                4,
                ledger.job_key(job.id),
                ledger.cancelled_key(job.id),
                queue,
                ledger.QUEUES,
                str(job.attempt),
                envelope(job.encode(), queue=queue, task_id=f"{job.id}:{job.attempt}"),
                job.reply_to,
                "" if limit is None else str(limit),
                "RPUSH" if limit is None else "LPUSH",  # the worker pops on the right
                str(round((max(0.0, job.deadline - now) + ledger.MARGIN_SECONDS) * 1000)),
                encode_event(ending),
                job.id,
                ledger.CHANNEL,
            )
        except (redis.RedisError, OSError) as error:
            asked.job = previous
            raise QueueUnavailable from error
        answer, first, second = (part.decode() for part in reply)
        return answer, first, second

    def _forecast(self, model: str) -> Forecast:
        """From what the workers said last, a second ago or so: nobody waits for a look at them."""
        return Forecast.of((w for w in self._roll.latest.workers if w.model == model), self._mean)

    @property
    def latest(self) -> Health:
        """How the queue was a second ago or so; nobody is asked."""
        return self._roll.latest

    async def estimate(self, model: str) -> Estimate:
        """How long one more question to a model would wait, for whoever would rather know before asking. Raises
        QueueUnavailable."""
        try:
            health = await self._roll.call()
        except (redis.RedisError, OSError) as error:
            raise QueueUnavailable from error
        return self._forecast(model).estimate(health.queued.get(answers_of(model), 0))

    async def place(self, job_id: str) -> Estimate | None:
        """How long a job that was asked for still waits; None once a worker has taken it. Channels may show it.
        Raises QueueUnavailable."""
        try:
            found: Any = await self._client.eval(ledger.PLACE, 1, ledger.job_key(job_id))
        except (redis.RedisError, OSError) as error:
            raise QueueUnavailable from error
        ahead, queue = found
        return None if ahead < 0 else self._forecast(model_of(queue.decode())).estimate(ahead)

    async def cancel(self, job_id: str) -> None:
        """Stop a job wherever it is: one that waits ends at once, one that comes later never starts, one that runs
        ends within one decoding step. Its reader gets Ended "cancelled". Raises QueueUnavailable."""
        try:
            await self._client.eval(
                ledger.CANCEL,
                2,
                ledger.cancelled_key(job_id),
                ledger.job_key(job_id),
                job_id,
                str(ledger.CANCELLED_SECONDS),
                ledger.CHANNEL,
                str(ledger.ALL_ATTEMPTS),
                str(ledger.ENDED_SECONDS),
                str(LENGTH),
            )
        except (redis.RedisError, OSError) as error:
            raise QueueUnavailable from error

    async def health(self) -> Health:
        """How the queue is; without Redis, that alone. Never raises, and takes TIMEOUT seconds at most."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._roll.call()
        except (redis.RedisError, OSError, TimeoutError):
            return Health(redis=False)

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read the stream as long as the queue is open; give up open answers only when Redis stays away."""
        failures = 0
        while True:
            try:
                self._take(await self._reader.read())
                failures = 0
            except (redis.RedisError, OSError) as error:
                if failures == len(RECONNECT):
                    log.warning("Redis is away", cause=type(error).__name__)
                    self._fail(self._asked.values())
                await asyncio.sleep(RECONNECT[failures] if failures < len(RECONNECT) else RETRY)
                failures += 1
            except Exception:  # without a reader every answer would wait for ever
                log.exception("reading failed")
                await asyncio.sleep(RETRY)

    def _fail(self, asked: Iterable[Asked]) -> None:
        for one in asked:
            one.fail(QueueUnavailable())

    def _take(self, events: list[Event]) -> None:
        for event in events:
            asked = self._asked.get(event.job)
            if asked is not None:
                asked.take(event)
                if asked.interrupted:
                    self._interrupted.set()

    # -- seeing answers through ----------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Look after the answers under way each LOOK seconds, and at once when one was interrupted."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._interrupted.wait()
            self._interrupted.clear()
            try:
                await self._look_after([asked for asked in self._asked.values() if not asked.over])
                await self._roll.call()
            except (redis.RedisError, OSError, QueueUnavailable):
                continue  # the reader notices too, and decides
            except Exception:
                log.exception("looking after the answers failed")

    async def _look_after(self, answers: list[Asked]) -> None:
        # Each is put at the head of its queue: last those that their readers have seen begin, so that they come first.
        for asked in sorted(await self._reaper.interrupted(answers), key=lambda asked: asked.begun):
            job = replace(asked.next_attempt(), reply_to=self.reply_to)
            log.warning(
                "an answer is queued anew",
                correlation=job.correlation,
                job=job.id,
                attempt=job.attempt,
                emitted=len(job.emitted),
                worker=asked.worker,
            )
            asked.requeued(job)
            answer, first, _ = await self._put(asked, job, limit=None)
            if answer == "old":
                asked.fail(JobFailed("superseded", f"Attempt {first} of this answer counts."))
            elif answer == "cancelled":
                asked.end(asked.ending("cancelled"))


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until it takes: redis-py loses a cancellation that comes while it connects (seen with 8.1)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN)
