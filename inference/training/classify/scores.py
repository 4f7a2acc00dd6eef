"""What a classifier is worth, in NumPy: precision and recall, false positives, calibration, confusion.

Knows arrays of truth and scores. Needs neither torch nor scikit-learn, so that a plain install can evaluate too;
scikit-learn is the oracle of its tests. What cannot be said, for want of one of the two classes, is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]

BINS = 10  # of a reliability diagram


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A figure at every threshold, from the strictest to the loosest."""

    thresholds: Numbers
    true: Numbers  # positives found
    false: Numbers  # negatives taken for positives

    @property
    def precision(self) -> Numbers:
        found: Numbers = self.true / np.maximum(self.true + self.false, 1e-12)
        return found

    @property
    def recall(self) -> Numbers:
        found: Numbers = self.true / self.true[-1]
        return found

    @property
    def false_rate(self) -> Numbers:
        found: Numbers = self.false / self.false[-1]
        return found


@dataclass(frozen=True, slots=True)
class Point:
    """The loosest threshold that keeps the false positives within a limit, and what is found there."""

    recall: float
    threshold: float
    false_rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """By bins of equal width: what was said on average, what was true, and how many rows."""

    said: Numbers
    true: Numbers
    rows: NDArray[np.int64]

    @property
    def error(self) -> float:
        """The expected calibration error: how far both are apart, by rows."""
        if not self.rows.sum():
            return float("nan")
        return float((np.abs(self.said - self.true) * self.rows).sum() / self.rows.sum())


def curve(truth: ArrayLike, scores: ArrayLike) -> Curve:
    """Rows of equal score pass a threshold together."""
    wanted, values = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    wanted, values = wanted[order], values[order]
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1) if len(values) else np.zeros(0, int)
    true = np.cumsum(wanted, dtype=np.float64)[ends]
    return Curve(values[ends], true, 1.0 + ends - true)


def average_precision(truth: ArrayLike, scores: ArrayLike) -> float:
    """The area below precision and recall (AUPRC), as steps: nothing is interpolated."""
    if not _both(truth, negatives=False):
        return float("nan")
    found = curve(truth, scores)
    return float((np.diff(found.recall, prepend=0.0) * found.precision).sum())


def roc_auc(truth: ArrayLike, scores: ArrayLike) -> float:
    """How often a positive has the higher score of the two."""
    if not _both(truth):
        return float("nan")
    found = curve(truth, scores)
    right, wrong = np.append(0.0, found.recall), np.append(0.0, found.false_rate)
    return float((np.diff(wrong) * (right[1:] + right[:-1])).sum() / 2)


def recall_at(truth: ArrayLike, scores: ArrayLike, false_rate: float) -> Point:
    """What is found while no more than this share of the negatives is taken for positive. Nothing at an infinite
    threshold, where even the strictest one lets too many pass."""
    if not _both(truth):
        return Point(float("nan"), float("nan"), float("nan"))
    found = curve(truth, scores)
    within = np.flatnonzero(found.false_rate <= false_rate + 1e-12)
    if not len(within):
        return Point(0.0, float("inf"), 0.0)
    at = within[-1]
    return Point(float(found.recall[at]), float(found.thresholds[at]), float(found.false_rate[at]))


def best_f1(truth: ArrayLike, scores: ArrayLike) -> tuple[float, float]:
    """The highest F1 and the threshold that gives it. It was looked for on these rows: an optimistic figure."""
    if not _both(truth, negatives=False):
        return float("nan"), float("nan")
    found = curve(truth, scores)
    values = 2 * found.true / (found.true + found.false + found.true[-1])
    at = int(values.argmax())
    return float(values[at]), float(found.thresholds[at])


def f1(truth: ArrayLike, said: ArrayLike) -> float:
    wanted, taken = np.asarray(truth, dtype=bool), np.asarray(said, dtype=bool)
    total = int(wanted.sum() + taken.sum())
    return float(2 * (wanted & taken).sum() / total) if total else float("nan")


def accuracy(truth: ArrayLike, said: ArrayLike) -> float:
    equal = np.asarray(truth) == np.asarray(said)
    return float(equal.mean()) if equal.size else float("nan")


def confusion(truth: ArrayLike, said: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Rows: what is true; columns: what was said."""
    wanted, taken = np.asarray(truth, dtype=np.int64), np.asarray(said, dtype=np.int64)
    return np.bincount(wanted * classes + taken, minlength=classes * classes).reshape(classes, classes)


def reliability(truth: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> Reliability:
    wanted, said = np.asarray(truth, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    place = np.clip((said * bins).astype(np.int64), 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    many = np.maximum(rows, 1)
    return Reliability(
        np.bincount(place, weights=said, minlength=bins) / many,
        np.bincount(place, weights=wanted, minlength=bins) / many,
        rows,
    )


def _both(truth: ArrayLike, *, negatives: bool = True) -> bool:
    wanted = np.asarray(truth, dtype=bool)
    return bool(wanted.any()) and (not negatives or not wanted.all())
