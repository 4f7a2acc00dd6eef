"""Many conversations at once: Frontdesk's engine beside one call for each request, plain batches, and other servers.

One run, one model, the same seeded conversations for all, by turns and never at once. First each system is tried
briefly with the same threads and replicas; the best of each is then measured. README.md says what the figures mean.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated

import report
import typer
from conversations import Load
from figures import Measured, seconds, speed, verdicts
from rich.console import Console
from sweep import setups
from systems import Setup, System

from inference import random_model
from inference.threads import cores

SWEPT = ("single", "batched", "frontdesk")
RESULTS = Path(__file__).with_name("RESULTS.md")

# Seconds of rest between two systems: OpenMP's threads spin for 0.2 after the last one, on a core that the next needs.
REST = 0.4

# Times that the bare Generator and Frontdesk answer a single conversation in each round: what is promised there is a
# difference of 3 %, and one answer differs from the next by more.
ALONE = 3

Say = Callable[[str], None]


def main(
    shape: Annotated[
        str, typer.Option(help="A shape of random weights: " + ", ".join(random_model.SHAPES))
    ] = "0.5b",
    model: Annotated[Path | None, typer.Option(help="A model folder, instead of making one.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    compute_type: Annotated[str, typer.Option(help="CTranslate2's, for all systems.")] = "default",
    conversations: Annotated[
        str, typer.Option(help="How many at once; or else 1,4,16,32, quick 1,16.", show_default=False)
    ] = "",
    turns: Annotated[
        int, typer.Option(help="Questions in each conversation; or else 3, quick 2.", show_default=False)
    ] = 0,
    tokens: Annotated[
        int, typer.Option(help="How long each answer is; or else 48, quick 24.", show_default=False)
    ] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="How often all of it is measured.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the first round's conversations.")] = 0,
    peer: Annotated[str, typer.Option(help="URL of an OpenAI-compatible server. Its key: PEER_KEY.")] = "",
    peer_model: Annotated[
        str, typer.Option(help="What that server calls its model; or else its first.")
    ] = "",
    quick: Annotated[
        bool, typer.Option(help="Tries fewer settings; asks less where the above are not given.")
    ] = False,
    results: Annotated[
        Path | None, typer.Option(help="Markdown to write; or else RESULTS.md here, unless quick or tiny.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Write every time there as well.")] = None,
) -> None:
    """Measure Frontdesk's engine against simpler ways to serve the same model."""
    conversations = conversations or ("1,16" if quick else "1,4,16,32")
    turns, tokens = turns or (2 if quick else 3), tokens or (24 if quick else 48)
    if results is None and not quick and (model or shape != "tiny"):
        results = RESULTS
    console = Console(width=None if sys.stdout.isatty() else 110)  # a file need not be as narrow as 80
    given = model is not None
    with tempfile.TemporaryDirectory(prefix="frontdesk-benchmark-") as folder:
        if model is None:
            console.print(f"making a model of shape {shape} ...")
            model = random_model.make(Path(folder) / f"random-{shape}", shape=shape)
        run = _run(
            Plan(
                f"--model {model.name}" if given else f"--shape {shape}",
                Setup("", str(model), device, compute_type, peer=peer, peer_model=peer_model),
                Load(1, turns, tokens, seed),
                [int(count) for count in conversations.split(",")],
                rounds,
                quick,
            ),
            say=console.print,
        )
    for shown in (report.sweep(run), report.table(run), verdicts(run.targets)):
        console.print(shown)
    if results:
        report.write(run, results)
    if output:
        output.write_text(report.to_json(run), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Plan:
    source: str  # the option that names the model
    base: Setup  # the model, the device and the peer, for all systems
    load: Load
    counts: Sequence[int]  # conversations at once
    rounds: int
    quick: bool

    @property
    def command(self) -> str:
        """What repeats it, without this machine's folders."""
        load, base = self.load, self.base
        options = {
            "device": base.device,
            "compute-type": base.compute_type,
            "conversations": ",".join(map(str, self.counts)),
            "turns": load.turns,
            "tokens": load.tokens,
            "rounds": self.rounds,
            "seed": load.seed,
            "peer": base.peer,
        }
        words = [f"--{name} {value}" for name, value in options.items() if value not in ("", "default")]
        return " ".join(["python benchmarks/serving.py", self.source, *words, *["--quick"] * self.quick])


def _run(plan: Plan, *, say: Say) -> report.Run:
    tried = _calibrate(plan, say=say)
    chosen = {"bare": replace(plan.base, system="bare", intra_threads=cores())}
    for system in SWEPT:
        chosen[system] = max((each for each in tried if each[0].system == system), key=lambda each: each[1])[
            0
        ]
    if plan.base.peer:
        chosen["peer"] = replace(plan.base, system="peer")
    gap, measured = _measure(plan, chosen, say=say)
    return report.Run(
        model=Path(plan.base.model).name,
        device=plan.base.device,
        command=plan.command,
        load=plan.load,
        rounds=plan.rounds,
        gap=gap,
        tried=tried,
        chosen=chosen,
        measured=measured,
    )


def _calibrate(plan: Plan, *, say: Say) -> list[tuple[Setup, float]]:
    """Tokens per second of each setting, with about 16 conversations of one short turn."""
    conversations = min(plan.counts, key=lambda count: abs(count - 16))
    load = replace(plan.load, conversations=conversations, turns=1, tokens=min(plan.load.tokens, 16))
    tried = []
    for system in SWEPT:
        for setup in setups(system, plan.base, cores=cores(), quick=plan.quick):
            with System(setup) as running:
                tried.append((setup, speed(running.play(load))))
            say(f"tried {system}, {setup.label}: {tried[-1][1]:.1f} tokens/s")
            time.sleep(REST)
    return tried


def _measure(plan: Plan, chosen: dict[str, Setup], *, say: Say) -> tuple[float, Measured]:
    """Every system under each load, by turns. Also the gap between arrivals: a twentieth of what one answer alone
    takes, so that 16 people come within one answer or so, on any machine."""
    measured: Measured = {count: {system: [] for system in chosen} for count in plan.counts}
    with ExitStack() as stack:
        systems = {system: stack.enter_context(System(setup)) for system, setup in chosen.items()}
        gap = seconds(systems["bare"].play(replace(plan.load, turns=1))) / 20
        for number, count in product(range(plan.rounds), plan.counts):
            load = replace(plan.load, conversations=count, seed=plan.load.seed + number, gap=gap)
            for system in _order([*chosen], number=number, alone=count == 1):
                time.sleep(REST)
                talk = systems[system].play(load)
                measured[count][system].append(talk)
                say(f"round {number + 1}, {count} at once, {system}: {speed(talk):.1f} tokens/s")
    return gap, {
        count: {name: talks for name, talks in each.items() if talks} for count, each in measured.items()
    }


def _order(systems: Sequence[str], *, number: int, alone: bool) -> list[str]:
    """Each round begins with another system, so that no drift of the machine favours one. The bare Generator answers a
    single conversation only; there it and Frontdesk take turns some times more."""
    order = [system for system in systems if system != "bare"]
    first = number % len(order)
    order = order[first:] + order[:first]
    return ["bare", *order, *["bare", "frontdesk"] * (ALONE - 1)] if alone else order


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
