"""What every engine promises, whichever library computes: one checkpoint, run by both, and every end it can have.

The measure is transformers' own greedy generate. Only what no engine can differ in stands here; cohorts, memory and
replicas are the first engine's (test_engine_*.py), families and turns the second's (test_fallback.py).
"""

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import torch
import transformers

from inference.engine import Engine
from inference.fallback import TransformersEngine
from inference.library import ModelIncomplete
from inference.request import (
    ContextTooLong,
    EngineBusy,
    EngineClosed,
    EngineError,
    Finish,
    Request,
    Sampling,
)
from tests.inference.checkpoints import make, rewrite
from tests.inference.conftest import PATIENCE, Answer, Held

pytestmark = pytest.mark.usefixtures("one_thread")

CONTEXT = 128
PROMPT = tuple(range(30, 66))
LENGTH = 20  # tokens of an answer

EOS = 353  # the tokenizer's

ENGINES = {"ctranslate2": Engine, "transformers": TransformersEngine}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grouped heads; of end tokens only the tokenizer's own, which it never says, until a test declares others."""
    folder = make("llama3", tmp_path_factory.mktemp("sources") / "llama3")
    rewrite(folder / "config.json", eos_token_id=None)
    rewrite(folder / "generation_config.json", eos_token_id=None)
    (folder / "frontdesk.json").write_text(json.dumps({"context_length": CONTEXT}))
    return folder


@pytest.fixture(scope="module")
def converted(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "llama3"
    settings = [
        file.name for file in checkpoint.iterdir() if file.name.startswith(("tok", "chat", "front", "gen"))
    ]
    ctranslate2.converters.TransformersConverter(str(checkpoint), copy_files=settings).convert(str(folder))
    return folder


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> list[int]:
    """What the model says to the prompt, greedy."""
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint)
    ids = torch.tensor([PROMPT])
    said = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=60, pad_token_id=0
    )
    answer: list[int] = said[0, len(PROMPT) :].tolist()
    assert EOS not in answer
    assert len(set(answer[:12])) > 6, "an answer that goes round in a circle proves little"
    return answer


@pytest.fixture(params=ENGINES)
def opened(
    request: pytest.FixtureRequest, checkpoint: Path, converted: Path, tmp_path: Path
) -> Iterator[Callable[..., Engine]]:
    """Opens the engine under test: opened(ends=[...], max_rows=1). What it opened is closed at the end."""
    engines = []

    def open_one(*, ends: tuple[int, ...] = (), **options: Any) -> Engine:
        folder = tmp_path / f"model {len(engines)}"
        shutil.copytree(converted if request.param == "ctranslate2" else checkpoint, folder)
        rewrite(folder / "generation_config.json", eos_token_id=list(ends) or None)
        engine = ENGINES[request.param](
            folder, **{"inter_threads": 1, "intra_threads": 1, "max_rows": 4, **options}
        )
        engines.append(engine)
        return engine

    yield open_one
    for engine in engines:
        engine.close()


def ask(
    engine: Engine,
    name: str = "a",
    *,
    answer: Answer | None = None,
    prompt: tuple[int, ...] = PROMPT,
    emitted: tuple[int, ...] = (),
    deadline: float | None = None,
    max_tokens: int = LENGTH,
    **sampling: Any,
) -> Answer:
    answer = answer or Answer()
    request = Request(
        id=name,
        prompt=prompt,
        sampling=Sampling(max_tokens=max_tokens, **sampling),
        emitted=emitted,
        deadline=deadline,
    )
    engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
    return answer


def said(answer: Answer) -> tuple[str, list[int]]:
    return answer.reason, answer.ids


# -- tokens ----------------------------------------------------------------------------------------------------


def test_a_greedy_answer_is_transformers_own(opened, whole):
    assert said(ask(opened())) == ("length", whole[:LENGTH])


def test_a_cold_answer_is_greedy_and_a_warm_one_is_not(opened, whole):
    engine = opened()
    cold, warm = ask(engine, "cold", temperature=0.001), ask(engine, "warm", temperature=5.0, top_k=0)
    assert said(cold) == ("length", whole[:LENGTH])
    assert warm.reason == "length"
    assert warm.ids != cold.ids


@pytest.mark.parametrize("options", [{"temperature": 3.0, "top_k": 1}, {"temperature": 0.5, "top_p": 0.05}])
def test_a_warm_answer_of_which_only_the_best_is_left_is_greedy(opened, whole, options):
    assert said(ask(opened(), **options)) == ("length", whole[:LENGTH])


