"""One request's way through the engine: every end it can have comes exactly once, and no token too many."""

import json
import logging
import shutil
import threading
import time

import pytest

from inference.engine import (
    ContextTooLong,
    Engine,
    EngineBusy,
    EngineClosed,
    EngineError,
    Finish,
    Request,
    Sampling,
)
from inference.library import ModelIncomplete
from tests.inference.conftest import PATIENCE, Answer, Held


def test_an_answer_has_as_many_tokens_as_were_asked_for_and_ends_once(ask):
    answer = ask(max_tokens=7)
    assert answer.reason == "length"
    assert len(answer.ids) == 7


def test_a_greedy_answer_is_the_same_every_time(ask):
    first, second = ask("a"), ask("b")
    assert (first.reason, second.reason) == ("length", "length")
    assert first.ids == second.ids


def test_a_warm_answer_differs_and_a_cold_one_is_greedy(ask):
    greedy, cold, warm = ask("a"), ask("b", temperature=0.001), ask("c", temperature=1.5, top_k=0)
    assert {a.reason for a in (greedy, cold, warm)} == {"length"}
    assert cold.ids == greedy.ids != warm.ids


@pytest.mark.parametrize(
    "options",
    [{"top_k": 1}, {"top_k": 100_000}, {"top_p": 0.3}, {"repetition_penalty": 1.3}, {"min_tokens": 99}],
)
def test_every_sampling_option_is_taken(ask, options):
    answer = ask(temperature=1.0, **options)
    assert (answer.reason, len(answer.ids)) == ("length", 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**{"max_tokens": 1} | options)


# -- end tokens ----------------------------------------------------------------------------------------------


