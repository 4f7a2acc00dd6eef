"""The picture of speed against drift in letters, for a terminal: coloured or not, and in plain ASCII where need be.

Knows rows and columns. What is drawn where is said in `picture`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from inference.bench.picture import Chart, Point

HEIGHT = 15  # rows of the frame: with title and axis it fits a terminal of 24
WIDEST = 100  # columns; wider, and the dots are far from the figures that belong to them

CHOSEN, PALE = "bold green", "dim"


@dataclass(frozen=True, slots=True)
class Letters:
    dot: str
    chosen: str
    wall: str
    notch: str
    corner: str
    floor: str
    limit: str
    ends: str  # at the axis' ends: what is less, what is more

    def said(self, text: str) -> str:
        return text.translate(dict(zip(map(ord, FINE.ends), self.ends, strict=True)))


FINE = Letters("●", "★", "│", "┤", "└", "─", "┊", "≤≥")
PLAIN = Letters("o", "*", "|", "+", "+", "-", ":", "<>")


@dataclass(slots=True)
class _Sheet:
    """Letters in rows, each with its style; the first row is the upper one."""

    width: int
    height: int
    cells: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    def free(self, row: int, column: int, length: int, *, dot: int) -> bool:
        """Whether a text fits there, with a gap on both sides but to its own dot."""
        if column < 0 or column + length > self.width or not 0 <= row < self.height:
            return False
        return not any((row, at) in self.cells for at in range(column - 1, column + length + 1) if at != dot)

    def write(self, row: int, column: int, text: str, style: str = "") -> None:
        for at, letter in enumerate(text, start=column):
            self.cells[row, at] = (letter, style)

    def lines(self) -> Iterator[Text]:
        for row in range(self.height):
            cells = [self.cells.get((row, column), (" ", "")) for column in range(self.width)]
            line = Text()
            for style, run in groupby(cells, key=itemgetter(1)):
                line.append("".join(letter for letter, _ in run), style)
            line.rstrip()
            yield line


class Sketch:
    """Something that rich can print."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        letters = PLAIN if options.ascii_only else FINE
        yield from self.lines(width=min(options.max_width, WIDEST), letters=letters)

    def lines(self, *, width: int, letters: Letters = FINE) -> Iterator[Text]:
        chart = self._chart
        margin = max(len(name) for _, name in chart.y.ticks) + 1
        sheet = _Sheet(width - margin - 2, HEIGHT)
        _draw(sheet, chart, letters)
        notches = {_row(chart.y.place(value)): name for value, name in chart.y.ticks}
        yield Text(f"{chart.y.name}", PALE)
        for row, line in enumerate(sheet.lines()):
            name = notches.get(row, "")
            edge = f"{name:>{margin}} {letters.notch if name else letters.wall}"
            yield Text().append(edge, PALE).append_text(line)  # a style of the whole would dim what is bright
        yield Text(" " * (margin + 1) + letters.corner + letters.floor * sheet.width, PALE)
        yield Text(" " * (margin + 2) + letters.said(_scale(chart, sheet.width)), PALE)
        yield Text(f"{chart.x.name:>{width}}", PALE)


def _row(share: float) -> int:
    return round((1 - share) * (HEIGHT - 1))


def _draw(sheet: _Sheet, chart: Chart, letters: Letters) -> None:
    def column(value: float) -> int:
        return round(chart.x.place(value) * (sheet.width - 1))

    places: dict[tuple[int, int], list[Point]] = {}
    for point in chart.points:
        places.setdefault((_row(chart.y.place(point.y)), column(point.x)), []).append(point)
    for (row, at), points in places.items():
        chosen = any(point.chosen for point in points)
        sheet.write(row, at, letters.chosen if chosen else letters.dot, CHOSEN if chosen else "")
    # the chosen one's label has the first choice of where to stand
    for (row, at), points in sorted(places.items(), key=lambda each: not any(p.chosen for p in each[1])):
        chosen = any(point.chosen for point in points)
        label = ", ".join(point.label for point in sorted(points, key=lambda point: not point.chosen))
        _label(sheet, row, at, label, CHOSEN if chosen else "")
    if chart.limit is not None:
        for row in range(HEIGHT):
            if (row, column(chart.limit)) not in sheet.cells:
                sheet.write(row, column(chart.limit), letters.limit, PALE)


def _label(sheet: _Sheet, row: int, at: int, label: str, style: str) -> None:
    """Beside the dot, else above or below it; where all is full, it is cut where the frame ends."""
    size = len(label)
    beside = [(row, at + 2), (row, at - 1 - size)]
    near = [(row + up, at + aside) for up in (-1, 1, -2, 2) for aside in (-size // 2, 2, -1 - size)]
    for place in [*beside, *near]:
        if sheet.free(*place, size, dot=at if place in beside else -1):
            sheet.write(*place, label, style)
            return
    sheet.write(row, at + 2, label[: max(0, sheet.width - at - 2)], style)


def _scale(chart: Chart, width: int) -> str:
    """The ticks' names below the places they stand for."""
    line = [" "] * width
    for value, name in chart.x.ticks:
        at = round(chart.x.place(value) * (width - 1)) - len(name) // 2
        at = max(0, min(at, width - len(name)))
        if not "".join(line[max(0, at - 1) : at + len(name) + 1]).strip():
            line[at : at + len(name)] = name
    return "".join(line).rstrip()
