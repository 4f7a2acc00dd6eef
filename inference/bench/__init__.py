"""Variants of one model measured side by side on this machine, by turns, each in a process of its own.

Knows turns and processes. What one turn does stands in `subject`, what the figures come to in `report`, which variant
to take in `inference.bench.recommend`, how it looks in `inference.bench.picture`.

Decision, 2026-11: a process loads one variant, takes one turn and ends. Processes that stay would all have to fit into
memory at once, and their idle threads spin beside the one that is measured; so loading is paid for in each round, and
measured in each. Asked is the engine that a worker would run, not the bare Generator: what counts is what people get.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals
from typing import IO, TYPE_CHECKING

from inference.bench import machine
from inference.bench.plan import QUICK, Plan, Reading, Task
from inference.bench.report import Figures, Report, reported
from inference.library import Library
from inference.library.reference import ALIASES, ModelNotFound, Reference, is_path

if TYPE_CHECKING:
    from inference.library import ModelFolder

__all__ = ["QUICK", "TEXT", "Figures", "Plan", "Reading", "Report", "Task", "measure", "variants_of"]

TEXT = Path(__file__).parent / "text.md"

# Seconds that one turn may take: eight billion parameters in float32 on a few cores are done within it; what is not
# done then hangs.
PATIENCE = 3600.0

SUBJECT = (sys.executable, "-m", "inference.bench.subject")

TakeTurn = Callable[[Task], Reading]
Progress = Callable[[int, str], None]


def variants_of(library: Library, reference: str) -> tuple[list[ModelFolder], dict[str, str]]:
    """What is to be measured: all variants of the version that is meant, or the one that was named; and those of them
    that cannot be opened, each with the reason. Raises ModelNotFound."""
    found = library.find(reference)
    if (
        is_path(reference)
        or not found.version
        or (reference not in ALIASES and Reference.parse(reference).variant)
    ):
        return [found], {}
    models = [model for model in library.variants(found.title) if model.version == found.version]
    complete, broken = {model.name for model in models}, dict[str, str]()
    for each in library.references(found.title):
        if each.version == found.version and str(each) not in complete:
            try:
                library.find(str(each))
            except ModelNotFound as error:
                broken[str(each)] = str(error)
    return models, broken


def measure(
    models: Sequence[ModelFolder],
    *,
    plan: Plan,
    text: Path = TEXT,
    device: str = "auto",
    broken: dict[str, str] | None = None,
    turn: TakeTurn | None = None,
    progress: Progress = lambda round_, name: None,
) -> Report:
    """Rounds of turns, every other one in reverse, so that whoever comes last is not always the same. A variant that
    fails is out for the rest; the others go on. `progress` is told the round, from 1, and who comes now."""
    turn = turn or in_a_process
    readings: dict[str, list[Reading]] = {model.name: [] for model in models}
    for round_ in range(plan.rounds):
        for model in models[:: -1 if round_ % 2 else 1]:
            if any(reading.error for reading in readings[model.name]):
                continue
            progress(round_ + 1, model.name)
            task = Task(
                path=str(model.path.absolute()),
                text=str(text.absolute()),
                device=device,
                plan=plan,
                score=round_ == 0,
            )
            readings[model.name].append(turn(task))
    on = next((each.device for rounds in readings.values() for each in rounds if each.device), device)
    return reported(
        models,
        readings,
        plan=plan,
        text="bundled" if text == TEXT else text.name,
        machine=machine.described(device=on),
        broken=broken,
    )


def in_a_process(task: Task, *, patience: float = PATIENCE, command: Sequence[str] = SUBJECT) -> Reading:
    """One turn in a child, which has ended when this returns, however it returns. A crash is a reading too."""
    late = threading.Event()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 (our own module)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        ) as child,
    ):

        def give_up() -> None:
            late.set()
            child.kill()

        limit = threading.Timer(patience, give_up)
        limit.start()
        try:
            line = _answer(child, task)
            status = child.wait()
        finally:
            limit.cancel()
            child.kill()
        if line.endswith(b"\n"):
            return Reading.from_json(line.decode())
        if late.is_set():
            return Reading(error=f"It was not done after {patience:,.3g} seconds, and was ended.")
        return Reading(error=_ended(status, errors))


def _answer(child: subprocess.Popen[bytes], task: Task) -> bytes:
    """One line for one line. The input stays open: the child ends itself when it is closed."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child was started without pipes")
    try:
        os.write(child.stdin.fileno(), task.to_json().encode() + b"\n")
    except BrokenPipeError:
        return b""  # it has ended already; its status says how
    return child.stdout.readline()


def _ended(status: int, errors: IO[bytes]) -> str:
    """A sentence on a process that ended without an answer, with the last thing that it said."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    said = f" Its last words: {lines[-1][:300]}" if lines else ""
    if status == -Signals.SIGKILL:
        return f"Its process was killed, most likely since memory ran out.{said}"
    how = f"was ended by {Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return f"Its process {how} before it was done.{said}"
