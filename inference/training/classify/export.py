"""A judge that is done as a model that is served: a source with its heads, converted by the library's own way, proved.

Two proofs: the library's gate, with its own texts, and here the rows for validation, as they are served: how far
probabilities moved, and whether the figures did. Knows the library and the converter; needs the extra `train`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inference.convert import convert
from inference.convert import source as sources
from inference.convert.intake import ConversionRefused
from inference.encoders import Encoder
from inference.families.encoder import trained_here
from inference.heads import Floats, Head, Heads, Layer
from inference.library import manifest as manifests
from inference.library.manifest import Manifest
from inference.library.reference import VARIANTS
from inference.library.shelf import Shelf
from inference.parity import Check, Report
from inference.training.classify.figures import evaluate
from inference.training.classify.judge import Judge
from inference.training.classify.progress import Moment, Watch, silent
from inference.training.classify.rows import Row
from inference.training.classify.train import Trained

# What serving may change on real rows: of probabilities on average and at most, and of the mean AUPRC. Weights in int8
# move probabilities of a tuned MiniLM by about 0.01; a head whose rows are swapped moves them by 0.3 and more.
MEAN, LARGEST, FIGURE = 0.03, 0.35, 0.02
EXACT_MEAN, EXACT_LARGEST = 1e-3, 1e-2  # where nothing is rounded
MOST = 1000  # rows compared: a minute at most

_WORDS = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "sentence_bert_config.json"),
)


class NotExported(ConversionRefused):
    """What was made is not what was trained, or cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """A folder that can be served, its manifest and how it was proved. `rows` compares rows for validation."""

    folder: Path
    manifest: Manifest
    rows: Report


def export(
    trained: Trained,
    folder: Path,
    *,
    variant: str = "int8",
    head: str = "default",
    more: Mapping[str, Head] | None = None,
    accept: str = "",
    watch: Watch = silent,
) -> Report:
    """A plain folder without a manifest: config.json, model.bin, vocabulary.json, the tokenizer and head.npz, with the
    head named `head` and `more` ones. Other files that lie there stay. Raises ConversionRefused, unless `accept`."""
    with _made(
        trained, name="exported", variant=variant, heads=(head, more), accept=accept, watch=watch
    ) as made:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in manifests.files_in(made.folder):
            if name != manifests.FILE:
                part = folder / f".{name}.part"
                shutil.copyfile(path, part)
                part.replace(folder / name)
        return made.rows


def install(
    trained: Trained,
    *,
    shelf: Shelf,
    name: str,
    source: Path,
    variant: str = "int8",
    head: str = "default",
    more: Mapping[str, Head] | None = None,
    licence: str = "",
    accept: str = "",
    watch: Watch = silent,
) -> Manifest:
    """A variant in the library. `source` becomes the folder that other variants are made of later. Raises what
    `convert` raises."""
    with (
        _made(
            trained,
            name=name,
            variant=variant,
            heads=(head, more),
            accept=accept,
            source=source,
            licence=licence,
            watch=watch,
        ) as made,
        shelf.staging() as staged,
    ):
        shutil.copytree(made.folder, staged, dirs_exist_ok=True)
        (staged / manifests.FILE).unlink()
        shelf.install(staged, made.manifest)
        return made.manifest


def write_source(
    judge: Judge, folder: Path, *, head: str = "default", more: Mapping[str, Head] | None = None
) -> Path:
    """As transformers keeps an encoder, with its heads beside it: what `frontdesk models convert` takes. Raises
    NotExported where heads cannot stand on this encoder."""
    bare = type(judge.encoder).__name__
    architecture = trained_here(bare)
    if architecture is None:
        raise NotExported(f"Heads cannot be served on {bare}: take BERT, DistilBERT, RoBERTa or their like.")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    with sources.quietly():
        judge.encoder.save_pretrained(folder)
    for name in _WORDS:
        if (judge.folder / name).is_file():
            shutil.copyfile(judge.folder / name, folder / name)
    for path in judge.folder.glob("LICEN[CS]E*"):
        shutil.copyfile(path, folder / path.name)
    _tell(
        folder / "config.json",
        architectures=[architecture],
        id2label=dict(enumerate(judge.task.labels)),
        label2id={label: at for at, label in enumerate(judge.task.labels)},
        problem_type="multi_label_classification"
        if judge.task.outcome == "sigmoid"
        else "single_label_classification",
    )
    heads_of(judge, head=head, more=more).save(folder)
    return folder