def test_the_penalty_means_the_same_in_both(opened, whole, checkpoint):
    answer = ask(opened(), repetition_penalty=1.5)
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint)
    ids = torch.tensor([PROMPT])
    weaken = transformers.RepetitionPenaltyLogitsProcessor(1.5, prompt_ignore_length=len(PROMPT))
    expected = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=LENGTH,
        pad_token_id=0,
        logits_processor=[weaken],
    )[0, len(PROMPT) :].tolist()
    assert said(answer) == ("length", expected)
    assert expected != whole[:LENGTH]


@pytest.mark.parametrize("cut", [1, 7, 19])
def test_a_resumed_answer_goes_on_exactly_where_it_was(opened, whole, cut):
    assert said(ask(opened(), emitted=tuple(whole[:cut]))) == ("length", whole[cut:LENGTH])


def test_an_answer_that_was_complete_ends_at_once_without_a_token(opened, whole):
    assert said(ask(opened(), emitted=tuple(whole[:LENGTH]))) == ("length", [])


def test_rows_beside_each_other_do_not_notice(opened, whole):
    engine = opened()
    others = [ask(engine, str(n), prompt=PROMPT[n:], emitted=tuple(whole[:n])) for n in range(1, 6)]
    assert said(ask(engine)) == ("length", whole[:LENGTH])
    assert {other.reason for other in others} == {"length"}


# -- ends ------------------------------------------------------------------------------------------------------


def ends_of(whole: list[int]) -> tuple[int, ...]:
    """Two tokens that come first as the 7th and the 6th or later."""
    first = [token for at, token in enumerate(whole[:LENGTH]) if token not in whole[:at] and at >= 5]
    return (first[1], first[0])


def test_any_of_several_end_tokens_ends_the_answer_and_is_not_passed_on(opened, whole):
    ends = ends_of(whole)
    engine = opened(ends=ends)
    assert engine.end_token_ids == (*ends, EOS)
    assert said(ask(engine)) == ("stop", whole[: whole.index(ends[1])])


def test_an_end_token_that_is_ignored_is_a_token_like_any_other(opened, whole):
    assert said(ask(opened(ends=ends_of(whole)), ignore_eos=True)) == ("length", whole[:LENGTH])


@pytest.mark.parametrize("already", [0, 4])
def test_no_end_token_comes_before_min_tokens_and_what_was_emitted_counts(opened, whole, already):
    ends = ends_of(whole)
    at = whole.index(ends[1])
    engine = opened(ends=ends)
    emitted = tuple(whole[:already])
    assert said(ask(engine, min_tokens=at, emitted=emitted)) == ("stop", whole[already:at])
    reason, ids = said(ask(engine, min_tokens=at + 1, emitted=emitted))
    assert ids[: at - already] == whole[already:at]
    assert already + len(ids) > at
    assert not set(ends) & set(ids)
    assert reason in ("stop", "length")


# -- the context -----------------------------------------------------------------------------------------------


def test_a_prompt_that_leaves_no_room_is_refused_with_the_numbers(opened):
    engine = opened()
    with pytest.raises(ContextTooLong) as refused:
        ask(engine, prompt=(PROMPT * 9)[:CONTEXT])
    assert (refused.value.prompt_tokens, refused.value.context_length) == (CONTEXT, CONTEXT)


def test_an_answer_ends_where_the_context_does(opened):
    answer = ask(opened(), prompt=(PROMPT * 9)[: CONTEXT - 4], max_tokens=100)
    assert answer.reason == "length"
    assert len(answer.ids) == 4


@pytest.mark.parametrize("prompt", [(), (10_000,), (-1, 5)])
def test_a_prompt_that_cannot_be_read_is_refused(opened, prompt):
    with pytest.raises(EngineError):
        ask(opened(), prompt=prompt)


# -- ending early ----------------------------------------------------------------------------------------------


def test_a_running_answer_is_cancelled_within_one_step(opened):
    engine, answer = opened(), Held()
    ask(engine, answer=answer, max_tokens=80)
    assert answer.begun.wait(PATIENCE)
    engine.cancel("a")
    answer.release.set()
    assert answer.reason == "cancelled"
    assert len(answer.ids) == 1
    engine.cancel("a")
    assert ask(engine).reason == "length"


def test_an_answer_may_be_cancelled_by_its_own_token(opened):
    engine = opened()

    class Enough(Answer):
        def on_token(self, token: int) -> None:
            super().on_token(token)
            if len(self.ids) == 3:
                engine.cancel("a")

    answer = ask(engine, answer=Enough(), max_tokens=80)
    assert answer.reason == "cancelled"
    assert len(answer.ids) == 3


