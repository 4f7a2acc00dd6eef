"""Finds answers that nobody makes any more: their worker fell silent, their message or their end got lost.

Knows the ledger and what is asked for. Queueing them anew is the client's work.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio

from worker import ledger
from worker.asked import Asked
from worker.errors import MODEL_NOT_LOADED, JobFailed
from worker.roll import Roll

# Looks in a row (each a second) that must agree before something is taken for lost: it may just be on its way.
DOUBTS = 2
RESTORED_MOST = 3  # times that a message found in no list is put back
DEATHS_MOST = (
    3  # workers in a row that die before they make a token of an answer: it is the job that kills them
)
# Seconds for which a job waits for a model that no worker has, while others have theirs: longer than a worker is gone
# that dies and is started again, short enough for whoever waits.
UNSERVED = 8.0
LATE = 5.0  # seconds past its deadline after which an answer's end is no longer awaited from the worker


class Reaper:
    """`client`, `cancel` and `roll` are the queue's."""

    def __init__(
        self, client: redis.asyncio.Redis, *, cancel: Callable[[str], Awaitable[None]], roll: Roll
    ) -> None:
        self._client = client
        self._cancel = cancel
        self._roll = roll
        self._restored: dict[tuple[str, int], int] = {}

    async def interrupted(self, answers: list[Asked]) -> list[Asked]:
        """Those to queue anew. Ends those that are past their deadline or superseded. Raises redis.RedisError."""
        for asked in answers:
            await self._end_late(asked)
        found = [asked for asked in answers if asked.interrupted and not asked.over]
        watched = [asked for asked in answers if not asked.interrupted and not asked.over]
        self._forget(watched)
        if not watched:
            return found
        async with self._client.pipeline(transaction=False) as pipeline:
            for asked in watched:
                pipeline.hmget(ledger.job_key(asked.job.id), "attempt", "state", "worker")
            records = await pipeline.execute()
        alive = await self._alive({_text(worker) for _, _, worker in records if worker})
        for asked, (attempt, state, worker) in zip(watched, records, strict=True):
            asked.worker = _text(worker)
            if await self._is_lost(asked, attempt, _text(state), worker_alive=asked.worker in alive):
                found.append(asked)
        return [asked for asked in found if not asked.over]

    async def _end_late(self, asked: Asked) -> None:
        """Whatever became of it, its time is up: the reader gets its end, and the queue its place."""
        if time.time() >= asked.job.deadline + LATE:
            asked.end(asked.ending("deadline"))
            await self._cancel(asked.job.id)

    async def _alive(self, workers: set[str]) -> set[str]:
        names = sorted(workers)
        if not names:
            return set()
        beats = await self._client.mget([ledger.worker_key(name) for name in names])
        return {name for name, beat in zip(names, beats, strict=True) if beat}

    async def _is_lost(self, asked: Asked, attempt: Any, state: str, *, worker_alive: bool) -> bool:
        if attempt is None:  # the server was restarted without what it held, or emptied
            return self._doubted(asked)
        if int(attempt) > asked.job.attempt:
            asked.fail(JobFailed("superseded", f"Attempt {int(attempt)} of this answer counts."))
            return False
        if int(attempt) < asked.job.attempt:  # Redis went away as it was queued anew
            return self._doubted(asked)
        if state == "running" and not worker_alive:
            return self._died(asked)
        if state == "ended":  # and its end is not here yet
            return self._doubted(asked)
        if state == "queued":
            await self._restore(asked)
            await self._withdraw_unserved(asked)
        return False

    def _died(self, asked: Asked) -> bool:
        asked.deaths += 1
        if asked.deaths >= DEATHS_MOST:
            asked.fail(JobFailed("lost", "The workers that begin this job die of it."))
        return True

    def _doubted(self, asked: Asked) -> bool:
        asked.doubts += 1
        return asked.doubts >= DOUBTS

    async def _restore(self, asked: Asked) -> None:
        job = asked.job
        waiting: Any = await self._client.eval(
            ledger.RESTORE if asked.doubts >= DOUBTS else ledger.MISSING,
            1,
            ledger.job_key(job.id),
            str(job.attempt),
        )
        asked.doubts = asked.doubts + 1 if waiting else 0
        if waiting and asked.doubts > DOUBTS:
            asked.doubts = 0
            times = self._restored[job.id, job.attempt] = self._restored.get((job.id, job.attempt), 0) + 1
            if times > RESTORED_MOST:
                asked.fail(JobFailed("lost", "The workers take this job and never begin it."))

    async def _withdraw_unserved(self, asked: Asked) -> None:
        """Its model is gone, and others are there: whoever asked may ask one of them."""
        workers = [worker for worker in self._roll.latest.workers if "answers" in worker.queues]
        served = {worker.model for worker in workers}
        elsewhere = any(worker.loaded for worker in workers) and asked.job.model not in served
        now = time.monotonic()
        asked.unserved_since = (asked.unserved_since or now) if elsewhere else 0.0
        if not elsewhere or now - asked.unserved_since < UNSERVED:
            return
        withdrawn: Any = await self._client.eval(
            ledger.WITHDRAW,
            1,
            ledger.job_key(asked.job.id),
            str(asked.job.attempt),
            str(ledger.ENDED_SECONDS),
        )
        if withdrawn:
            there = ", ".join(sorted(served))
            asked.fail(
                JobFailed(MODEL_NOT_LOADED, f"No worker has {asked.job.model!r:.120} loaded, but {there}.")
            )

    def _forget(self, watched: list[Asked]) -> None:
        current = {(asked.job.id, asked.job.attempt) for asked in watched}
        self._restored = {key: times for key, times in self._restored.items() if key in current}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else ""
