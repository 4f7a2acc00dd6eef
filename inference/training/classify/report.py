"""A training told: report.json for programs, report.md for people, pictures for both.

Knows figures and sentences. What is measured stands in `figures`, what is drawn in `pictures`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.bench.machine import described
from inference.training.classify import pictures
from inference.training.classify.figures import RATES, evaluate, finite

if TYPE_CHECKING:
    from inference.training.classify.train import Trained

JSON, TEXT = "report.json", "report.md"


def write(
    trained: Trained, folder: Path, *, title: str = "", more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """All files of the report; what report.json holds. `more` is said besides, e.g. the parity of what was exported."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {**figures_of(trained), **(more or {}), "title": title or "classifier"}
    shares = {name: (each.rows, trained.judge.shares(each.logits)) for name, each in trained.judged.items()}
    report["pictures"] = pictures.draw(trained.task, shares, trained.past, folder, title=report["title"])
    report = dict(finite(report))
    (folder / JSON).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / TEXT).write_text("\n".join(_lines(report)) + "\n", encoding="utf-8")
    return report


def figures_of(trained: Trained) -> dict[str, Any]:
    """Everything that is known of it, as plain values."""
    fit, past = trained.fit, trained.past
    return {
        "format": 1,
        "machine": described(device="cpu"),
        "labels": list(trained.task.labels),
        "outcome": trained.task.outcome,
        "recipe": trained.recipe.told(),
        "rows": {
            "train": trained.rows,
            **{name: len(each.rows) for name, each in trained.judged.items()},
        },
        "told": list(trained.told),
        "probe": {"c": list(fit.c), "inner validation": fit.choices} if fit else {},
        "tuning": {
            "steps": past.step,
            "stopped early": past.stopped,
            "best": past.best,
            "losses": past.losses,
            "validation": past.figures,
        }
        if past
        else {},
        "calibration": {"scale": trained.calibration.scale, "shift": trained.calibration.shift},
        "evaluation": {
            name: evaluate(each.rows, trained.judge.shares(each.logits), trained.task)
            for name, each in trained.judged.items()
        },
    }


# -- for people ------------------------------------------------------------------------------------------------


def headline(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One line for each label and set of rows, as strings: set, label, rows, positives, AUPRC, ROC AUC, F1, recall at
    each rate, calibration error."""
    return [
        (
            name,
            label,
            f"{of['rows']:,}",
            f"{of['positives']:,}",
            *(_share(of[each]) for each in ("average precision", "roc auc", "accuracy", "f1")),
            *(_share(of["recall at"][f"{rate:g}"]["recall"]) for rate in RATES),
            _share(of["calibration error"]),
        )
        for name, found in report["evaluation"].items()
        for label, of in found["labels"].items()
    ]


# Short, so that the table stands in 80 columns of a terminal.
HEADINGS = (
    *("rows of", "label", "rows", "true", "AUPRC", "ROC AUC", "right", "F1"),
    *(f"recall at {100 * rate:g}% FP" for rate in RATES),
    "calib. error",
)


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    recipe, rows = report["recipe"], report["rows"]
    yield f"# {report['title']}"
    yield ""
    yield (
        f"{recipe['method']} of {recipe['base']}, {recipe['max_tokens']} tokens, seed {recipe['seed']}. "
        f"{', '.join(f'{count:,} rows for {name}' for name, count in rows.items())}."
    )
    for sentence in report["told"]:
        yield f"- {sentence}"
    yield ""
    yield from _table(HEADINGS, headline(report))
    yield ""
    yield (
        "AUPRC is the average precision; F1 and the share that is right are those at a probability of 0.5; recall is "
        "told where that share of the negatives is taken for positive (FP). The calibration error says how far "
        "probabilities are from what is true."
    )
    for name, found in report["evaluation"].items():
        if "accuracy" in found:
            yield ""
            yield (
                f"{name.capitalize()}: accuracy {_share(found['accuracy'])}, macro F1 {_share(found['macro f1'])}, "
                f"log loss {_share(found['log loss'])}, calibration error {_share(found['calibration error'])}."
            )
            yield ""
            heads = ("true, and said to be", *report["labels"])
            yield from _table(heads, _named(report["labels"], found["confusion"]))
        if found["slices"]:
            yield from _slices(name, found["slices"])
    yield from _closing(report)


def _closing(report: Mapping[str, Any]) -> Iterator[str]:
    if parity := report.get("parity"):
        yield ""
        yield f"## As it is served ({parity['variant']})"
        yield ""
        checks = [(check["name"], f"{check['figure']:.3g}", _limit(check)) for check in parity["checks"]]
        yield from _table(("beside what was trained", "measured", "limit"), checks)
    if tuning := report["tuning"]:
        yield ""
        ended = "ended early" if tuning["stopped early"] else "to the end"
        best = _share(tuning["best"])
        yield f"Tuned for {tuning['steps']:,} steps, {ended}; the best weights had {best} in validation."
    if probe := report["probe"]:
        yield ""
        yield f"The probe's C: {', '.join(f'{c:g}' for c in dict.fromkeys(probe['c']))}, by inner validation."
    for picture in report["pictures"]:
        yield ""
        yield f"![{picture.removesuffix('.png').replace('-', ' ')}]({picture})"


def _slices(name: str, slices: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## {name.capitalize()}, by slice"
    yield ""
    rows = []
    for slice_, of in slices.items():
        best = [f"{label} {each:.3f}" for label, each in of["average precision"].items() if each is not None]
        rows.append(
            (
                slice_ or "-",
                f"{of['rows']:,}",
                f"{of['positives']:,}",
                _share(of["accuracy"]),
                _share(of["false positives"]),
                ", ".join(best) or "-",
            )
        )
    yield from _table(("slice", "rows", "positive", "accuracy", "false positives", "AUPRC"), rows)


def _named(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[tuple[str, ...]]:
    return [(label, *(f"{count:,}" for count in row)) for label, row in zip(labels, matrix, strict=True)]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---' if at == 0 else '---:' for at in range(len(headings)))}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _limit(check: Mapping[str, Any]) -> str:
    return "" if check["rule"] == "told" else f"{check['rule']} {check['limit']:g}"


def _share(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"
