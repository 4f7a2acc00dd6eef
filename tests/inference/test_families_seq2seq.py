"""Every family of encoder-decoders, from a tiny checkpoint to what is served: as transformers says, or refused."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import torch
import transformers
from ctranslate2.converters import transformers as stock

from inference import families
from inference.convert import ConversionRefused, convert
from inference.families import loaders
from inference.library.shelf import Shelf
from inference.parity import seq2seq as parity_seq2seq
from inference.request import Request, Sampling
from inference.seq2seq import Seq2SeqEngine
from tests.inference import checkpoints_seq2seq as checkpoints
from tests.inference.checkpoints import one_thread, rewrite
from tests.inference.conftest import Answer

EXACT = 2e-5  # of logits, in standard deviations
FAMILIES = sorted(checkpoints.RECIPES)
TEXTS = [
    "Where is my parcel?",
    "hello",
    "I ordered it ten days ago, and nobody works there.",
    "the end",
]
NEW = 12


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity_seq2seq, "cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("library") / "models")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A checkpoint of a family, made once."""
    made: dict[tuple[str, bool], Path] = {}

    def get(name: str, *, loud: bool = False) -> Path:
        if (name, loud) not in made:
            folder = tmp_path_factory.mktemp("sources") / name
            made[name, loud] = checkpoints.make(name, folder, loud=loud)
        return made[name, loud]

    return get


def converted(shelf: Shelf, folder: Path, *, to: str = "float32") -> Path:
    found = convert(folder, shelf=shelf, name=folder.name, to=to)
    assert (found.engine, found.kind) == ("ctranslate2", "seq2seq")
    return shelf.library.find(str(found.reference)).path


def asked_of(folder: Path) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The texts' ids, and transformers' greedy answer to each without its end."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
    # a long answer's last token is no end that a model has made
    model.generation_config.forced_eos_token_id = None
    prompts = [tuple(tokenizer(text)["input_ids"]) for text in TEXTS]
    told = 1 + (
        model.generation_config.forced_bos_token_id is not None
    )  # the start, and what is forced behind it
    said = []
    for prompt in prompts:
        with torch.no_grad():
            whole = model.generate(
                torch.tensor([prompt]), max_new_tokens=NEW + told - 1, do_sample=False, num_beams=1
            )[0].tolist()
        said.append(tuple(token for token in whole[told:] if token != tokenizer.eos_token_id))
    return prompts, said


def answers(engine: Seq2SeqEngine, prompts: list[tuple[int, ...]], **more: Any) -> list[Answer]:
    """All asked at once."""
    found = []
    for at, prompt in enumerate(prompts):
        answer = Answer()
        request = Request(id=str(at), prompt=prompt, sampling=Sampling(max_tokens=NEW), **more)
        engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
        found.append(answer)
    assert {answer.reason for answer in found} <= {"stop", "length"}
    return found


def report_of(made: Path) -> dict[str, Any]:
    parity = json.loads((made / "manifest.json").read_text())["parity"]
    return {check["name"]: check["figure"] for check in parity["checks"]} | {"passed": parity["passed"]}


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_answers_are_transformers_own(shelf, source, name):
    folder = source(name, loud=True)
    made = converted(shelf, folder)
    assert report_of(made)["passed"]
    assert report_of(made)["logits"] < EXACT
    prompts, said = asked_of(folder)
    with Seq2SeqEngine(made, inter_threads=1, intra_threads=1) as engine:
        together = [tuple(answer.ids) for answer in answers(engine, prompts)]
        alone = [tuple(answers(engine, [prompt])[0].ids) for prompt in prompts]
    assert together == said
    assert alone == said
    assert any(said), "every answer is empty"


@pytest.mark.parametrize("name", FAMILIES)
def test_int8_is_converted_exactly_and_keeps_its_limits(shelf, source, name):
    report = report_of(converted(shelf, source(name), to="int8"))
    assert report["passed"]
    assert report["logits"] < EXACT, "over the rounded weights"
    assert 0 < report["perplexity drift"] < 0.05
    assert report["same best token"] >= 0.9


