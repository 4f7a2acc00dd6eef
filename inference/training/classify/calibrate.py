"""Scores that mean what they say: the head's last layer scaled and moved so that 0.7 is right seven times of ten.

Knows logits, truth and NumPy: Platt's two numbers for each label of its own, one temperature for a choice of several.
Both go into the layer's weights, so whoever serves the model needs nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.training.classify.rows import Floats, Task
from inference.training.classify.scores import Numbers

LEAST = 8  # rows of each side; fewer would make a guess certain

_TURNS = 100


@dataclass(frozen=True, slots=True)
class Calibration:
    """logits * scale + shift, by label; sentences about labels that were left as they were."""

    scale: tuple[float, ...]
    shift: tuple[float, ...]
    told: tuple[str, ...] = ()

    def folded(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        scale = np.asarray(self.scale, np.float32)
        return weight * scale[:, None], bias * scale + np.asarray(self.shift, np.float32)

    def applied(self, logits: Floats) -> Floats:
        found: Floats = (logits * np.asarray(self.scale) + np.asarray(self.shift)).astype(np.float32)
        return found


def calibrated(logits: Floats, values: Floats, known: Floats, task: Task) -> Calibration:
    """Fitted on rows that nothing was learned from."""
    if task.outcome == "softmax":
        scale = 1 / _temperature(logits.astype(np.float64), values.argmax(axis=1))
        return Calibration((scale,) * len(task.labels), (0.0,) * len(task.labels))
    found, told = [], []
    for at, label in enumerate(task.labels):
        rows = known[:, at] > 0
        wanted = values[rows, at] >= 0.5
        pair = (1.0, 0.0)
        if min(int(wanted.sum()), int((~wanted).sum())) < LEAST:
            told.append(f"{label} has too few rows in validation to be calibrated.")
        else:
            pair = _platt(logits[rows, at].astype(np.float64), wanted)
            if pair[0] <= 0:
                pair = (1.0, 0.0)
                told.append(f"{label} says nothing that is true more often the surer it is: not calibrated.")
        found.append(pair)
    return Calibration(tuple(a for a, _ in found), tuple(b for _, b in found), tuple(told))


def _platt(logits: Numbers, wanted: Sequence[bool] | np.ndarray) -> tuple[float, float]:
    """Newton's method on the log loss, with Platt's targets: not quite 1 and not quite 0, by the number of rows."""
    truth = np.asarray(wanted, dtype=bool)
    yes, no = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (yes + 1) / (yes + 2), 1 / (no + 2))
    x = np.stack([logits, np.ones_like(logits)], axis=1)
    pair = np.array([1.0, 0.0])
    for _ in range(_TURNS):
        shares = _sigmoid(x @ pair)
        slope = x.T @ (shares - target)
        bend = (x * (shares * (1 - shares))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        step *= min(1.0, 2.0 / max(1e-12, float(np.abs(step).max())))  # never wildly
        pair = pair - step
        if np.abs(step).max() < 1e-9:
            break
    return float(pair[0]), float(pair[1])


def _temperature(logits: Numbers, wanted: np.ndarray) -> float:
    """By golden section on the logarithm: the log loss has one valley."""
    low, high, ratio = np.log(0.05), np.log(20.0), (5**0.5 - 1) / 2

    def loss(at: float) -> float:
        scaled = logits / np.exp(at)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        lost = np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(wanted)), wanted]
        return float(lost.mean())

    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def _sigmoid(values: Numbers) -> Numbers:
    return 0.5 * (1 + np.tanh(0.5 * values))
