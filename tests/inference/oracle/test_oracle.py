"""A decode by CTranslate2 in float32 is what the formulas say, token by token, and no other formula would do.

The oracle knows neither library: it reads the checkpoint's arrays and computes. A checkpoint is made with transformers
and converted as any model is.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest

from inference.convert import convert
from inference.library.shelf import Shelf
from tests.inference import checkpoints, checkpoints_seq2seq
from tests.inference.oracle import formulas, models
from tests.inference.oracle.formulas import Matrix
from tests.inference.oracle.models import BART, GPT2, OPT, Llama, greedy

pytestmark = pytest.mark.usefixtures("one_thread")

TOKENS = 24
PROMPTS = [(5,), (17, 4), (9, 9, 9, 9, 30), tuple(range(40, 70)), tuple(range(90, 50, -1))]

DECODERS: dict[str, type[GPT2 | OPT | Llama]] = {"gpt2": GPT2, "opt": OPT, "llama3": Llama}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def made(family: str) -> Path:
        folder = tmp_path_factory.mktemp("oracle") / family
        return (
            checkpoints_seq2seq.make(family, folder) if family == "bart" else checkpoints.make(family, folder)
        )

    return made


@pytest.fixture(scope="module")
def converted(
    source: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    @cache
    def made(family: str) -> Path:
        shelf = Shelf(tmp_path_factory.mktemp("models"))
        variant = convert(source(family), shelf=shelf, name=family, to="float32").reference
        return shelf.root / variant.name / variant.version / variant.variant

    return made


def words(folder: Path) -> list[str]:
    file = "vocabulary.json" if (folder / "vocabulary.json").is_file() else "shared_vocabulary.json"
    found: list[str] = json.loads((folder / file).read_text(encoding="utf-8"))
    return found


def decoded(folder: Path, prompt: tuple[int, ...]) -> tuple[list[int], Matrix]:
    """What CTranslate2 says to a prompt, and its logits at each place of prompt and answer."""
    generator = ctranslate2.Generator(str(folder), compute_type="float32", intra_threads=1)
    tokens = words(folder)
    (result,) = generator.generate_batch(
        [[tokens[i] for i in prompt]], max_length=TOKENS, include_prompt_in_result=False, end_token=[]
    )
    (ids,) = result.sequences_ids
    logits = generator.forward_batch([[tokens[i] for i in (*prompt, *ids)]])
    return ids, np.array(logits, dtype=np.float64)[0]


def translated(folder: Path, text: tuple[int, ...]) -> tuple[list[int], Matrix]:
    """What CTranslate2 answers to a text, and its logits at each step."""
    translator = ctranslate2.Translator(str(folder), compute_type="float32", intra_threads=1)
    tokens = words(folder)
    (result,) = translator.translate_batch(
        [[tokens[i] for i in text]],
        beam_size=1,
        max_decoding_length=TOKENS,
        end_token=[],
        return_logits_vocab=True,
        max_input_length=0,
    )
    ids = [tokens.index(token) for token in result.hypotheses[0]]
    return ids, np.array([np.array(step) for step in result.logits[0]], dtype=np.float64)


# -- it says the same ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("prompt", PROMPTS, ids=len)
def test_a_decoder_says_what_the_formulas_say(family, prompt, source, converted):
    oracle = DECODERS[family](source(family))
    ids, logits = decoded(converted(family), prompt)
    assert ids == greedy(oracle.logits, prompt, TOKENS)
    _close(logits, oracle.logits([*prompt, *ids]))


@pytest.mark.parametrize("text", PROMPTS, ids=len)
def test_an_encoder_decoder_says_what_the_formulas_say(text, source, converted):
    oracle = BART(source("bart"))
    ids, logits = translated(converted("bart"), text)
    assert ids == oracle.answer(text, TOKENS)
    begun = [oracle.config["decoder_start_token_id"], *ids[:-1]]
    _close(logits, oracle.logits(oracle.encoded(text), begun))


def _close(logits: Matrix, expected: Matrix) -> None:
    assert logits.shape == expected.shape
    assert np.ptp(expected) > 5, "logits that hardly differ prove little"
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())


def test_the_oracle_knows_neither_library():
    program = (
        "import sys, tests.inference.oracle.models; "
        "print([m for m in ('torch', 'transformers', 'ctranslate2', 'inference') if m in sys.modules])"
    )
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert result.stdout.strip() == "[]"


# -- and no other formula would --------------------------------------------------------------------------------


def inverted(length: int) -> Matrix:
    """0 where i < j and -∞ else, as it is often printed."""
    i, j = np.indices((length, length))
    return np.where(i < j, 0.0, -np.inf)


def inverted_but_for_itself(length: int) -> Matrix:
    """The same, with each place at least in its own sight."""
    i, j = np.indices((length, length))
    return np.where(i <= j, 0.0, -np.inf)


def test_the_mask_that_is_often_printed_shows_each_place_only_what_it_must_not_know():
    right, wrong = formulas.causal(4), inverted(4)
    assert np.isfinite(right).sum(axis=1).tolist() == [1, 2, 3, 4]
    assert np.isfinite(wrong).sum(axis=1).tolist() == [3, 2, 1, 0]
    assert not (np.isfinite(right) & np.isfinite(wrong)).any()


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # the last place sees nothing: -∞ less -∞
@pytest.mark.parametrize("family", [*DECODERS, "bart"])
@pytest.mark.parametrize("mask", [inverted, inverted_but_for_itself])
def test_with_the_inverted_mask_the_formulas_say_something_else(family, mask, source, converted, monkeypatch):
    prompt = PROMPTS[2]
    monkeypatch.setattr(formulas, "causal", mask)
    if family == "bart":
        oracle = BART(source(family))
        ids, logits = translated(converted(family), prompt)
        wrong = oracle.logits(oracle.encoded(prompt), [oracle.config["decoder_start_token_id"], *ids[:-1]])
    else:
        ids, logits = decoded(converted(family), prompt)
        wrong = DECODERS[family](source(family)).logits([*prompt, *ids])
    if mask is inverted:
        assert np.isnan(wrong[-1]).all(), "what sees nothing says nothing"
        return
    assert wrong.argmax(axis=-1).tolist() != logits.argmax(axis=-1).tolist()
    assert np.abs(wrong - logits).max() > 1


rotary = formulas.rotary

# What is wrong, the family that shows it, and what takes whose place.
WRONG: dict[str, tuple[str, Any, str, Any]] = {
    "scores that are not divided by √d": ("llama3", formulas, "sqrt", lambda d: 1.0),
    "positions that begin with the table": ("opt", models, "UNUSED_POSITIONS", 0),
    "no rotation": ("llama3", formulas, "rotary", lambda x, base: x),
    "every angle the same": ("llama3", formulas, "rotary", lambda x, base: rotary(x, 1.0)),
    "GELU for ReLU": ("opt", formulas, "relu", formulas.gelu),
    "ReLU for GELU": ("gpt2", formulas, "gelu_new", formulas.relu),
    "a norm with the mean": (
        "llama3",
        formulas,
        "rms_norm",
        lambda x, g, e: formulas.layer_norm(x, g, 0 * g, e),
    ),
    "a norm without it": ("gpt2", formulas, "layer_norm", lambda x, g, b, e: formulas.rms_norm(x, g, e) + b),
}


@pytest.mark.parametrize("slip", WRONG)
def test_any_slip_in_a_formula_is_seen(slip, source, converted, monkeypatch):
    family, where, name, other = WRONG[slip]
    prompt = PROMPTS[3]
    ids, logits = decoded(converted(family), prompt)
    right = DECODERS[family](source(family)).logits([*prompt, *ids])
    monkeypatch.setattr(where, name, other)
    wrong = DECODERS[family](source(family)).logits([*prompt, *ids])
    apart = np.abs(wrong - logits).max()
    assert apart > 1000 * np.abs(right - logits).max()
    assert apart > 0.1


def test_each_head_of_keys_serves_neighbours(source, converted, monkeypatch):
    """Grouped heads in the wrong order, as if the first of each group came first."""
    whole = formulas.multi_head

    def shuffled(queries: Matrix, *others: Any, heads: int, **options: Any) -> Matrix:
        order = [0, 2, 1, 3]
        parts = np.split(queries, heads, axis=-1)
        said = whole(np.concatenate([parts[h] for h in order], axis=-1), *others, heads=heads, **options)
        back = np.split(said, heads, axis=-1)
        return np.concatenate([back[order.index(h)] for h in range(heads)], axis=-1)

    prompt = PROMPTS[3]
    ids, logits = decoded(converted("llama3"), prompt)
    monkeypatch.setattr(formulas, "multi_head", shuffled)
    assert np.abs(Llama(source("llama3")).logits([*prompt, *ids]) - logits).max() > 0.1


def test_the_two_gelus_are_near_and_not_the_same():
    x = np.linspace(-5, 5, 101)
    apart = np.abs(formulas.gelu(x) - formulas.gelu_new(x)).max()
    assert 1e-4 < apart < 1e-3


def test_a_rotation_knows_only_how_far_apart_two_places_are():
    random = np.random.default_rng(0)
    q, k = random.standard_normal((2, 8))
    turned_q, turned_k = (formulas.rotary(np.tile(x, (10, 1)), 100.0) for x in (q, k))
    products = turned_q @ turned_k.T
    np.testing.assert_allclose(products[2:, 2:], products[:-2, :-2])
    assert np.ptp(products[0]) > 0.1