def heads_of(judge: Judge, *, head: str = "default", more: Mapping[str, Head] | None = None) -> Heads:
    """The trained head under its name, first, and `more` beside it."""
    weight, bias = judge.head_arrays()
    mine = Head("mean", (Layer(weight, bias),), judge.task.outcome, judge.task.labels)
    return Heads(
        {head: mine, **(more or {})},
        width=judge.width,
        max_tokens=judge.words.max_tokens,
        vocabulary=int(judge.encoder.config.vocab_size),
        lower=judge.words.lower,
    )


def compare(trained: Trained, folder: Path, *, variant: str, head: str = "default") -> Report:
    """A folder as it is served beside what was trained, on rows for validation."""
    held = trained.judged["validation"]
    every = max(1, len(held.rows) // MOST)
    rows, seen = held.rows[::every], held.seen[::every]
    trained_said = trained.judge.shares(held.logits[::every])
    with Encoder(folder, threads=trained.recipe.threads) as encoder:
        served = encoder.scores(list(seen), [head])[head]
    return Report(
        variant,
        f"what was trained, {len(rows)} rows",
        tuple(_checks(trained, rows, trained_said, served, variant)),
    )


def _checks(
    trained: Trained, rows: Sequence[Row], said: Floats, served: Floats, variant: str
) -> Iterator[Check]:
    apart = np.abs(served - said)
    exact = variant == "float32"
    yield Check(
        "probabilities, mean difference", float(apart.mean()), "at most", EXACT_MEAN if exact else MEAN
    )
    yield Check(
        "probabilities, largest difference",
        float(apart.max()),
        "at most",
        EXACT_LARGEST if exact else LARGEST,
    )
    ours, theirs = (evaluate(rows, each, trained.task) for each in (served, said))
    figures = ("mean average precision", *(("accuracy",) if "accuracy" in theirs else ()))
    for name in figures:
        if np.isfinite(theirs[name]):
            yield Check(f"{name}, lost", theirs[name] - ours[name], "at most", FIGURE)
            yield Check(f"{name}, as served", ours[name], "told", 0.0)


@contextlib.contextmanager
def _made(
    trained: Trained,
    *,
    name: str,
    variant: str,
    heads: tuple[str, Mapping[str, Head] | None],
    accept: str,
    watch: Watch,
    source: Path | None = None,
    licence: str = "",
) -> Iterator[Made]:
    """Converted and proved, in a place that goes when the block ends."""
    if variant not in VARIANTS:
        raise NotExported(f"There is no variant {variant!r}. Variants: {', '.join(VARIANTS)}.")
    with tempfile.TemporaryDirectory(prefix="frontdesk-export-") as room:
        watch(Moment("exporting", 0, 2))
        head, more = heads
        written = write_source(trained.judge, source or Path(room, "source"), head=head, more=more)
        there = Shelf(Path(room, "models"))
        made = convert(
            written,
            shelf=there,
            name=name,
            to=variant,
            accept=accept,
            licence=licence or sources.licence(trained.judge.folder),
            source_id=f"trained/{name}",
        )
        if made.engine != "ctranslate2":
            raise NotExported(f"Heads are served by CTranslate2 only. {made.engine_reason}")
        watch(Moment("exporting", 1, 2))
        folder = there.library.find(str(made.reference)).path
        report = compare(trained, folder, variant=variant, head=head)
        if not (report.passed or accept):
            raise _outside(report)
        watch(Moment("exporting", 2, 2, "" if report.passed else "outside its limits, and accepted"))
        yield Made(folder, _with(made, report, accept, trained), report)


def _with(made: Manifest, report: Report, accept: str, trained: Trained) -> Manifest:
    """Both proofs in one report, as many tokens as are read, and what was done to the texts."""
    gate = Report.from_json(made.parity)
    prepared = trained.recipe.told()["prepare"]
    both = replace(gate, checks=(*gate.checks, *report.checks))
    return replace(
        made,
        parity=both.to_json(),
        accepted="" if both.passed else accept,
        context_length=min(made.context_length, trained.judge.words.max_tokens),
        notes=(*made.notes, *([f"Its texts were prepared: {prepared}."] if prepared else [])),
    )


def _outside(report: Report) -> NotExported:
    return NotExported(
        f"The {report.variant} variant is not what was trained ({report.wanting}). Try a finer variant "
        "(--to float32), or say --accept with the reason why it is wanted all the same.",
        report=report,
    )


def _tell(file: Path, **values: object) -> None:
    said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    file.write_text(json.dumps({**said, **values}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
