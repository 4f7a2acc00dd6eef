"""Figures for people: tables for the terminal, a section of RESULTS.md, everything as JSON.

Knows what was measured; measures nothing.
"""

import json
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from conversations import LENGTHS, Load
from figures import Measured, Target, summary, targets
from rich.table import Table
from systems import Setup

from inference.bench.machine import processor
from inference.threads import cores

NAMES = {
    "bare": "bare",
    "single": "one call each",
    "batched": "batches",
    "frontdesk": "Frontdesk",
    "peer": "peer",
}

HEADER = (
    *("at once", "system", "replicas x threads", "tokens/s", "first token p50, s", "p95"),
    *("between tokens p95, ms", "x one call each", "x batches"),
)

GPU = """No accelerator could be had so far, so there are no figures. The commands that stand ready, on one NVIDIA GPU
with `pip install 'frontdesk[cuda]'`:

    python benchmarks/serving.py --device cuda --shape 1.5b --compute-type int8_float16 --conversations 1,8,32,64
    python benchmarks/serving.py --device cuda --shape 8b --compute-type int8_float16 --conversations 1,8,32,64"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmark, whole."""

    model: str  # its name
    device: str
    command: str
    load: Load
    rounds: int
    gap: float  # mean seconds between two arrivals
    tried: Sequence[tuple[Setup, float]]  # at the calibration, tokens per second
    chosen: dict[str, Setup]
    measured: Measured

    @property
    def targets(self) -> list[Target]:
        return targets(self.measured)


def rows(run: Run) -> list[list[str]]:
    """The large table, cell by cell."""
    made = []
    for conversations, talks in run.measured.items():
        summaries = {system: summary(some) for system, some in talks.items()}
        for system, figures in summaries.items():
            speed = figures.tokens_per_second
            made.append(
                [
                    str(conversations),
                    NAMES[system],
                    run.chosen[system].label,
                    f"{speed:.1f}",
                    f"{figures.first_p50:.3f}",
                    f"{figures.first_p95:.3f}",
                    f"{figures.between_p95 * 1000:.1f}",
                    *(f"{speed / summaries[other].tokens_per_second:.2f}" for other in ("single", "batched")),
                ]
            )
    return made


def table(run: Run) -> Table:
    shown = Table(
        *HEADER, title=f"{run.model} on {run.device}, {run.load.turns} turns of {run.load.tokens} tokens"
    )
    for row in rows(run):
        shown.add_row(*row, end_section=row[1] == NAMES[[*run.chosen][-1]])
    return shown


def tried(run: Run) -> list[list[str]]:
    return [
        [
            NAMES[setup.system],
            setup.label,
            f"{speed:.1f}",
            "best" if setup == run.chosen[setup.system] else "",
        ]
        for setup, speed in run.tried
    ]


def sweep(run: Run) -> Table:
    shown = Table("tried", "replicas x threads", "tokens/s", "")
    for row in tried(run):
        shown.add_row(*row)
    return shown


def section(run: Run) -> str:
    """The run as Markdown, below its heading."""
    kept = [
        [
            goal.name,
            f"{goal.sign} {goal.limit:.3g}",
            f"{goal.value:.3g}",
            "kept" if goal.kept else "**missed**",
        ]
        for goal in run.targets
    ]
    parts = [
        _described(run),
        _markdown(HEADER, rows(run)),
        _markdown(("target", "limit", "measured", ""), kept),
        "Settings tried, briefly, at the beginning of the same run; the best of each system was measured:",
        _markdown(("system", "replicas x threads", "tokens/s", ""), tried(run)),
    ]
    return "\n\n".join(parts)


def _described(run: Run) -> str:
    """What was run, where and when."""
    talks = [talk for systems in run.measured.values() for talk in systems["frontdesk"]]
    lengths = [each.prompt_tokens for talk in talks for each in talk]
    load = run.load
    return (
        f"Measured {time.strftime('%Y-%m-%d %H:%M')} on {run.device}, {cores()} cores of {processor()}, "
        f"Python {platform.python_version()}, CTranslate2 {version('ctranslate2')}:\n\n    {run.command}\n\n"
        f"Each conversation asks {load.turns} questions of {LENGTHS[0]} to {LENGTHS[-1]} words under one system prompt "
        f"and gets {load.tokens} tokens each time, greedy; prompts of {min(lengths)} to {max(lengths)} tokens; "
        f"arrivals {run.gap:.2f} s apart on average; rounds: {run.rounds}."
    )


def _markdown(header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


INTRODUCTION = """# Serving: results

Written by `python benchmarks/serving.py`: a run replaces the section of its own device and model, and no other. What is
measured and how is said in README.md.
"""


def merged(document: str, *, heading: str, body: str) -> str:
    """The document with that section new or replaced; the section GPU stands until a GPU has been measured."""
    found = re.split(r"^## (.*)\n", document, flags=re.MULTILINE)
    sections = dict(zip(found[1::2], (text.strip() for text in found[2::2]), strict=True))
    sections[heading] = body.strip()
    sections.pop("GPU", None)
    if not any(name.startswith("cuda") for name in sections):
        sections["GPU"] = GPU
    return INTRODUCTION + "".join(f"\n## {name}\n\n{text}\n" for name, text in sections.items())


def write(run: Run, file: Path) -> None:
    document = file.read_text(encoding="utf-8") if file.exists() else ""
    new = merged(document, heading=f"{run.device}, {run.model}", body=section(run))
    file.write_text(new, encoding="utf-8")


def to_json(run: Run) -> str:
    figures: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "machine": {"processor": processor(), "cores": cores(), "python": platform.python_version()},
        "command": run.command,
        "model": run.model,
        "device": run.device,
        "gap": run.gap,
        "tried": [{"setup": _setup(setup), "tokens_per_second": speed} for setup, speed in run.tried],
        "chosen": {system: _setup(setup) for system, setup in run.chosen.items()},
        "targets": [asdict(goal) | {"kept": goal.kept} for goal in run.targets],
        "measured": {
            conversations: {
                system: {
                    "summary": asdict(summary(some)),
                    "rounds": [[asdict(each) for each in talk] for talk in some],
                }
                for system, some in talks.items()
            }
            for conversations, talks in run.measured.items()
        },
    }
    return json.dumps(figures, indent=1)


def _setup(setup: Setup) -> dict[str, Any]:
    return asdict(setup) | {"model": Path(setup.model).name}
