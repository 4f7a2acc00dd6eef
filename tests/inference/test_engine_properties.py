"""Whatever comes in whatever order: each row gets the tokens it gets alone, ends once, and none is lost or starves.

Arrivals, lengths, options, ends and cancels are made up by hypothesis; the model is a bare Generator's (bare.py).
"""

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inference import row
from inference.engine import Engine, Request, Sampling
from tests.inference.bare import Alone, Bare, declare_ends, make_deep, some_prompts
from tests.inference.conftest import PATIENCE, Answer, Held
from tests.inference.doubles import Watch, watched

LONGEST = 200  # tokens of a prompt
SYSTEM = (30, 61)  # lengths of the shared beginnings

# The same examples every time: a failure here is a failure everywhere, and CI does not gamble. Nor is time spent on
# making a failing example smaller: `check` names the row, and threads seldom fail in the same way again.
RULES = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Arrival:
    """One request as it comes: what it asks, when it comes after the one before, and what then happens to it."""

    length: int
    start: int  # where its prompt lies in the noise that all prompts are cut from
    sampling: Sampling
    pause: float  # seconds
    system: int | None = None  # which shared beginning
    cut: float | None = None  # resumed: so much of the answer was emitted before
    cancel_at: int | None = (
        None  # by its own reader, at its n-th new token; 0: by whoever submitted it, at once
    )
    seconds: float | None = None  # until its deadline
    bulk: bool = False


@dataclass
class Play:
    """One arrival in the engine: its request, what it would get alone, and what it gets."""

    arrival: Arrival
    request: Request
    alone: Alone
    answer: Answer
    ids_at_finish: list[int] = field(default_factory=list)


samplings = st.builds(
    Sampling,
    max_tokens=st.integers(1, 40),
    min_tokens=st.sampled_from([0, 0, 0, 7, 60]),
    ignore_eos=st.sampled_from([False, False, True]),
    repetition_penalty=st.sampled_from([1.0, 1.0, 1.0, 1.3]),
)
lengths = st.one_of(st.sampled_from([1, 1, 2, 3, 64, 65]), st.integers(1, LONGEST))
arrivals = st.builds(
    Arrival,
    length=lengths,
    start=st.integers(0, 20),
    sampling=samplings,
    pause=st.sampled_from([0, 0, 0, 0, 0.0005, 0.003, 0.02]),
    system=st.sampled_from([None, None, 0, 1]),
    cut=st.sampled_from([None, None, None, 0.1, 0.5, 0.9, 1]),
    cancel_at=st.one_of(st.none(), st.none(), st.none(), st.none(), st.integers(0, 12)),
    seconds=st.sampled_from([None] * 7 + [-1, 0.005, 0.05, 60]),
    bulk=st.sampled_from([False, False, True]),
)


class Reader(Answer):
    """An answer that may cancel itself."""

    def __init__(self, engine: Engine, request_id: str, cancel_at: int | None) -> None:
        super().__init__()
        self.engine, self.request_id, self.cancel_at = engine, request_id, cancel_at

    def on_token(self, token: int) -> None:
        super().on_token(token)
        assert not self.finishes
        if len(self.ids) == self.cancel_at:
            self.engine.cancel(self.request_id)


@dataclass
class House:
    """A model, and what all prompts are cut from."""

    bare: Bare
    noise: tuple[int, ...]
    systems: tuple[tuple[int, ...], ...]

    def prompt(self, arrival: Arrival) -> tuple[int, ...]:
        own = self.noise[arrival.start : arrival.start + arrival.length]
        return own if arrival.system is None else self.systems[arrival.system] + own

    def play(self, engine: Engine, number: int, arrival: Arrival) -> Play:
        prompt = self.prompt(arrival)
        alone = self.bare.alone(prompt, arrival.sampling)
        # what was emitted before does not count for CTranslate2's penalty: no promise is made, so none is tested
        cut = 0 if arrival.sampling.repetition_penalty != 1 else round((arrival.cut or 0) * len(alone.ids))
        request = Request(
            id=str(number),
            prompt=prompt,
            sampling=arrival.sampling,
            emitted=alone.ids[:cut],
            deadline=None if arrival.seconds is None else time.monotonic() + arrival.seconds,
            prefix=0 if arrival.system is None else SYSTEM[arrival.system],
            bulk=arrival.bulk,
        )
        return Play(arrival, request, alone, Reader(engine, request.id, arrival.cancel_at))


