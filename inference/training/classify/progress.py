"""What a training tells while it lasts: bars on a terminal, silence elsewhere.

Knows moments, not what they are made of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a stage is, in rows or steps; `note` is a figure or two."""

    stage: str
    done: int
    total: int
    note: str = ""


Watch = Callable[[Moment], None]


def silent(moment: Moment) -> None:
    """Tells nobody."""


@contextmanager
def bars() -> Iterator[Watch]:
    """A bar for each stage on the error channel while the block is open; where that is no terminal, a line for a stage
    that ends."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:>6.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    tasks: dict[str, Any] = {}
    began: dict[str, float] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def watch(moment: Moment) -> None:
            if moment.stage not in tasks:
                tasks[moment.stage] = progress.add_task(moment.stage, total=moment.total, note="")
                began[moment.stage] = time.monotonic()
            progress.update(tasks[moment.stage], completed=moment.done, total=moment.total, note=moment.note)
            if moment.done >= moment.total and not console.is_terminal and moment.stage in began:
                seconds = time.monotonic() - began.pop(moment.stage)
                count = f"{moment.total} in " if moment.total > 1 else ""
                console.print(f"{moment.stage}: {count}{seconds:.0f} s {moment.note}".rstrip(), markup=False)

        yield watch
