"""Puts a bulk job into its queue, the first time and once more when its worker is gone; and closes it.

Knows the ledger's way of queueing. Who asks, and when it is asked again, is `client`'s and `recovery`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

import redis

from worker import ledger
from worker.bulk import record
from worker.jobs import BULK, BulkJob, Ended, Event, encode_event
from worker.message import envelope

TASK = "frontdesk.bulk"


def submission(job: BulkJob) -> Sequence[str]:
    """What `ledger.SUBMIT` takes: its four keys, then its arguments."""
    ending = Ended(job.id, job.attempt, "cancelled", 0, 0, 0)
    return (
        ledger.job_key(job.id),
        ledger.cancelled_key(job.id),
        BULK,
        ledger.QUEUES,
        str(job.attempt),
        envelope(job.encode(), queue=BULK, task_id=f"{job.id}:{job.attempt}", task=TASK),
        job.reply_to,
        "",
        "LPUSH" if job.attempt == 1 else "RPUSH",  # one that was begun goes on first
        str(record.KEPT * 1000),
        encode_event(ending),
        job.id,
        ledger.CHANNEL,
    )


def queue_again(client: redis.Redis, job: BulkJob) -> None:
    """Another attempt; nothing happens where a higher one counts. Raises redis.RedisError."""
    client.eval(ledger.SUBMIT, 4, *submission(job))


def close(client: redis.Redis, job: BulkJob, event: Event, *, outcome: str) -> bool:
    """Tell the last thing of a job; False when the attempt counts no more, or is over. Raises redis.RedisError."""
    keys = record.lease_key(job.id), ledger.job_key(job.id), job.reply_to
    told = str(job.attempt), outcome, str(record.KEPT), encode_event(event), str(record.LENGTH)
    return bool(client.eval(record.CLOSE, len(keys), *keys, *told))
