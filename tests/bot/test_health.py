"""/healthz, /readyz and /metrics over a real socket, with every part away in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import generate_latest

from bot import health
from bot.gateway import Access
from bot.health import Health
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store import StoreUnavailable
from inference.measures import Measures
from worker.health import Health as QueueHealth
from worker.health import WorkerInfo

OPERATOR = "operator-key-of-the-tests"
KEY = {"Authorization": f"Bearer {OPERATOR}"}
WORKER = WorkerInfo(
    name="w1",
    host="box",
    pid=7,
    model="tiny",
    device="cpu",
    loaded=True,
    running=1,
    waiting=2,
    slots=4,
    queues=("answers",),
    tokens=99,
)

WELL = QueueHealth(redis=True, workers=(WORKER,), queued={"frontdesk.answers:tiny": 3})


@dataclass
class Parts:
    """The database, the queue and the moderator, as the test wants them."""

    database: str = ""  # why it is away
    hangs: bool = False
    queue: QueueHealth = WELL
    looks: int = 0
    policy: str = "p1"
    trouble: str = ""  # with the policy's file

    async def ping(self) -> None:
        self.looks += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.database:
            raise StoreUnavailable(self.database)

    async def key(self, token: str) -> Any:
        return None

    async def health(self) -> QueueHealth:
        return self.queue


@dataclass
class House:
    url: str
    parts: Parts
    session: aiohttp.ClientSession

    async def ready(self, **headers: str) -> tuple[int, Any]:
        async with self.session.get(f"{self.url}/readyz", headers=headers) as response:
            return response.status, await response.json()

    async def metrics(self, **headers: str) -> tuple[int, str]:
        async with self.session.get(f"{self.url}/metrics", headers=headers) as response:
            return response.status, await response.text()


@pytest.fixture
def keys() -> tuple[str, ...]:
    return (OPERATOR,)


@pytest.fixture
async def house(keys: tuple[str, ...]) -> AsyncIterator[House]:
    parts = Parts()
    known: Any = parts
    settings = Settings(api_keys=keys, _env_file=None)  # type: ignore[arg-type, call-arg]
    access = Access(settings=settings, store=known)
    application = web.Application()
    looked = Health(store=known, queue=known, metrics=Metrics(), access=access, moderator=known)
    application.add_routes(looked.routes())
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield House(f"http://127.0.0.1:{runner.addresses[0][1]}", parts, session)
    await runner.cleanup()


async def test_a_process_that_runs_is_alive_whatever_is_away(house: House) -> None:
    house.parts.database, house.parts.queue = "away", QueueHealth(redis=False)
    async with house.session.get(f"{house.url}/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})
    assert house.parts.looks == 0


async def test_ready_names_each_part(house: House) -> None:
    assert await house.ready(**KEY) == (
        200,
        {
            "status": "ready",
            "database": {"ok": True},
            "queue": {"ok": True, "waiting": 3},
            "moderation": {"ok": True, "policy": "p1"},
            "workers": [
                {
                    "name": "w1",
                    "host": "box",
                    "pid": 7,
                    "model": "tiny",
                    "device": "cpu",
                    "loaded": True,
                    "running": 1,
                    "waiting": 2,
                }
            ],
        },
    )


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"database": "disk full"}, ("database", {"ok": False, "reason": "disk full"})),
        ({"queue": QueueHealth(redis=False)}, ("queue", {"ok": False, "waiting": 0})),
        ({"queue": QueueHealth(redis=True)}, ("workers", [])),
    ],
)
async def test_any_part_that_is_away_is_a_503(house: House, changes: Any, wrong: Any) -> None:
    for name, value in changes.items():
        setattr(house.parts, name, value)
    status, body = await house.ready(**KEY)
    assert (status, body["status"]) == (503, "not ready")
    assert body[wrong[0]] == wrong[1]


async def test_a_worker_that_loads_its_model_is_not_ready_yet(house: House) -> None:
    loading = WorkerInfo.decode(WORKER.encode().replace('"loaded": true', '"loaded": false'))
    assert loading
    house.parts.queue = QueueHealth(redis=True, workers=(loading,))
    assert (await house.ready())[0] == 503


async def test_a_worker_of_bulk_jobs_answers_nobody(house: House) -> None:
    bulk = WorkerInfo.decode(WORKER.encode().replace('["answers"]', '["bulk"]'))
    assert bulk
    assert bulk.queues == ("bulk",)
    house.parts.queue = QueueHealth(redis=True, workers=(bulk,))
    assert (await house.ready())[0] == 503


async def test_a_policy_file_that_broke_is_told_and_the_one_before_answers_on(house: House) -> None:
    house.parts.trouble = "policy.yaml:3: version: must be text"
    status, body = await house.ready(**KEY)
    assert (status, body["status"]) == (200, "ready")
    assert body["moderation"] == {
        "ok": False,
        "policy": "p1",
        "reason": "policy.yaml:3: version: must be text",
    }


async def test_a_database_that_hangs_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    house.parts.hangs = True
    status, body = await house.ready(**KEY)
    assert (status, body["database"]["ok"]) == (503, False)


async def test_others_get_the_status_alone(house: House) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert await house.ready(**headers) == (200, {"status": "ready"})
        assert (await house.metrics(**headers))[0] == 401


async def test_many_probes_cost_one_look(house: House) -> None:
    await asyncio.gather(*(house.ready() for _ in range(20)))
    assert house.parts.looks == 1


async def test_metrics_carry_the_bots_counters_and_the_workers_gauges(house: House) -> None:
    status, text = await house.metrics(**KEY)
    assert status == 200
    assert "frontdesk_answers_running 0.0" in text
    assert 'frontdesk_worker_running{device="cpu",host="box",model="tiny",worker="w1"} 1.0' in text
    assert 'frontdesk_worker_tokens_total{device="cpu",host="box",model="tiny",worker="w1"} 99.0' in text
    assert "frontdesk_queue_waiting 3.0" in text
    assert "frontdesk_ready 1.0" in text


async def test_metrics_carry_what_each_engine_counts_and_leave_out_what_cannot_be_read(house: House) -> None:
    measures = Measures()
    measures.waiting.set(5)
    well = replace(WORKER, measures=generate_latest(measures.registry).decode())
    other = replace(WORKER, name="w2", measures="of another release")
    house.parts.queue = QueueHealth(redis=True, workers=(other, well))
    status, text = await house.metrics(**KEY)
    assert status == 200
    labels = 'device="cpu",host="box",model="tiny",worker='
    assert f'frontdesk_engine_requests_waiting{{{labels}"w1"}} 5.0' in text
    assert f'frontdesk_worker_measured{{{labels}"w2"}} 0.0' in text
    assert f'frontdesk_worker_running{{{labels}"w2"}} 1.0' in text


@pytest.mark.parametrize("keys", [()])
async def test_without_operator_keys_this_computer_sees_all(house: House) -> None:
    assert "workers" in (await house.ready())[1]
    assert (await house.metrics())[0] == 200
    proxied = {"X-Forwarded-For": "127.0.0.1"}
    assert await house.ready(**proxied) == (200, {"status": "ready"})
    assert (await house.metrics(**proxied))[0] == 401