def send(engine: Engine, plays: list[Play]) -> None:
    for play in plays:
        time.sleep(play.arrival.pause)  # they come one after another, as people do
        engine.submit(play.request, on_token=play.answer.on_token, on_finish=play.answer.on_finish)
        if play.arrival.cancel_at == 0:
            engine.cancel(play.request.id)
        load = engine.load()
        assert load.running >= 0
        assert load.slots == engine.slots


def submit(house: House, engine: Engine, script: list[Arrival]) -> list[Play]:
    plays = [house.play(engine, number, arrival) for number, arrival in enumerate(script)]
    send(engine, plays)
    return plays


def wait(plays: list[Play]) -> None:
    for play in plays:
        assert play.answer.ended.wait(PATIENCE), f"{play.arrival} never ended"
        play.ids_at_finish = [*play.answer.ids]


def is_right(play: Play) -> bool:
    rest = list(play.alone.ids[len(play.request.emitted) :])
    said, reason = play.answer.ids, play.answer.reason
    if reason == "deadline":
        return play.arrival.seconds is not None and play.arrival.seconds < 1 and said == rest[: len(said)]
    if reason == "cancelled":
        at = play.arrival.cancel_at
        return at is not None and said == rest[: len(said)] and (at == 0 or len(said) == at)
    return said == rest and reason == ("stop" if play.alone.stopped else "length")