def test_float16_rounds_what_stands_beside_the_weights_too(shelf, source):
    report = report_of(converted(shelf, source("m2m100"), to="float16"))
    assert report["passed"]
    assert report["logits"] < EXACT


def test_a_source_that_says_how_answers_begin_in_old_places_is_understood(shelf, source, tmp_path):
    """Before generation_config.json there was config.json alone."""
    folder = checkpoints.make("bart", tmp_path / "old")
    generation = json.loads((folder / "generation_config.json").read_text())
    rewrite(folder / "config.json", forced_bos_token_id=generation["forced_bos_token_id"])
    (folder / "generation_config.json").unlink()
    made = converted(shelf, folder)
    with Seq2SeqEngine(made, intra_threads=1) as engine:
        assert engine.lead == (generation["forced_bos_token_id"],)


# -- the gate --------------------------------------------------------------------------------------------------


def broken(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *mends: Callable[[Any, Any], None],
    ready: Callable[[Any], None] | None = None,
    finish: Callable[[Path, Path], None] | None = None,
) -> None:
    """From now on this source's family is converted otherwise."""
    config = json.loads((folder / "config.json").read_text())
    family = families.family_of(config)
    assert family is not None
    name = checkpoints.RECIPES[folder.name].config
    base = type(stock._MODEL_LOADERS[name])
    usual = family.patched

    def patched(told: Any) -> Any:
        if finish is None or usual is None:
            return loaders.instead({name: loaders.mend(base, *mends, ready=ready)})
        return usual(told) if usual else nullcontext()

    def finished(source: Path, made: Path) -> None:
        assert family.finish is not None
        family.finish(source, made)
        if finish:
            finish(source, made)

    monkeypatch.setattr(families, "ALL", (replace(family, patched=patched, finish=finished),))


def _scaled(model: Any) -> None:
    model.config.tie_word_embeddings = False


def _old_keys(model: Any) -> None:
    model.config.normalize_before, model.config.normalize_embedding = False, True


def _without_distances(spec: Any, _: Any) -> None:
    for layer in spec.encoder.layer:
        bias = layer.self_attention.relative_attention_bias
        layer.self_attention.relative_attention_bias = bias * 0


def _swapped_crosses(spec: Any, _: Any) -> None:
    first, second = (layer.attention for layer in spec.decoder.layer)
    first.linear[1].weight, second.linear[1].weight = second.linear[1].weight, first.linear[1].weight


def _without_bias(spec: Any, _: Any) -> None:
    spec.decoder.projection.bias = spec.decoder.projection.bias * 0


@pytest.mark.parametrize(
    ("name", "to", "mends", "ready"),
    [
        ("flan_t5", "float32", (), None),  # what the stock converter makes of it: every logit too small
        ("flan_t5", "int8", (_without_distances,), _scaled),
        ("bart", "int8", (_swapped_crosses,), _old_keys),
        ("bart", "float32", (_without_bias,), _old_keys),
    ],
    ids=["scale", "distances", "cross attention", "bias of the logits"],
)
def test_a_conversion_that_went_wrong_is_refused(shelf, source, monkeypatch, name, to, mends, ready):
    folder = source(name)
    broken(monkeypatch, folder, *mends, ready=ready)
    with pytest.raises(ConversionRefused, match="logits") as refused:
        convert(folder, shelf=shelf, name="wrong", to=to)
    assert not refused.value.report.passed


def test_what_is_broken_here_passes_unbroken(shelf, source, monkeypatch):
    for name, ready in (("flan_t5", _scaled), ("bart", _old_keys)):
        broken(monkeypatch, source(name), ready=ready)
        assert convert(source(name), shelf=shelf, name="right", to="float32").parity["passed"]


def _begins_otherwise(_: Path, made: Path) -> None:
    rewrite(made / "config.json", decoder_start_token="a")


