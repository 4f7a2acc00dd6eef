"""Asks for bulk jobs, lists them, watches one, cancels one: for the command `frontdesk jobs`, from any machine.

Knows the records. What a job makes a worker do stands in `work`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import redis

from worker import ledger
from worker.bulk import record
from worker.bulk.chores import command
from worker.bulk.queueing import submission
from worker.jobs import BulkJob, Ended, Event, Failed, JobMalformed, Result, decode_event
from worker.stream import LENGTH, entries_of

State = Literal["queued", "running", "lost", "done", "failed", "cancelled", "deadline", "refused", "gone"]

LAST = (Ended, Failed, Result)  # the kinds of event that end a job
BLOCK = 2.0  # seconds that one look at a stream waits
SECONDS = 24 * 3600.0  # that a job may take, its waiting included, when nobody says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A job as it is now. `lost`: its worker fell silent, and the next one has not begun it yet."""

    job: BulkJob
    state: State
    created: float  # UTC, seconds since 1970
    worker: str
    note: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Bulk:
    """Over one connection. Every verb raises redis.RedisError when the server is away."""

    client: redis.Redis

    def ask(self, chore: str, arguments: Sequence[str], *, seconds: float = SECONDS) -> BulkJob:
        """Queue a job, to be over within so many seconds. Raises ChoreRefused."""
        command(chore, arguments)
        created, number = time.time(), uuid.uuid4().hex[:12]
        job = BulkJob(
            id=number,
            attempt=1,
            chore=chore,
            arguments=tuple(arguments),
            deadline=created + seconds,
            reply_to=record.stream_key(number),
            correlation=number,
        )
        asked: dict[Any, Any] = {"asked": job.encode(), "created": str(created), "note": ""}
        with self.client.pipeline() as pipeline:  # before it is queued: recovery looks at what is listed
            pipeline.hset(ledger.job_key(job.id), mapping=asked)
            pipeline.expire(ledger.job_key(job.id), record.KEPT)
            pipeline.zadd(record.JOBS, {job.id: created})
            pipeline.execute()
        self.client.eval(ledger.SUBMIT, 4, *submission(job))
        return job

    def list(self) -> list[Found]:
        """Every job of the last days, the newest first."""
        found: Any = self.client.zrange(record.JOBS, 0, -1, desc=True)
        ids = [each.decode() for each in found]
        return [job for job in map(self.find, ids) if job is not None]

    def find(self, job_id: str) -> Found | None:
        """One job, None when there is none, or none any more."""
        fields = "asked", "state", "worker", "created", "note", "fraction", "outcome"
        values: list[Any] = self.client.hmget(ledger.job_key(job_id), *fields)
        asked, state, worker, created, note, fraction, outcome = (
            value.decode() if value else "" for value in values
        )
        if not asked:
            return None
        try:
            job = BulkJob.decode(asked)
        except JobMalformed:
            return None
        if state == "running" and not self.client.exists(record.lease_key(job_id)):
            state = "lost"
        return Found(
            job=job,
            state=cast(State, outcome or ("cancelled" if state == "ended" else state) or "gone"),
            created=float(created or 0),
            worker=worker,
            note=note,
            fraction=float(fraction or 0),
        )

    def watch(self, job_id: str) -> Iterator[Event]:
        """What a job has told and tells, from its beginning to its end, which comes last. Events of an attempt that was
        broken off come as well."""
        last: Any = "0"
        while True:
            answer: Any = self.client.xread({record.stream_key(job_id): last}, block=int(BLOCK * 1000))
            for entry, body in entries_of(answer):
                last, event = entry, decode_event(body[b"e"])
                yield event
                if isinstance(event, LAST):
                    return
            if not answer and self.find(job_id) is None:
                return

    def cancel(self, job_id: str) -> bool:
        """Stop a job wherever it is; False when there is none that goes on."""
        found = self.find(job_id)
        if found is None or found.state not in ("queued", "running", "lost"):
            return False
        self.client.eval(
            ledger.CANCEL,
            2,
            ledger.cancelled_key(job_id),
            ledger.job_key(job_id),
            job_id,
            str(record.KEPT),
            ledger.CHANNEL,
            str(ledger.ALL_ATTEMPTS),
            str(record.KEPT),
            str(LENGTH),
        )
        return True
