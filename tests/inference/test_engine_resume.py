"""A row that was interrupted, by a worker's death or a full device, goes on as if it had not been.

The measure is the whole answer of the row alone. Where memory runs out, that is played: doubles.py says how.
"""

import itertools
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from inference.engine import Engine, Request, Sampling
from tests.inference.bare import Bare, declare_ends, make_deep, some_prompts
from tests.inference.conftest import PATIENCE, Answer, Held
from tests.inference.doubles import above, once_after, watched

WHOLE = Sampling(max_tokens=40)
PENALISED = Sampling(max_tokens=40, repetition_penalty=1.3)
OUT_OF_MEMORY_TOTAL = "frontdesk_engine_out_of_memory_total"
ONE = {"inter_threads": 1, "intra_threads": 1}


@dataclass
class Asked:
    request: Request
    answer: Answer

    @property
    def whole(self) -> tuple[int, ...]:
        return (*self.request.emitted, *self.answer.ids)


def ask(
    engine: Engine,
    name: str,
    prompt: tuple[int, ...],
    *,
    sampling: Sampling = WHOLE,
    emitted: tuple[int, ...] = (),
) -> Asked:
    asked = Asked(Request(id=name, prompt=prompt, sampling=sampling, emitted=emitted), Answer())
    engine.submit(asked.request, on_token=asked.answer.on_token, on_finish=asked.answer.on_finish)
    return asked


def held(engine: Engine, prompt: tuple[int, ...]) -> Held:
    """Keeps the only replica until it is released: whatever comes meanwhile starts together."""
    blocker = Held()
    request = Request(id="blocker", prompt=prompt, sampling=Sampling(max_tokens=1, ignore_eos=True))
    engine.submit(request, on_token=blocker.on_token, on_finish=blocker.on_finish)
    assert blocker.begun.wait(PATIENCE)
    return blocker


@pytest.fixture(scope="module")
def bare(folder: Path) -> Bare:
    return Bare(folder)


