"""Does anybody notice that the model is exchanged? `python benchmarks/swap.py`

Some conversations ask a whole `frontdesk up` without pause; `frontdesk models promote` exchanges the model below them.
Told is the time to the first text before, while the new model is loaded, in the second of the exchange, and after.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from figures import Target, percentile, verdicts
from house import House, running
from rich.console import Console
from rich.table import Table

from inference import random_model

OLD, NEW = "old", "new"
SWAP = 1.0  # seconds from the first question that the new model answers
AFTER = 2  # answers of the new model for each conversation
LIMIT = 2.0  # times the usual p95
QUESTION = "Question {number}: who keeps the old garden near the river, and what is written in the letter?"


@dataclass(frozen=True, slots=True)
class Asked:
    """When a question was asked, in seconds of the run, until its first text came, and by which model."""

    at: float
    first: float
    model: str


@dataclass(frozen=True, slots=True)
class Run:
    answers: list[Asked]
    promoted: float

    @property
    def exchanged(self) -> float:
        return min(each.at for each in self.answers if each.model == NEW)

    def phases(self) -> dict[str, list[float]]:
        """The times to the first text, by when the question was asked."""
        bounds = {
            "before": (0.0, self.promoted),
            "while the new one is loaded": (self.promoted, self.exchanged),
            "the second of the exchange": (self.exchanged, self.exchanged + SWAP),
            "after": (self.exchanged + SWAP, float("inf")),
        }
        return {
            name: [each.first for each in self.answers if begin <= each.at < end]
            for name, (begin, end) in bounds.items()
        }


def main(
    shape: Annotated[str, typer.Option(help="tiny, 0.1b, 0.5b ...")] = "0.1b",
    conversations: Annotated[int, typer.Option(min=1)] = 16,
    tokens: Annotated[int, typer.Option(min=1, help="How long each answer is.")] = 24,
    before: Annotated[int, typer.Option(min=1, help="Answers of each conversation before the exchange.")] = 4,
) -> None:
    """Measure one exchange under load."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="frontdesk-benchmark-") as folder:
        data = Path(folder) / "data"
        console.print(f"making two models of shape {shape} ...")
        for seed, name in enumerate((OLD, NEW)):
            random_model.make(data / "models" / name, shape=shape, seed=seed)
        promote = ("models", "promote", OLD)
        House("", {**os.environ, "FRONTDESK_DATA": str(data)}, data).command(*promote)
        with running(data, model=None, threads=0) as house:
            run = asyncio.run(_measure(house, conversations=conversations, tokens=tokens, before=before))
    phases = run.phases()
    console.print(_table(phases, title=f"{conversations} conversations, {shape}, {tokens} tokens an answer"))
    console.print(
        f"promoted after {run.promoted:.1f} s, exchanged {run.exchanged - run.promoted:.1f} s later"
    )
    usual, swap = (percentile(phases[name], 0.95) for name in ("before", "the second of the exchange"))
    name = "first text in the second of the exchange, p95, times the usual"
    console.print(verdicts([Target(name, swap / usual, LIMIT)]))


async def _measure(house: House, *, conversations: int, tokens: int, before: int) -> Run:
    key = house.key("off")
    began = time.perf_counter()
    answers: list[Asked] = []
    enough = asyncio.Event()

    async def talk(session: aiohttp.ClientSession, number: int) -> None:
        while sum(each.model == NEW for each in answers) < AFTER * conversations:
            at = time.perf_counter() - began
            question = QUESTION.format(number=number)
            told = await house.ask(session, question, key=key, max_tokens=tokens, model="default")
            answers.append(Asked(at, told.pieces[0].at, told.model))
            if len(answers) >= before * conversations:
                enough.set()

    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        for number in range(conversations):
            group.create_task(talk(session, number))
        await enough.wait()
        promoted = time.perf_counter() - began
        await asyncio.to_thread(house.command, "models", "promote", NEW)
    return Run(answers, promoted)


def _table(phases: Mapping[str, Sequence[float]], *, title: str) -> Table:
    table = Table("question asked", "answers", "first text p50, s", "p95, s", title=title)
    for name, values in phases.items():
        cells = [f"{percentile(values, share):.2f}" if values else "" for share in (0.5, 0.95)]
        table.add_row(name, str(len(values)), *cells)
    return table


if __name__ == "__main__":
    typer.run(main)
