"""A worker's pulse: each second it says that it lives and how it is, and looks whether its answers are still wanted.

Knows the ledger. A cancel usually comes over the listener within a millisecond; what that missed is found here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import redis
import structlog

from worker import ledger
from worker.health import WorkerInfo
from worker.telling import Live, Telling

log = structlog.get_logger(__name__)

FORGOTTEN = 60.0  # seconds after which a silent worker's name is taken off the list


class Heartbeat:
    """A thread of its own from `start` to `stop`; `info` is asked for each beat."""

    def __init__(self, client: redis.Redis, *, info: Callable[[], WorkerInfo], live: Live) -> None:
        self._client = client
        self._info = info
        self._live = live
        self._ending = threading.Event()
        self._now = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hurry(self) -> None:
        """There is news in `info`: beat now."""
        self._now.set()

    def stop(self, *, within: float) -> None:
        """Say goodbye: the key is gone at once, so nobody waits for us."""
        self._ending.set()
        self._now.set()
        self._thread.join(within)

    def beat(self) -> None:
        """One beat. Raises redis.RedisError."""
        info, now = self._info(), time.time()
        pipeline = self._client.pipeline(transaction=False)
        silence = round(ledger.HEARTBEAT_SILENCE * 1000)
        pipeline.set(ledger.worker_key(info.name), info.encode(), px=silence)
        pipeline.zadd(ledger.WORKERS, {info.name: now})
        pipeline.zremrangebyscore(ledger.WORKERS, "-inf", now - FORGOTTEN)
        pipeline.execute()

    def _run(self) -> None:
        lost = False
        while not self._ending.is_set():
            self._now.clear()
            try:
                self.beat()
                self._fence(self._live.all())
                lost = False
            except (redis.RedisError, OSError) as error:
                if not lost:
                    log.warning("Redis is away", cause=type(error).__name__)
                lost = True
            except Exception:  # without a pulse this worker would count as dead
                log.exception("a heartbeat failed")
            self._now.wait(ledger.HEARTBEAT)
        self._goodbye()

    def _fence(self, tellings: list[Telling]) -> None:
        """Stop what was cancelled unheard, and what another attempt has superseded while we were slow."""
        if not tellings:
            return
        pipeline = self._client.pipeline(transaction=False)
        for telling in tellings:
            pipeline.exists(ledger.cancelled_key(telling.job.id))
            pipeline.hget(ledger.job_key(telling.job.id), "attempt")
        answers = pipeline.execute()
        for telling, cancelled, attempt in zip(tellings, answers[::2], answers[1::2], strict=True):
            if cancelled:
                self._live.stop(telling.job.id, below=ledger.ALL_ATTEMPTS)
            elif attempt is None or int(attempt) > telling.job.attempt:
                log.info("an attempt was superseded", job=telling.job.id, attempt=telling.job.attempt)
                self._live.stop(telling.job.id, below=telling.job.attempt + 1)

    def _goodbye(self) -> None:
        name = self._info().name
        try:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.delete(ledger.worker_key(name))
            pipeline.zrem(ledger.WORKERS, name)
            pipeline.execute()
        except (redis.RedisError, OSError) as error:
            log.info("no goodbye", cause=type(error).__name__)


class Listener:
    """Hears cancels as they are published, on a thread of its own from `start` to `stop`."""

    def __init__(self, client: redis.Redis, *, live: Live) -> None:
        self._client = client
        self._live = live
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cancels", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, within: float) -> None:
        self._ending.set()
        self._thread.join(within)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe(ledger.CHANNEL)
                    self._hear(pubsub)
            except (redis.RedisError, OSError):
                self._ending.wait(ledger.HEARTBEAT / 2)  # the heartbeat looks for what is missed
            except Exception:
                log.exception("listening failed")
                self._ending.wait(ledger.HEARTBEAT)

    def _hear(self, pubsub: redis.client.PubSub) -> None:
        while not self._ending.is_set():
            message = pubsub.get_message(timeout=0.1)  # so long may the process's end have to wait for us
            if message is None:
                continue
            below, _, job = message["data"].decode().partition(" ")
            self._live.stop(job, below=int(below))
