"""Several worker processes under one: kept running, ended together; and two real ones that share a queue's work."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker import supervisor
from worker.client import Queue
from worker.devices import chosen
from worker.jobs import Ended
from worker.supervisor import Crew

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker, Workers

PRETENDER = str(Path(__file__).with_name("pretender.py"))


@dataclass
class Pretenders:
    """A crew of programs in workers' places, in a thread. `manners` are theirs, one for each."""

    folder: Path
    pool: ThreadPoolExecutor
    crew: Crew | None = None
    status: Future[int] = field(default_factory=Future)

    def start(self, *manners: str) -> None:
        environment = {**os.environ, "NAMES": str(self.folder)}
        environment |= {f"MANNER_{number}": manner for number, manner in enumerate(manners)}
        devices = chosen(",".join(["cpu"] * len(manners)), environment={})
        self.crew = Crew(devices, command=[sys.executable, PRETENDER], environment=environment)
        self.status = self.pool.submit(self.crew.run)

    def end(self, *, gone: bool = False) -> int:
        assert self.crew is not None
        self.crew.end(gone=gone)
        return self.status.result(30)

    def pids(self, index: int) -> list[int]:
        """Of all that ever stood at this place and came so far as to leave their name."""
        return [int(path.name.partition("-")[2]) for path in self.folder.glob(f"{index}-*")]


@pytest.fixture
def pretenders(tmp_path: Path) -> Generator[Pretenders, None, None]:
    with ThreadPoolExecutor(1) as pool:
        started = Pretenders(tmp_path, pool)
        yield started
        if started.crew is not None and not started.status.done():
            started.end()


def test_a_worker_that_dies_is_started_again_and_the_others_are_left_alone(pretenders: Pretenders) -> None:
    pretenders.start("plain", "plain")
    until(lambda: len(pretenders.pids(0)) == len(pretenders.pids(1)) == 1)
    os.kill(pretenders.pids(0)[0], signal.SIGKILL)
    until(lambda: len(pretenders.pids(0)) == 2)
    assert len(pretenders.pids(1)) == 1
    assert pretenders.end() == 0
    assert not any(map(alive, pretenders.pids(0) + pretenders.pids(1)))


def test_one_that_cannot_run_does_not_end_the_others(pretenders: Pretenders) -> None:
    pretenders.start("refuses", "plain")
    until(
        lambda: (
            bool(pretenders.pids(1))
            and pretenders.crew is not None
            and pretenders.crew.members[0].refused == 1
        )
    )
    assert not pretenders.status.done()
    assert pretenders.end() == 0


def test_when_none_can_run_their_status_is_ours(pretenders: Pretenders) -> None:
    pretenders.start("refuses", "refuses")
    assert pretenders.status.result(30) == 1


def test_one_that_does_not_end_is_killed_and_told_by_the_status(
    pretenders: Pretenders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 0.2)
    pretenders.start("stubborn", "plain")
    until(lambda: bool(pretenders.pids(0) and pretenders.pids(1)))
    assert pretenders.end() == 1
    assert not alive(pretenders.pids(0)[0])


def test_when_the_parent_is_gone_their_pipes_are_closed(pretenders: Pretenders) -> None:
    pretenders.start("pipe", "pipe")
    until(lambda: bool(pretenders.pids(0) and pretenders.pids(1)))
    assert pretenders.end(gone=True) == 0


async def test_two_workers_behind_one_queue_share_the_work(
    workers: Workers, redis_url: str, job: JobMaker
) -> None:
    """The command itself, with two devices that are both the CPU; each decodes one answer at a time."""
    workers.command = [sys.executable, "-m", "worker", "--devices", "cpu,cpu"]
    crew = workers.start(wait=False, FRONTDESK_MAX_ROWS="1")

    async def ask(queue: Queue) -> None:
        async with queue.answer(job(max_tokens=100)) as events:
            async for event in events:
                if isinstance(event, Ended):
                    assert event.reason == "length"

    async with asyncio.timeout(120), Queue.open(redis_url, limit=64) as queue:
        while sum(worker.loaded for worker in (await queue.health()).workers) < 2:
            assert crew.poll() is None, workers.log().read_text()
            await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(ask(queue))
        while sum(worker.tokens for worker in (await queue.health()).workers) < 4000:
            await asyncio.sleep(0.05)  # they say it with their next heartbeat
        seen = (await queue.health()).workers
        assert {worker.device_index for worker in seen} == {0, 1}
        assert all(worker.tokens >= 400 for worker in seen), [worker.tokens for worker in seen]
        assert all(worker.tokens_per_second > 0 for worker in seen), "their speeds add up to the queue's"
        crew.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(crew.wait, 30) == 0
        assert (await queue.health()).workers == (), "both have said goodbye"
    assert "Traceback" not in workers.log().read_text()


def test_a_model_that_is_not_there_is_a_sentence_and_a_status() -> None:
    command = [sys.executable, "-m", "worker", "--redis", "redis://127.0.0.1:1", "--model", "nobody"]
    result = subprocess.run(
        [*command, "--devices", "cpu"], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert "There is no model named 'nobody'" in result.stderr
    assert "Traceback" not in result.stderr


def until(true: Callable[[], bool], *, within: float = 30.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
