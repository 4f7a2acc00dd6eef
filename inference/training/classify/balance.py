"""How much a row counts: by its own weight, its slice and its classes.

Knows rows and recipes. What a slice weighs is said in rows drawn, so that a small one is seen more often rather than
learned from harder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from inference.training.classify.recipe import Recipe
from inference.training.classify.rows import Floats, Row, Task

MOST = 30.0  # times that a rare class may count; beyond, a handful of rows would decide


def by_slice(rows: Sequence[Row], recipe: Recipe) -> Floats:
    """How often each row is drawn in an epoch: 1 where nothing is balanced. The slices together keep the rows that
    the cap leaves them."""
    sizes = Counter(row.slice for row in rows)
    counted = {name: min(size, recipe.slice_cap or size) for name, size in sizes.items()}
    total = sum(counted.values())
    warmed = {name: size**recipe.slice_temperature for name, size in counted.items()}
    shares = {name: size / sum(warmed.values()) for name, size in warmed.items()}
    factors = {name: shares[name] * total / size for name, size in sizes.items()}
    return np.array([factors[row.slice] for row in rows], np.float32)


def by_label(rows: Sequence[Row], task: Task, recipe: Recipe) -> Floats:
    """(rows, labels): what each known label counts in the loss; 0 where it is not known."""
    values, known = task.targets(rows)
    weights = known * np.array([[row.weight] for row in rows], np.float32)
    if recipe.class_weights == "balanced":
        weights *= _of_classes(values, weights, task)
    told = [recipe.label_weights.get(label, 1.0) for label in task.labels]
    if task.outcome == "softmax":
        return weights * (values @ np.array(told, np.float32))[:, None]
    return weights * np.array(told, np.float32)


def _of_classes(values: Floats, weights: Floats, task: Task) -> Floats:
    """So that each class counts the same in all."""
    if task.outcome == "softmax":
        sizes = np.maximum((values * weights).sum(axis=0), 1e-9)
        factors = np.minimum(sizes.sum() / (len(sizes) * sizes), MOST)
        return np.repeat((values @ factors)[:, None], values.shape[1], axis=1).astype(np.float32)
    yes = np.maximum((values * weights).sum(axis=0), 1e-9)
    no = np.maximum(((1 - values) * weights).sum(axis=0), 1e-9)
    half = (yes + no) / 2
    found: Floats = (
        values * np.minimum(half / yes, MOST) + (1 - values) * np.minimum(half / no, MOST)
    ).astype(np.float32)
    return found
