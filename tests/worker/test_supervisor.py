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
from worker.backoff import BackOff
from worker.client import Queue
from worker.devices import chosen
from worker.jobs import Ended
from worker.supervisor import Crew

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker, Workers

PRETENDER = str(Path(__file__).with_name("pretender.py"))


@dataclass
class Wanted:
    """What the aliases would say; a test changes it."""

    models: tuple[str, ...] = ("old",)
    room: bool = True
    earlier: tuple[str, ...] = ()
    just_left: tuple[str, ...] = ()

    def wanted(self) -> tuple[str, ...]:
        return self.models

    def before(self) -> tuple[str, ...]:
        return self.earlier

    def leaving(self) -> tuple[str, ...]:
        return self.just_left

    def fits(self, model: str, *, device: str) -> bool:
        return self.room


@dataclass
class Pretenders:
    """A crew of programs in workers' places, in a thread. `manners` are theirs, one for each device, or for a model by
    its name."""

    folder: Path
    pool: ThreadPoolExecutor
    wanted: Wanted = field(default_factory=Wanted)
    crew: Crew | None = None
    status: Future[int] = field(default_factory=Future)

    def start(self, *manners: str, **by_model: str) -> None:
        environment = {**os.environ, "NAMES": str(self.folder)}
        environment |= {f"MANNER_{number}": manner for number, manner in enumerate(manners)}
        environment |= {f"MANNER_{model}": manner for model, manner in by_model.items()}
        devices = chosen(",".join(["cpu"] * len(manners)), environment={})
        command = [sys.executable, PRETENDER]
        self.crew = Crew(devices, models=self.wanted, command=command, environment=environment)
        self.status = self.pool.submit(self.crew.run)

    def end(self, *, gone: bool = False) -> int:
        assert self.crew is not None
        self.crew.end(gone=gone)
        return self.status.result(30)

    def pids(self, index: int, model: str = "*") -> list[int]:
        """Of all that ever stood at this place and came so far as to leave their name."""
        return [int(path.name.split("-")[1]) for path in self.folder.glob(f"{index}-*-{model}")]

    def retired(self, model: str) -> int:
        return len([*self.folder.glob(f"retired-*-{model}")])

    def answering(self) -> set[str]:
        assert self.crew is not None
        return {member.model for member in [*self.crew.members] if member.loaded and not member.retiring}

    def there(self) -> set[str]:
        assert self.crew is not None
        return {member.model for member in [*self.crew.members] if member.process is not None}


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


def test_a_new_model_is_loaded_beside_the_old_one_which_retires_only_then(pretenders: Pretenders) -> None:
    pretenders.start("plain", "plain", old="lingers")
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.models = ("new",)
    until(lambda: pretenders.retired("old") == 2)
    assert pretenders.answering() == {"new"}, "each device's, before the old one there was asked to end"
    assert pretenders.there() == {"old", "new"}, "the old ones see their answers through"
    (pretenders.folder / "end").touch()
    until(lambda: pretenders.there() == {"new"})
    assert pretenders.end() == 0


def test_a_new_model_that_does_not_load_changes_nothing(pretenders: Pretenders) -> None:
    pretenders.start("plain", new="refuses", newer="loads")
    until(lambda: pretenders.answering() == {"old"})
    for models in (("new",), ("newer",)):
        pretenders.wanted.models = models
        until(lambda name=models[0]: name in {m.model for m in [*pretenders.crew.members]})  # type: ignore[union-attr, misc]
    until(lambda: bool(pretenders.pids(0, "newer")))
    assert (pretenders.answering(), pretenders.retired("old")) == ({"old"}, 0)
    pretenders.wanted.models = ("old",)
    until(lambda: pretenders.there() == {"old"}, within=60)
    assert len(pretenders.pids(0, "old")) == 1, "and was never interrupted"
    assert pretenders.end() == 0


def test_without_room_for_both_the_old_one_ends_first(pretenders: Pretenders) -> None:
    pretenders.start("plain", old="lingers")
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.room, pretenders.wanted.models = False, ("new",)
    until(lambda: pretenders.retired("old") == 1)
    assert pretenders.pids(0, "new") == []
    (pretenders.folder / "end").touch()
    until(lambda: pretenders.answering() == {"new"})
    assert pretenders.there() == {"new"}
    assert pretenders.end() == 0


@pytest.mark.parametrize("end", ["refuses", "crashes"])
def test_where_the_old_one_made_room_in_vain_it_comes_back(pretenders: Pretenders, end: str) -> None:
    pretenders.start("plain", new=end)
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.room, pretenders.wanted.models = False, ("new",)
    until(lambda: len(pretenders.pids(0, "old")) == 2)
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.models = ("good",)
    until(lambda: pretenders.answering() == {"good"})
    assert pretenders.end() == 0