@pytest.fixture(scope="module")
def ending(folder: Path, bare: Bare, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """The tiny model with two common tokens made ends."""
    copy = tmp_path_factory.mktemp("models") / "ending"
    shutil.copytree(folder, copy)
    declare_ends(copy, bare, [".", "?"])
    return Bare(copy)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    return Bare(make_deep(tmp_path_factory.mktemp("models") / "deep"), compute_type="int8")


# -- resumed from outside --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", [WHOLE, PENALISED], ids=["plain", "penalised"])
@pytest.mark.parametrize("length", [1, 2, 30])
@pytest.mark.parametrize("cut", [1, 2, 13, 39])
def test_a_resumed_row_says_the_rest_of_what_it_says_alone(engine, bare, sampling, length, cut):
    if length == 1 and sampling is PENALISED:
        pytest.skip(
            "a prompt of one token cannot be fed by steps, and CTranslate2's penalty counts no others"
        )
    engine.warm_up()  # how many tokens can be fed by steps follows from how long a step takes
    (prompt,) = some_prompts(bare, [length], seed=length)
    whole = bare.alone(prompt, sampling).ids
    resumed = ask(engine, "a", prompt, sampling=sampling, emitted=whole[:cut])
    assert resumed.answer.reason == "length"
    assert resumed.whole == whole


@pytest.mark.parametrize("min_tokens", [0, 9, 30])
@pytest.mark.parametrize("ignore_eos", [False, True])
def test_a_resumed_row_stops_where_it_would_have_stopped(ending, min_tokens, ignore_eos):
    sampling = Sampling(max_tokens=40, min_tokens=min_tokens, ignore_eos=ignore_eos)
    prompts = some_prompts(ending, [25, 31, 40, 8], seed=4)
    with Engine(ending.folder, **ONE) as engine:
        for prompt in prompts:
            alone = ending.alone(prompt, sampling)
            cuts = sorted({len(alone.ids), len(alone.ids) // 2, min(3, len(alone.ids))})
            asked = [
                ask(engine, str(cut), prompt, sampling=sampling, emitted=alone.ids[:cut]) for cut in cuts
            ]
            for one in asked:
                assert one.answer.reason == ("stop" if alone.stopped else "length")
                assert one.whole == alone.ids


@pytest.mark.parametrize("more", [0, 1, 20])
def test_a_row_that_had_all_its_tokens_ends_at_once_without_another(engine, bare, more):
    (prompt,) = some_prompts(bare, [30])
    whole = bare.alone(prompt, WHOLE).ids
    resumed = ask(engine, "a", prompt, sampling=Sampling(max_tokens=40 - more), emitted=whole)
    assert resumed.answer.reason == "length"
    assert resumed.answer.ids == []


def test_resumed_rows_and_others_are_decoded_together_and_none_notices(folder, bare):
    blocking, *prompts = some_prompts(bare, [30, *[30, 31, 34, 30, 38, 26, 30, 33]])
    with watched() as watch, Engine(folder, **ONE) as engine:
        blocker = held(engine, blocking)
        asked = []
        for number, prompt in enumerate(prompts):
            emitted = bare.alone(prompt, WHOLE).ids[: 5 * (number % 3)]
            asked.append(ask(engine, str(number), prompt, emitted=emitted))
        blocker.release.set()
        assert {one.answer.reason for one in asked} == {"length"}
    assert max(map(len, watch.calls)) > 4
    for one in asked:
        assert one.whole == bare.alone(one.request.prompt, WHOLE).ids


def test_a_resumed_row_goes_on_behind_a_shared_beginning(folder, bare):
    system, *rest = some_prompts(bare, [40, 20, 21, 9], seed=8)
    with Engine(folder, prefixes=[system], **ONE) as engine:
        for number, own in enumerate(rest):
            prompt = system + own
            whole = bare.alone(prompt, WHOLE).ids
            asked = Asked(
                Request(
                    id=str(number), prompt=prompt, sampling=WHOLE, emitted=whole[:11], prefix=len(system)
                ),
                Answer(),
            )
            engine.submit(asked.request, on_token=asked.answer.on_token, on_finish=asked.answer.on_finish)
            assert asked.answer.reason == "length"
            assert asked.whole == whole


def test_on_int8_a_row_fed_by_steps_goes_on_identically_eight_of_eight(deep):
    """Prompts 6 and 12 are two of those that go on otherwise when their emitted tokens are read anew, on the machine
    where this was written."""
    random = np.random.default_rng(1)
    lengths = [int(n) for n in random.integers(20, 80, 32)]
    prompts = [tuple(map(int, random.integers(0, len(deep.tokens), n))) for n in lengths][6:14]
    sampling = Sampling(max_tokens=60)
    with Engine(deep.folder, compute_type="int8", **ONE) as engine:
        engine.warm_up()
        for number, prompt in enumerate(prompts):
            whole = deep.alone(prompt, sampling).ids
            one = ask(engine, str(number), prompt, sampling=sampling, emitted=whole[:15])
            assert one.answer.reason == "length"
            assert one.whole == whole


# -- the device is full ----------------------------------------------------------------------------------------

KINDS = {
    "plain": WHOLE,
    "penalised": PENALISED,
    "not to end early": Sampling(max_tokens=40, min_tokens=12),
    "not to end": Sampling(max_tokens=40, ignore_eos=True),
}


def crowd(engine: Engine, bare: Bare, sampling: Sampling, lengths: Sequence[int]) -> list[Asked]:
    blocking, *prompts = some_prompts(bare, [24, *lengths], seed=6)
    blocker = held(engine, blocking)
    asked = [ask(engine, str(number), prompt, sampling=sampling) for number, prompt in enumerate(prompts)]
    blocker.release.set()
    for one in asked:
        assert one.answer.ended.wait(PATIENCE)
    return asked


def all_right(bare: Bare, asked: list[Asked]) -> None:
    for one in asked:
        alone = bare.alone(one.request.prompt, one.request.sampling)
        assert [finish.reason for finish in one.answer.finishes] == ["stop" if alone.stopped else "length"]
        assert tuple(one.answer.ids) == alone.ids


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_a_cohort_too_large_for_the_device_is_split_until_it_fits_and_no_row_is_lost(ending, limit):
    with watched(above(limit)) as watch, Engine(ending.folder, max_rows=16, **ONE) as engine:
        asked = crowd(engine, ending, WHOLE, [24] * 16)
        splits = engine.measures.registry.get_sample_value(OUT_OF_MEMORY_TOTAL)
    all_right(ending, asked)
    tried = [len(rows) for rows in watch.calls]
    assert splits == sum(rows > limit for rows in tried) > 0
    assert splits <= len(asked) // 2  # what was too much is remembered


@pytest.mark.parametrize("callbacks", [1, 5, 16, 40])
@pytest.mark.parametrize("sampling", KINDS.values(), ids=KINDS)
def test_rows_whose_device_is_full_midway_go_on_where_they_were(ending, sampling, callbacks):
    with watched(once_after(callbacks)), Engine(ending.folder, max_rows=16, **ONE) as engine:
        asked = crowd(engine, ending, sampling, [24] * 12)
        splits = engine.measures.registry.get_sample_value(OUT_OF_MEMORY_TOTAL)
    all_right(ending, asked)
    assert splits == 1


def test_rows_of_many_lengths_go_on_where_they_were_behind_a_shared_beginning_too(ending):
    system, *own = some_prompts(ending, [40, 12, 14, 9, 10, 18, 12], seed=9)
    with watched(once_after(40)), Engine(ending.folder, max_rows=16, prefixes=[system], **ONE) as engine:
        blocker = held(engine, own[0])
        asked = []
        for number, rest in enumerate(own):
            for name, prompt, prefix in (
                (f"{number} a", system + rest, 40),
                (f"{number} b", system + rest, 0),
            ):
                one = Asked(Request(id=name, prompt=prompt, sampling=WHOLE, prefix=prefix), Answer())
                engine.submit(one.request, on_token=one.answer.on_token, on_finish=one.answer.on_finish)
                asked.append(one)
        blocker.release.set()
        for one in asked:
            assert one.answer.ended.wait(PATIENCE)
    all_right(ending, asked)


def test_a_row_that_is_resumed_and_interrupted_again_goes_on(bare, folder):
    with watched(once_after(30)), Engine(folder, max_rows=16, **ONE) as engine:
        blocking, *prompts = some_prompts(bare, [24, *[24] * 6], seed=6)
        blocker = held(engine, blocking)
        asked = [
            ask(engine, str(number), prompt, emitted=bare.alone(prompt, WHOLE).ids[: 3 * number])
            for number, prompt in enumerate(prompts)
        ]
        blocker.release.set()
        assert {one.answer.reason for one in asked} == {"length"}
    for one in asked:
        assert one.whole == bare.alone(one.request.prompt, WHOLE).ids


def test_a_device_that_cannot_hold_a_single_row_says_so_and_the_engine_goes_on(bare, folder):
    def full(call: int, rows: list[list[str]], steps: int) -> bool:
        return max(map(len, rows)) > 100

    with watched(full), Engine(folder, **ONE) as engine:
        large, small = some_prompts(bare, [120, 20])
        lost, fine = ask(engine, "large", large), ask(engine, "small", small)
        assert lost.answer.reason == "error"
        assert "memory" in lost.answer.finishes[0].error
        assert fine.answer.reason == "length"
        assert fine.whole == bare.alone(small, WHOLE).ids


def test_what_is_cancelled_while_the_device_is_full_ends_as_cancelled(bare, folder):
    """The device is full at the first callback after the cancel."""
    cancelled = threading.Event()
    once = itertools.count()

    def full(call: int, rows: list[list[str]], steps: int) -> bool:
        return cancelled.is_set() and next(once) == 0

    with watched(full), Engine(folder, max_rows=16, **ONE) as engine:
        blocking, *prompts = some_prompts(bare, [24] * 5)
        blocker = held(engine, blocking)
        pausing = Held()
        request = Request(id="0", prompt=prompts[0], sampling=WHOLE)
        engine.submit(request, on_token=pausing.on_token, on_finish=pausing.on_finish)
        asked = [ask(engine, str(number), prompt) for number, prompt in enumerate(prompts) if number]
        blocker.release.set()
        assert pausing.begun.wait(PATIENCE)
        engine.cancel("2")
        cancelled.set()
        pausing.release.set()
        assert asked[1].answer.reason == "cancelled"
        assert len(asked[1].answer.ids) <= 1
        assert {one.answer.reason for one in (asked[0], asked[2])} == {"length"}
        assert pausing.reason == "length"
    assert pausing.ids == list(bare.alone(prompts[0], WHOLE).ids)
    for one in (asked[0], asked[2]):
        assert one.whole == bare.alone(one.request.prompt, WHOLE).ids
