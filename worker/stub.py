"""The queue's second implementation: the same promises, kept within one process, for tests and demonstrations.

Knows jobs and scripts. No Redis, no Celery, no model; tests/worker/test_contract.py runs one contract over both.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from worker.asked import Asked
from worker.client import Queue
from worker.errors import JobFailed, QueueBusy, QueueUnavailable
from worker.forecast import SECONDS, Estimate
from worker.health import Health, WorkerInfo
from worker.jobs import AnswerJob, Ended, EndReason, Failed, Piece

Script = Callable[[AnswerJob], Sequence[str]]

REPLY = "frontdesk:replies:stub"


class StubQueue(Queue):
    """Answers come from `script`: a job's pieces in order, one token each (its id is its place).

    `slots` answers are made at once; `pause` is the number of seconds between two pieces. A script that raises
    JobFailed fails the job. Open it with `scripted`.
    """

    def __init__(self, *, script: Script, limit: int, slots: int, pause: float) -> None:
        self.reply_to = REPLY
        self.away = False  # set it, and Redis is away
        self.asked_for: list[AnswerJob] = []
        self.cancelled: set[str] = set()
        self.ended: Counter[EndReason] = Counter()
        self._script = script
        self._stub_limit = limit
        self._slots = asyncio.Semaphore(slots)
        self._slot_count = slots
        self._pause = pause
        self._open: dict[str, Asked] = {}
        self._waiting: list[str] = []  # jobs, the next one first
        self._running = 0
        self._changed = asyncio.Event()  # replaced each time something changes
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def scripted(
        cls, script: Script, *, limit: int = 64, slots: int = 1, pause: float = 0.0
    ) -> AsyncGenerator[StubQueue, None]:
        """A queue whose answers the script makes, as long as the block lasts."""
        queue = cls(script=script, limit=limit, slots=slots, pause=pause)
        try:
            yield queue
        finally:
            for task in queue._tasks:
                task.cancel()
            await asyncio.gather(*queue._tasks, return_exceptions=True)

    def go_away(self) -> None:
        """Redis is away from now on, until `away` is False again: open answers are given up."""
        self.away = True
        for asked in self._open.values():
            asked.fail(QueueUnavailable())

    @asynccontextmanager
    async def answer(self, job: AnswerJob) -> AsyncGenerator[AsyncGenerator[Piece | Ended, None], None]:
        """As Queue.answer."""
        if self.away:
            raise QueueUnavailable
        if len(self._waiting) >= self._stub_limit and not (job.emitted or job.shown):
            raise QueueBusy(retry_after=1)
        asked = Asked(replace(job, reply_to=self.reply_to))
        self.asked_for.append(job)
        self._open[job.id] = asked
        task = asyncio.create_task(self._make(asked), name=f"stub {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # It counts from now, not from when its task gets its turn.
        self._waiting.insert(0 if job.emitted or job.shown else len(self._waiting), job.id)
        try:
            async with aclosing(asked.events()) as events:
                yield events
        finally:
            if self._open.get(job.id) is asked:
                del self._open[job.id]

    async def cancel(self, job_id: str) -> None:
        """As Queue.cancel."""
        if self.away:
            raise QueueUnavailable
        self.cancelled.add(job_id)
        self._leave(job_id)  # its place is free at once
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def health(self) -> Health:
        """As Queue.health: one worker, always loaded."""
        if self.away:
            return Health(redis=False)
        return self.latest

    @property
    def latest(self) -> Health:
        """As Queue.latest, but of this moment."""
        worker = WorkerInfo(
            name="stub",
            host="stub",
            pid=0,
            model="stub",
            device="cpu",
            loaded=True,
            running=self._running,
            waiting=0,
            slots=self._slot_count,
            queues=("answers",),
        )
        return Health(redis=True, workers=(worker,), queued={"stub": len(self._waiting)})

    async def estimate(self, model: str) -> Estimate:
        """As Queue.estimate."""
        if self.away:
            raise QueueUnavailable
        return self._estimate(len(self._waiting))

    async def place(self, job_id: str) -> Estimate | None:
        """As Queue.place."""
        if self.away:
            raise QueueUnavailable
        return self._estimate(self._waiting.index(job_id)) if job_id in self._waiting else None

    def _estimate(self, ahead: int) -> Estimate:
        free = self._slot_count - self._running
        return Estimate(ahead=ahead, seconds=max(0, ahead + 1 - free) * SECONDS / self._slot_count)

    async def _make(self, asked: Asked) -> None:
        """One answer from its place in the queue to its end."""
        began = False
        try:
            began = await self._slot(asked)
            if began:
                self._running += 1
            reason = await self._tell(asked) if began else self._early(asked)
            self.ended[reason or "stop"] += 1
            asked.end(asked.ending(reason or "stop"))
        except JobFailed as error:
            asked.take(Failed(asked.job.id, asked.job.attempt, error.code, error.message))
        finally:
            if began:
                self._running -= 1
                self._slots.release()
            else:
                self._leave(asked.job.id)

    async def _slot(self, asked: Asked) -> bool:
        """Wait for a slot; False where the job ended before it got one."""
        getting = asyncio.ensure_future(self._slots.acquire())
        try:
            while not getting.done() and not self._early(asked):
                changing = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({getting, changing}, return_when=asyncio.FIRST_COMPLETED)
                changing.cancel()
        except asyncio.CancelledError:
            getting.cancel()
            raise
        if not getting.done():
            getting.cancel()
            return False
        self._leave(asked.job.id)
        return True

    def _leave(self, job_id: str) -> None:
        if job_id in self._waiting:
            self._waiting.remove(job_id)

    async def _tell(self, asked: Asked) -> EndReason | None:
        job = asked.job
        pieces = self._script(job)
        before = "".join(pieces[: len(job.emitted)])
        skip = job.shown - len(before)
        if skip < 0:  # read by the model, but not shown yet
            asked.take(Piece(job.id, job.attempt, len(job.emitted), (), before[job.shown :]))
        for place in range(len(job.emitted), min(len(pieces), job.max_tokens)):
            await asyncio.sleep(self._pause)
            if early := self._early(asked):
                return early
            text, skip = pieces[place][max(0, skip) :], skip - len(pieces[place])
            asked.take(Piece(job.id, job.attempt, place, (place,), text))
        return "length" if len(pieces) > job.max_tokens else "stop"

    def _early(self, asked: Asked) -> EndReason | None:
        if asked.job.id in self.cancelled:
            return "cancelled"
        return "deadline" if time.time() >= asked.job.deadline else None
