"""How the worker tells: a first piece at once, later ones together every 20 to 30 ms, all streams in one pipeline.

Nothing here measures time: waits are recorded, flushes are counted.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import redis

from inference.request import Finish
from worker.jobs import Ended, Piece, decode_event
from worker.stream import FLUSH, Publisher, Pulse
from worker.telling import Telling

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker, Model


@dataclass
class Time:
    """A clock that only waiting moves, and events that record for how long they would have made us wait."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def event(self) -> threading.Event:
        time = self

        class Waited(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                assert self.is_set() or timeout is not None, "nobody would ever wake us"
                if not self.is_set() and timeout:
                    time.waits.append(timeout)
                    time.now += timeout
                return self.is_set()

        return Waited()


def test_later_pieces_wait_for_20_to_30_ms_since_the_last_flush() -> None:
    time = Time()
    pulse = Pulse(clock=time.clock, event=time.event)
    for _ in range(3):
        pulse.wake(False)
        pulse.turn(idle=None)
    assert [round(wait, 6) for wait in time.waits] == [FLUSH, FLUSH]
    assert 0.020 <= FLUSH <= 0.030


def test_time_that_flushing_took_is_not_waited_for_again() -> None:
    time = Time()
    pulse = Pulse(clock=time.clock, event=time.event)
    pulse.wake(False)
    pulse.turn(idle=None)
    time.now += FLUSH * 0.8
    pulse.wake(False)
    pulse.turn(idle=None)
    time.now += FLUSH * 3
    pulse.wake(False)
    pulse.turn(idle=None)
    assert [round(wait, 6) for wait in time.waits] == [round(FLUSH * 0.2, 6)]


def test_a_first_piece_waits_for_nothing_and_takes_the_others_along() -> None:
    time = Time()
    pulse = Pulse(clock=time.clock, event=time.event)
    pulse.wake(False)
    pulse.turn(idle=None)
    pulse.wake(False)  # a later piece of one answer, then the first of another
    pulse.wake(True)
    pulse.turn(idle=None)
    assert time.waits == []
    pulse.wake(False)
    pulse.turn(idle=None)
    assert [round(wait, 6) for wait in time.waits] == [FLUSH], "the hurry is over"


class Stepped(Publisher):
    """Flushes when the test says so, and keeps what each flush sent."""

    def __init__(self, client: redis.Redis) -> None:
        self.sent: list[list[tuple[str | int, ...]]] = []
        super().__init__(client, stop=lambda _: None)

    def _run(self) -> None:
        """No thread of its own."""

    def _execute(self, commands: list[tuple[str | int, ...]]) -> None:
        self.sent.append(commands)
        super()._execute(commands)

    def flush(self) -> list[tuple[str | int, ...]]:
        """What the only pipeline of one flush held, none if there was none."""
        self.sent.clear()
        self._flush()
        assert len(self.sent) <= 1, "one round trip for all streams"
        return self.sent[0] if self.sent else []


@pytest.fixture
def client(redis_url: str) -> Generator[redis.Redis, None, None]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def kinds(commands: list[tuple[str | int, ...]]) -> list[str | int]:
    return [command[0] for command in commands]


def test_all_streams_share_one_pipeline(client: redis.Redis, model: Model, job: JobMaker) -> None:
    publisher = Stepped(client)
    tellings = [
        Telling(job(reply_to=f"stream-{number % 2}"), model.chat.tokenizer, wake=publisher.wake)
        for number in range(16)
    ]
    ids: list[int] = model.chat.tokenizer.encode(" the old garden near the river").ids
    for telling in tellings:
        publisher.add(telling)
        telling.on_token(ids[0])
    assert kinds(publisher.flush()) == ["XADD"] * 16 + ["EXPIRE"] * 2
    for token in ids[1:4]:
        for telling in tellings:
            telling.on_token(token)
    assert kinds(publisher.flush()) == ["XADD"] * 16 + ["EXPIRE"] * 2, (
        "three tokens of an answer are one piece"
    )
    for telling in tellings[:2]:
        telling.on_finish(Finish("length"))
    assert kinds(publisher.flush()) == ["XADD", "EVAL"] * 2 + ["EXPIRE"] * 2
    assert publisher.flush() == [], "nothing new, no round trip"
    entries: Any = client.xrange("stream-0")
    events = [decode_event(body[b"e"]) for _, body in entries]
    mine = [event for event in events if event.job == tellings[0].job.id]
    assert [len(event.ids) for event in mine if isinstance(event, Piece)] == [1, 3]
    assert isinstance(mine[-1], Ended)


def test_only_an_answer_s_first_text_asks_for_a_flush_at_once(
    client: redis.Redis, model: Model, job: JobMaker
) -> None:
    publisher = Stepped(client)
    hurries: list[bool] = []
    telling = Telling(job(reply_to="stream"), model.chat.tokenizer, wake=hurries.append)
    publisher.add(telling)
    for token in model.chat.tokenizer.encode(" the old garden near").ids:
        telling.on_token(token)
        publisher.flush()
    telling.on_finish(Finish("length"))
    assert hurries == [True, False, False, False, True], "and its end"
