"""Conversions that are wrong on purpose: the gate refuses each, and nothing is installed."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference import families
from inference.convert import ConversionRefused, convert
from inference.families import Family
from inference.library import Library
from inference.library.shelf import STAGING, Shelf
from tests.inference import checkpoints
from tests.inference.checkpoints import make


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with checkpoints.one_thread():
        yield


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("llama31", tmp_path_factory.mktemp("broken") / "llama31")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


@pytest.fixture
def altered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The family of every source, with other hooks."""
    family_of = families.family_of

    def alter(**hooks: Any) -> None:
        def other(config: Any) -> Family:
            family = family_of(config)
            assert family is not None
            return replace(family, **hooks)

        monkeypatch.setattr(families, "family_of", other)

    return alter


def with_break(change: Callable[[Any], None]) -> Callable[[Any], AbstractContextManager[None]]:
    """Llama's loader as it should be, and one change to what it has made."""

    def patched(_: Any) -> AbstractContextManager[None]:
        from ctranslate2.converters import transformers as stock

        from inference.families import loaders

        loader = loaders.mend(
            stock.LlamaLoader, loaders.rope, loaders.head_dim, lambda spec, _: change(spec.decoder)
        )
        return loaders.instead({"LlamaConfig": loader})

    return patched


def refused(source: Path, shelf: Shelf, *, to: str = "float32") -> set[str]:
    """The checks that failed, after it is sure that nothing was left behind."""
    with pytest.raises(ConversionRefused, match="differs from its source") as caught:
        convert(source, shelf=shelf, name="desk", to=to)
    assert [model.name for model in Library(root=shelf.root).list()] == ["starter"]
    assert not any((shelf.root / STAGING).iterdir())
    assert caught.value.report is not None
    assert not caught.value.report.passed
    return {check.name for check in caught.value.report.failures}


def copied(weight: Any) -> Any:
    """Of a spec's weight, or of the model's that lies in its place."""
    return getattr(weight, "tensor", weight).detach().clone()


def exchange_layers(decoder: Any) -> None:
    first, second = decoder.layer[0].ffn.linear_1, decoder.layer[1].ffn.linear_1
    first.weight, second.weight = second.weight, first.weight


def exchange_rows(decoder: Any) -> None:
    weight = copied(decoder.layer[1].ffn.linear_0.weight)
    decoder.layer[1].ffn.linear_0.weight = weight[[1, 0, *range(2, len(weight))]]


def turn_heads(decoder: Any) -> None:
    """The queries of 4 heads in reverse; keys and values stay."""
    fused = decoder.layer[0].self_attention.linear[0]
    weight = copied(fused.weight)
    width = weight.shape[1]
    weight[:width] = weight[:width].reshape(4, width // 4, width).flip(0).reshape(width, width)
    fused.weight = weight


@pytest.mark.parametrize("to", ["float32", "int8"])
@pytest.mark.parametrize("change", [exchange_layers, exchange_rows, turn_heads])
def test_weights_in_the_wrong_place_are_refused(change, to, llama, shelf, altered):
    altered(patched=with_break(change))
    assert {"logits, short", "logits, medium", "logits, long", "logits, text"} <= refused(llama, shelf, to=to)


PARTS = {
    "embeddings": lambda decoder: decoder.embeddings,
    "queries": lambda decoder: decoder.layer[0].self_attention.linear[0],
    "attention's output": lambda decoder: decoder.layer[1].self_attention.linear[1],
    "feed-forward's gate": lambda decoder: decoder.layer[0].ffn.linear_0,
    "feed-forward's output": lambda decoder: decoder.layer[1].ffn.linear_1,
    "head": lambda decoder: decoder.projection,
}


@pytest.mark.parametrize(
    ("part", "to"),
    [*((part, "float32") for part in PARTS), ("queries", "int8"), ("feed-forward's gate", "int8")],
)
def test_one_projection_that_is_five_per_cent_off_is_refused(part, to, llama, shelf, altered):
    def change(decoder: Any) -> None:
        spec = PARTS[part](decoder)
        spec.weight = copied(spec.weight) * 1.05

    altered(patched=with_break(change))
    failed = refused(llama, shelf, to=to)
    assert "logits, long" in failed


def test_a_norm_that_is_five_per_cent_off_is_refused(llama, shelf, altered):
    def change(decoder: Any) -> None:
        norm = decoder.layer[1].ffn.layer_norm
        norm.gamma = copied(norm.gamma) * 1.05

    altered(patched=with_break(change))
    assert "logits, short" in refused(llama, shelf)


def test_the_stock_converter_that_drops_llama_3_1s_rope_scaling_is_refused(llama, shelf, altered):
    altered(patched=None)
    assert {"logits, long", "greedy tokens"} <= refused(llama, shelf)


def test_a_context_beyond_the_window_is_refused(tmp_path, shelf, altered):
    altered(decide=None)  # without the family's cap
    failed = refused(make("mistral_window", tmp_path / "mistral"), shelf)
    assert "logits, long" in failed
    assert "logits, short" not in failed  # within the window all is well


def _edit(name: str, change: Callable[[Any], None]) -> Callable[[Path, Path], None]:
    def finish(_: Path, made: Path) -> None:
        value = json.loads((made / name).read_text(encoding="utf-8"))
        change(value)
        (made / name).write_text(json.dumps(value), encoding="utf-8")

    return finish


def test_an_end_token_of_ctranslate2_that_the_source_does_not_have_is_refused(llama, shelf, altered):
    altered(finish=_edit("config.json", lambda config: config.update(eos_token="Ġhello")))
    assert "end tokens that differ" in refused(llama, shelf)


@pytest.mark.parametrize("ends", [[353], [352, 353, 65], 65])
def test_end_tokens_that_are_too_few_or_too_many_are_refused(ends, llama, shelf, altered):
    altered(finish=_edit("generation_config.json", lambda told: told.update(eos_token_id=ends)))
    assert "end tokens that differ" in refused(llama, shelf)


def test_a_vocabulary_in_another_order_is_refused(llama, shelf, altered):
    def exchange(words: list[str]) -> None:
        words[70], words[71] = words[71], words[70]

    altered(finish=_edit("vocabulary.json", exchange))
    assert "tokens at another id" in refused(llama, shelf)


def test_a_tokenizer_that_reads_otherwise_is_refused(llama, shelf, altered):
    def exchange(tokenizer: Any) -> None:
        words = tokenizer["model"]["vocab"]
        words["e"], words["t"] = words["t"], words["e"]

    altered(finish=_edit("tokenizer.json", exchange))
    assert "texts read otherwise" in refused(llama, shelf)


def test_what_ctranslate2_cannot_run_is_refused_with_its_words(llama, shelf, altered):
    def change(decoder: Any) -> None:
        for layer in decoder.layer:
            layer.self_attention.head_dim = layer.self_attention.head_dim * 2

    altered(patched=with_break(change))
    assert "errors of CTranslate2" in refused(llama, shelf)


def test_a_reason_lets_it_in_and_stays_in_the_manifest(llama, shelf, altered):
    altered(patched=with_break(exchange_rows))

    made = convert(llama, shelf=shelf, name="desk", to="float32", accept="to see what it says")

    assert made.accepted == "to see what it says"
    assert not made.parity["passed"]
    installed = Library(root=shelf.root).find("desk").manifest
    assert installed is not None
    assert installed.accepted == made.accepted


def test_a_reason_does_not_stay_where_nothing_had_to_be_accepted(llama, shelf):
    assert convert(llama, shelf=shelf, name="desk", to="float32", accept="just in case").accepted == ""
