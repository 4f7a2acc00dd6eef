"""How the house is doing: /healthz (alive), /readyz (able to answer), /metrics (for Prometheus).

Asks the database, the queue and the workers. Who may see more than a status is for `Access` to say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.gateway.access import Access
from bot.metrics import Metrics
from bot.store import Store, StoreError
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
    """One look. `reason` says what is wrong with the database, for operators; empty when nothing is."""

    database: bool
    queue: QueueHealth
    reason: str = ""

    @property
    def ready(self) -> bool:
        """Whether a question asked now would be answered."""
        return self.database and self.queue.redis and any(worker.loaded for worker in self.queue.workers)

    def body(self) -> dict[str, Any]:
        """All of it, by name."""
        return {
            "status": _status(self.ready),
            "database": {"ok": self.database, **({"reason": self.reason} if self.reason else {})},
            "queue": {"ok": self.queue.redis, "waiting": self.queue.waiting},
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
        """What the bot counts, and the workers' gauges as of their last heartbeats."""
        if not await self.access.is_admin(request):
            return web.Response(text=UNAUTHORIZED, status=401, headers={"WWW-Authenticate": "Bearer"})
        gauges = CollectorRegistry(auto_describe=False)
        gauges.register(_Gauges(await self.report()))
        text = generate_latest(self.metrics.registry) + generate_latest(gauges)
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
        return Report(database=not reason, queue=queue, reason=reason)

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


class _Gauges:
    """One report in Prometheus' words."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        report, workers = self._report, self._report.queue.workers
        for name, says, value in (
            ("frontdesk_ready", "Whether a question asked now would be answered", report.ready),
            ("frontdesk_database_up", "Whether the database answers", report.database),
            ("frontdesk_queue_up", "Whether Redis answers", report.queue.redis),
            ("frontdesk_queue_waiting", "Jobs of answers that no worker has taken", report.queue.waiting),
        ):
            yield GaugeMetricFamily(name, says, value=value)
        for name, says, field_name in (
            ("frontdesk_worker_loaded", "Whether the worker's model answers", "loaded"),
            ("frontdesk_worker_running", "Answers that the worker is making", "running"),
            ("frontdesk_worker_waiting", "Answers that wait in the worker's engine", "waiting"),
            ("frontdesk_worker_slots", "Answers that the worker makes at once", "slots"),
        ):
            gauge = GaugeMetricFamily(name, says, labels=LABELS)
            for worker in workers:
                gauge.add_metric(_labels(worker), getattr(worker, field_name))
            yield gauge
        for name, says, field_name in (
            ("frontdesk_worker_tokens", "Tokens that the worker has written", "tokens"),
            ("frontdesk_worker_prompt_tokens", "Tokens that the worker has read", "prompt_tokens"),
        ):
            counter = CounterMetricFamily(name, says, labels=LABELS)
            for worker in workers:
                counter.add_metric(_labels(worker), getattr(worker, field_name))
            yield counter


LABELS = ("worker", "host", "model", "device")


def _labels(worker: WorkerInfo) -> tuple[str, ...]:
    return worker.name, worker.host, worker.model, worker.device
