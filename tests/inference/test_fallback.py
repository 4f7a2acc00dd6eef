"""The second engine says what transformers says, for the families that are its own, whoever else is there."""

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from inference import fallback
from inference.fallback import TransformersEngine, TransformersSeq2SeqEngine, Turns, torch_model
from inference.library import ModelIncomplete
from inference.request import ContextTooLong, EngineError, Request, Sampling
from tests.inference.checkpoints import make, rewrite, scale
from tests.inference.conftest import PATIENCE, Answer, Held

pytestmark = pytest.mark.usefixtures("one_thread")

CONTEXT = 320
LONG = 16  # tokens of an answer
WHOLE = Sampling(max_tokens=LONG)

# Those that CTranslate2 has no right way for, and one that both engines run.
FAMILIES = [
    "llama3",
    "llama_yarn",
    "llama_dynamic",
    "mistral_window",
    "gemma2",
    "gemma3",
    "phi3_long",
    "stablelm",
    "xlnet",
    "mamba",
]
LENGTHS = [3, 70, 258]  # within a window of 48, beyond it, and beyond the positions of 256


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A family's tiny checkpoint, as a model folder."""

    @cache
    def made(family: str) -> Path:
        folder = tmp_path_factory.mktemp("sources") / family
        if family == "mamba":
            _mamba(folder)
        else:
            make(family, folder)
        (folder / "frontdesk.json").write_text(json.dumps({"context_length": CONTEXT}))
        return folder

    return made


def _mamba(folder: Path) -> None:
    """No attention at all, and a cache of its own kind."""
    config = transformers.MambaConfig(vocab_size=90, hidden_size=32, num_hidden_layers=2)
    torch.manual_seed(2)
    model = transformers.MambaForCausalLM(config)
    with torch.no_grad():
        model.backbone.embeddings.weight.normal_()
    model.save_pretrained(folder)


def without_ends(folder: Path, tmp_path: Path) -> Path:
    """The same model, that never ends an answer by itself."""
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    (copy / "generation_config.json").unlink(missing_ok=True)
    for file in ("config.json", "tokenizer_config.json"):
        if (copy / file).is_file():
            rewrite(copy / file, eos_token_id=None, eos_token=None)
    return copy


def some_prompts(vocabulary: int) -> list[tuple[int, ...]]:
    generator = torch.Generator().manual_seed(5)
    return [tuple(torch.randint(0, vocabulary, (n,), generator=generator).tolist()) for n in LENGTHS]


