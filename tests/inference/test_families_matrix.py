"""Every family of decoders: a tiny checkpoint is converted, proved, installed, opened, and answers as its source."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from inference.convert import convert, source
from inference.library import Library
from inference.library.shelf import Shelf
from inference.opening import open_engine
from inference.request import Request, Sampling
from tests.inference import checkpoints
from tests.inference.checkpoints import POSITIONS, RECIPES, make
from tests.inference.conftest import Answer

WINDOW = 48

# Where each goes, up to how many tokens, and words of the reason.
CTRANSLATE2 = ("ctranslate2", POSITIONS, "")
WHERE = {
    **dict.fromkeys(RECIPES, CTRANSLATE2),
    "mistral_window": ("ctranslate2", WINDOW, ""),
    "qwen2_window": ("ctranslate2", WINDOW, ""),
    "gemma3": ("ctranslate2", WINDOW, ""),
    "gemma3_with_eyes": ("ctranslate2", WINDOW, ""),
    "phi3": ("ctranslate2", WINDOW, ""),
    "phi3_long": ("ctranslate2", 2048, ""),
    "falcon_rw": ("transformers", POSITIONS, "ALiBi to bfloat16"),
    "llama_yarn": ("transformers", POSITIONS, "no RoPE scaling of the type yarn"),
    "llama_dynamic": ("transformers", POSITIONS, "no RoPE scaling of the type dynamic"),
    "gemma2": ("transformers", POSITIONS, "soft-capping"),
    "xlnet": ("transformers", 2048, "no converter for XLNetLMHeadModel"),
    "stablelm": ("transformers", POSITIONS, "no converter for StableLmForCausalLM"),
}
SAID = 12
PROMPTS = (6, 30)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with checkpoints.one_thread():
        yield


def asked(folder: Path, length: int) -> tuple[int, ...]:
    """Words of the vocabulary, at equal distances, so that none is special by chance."""
    tokenizer = source.load_tokenizer(folder)
    special = set(tokenizer.all_special_ids)
    ids = [i for i in sorted(tokenizer.get_vocab().values()) if i not in special]
    return tuple(ids[:: len(ids) // length][:length])


def said_by_transformers(folder: Path, prompt: tuple[int, ...], ends: tuple[int, ...]) -> list[int]:
    with source.quietly(), torch.inference_mode():
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        model.generation_config = transformers.GenerationConfig(
            do_sample=False, max_new_tokens=SAID, eos_token_id=list(ends), pad_token_id=ends[0]
        )
        ids = model.generate(torch.tensor([prompt]))[0, len(prompt) :].tolist()
    return [i for at, i in enumerate(ids) if not set(ids[: at + 1]) & set(ends)]


def said_by_engine(engine: Any, prompt: tuple[int, ...]) -> list[int]:
    answer = Answer()
    request = Request(id=str(len(prompt)), prompt=prompt, sampling=Sampling(max_tokens=SAID))
    engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
    assert answer.reason in ("length", "stop")
    return answer.ids


@pytest.mark.parametrize("name", RECIPES)
def test_a_family_is_converted_proved_and_served(name: str, tmp_path: Path) -> None:
    engine_name, context, reason = WHERE[name]
    checkpoint = make(name, tmp_path / name)
    shelf = Shelf(tmp_path / "models")

    made = convert(checkpoint, shelf=shelf, name=name, to="float32")

    assert (made.engine, made.context_length) == (engine_name, context)
    assert reason in made.engine_reason
    assert bool(reason) == bool(made.engine_reason)
    assert made.parity["passed"]
    if engine_name == "ctranslate2":
        logits = [c for c in made.parity["checks"] if c["name"].startswith("logits")]
        assert len(logits) == 5
        assert max(check["figure"] for check in logits) < 5e-5  # far within the limit: nothing hides below it
    model = Library(root=tmp_path / "models").find(name)
    with open_engine(model, inter_threads=1, intra_threads=1) as engine:
        for length in PROMPTS:
            prompt = asked(checkpoint, length)
            wanted = said_by_transformers(checkpoint, prompt, made.end_token_ids)
            assert said_by_engine(engine, prompt) == wanted


ROUNDED = [
    *(
        ("gpt2_tied", "int8"),
        ("qwen2_tied", "int8"),
        ("opt", "int8_float16"),
        ("llama31", "int8"),
        ("llama31", "float16"),
    ),
    *(("gemma3", "int8_bfloat16"), ("phi3", "bfloat16"), ("mpt", "int8"), ("falcon_40b", "int8_float32")),
]


@pytest.mark.parametrize(("name", "variant"), ROUNDED)
def test_a_rounded_variant_is_held_to_the_same_limit_as_a_whole_one(
    name: str, variant: str, tmp_path: Path
) -> None:
    """Against the source with its weights rounded alike: what is left is the order of additions."""
    made = convert(make(name, tmp_path / name), shelf=Shelf(tmp_path / "models"), name=name, to=variant)

    figures = {check["name"]: check["figure"] for check in made.parity["checks"]}
    assert max(figure for check, figure in figures.items() if check.startswith("logits")) < 5e-5
    assert 0 < figures["perplexity drift"] < 0.03
