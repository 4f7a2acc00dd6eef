"""Finds bulk jobs that nobody carries any more: claimed without a lease, or in no list. Runs in each bulk worker.

Knows the records. Several workers may look at once: attempts fence, of two that queue one again one does.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

import redis
import structlog

from worker import ledger
from worker.bulk import record
from worker.bulk.queueing import close, queue_again
from worker.jobs import BulkJob, Ended, Failed, JobMalformed

log = structlog.get_logger(__name__)

LOOK = 5.0  # seconds

Doubt = tuple[str, bytes, bytes]  # a job's id, its state and attempt


@dataclass(slots=True, kw_only=True)
class Recovery:
    """A thread of its own from `start` to `stop`."""

    client: redis.Redis
    look: float = LOOK
    _doubted: set[Doubt] = field(default_factory=set)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)
        self._thread.start()

    def stop(self, *, within: float) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(within)

    def once(self) -> None:
        """One look. What seems lost must seem so twice: it may just be on its way. Raises redis.RedisError."""
        self.client.zremrangebyscore(record.JOBS, "-inf", time.time() - record.KEPT)
        found: Any = self.client.zrange(record.JOBS, 0, -1)
        doubted, self._doubted = self._doubted, set()
        for job_id in (each.decode() for each in found):
            doubt = self._lost(job_id)
            if doubt is not None:
                self._doubted.add(doubt)
                if doubt in doubted:
                    self._recover(*doubt)

    def _run(self) -> None:
        while not self._ending.wait(self.look):
            try:
                self.once()
            except (redis.RedisError, OSError) as error:
                log.warning("bulk jobs cannot be looked after yet", cause=type(error).__name__)
            except Exception:
                log.exception("looking after the bulk jobs failed")

    def _lost(self, job_id: str) -> Doubt | None:
        state: Any
        attempt: Any
        state, attempt = self.client.hmget(ledger.job_key(job_id), "state", "attempt")
        if attempt is None:
            return None
        if state == b"running":
            lost = not self.client.exists(record.lease_key(job_id))
        else:
            lost = bool(self.client.eval(ledger.MISSING, 1, ledger.job_key(job_id), attempt))
        return (job_id, state, attempt) if lost else None

    def _recover(self, job_id: str, state: bytes, attempt: bytes) -> None:
        key = ledger.job_key(job_id)
        if state == b"queued":
            self.client.eval(ledger.RESTORE, 1, key, attempt)
            return
        try:
            job = replace(BulkJob.decode(self.client.hget(key, "asked") or b""), attempt=int(attempt))
        except JobMalformed as error:
            log.warning("a bulk job cannot be read", cause=str(error), job=job_id)
            return
        keys = record.lease_key(job_id), key
        deaths = int(self.client.eval(record.TAKE, 2, *keys, attempt, str(round(record.LEASE * 1000))))
        if not deaths:
            return
        if self.client.exists(ledger.cancelled_key(job_id)):
            close(self.client, job, Ended(job.id, job.attempt, "cancelled", 0, 0, 0), outcome="cancelled")
        elif deaths >= record.DEATHS_MOST:
            log.error("a bulk job is given up", job=job.id)
            failed = Failed(job.id, job.attempt, "lost", "The workers that begin this job die of it.")
            close(self.client, job, failed, outcome="lost")
        else:
            log.warning("a bulk job is queued anew", job=job_id, attempt=job.attempt + 1)
            queue_again(self.client, replace(job, attempt=job.attempt + 1))
