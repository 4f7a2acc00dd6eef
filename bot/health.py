"""How the house is doing: /healthz (alive), /readyz (able to answer), /metrics (for Prometheus).

Asks the database, the queue and the workers. Who may see more than a status is for `Access` to say.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.exposition import Exposition
from bot.gateway.access import Access
from bot.metrics import Metrics
from bot.store import Store, StoreError
from moderation import Moderator
from worker.client import Queue
from worker.health import Health as QueueHealth
from worker.health import WorkerInfo

FRESH = 1.0  # seconds that a good look is good for: probes from several sides cost one look
SOON = 0.1  # seconds that any other is: whoever waits for the start, or for its end, hears of it at once
PATIENCE = 2.0  # seconds for the database or the queue to answer; probes themselves give up after some

UNAUTHORIZED = (
    "Metrics need a key with the scope admin, or to be read on this computer while neither an operator key nor a "
    "public address is set."
)


@dataclass(frozen=True, slots=True)
class Report:
    """One look. `reason` says what is wrong with the database, for operators; empty when nothing is. `trouble` is about
    a policy file that cannot be used: the policy before it stays in force, so it is told and nothing is less ready."""

    database: bool
    queue: QueueHealth
    reason: str = ""
    policy: str = ""
    trouble: str = ""

    @property
    def ready(self) -> bool:
        """Whether a question asked now would be answered."""
        return self.database and self.queue.redis and bool(self.queue.models)

    def body(self) -> dict[str, Any]:
        """All of it, by name."""
        return {
            "status": _status(self.ready),
            "database": {"ok": self.database, **({"reason": self.reason} if self.reason else {})},
            "queue": {"ok": self.queue.redis, "waiting": self.queue.waiting},
            "moderation": {
                "ok": not self.trouble,
                "policy": self.policy,
                **({"reason": self.trouble} if self.trouble else {}),
            },
            "workers": [_worker(worker) for worker in self.queue.workers],
        }


@dataclass(slots=True)
class _Latest:
    """The last look and when it was taken."""

    report: Report | None = None
    at: float = 0.0
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    store: Store
    queue: Queue
    metrics: Metrics
    access: Access
    moderator: Moderator
    _latest: _Latest = field(default_factory=_Latest, repr=False)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/healthz", self.alive),
            web.get("/readyz", self.ready),
            web.get("/metrics", self.prometheus),
        ]

    async def alive(self, request: web.Request) -> web.StreamResponse:
        """The process runs and its loop turns; nothing else is asked."""
        return web.json_response({"status": "ok"})

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """200 only when a question asked now would be answered, else 503; the parts by name for those who may know."""
        report = await self.report()
        body = report.body() if await self.access.is_admin(request) else {"status": _status(report.ready)}
        return web.json_response(
            body, status=200 if report.ready else 503, headers={"Cache-Control": "no-store"}
        )

    async def prometheus(self, request: web.Request) -> web.StreamResponse:
        """What the bot counts, and the workers and their engines as of their last heartbeats."""
        if not await self.access.is_admin(request):
            return web.Response(text=UNAUTHORIZED, status=401, headers={"WWW-Authenticate": "Bearer"})
        report = await self.report()
        # Reading a worker's text takes milliseconds: answers under way do not wait for it.
        text = await asyncio.to_thread(_exposed, report, self.metrics.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def report(self) -> Report:
        """How things are, at most FRESH seconds ago. Never raises."""
        latest = self._latest
        async with latest.looking:
            good_for = FRESH if latest.report and latest.report.ready else SOON
            if latest.report is None or time.monotonic() - latest.at > good_for:
                latest.report = await self._look()
                latest.at = time.monotonic()
            return latest.report

    async def _look(self) -> Report:
        reason, queue = await asyncio.gather(self._database(), self._queue())
        moderator = self.moderator
        return Report(
            database=not reason,
            queue=queue,
            reason=reason,
            policy=moderator.policy,
            trouble=moderator.trouble,
        )

    async def _database(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.store.ping()
        except TimeoutError:
            return "no answer in time"
        except StoreError as error:
            return str(error) or "away"
        return ""

    async def _queue(self) -> QueueHealth:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.queue.health()
        except TimeoutError:
            return QueueHealth(redis=False)


def _status(ready: bool) -> str:
    return "ready" if ready else "not ready"


def _exposed(report: Report, counted: CollectorRegistry) -> bytes:
    seen = CollectorRegistry(auto_describe=False)
    seen.register(Exposition(ready=report.ready, database=report.database, queue=report.queue))
    return generate_latest(counted) + generate_latest(seen)


def _worker(worker: WorkerInfo) -> dict[str, Any]:
    return {
        "name": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "model": worker.model,
        "device": worker.device,
        "loaded": worker.loaded,
        "running": worker.running,
        "waiting": worker.waiting,
    }
