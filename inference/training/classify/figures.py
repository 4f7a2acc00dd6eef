"""What a judge is worth on some rows, as plain values: by label, in all, by slice.

Knows truth and probabilities, in NumPy; any model's, not only ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.training.classify import scores
from inference.training.classify.rows import Floats, Row, Task

RATES = (0.01, 0.002)  # shares of false positives at which recall is told
MIDDLE = 0.5


def evaluate(rows: Sequence[Row], probabilities: Floats, task: Task) -> dict[str, Any]:
    """Every figure that the report has of one set of rows."""
    values, known = task.targets(rows)
    by_label = {
        label: _of_label(
            values[known[:, at] > 0, at] >= MIDDLE, probabilities[known[:, at] > 0, at].astype(np.float64)
        )
        for at, label in enumerate(task.labels)
    }
    found: dict[str, Any] = {"rows": len(rows), "labels": by_label}
    found["mean average precision"] = _mean([each["average precision"] for each in by_label.values()])
    if task.outcome == "softmax":
        found |= _of_choice(values, probabilities)
    found["slices"] = _by_slice(rows, values, known, probabilities, task)
    return found


def _of_label(truth: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    """One label against all else."""
    taken = said >= MIDDLE
    best, threshold = scores.best_f1(truth, said)
    return {
        "rows": len(truth),
        "positives": int(truth.sum()),
        "average precision": scores.average_precision(truth, said),
        "roc auc": scores.roc_auc(truth, said),
        "accuracy": scores.accuracy(truth, taken),
        "f1": scores.f1(truth, taken),
        "best f1": {"f1": best, "threshold": threshold},
        "calibration error": scores.reliability(truth, said).error,
        "confusion": scores.confusion(truth, taken, 2).tolist(),
        "recall at": {f"{rate:g}": _point(truth, said, rate) for rate in RATES},
    }


def _point(truth: np.ndarray, said: np.ndarray, rate: float) -> dict[str, float]:
    at = scores.recall_at(truth, said, rate)
    return {"recall": at.recall, "threshold": at.threshold, "false positives": at.false_rate}


def _of_choice(values: Floats, probabilities: Floats) -> dict[str, Any]:
    truth, said = values.argmax(axis=1), probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return {
        "accuracy": scores.accuracy(truth, said),
        "macro f1": _mean([scores.f1(truth == at, said == at) for at in range(values.shape[1])]),
        "log loss": float(-np.log(np.maximum(right, 1e-12)).mean()),
        "calibration error": scores.reliability(truth == said, sure).error,
        "confusion": scores.confusion(truth, said, values.shape[1]).tolist(),
    }


def _by_slice(
    rows: Sequence[Row], values: Floats, known: Floats, probabilities: Floats, task: Task
) -> dict[str, Any]:
    """Of each source: where a mean of all looks fine, one of them may not."""
    names = sorted({row.slice for row in rows})
    if names in ([], [""]):
        return {}
    found = {}
    for name in names:
        chosen = np.array([row.slice == name for row in rows])
        truth, there, said = values[chosen] >= MIDDLE, known[chosen] > 0, probabilities[chosen]
        taken = said >= MIDDLE
        if task.outcome == "softmax":
            right = (truth.argmax(axis=1) == said.argmax(axis=1)).mean()
        else:
            right = (truth == taken)[there].mean() if there.any() else math.nan
        clean = there & ~truth
        found[name] = {
            "rows": int(chosen.sum()),
            "positives": int((truth & there).any(axis=1).sum()),
            "accuracy": float(right),
            "false positives": float(taken[clean].mean()) if clean.any() else math.nan,
            "average precision": {
                label: scores.average_precision(truth[there[:, at], at], said[there[:, at], at])
                for at, label in enumerate(task.labels)
            },
        }
    return found


def finite(value: Any) -> Any:
    """As JSON can hold it: what is no number is null."""
    if isinstance(value, Mapping):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _mean(found: Sequence[float]) -> float:
    there = [each for each in found if math.isfinite(each)]
    return float(np.mean(there)) if there else math.nan
