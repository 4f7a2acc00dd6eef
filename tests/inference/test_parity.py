"""The gate's report and its figures: what is measured, what passes, and what stays in the manifest."""

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from inference.convert import convert, source
from inference.library import Library
from inference.library.shelf import Shelf
from inference.parity import Check, Report
from inference.parity import chat as parity_chat
from inference.parity.sides import KEPT, CannotRun, Made, Original, Passage
from tests.inference import checkpoints
from tests.inference.checkpoints import make

REPORT = Report(
    "int8",
    "transformers 5",
    (Check("logits, short", 1e-5, "at most", 1e-3, note="8 tokens"), Check("greedy", 1.0, "at least", 1.0)),
    seconds=1.5,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with checkpoints.one_thread():
        yield


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("gpt2", tmp_path_factory.mktemp("parity") / "gpt2")


def test_a_report_comes_back_from_json_as_it_was():
    assert Report.from_json(json.loads(json.dumps(REPORT.to_json()))) == REPORT


def test_a_report_that_says_it_passed_is_not_believed():
    said = REPORT.to_json()
    said["checks"][0]["figure"] = 1.0
    assert said["passed"] is True
    assert not Report.from_json(said).passed


@pytest.mark.parametrize("rule", ["at most", "at least", "told"])
def test_what_is_no_number_is_never_within(rule):
    check = Check("logits", math.nan, rule, 1.0)
    assert not check.passed
    report = Report("int8", "x", (check,))
    text = json.dumps(report.to_json(), allow_nan=False)  # a program in another language reads it too
    assert not Report.from_json(json.loads(text)).passed


def test_a_figure_that_is_told_has_no_limit():
    assert Check("drift here", 5.0, "told", 0.1).passed


def test_a_report_without_checks_proves_nothing():
    assert not Report("int8", "x", ()).passed


def test_the_table_names_what_fails():
    bad = Report("int8", "transformers 5", (*REPORT.checks, Check("end tokens", 1, "at most", 0)))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(bad.table())
    text = console.export_text()
    assert [line for line in text.splitlines() if "fails" in line and "end tokens" in line]
    assert bad.failures == (bad.checks[2],)


def test_prompts_are_the_same_every_time_and_fit_into_the_context(gpt2):
    tokenizer = source.load_tokenizer(gpt2)

    def asked(context: int) -> tuple[Passage, ...]:
        return parity_chat.prompts(
            tokenizer, said=min(32, context // 3), context_length=context, parameters=1000, vocabulary=351
        )

    assert asked(256) == asked(256)
    for context in (12, 48, 256, 100_000):
        lengths = [len(passage.prompt) + min(32, context // 3) for passage in asked(context)]
        assert max(lengths[:-1]) <= context
        assert len(asked(context)[-1].prompt) <= context
        assert min(len(passage.prompt) for passage in asked(context)) >= 2
    longest = asked(256)[-2]
    assert (longest.group, len(longest.prompt)) == (
        "long",
        256 - 32,
    )  # the answer ends where the context does
    assert not {token for passage in asked(256)[:-1] for token in passage.prompt} & set(
        tokenizer.all_special_ids
    )


def test_a_large_model_gets_a_shorter_long_prompt(gpt2):
    tokenizer = source.load_tokenizer(gpt2)
    long = [
        len(
            parity_chat.prompts(tokenizer, said=32, context_length=100_000, parameters=size, vocabulary=351)[
                -2
            ].prompt
        )
        for size in (10**6, 8 * 10**9, 10**12)
    ]
    assert long == [4096 - 32, 625 - 32, 256 - 32]


def test_of_a_long_passage_the_beginning_and_the_end_are_kept():
    kept = Passage("long", tuple(range(500)), (1,) * 20).kept
    assert len(kept) == KEPT
    assert (kept[0], kept[-1]) == (0, 519)
    assert len(Passage("short", (1, 2), (3,)).kept) == 3


def test_distance_is_in_standard_deviations():
    theirs = np.array([[0.0, 2.0], [0.0, 2.0]], np.float32)  # of 1
    assert parity_chat.distance(theirs + np.float32(0.5), theirs) == 0.5
    assert math.isnan(parity_chat.distance(theirs * np.float32(math.nan), theirs))


def test_the_worst_of_several_figures_is_the_one_that_is_no_number():
    assert math.isnan(parity_chat.worst([1.0, math.nan, 2.0]))
    assert parity_chat.worst([1.0, 3.0, 2.0]) == 3.0


@pytest.mark.parametrize("variant", ["int8", "float16", "bfloat16", "int8_bfloat16"])
def test_the_source_is_rounded_just_as_the_converter_rounds(gpt2, variant, tmp_path):
    convert(gpt2, shelf=Shelf(tmp_path), name="desk", to=variant)
    passage = Passage("text", tuple(range(20, 60)))
    folder = Library(root=tmp_path).find("desk").path
    with Made.loaded(folder, compute_type="float32") as made:
        ours = made.logits(passage)
    with Original.loaded(gpt2) as original:
        whole = original.logits(passage)
        original.round_like(variant)
        rounded = original.logits(passage)

    assert parity_chat.distance(ours, rounded) < 1e-5
    assert parity_chat.distance(ours, whole) > 100 * parity_chat.distance(ours, rounded)


def test_a_source_without_some_weights_is_no_reference(gpt2, tmp_path):
    from safetensors.torch import load_file, save_file

    lame = make("gpt2", tmp_path / "gpt2")
    tensors = load_file(lame / "model.safetensors")
    tensors.pop("transformer.h.1.mlp.c_fc.weight")
    save_file(tensors, lame / "model.safetensors", metadata={"format": "pt"})

    refused = pytest.raises(ValueError, match=r"no weights for transformer\.h\.1\.mlp\.c_fc\.weight")
    with refused, Original.loaded(lame):
        pass


def test_what_ctranslate2_raises_is_told_in_its_words(gpt2, tmp_path):
    with (
        pytest.raises(CannotRun, match=r"model\.bin"),
        Made.loaded(_with_vocabulary(tmp_path), compute_type="float32"),
    ):
        pass


def _with_vocabulary(folder: Path) -> Path:
    (folder / "vocabulary.json").write_text("[]")
    return folder
