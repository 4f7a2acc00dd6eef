"""The linear probe: logistic regression on what the frozen encoder makes of the texts.

Knows arrays, and torch for the fitting: labels that are not known are left out, rows have weights, all labels are
fitted at once. The objective is scikit-learn's (C times the losses, plus half the squared weights; the intercept is
free), and its tests compare with it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.training.classify import balance
from inference.training.classify.recipe import Recipe
from inference.training.classify.rows import Floats, Row, Task
from inference.training.classify.scores import average_precision
from inference.training.classify.split import folds

_ITERATIONS = 200
_FINE, _ROUGH = (
    1e-9,
    1e-6,
)  # what the loss of a row has to change for another turn: at the end, and while C is chosen


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """weight (labels, width) and bias; `c` by label, and for each choice what inner validation said."""

    weight: Floats
    bias: Floats
    c: tuple[float, ...]
    choices: dict[str, list[float]]

    def save(self, path: Path) -> None:
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            said = np.frombuffer(json.dumps(self.choices).encode(), np.uint8)
            np.savez(file, weight=self.weight, bias=self.bias, c=self.c, choices=said)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Fit | None:
        """None where there is none that can be read."""
        try:
            with np.load(path, allow_pickle=False) as held:
                said = json.loads(held["choices"].tobytes())
                return cls(held["weight"], held["bias"], tuple(map(float, held["c"])), said)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def probe(
    features: Floats,
    rows: Sequence[Row],
    task: Task,
    *,
    weights: Floats,
    choices: Sequence[float],
    count: int = 3,
    seed: int = 1,
) -> Fit:
    """The best C of `choices` for each label by inner validation (whole slices held out, where there are enough of
    them), then a fit of all rows. `weights` has the targets' shape, 0 where nothing is known."""
    values, _ = task.targets(rows)
    scale = float(np.linalg.norm(features, axis=1).mean()) or 1.0
    scaled = features / np.float32(scale)
    said: dict[str, list[float]] = {}
    best = [choices[0]] * len(task.labels)
    if len(choices) > 1:
        best, said = _chosen(scaled, values, weights, rows, task, choices, count=count, seed=seed)
    weight, bias = fit(scaled, values, weights, best, task.outcome)
    return Fit(weight / np.float32(scale), bias, tuple(best), said)


def probed(features: Floats, rows: Sequence[Row], task: Task, recipe: Recipe) -> Fit:
    """The probe as a recipe wants it: its balance, its choices of C."""
    weights = balance.by_label(rows, task, recipe) * balance.by_slice(rows, recipe)[:, None]
    return probe(
        features,
        rows,
        task,
        weights=weights,
        choices=(recipe.c,) if recipe.c else recipe.choices,
        count=recipe.folds,
        seed=recipe.seed,
    )


def fit(
    features: Floats,
    values: Floats,
    weights: Floats,
    c: Sequence[float],
    outcome: str,
    *,
    start: tuple[Floats, Floats] | None = None,
    tolerance: float = _FINE,
) -> tuple[Floats, Floats]:
    """For one C by label; with one choice of several labels, the first holds for all. `start` is a fit to go on
    from."""
    import torch
    from torch.nn import functional

    x, y, w = (torch.from_numpy(np.ascontiguousarray(each)) for each in (features, values, weights))
    strength = torch.tensor(list(c), dtype=torch.float32)
    begun = start or (np.zeros((len(c), x.shape[1]), np.float32), np.zeros(len(c), np.float32))
    weight, bias = (torch.from_numpy(each.copy()).requires_grad_() for each in begun)
    solver = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_ITERATIONS,
        history_size=20,
        tolerance_grad=1e-6,
        tolerance_change=tolerance,
        line_search_fn="strong_wolfe",
    )
    rows = max(1.0, float(w.max(dim=1).values.sum()))

    def loss() -> torch.Tensor:
        solver.zero_grad()
        logits = x @ weight.T + bias
        if outcome == "softmax":
            losses = (functional.cross_entropy(logits, y, reduction="none") * w[:, 0]).sum() * strength[0]
            total = (losses + weight.square().sum() / 2) / (strength[0] * rows)
        else:
            each = functional.binary_cross_entropy_with_logits(logits, y, reduction="none") * w
            by_label = each.sum(dim=0) + weight.square().sum(dim=1) / (2 * strength)
            total = (by_label / rows).sum()
        total.backward()
        return total

    solver.step(loss)
    return weight.detach().numpy().copy(), bias.detach().numpy().copy()


def _chosen(
    features: Floats,
    values: Floats,
    weights: Floats,
    rows: Sequence[Row],
    task: Task,
    choices: Sequence[float],
    *,
    count: int,
    seed: int,
) -> tuple[list[float], dict[str, list[float]]]:
    parts = folds(rows, count, seed=seed)
    held = np.zeros((len(choices), *values.shape), np.float32)
    for part in parts:
        rest = np.setdiff1d(np.arange(len(rows)), part)
        learned = features[rest], values[rest], weights[rest]
        found = None
        for at in np.argsort(choices):  # from the tightest on, each from the one before
            strengths = [choices[at]] * values.shape[1]
            found = fit(*learned, strengths, task.outcome, start=found, tolerance=_ROUGH)
            held[at, part] = features[part] @ found[0].T + found[1]
    if task.outcome == "softmax":
        figures = [[_right(scores, values, weights)] * values.shape[1] for scores in held]
    else:
        figures = [_precise(scores, values, weights) for scores in held]
    array = np.nan_to_num(np.array(figures), nan=-1.0)
    best = [choices[int(at)] for at in array.argmax(axis=0)]
    return best, {label: [round(float(x), 4) for x in array[:, at]] for at, label in enumerate(task.labels)}


def _right(scores: Floats, values: Floats, weights: Floats) -> float:
    known = weights[:, 0] > 0
    return float((scores.argmax(axis=1) == values.argmax(axis=1))[known].mean())


def _precise(scores: Floats, values: Floats, weights: Floats) -> list[float]:
    return [
        average_precision(values[weights[:, at] > 0, at] >= 0.5, scores[weights[:, at] > 0, at])
        for at in range(values.shape[1])
    ]