@pytest.fixture
def ending(folder, tmp_path, prompt):
    """The model, with the 4th and the 3rd token of its greedy answer declared to be end tokens; and that answer."""
    with Engine(folder, intra_threads=1) as engine:
        whole = Answer()
        engine.submit(
            Request(id="a", prompt=prompt, sampling=Sampling(max_tokens=12)),
            on_token=whole.on_token,
            on_finish=whole.on_finish,
        )
        assert whole.reason == "length"
    copy = tmp_path / "ending"
    shutil.copytree(folder, copy)
    ends = [whole.ids[3], whole.ids[2]]
    assert not set(ends) & set(whole.ids[:2])
    (copy / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    return copy, whole.ids


@pytest.fixture
def said(ending, prompt):
    """Ask the model that ends."""
    copy, _ = ending

    def ask(**sampling):
        answer = Answer()
        with Engine(copy, intra_threads=1) as engine:
            engine.submit(
                Request(id="a", prompt=prompt, sampling=Sampling(max_tokens=12, **sampling)),
                on_token=answer.on_token,
                on_finish=answer.on_finish,
            )
            return answer.reason, answer.ids

    return ask


def test_any_of_several_end_tokens_ends_the_answer_and_is_not_passed_on(ending, said):
    assert said() == ("stop", ending[1][:2])


def test_an_end_token_that_is_ignored_is_a_token_like_any_other(ending, said):
    assert said(ignore_eos=True) == ("length", ending[1])


def test_no_end_token_comes_before_min_tokens(ending, said):
    ends = set(ending[1][2:4])
    reason, ids = said(min_tokens=8)
    assert len(ids) >= 8
    assert not ends & set(ids)
    assert reason in ("stop", "length")


# -- the context ---------------------------------------------------------------------------------------------


def test_a_prompt_that_leaves_no_room_is_refused_with_the_numbers(engine, ask, prompt):
    long = (prompt * 100)[: engine.context_length]
    with pytest.raises(ContextTooLong) as refused:
        ask(prompt=long)
    assert refused.value.prompt_tokens == engine.context_length == refused.value.context_length
    assert "511 at most" in str(refused.value)


def test_an_answer_ends_where_the_context_does(engine, ask, prompt):
    long = (prompt * 100)[: engine.context_length - 4]
    answer = ask(prompt=long, max_tokens=100)
    assert answer.reason == "length"
    assert len(answer.ids) == 4


@pytest.mark.parametrize("prompt", [(), (10_000,), (-1, 5)])
def test_a_prompt_that_cannot_be_read_is_refused(ask, prompt):
    with pytest.raises(EngineError):
        ask(prompt=prompt)


def test_a_prompt_of_one_token_is_answered_without_being_repeated(ask, prompt):
    short = ask("a", prompt=prompt[:1], max_tokens=5)
    assert short.reason == "length"
    again = ask("b", prompt=prompt[:1], emitted=tuple(short.ids[:2]), max_tokens=5)
    assert again.reason == "length"
    assert short.ids[2:] == again.ids


# -- resuming ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 7, 19])
def test_a_resumed_answer_goes_on_exactly_where_it_was(ask, cut):
    whole = ask("a")
    assert whole.reason == "length"
    rest = ask("b", emitted=tuple(whole.ids[:cut]))
    assert rest.reason == "length"
    assert whole.ids[:cut] + rest.ids == whole.ids


def test_an_answer_that_was_complete_ends_at_once_without_a_token(ask):
    whole = ask("a")
    assert whole.reason == "length"
    rest = ask("b", emitted=tuple(whole.ids))
    assert (rest.reason, rest.ids) == ("length", [])


def test_a_resumed_answer_that_fills_the_context_ends_as_it_would_have(engine, ask, prompt):
    emitted = (prompt * 100)[: engine.context_length - len(prompt)]
    rest = ask(emitted=emitted, max_tokens=2000)
    assert (rest.reason, rest.ids) == ("length", [])


# -- ending early --------------------------------------------------------------------------------------------


def test_a_running_answer_is_cancelled_within_one_step(engine, ask):
    answer = Held()
    ask(answer=answer, max_tokens=400)
    assert answer.begun.wait(PATIENCE)
    engine.cancel("a")
    answer.release.set()
    assert answer.reason == "cancelled"
    assert len(answer.ids) == 1


def test_an_answer_may_be_cancelled_by_its_own_token(engine, ask):
    """This is how a stop string ends an answer: whoever reads the text cancels it."""

    class Enough(Answer):
        def on_token(self, token):
            super().on_token(token)
            if len(self.ids) == 3:
                engine.cancel("a")

    answer = ask(answer=Enough(), max_tokens=400)
    assert answer.reason == "cancelled"
    assert len(answer.ids) == 3


def test_a_waiting_answer_is_cancelled_while_another_still_runs(engine, ask):
    running = Held()
    ask("running", answer=running)
    assert running.begun.wait(PATIENCE)
    waiting = ask("waiting")
    assert (engine.running, engine.waiting) == (1, 1)
    engine.cancel("waiting")
    assert waiting.reason == "cancelled"
    assert not running.ended.is_set()
    assert (engine.running, engine.waiting) == (1, 0)
    running.release.set()
    assert running.reason == "length"


def test_cancelling_what_is_not_there_changes_nothing(engine, ask):
    engine.cancel("nobody")
    answer = ask()
    assert answer.reason == "length"
    engine.cancel("a")
    assert ask().reason == "length"


def test_a_running_answer_ends_at_its_deadline(ask):
    answer = Held()
    deadline = time.monotonic() + 0.05
    ask(answer=answer, max_tokens=400, deadline=deadline)
    assert answer.begun.wait(PATIENCE)
    time.sleep(max(0, deadline - time.monotonic()))
    answer.release.set()
    assert answer.reason == "deadline"
    assert len(answer.ids) == 1


@pytest.mark.parametrize("seconds", [-1, 0.02, 0.8])
def test_a_waiting_answer_ends_at_its_deadline_while_another_still_runs(ask, seconds):
    running = Held()
    ask("running", answer=running)
    assert running.begun.wait(PATIENCE)
    began = time.monotonic()
    waiting = ask("waiting", deadline=began + seconds)
    assert waiting.reason == "deadline"
    assert time.monotonic() - began >= seconds
    assert waiting.ids == []
    assert not running.ended.is_set()
    running.release.set()


def test_a_reader_that_fails_ends_its_own_answer_as_an_error_and_no_other(ask):
    class Broken(Answer):
        def on_token(self, token):
            raise RuntimeError("no paper")

    broken, whole = ask("broken", answer=Broken()), ask("whole")
    assert broken.reason == "error"
    assert broken.finishes == [Finish("error", "RuntimeError: no paper")]
    assert whole.reason == "length"


def test_a_reader_that_fails_at_the_end_is_logged_and_the_engine_goes_on(ask, caplog):
    class Broken(Answer):
        def on_finish(self, finish):
            super().on_finish(finish)
            raise RuntimeError("no paper")

    with caplog.at_level(logging.ERROR):
        assert ask("broken", answer=Broken()).reason == "length"
        assert ask("whole").reason == "length"
    assert "no paper" in caplog.text


# -- the queue -----------------------------------------------------------------------------------------------


def test_requests_are_answered_in_the_order_in_which_they_came(ask):
    first = Held()
    ask("0", answer=first)
    order = []

    class Ordered(Answer):
        def on_token(self, token):
            order.append(self)

    others = [ask(str(n), answer=Ordered(), max_tokens=1) for n in range(1, 6)]
    first.release.set()
    assert {a.reason for a in others} == {"length"}
    assert order == others


def test_a_full_queue_is_said_at_once(folder, prompt):
    with Engine(folder, inter_threads=1, intra_threads=1, max_waiting=1) as engine:
        running, waiting = Held(), Answer()

        def submit(request_id, answer):
            request = Request(id=request_id, prompt=prompt, sampling=Sampling(max_tokens=3))
            engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)

        submit("running", running)
        assert running.begun.wait(PATIENCE)
        submit("waiting", waiting)
        with pytest.raises(EngineBusy, match="1 requests"):
            submit("too many", Answer())
        running.release.set()
        assert waiting.reason == "length"


