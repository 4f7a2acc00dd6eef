"""Speed against drift as a picture: what is drawn where, and a PNG of it for a page, which needs matplotlib.

Knows figures and how to show them. Where they come from is the bench's business, the choice `recommend`'s; how it
looks in a terminal stands in `sketch`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inference.bench.recommend import LIMIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from inference.bench.report import Figures, Report

INSTALL = "pip install 'frontdesk[train]'"

# Drift goes from none to several percent, so its axis is logarithmic and cannot show 0. Whatever is less than this
# share is drawn at it: one in ten thousand is what float variants differ by. What has lost its mind altogether is drawn
# at the other end, or it would push all others together.
FLOOR, CEILING = 1e-4, 10.0

# Speeds further apart than this share a logarithmic axis: on a linear one the slow ones would lie on the ground.
WIDE = 10.0

# Pixels. As wide as a page of documentation on a sharp screen; scaled down to a phone's 390, letters of 11 points are
# still 10 pixels high.
WIDTH, HEIGHT, DPI, LETTERS = 1200, 800, 200, 11

INK, PALE, GRID, CHOSEN = "#1f2328", "#57606a", "#d0d7de", "#0b6e4f"


class CannotDraw(Exception):
    """There is nothing to draw, or nothing to draw with; the message says which."""


@dataclass(frozen=True, slots=True)
class Point:
    label: str
    x: float
    y: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """Where values lie between 0 and 1."""

    name: str
    low: float
    high: float
    log: bool
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    below: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    limit: float | None  # a line at this x


def chart(report: Report) -> Chart:
    """What there is to show: speed against drift, against memory where no drift is known. Raises CannotDraw."""
    measured = [each for each in report.measured if each.per_second]
    if not measured:
        raise CannotDraw("No variant was measured: there is nothing to draw.")
    known = [each for each in measured if each.drift is not None]
    shown, x = (known, _drift_axis(report, known)) if known else (measured, _memory_axis(measured))
    rows = max(shown[0].per_second, key=int)
    speeds = [each.per_second[rows] for each in shown]
    chosen = report.choice.variant if report.choice else ""
    return Chart(
        title=report.model,
        below=_below(report, [each.label for each in measured if each not in shown]),
        x=x,
        y=_speed_axis(speeds, f"{report.unit}/s at {rows} rows"),
        points=tuple(
            Point(each.label, _x(each, drift=bool(known)), speed, each.label == chosen)
            for each, speed in zip(shown, speeds, strict=True)
        ),
        limit=LIMIT if known else None,
    )


def _x(figures: Figures, *, drift: bool) -> float:
    return min(max(figures.drift or 0.0, FLOOR), CEILING) if drift else figures.footprint / 1e6


def _drift_axis(report: Report, shown: Sequence[Figures]) -> Axis:
    most = max(each.drift or 0.0 for each in shown)
    high = min(max(0.1, 10.0 ** (_exponent(most) + 1)), CEILING) if most > 0 else 0.1
    ticks = [
        (FLOOR, "≤ 0.01 %"),
        (1e-3, "0.1 %"),
        (1e-2, "1 %"),
        (0.1, "10 %"),
        (1.0, "100 %"),
        (CEILING, "≥ 1000 %"),
    ]
    return Axis(
        f"{report.drift}, the less the better",
        FLOOR,
        high,
        True,
        tuple(tick for tick in ticks if tick[0] <= high),
    )


def _memory_axis(shown: Sequence[Figures]) -> Axis:
    ticks = _round_ticks(max(each.footprint / 1e6 for each in shown))
    return Axis("memory at its peak, MB", 0.0, ticks[-1][0], False, ticks)


def _speed_axis(speeds: Sequence[float], name: str) -> Axis:
    if max(speeds) > WIDE * min(speeds):
        low, high = 10.0 ** _exponent(min(speeds)), 10.0 ** (_exponent(max(speeds)) + 1)
        powers = range(_exponent(low), _exponent(high) + 1)
        return Axis(name, low, high, True, tuple((10.0**power, f"{10.0**power:,g}") for power in powers))
    ticks = _round_ticks(max(speeds))
    return Axis(name, 0.0, ticks[-1][0], False, ticks)


def _exponent(value: float) -> int:
    """Of the power of ten at or below it."""
    return int(f"{value:e}".partition("e")[2])


def _round_ticks(most: float) -> tuple[tuple[float, str], ...]:
    """From 0, by steps of 1, 2 or 5, to the first that is not below `most`: five or so."""
    rough = max(most, 1e-9) / 4
    unit = 10.0 ** _exponent(rough)
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough * 0.999)
    count = 1
    while count * step < most:
        count += 1
    return tuple((number * step, f"{number * step:,.6g}") for number in range(count + 1))


def _below(report: Report, left_out: Sequence[str]) -> str:
    machine = f"{report.machine['processor']}, {report.machine['cores']} cores"
    said = [str(report.machine.get("gpu", machine)), str(report.machine["measured"])[:10]]
    if left_out:
        said.append(f"drift unknown: {', '.join(left_out)}")
    return " · ".join(said)


# -- for a page: everything is drawn in shares of the frame, where Axis.place has put it ----------------------------


def save(report: Report, file: Path) -> None:
    """Write the picture as PNG. Raises CannotDraw, also where matplotlib is missing."""
    drawn = chart(report)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise CannotDraw(
            f"A PNG is drawn with matplotlib, which is not installed. Install it: {INSTALL}"
        ) from error
    with rc_context({"font.size": LETTERS, "font.family": "DejaVu Sans", "text.color": INK}):
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
        figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
        axes = figure.add_subplot()
        figure.suptitle(drawn.title, fontweight="bold", x=0.02, ha="left")
        figure.supxlabel(drawn.below, fontsize=0.75 * LETTERS, color=PALE, x=0.02, ha="left")
        _frame(axes, drawn)
        _dots(axes, drawn)
        figure.draw_without_rendering()  # so that texts know their size
        _labels(axes, drawn)
        figure.savefig(file, format="png")


def _frame(axes: Axes, drawn: Chart) -> None:
    axes.set(xlim=(-0.03, 1.03), ylim=(0, 1))
    axes.set_xticks([drawn.x.place(value) for value, _ in drawn.x.ticks], [name for _, name in drawn.x.ticks])
    axes.set_yticks([drawn.y.place(value) for value, _ in drawn.y.ticks], [name for _, name in drawn.y.ticks])
    axes.tick_params(length=0, labelcolor=PALE, labelsize=0.9 * LETTERS)
    axes.grid(color=GRID, linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.set_title(drawn.y.name, loc="left", fontsize=LETTERS, color=PALE)
    axes.set_xlabel(drawn.x.name, loc="right", fontsize=LETTERS, color=PALE)
    if drawn.limit is not None:
        axes.axvline(drawn.x.place(drawn.limit), color=PALE, linewidth=1, linestyle=(0, (4, 3)))
    if any(point.chosen for point in drawn.points):
        axes.set_title("★ recommended", loc="right", fontsize=LETTERS, color=CHOSEN)


def _dots(axes: Axes, drawn: Chart) -> None:
    for point in drawn.points:
        axes.plot(
            drawn.x.place(point.x),
            drawn.y.place(point.y),
            marker="*" if point.chosen else "o",
            markersize=15 if point.chosen else 8,
            color=CHOSEN if point.chosen else PALE,
            clip_on=False,
            zorder=4 if point.chosen else 3,
        )


# Where a label may stand, from its dot, in points: beside it, above and below, then further off.
_AROUND = [
    (reach * x, reach * y, "left" if x > 0 else "right" if x < 0 else "center")
    for reach in (1.0, 1.8, 2.8, 4.0)
    for x, y in ((11, 0), (-11, 0), (11, 11), (11, -11), (-11, 11), (-11, -11), (0, 15), (0, -15))
]


def _labels(axes: Axes, drawn: Chart) -> None:
    """The chosen one first, each at the first place where it hides nothing."""
    frame = axes.get_window_extent()
    taken = [line.get_window_extent() for line in axes.lines if line.get_marker() not in ("None", None)]
    for point in sorted(drawn.points, key=lambda point: not point.chosen):
        at = (drawn.x.place(point.x), drawn.y.place(point.y))
        for x, y, side in _AROUND:
            text = axes.annotate(
                point.label,
                at,
                xytext=(x, y),
                textcoords="offset points",
                ha=side,
                va="center",
                color=CHOSEN if point.chosen else INK,
                fontweight="bold" if point.chosen else "normal",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
                zorder=2,
                arrowprops={"arrowstyle": "-", "color": GRID} if abs(x) + abs(y) > 25 else None,
            )
            box = text.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not box.count_overlaps(taken):
                break
            if (x, y, side) != _AROUND[-1]:
                text.remove()
        taken.append(box)
