"""The gate for encoders: a converted classifier or embedder beside its source, the same texts through both.

As for decoders two questions are kept apart: whether it was converted right (float32 on both sides, over the weights as
the variant stores them), and what the variant loses as it is served. The source reads one text at a time; ours reads
them as it is served, in batches of unequal lengths: so padding, positions, the cut of long texts, the tokenizer and the
head are each on trial. Needs the extra `train`.
"""

from __future__ import annotations

import gc
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from inference.convert import source as sources
from inference.encoders import Encoder
from inference.families.encoder import pooling_of
from inference.families.family import Kind
from inference.heads import FILE as HEADS
from inference.heads import OUTCOMES, Floats, Heads, Outcome
from inference.library import read_json
from inference.parity import Check, Report
from inference.request import EngineError

# What people write: of many lengths, in several scripts, with what tokenizers stumble over.
TEXTS = (
    "Hello there",
    "?",
    "Where is my parcel? I ordered it ten days ago, and the page still says that it was never sent.",
    "I want to speak to a person, not to a machine!!!",
    "The invoice of 2024-03-01 over $1,299.00 is wrong (again); see https://example.com/a?b=1&c=2.",
    "Ich hätte gern eine Rückerstattung für die Straßenschuhe, Größe 43½.",
    "Où est la gare, s'il vous plaît ?",
    "我的订单什么时候到?",
    "как отменить подписку",
    "thanks, that solved it 🙂",
    "UPPER lower MiXeD  two  spaces\nand a line",
    "It does not work. " * 12,
)
LONG = "Every model cuts a text like this one somewhere, and both must cut it at the same place. "

# Of scores and vectors, the largest difference beside the largest of them. The two engines differ by 1e-6 or less in
# models of two layers, and a little more with every layer; a head whose rows are swapped makes 1 and more.
ERROR = 1e-3

# What a variant may lose, by its type: of any probability, and of the cosine between a vector and the source's.
SHARE = {"float16": 0.01, "bfloat16": 0.08, "int8": 0.15}
COSINE = {"float16": 0.999, "bfloat16": 0.99, "int8": 0.97}

# A choice this narrow may fall either way once weights are rounded.
NARROW = 0.1


@dataclass(frozen=True, slots=True)
class _Said:
    """What one side made of the texts: ids, and a row of raw scores for each."""

    ids: list[list[int]]
    scores: Floats
    labels: tuple[str, ...] = ()
    outcome: Outcome = "raw"