def alone(folder: Path, prompt: Sequence[int], *, count: int = LONG, **options: Any) -> list[int]:
    """What transformers' own greedy generate says, in a model that has seen nothing before."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([list(prompt)])
    said = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=count,
        eos_token_id=None,
        pad_token_id=0,
        **options,
    )
    return said[0, len(prompt) :].tolist()


def ask(
    engine: TransformersEngine,
    name: str,
    prompt: Sequence[int],
    *,
    sampling: Sampling = WHOLE,
    emitted: Sequence[int] = (),
    answer: Answer | None = None,
) -> Answer:
    answer = answer or Answer()
    request = Request(id=name, prompt=tuple(prompt), sampling=sampling, emitted=tuple(emitted))
    engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
    return answer


# -- what it says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_take_turns_say_what_transformers_says_to_each_alone(family, source, tmp_path):
    folder = without_ends(source(family), tmp_path)
    with TransformersEngine(folder) as engine:
        prompts = some_prompts(engine._vocabulary)
        answers = [ask(engine, str(n), prompt) for n, prompt in enumerate(prompts)]
        assert [answer.reason for answer in answers] == ["length"] * len(prompts)
        # again and in the other order: nothing of one row is left in the model for the next
        again = [ask(engine, f"again {n}", prompt) for n, prompt in enumerate(reversed(prompts))]
        assert {answer.reason for answer in again} == {"length"}
    expected = [alone(folder, prompt) for prompt in prompts]
    assert len({tuple(said) for said in expected}) == len(prompts)
    assert [answer.ids for answer in answers] == expected
    assert [answer.ids for answer in reversed(again)] == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_a_resumed_row_goes_on_exactly_where_it_was(family, source, tmp_path):
    folder = without_ends(source(family), tmp_path)
    with TransformersEngine(folder) as engine:
        for prompt in some_prompts(engine._vocabulary):
            whole = ask(engine, "whole", prompt)
            assert whole.reason == "length"
            rest = [
                ask(engine, str(cut), prompt, emitted=whole.ids[:cut]) for cut in (1, LONG // 2, LONG - 1)
            ]
            for cut, answer in zip((1, LONG // 2, LONG - 1), rest, strict=True):
                assert answer.reason == "length"
                assert whole.ids[:cut] + answer.ids == whole.ids


def test_what_reading_changes_is_always_fed_by_steps(source, tmp_path):
    """In XLNet a prompt's tokens see each other both ways: read at once, emitted tokens mean something else."""
    folder = without_ends(source("xlnet"), tmp_path)
    with TransformersEngine(folder) as engine:
        prompts = some_prompts(engine._vocabulary)
        answers = [ask(engine, str(n), prompt) for n, prompt in enumerate(prompts)]
        assert {answer.reason for answer in answers} == {"length"}
    half = LONG // 2
    read = [
        answer.ids[:half] + alone(folder, [*prompt, *answer.ids[:half]])[: LONG - half]
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    assert read != [answer.ids for answer in answers], "the test above would pass by reading, too"


@pytest.mark.parametrize("penalty", [1.3, 0.8])
def test_the_penalty_weakens_what_the_answer_has_said_and_not_the_prompt(penalty, source, tmp_path):
    folder = without_ends(source("llama3"), tmp_path)
    sampling = Sampling(max_tokens=40, repetition_penalty=penalty)
    with TransformersEngine(folder) as engine:
        prompt = some_prompts(engine._vocabulary)[1]
        answer = ask(engine, "a", prompt, sampling=sampling)
        assert answer.reason == "length"
        rest = ask(engine, "b", prompt, sampling=sampling, emitted=answer.ids[:9])
        assert rest.reason == "length"
    weaken = transformers.RepetitionPenaltyLogitsProcessor(penalty, prompt_ignore_length=len(prompt))
    expected = alone(folder, prompt, count=40, logits_processor=[weaken])
    assert answer.ids == expected != alone(folder, prompt, count=40)
    assert answer.ids[9:] == rest.ids


def test_bfloat16_is_computed_when_asked_for(source, tmp_path):
    folder = without_ends(source("gemma2"), tmp_path)
    with TransformersEngine(folder, compute_type="bfloat16", intra_threads=torch.get_num_threads()) as engine:
        assert engine._scheduler._generator._decoder.compute_type == "bfloat16"
        assert ask(engine, "a", some_prompts(engine._vocabulary)[0]).reason == "length"


@pytest.mark.parametrize(
    ("asked", "computed"),
    [("default", "float32"), ("int8", "float32"), ("int8_bfloat16", "bfloat16"), ("float16", "float16")],
)
def test_a_weight_format_of_the_other_engine_is_replaced_aloud(asked, computed, caplog):
    with caplog.at_level(logging.WARNING):
        assert torch_model._dtype(device="cpu", compute_type=asked) is getattr(torch, computed)
    assert ("int8" in asked) == (asked in caplog.text)


# -- encoder-decoders ------------------------------------------------------------------------------------------

SHAPE = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "vocab_size": 90,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
TWO_SIDED = {
    "bart": ("BartForConditionalGeneration", "BartConfig", SHAPE),
    # a vocabulary for each side, which the first engine has not
    "marian": (
        *("MarianMTModel", "MarianConfig"),
        {
            **SHAPE,
            "share_encoder_decoder_embeddings": False,
            "decoder_vocab_size": 70,
            "tie_word_embeddings": False,
        },
    ),
    "t5": (
        *("T5ForConditionalGeneration", "T5Config"),
        {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 90}
        | {"decoder_start_token_id": 0, "pad_token_id": 0},
    ),
}


@pytest.fixture(scope="session")
def two_sided(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def made(family: str) -> Path:
        folder = tmp_path_factory.mktemp("sources") / family
        model_class, config_class, told = TWO_SIDED[family]
        torch.manual_seed(4)
        model = getattr(transformers, model_class)(getattr(transformers, config_class)(**told))
        scale(model, seed=4)
        model.generation_config.eos_token_id = None
        model.generation_config.forced_eos_token_id = None
        model.generation_config.forced_bos_token_id = 7 if family == "bart" else None
        model.save_pretrained(folder)
        rewrite(folder / "config.json", eos_token_id=None)
        (folder / "frontdesk.json").write_text(json.dumps({"context_length": 60}))
        return folder

    return made


@pytest.mark.parametrize("family", TWO_SIDED)
def test_encoder_decoders_say_what_transformers_says_and_go_on_where_they_were(family, two_sided):
    folder = two_sided(family)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    with TransformersSeq2SeqEngine(folder) as engine:
        for number, length in enumerate((2, 9, 60)):
            text = tuple(range(8 + number, 8 + number + length))
            said = model.generate(
                torch.tensor([text]), do_sample=False, max_new_tokens=LONG + len(engine.lead)
            )
            expected = said[0, 1 + len(engine.lead) :].tolist()
            answer = ask(engine, "a", text)
            assert (answer.reason, answer.ids) == ("length", expected)
            rest = ask(engine, "b", text, emitted=expected[:9])
            assert (rest.reason, rest.ids) == ("length", expected[9:])
        assert engine.lead == ((7,) if family == "bart" else ())


def test_an_answer_that_could_not_go_on_as_it_was_is_not_resumed(two_sided):
    """The scheduler feeds no prompt of one token by steps; read at once, the answer would count as the text."""
    with TransformersSeq2SeqEngine(two_sided("bart")) as engine:
        assert ask(engine, "a", (9,)).reason == "length"
        with pytest.raises(EngineError, match="cannot resume"):
            ask(engine, "b", (9,), emitted=(10,))


def test_a_text_and_its_answer_have_a_context_each(two_sided):
    with TransformersSeq2SeqEngine(two_sided("bart")) as engine:
        answer = ask(engine, "a", range(10, 70), sampling=Sampling(max_tokens=1000))
        assert answer.reason == "length"
        assert len(answer.ids) == 59
        with pytest.raises(ContextTooLong, match="reads 60 at most"):
            ask(engine, "b", range(10, 71))
        for text in ((), (90,), (-1,)):
            with pytest.raises(EngineError, match=r"empty|has a token id"):
                ask(engine, "c", text)


# -- choosing a token ------------------------------------------------------------------------------------------

LOGITS = (2.0, 1.0, 0.5, -1.0)


def picked(times: int = 200, **options: Any) -> set[int]:
    torch.manual_seed(0)
    return {torch_model.pick(torch.tensor(LOGITS), **options) for _ in range(times)}


def test_without_a_temperature_the_best_is_picked_whatever_else_is_asked():
    assert picked(5, top_k=3, top_p=0.9) == {0}


def test_a_temperature_lets_others_come_and_top_k_and_top_p_bound_them():
    assert picked(temperature=5.0, top_k=64) == {0, 1, 2, 3}
    assert picked(temperature=5.0, top_k=2) == {0, 1}
    # at temperature 1 the shares are 0.60, 0.22, 0.13 and 0.03
    assert picked(temperature=1.0, top_k=64, top_p=0.5) == {0}
    assert picked(temperature=1.0, top_k=64, top_p=0.7) == {0, 1}
    assert picked(temperature=1.0, top_k=64, top_p=0.9) == {0, 1, 2}


def test_what_may_not_come_does_not():
    assert picked(5, never=(0, 1)) == {2}
    assert 0 not in picked(temperature=5.0, top_k=64, never=(0,))


def test_the_penalty_weakens_good_and_bad_tokens_alike():
    assert picked(1, said=(0, 0), repetition_penalty=3.0) == {1}
    assert picked(1, said=(0, 1, 2, 3), repetition_penalty=0.1) == {0}


def test_no_number_is_an_error_and_no_token():
    with pytest.raises(ArithmeticError, match="no number"):
        torch_model.pick(torch.tensor([0.0, float("nan")]))


# -- turns -----------------------------------------------------------------------------------------------------


def test_turns_come_in_the_order_in_which_they_were_asked_for():
    turns, order, threads = Turns(), list[int](), list[threading.Thread]()

    def take(number: int) -> None:
        with turns:
            order.append(number)

    with turns:
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            until = time.monotonic() + PATIENCE
            while turns._came < number + 2:
                assert time.monotonic() < until
                time.sleep(0.001)
        assert order == []
    for thread in threads:
        thread.join(PATIENCE)
    assert order == list(range(8))


def test_rows_make_tokens_by_turns_and_a_new_one_need_not_wait_for_an_end(source, tmp_path):
    with TransformersEngine(without_ends(source("llama3"), tmp_path)) as engine:
        prompt = some_prompts(engine._vocabulary)[0]
        first = Held()
        ask(engine, "first", prompt, answer=first, sampling=Sampling(max_tokens=200))
        assert first.begun.wait(PATIENCE)
        late = ask(engine, "late", prompt)
        assert late.reason == "length"
        assert not first.ended.is_set()
        engine.cancel("first")
        first.release.set()
        assert first.reason == "cancelled"
        assert len(first.ids) == 1


def test_a_full_device_costs_no_row(source, tmp_path, monkeypatch):
    folder = without_ends(source("xlnet"), tmp_path)
    forward, passes = torch_model.Decoder.forward, iter(range(10**6))

    def full_at_times(self: Any, passage: Any) -> Any:
        if next(passes) in (7, 20):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, passage)

    monkeypatch.setattr(torch_model.Decoder, "forward", full_at_times)
    with TransformersEngine(folder) as engine:
        prompts = some_prompts(engine._vocabulary)
        answers = [ask(engine, str(n), prompt) for n, prompt in enumerate(prompts)]
        assert {answer.reason for answer in answers} == {"length"}
        assert engine.measures.registry.get_sample_value("frontdesk_engine_out_of_memory_total") == 2
    assert [answer.ids for answer in answers] == [alone(folder, prompt) for prompt in prompts]


def test_the_error_of_a_full_device_does_not_keep_what_filled_it(source, monkeypatch):
    lost = []

    def full(self: Any, passage: Any) -> Any:
        lost.append(weakref.ref(passage.ids))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch_model.Decoder, "forward", full)
    decoder = torch_model.Decoder.load(source("llama3"), device="cpu", compute_type="default")
    generator = fallback._Generator(decoder, pick=torch_model.pick)
    options = {"end_token": (), "min_length": 0, "repetition_penalty": 1.0}
    with pytest.raises(MemoryError, match="CUDA out of memory"):
        generator.generate_batch([(5, 6, 7)], max_length=9, callback=lambda _: False, **options)
    assert [gone() for gone in lost] == [None]


