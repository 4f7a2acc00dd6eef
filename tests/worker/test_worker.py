"""A whole worker process over a real Redis and a real model, seen through the queue."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
import redis.asyncio

from worker import ledger
from worker.client import JobFailed, Queue, QueueBusy, QueueUnavailable
from worker.jobs import AnswerJob, Ended, Piece, answers_of
from worker.message import envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import JobMaker, Model, RedisServer, Workers


async def read(queue: Queue, job: AnswerJob) -> tuple[list[Piece], Ended]:
    async with asyncio.timeout(30), queue.answer(job) as events:
        pieces = []
        async for event in events:
            if isinstance(event, Ended):
                return pieces, event
            pieces.append(event)
    raise AssertionError("no end")


def ids_of(pieces: list[Piece]) -> tuple[int, ...]:
    return tuple(token for piece in pieces for token in piece.ids)


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


async def test_an_answer_is_what_the_engine_alone_makes(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    workers.start(token_seconds=0.005)
    ids, text = model.direct(max_tokens=60)
    async with Queue.open(redis_url, limit=8) as queue:
        pieces, ended = await read(queue, job())
    assert (ids_of(pieces), text_of(pieces)) == (ids, text)
    assert [piece.index for piece in pieces] == [len(ids_of(pieces[:n])) for n in range(len(pieces))]
    assert len(pieces) > 3, "it comes in pieces"
    assert len(pieces[0].ids) == 1, "the first is told at once"
    assert (ended.reason, ended.prompt_tokens, ended.completion_tokens) == ("length", len(model.prompt), 60)
    assert ended.engine_ms >= 60 * 5


async def test_many_answers_at_once_do_not_mix(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    workers.start(FRONTDESK_INTER_THREADS="3")
    expected = model.direct(max_tokens=60)
    async with Queue.open(redis_url, limit=32) as queue, asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(queue, job())) for _ in range(20)]
    for pieces, _ in (task.result() for task in tasks):
        assert (ids_of(pieces), text_of(pieces)) == expected


async def test_a_worker_takes_what_it_can_decode_and_a_few_more_and_the_rest_waits(
    workers: Workers, redis_url: str, job: JobMaker
) -> None:
    workers.start(token_seconds=0.01, FRONTDESK_MAX_ROWS="4")
    async with asyncio.timeout(60), Queue.open(redis_url, limit=32) as queue, AsyncExitStack() as stack:
        jobs = [job(max_tokens=400) for _ in range(10)]
        for asked in jobs:
            await stack.enter_async_context(queue.answer(asked))
        while True:
            health = await queue.health()
            (worker,) = health.workers
            if worker.running + worker.waiting >= 6:
                break
            await asyncio.sleep(0.05)
        assert (worker.slots, worker.running + worker.waiting, health.waiting) == (4, 6, 4)
        assert 0 < worker.running <= 4
        assert worker.queued_tokens > 0
        for asked in jobs:
            await queue.cancel(asked.id)


async def test_a_heartbeat_brings_what_the_engine_measures(
    workers: Workers, redis_url: str, job: JobMaker
) -> None:
    workers.start()
    async with asyncio.timeout(60), Queue.open(redis_url, limit=8) as queue:
        await read(queue, job(prefix=3, bulk=True))
        while True:
            (worker,) = (await queue.health()).workers
            if worker.tokens_per_second and 'finished_reason="length"' in worker.measures:
                break
            await asyncio.sleep(0.1)
    assert "frontdesk_engine_generation_tokens_total" in worker.measures
    assert worker.device_index is None, "it is alone"


async def test_a_resumed_answer_continues_where_it_was_and_repeats_nothing(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    workers.start()
    ids, text = model.direct(max_tokens=60)
    async with Queue.open(redis_url, limit=8) as queue:
        for emitted, shown in ((20, 30), (20, 0), (59, 100)):
            pieces, ended = await read(queue, job(emitted=ids[:emitted], shown=shown))
            assert ids_of(pieces) == ids[emitted:]
            assert text_of(pieces) == text[shown:]
            assert pieces[0].index == emitted
            assert ended.completion_tokens == 60


async def test_a_stop_string_ends_the_answer_before_it(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    workers.start(token_seconds=0.002)
    _, text = model.direct(max_tokens=60)
    stop = text[40:48]
    async with Queue.open(redis_url, limit=8) as queue:
        pieces, ended = await read(queue, job(stop=(stop,), max_tokens=400))
        assert text_of(pieces) == text[: text.index(stop)]
        assert ended.reason == "stop"
        assert ended.completion_tokens == len(ids_of(pieces)) < 60
        resumed, ended = await read(queue, job(stop=(stop,), emitted=ids_of(pieces), shown=10))
        assert text_of(resumed) == text[10 : text.index(stop)]
        assert ended.reason == "stop"


async def test_a_cancelled_answer_ends_within_a_step_and_100_ms(
    workers: Workers, redis_url: str, job: JobMaker
) -> None:
    workers.start(token_seconds=0.01)
    async with Queue.open(redis_url, limit=8) as queue:
        asked = job(max_tokens=400)
        async with queue.answer(asked) as events:
            assert isinstance(await anext(events), Piece)
            began = time.monotonic()
            await queue.cancel(asked.id)
            *_, end = [event async for event in events]
        assert isinstance(end, Ended)
        assert end.reason == "cancelled"
        assert time.monotonic() - began < 0.01 + 0.1 + 0.05, "a step, P6's 100 ms, and the way back"
        assert (await read(queue, job(max_tokens=5)))[1].reason == "length", "the worker is free again"


async def test_a_job_cancelled_while_it_waits_never_starts(
    workers: Workers, redis_url: str, job: JobMaker
) -> None:
    async with Queue.open(redis_url, limit=8) as queue:
        waiting, early = job(), job()
        async with queue.answer(waiting) as events:
            assert (await queue.health()).waiting == 1
            await queue.cancel(waiting.id)
            end = await anext(events)
            assert isinstance(end, Ended)
            assert (end.reason, end.completion_tokens) == ("cancelled", 0)
            assert (await queue.health()).waiting == 0, "its place is free, though no worker lives"
        await queue.cancel(early.id)
        pieces, ended = await read(queue, early)
        assert (pieces, ended.reason) == ([], "cancelled")


async def test_a_deadline_ends_the_answer(workers: Workers, redis_url: str, job: JobMaker) -> None:
    workers.start(token_seconds=0.01)
    async with Queue.open(redis_url, limit=8) as queue:
        pieces, ended = await read(queue, job(max_tokens=400, deadline=time.time() + 2))
    assert pieces
    assert ended.reason == "deadline"


async def test_leaving_detaches_and_the_worker_goes_on(
    workers: Workers, redis_url: str, job: JobMaker
) -> None:
    workers.start(token_seconds=0.01)
    async with Queue.open(redis_url, limit=8) as queue:
        left = job(max_tokens=50)
        async with queue.answer(left) as events, aclosing(events):
            await anext(events)
        with redis.Redis.from_url(redis_url) as client:
            assert client.hget(ledger.job_key(left.id), "state") == b"running"
            until(lambda: client.hget(ledger.job_key(left.id), "state") == b"ended")
        (worker,) = (await queue.health()).workers
        assert worker.loaded


async def test_a_worker_killed_midway_costs_a_pause_and_no_word(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    first = workers.start(token_seconds=0.02)
    expected = model.direct(max_tokens=120)
    pieces: list[Piece] = []
    killed_at = pause = 0.0
    async with Queue.open(redis_url, limit=8) as queue, queue.answer(job(max_tokens=120)) as events:
        async for event in events:
            if isinstance(event, Ended):
                break
            pieces.append(event)
            if event.attempt == 2 and not pause:
                pause = time.monotonic() - killed_at
            if len(pieces) == 15:
                first.send_signal(signal.SIGKILL)
                killed_at = time.monotonic()
                first.wait()
                workers.start(wait=False)
    assert (ids_of(pieces), text_of(pieces)) == expected
    assert {piece.attempt for piece in pieces} == {1, 2}
    assert 0 < pause < 10, "P3"
    assert event.completion_tokens == 120


async def test_a_worker_that_ends_hands_its_answer_to_another(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    first = workers.start(token_seconds=0.03)
    expected = model.direct(max_tokens=300)
    pieces: list[Piece] = []
    async with Queue.open(redis_url, limit=8) as queue, queue.answer(job(max_tokens=300)) as events:
        async for event in events:
            if isinstance(event, Ended):
                break
            pieces.append(event)
            if len(pieces) == 3:
                workers.start(wait=False)
                first.send_signal(signal.SIGTERM)
    assert (ids_of(pieces), text_of(pieces)) == expected
    assert await asyncio.to_thread(first.wait) == 0


async def test_a_redelivery_is_dropped(workers: Workers, redis_url: str, model: Model, job: JobMaker) -> None:
    workers.start(token_seconds=0.005, FRONTDESK_INTER_THREADS="2")
    async with Queue.open(redis_url, limit=8) as queue, redis.asyncio.from_url(redis_url) as client:
        asked = job()

        async def deliver_again(attempt: int) -> None:
            again = replace(asked, attempt=attempt, reply_to=queue.reply_to).encode()
            queue_name = answers_of(model.name)
            await client.lpush(queue_name, envelope(again, queue=queue_name, task_id="again"))

        async with queue.answer(asked) as events:
            pieces = []
            async for event in events:
                if isinstance(event, Ended):
                    break
                pieces.append(event)
                if len(pieces) == 2:
                    await deliver_again(1)
                    await deliver_again(0)
        await deliver_again(1)
        assert (await read(queue, job(max_tokens=3)))[1].reason == "length"
        (worker,) = (await queue.health()).workers
    assert (ids_of(pieces), text_of(pieces)) == model.direct(max_tokens=60)
    log = workers.log().read_text()
    assert all(f'"claim": "{claim}"' in log for claim in ("carried", "superseded", "ended")), log
    assert worker.running <= 1


async def test_an_unknown_version_is_refused(
    workers: Workers, redis_url: str, job: JobMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.start()
    monkeypatch.setattr(AnswerJob, "version", 99)  # in this process, as a newer bot's would be
    async with Queue.open(redis_url, limit=8) as queue:
        with pytest.raises(JobFailed) as failed:
            await read(queue, job())
    assert failed.value.code == "malformed"
    assert "version" in failed.value.message


@pytest.mark.parametrize(
    "kind", ["application/x-python-serialize", "pickle", "application/x-yaml", "application/x-msgpack"]
)
async def test_a_message_that_could_run_code_is_never_opened(
    workers: Workers, redis_url: str, model: Model, job: JobMaker, tmp_path: Path, kind: str
) -> None:
    workers.start()
    proof = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (proof,)

    queue_name = answers_of(model.name)
    message = json.loads(envelope("{}", queue=queue_name, task_id="bomb"))
    message["content-type"], message["content-encoding"] = kind, "binary"
    message["body"] = base64.b64encode(pickle.dumps([[Bomb()], {}, {}])).decode()
    async with Queue.open(redis_url, limit=8) as queue, redis.asyncio.from_url(redis_url) as client:
        await client.lpush(queue_name, json.dumps(message))
        assert (await read(queue, job(max_tokens=3)))[1].reason == "length", "the next one is answered"
        assert await client.llen(queue_name) == 0
    assert not proof.exists()
    assert "ContentDisallowed" in workers.log().read_text()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "another"}, "model_not_loaded"),
        ({"prompt": (5,) * 600}, "context_too_long"),
        ({"prompt": (10_000_000,)}, "refused"),
        ({"temperature": -1.0}, "refused"),
    ],
)
async def test_a_job_that_cannot_be_done_fails_with_a_reason(
    workers: Workers, redis_url: str, job: JobMaker, fields: dict[str, object], code: str
) -> None:
    workers.start()
    async with Queue.open(redis_url, limit=8) as queue:
        with pytest.raises(JobFailed) as failed:
            await read(queue, job(**fields))
        assert failed.value.code == code
        assert (await read(queue, job(max_tokens=3)))[1].reason == "length", "the next one is answered"


async def test_a_full_queue_says_so_and_for_how_long(workers: Workers, redis_url: str, job: JobMaker) -> None:
    async with Queue.open(redis_url, limit=2) as queue, asyncio.TaskGroup() as group:
        waiting = [group.create_task(read(queue, job(max_tokens=3))) for _ in range(2)]
        await asyncio.sleep(0)  # both are on their way: one connection's order is not the other's
        while (await queue.health()).waiting < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(QueueBusy) as busy:
            await read(queue, job())
        assert 1 <= busy.value.retry_after <= 120
        resumed = group.create_task(read(queue, job(emitted=(5,), shown=1, max_tokens=3)))
        await asyncio.to_thread(workers.start)
    assert [task.result()[1].reason for task in (*waiting, resumed)] == ["length"] * 3


async def test_a_job_that_died_with_its_worker_before_it_began_is_put_back(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    async with Queue.open(redis_url, limit=8) as queue, redis.asyncio.from_url(redis_url) as client:
        asking = asyncio.ensure_future(read(queue, job()))
        while not await client.rpop(answers_of(model.name)):  # taken, and never claimed
            await asyncio.sleep(0.01)
        await asyncio.to_thread(workers.start)
        pieces, _ = await asking
    assert text_of(pieces) == model.direct(max_tokens=60)[1]


async def test_a_restart_of_redis_is_survived_at_both_ends(
    workers: Workers, redis_server: RedisServer, model: Model, job: JobMaker
) -> None:
    worker = workers.start()
    async with Queue.open(redis_server.url, limit=8) as queue:
        await read(queue, job())
        await asyncio.to_thread(redis_server.stop)
        with pytest.raises(QueueUnavailable):
            await read(queue, job())
        await asyncio.to_thread(redis_server.start)
        pieces, _ = await read(queue, job())
        assert text_of(pieces) == model.direct(max_tokens=60)[1]
    assert worker.poll() is None


async def test_a_restart_of_redis_midway_costs_a_pause_and_not_the_answer(
    workers: Workers, redis_server: RedisServer, model: Model, job: JobMaker
) -> None:
    workers.start(token_seconds=0.03)
    async with Queue.open(redis_server.url, limit=8) as queue:
        asking = asyncio.create_task(read(queue, job()))
        await asyncio.sleep(0.6)  # into the answer
        await asyncio.to_thread(redis_server.stop)
        await asyncio.to_thread(redis_server.start)  # empty: the job's record is gone
        pieces, _ = await asking
    assert (ids_of(pieces), text_of(pieces)) == model.direct(max_tokens=60)


async def test_a_higher_attempt_from_another_bot_takes_the_answer_over(
    workers: Workers, redis_url: str, model: Model, job: JobMaker
) -> None:
    workers.start(token_seconds=0.01, FRONTDESK_INTER_THREADS="1")
    ids, text = model.direct(max_tokens=60)
    async with Queue.open(redis_url, limit=8) as dying, Queue.open(redis_url, limit=8) as taking:
        first = job(id="same", attempt=1000, max_tokens=400)
        async with dying.answer(first) as events:
            await anext(events)
            pieces, _ = await read(taking, job(id="same", attempt=2000, emitted=ids[:3]))
            with pytest.raises(JobFailed, match="superseded"):
                async for _ in events:
                    pass
        with pytest.raises(JobFailed, match="superseded"):
            await read(dying, first)
    assert (ids[:3] + ids_of(pieces), text_of(pieces)) == (ids, text)


@pytest.mark.parametrize("busy", [False, True])
async def test_sigterm_ends_the_worker_with_status_0(
    workers: Workers, redis_url: str, job: JobMaker, busy: bool
) -> None:
    worker = workers.start(token_seconds=0.02)
    async with Queue.open(redis_url, limit=8) as queue:
        async with queue.answer(job(max_tokens=400)) as events:
            if busy:
                await anext(events)
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(worker.wait, 10) == 0
            assert time.monotonic() - began < 10
        assert (await queue.health()).workers == ()
    assert "Traceback" not in workers.log().read_text()


def test_a_worker_ends_when_its_parent_is_killed(workers: Workers, redis_url: str) -> None:
    """The parent is a process of its own that holds the pipe and is killed; only the worker knows what to do then."""
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, *workers.command, "--parent-pipe", "0"],
        env=workers.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        with redis.Redis.from_url(redis_url) as client:
            until(lambda: any(str(pid) in key.decode() for key in client.keys(ledger.worker_key("*"))))
        parent.kill()
    until(lambda: not alive(pid))


def until(true: Callable[[], bool], *, within: float = 15.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # an orphan that has ended but that nobody has reaped counts as ended
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