def compare(
    *,
    kind: Kind,
    source: Path,
    made: Path,
    variant: str,
    context_length: int,
    end_token_ids: Sequence[int] = (),
) -> Report:
    """`made` against `source`. Nothing is drawn by chance: the same two folders give the same figures."""
    began = time.monotonic()
    reference = f"transformers {metadata.version('transformers')}, float32, eager attention, CPU"
    limit = read_limit(made, context_length)
    texts = (*TEXTS, *(LONG * (1 + limit // part) for part in (24, 12, 6)))
    try:
        ours = _ours(made, texts, compute_type="float32")
        served = ours if variant == "float32" else _ours(made, texts, compute_type="default")
    except EngineError as error:
        return Report(
            variant, reference, (Check("errors of CTranslate2", 1, "at most", 0, note=str(error)[:300]),)
        )
    with sources.quietly():
        original = _Original(kind, source, limit)
        whole = original.said(texts)
        original.round_like(variant)
        exact = whole if variant == "float32" else original.said(texts)
    del original
    gc.collect()
    checks = _checks(kind, variant, ours=ours, served=served, whole=whole, exact=exact)
    return Report(variant, reference, tuple(checks), seconds=round(time.monotonic() - began, 1))


def read_limit(made: Path, context_length: int) -> int:
    """Tokens that are read: what the head's file says, and no more than the manifest will say."""
    return min(Heads.load(made).max_tokens, context_length)


def _ours(made: Path, texts: Sequence[str], *, compute_type: str) -> _Said:
    """As it is served, but for the last step: shares of 0.999 hide how far scores are apart."""
    import ctranslate2

    level = ctranslate2.get_log_level()
    ctranslate2.set_log_level(logging.ERROR)  # a CPU without float16 is told about at every load
    try:
        with Encoder(made, compute_type=compute_type) as encoder:
            name, head = next(iter(encoder.heads.heads.items()))
            encoder.heads = replace(encoder.heads, heads={name: replace(head, outcome="raw")})
            scores = encoder.scores(texts, [name])[name]
            return _Said(encoder.ids(texts), scores, head.labels, head.outcome)
    finally:
        ctranslate2.set_log_level(level)


class _Original:
    """The source in transformers, and behind an embedder sentence-transformers' steps, written anew in torch."""

    def __init__(self, kind: Kind, source: Path, limit: int) -> None:
        import transformers

        trained = kind == "classifier" and (source / HEADS).is_file()  # here: a bare encoder and its heads
        whole = kind == "classifier" and not trained
        auto = transformers.AutoModelForSequenceClassification if whole else transformers.AutoModel
        self._model = auto.from_pretrained(
            source,
            dtype="float32",
            attn_implementation="eager",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        ).eval()
        self._tokenizer = sources.load_tokenizer(source)
        self._steps = None if whole else _of_first_head(source) if trained else _steps(source)
        self._labels = tuple(map(str, self._model.config.id2label.values())) if kind == "classifier" else ()
        self._lower = bool(read_json(source / "sentence_bert_config.json").get("do_lower_case"))
        self._limit = limit

    def said(self, texts: Sequence[str]) -> _Said:
        import torch

        ids, scores = [], []
        with torch.inference_mode():
            for text in texts:
                asked = self._tokenizer(
                    text.lower() if self._lower else text,
                    truncation=True,
                    max_length=self._limit,
                    return_tensors="pt",
                )
                ids.append([int(i) for i in asked["input_ids"][0]])
                scores.append(self._score(self._model(**asked)).numpy())
        return _Said(ids, np.stack(scores), self._labels)

    def _score(self, output: Any) -> Any:
        if self._steps is None:
            return output.logits[0]
        values = output.last_hidden_state
        for step in self._steps:
            values = step(values)
        return values[0]

    def round_like(self, variant: str) -> None:
        """The weights become those that the variant stores. The head's stay: they are kept in float32 in all."""
        import torch

        from inference.parity.sides import Original

        def of_head(name: str) -> bool:
            return "classifier" in name or "pooler" in name

        kept = {name: each.clone() for name, each in self._model.named_parameters() if of_head(name)}
        tables = [
            _Table(module)
            for name, module in self._model.named_modules()
            if name.endswith("token_type_embeddings")
        ]
        with torch.inference_mode():
            for part in (self._model, *tables):
                Original(part).round_like(variant)
            for name, before in kept.items():
                self._model.get_parameter(name).copy_(before)


class _Table:
    """One more table of embeddings, looked at as a model of its own."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.parameters, self.modules = table.parameters, table.modules

    def get_input_embeddings(self) -> Any:
        return self._table


def _steps(source: Path) -> list[Callable[[Any], Any]]:
    import torch

    pools: dict[str, Callable[[Any], Any]] = {
        "cls": lambda states: states[:, 0],
        "mean": lambda states: states.mean(dim=1),
        "max": lambda states: states.amax(dim=1),
    }
    listed = source / "modules.json"
    if not listed.is_file():
        return [pools["mean"]]
    steps = []
    for module in json.loads(listed.read_text(encoding="utf-8")):
        kind, folder = module["type"].rpartition(".")[2], source / module["path"]
        if kind == "Pooling":
            steps.append(pools[pooling_of(read_json(folder / "config.json"))])
        elif kind == "Dense":
            steps += _dense(folder)
        elif kind == "Normalize":
            steps.append(lambda values: torch.nn.functional.normalize(values, dim=1))
    return steps


def _of_first_head(source: Path) -> list[Callable[[Any], Any]]:
    """The steps of a head that was trained here, in torch."""
    import torch

    head = next(iter(Heads.load(source).heads.values()))
    pools: dict[str, Callable[[Any], Any]] = {
        "mean": lambda states: states.mean(dim=1),
        "max": lambda states: states.amax(dim=1),
    }
    steps = [pools.get(head.pooling, lambda states: states[:, 0])]
    for layer in head.layers:
        linear = torch.nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
        linear.load_state_dict(
            {"weight": torch.from_numpy(layer.weight), "bias": torch.from_numpy(layer.bias)}
        )
        steps += [linear, *([getattr(torch.nn.functional, layer.activation)] if layer.activation else [])]
    return steps


def _dense(folder: Path) -> list[Callable[[Any], Any]]:
    import torch
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    rows, columns = tensors["linear.weight"].shape
    linear = torch.nn.Linear(columns, rows, bias="linear.bias" in tensors)
    linear.load_state_dict({name.removeprefix("linear."): each for name, each in tensors.items()})
    name = read_json(folder / "config.json")["activation_function"].rpartition(".")[2]
    return [linear, getattr(torch.nn, name)()]


# -- figures ---------------------------------------------------------------------------------------------------


def _checks(
    kind: Kind, variant: str, *, ours: _Said, served: _Said, whole: _Said, exact: _Said
) -> Iterator[Check]:
    yield Check("texts that are other tokens", _other(ours.ids, whole.ids), "at most", 0)
    if kind == "classifier":
        yield Check("labels that are others", float(ours.labels != whole.labels), "at most", 0)
    if ours.scores.shape != whole.scores.shape:
        more = abs(ours.scores.shape[1] - whole.scores.shape[1])
        yield Check("scores that one of both lacks", float(more), "at most", 0)
        return
    what = "scores" if kind == "classifier" else "vectors"
    yield Check(f"{what}, relative error", _error(ours.scores, exact.scores), "at most", ERROR)
    if variant != "float32":
        losses = _of_shares if kind == "classifier" else _of_angles
        yield from losses(variant.partition("_")[0], served, whole)


def _other(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    return float(sum(one != other for one, other in zip(ours, theirs, strict=True)))


def _error(ours: Floats, theirs: Floats) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _of_shares(kind: str, served: _Said, whole: _Said) -> Iterator[Check]:
    ours, theirs = (OUTCOMES[served.outcome](said.scores) for said in (served, whole))
    if served.outcome == "raw":
        yield Check("scores as served, relative error", _error(ours, theirs), "at most", SHARE[kind])
        return
    yield Check(
        "probabilities, largest difference", float(np.abs(ours - theirs).max()), "at most", SHARE[kind]
    )
    if ours.shape[1] > 1:
        second, best = np.sort(theirs, axis=1)[:, -2:].T
        wrong = (ours.argmax(axis=1) != theirs.argmax(axis=1)) & (best - second >= NARROW)
        yield Check("texts labelled otherwise", float(wrong.sum()), "at most", 0)


def _of_angles(kind: str, served: _Said, whole: _Said) -> Iterator[Check]:
    lengths = np.linalg.norm(served.scores, axis=1) * np.linalg.norm(whole.scores, axis=1)
    cosines = (served.scores * whole.scores).sum(axis=1) / np.maximum(lengths, 1e-12)
    yield Check("cosine, smallest", float(cosines.min()), "at least", COSINE[kind])
