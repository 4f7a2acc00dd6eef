"""The report's pictures: precision against recall, reliability, confusion, and how the training went.

Knows matplotlib, which is imported when something is drawn. The letters and colours are the bench's; lines are told
apart by colour, dash and a name at their side, since not everybody sees colours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.bench.picture import CHOSEN, DPI, GRID, HEIGHT, INK, LETTERS, PALE, WIDTH
from inference.training.classify import scores
from inference.training.classify.rows import Floats, Row, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from inference.training.classify.tune import Past

# Okabe and Ito's, without the yellow, which is pale on white: eight that colour-blind people tell apart.
COLOURS = (CHOSEN, "#d55e00", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9", "#009e73", INK)
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2)))
MOST = 12  # classes whose confusion can still be read

Shares = Mapping[str, tuple[Sequence[Row], Floats]]


def draw(task: Task, shares: Shares, past: Past | None, folder: Path, *, title: str) -> list[str]:
    """Writes what there is to draw; the files' names. The rows are those of the test where there are any."""
    name = "test" if "test" in shares else "validation"
    rows, found = shares[name]
    values, known = task.targets(rows)
    lines = _lines(task, values, known, found)
    said = f"{len(rows):,} rows for {name}"
    made = []
    if lines:
        made.append(_picture(folder, "precision-recall", title, said, lambda axes: _precision(axes, lines)))
        made.append(_picture(folder, "reliability", title, said, lambda axes: _reliable(axes, lines)))
    if task.outcome == "softmax" and len(task.labels) <= MOST:
        matrix = scores.confusion(values.argmax(axis=1), found.argmax(axis=1), len(task.labels))
        made.append(
            _picture(folder, "confusion", title, said, lambda axes: _confusion(axes, matrix, task.labels))
        )
    if past is not None and len(past.losses) > 1:
        figure = "accuracy" if task.outcome == "softmax" else "mean AUPRC"
        made.append(_picture(folder, "training", title, "", lambda axes: _training(axes, past, figure)))
    return made


class _Line:
    """One label's truth and probabilities, and how it is drawn."""

    def __init__(self, label: str, number: int, truth: np.ndarray, said: np.ndarray) -> None:
        self.label, self.truth, self.said = label, truth, said
        self.style: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": DASHES[number % len(DASHES)],
            "linewidth": 1.8,
        }


def _lines(task: Task, values: Floats, known: Floats, found: Floats) -> list[_Line]:
    """Of two choices one says all: the second."""
    places = [1] if task.outcome == "softmax" and len(task.labels) == 2 else [*range(len(task.labels))]
    lines: list[_Line] = []
    for at in places:
        there = known[:, at] > 0
        truth = values[there, at] >= 0.5
        if truth.any() and not truth.all():
            lines.append(_Line(task.labels[at], len(lines), truth, found[there, at].astype(np.float64)))
    return lines


def _picture(folder: Path, name: str, title: str, below: str, paint: Callable[[Axes], None]) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    file = f"{name}.png"
    with rc_context({"font.size": LETTERS, "font.family": "DejaVu Sans", "text.color": INK}):
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
        figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
        axes = figure.add_subplot()
        figure.suptitle(title, fontweight="bold", x=0.02, ha="left")
        if below:
            figure.supxlabel(below, fontsize=0.75 * LETTERS, color=PALE, x=0.02, ha="left")
        axes.tick_params(length=0, labelcolor=PALE, labelsize=0.9 * LETTERS)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        paint(axes)
        figure.savefig(folder / file, format="png")
    return file


def _names(axes: Axes, *, x: str, y: str) -> None:
    axes.set_title(y, loc="left", fontsize=LETTERS, color=PALE)
    axes.set_xlabel(x, loc="right", fontsize=LETTERS, color=PALE)


def _key(axes: Axes, lines: Sequence[_Line], *, what: str, only: float) -> None:
    """Beside the frame, where it hides nothing; one line's name stands above it."""
    if len(lines) == 1:
        axes.set_title(f"{lines[0].label}, {what} {only:.3f}", loc="right", fontsize=LETTERS, color=CHOSEN)
        return
    axes.legend(
        title=what,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize=0.8 * LETTERS,
        title_fontsize=0.8 * LETTERS,
        handlelength=2.2,
        alignment="left",
    )


def _precision(axes: Axes, lines: Sequence[_Line]) -> None:
    for line in lines:
        found = scores.curve(line.truth, line.said)
        area = scores.average_precision(line.truth, line.said)
        axes.step(
            np.append(0.0, found.recall),
            np.append(found.precision[0], found.precision),
            where="pre",
            label=f"{line.label}  {area:.3f}",
            **line.style,
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    _names(axes, x="recall", y="precision")
    area = scores.average_precision(lines[0].truth, lines[0].said)
    _key(axes, lines, what="AUPRC", only=area)


def _reliable(axes: Axes, lines: Sequence[_Line]) -> None:
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1, linestyle=(0, (4, 3)))
    for line in lines:
        found = scores.reliability(line.truth, line.said)
        there = found.rows > 0
        axes.plot(
            found.said[there],
            found.true[there],
            marker="o",
            markersize=4.5,
            label=f"{line.label}  {found.error:.3f}",
            **line.style,
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.03))
    _names(axes, x="probability that was said", y="share that is true")
    error = scores.reliability(lines[0].truth, lines[0].said).error
    _key(axes, lines, what="error", only=error)


def _confusion(axes: Axes, matrix: np.ndarray, labels: Sequence[str]) -> None:
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.grid(visible=False)
    axes.imshow(shares, cmap=_green(), vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    small = 1.0 if len(labels) <= 6 else 0.6
    for row in range(len(labels)):
        for column in range(len(labels)):
            share = shares[row, column]
            axes.text(
                column,
                row,
                f"{matrix[row, column]:,}\n{share:.0%}" if small == 1.0 else f"{share:.0%}",
                ha="center",
                va="center",
                color="white" if share > 0.5 else INK,
                fontsize=small * LETTERS,
            )
    axes.set_title("label that is true", loc="left", fontsize=LETTERS, color=PALE)
    axes.set_xlabel("label that was said", loc="right", fontsize=LETTERS, color=PALE)


def _green() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("house", ["#f6f8fa", CHOSEN])


def _training(axes: Axes, past: Past, figure: str) -> None:
    """The loss, as it falls, and what validation says on an axis of its own."""
    steps, losses = zip(*past.losses, strict=True)
    axes.plot(steps, losses, color=PALE, linewidth=1.2)
    axes.set_ylim(bottom=0)
    _names(axes, x="steps", y="loss")
    if past.figures:
        beside = axes.twinx()
        beside.spines[:].set_visible(False)
        beside.tick_params(length=0, labelcolor=CHOSEN, labelsize=0.9 * LETTERS)
        at, said = zip(*past.figures, strict=True)
        beside.plot(at, said, color=CHOSEN, linewidth=1.8, marker="o", markersize=4.5)
        beside.set_title(f"{figure} in validation", loc="right", fontsize=LETTERS, color=CHOSEN)
