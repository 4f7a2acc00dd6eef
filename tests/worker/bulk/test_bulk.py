"""Work of hours: done once by whoever holds its lease, told to whoever asks, and taken up when its worker is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from worker import ledger
from worker.bulk import record, work
from worker.bulk.chores import CHORES, ChoreRefused, command
from worker.bulk.cli import app
from worker.bulk.client import Bulk
from worker.bulk.recovery import Recovery
from worker.jobs import BULK, BulkJob, Ended, Failed, JobMalformed, Progress, Result

PATIENT = str(Path(__file__).with_name("patient.py"))


def becomes(true: Callable[[], object], *, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@dataclass
class Site:
    """A Redis, and bulk workers that start one after the other."""

    url: str
    folder: Path
    client: redis.Redis
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def bulk(self) -> Bulk:
        return Bulk(self.client)

    def worker(self, script: str = PATIENT) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "REDIS_URL": self.url,
            "FRONTDESK_QUEUES": "bulk",
            "FRONTDESK_MODEL": "still-to-be-converted",
            "FRONTDESK_DATA": str(self.folder / "data"),
            "CHORES": str(self.folder),
        }
        with (self.folder / f"worker-{len(self.started)}.log").open("wb") as log:
            self.started.append(subprocess.Popen([sys.executable, script], env=environment, stderr=log))
        return self.started[-1]

    def begun(self, name: str) -> list[int]:
        """The processes that have begun a chore."""
        return sorted(int(path.suffix[1:]) for path in self.folder.glob(f"{name}.*"))

    def state(self, job: BulkJob) -> str:
        found = self.bulk.find(job.id)
        return found.state if found else ""

    def go(self) -> None:
        (self.folder / "go").touch()


@pytest.fixture
def site(redis_url: str, tmp_path: Path) -> Iterator[Site]:
    with redis.Redis.from_url(redis_url) as client:
        made = Site(redis_url, tmp_path, client)
        yield made
        for process in made.started:
            if process.poll() is None:
                process.terminate()
                process.wait(15)


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_job_is_done_told_and_remembered(site: Site) -> None:
    site.worker()
    job = site.bulk.ask("convert", ["one"])
    becomes(lambda: site.begun("one"))
    becomes(lambda: site.bulk.find(job.id).note == "under way")
    found = site.bulk.find(job.id)
    assert (found.state, found.fraction, found.job.arguments) == ("running", 0.25, ("one",))
    site.go()
    told = list(site.bulk.watch(job.id))
    assert [type(event) for event in told] == [Progress, Result]
    assert told[-1].value == {"made": "one"}
    assert [each.state for each in site.bulk.list()] == ["done"]
    assert not site.client.exists(record.lease_key(job.id))


def test_one_at_a_time_in_the_order_of_asking_and_one_that_waits_can_be_cancelled(site: Site) -> None:
    site.worker()
    first, second, third = (site.bulk.ask("convert", [name]) for name in ("one", "two", "three"))
    becomes(lambda: site.begun("one"))
    assert [site.state(job) for job in (first, second, third)] == ["running", "queued", "queued"]
    assert site.bulk.cancel(second.id)
    assert list(site.bulk.watch(second.id)) == [Ended(second.id, 1, "cancelled", 0, 0, 0)]
    site.go()
    becomes(lambda: site.state(third) == "done")
    assert [site.state(job) for job in (first, second)] == ["done", "cancelled"]
    assert not site.begun("two")
    assert not site.bulk.cancel(first.id)


def test_a_cancel_ends_the_chore_and_the_next_one_begins(site: Site) -> None:
    site.worker()
    job, other = site.bulk.ask("convert", ["one"]), site.bulk.ask("convert", ["two"])
    becomes(lambda: site.begun("one"))
    assert site.bulk.cancel(job.id)
    becomes(lambda: site.begun("two"))
    assert site.state(job) == "cancelled"
    assert not any(map(alive, site.begun("one")))
    assert site.state(other) == "running"


def test_a_killed_worker_leaves_no_chore_behind_and_another_takes_the_job_up(site: Site) -> None:
    first = site.worker()
    job = site.bulk.ask("convert", ["one"])
    becomes(lambda: site.begun("one"))
    first.send_signal(signal.SIGKILL)
    first.wait()
    becomes(lambda: not any(map(alive, site.begun("one"))))
    site.worker()
    becomes(lambda: len(site.begun("one")) == 2)
    site.go()
    assert isinstance(list(site.bulk.watch(job.id))[-1], Result)
    assert int(site.client.hget(ledger.job_key(job.id), "attempt")) == 2


def test_a_worker_that_is_asked_to_end_hands_its_job_back(site: Site) -> None:
    first = site.worker()
    job = site.bulk.ask("convert", ["one"])
    becomes(lambda: site.begun("one"))
    first.terminate()
    assert first.wait(15) == 0
    assert not any(map(alive, site.begun("one")))
    assert site.state(job) == "queued"
    site.go()
    site.worker()
    assert isinstance(list(site.bulk.watch(job.id))[-1], Result)


def test_a_job_that_kills_its_workers_is_given_up(site: Site) -> None:
    job = site.bulk.ask("convert", ["one"])
    for number in range(1, record.DEATHS_MOST + 1):
        worker = site.worker()
        becomes(lambda number=number: len(site.begun("one")) == number)
        worker.kill()
        worker.wait()
    site.worker()
    (*_, last) = site.bulk.watch(job.id)
    assert isinstance(last, Failed)
    assert last.code == "lost"
    assert site.state(job) == "lost"
    assert len(site.begun("one")) == record.DEATHS_MOST


def test_what_takes_longer_than_it_may_is_stopped(site: Site) -> None:
    site.worker()
    job = site.bulk.ask("convert", ["one"], seconds=3.0)
    (*_, last) = site.bulk.watch(job.id)
    assert isinstance(last, Ended)
    assert last.reason == "deadline"
    assert not any(map(alive, site.begun("one")))


def test_a_real_chore_that_fails_says_why(site: Site) -> None:
    script = site.folder / "begin.py"
    script.write_text("from worker.cli import app\napp()\n")
    site.worker(str(script))
    job = site.bulk.ask("quantise", ["nobody-knows"])
    (*_, last) = site.bulk.watch(job.id)
    assert isinstance(last, Failed)
    assert "nobody-knows" in last.message
    assert "Traceback" not in last.message


def test_a_lost_redis_costs_a_running_job_nothing(site: Site, redis_server: Any) -> None:
    site.worker()
    job = site.bulk.ask("convert", ["one"])
    becomes(lambda: site.begun("one"))
    redis_server.stop()
    redis_server.start()  # empty
    becomes(lambda: site.state(job) == "running")
    site.go()
    becomes(lambda: site.state(job) == "done")
    assert isinstance(list(site.bulk.watch(job.id))[-1], Result)
    assert len(site.begun("one")) == 1


def test_a_job_that_ends_while_redis_is_away_is_told_when_it_is_back_and_not_done_again(
    site: Site, redis_server: Any
) -> None:
    site.worker()
    job = site.bulk.ask("convert", ["one"])
    becomes(lambda: site.begun("one"))
    redis_server.stop()
    site.go()
    becomes(lambda: not any(map(alive, site.begun("one"))))
    time.sleep(1.5)  # longer than its lease
    redis_server.start()
    becomes(lambda: site.state(job) == "done")
    assert len(site.begun("one")) == 1


def test_a_lost_job_that_is_cancelled_ends_as_cancelled(site: Site) -> None:
    first = site.worker()
    job = site.bulk.ask("convert", ["one"])
    becomes(lambda: site.begun("one"))
    first.kill()
    first.wait()
    becomes(lambda: site.state(job) == "lost")
    assert site.bulk.cancel(job.id)
    site.worker()
    assert list(site.bulk.watch(job.id))[-1] == Ended(job.id, 1, "cancelled", 0, 0, 0)
    assert site.state(job) == "cancelled"


def test_of_several_who_find_a_job_lost_one_takes_it_up_and_counts_it_once(site: Site) -> None:
    job = site.bulk.ask("convert", ["one"])
    site.client.rpop(BULK)
    keys = ledger.job_key(job.id), ledger.cancelled_key(job.id)
    assert site.client.eval(ledger.CLAIM, 2, *keys, "1", "a worker") == b"yours"
    finders = [Recovery(client=site.client) for _ in range(3)]
    for each in finders:
        each.once()
    doubt = (job.id, b"running", b"1")
    for each in finders:  # each has seen it lost before any of them took it up
        each._recover(*doubt)
    found = site.client.hmget(ledger.job_key(job.id), "attempt", "deaths", "state")
    assert found == [b"2", b"1", b"queued"]


def test_a_job_is_listed_before_it_is_queued(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(site.client, "eval", dies)
    with pytest.raises(redis.ConnectionError):
        site.bulk.ask("convert", ["one"])
    assert site.client.zcard(record.JOBS) == 1


def test_a_chore_is_heard_without_line_ends_and_its_bars_cover_no_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = """
import sys
print("the reason", file=sys.stderr)
sys.stderr.write("".join(f"bar {each}\\r" for each in range(100)) + "[" + "9" * 5000 + "/1] " + "x" * 100_000)
sys.exit(1)
"""
    monkeypatch.setattr(work, "PROGRAM", (sys.executable, "-c", script))
    heard: list[str] = []
    child = work._Child.start([], data=tmp_path, note=heard.append)
    assert child.process.wait(20) == 1
    assert child.last_words().startswith("the reason\n[999")
    assert "bar 7" in heard
    assert max(map(len, heard)) <= work.LINE_CHARS
    assert not work._STEP.match("[" + "9" * 5000 + "/1]")  # more digits than Python reads


@pytest.mark.parametrize(
    ("chore", "arguments", "why"),
    [
        ("rm", ["-rf"], "no chore"),
        ("convert", ["-x"], "no option"),
        ("convert", ["model", "--data", "/etc"], "worker's own"),
        ("convert", ["model", "--data=/etc"], "worker's own"),
        ("convert", ["m"] * 65, "At most"),
        ("convert", ["m" * 5000], "At most"),
    ],
)
def test_what_is_no_chore_is_refused_by_name(chore: str, arguments: list[str], why: str) -> None:
    with pytest.raises(ChoreRefused, match=why):
        command(chore, arguments)


def test_every_chore_is_a_command_of_inference() -> None:
    for words in CHORES.values():
        asked = subprocess.run([sys.executable, "-m", "inference", *words, "--help"], capture_output=True)
        assert asked.returncode == 0, asked.stderr


def test_a_job_crosses_the_wire_as_it_is_and_nothing_else_is_taken_for_one() -> None:
    job = BulkJob(
        id="a",
        attempt=2,
        chore="pull",
        arguments=("x", "--to", "int8"),
        deadline=1.5,
        reply_to="s",
        correlation="c",
    )
    assert BulkJob.decode(job.encode()) == job
    for change in ({"kind": "answer"}, {"version": 2}, {"arguments": [1]}, {"more": 1}, {"id": None}):
        with pytest.raises(JobMalformed):
            BulkJob.decode(json.dumps({**json.loads(job.encode()), **change}))


def test_the_command_asks_lists_and_cancels(site: Site) -> None:
    run = CliRunner()
    asked = run.invoke(app, ["ask", "--redis", site.url, "convert", "org/model", "--to", "int8"])
    assert asked.exit_code == 0, asked.output
    (found,) = site.bulk.list()
    assert found.job.arguments == ("org/model", "--to", "int8")
    listed = run.invoke(app, ["list", "--redis", site.url, "--json"])
    assert json.loads(listed.output)[0]["state"] == "queued"
    assert "org/model" in run.invoke(app, ["list", "--redis", site.url]).output
    assert run.invoke(app, ["cancel", found.job.id, "--redis", site.url]).output == "It is being stopped.\n"
    watched = run.invoke(app, ["watch", found.job.id, "--redis", site.url])
    assert (watched.exit_code, watched.output) == (1, "It was cancelled.\n")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["list", "--redis", ""], 2, "REDIS_URL"),
        (["list", "--redis", "redis://:secret@127.0.0.1:1"], 1, "does not answer"),
        (["list", "--redis", "nonsense"], 2, "REDIS_URL"),
        (["list", "--redis", "redis://:sec/ret@127.0.0.1:1"], 2, "REDIS_URL: it is no address"),
        (["ask", "--redis", "redis://127.0.0.1:1", "boil", "eggs"], 2, "no chore"),
        (["ask", "--redis", "redis://127.0.0.1:1", "--hours", "1000", "pull", "x"], 2, "--hours"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], status: int, said: str) -> None:
    told = CliRunner().invoke(app, arguments, env={"REDIS_URL": ""})
    assert told.exit_code == status, told.output
    assert said in told.output
    assert "secret" not in told.output
    assert "'sec'" not in told.output
    assert "Traceback" not in told.output
