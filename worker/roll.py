"""The workers that are there, by their heartbeats, and how many jobs wait for each model.

Knows the ledger's keys. What follows from it for one more job is `forecast`'s to say.
"""

from __future__ import annotations

import time

import redis.asyncio

from worker import ledger
from worker.health import Health, WorkerInfo


class Roll:
    """`client` is the queue's. `latest` is what the last call found."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.latest = Health(redis=False)
        self._client = client

    async def call(self) -> Health:
        """Who is there now. Raises redis.RedisError."""
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zrangebyscore(ledger.WORKERS, time.time() - 10 * ledger.HEARTBEAT_SILENCE, "+inf")
            pipeline.smembers(ledger.QUEUES)
            names, queues = await pipeline.execute()
        async with self._client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.get(ledger.worker_key(name.decode()))
            for queue in queues:
                pipeline.llen(queue)
            found = await pipeline.execute()
        infos = [WorkerInfo.decode(beat) for beat in found[: len(names)] if beat]
        workers = tuple(info for info in infos if info)
        lengths = zip((queue.decode() for queue in queues), found[len(names) :], strict=True)
        self.latest = Health(redis=True, workers=workers, queued=dict(lengths))
        return self.latest
