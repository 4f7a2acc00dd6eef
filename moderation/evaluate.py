"""What the classifier and a policy are worth on labelled texts: precision and recall, false alarms, and time.

Knows figures, and how they look in a terminal. Where labels come from stands in `labelled`. A text in a language that
nothing reads counts with a score of 0: missed where it is harmful.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from moderation.categories import LABELS
from moderation.errors import ModerationFailed, TextRefused
from moderation.normalise import clean
from moderation.verdict import ACTIONS, UNSUPPORTED, Scores

if TYPE_CHECKING:
    from rich.console import RenderableType

    from moderation.labelled import Labelled
    from moderation.moderator import Moderator
    from moderation.scoring import Scorer

RATES = (0.01, 0.002)  # false positives at which recall is told
DRAWS = 500  # of the bootstrap
REFUSED, FAILED = (
    "refused",
    "failed",
)  # beside the policy's actions: characters that may not enter; not judged


@dataclass(frozen=True, slots=True)
class Figures:
    """One category. `low` and `high` hold 95 % of what other draws of as many texts would give; None: nobody knows."""

    rows: int
    positives: int
    auprc: float | None
    low: float | None
    high: float | None
    recall: dict[str, float | None]  # by the share of false positives
    at: dict[str, float | None] = field(
        default_factory=dict
    )  # precision, recall, false positives at --threshold


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one evaluation; times in milliseconds, of the classifier alone, one text after another."""

    texts: int
    model: str
    policy: str
    categories: dict[str, Figures]
    actions: dict[str, dict[str, int]]  # what the policy did: of harmful, benign and unlabelled texts
    unsupported: int
    p50: float
    p95: float
    per_second: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def evaluate(
    texts: Sequence[Labelled],
    *,
    scorer: Scorer,
    moderator: Moderator,
    category: str,
    threshold: float | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Report:
    """Asks the classifier and then the policy about every text. `category` is what harmful means for the policy's
    actions; `tick` is called after each text. Raises what the classifier raises."""
    scores: list[Scores] = []
    seconds: list[float] = []
    actions: dict[str, Counter[str]] = {"harmful": Counter(), "benign": Counter(), "unlabelled": Counter()}
    for each in texts:
        began = time.perf_counter()
        scores.append(await scorer.score(each.text))
        seconds.append(time.perf_counter() - began)
        kind = {True: "harmful", False: "benign", None: "unlabelled"}[each.truth.get(category)]
        actions[kind][await _action(each.text, moderator)] += 1
        tick()
    milliseconds = np.array(seconds) * 1e3
    return Report(
        texts=len(texts),
        model=next((found.model for found in scores if found.model), ""),
        policy=moderator.policy,
        categories=_by_category(texts, scores, threshold),
        actions={kind: dict(counted) for kind, counted in actions.items() if counted},
        unsupported=sum(found.language == UNSUPPORTED for found in scores),
        p50=float(np.percentile(milliseconds, 50)),
        p95=float(np.percentile(milliseconds, 95)),
        per_second=len(texts) / max(sum(seconds), 1e-9),
    )


async def _action(text: str, moderator: Moderator) -> str:
    try:
        verdict = await moderator.check(clean(text), direction="input")
    except TextRefused:
        return REFUSED
    except ModerationFailed:
        return FAILED
    return verdict.action


def _by_category(
    texts: Sequence[Labelled], scores: Sequence[Scores], threshold: float | None
) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for name in LABELS:
        known = [at for at, each in enumerate(texts) if each.truth.get(name) is not None]
        if known:
            truth = np.array([texts[at].truth[name] for at in known], bool)
            values = np.array([scores[at].values.get(name, 0.0) for at in known], float)
            found[name] = figures(truth, values, threshold)
    return found


def figures(truth: Any, values: Any, threshold: float | None = None) -> Figures:
    """Of one category, from arrays of truth and scores."""
    from inference.training.classify import scores as worth

    chance = np.random.default_rng(0)
    drawn = [
        worth.average_precision(truth[at], values[at])
        for at in (chance.integers(len(truth), size=len(truth)) for _ in range(DRAWS))
        if truth[at].any()
    ]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (None, None)
    return Figures(
        rows=len(truth),
        positives=int(truth.sum()),
        auprc=_said(worth.average_precision(truth, values)),
        low=_said(low),
        high=_said(high),
        recall={f"{rate:g}": _said(worth.recall_at(truth, values, rate).recall) for rate in RATES},
        at={} if threshold is None else _at(truth, values >= threshold),
    )


def _at(truth: Any, taken: Any) -> dict[str, float | None]:
    return {
        "precision": _share(truth & taken, taken),
        "recall": _share(truth & taken, truth),
        "false positives": _share(~truth & taken, ~truth),
    }


def _share(some: Any, of: Any) -> float | None:
    return float(some.sum() / of.sum()) if of.any() else None


def _said(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, where that is a terminal; what it yields is called after each text."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("judging", total=total)
        yield lambda: bar.advance(task)


def shown(report: Report) -> RenderableType:
    """For a terminal."""
    from rich.console import Group

    return Group(
        f"{report.texts:,} texts, model {report.model or 'none'}, policy {report.policy}",
        _categories(report),
        *([_at_threshold(report)] if any(found.at for found in report.categories.values()) else []),
        _actions(report),
        f"in no language that is read: {report.unsupported} ({report.unsupported / report.texts:.1%})",
        f"a text takes {report.p50:.1f} ms at the median, {report.p95:.1f} ms at p95; {report.per_second:.0f} a second",
    )


def _categories(report: Report) -> RenderableType:
    from rich.table import Table

    first, *others = (f"{rate:.1%}" for rate in RATES)
    rates = (f"recall at {first}", *(f"at {rate}" for rate in others))
    table = Table("category", "texts", "harmful", "AUPRC", "95 %", *rates)
    for name, found in report.categories.items():
        between = "-" if found.low is None else f"{_number(found.low)}-{_number(found.high)}"
        recall = (_number(found.recall[f"{rate:g}"]) for rate in RATES)
        harmful = f"{found.positives / found.rows:.1%}"
        table.add_row(name, f"{found.rows:,}", harmful, _number(found.auprc), between, *recall)
    return table


def _at_threshold(report: Report) -> RenderableType:
    from rich.table import Table

    columns = next(list(found.at) for found in report.categories.values() if found.at)
    table = Table("from the threshold on", *columns)
    for name, found in report.categories.items():
        table.add_row(name, *(_number(found.at.get(column)) for column in columns))
    return table


def _actions(report: Report) -> RenderableType:
    from rich.table import Table

    words = [
        word for word in (*ACTIONS, REFUSED, FAILED) if any(word in each for each in report.actions.values())
    ]
    table = Table("the policy", "texts", *words)
    for kind, counted in report.actions.items():
        total = sum(counted.values())
        table.add_row(kind, f"{total:,}", *(f"{counted.get(word, 0) / total:.2%}" for word in words))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