def test_the_same_measures_are_fed_as_by_the_first_engine(source, tmp_path):
    with TransformersEngine(without_ends(source("llama3"), tmp_path)) as engine:
        engine.warm_up()
        assert ask(engine, "a", some_prompts(engine._vocabulary)[1]).reason == "length"
        value = engine.measures.registry.get_sample_value
        assert value("frontdesk_engine_generation_tokens_total") == LONG
        assert value("frontdesk_engine_prompt_tokens_total") == LENGTHS[1]
        assert value("frontdesk_engine_request_success_total", {"finished_reason": "length"}) == 1
        assert value("frontdesk_engine_time_to_first_token_seconds_count") == 1
        assert value("frontdesk_engine_inter_token_latency_seconds_count") == LONG - 1
        assert engine.load().slots == engine.slots


# -- what it refuses -------------------------------------------------------------------------------------------


def test_a_folder_without_weights_is_named(source, tmp_path):
    with pytest.raises(ModelIncomplete, match=r"config\.json, \*\.safetensors"):
        TransformersEngine(tmp_path)


def test_pickled_weights_are_never_opened(source, tmp_path):
    copy = tmp_path / "pickled"
    shutil.copytree(source("llama3"), copy)
    weights = copy / "model.safetensors"
    torch.save(load_file(weights), copy / "pytorch_model.bin")
    weights.rename(copy / "other.safetensors")
    with pytest.raises(EngineError, match="cannot load"):
        TransformersEngine(copy)


