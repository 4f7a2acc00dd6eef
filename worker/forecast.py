"""How long a job would wait: what is ahead of it, over the speed that the workers measure.

Knows numbers only. Whoever asks brings the queue's state; what is done about a long wait is the client's business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from worker.health import WorkerInfo
from worker.jobs import AnswerJob, Ended

TOKENS = 128.0  # of an answer, before one was seen
SECONDS = 8.0  # for an answer, before one was seen: used only where no worker has measured its speed
SHARE = 8  # of so many answers, the last one counts as one
LONGEST = 120  # seconds; what lies further ahead is no estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """`ahead` jobs come first, none if it is the next one. It begins in about `seconds`: 0 where a place is free, None
    while no worker is there."""

    ahead: int
    seconds: float | None


@dataclass(slots=True)
class Mean:
    """What an answer takes, from those that this process has seen end."""

    tokens: float = TOKENS
    seconds: float = SECONDS

    def add(self, job: AnswerJob, ended: Ended, *, seconds: float) -> None:
        """One more answer; a resumed one by what was new in it."""
        self.tokens += (max(0, ended.completion_tokens - len(job.emitted)) - self.tokens) / SHARE
        self.seconds += (seconds - self.seconds) / SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The workers that answer, as of their last heartbeats, and the mean answer."""

    begun: int  # rows that are being decoded
    waiting: int  # rows that wait in the engines
    slots: int
    tokens_ahead: float  # to be made before a row from the queue has its turn
    tokens_per_second: float
    tokens: float  # of an answer
    seconds: float  # for an answer, where no speed is known

    @classmethod
    def of(cls, workers: Iterable[WorkerInfo], mean: Mean) -> Forecast:
        """Of a worker's queued tokens those of the rows that wait count: those that run hold nobody up who has a
        place. Where there is none, one of them has to end first."""
        serving = [worker for worker in workers if worker.loaded and "answers" in worker.queues]
        begun = sum(worker.running for worker in serving)
        waiting = sum(worker.waiting for worker in serving)
        slots = sum(worker.slots for worker in serving)
        tokens = max(1.0, mean.tokens)
        ahead = sum(
            worker.queued_tokens * worker.waiting / (worker.running + worker.waiting)
            for worker in serving
            if worker.waiting
        )
        if begun + waiting >= slots:
            ahead += tokens
        return cls(
            begun=begun,
            waiting=waiting,
            slots=slots,
            tokens_ahead=ahead,
            tokens_per_second=sum(worker.tokens_per_second for worker in serving),
            tokens=tokens,
            seconds=mean.seconds,
        )

    @property
    def free(self) -> int:
        """Places that nobody has, nor waits for in an engine."""
        return max(0, self.slots - self.begun - self.waiting)

    @property
    def row_seconds(self) -> float:
        """Seconds in which one more row of the queue has its turn."""
        if self.tokens_per_second > 0:
            return self.tokens / self.tokens_per_second
        return self.seconds / max(1, self.slots)

    def estimate(self, queued: int) -> Estimate:
        """For a job that has `queued` others before it in the queue."""
        seconds: float | None = None
        if self.tokens_per_second > 0:
            seconds = (queued * self.tokens + self.tokens_ahead) / self.tokens_per_second
        elif self.slots:
            seconds = self.row_seconds * max(0, queued + 1 - self.free)
        return Estimate(ahead=queued + self.waiting, seconds=seconds)

    def room(self, *, limit: int, max_wait: float) -> int:
        """Jobs that may be in the queue before one more is refused: `limit` at most, and so few that it begins within
        `max_wait` seconds, as far as a speed was measured. Below 1 where the engines alone have more to do.

        Free places may be taken in any case: a speed measured on few rows says little of many.
        """
        if self.tokens_per_second <= 0 or math.isinf(max_wait):
            return limit
        others = math.floor((max_wait * self.tokens_per_second - self.tokens_ahead) / self.tokens)
        return min(limit, max(others + 1, self.free) if self.free else others + 1)

    def patience(self, queued: int, *, room: int) -> int:
        """Whole seconds until there is likely to be room for one more where `queued` wait."""
        return max(1, min(LONGEST, math.ceil((queued + 1 - room) * self.row_seconds)))