@pytest.fixture(scope="module")
def house(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The tiny model with three common tokens made ends, so that answers stop at many places."""
    copy = tmp_path_factory.mktemp("models") / "ending"
    shutil.copytree(folder, copy)
    declare_ends(copy, Bare(folder), [".", "?"])
    bare = Bare(copy)
    noise, *systems = some_prompts(bare, [LONGEST + 20, *SYSTEM], seed=3)
    assert set(bare.ends) & set(noise)  # a prompt holds end tokens of earlier turns
    return House(bare, noise, tuple(systems))


@contextmanager
def held(engine: Engine, replicas: int, prompt: tuple[int, ...]) -> Iterator[None]:
    """Whatever comes in this block waits for its end, and is then there all at once."""
    blockers = [Held() for _ in range(replicas)]
    for number, blocker in enumerate(blockers):
        request = Request(id=f"blocker {number}", prompt=prompt, sampling=Sampling(max_tokens=1))
        engine.submit(request, on_token=blocker.on_token, on_finish=blocker.on_finish)
        assert blocker.begun.wait(PATIENCE)
    try:
        yield
    finally:
        for blocker in blockers:
            blocker.release.set()


def check(plays: list[Play]) -> None:
    for play in plays:
        assert len(play.answer.finishes) == 1
        assert play.answer.ids == play.ids_at_finish  # no token after the end
        assert is_right(play), (play.arrival, play.answer.finishes, play.answer.ids, play.alone)


def companions(plays: list[Play], replicas: int) -> int:
    """A resumed row may bring a companion that leaves at its first step: one for each replica at most."""
    return replicas if any(play.request.emitted for play in plays) else 0


@given(
    script=st.integers(1, 24).flatmap(lambda rows: st.lists(arrivals, min_size=rows, max_size=rows)),
    replicas=st.integers(1, 3),
    crowd=st.booleans(),
)
@settings(RULES, max_examples=80)
def test_every_row_gets_what_it_gets_alone_and_ends_once(
    house: House, script: list[Arrival], replicas: int, crowd: bool
) -> None:
    with (
        watched() as watch,
        Engine(house.bare.folder, inter_threads=replicas, intra_threads=1, prefixes=house.systems) as engine,
    ):
        with held(engine, replicas, house.noise[:5]) if crowd else nullcontext():
            plays = submit(house, engine, script)
        wait(plays)
        slots = engine.slots
    check(plays)
    assert watch.most <= slots + companions(plays, replicas)


@given(script=st.lists(arrivals, min_size=8, max_size=16), max_rows=st.integers(1, 5))
@settings(RULES, max_examples=10)
def test_no_more_rows_are_decoded_at_once_than_there_is_room_for(
    house: House, script: list[Arrival], max_rows: int
) -> None:
    with (
        watched() as watch,
        Engine(house.bare.folder, inter_threads=2, intra_threads=1, max_rows=max_rows) as engine,
    ):
        assert engine.slots == max_rows
        plays = submit(house, engine, script)
        wait(plays)
    check(plays)
    assert watch.most <= max_rows + companions(plays, 2)


def test_attention_states_never_take_more_than_their_memory(house: House) -> None:
    """A token takes 1024 bytes here: 2 layers, keys and values, 64 floats each. Six rows of 50 tokens fit."""
    script = [Arrival(30, start, Sampling(max_tokens=20, ignore_eos=True), pause=0) for start in range(12)]
    with (
        watched() as watch,
        Engine(house.bare.folder, inter_threads=2, intra_threads=1, memory_bytes=320 * 1024) as engine,
    ):
        with held(engine, 2, house.noise[:5]):
            plays = submit(house, engine, script)
        wait(plays)
    check(plays)
    assert 1 < watch.most <= 6


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_answers_that_outgrow_the_memory_wait_for_one_another_and_none_is_lost(
    house: House, penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight answers of 300 tokens, and room for two. Each is given room for 16 ahead (a real context is longer than
    what it is given, this model's is not); the readers are slow, so that there is time to notice."""
    monkeypatch.setattr(row, "AHEAD", 16)
    sampling = Sampling(max_tokens=300, ignore_eos=True, repetition_penalty=penalty)
    script = [Arrival(9, start, sampling, pause=0) for start in range(8)]
    with (
        watched() as watch,
        Engine(house.bare.folder, inter_threads=2, intra_threads=1, memory_bytes=640 * 1024) as engine,
    ):
        plays = [house.play(engine, number, arrival) for number, arrival in enumerate(script)]
        for play in plays:
            play.answer.on_token = slowly(play.answer.on_token)
        send(engine, plays)
        wait(plays)
    check(plays)
    assert any(
        len(words) > 9 for call in watch.calls for words in call
    )  # one at least has waited and gone on


def slowly(on_token: Callable[[int], None]) -> Callable[[int], None]:
    def slow(token: int) -> None:
        on_token(token)
        time.sleep(0.001)

    return slow


def test_a_row_larger_than_all_memory_is_decoded_alone(house: House) -> None:
    sampling = Sampling(max_tokens=20)
    script = [Arrival(length, 0, sampling, pause=0) for length in (10, 150, 10, 160)]
    with (
        watched() as watch,
        Engine(house.bare.folder, inter_threads=2, intra_threads=1, memory_bytes=70 * 1024) as engine,
    ):
        plays = submit(house, engine, script)
        wait(plays)
    check(plays)
    assert {len(call) for call in watch.calls if max(map(len, call)) > 100} == {1}


def test_many_threads_may_ask_and_cancel_at_once(house: House) -> None:
    random = np.random.default_rng(5)
    script = [
        Arrival(
            int(random.integers(1, 120)),
            int(random.integers(0, 20)),
            Sampling(max_tokens=int(random.integers(1, 30))),
            pause=0.001,
            cancel_at=int(random.integers(0, 5)) if number % 4 == 0 else None,
        )
        for number in range(64)
    ]
    with Engine(house.bare.folder, inter_threads=2, intra_threads=1) as engine:
        plays = [house.play(engine, number, arrival) for number, arrival in enumerate(script)]
        threads = [threading.Thread(target=send, args=(engine, plays[n::8])) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait(plays)
    check(plays)


# -- order -----------------------------------------------------------------------------------------------------

KINDS = (
    Sampling(max_tokens=6),
    Sampling(max_tokens=6, min_tokens=3),
    Sampling(max_tokens=6, repetition_penalty=1.3),
)


def started(watch: Watch, house: House, play: Play) -> int:
    """The number of the call in which a row was first decoded."""
    prompt = [house.bare.tokens[i] for i in play.request.prompt]
    return next(number for number, rows in enumerate(watch.calls) if prompt in rows)


@given(
    script=st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.sampled_from([3, 40, 41, 160]), st.sampled_from([False, False, True])
        ),
        min_size=2,
        max_size=20,
    )
)
@settings(RULES, max_examples=15)
def test_of_equal_rows_the_first_to_come_is_the_first_to_start_and_bulk_lets_others_pass(
    house: House, script: list[tuple[Sampling, int, bool]]
) -> None:
    arrivals = [
        Arrival(length, start, sampling, pause=0, bulk=bulk)
        for start, (sampling, length, bulk) in enumerate(script)
    ]
    with (
        watched() as watch,
        Engine(house.bare.folder, inter_threads=1, intra_threads=1, max_rows=4) as engine,
    ):
        with held(engine, 1, house.noise[:5]):
            plays = submit(house, engine, arrivals)
        wait(plays)
    check(plays)
    for one, other in itertools.permutations(zip(script, plays, strict=True), 2):
        (sampling, length, bulk), play = one
        (sampling_of_other, length_of_other, bulk_of_other), later = other
        if (sampling, length) == (sampling_of_other, length_of_other):
            before = int(play.request.id) < int(later.request.id)
            if (before and bulk == bulk_of_other) or (bulk_of_other and not bulk):
                assert started(watch, house, play) <= started(watch, house, later)