def test_a_waiting_answer_is_cancelled_while_another_still_runs(opened):
    engine, running = opened(max_rows=1), Held()
    ask(engine, "running", answer=running)
    assert running.begun.wait(PATIENCE)
    waiting = ask(engine, "waiting")
    assert (engine.running, engine.waiting) == (1, 1)
    engine.cancel("waiting")
    assert said(waiting) == ("cancelled", [])
    assert not running.ended.is_set()
    assert (engine.running, engine.waiting, engine.load().running) == (1, 0, 1)
    running.release.set()
    assert running.reason == "length"


@pytest.mark.parametrize("seconds", [-1, 0.05])
def test_a_waiting_answer_ends_at_its_deadline_while_another_still_runs(opened, seconds):
    engine, running = opened(max_rows=1), Held()
    ask(engine, "running", answer=running)
    assert running.begun.wait(PATIENCE)
    began = time.monotonic()
    waiting = ask(engine, "waiting", deadline=began + seconds)
    assert said(waiting) == ("deadline", [])
    assert time.monotonic() - began >= seconds
    assert not running.ended.is_set()
    running.release.set()


def test_a_running_answer_ends_at_its_deadline(opened):
    engine, answer = opened(), Held()
    deadline = time.monotonic() + 0.5
    ask(engine, answer=answer, max_tokens=80, deadline=deadline)
    assert answer.begun.wait(PATIENCE)
    time.sleep(max(0, deadline - time.monotonic()))
    answer.release.set()
    assert answer.reason == "deadline"
    assert len(answer.ids) == 1


def test_a_reader_that_fails_ends_its_own_answer_as_an_error_and_no_other(opened, whole):
    class Broken(Answer):
        def on_token(self, token: int) -> None:
            raise RuntimeError("no paper")

    engine = opened()
    broken, other = ask(engine, "broken", answer=Broken()), ask(engine, "other")
    assert broken.reason == "error"
    assert broken.finishes == [Finish("error", "RuntimeError: no paper")]
    assert said(other) == ("length", whole[:LENGTH])


def test_a_reader_that_fails_at_the_end_is_logged_and_the_engine_goes_on(opened, caplog):
    class Broken(Answer):
        def on_finish(self, finish: Finish) -> None:
            super().on_finish(finish)
            raise RuntimeError("no paper")

    engine = opened()
    with caplog.at_level(logging.ERROR):
        assert ask(engine, "broken", answer=Broken()).reason == "length"
        assert ask(engine, "other").reason == "length"
    assert "no paper" in caplog.text


# -- the queue and the end of all ------------------------------------------------------------------------------


def test_a_full_queue_and_an_id_in_flight_are_said_at_once(opened):
    engine, running = opened(max_rows=1, max_waiting=1), Held()
    ask(engine, "running", answer=running)
    assert running.begun.wait(PATIENCE)
    with pytest.raises(EngineError, match="in flight"):
        ask(engine, "running")
    waiting = ask(engine, "waiting")
    with pytest.raises(EngineBusy, match="1 requests"):
        ask(engine, "too many")
    running.release.set()
    assert waiting.reason == "length"


def test_closing_ends_what_runs_and_what_waits_and_leaves_no_thread(opened):
    before = threading.active_count()
    engine, running = opened(max_rows=1), Held()
    ask(engine, "running", answer=running, max_tokens=80)
    assert running.begun.wait(PATIENCE)
    waiting = ask(engine, "waiting")
    closing = threading.Thread(target=engine.close)
    closing.start()
    assert said(waiting) == ("cancelled", [])
    assert not running.ended.is_set()
    running.release.set()
    closing.join(PATIENCE)
    assert running.finishes == [Finish("cancelled")]
    assert threading.active_count() == before
    with pytest.raises(EngineClosed):
        ask(engine)


def test_a_warm_up_is_not_counted_and_what_comes_after_it_is(opened):
    engine = opened()
    engine.warm_up()
    counted = engine.measures.registry.get_sample_value
    assert counted("frontdesk_engine_generation_tokens_total") == 0
    assert ask(engine).reason == "length"
    assert counted("frontdesk_engine_generation_tokens_total") == LENGTH
    assert counted("frontdesk_engine_prompt_tokens_total") == len(PROMPT)
    assert counted("frontdesk_engine_request_success_total", {"finished_reason": "length"}) == 1
    assert counted("frontdesk_engine_time_to_first_token_seconds_count") == 1


@pytest.mark.parametrize("engine", ENGINES.values())
def test_a_folder_that_is_no_model_is_named(engine, tmp_path):
    with pytest.raises(ModelIncomplete, match=r"config\.json"):
        engine(tmp_path)
