"""An encoder-decoder's answers: every end comes exactly once, and each row says what it says alone.

The measure is a bare Translator, one row at a time. Texts of any length start together while one answer is held.
"""

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest

from inference.engine import Engine
from inference.library import ModelIncomplete
from inference.request import ContextTooLong, EngineBusy, EngineClosed, EngineError, Finish, Request, Sampling
from inference.seq2seq import Seq2SeqEngine, SourceTooLong
from tests.inference import checkpoints_seq2seq as checkpoints
from tests.inference.checkpoints import rewrite
from tests.inference.conftest import PATIENCE, Answer, Held
from tests.inference.converted import converted

CONTEXT = 64
LENGTH = 20  # tokens of an answer
LENGTHS = (3, 40, 9, 64, 2, 17)  # of texts
ONE = {"inter_threads": 1, "intra_threads": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its answers begin with a token that is forced; of end tokens it has none that it says, until a test declares
    some."""
    source = checkpoints.make("flan_t5", tmp_path_factory.mktemp("sources") / "flan_t5", loud=True)
    rewrite(source / "generation_config.json", forced_bos_token_id=7)
    made = converted(
        source,
        tmp_path_factory.mktemp("models") / "flan_t5",
        files=("tokenizer.json", "tokenizer_config.json"),
    )
    (made / "frontdesk.json").write_text(json.dumps({"context_length": CONTEXT}))
    return made


class Bare:
    """A Translator, asked for one row at a time."""

    def __init__(self, folder: Path) -> None:
        self.translator = ctranslate2.Translator(str(folder), intra_threads=1)
        self.tokens = json.loads((folder / "shared_vocabulary.json").read_text())
        self.lead = json.loads((folder / "generation_config.json").read_text())["forced_bos_token_id"]
        self.ids = {token: i for i, token in enumerate(self.tokens)}

    def alone(self, prompt: tuple[int, ...], length: int = LENGTH, **options: Any) -> list[int]:
        (result,) = self.translator.translate_batch(
            [[self.tokens[i] for i in prompt]],
            target_prefix=[[self.tokens[self.lead]]],
            beam_size=1,
            max_input_length=0,
            **{"max_decoding_length": length + 1, "min_decoding_length": 0, "end_token": [], **options},
        )
        return [self.ids[token] for token in result.hypotheses[0][1:]]

    def prompts(self, lengths: tuple[int, ...] = LENGTHS, *, seed: int = 0) -> list[tuple[int, ...]]:
        draw = np.random.default_rng(seed)
        return [tuple(map(int, draw.integers(4, len(self.tokens) - 8, length))) for length in lengths]


@pytest.fixture(scope="module")
def bare(folder: Path) -> Bare:
    return Bare(folder)


@pytest.fixture
def engine(folder: Path) -> Iterator[Seq2SeqEngine]:
    with Seq2SeqEngine(folder, **ONE) as engine:
        yield engine


def ask(
    engine: Engine,
    prompt: tuple[int, ...],
    name: str = "a",
    *,
    answer: Answer | None = None,
    emitted: tuple[int, ...] = (),
    deadline: float | None = None,
    max_tokens: int = LENGTH,
    **sampling: Any,
) -> Answer:
    answer = answer or Answer()
    engine.submit(
        Request(
            id=name,
            prompt=prompt,
            sampling=Sampling(max_tokens=max_tokens, **sampling),
            emitted=emitted,
            deadline=deadline,
        ),
        on_token=answer.on_token,
        on_finish=answer.on_finish,
    )
    return answer


def held(engine: Engine, prompt: tuple[int, ...]) -> Held:
    """Keeps the only replica until it is released: whatever comes meanwhile starts together."""
    blocker = Held()
    ask(engine, prompt, "blocker", answer=blocker, max_tokens=1)
    assert blocker.begun.wait(PATIENCE)
    return blocker


Call = tuple[list[list[str]], dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every call of every Translator made from here on: its texts and options."""
    seen: list[Call] = []
    real = ctranslate2.Translator

    class Watched:
        def __init__(self, *args: Any, **options: Any) -> None:
            self._real = real(*args, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def translate_batch(self, texts: list[list[str]], **options: Any) -> Any:
            seen.append((texts, options))
            return self._real.translate_batch(texts, **options)

    monkeypatch.setattr(ctranslate2, "Translator", Watched)
    return seen


# -- answers ---------------------------------------------------------------------------------------------------


def test_texts_of_any_length_are_answered_in_one_call_each_as_if_it_were_alone(folder, bare, calls):
    prompts = bare.prompts()
    with Seq2SeqEngine(folder, **ONE) as engine:
        blocker = held(engine, prompts[0])
        answers = [ask(engine, prompt, str(at)) for at, prompt in enumerate(prompts)]
        assert engine.waiting == len(prompts)
        blocker.release.set()
        assert {answer.reason for answer in answers} == {"length"}
    assert [len(texts) for texts, _ in calls] == [1, len(prompts)]
    assert [answer.ids for answer in answers] == [bare.alone(prompt) for prompt in prompts]
    assert len({tuple(answer.ids) for answer in answers}) > 3, "the answers are too much alike to be mixed up"


def test_a_long_text_is_never_cut_in_silence(folder, calls, bare):
    """CTranslate2 reads 1024 tokens where it is not told otherwise."""
    with Seq2SeqEngine(folder, **ONE) as engine:
        assert ask(engine, bare.prompts()[0]).reason == "length"
    assert calls[0][1]["max_input_length"] == 0


def test_sampled_answers_differ_from_greedy_ones(engine, bare):
    (prompt,) = bare.prompts((20,))
    greedy, warm = ask(engine, prompt, "a"), ask(engine, prompt, "b", temperature=2.0)
    assert greedy.reason == "length"
    assert warm.reason in ("length", "stop")  # chance may say the end
    assert greedy.ids == bare.alone(prompt) != warm.ids


def test_what_every_answer_begins_with_is_not_passed_on(engine, bare):
    (prompt,) = bare.prompts((20,))
    assert engine.lead == (bare.lead,)
    answer = ask(engine, prompt)
    assert answer.reason == "length"
    assert answer.ids == bare.alone(prompt)
    assert len(answer.ids) == LENGTH


def test_a_request_names_its_language_by_the_first_emitted_token(folder, bare):
    (prompt,) = bare.prompts((20,))
    with Seq2SeqEngine(folder, lead=(), **ONE) as engine:
        named = ask(engine, prompt, "a", emitted=(bare.lead,), max_tokens=LENGTH + 1)
        other = ask(engine, prompt, "b", emitted=(bare.lead - 1,), max_tokens=LENGTH + 1)
        assert (named.reason, other.reason) == ("length", "length")
    assert named.ids == bare.alone(prompt) != other.ids


# -- end tokens ------------------------------------------------------------------------------------------------


@pytest.fixture
def ending(folder, tmp_path, bare) -> tuple[Path, tuple[int, ...], list[int]]:
    """The model with two tokens of one answer made ends; that text, and its answer without ends."""
    for prompt in bare.prompts((20,) * 40, seed=4):
        whole = bare.alone(prompt)
        if len(set(whole[:6])) > 3 and not {whole[4], whole[5]} & set(whole[:4]):
            break
    else:
        pytest.fail("no answer has two new words after its fourth")
    copy = tmp_path / "ending"
    shutil.copytree(folder, copy)
    rewrite(copy / "generation_config.json", eos_token_id=[whole[5], whole[4]])
    return copy, prompt, whole


def test_any_of_several_end_tokens_ends_the_answer_and_is_not_passed_on(ending):
    copy, prompt, whole = ending
    with Seq2SeqEngine(copy, **ONE) as engine:
        answer = ask(engine, prompt)
        assert (answer.reason, answer.ids) == ("stop", whole[:4])
        ignored = ask(engine, prompt, ignore_eos=True)
        assert (ignored.reason, ignored.ids) == ("length", whole)


def test_no_end_token_comes_before_min_tokens_also_where_answers_resume(ending, calls):
    copy, prompt, whole = ending
    ends = set(whole[4:6])
    with Seq2SeqEngine(copy, **ONE) as engine:
        fresh = ask(engine, prompt, "whole", min_tokens=9)
        assert fresh.reason in ("stop", "length")
        assert len(fresh.ids) >= 9
        assert not ends & set(fresh.ids)
        blocker = held(engine, prompt)
        begun = tuple(fresh.ids[:3])
        # both still have six tokens to make before they may end: one has made three, the other none
        resumed = ask(engine, prompt, "resumed", min_tokens=9, emitted=begun)
        shorter = ask(engine, prompt, "shorter", min_tokens=6)
        blocker.release.set()
        assert {resumed.reason, shorter.reason} <= {"stop", "length"}
    assert [*begun, *resumed.ids] == fresh.ids
    assert shorter.ids[:6] == fresh.ids[:6]


# -- resuming --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 7, LENGTH - 1])
def test_a_resumed_answer_goes_on_exactly_where_it_was(engine, bare, cut):
    (prompt,) = bare.prompts((30,))
    whole = bare.alone(prompt)
    rest = ask(engine, prompt, emitted=tuple(whole[:cut]))
    assert rest.reason == "length"
    assert whole[:cut] + rest.ids == whole


def test_resumed_answers_and_fresh_ones_are_decoded_together_and_none_notices(folder, bare, calls):
    prompts = bare.prompts()
    wholes = [bare.alone(prompt) for prompt in prompts]
    with Seq2SeqEngine(folder, **ONE) as engine:
        blocker = held(engine, prompts[0])
        answers = [
            ask(engine, prompt, str(at), emitted=tuple(whole[: 4 * at]))
            for at, (prompt, whole) in enumerate(zip(prompts[:5], wholes, strict=False))
        ]
        blocker.release.set()
        assert {answer.reason for answer in answers} == {"length"}
    assert [len(texts) for texts, _ in calls] == [1, 5]
    for at, answer in enumerate(answers):
        assert wholes[at][: 4 * at] + answer.ids == wholes[at]


def test_an_answer_that_was_complete_ends_at_once_without_a_token(engine, bare):
    (prompt,) = bare.prompts((30,))
    answer = ask(engine, prompt, emitted=tuple(bare.alone(prompt)))
    assert (answer.reason, answer.ids) == ("length", [])


# -- the context -----------------------------------------------------------------------------------------------


def test_a_text_may_fill_the_context_and_be_no_longer(engine, bare):
    fits, longer = bare.prompts((CONTEXT, CONTEXT + 1))
    answer = ask(engine, fits, max_tokens=1000)
    assert answer.reason == "length"
    assert len(answer.ids) == CONTEXT - len(engine.lead), "an answer has the decoder's positions for itself"
    assert answer.ids == bare.alone(fits, CONTEXT - 1)
    with pytest.raises(SourceTooLong, match=f"{CONTEXT} at most") as refused:
        ask(engine, longer)
    assert isinstance(refused.value, ContextTooLong)
    assert (refused.value.prompt_tokens, refused.value.context_length) == (CONTEXT + 1, CONTEXT)


@pytest.mark.parametrize(("prompt", "emitted"), [((), ()), ((10_000,), ()), ((-1,), ()), ((5,), (10_000,))])
def test_a_request_that_cannot_be_read_is_refused(engine, prompt, emitted):
    with pytest.raises(EngineError):
        ask(engine, prompt, emitted=emitted)


# -- ending early ----------------------------------------------------------------------------------------------


def test_a_running_answer_is_cancelled_within_one_step_and_a_waiting_one_at_once(engine, bare):
    (prompt,) = bare.prompts((12,))
    running = Held()
    ask(engine, prompt, "running", answer=running)
    assert running.begun.wait(PATIENCE)
    waiting = ask(engine, prompt, "waiting")
    assert (engine.running, engine.waiting) == (1, 1)
    engine.cancel("waiting")
    assert waiting.reason == "cancelled"
    assert not running.ended.is_set()
    engine.cancel("running")
    running.release.set()
    assert running.reason == "cancelled"
    assert len(running.ids) == 1


def test_an_answer_is_cancelled_while_what_it_resumes_from_is_fed(engine, bare):
    """That takes a step for each token; none of them is passed on."""
    (prompt,) = bare.prompts((12,))
    whole = bare.alone(prompt, 60)

    blocker = held(engine, prompt)
    beside, resumed = Held(), Answer()  # the first holds their loop while the other is still fed
    ask(engine, prompt, "beside", answer=beside)
    ask(engine, prompt, "resumed", answer=resumed, emitted=tuple(whole[:50]), max_tokens=60)
    blocker.release.set()
    assert beside.begun.wait(PATIENCE)
    engine.cancel("resumed")
    assert resumed.reason == "cancelled"
    beside.release.set()
    assert beside.reason == "length"
    assert resumed.ids == []


@pytest.mark.parametrize("seconds", [-1, 0.02])
def test_a_waiting_answer_ends_at_its_deadline_while_another_still_runs(engine, bare, seconds):
    (prompt,) = bare.prompts((12,))
    running = Held()
    ask(engine, prompt, "running", answer=running)
    assert running.begun.wait(PATIENCE)
    waiting = ask(engine, prompt, "waiting", deadline=time.monotonic() + seconds)
    assert waiting.reason == "deadline"
    assert not running.ended.is_set()
    running.release.set()


def test_a_reader_that_fails_ends_its_own_answer_and_no_other(engine, bare, caplog):
    class Broken(Answer):
        def on_token(self, token: int) -> None:
            raise RuntimeError("no paper")

        def on_finish(self, finish: Finish) -> None:
            super().on_finish(finish)
            raise RuntimeError("no ink")

    prompts = bare.prompts((12, 30, 5))
    blocker = held(engine, prompts[0])
    broken, whole = ask(engine, prompts[1], "b", answer=Broken()), ask(engine, prompts[2], "w")
    blocker.release.set()
    with caplog.at_level(logging.ERROR):
        assert broken.reason == "error"
        assert whole.reason == "length"
    assert broken.finishes == [Finish("error", "RuntimeError: no paper")]
    assert whole.ids == bare.alone(prompts[2])


# -- the queue, memory, the end --------------------------------------------------------------------------------


def test_a_full_queue_and_an_id_in_flight_are_said_at_once(folder, bare):
    prompts = bare.prompts((12, 30))
    with Seq2SeqEngine(folder, max_waiting=1, **ONE) as engine:
        blocker = held(engine, prompts[0])
        waiting = ask(engine, prompts[1], "waiting")
        with pytest.raises(EngineError, match="in flight"):
            ask(engine, prompts[1], "blocker")
        with pytest.raises(EngineBusy, match="1 requests"):
            ask(engine, prompts[1], "more")
        blocker.release.set()
        assert waiting.reason == "length"


def test_a_device_that_is_full_costs_no_row(folder, bare, monkeypatch):
    """The message is CTranslate2's own; the first call of several rows fails after some tokens."""
    real, left = ctranslate2.Translator, [1]

    class Full:
        def __init__(self, *args: Any, **options: Any) -> None:
            self._real = real(*args, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def translate_batch(self, texts: Any, *, callback: Callable[[Any], bool], **options: Any) -> Any:
            steps = 0

            def step(result: Any) -> bool:
                nonlocal steps
                steps += 1
                if len(texts) > 1 and left and steps > 4 * len(texts):
                    left.pop()
                    raise RuntimeError("CUDA failed with error out of memory")
                return callback(result)

            return self._real.translate_batch(texts, callback=step, **options)

    monkeypatch.setattr(ctranslate2, "Translator", Full)
    prompts = bare.prompts()
    with Seq2SeqEngine(folder, **ONE) as engine:
        blocker = held(engine, prompts[0])
        answers = [ask(engine, prompt, str(at)) for at, prompt in enumerate(prompts)]
        blocker.release.set()
        assert {answer.reason for answer in answers} == {"length"}
    assert not left
    assert [answer.ids for answer in answers] == [bare.alone(prompt) for prompt in prompts]


def test_no_more_texts_are_read_together_than_memory_holds_at_the_longest_ones_width(folder, bare, calls):
    """Scores are square in the padded length, so one long text makes all beside it as expensive."""
    prompts = bare.prompts((64, 2, 2, 2, 2))
    scores = 2 * checkpoints.HEADS * 64 * 64 * 4  # bytes of one row, at the longest one's width
    with Seq2SeqEngine(folder, memory_bytes=int(2.5 * scores / 0.2), **ONE) as engine:
        blocker = held(engine, prompts[0])
        answers = [ask(engine, prompt, str(at)) for at, prompt in enumerate(prompts)]
        blocker.release.set()
        assert {answer.reason for answer in answers} == {"length"}
    wide = [len(texts) for texts, _ in calls if max(map(len, texts)) == 64]
    assert max(wide) == 2
    assert max(len(texts) for texts, _ in calls) == 3


def test_a_warm_engine_answers_and_says_its_load(engine, bare):
    engine.warm_up()
    (prompt,) = bare.prompts((30,))
    answer = ask(engine, prompt)
    assert answer.reason == "length"
    load = engine.load()
    assert (load.running, load.waiting, load.slots) == (0, 0, engine.slots)


def test_closing_ends_what_runs_and_what_waits_and_leaves_no_thread(folder, bare):
    before = threading.active_count()
    engine = Seq2SeqEngine(folder, **ONE)
    prompts = bare.prompts((12, 30))
    running = Held()
    ask(engine, prompts[0], "running", answer=running)
    assert running.begun.wait(PATIENCE)
    waiting = ask(engine, prompts[1], "waiting")
    closing = threading.Thread(target=engine.close)
    closing.start()
    assert waiting.reason == "cancelled"
    running.release.set()
    closing.join(PATIENCE)
    assert running.finishes == [Finish("cancelled")]
    assert threading.active_count() == before
    with pytest.raises(EngineClosed):
        ask(engine, prompts[0])


def test_a_folder_that_is_no_such_model_is_named(folder, tmp_path):
    with pytest.raises(ModelIncomplete, match=r"source_vocabulary\.json"):
        Seq2SeqEngine(tmp_path)
    copy = tmp_path / "broken"
    shutil.copytree(folder, copy)
    (copy / "model.bin").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="cannot load"):
        Seq2SeqEngine(copy)


PROGRAM = """
import threading, time
from pathlib import Path
from inference.seq2seq import Seq2SeqEngine
from inference.request import Request, Sampling

engine = Seq2SeqEngine(Path({folder!r}), intra_threads=1)
begun = threading.Event()

def on_token(token):
    begun.set()
    time.sleep(0.005)

for number in range(2):
    request = Request(id=str(number), prompt=(5, 6, 7), sampling=Sampling(max_tokens=60))
    engine.submit(request, on_token=on_token, on_finish=lambda finish: print(finish.reason, flush=True))
begun.wait()
"""


def test_a_process_that_ends_while_an_answer_runs_ends_cleanly(folder):
    program = PROGRAM.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["cancelled", "cancelled"]
    assert "terminate" not in done.stderr
