"""One training from rows to a calibrated judge: divide, probe, tune, calibrate.

Knows the order of the steps. What is reported stands in `report`, what is served is made in `export`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inference.training.classify import split
from inference.training.classify.calibrate import Calibration, calibrated
from inference.training.classify.figures import MIDDLE
from inference.training.classify.progress import Moment, Watch, silent
from inference.training.classify.recipe import BadRecipe, Recipe
from inference.training.classify.records import BadRows
from inference.training.classify.rows import Floats, Row, Task

if TYPE_CHECKING:
    from inference.training.classify.checkpoint import Checkpoint
    from inference.training.classify.judge import Judge
    from inference.training.classify.linear import Fit
    from inference.training.classify.tune import Past, Texts


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Rows, the texts as they were read, and the logits of each; calibrated ones where nothing else is said."""

    rows: tuple[Row, ...]
    seen: tuple[str, ...]
    logits: Floats
    raw: Floats  # before calibration


@dataclass(slots=True, eq=False)
class Trained:
    """A judge that is done, and how it came about. `judged` is by split: validation, and test where there is one."""

    judge: Judge
    recipe: Recipe
    task: Task
    judged: dict[str, Judged]
    calibration: Calibration
    rows: int
    told: tuple[str, ...] = ()
    fit: Fit | None = None
    past: Past | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def probabilities(self, texts: Sequence[str], *, watch: Watch = silent) -> Floats:
        """A row for each text (prepared as in training), a column for each label."""
        return self.judge.probabilities(texts, watch=watch)


def train(
    rows: Sequence[Row],
    recipe: Recipe,
    *,
    folder: Path,
    test: Sequence[Row] = (),
    labels: Sequence[str] = (),
    watch: Watch = silent,
) -> Trained:
    """Everything up to a calibrated judge. `folder` keeps what a killed run goes on from: the same call again does so.

    Raises BadRows, BadRecipe, NoBase, TrainingMissing and OtherRun, each with a sentence that says what to do.
    """
    from inference.training.classify.judge import Judge

    task = Task.of([*rows, *test], labels)
    if strange := sorted(set(recipe.label_weights) - set(task.labels)):
        raise BadRecipe(f"There are weights for labels that no row has: {', '.join(strange)}.")
    seen = _prepared([*rows, *test], recipe, watch)
    divided = split.divide(
        rows, test=test, share=recipe.validation, seed=recipe.seed, key=lambda text: seen[text]
    )
    _refuse_one_sided(divided.train, task)
    judge = Judge(recipe, task)
    parts = {"train": divided.train, "validation": divided.validation, "test": divided.test}
    texts = {name: _texts(part, seen) for name, part in parts.items()}
    fit, past = _fitted(judge, texts["train"], texts["validation"], folder, watch)
    return _calibrated(
        Trained(
            judge=judge,
            recipe=recipe,
            task=task,
            judged={},
            calibration=Calibration((), ()),
            rows=len(divided.train),
            told=divided.told,
            fit=fit,
            past=past,
        ),
        {name: texts[name] for name in ("validation", "test") if texts[name].rows},
        watch,
    )


def judged(judge: Judge, rows: Sequence[Row], *, watch: Watch = silent, stage: str = "judging") -> Judged:
    """More rows, by a judge that is done."""
    prepare = judge.recipe.prepare or str
    seen = tuple(prepare(row.text) for row in rows)
    logits = judge.logits(judge.features(judge.words.ids(seen), watch=watch, stage=stage))
    return Judged(tuple(rows), seen, logits, logits)


def _fitted(
    judge: Judge, train: Texts, validation: Texts, folder: Path, watch: Watch
) -> tuple[Fit | None, Past | None]:
    from inference.training.classify.tune import Tuning

    recipe, checkpoint = judge.recipe, checkpoint_of(judge, train, validation, folder)
    if recipe.method != "linear":
        checkpoint.load()  # refused now rather than after the probe
    fit = _probed(judge, train, folder, checkpoint, watch) if recipe.method != "fine-tune" else None
    if recipe.method == "linear":
        return fit, None
    tuning = Tuning(judge, train=train, validation=validation, checkpoint=checkpoint, watch=watch)
    return fit, tuning.run()