def test_weights_that_are_missing_are_not_made_up(source, tmp_path):
    copy = tmp_path / "gap"
    shutil.copytree(source("llama3"), copy)
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match=r"layers\.1\.mlp\.up_proj\.weight"):
        TransformersEngine(copy)


def test_code_that_comes_with_a_model_is_not_run(source, tmp_path):
    copy = tmp_path / "coded"
    shutil.copytree(source("llama3"), copy)
    (copy / "own.py").write_text("raise SystemExit('the code of a model was run')")
    rewrite(
        copy / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"},
    )
    with pytest.raises(EngineError, match="cannot load"):
        TransformersEngine(copy)


@pytest.mark.parametrize(
    "said",
    [
        {"attn_implementation": "somebody/kernels"},
        {"_attn_implementation": "somebody/kernels:fast"},
        {"text_config": {"attn_implementation": {"": "somebody/kernels@main"}}},
        {"attn_implementation": "flash_attention_2"},  # of kernels-community
    ],
)
def test_kernels_that_a_model_names_are_not_fetched(said, source, tmp_path, monkeypatch):
    copy = tmp_path / "kernels"
    shutil.copytree(source("llama3"), copy)
    rewrite(copy / "config.json", **said)
    monkeypatch.setattr(
        transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("it was opened")
    )
    with pytest.raises(EngineError, match="asks for code from elsewhere"):
        TransformersEngine(copy)


@pytest.mark.parametrize("device", ["tpu", "cuda"])
def test_a_device_that_is_not_there_is_refused(device, source):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(EngineError, match="device"):
        TransformersEngine(source("llama3"), device=device)


def test_without_the_extra_the_error_says_which_to_install(source, monkeypatch):
    monkeypatch.delitem(sys.modules, "inference.fallback.torch_model")
    monkeypatch.delattr("inference.fallback.torch_model")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineError, match=r"pip install 'frontdesk\[train\]'"):
        TransformersEngine(source("llama3"))


def test_importing_it_loads_neither_torch_nor_transformers():
    program = (
        "import sys, inference.fallback; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_ends_are_those_of_every_file_and_of_the_vocabulary(source, tmp_path):
    copy = tmp_path / "ends"
    shutil.copytree(source("llama3"), copy)
    rewrite(copy / "config.json", eos_token_id=[5, 6])
    rewrite(copy / "generation_config.json", eos_token_id=[7, 10_000])
    named = transformers.AutoTokenizer.from_pretrained(copy).eos_token_id
    assert fallback.end_token_ids(copy, vocabulary=400) == (7, named, 5, 6)
