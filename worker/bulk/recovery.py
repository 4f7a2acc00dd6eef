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
from worker.bulk.queueing import queue_again
from worker.jobs import BulkJob, Failed, JobMalformed, encode_event

log = structlog.get_logger(__name__)

LOOK = 5.0  # seconds


@dataclass(slots=True, kw_only=True)
class Recovery:
    """A thread of its own from `start` to `stop`."""

    client: redis.Redis
    look: float = LOOK
    _doubted: set[str] = field(default_factory=set)
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
        doubtful = set()
        found: Any = self.client.zrange(record.JOBS, 0, -1)
        for job_id in (each.decode() for each in found):
            if self._lost(job_id):
                doubtful.add(job_id)
                if job_id in self._doubted:
                    self._recover(job_id)
        self._doubted = doubtful

    def _run(self) -> None:
        while not self._ending.wait(self.look):
            try:
                self.once()
            except (redis.RedisError, OSError) as error:
                log.warning("bulk jobs cannot be looked after yet", cause=type(error).__name__)
            except Exception:
                log.exception("looking after the bulk jobs failed")

    def _lost(self, job_id: str) -> bool:
        state, attempt = self.client.hmget(ledger.job_key(job_id), "state", "attempt")
        if state == b"running":
            return not self.client.exists(record.lease_key(job_id))
        if state == b"queued" and attempt is not None:
            return bool(self.client.eval(ledger.MISSING, 1, ledger.job_key(job_id), attempt))
        return False

    def _recover(self, job_id: str) -> None:
        key = ledger.job_key(job_id)
        state, attempt, asked = self.client.hmget(key, "state", "attempt", "asked")
        if attempt is None or asked is None:
            return
        if state == b"queued":
            self.client.eval(ledger.RESTORE, 1, key, attempt)
            return
        try:
            job = replace(BulkJob.decode(asked), attempt=int(attempt))
        except JobMalformed as error:
            log.warning("a bulk job cannot be read", cause=str(error), job=job_id)
            return
        if int(self.client.hincrby(key, "deaths", 1)) >= record.DEATHS_MOST:
            self._give_up(job)
            return
        log.warning("a bulk job is queued anew", job=job_id, attempt=job.attempt + 1)
        queue_again(self.client, replace(job, attempt=job.attempt + 1))

    def _give_up(self, job: BulkJob) -> None:
        keys = record.lease_key(job.id), ledger.job_key(job.id)
        if self.client.eval(record.CLOSE, 2, *keys, str(job.attempt), "lost", str(record.KEPT)):
            log.error("a bulk job is given up", job=job.id)
            failed = Failed(job.id, job.attempt, "lost", "The workers that begin this job die of it.")
            self.client.xadd(job.reply_to, {"e": encode_event(failed)})