def test_a_canary_stands_beside_the_default_and_leaves_alone(pretenders: Pretenders) -> None:
    pretenders.start("plain")
    pretenders.wanted.models = ("old", "new")
    until(lambda: pretenders.answering() == {"old", "new"})
    pretenders.wanted.models = ("old",)
    until(lambda: pretenders.there() == {"old"})
    assert len(pretenders.pids(0, "old")) == 1
    assert pretenders.end() == 0


def test_who_is_wanted_again_while_it_retires_stays_and_nobody_joins_it(pretenders: Pretenders) -> None:
    pretenders.start("plain", old="lingers")
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.models = ("new",)
    until(lambda: pretenders.retired("old") == 1)
    pretenders.wanted.models = ("old",)
    until(lambda: pretenders.there() == {"old"})
    (pretenders.folder / "end").touch()
    until(lambda: pretenders.answering() == {"old"})
    assert len(pretenders.pids(0, "old")) == 1
    assert pretenders.end() == 0


def test_without_room_a_canary_leaves_for_the_default_and_never_the_other_way(pretenders: Pretenders) -> None:
    pretenders.start("plain")
    pretenders.wanted.models = ("old", "canary")
    until(lambda: pretenders.answering() == {"old", "canary"})
    pretenders.wanted.room, pretenders.wanted.models = False, ("new", "canary")
    until(lambda: pretenders.answering() == {"new"})
    until(lambda: pretenders.there() == {"new"})
    pretenders.wanted.room = True
    until(lambda: pretenders.answering() == {"new", "canary"})
    assert len(pretenders.pids(0, "new")) == 1
    assert pretenders.end() == 0


def test_a_canary_that_does_not_load_keeps_no_old_default(pretenders: Pretenders) -> None:
    pretenders.start("plain", canary="refuses")
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.models = ("new", "canary")
    until(lambda: pretenders.there() == {"new"} and pretenders.retired("old") == 1)
    assert pretenders.end() == 0


def test_a_default_that_cannot_be_loaded_from_the_start_is_the_one_before_it(pretenders: Pretenders) -> None:
    pretenders.wanted.models, pretenders.wanted.earlier = ("new",), ("old",)
    pretenders.start("plain", new="refuses")
    until(lambda: pretenders.answering() == {"old"})
    assert pretenders.end() == 0


def test_what_was_exchanged_just_before_the_start_sees_its_answers_through(pretenders: Pretenders) -> None:
    pretenders.wanted.models, pretenders.wanted.just_left = ("new",), ("old",)
    pretenders.start("plain", old="lingers")
    until(lambda: pretenders.there() == {"new", "old"})
    until(lambda: pretenders.retired("old") == 1)
    (pretenders.folder / "end").touch()
    until(lambda: pretenders.there() == {"new"})
    assert pretenders.end() == 0


def test_without_room_devices_take_turns(pretenders: Pretenders) -> None:
    pretenders.start("plain", "plain", old="lingers")
    until(lambda: len(pretenders.pids(0, "old")) == len(pretenders.pids(1, "old")) == 1)
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.room, pretenders.wanted.models = False, ("new",)
    until(lambda: pretenders.retired("old") == 1)
    assert pretenders.pids(0, "new") == pretenders.pids(1, "new") == []
    assert "old" in pretenders.answering(), "on the other one"
    (pretenders.folder / "end").touch()
    until(lambda: pretenders.there() == {"new"})
    assert pretenders.end() == 0


def test_one_that_died_just_before_it_was_to_retire_is_started_again_to_do_so(
    pretenders: Pretenders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BackOff, "died", lambda self, *, alive: 1.0)  # long enough to be exchanged meanwhile
    pretenders.wanted.models = ("old", "new")
    pretenders.start("plain", old="lingers")
    until(lambda: pretenders.answering() == {"old", "new"})
    os.kill(pretenders.pids(0, "old")[0], signal.SIGKILL)
    until(lambda: pretenders.there() == {"new"})
    pretenders.wanted.models = ("new",)
    until(lambda: pretenders.retired("old") == 1)
    assert len(pretenders.pids(0, "old")) == 2
    (pretenders.folder / "end").touch()
    until(lambda: pretenders.there() == {"new"})
    assert pretenders.end() == 0


def test_one_that_dies_while_it_retires_is_started_again_to_see_its_answers_through(
    pretenders: Pretenders,
) -> None:
    pretenders.start("plain", old="lingers")
    until(lambda: pretenders.answering() == {"old"})
    pretenders.wanted.models = ("new",)
    until(lambda: pretenders.retired("old") == 1)
    os.kill(pretenders.pids(0, "old")[0], signal.SIGKILL)
    until(lambda: pretenders.retired("old") == 2)
    (pretenders.folder / "end").touch()
    until(lambda: pretenders.there() == {"new"})
    assert pretenders.end() == 0


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


def test_aliases_that_cannot_be_read_at_the_start_are_a_sentence_and_a_status(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "aliases.json").write_text("{")
    command = [sys.executable, "-m", "worker", "--redis", "redis://127.0.0.1:1", "--data", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert "aliases.json is broken" in result.stderr
    assert "Traceback" not in result.stderr


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
