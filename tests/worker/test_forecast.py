"""What a queue's state makes one more job wait, by numbers alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from worker.forecast import TOKENS, Estimate, Forecast, Mean
from worker.health import WorkerInfo
from worker.jobs import AnswerJob, Ended

WORKER = WorkerInfo(
    name="w",
    host="h",
    pid=1,
    model="m",
    device="cpu",
    loaded=True,
    running=0,
    waiting=0,
    slots=4,
    queues=("answers",),
    tokens_per_second=50.0,
)
MEAN = Mean(tokens=100.0)


def forecast(*workers: WorkerInfo, mean: Mean = MEAN) -> Forecast:
    return Forecast.of(workers, mean)


def test_where_a_place_is_free_nobody_waits_however_long_others_take() -> None:
    busy = replace(WORKER, running=3, queued_tokens=90_000)
    assert forecast(busy).estimate(0) == Estimate(ahead=0, seconds=0.0)
    assert forecast(busy).room(limit=64, max_wait=1.0) >= 1


def test_where_all_places_are_taken_one_answer_has_to_end_first() -> None:
    full = replace(WORKER, running=4, queued_tokens=200)
    assert forecast(full).estimate(0) == Estimate(ahead=0, seconds=2.0)
    assert forecast(full).estimate(3) == Estimate(ahead=3, seconds=8.0)


def test_what_waits_in_the_engine_is_ahead_at_its_own_measure() -> None:
    behind = replace(WORKER, running=3, waiting=1, queued_tokens=400)
    assert forecast(behind).estimate(1) == Estimate(ahead=2, seconds=(100 + 100 + 100) / 50)


def test_workers_add_up_and_those_that_do_not_answer_do_not_count() -> None:
    full = replace(WORKER, running=4)
    loading = replace(WORKER, loaded=False)
    other = replace(WORKER, queues=("bulk",))
    assert forecast(full, full, loading, other).estimate(0).seconds == 1.0


def test_before_a_speed_was_measured_only_the_limit_counts() -> None:
    new = replace(WORKER, running=4, tokens_per_second=0.0)
    assert forecast(new).room(limit=7, max_wait=0.1) == 7
    assert forecast(new, mean=Mean(seconds=8.0)).estimate(1).seconds == 2 * 8.0 / 4


def test_without_a_worker_nothing_is_promised() -> None:
    assert forecast().estimate(2) == Estimate(ahead=2, seconds=None)
    assert forecast().room(limit=7, max_wait=0.1) == 7


def test_free_places_are_filled_whatever_the_speed_of_few_rows_was() -> None:
    slow = replace(WORKER, running=1, waiting=1, queued_tokens=9_000, tokens_per_second=1.0)
    assert forecast(slow).room(limit=64, max_wait=60.0) == 2
    assert forecast(slow).room(limit=1, max_wait=60.0) == 1


@pytest.mark.parametrize("waiting", range(8))
def test_one_more_is_let_in_exactly_while_it_begins_in_time(waiting: int) -> None:
    full = forecast(replace(WORKER, running=4, waiting=1, queued_tokens=500))
    room = full.room(limit=64, max_wait=9.0)
    assert (waiting < room) == ((full.estimate(waiting).seconds or math.inf) <= 9.0)


def test_who_is_refused_hears_when_there_is_room_again() -> None:
    full = forecast(replace(WORKER, running=4))
    assert full.room(limit=64, max_wait=9.0) == 4
    assert full.patience(4, room=4) == 2
    assert full.patience(6, room=4) == 6
    assert full.patience(2, room=-1_000) == 120, "what lies further ahead is no estimate"


def test_the_mean_answer_follows_what_ends_and_a_resumed_one_counts_by_what_is_new() -> None:
    mean = Mean()
    job = AnswerJob(
        id="a",
        attempt=1,
        model="m",
        prompt=(1,),
        max_tokens=9,
        emitted=tuple(range(100)),
        deadline=0.0,
        reply_to="",
        correlation="c",
    )
    mean.add(job, Ended("a", 1, "stop", 1, 100 + int(TOKENS), 5), seconds=8.0)
    assert mean == Mean()
    mean.add(job, Ended("a", 1, "stop", 1, 100, 5), seconds=0.0)
    assert mean.tokens < TOKENS
    assert mean.seconds < 8.0
