"""Sixteen rows in one cohort, and one of them is cancelled: it is gone within a step, and nobody else notices.

Steps are counted, not seconds: the decoding loop is held in a reader's hands while the cancel comes.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from inference.engine import Engine, Finish, Request, Sampling
from tests.inference.bare import Bare, some_prompts
from tests.inference.conftest import PATIENCE, Answer, Held
from tests.inference.doubles import Watch, watched

A = TypeVar("A", bound=Answer)
ROWS = 16
WHOLE = Sampling(max_tokens=40)
AT = 10  # tokens that every row has when the first of them is held
LENGTH = 24  # of each prompt: equal, so that they can be decoded together


class Pausing(Answer):
    """Holds the decoding loop at its AT-th token until `go`, and two steps later until `more`."""

    def __init__(self) -> None:
        super().__init__()
        self.there, self.go, self.more = threading.Event(), threading.Event(), threading.Event()

    def on_token(self, token: int) -> None:
        super().on_token(token)
        if len(self.ids) == AT:
            self.there.set()
            assert self.go.wait(PATIENCE)
        if len(self.ids) == AT + 2:
            assert self.more.wait(PATIENCE)

    def let_go(self) -> None:
        self.go.set()
        self.more.set()


@dataclass
class Cohort:
    """Answers decoded together; the first of them pauses."""

    engine: Engine
    watch: Watch
    prompts: list[tuple[int, ...]]
    pausing: Pausing
    answers: list[Answer]

    def others(self, victim: int) -> list[Answer]:
        return [answer for number, answer in enumerate(self.answers) if number != victim]


@pytest.fixture(scope="module")
def bare(folder: Path) -> Bare:
    return Bare(folder)


def ask(engine: Engine, name: str, prompt: tuple[int, ...], answer: A, *, sampling: Sampling = WHOLE) -> A:
    request = Request(id=name, prompt=prompt, sampling=sampling)
    engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
    return answer


def held(engine: Engine, name: str, prompt: tuple[int, ...]) -> Held:
    """A row that keeps a replica to itself until it is released."""
    answer = ask(engine, name, prompt, Held(), sampling=Sampling(max_tokens=1))
    assert answer.begun.wait(PATIENCE)
    return answer


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def started(engine: Engine, watch: Watch, blocker: Held, prompts: list[tuple[int, ...]]) -> Cohort:
    """All have waited for the blocker's replica, so that they start together."""
    pausing = Pausing()
    answers = [ask(engine, str(n), prompt, Answer() if n else pausing) for n, prompt in enumerate(prompts)]
    blocker.release.set()
    assert blocker.reason == "length"
    assert pausing.there.wait(PATIENCE)
    assert len(watch.calls[-1]) == len(prompts)
    return Cohort(engine, watch, prompts, pausing, answers)


@pytest.fixture
def cohort(folder: Path, bare: Bare) -> Iterator[Cohort]:
    blocking, *prompts = some_prompts(bare, [LENGTH] * (ROWS + 1))
    with watched() as watch, Engine(folder, inter_threads=1, intra_threads=1, max_rows=ROWS) as engine:
        cohort = started(engine, watch, held(engine, "blocker", blocking), prompts)
        yield cohort
        cohort.pausing.let_go()


@pytest.mark.parametrize("victims", [[1], [8], [15], [0], [2, 3, 11, 15]])
def test_a_cancelled_row_gets_one_more_token_at_most_and_the_others_go_on_unchanged(cohort, bare, victims):
    before = [len(answer.ids) for answer in cohort.answers]
    for victim in victims:
        cohort.engine.cancel(str(victim))
    cohort.pausing.let_go()
    for number, (prompt, answer) in enumerate(zip(cohort.prompts, cohort.answers, strict=True)):
        whole = list(bare.alone(prompt, WHOLE).ids)
        if number in victims:
            assert answer.reason == "cancelled"
            assert len(answer.ids) <= before[number] + 1
        else:
            assert answer.reason == "length"
            assert len(answer.ids) == len(whole)
        assert answer.ids == whole[: len(answer.ids)]


def test_the_end_of_a_cancelled_row_is_told_while_the_others_are_still_decoded(cohort):
    assert cohort.engine.running == ROWS
    cohort.engine.cancel("5")
    cohort.pausing.go.set()  # and they are held again two steps later
    assert cohort.answers[5].ended.wait(PATIENCE)
    assert cohort.answers[5].finishes == [Finish("cancelled")]
    assert not any(answer.ended.is_set() for answer in cohort.others(5))
    assert cohort.engine.running == cohort.engine.load().running == ROWS - 1
    cohort.pausing.more.set()
    assert {answer.reason for answer in cohort.others(5)} == {"length"}


def test_a_whole_cohort_that_is_cancelled_leaves_its_replica_to_the_next(cohort, bare):
    late = ask(cohort.engine, "late", cohort.prompts[3][:20], Answer())
    for number in range(ROWS):
        cohort.engine.cancel(str(number))
    cohort.pausing.let_go()
    assert {answer.reason for answer in cohort.answers} == {"cancelled"}
    assert max(len(answer.ids) for answer in cohort.answers) <= AT + 1
    assert late.reason == "length"
    assert late.ids == list(bare.alone(cohort.prompts[3][:20], WHOLE).ids)


def test_the_place_of_a_cancelled_row_is_free_while_the_others_are_still_decoded(folder, bare):
    """Of 15 places, eight are taken by a cohort that goes on; seven are left, and with the cancel eight."""
    blocking, other, *prompts = some_prompts(bare, [LENGTH] * 18)
    prompts, late = prompts[:8], prompts[8:]
    with watched() as watch, Engine(folder, inter_threads=2, intra_threads=1, max_rows=15) as engine:
        blocker, beside = held(engine, "blocker", blocking), held(engine, "beside", other)
        cohort = started(engine, watch, blocker, prompts)
        waiting = [ask(engine, f"late {number}", prompt, Answer()) for number, prompt in enumerate(late)]
        engine.cancel("7")
        cohort.pausing.go.set()
        try:
            assert cohort.answers[7].reason == "cancelled"
            assert not any(answer.begun.is_set() for answer in waiting)
            batched = engine._scheduler._batched  # its place is free once the step after its last has begun
            until(lambda: sum(row.decoded for row in batched) == 7 + 1)
            beside.release.set()
            assert {answer.reason for answer in waiting} == {"length"}
            assert len(watch.calls[-1]) == 8
            assert not any(answer.ended.is_set() for answer in cohort.others(7))
        finally:
            cohort.pausing.let_go()
            beside.release.set()
        assert {answer.reason for answer in cohort.others(7)} == {"length"}
        assert [answer.ids for answer in waiting] == [list(bare.alone(prompt, WHOLE).ids) for prompt in late]
    assert watch.most == 15