def _probed(judge: Judge, train: Texts, folder: Path, checkpoint: Checkpoint, watch: Watch) -> Fit:
    """Fitted once; a run that goes on reads it."""
    from inference.training.classify.linear import Fit, probed

    kept = folder / f"probe-{checkpoint.digest[:16]}.npz"
    found = Fit.load(kept)
    if found is None:
        features = embedded(judge, train.seen, folder, watch)
        watch(Moment("linear probe", 0, 1))
        found = probed(features, train.rows, judge.task, judge.recipe)
        found.save(kept)
        watch(Moment("linear probe", 1, 1, f"C {', '.join(f'{c:g}' for c in dict.fromkeys(found.c))}"))
    judge.set_head(found.weight, found.bias)
    return found


def embedded(judge: Judge, seen: Sequence[str], folder: Path, watch: Watch = silent) -> Floats:
    """What the base makes of prepared texts, before the judge is tuned; computed once for the same texts."""
    from inference.training.classify.checkpoint import cached

    key = hashlib.sha256(_digest_of(judge) + json.dumps(seen).encode()).hexdigest()
    return cached(folder, key, lambda: judge.features(judge.words.ids(seen), watch=watch, stage="embedding"))


def checkpoint_of(judge: Judge, train: Texts, validation: Texts, folder: Path) -> Checkpoint:
    """Where this very run goes on: of this base, this recipe, these texts and labels."""
    from inference.training.classify.checkpoint import Checkpoint

    recipe = judge.recipe
    digest = recipe.digest(_digest_of(judge), _bytes(train), _bytes(validation))
    return Checkpoint(folder, digest=digest, seconds=recipe.checkpoint_seconds, steps=recipe.checkpoint_steps)


def _calibrated(made: Trained, texts: dict[str, Texts], watch: Watch) -> Trained:
    raw = {
        name: made.judge.logits(
            made.judge.features(made.judge.words.ids(each.seen), watch=watch, stage=f"judging {name}")
        )
        for name, each in texts.items()
    }
    values, known = made.task.targets(texts["validation"].rows)
    made.calibration = calibrated(raw["validation"], values, known, made.task)
    made.judge.set_head(*made.calibration.folded(*made.judge.head_arrays()))
    made.told = (*made.told, *made.calibration.told)
    made.judged = {
        name: Judged(each.rows, each.seen, made.calibration.applied(raw[name]), raw[name])
        for name, each in texts.items()
    }
    return made


def _prepared(rows: Sequence[Row], recipe: Recipe, watch: Watch) -> dict[str, str]:
    """Each text as the model will read it."""
    texts = dict.fromkeys(row.text for row in rows)
    if recipe.prepare is None:
        return {text: text for text in texts}
    watch(Moment("preparing", 0, len(texts)))
    made = {text: recipe.prepare(text) for text in texts}
    watch(Moment("preparing", len(texts), len(texts)))
    return made


def _texts(rows: tuple[Row, ...], seen: dict[str, str]) -> Texts:
    from inference.training.classify.tune import Texts

    return Texts(rows, tuple(seen[row.text] for row in rows))


def _refuse_one_sided(rows: Sequence[Row], task: Task) -> None:
    values, known = task.targets(rows)
    true, there = values >= MIDDLE, known > 0
    lacking = [
        label
        for at, label in enumerate(task.labels)
        if len(set(true[there[:, at], at].tolist())) < 2  # nobody says yes, or nobody no
    ]
    if lacking:
        raise BadRows(
            f"The rows to learn from are all on one side for {', '.join(lacking)}: each label needs rows where it is "
            "true and rows where it is not."
        )


def _digest_of(judge: Judge) -> bytes:
    weights = judge.folder / "model.safetensors"
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest() + str(judge.words.max_tokens).encode()


def _bytes(texts: Texts) -> bytes:
    told = [
        (row.labels if isinstance(row.labels, str) else dict(row.labels), row.slice, row.weight)
        for row in texts.rows
    ]
    return json.dumps([texts.seen, told], sort_keys=True).encode()
