"""The workers that are there, by their heartbeats, and how many jobs wait for them.

Knows the ledger's keys. What follows from it for one more job is `forecast`'s to say.
"""

from __future__ import annotations

import time

import redis.asyncio

from worker import ledger
from worker.health import Health, WorkerInfo
from worker.jobs import ANSWERS


class Roll:
    """`client` is the queue's. `latest` is what the last call found."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.latest = Health(redis=False)
        self._client = client

    async def call(self) -> Health:
        """Who is there now. Raises redis.RedisError."""
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zrangebyscore(ledger.WORKERS, time.time() - 10 * ledger.HEARTBEAT_SILENCE, "+inf")
            pipeline.llen(ANSWERS)
            names, waiting = await pipeline.execute()
        keys = [ledger.worker_key(name.decode()) for name in names]
        beats = await self._client.mget(keys) if keys else []
        infos = [WorkerInfo.decode(beat) for beat in beats if beat]
        workers = tuple(info for info in infos if info)
        self.latest = Health(redis=True, workers=workers, waiting=waiting)
        return self.latest