def test_an_id_is_in_flight_once_only(ask):
    running = Held()
    ask("a", answer=running)
    with pytest.raises(EngineError, match="in flight"):
        ask("a")
    running.release.set()
    assert running.reason == "length"
    assert ask("a").reason == "length"


def test_several_replicas_answer_at_once(folder, prompt):
    with Engine(folder, inter_threads=2, intra_threads=1) as engine:
        answers = [Held(), Held()]
        for number, answer in enumerate(answers):
            request = Request(id=str(number), prompt=prompt, sampling=Sampling(max_tokens=3))
            engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
            assert answer.begun.wait(
                PATIENCE
            )  # the first holds its replica, so the second begins on the other
        assert (engine.running, engine.waiting) == (2, 0)
        for answer in answers:
            answer.release.set()
        assert [answer.reason for answer in answers] == ["length", "length"]


# -- closing -------------------------------------------------------------------------------------------------


def test_closing_ends_what_runs_and_what_waits_and_takes_nothing_more(folder, prompt):
    engine = Engine(folder, inter_threads=1, intra_threads=1)
    running, waiting = Held(), Answer()
    request = Request(id="running", prompt=prompt, sampling=Sampling(max_tokens=400))
    engine.submit(request, on_token=running.on_token, on_finish=running.on_finish)
    assert running.begun.wait(PATIENCE)
    request = Request(id="waiting", prompt=prompt, sampling=Sampling(max_tokens=400))
    engine.submit(request, on_token=waiting.on_token, on_finish=waiting.on_finish)
    closing = [threading.Thread(target=engine.close) for _ in range(2)]
    for thread in closing:
        thread.start()
    assert waiting.reason == "cancelled"
    assert not running.ended.is_set()
    running.release.set()
    for thread in closing:
        thread.join(PATIENCE)
    assert running.finishes == [Finish("cancelled")]
    engine.close()
    with pytest.raises(EngineClosed):
        engine.submit(request, on_token=waiting.on_token, on_finish=waiting.on_finish)


def test_a_folder_that_is_no_model_is_named(folder, tmp_path):
    with pytest.raises(ModelIncomplete, match=r"model\.bin"):
        Engine(tmp_path)
    copy = tmp_path / "broken"
    shutil.copytree(folder, copy)
    (copy / "model.bin").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="cannot load"):
        Engine(copy)


def test_no_thread_is_left_behind(folder):
    before = threading.active_count()
    with Engine(folder, inter_threads=2, intra_threads=1):
        assert threading.active_count() > before
    assert threading.active_count() == before