def test_an_odd_row_is_not_starved_by_a_stream_of_others_that_fit_together(house: House) -> None:
    """120 rows of one kind, eight always on their way; the odd one comes early and must not wait for their end."""
    common, begun, ended = Sampling(max_tokens=8, ignore_eos=True), itertools.count(), threading.Event()
    odd, order = Answer(), list[str]()

    with Engine(house.bare.folder, inter_threads=1, intra_threads=1, max_rows=4) as engine:

        def next_row() -> None:
            number = next(begun)
            if number >= 120:
                ended.set()
                return
            start = number % 20
            request = Request(id=str(number), prompt=house.noise[start : start + 20], sampling=common)
            engine.submit(
                request, on_token=lambda _: None, on_finish=lambda _: (order.append(""), next_row())
            )

        for _ in range(8):
            next_row()
        request = Request(
            id="odd", prompt=house.noise, sampling=Sampling(max_tokens=2, repetition_penalty=1.3)
        )
        engine.submit(
            request,
            on_token=odd.on_token,
            on_finish=lambda finish: (order.append("odd"), odd.on_finish(finish)),
        )
        assert ended.wait(PATIENCE)
        assert odd.reason in ("length", "stop")
    assert order.index("odd") < 40


# -- int8 ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    return Bare(make_deep(tmp_path_factory.mktemp("models") / "deep"), compute_type="int8")


@pytest.mark.parametrize("seed", [1, 2])
def test_on_int8_rows_are_complete_and_differ_only_where_the_choice_is_narrow(deep: Bare, seed: int) -> None:
    random = np.random.default_rng(seed)
    prompts = some_prompts(deep, [int(n) for n in random.integers(2, 60, 24)], seed=seed)
    sampling = Sampling(max_tokens=40)
    answers = [Answer() for _ in prompts]
    with (
        watched() as watch,
        Engine(deep.folder, compute_type="int8", inter_threads=2, intra_threads=1) as engine,
    ):
        with held(engine, 2, prompts[0]):
            for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
                request = Request(id=str(number), prompt=prompt, sampling=sampling)
                engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
        assert {answer.reason for answer in answers} == {"length"}
    assert max(map(len, watch.calls)) > 4  # they were decoded together indeed
    for prompt, answer in zip(prompts, answers, strict=True):
        assert len(answer.ids) == sampling.max_tokens
        assert deep.differs_only_where_it_is_narrow(prompt, answer.ids, sampling)
