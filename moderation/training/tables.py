"""What was measured on sources left out, as tables for a terminal.

Knows figures and how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from rich.table import Table

from moderation.categories import LABELS, OVERALL
from moderation.training.cross import Held, Method
from moderation.training.mixture import FOLDS

Figure = Callable[[Held, Method], float]


def by_fold(held: Sequence[Held]) -> Table:
    """Overall AUPRC of each fold, their mean, of all rows together, and recall at fixed false positives."""
    table = _table("left out", "overall AUPRC, mean of seeds (lowest to highest)")
    for number, sources in enumerate(FOLDS):
        _add(table, ", ".join(sources), held, partial(_of_fold, number))
    _add(table, "mean of the parts", held, _mean)
    _add(table, "all rows together", held, partial(_of_label, OVERALL), style="bold")
    for rate in (0.01, 0.002):
        _add(table, f"recall at {rate:.1%} false positives", held, partial(_recall, rate))
    return table


def by_category(held: Sequence[Held]) -> Table:
    """AUPRC of each category over all rows where it is known."""
    table = _table("category", "AUPRC over all left-out rows")
    for label in LABELS:
        _add(table, label, held, partial(_of_label, label), style="bold" if label == OVERALL else "")
    return table


def _table(what: str, title: str) -> Table:
    table = Table(what, title=title, title_justify="left")
    for name in ("frozen + regression", "tuned", "gain"):
        table.add_column(name, justify="right")
    return table


def _add(table: Table, name: str, held: Sequence[Held], figure: Figure, *, style: str = "") -> None:
    frozen = np.array([figure(each, "frozen") for each in held])
    tuned = np.array([figure(each, "tuned") for each in held])
    gain = f"{float((tuned - frozen).mean()):+.3f}"
    table.add_row(name, _spread(frozen), _spread(tuned), gain, style=style)


def _spread(figures: np.ndarray) -> str:
    spread = f" ({figures.min():.3f} to {figures.max():.3f})" if len(figures) > 1 else ""
    return f"{figures.mean():.3f}{spread}"


def _of_fold(fold: int, held: Held, method: Method) -> float:
    return held.figure(method, fold=fold)


def _of_label(label: str, held: Held, method: Method) -> float:
    return held.figure(method, label)


def _recall(rate: float, held: Held, method: Method) -> float:
    return held.recall(method, rate)


def _mean(held: Held, method: Method) -> float:
    return float(np.mean([held.figure(method, fold=fold) for fold in range(len(FOLDS))]))