def _ends_otherwise(_: Path, made: Path) -> None:
    rewrite(made / "generation_config.json", eos_token_id=[7])


@pytest.mark.parametrize(
    ("finish", "word"), [(_begins_otherwise, "logits"), (_ends_otherwise, "end tokens that differ")]
)
def test_a_wrong_first_or_last_token_is_refused(shelf, source, monkeypatch, finish, word):
    folder = source("flan_t5")
    broken(monkeypatch, folder, finish=finish)
    with pytest.raises(ConversionRefused, match=word):
        convert(folder, shelf=shelf, name="wrong", to="float32")


# -- routes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "told", "engine", "word"),
    [
        ("T5ForConditionalGeneration", {"feed_forward_proj": "gated-gelu"}, "ctranslate2", ""),
        ("T5ForConditionalGeneration", {"feed_forward_proj": "gated-mish"}, "transformers", "mish"),
        ("BartForConditionalGeneration", {"activation_function": "tanh"}, "transformers", "tanh"),
        (
            "BartForConditionalGeneration",
            {"encoder_attention_heads": 4, "decoder_attention_heads": 8},
            "transformers",
            "heads",
        ),
        ("MarianMTModel", {"share_encoder_decoder_embeddings": False}, "transformers", "vocabulary"),
        ("LEDForConditionalGeneration", {"model_type": "led"}, "transformers", "LED"),
    ],
)
def test_an_encoder_decoder_goes_where_it_is_right(architecture, told, engine, word):
    route = families.route({"architectures": [architecture], **told})
    assert route.engine == engine
    assert word in route.reason


def test_a_source_that_does_not_say_how_answers_begin_is_refused(shelf, tmp_path, monkeypatch):
    folder = checkpoints.make("mbart", tmp_path / "mbart")
    rewrite(folder / "config.json", decoder_start_token_id=None)
    rewrite(folder / "generation_config.json", decoder_start_token_id=None)
    with pytest.raises(ConversionRefused, match="decoder_start_token_id"):
        convert(folder, shelf=shelf, name="startless", to="float32")


def test_a_tokenizer_that_only_sentencepiece_reads_is_refused_with_what_to_do(shelf, tmp_path):
    """facebook/m2m100_418M has no other."""
    words, spm, folder = tmp_path / "words.txt", tmp_path / "pieces", tmp_path / "m2m100"
    words.write_text("\n".join([*TEXTS, "harbour office ships captain coffee"] * 4))
    sentencepiece.SentencePieceTrainer.train(
        input=str(words), model_prefix=str(spm), vocab_size=60, model_type="bpe", minloglevel=2
    )
    pieces = [line.split("\t")[0] for line in spm.with_suffix(".vocab").read_text().splitlines()]
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    (tmp_path / "vocab.json").write_text(
        json.dumps({piece: i for i, piece in enumerate(dict.fromkeys([*marks, *pieces]))})
    )
    checkpoints.make("m2m100", folder)
    slow = transformers.M2M100Tokenizer(str(tmp_path / "vocab.json"), str(spm.with_suffix(".model")))
    (folder / "tokenizer.json").unlink()
    slow.save_pretrained(folder)
    with pytest.raises(ConversionRefused, match=r"Take a copy of the model that has tokenizer\.json"):
        convert(folder, shelf=shelf, name="slow", to="float32")


def test_the_checkpoints_answer_by_what_they_read(source):
    """Else nothing above would see the encoder."""
    for name in FAMILIES:
        model = transformers.AutoModelForSeq2SeqLM.from_pretrained(source(name)).eval()
        begun = torch.tensor([[5, 6, 7]])
        with torch.no_grad():
            one, other = (
                model(input_ids=torch.tensor([ids]), decoder_input_ids=begun).logits.numpy()
                for ids in ([9, 10, 11, 12], [9, 10, 12, 11])
            )
        assert np.abs(one - other).max() > 1e-2 * one.std(), name
