"""What Python costs a decoding step: the engine's callback for each token, and a busy thread beside it.

Run as `python benchmarks/callback.py`. One process and one CTranslate2 thread, so that a busy Python thread finds a
core of its own, and what is measured is the wait for the interpreter's lock.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import ctranslate2
import typer
from rich.console import Console
from rich.table import Table

from inference import random_model
from inference.bench.machine import processor
from inference.chat import Chat, Turn
from inference.engine import Engine, Finish, Request, Sampling
from inference.threads import cores

QUESTION = "Many guest asks the old question near the river."

# Seconds that a busy thread may keep the interpreter's lock: Python's default, and what the worker sets.
INTERVALS = (0.005, 0.0005)

SILENT, OURS = "bare, 1 row, no callback", "Frontdesk, 1 row"

Decode = Callable[[], float]  # seconds a step, from the first token to the last


def main(
    shape: Annotated[str, typer.Option(help="A shape of random weights.")] = "tiny",
    model: Annotated[Path | None, typer.Option(help="A model folder, instead of making one.")] = None,
    rows: Annotated[int, typer.Option(min=2, help="Rows of the large batch.")] = 8,
    tokens: Annotated[int, typer.Option(min=8, help="Steps of each answer.")] = 300,
    rounds: Annotated[int, typer.Option(min=1)] = 7,
) -> None:
    """Measure the engine's callback and what a busy Python thread costs a decoding step."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="frontdesk-benchmark-") as folder:
        model = model or random_model.make(Path(folder) / f"random-{shape}", shape=shape)
        prompt = Chat.load(model).prompt([Turn("user", QUESTION)])
        with Engine(model, inter_threads=1, intra_threads=1) as engine, _generator(model) as generator:
            engine.warm_up()
            cases = _cases(generator, engine, model=model, prompt=prompt, rows=rows, tokens=tokens)
            quiet = _measure(cases, rounds=rounds)
            cost = _callback(quiet, engine)
            busy = {}
            for interval in INTERVALS:
                with _busy(interval):
                    busy[f"busy thread, {interval * 1000:g} ms"] = _measure(cases, rounds=rounds)
    console.print(f"{model.name}, {tokens} tokens, {cores()} cores of {processor()}")
    console.print(_table({"quiet": quiet} | busy))
    console.print(cost)


@contextmanager
def _generator(model: Path) -> Iterator[Any]:
    generator = ctranslate2.Generator(str(model), intra_threads=1)
    try:
        yield generator
    finally:
        while generator.num_active_batches:  # a process that exits while it holds a callback aborts
            time.sleep(0.001)


def _cases(
    generator: Any, engine: Engine, *, model: Path, prompt: tuple[int, ...], rows: int, tokens: int
) -> dict[str, Decode]:
    strings = Chat.load(model).tokens(prompt)

    def bare(count: int, *, callback: bool = True) -> Decode:
        return lambda: _generate(generator, [strings] * count, tokens=tokens, callback=callback)

    return {
        SILENT: bare(1, callback=False),
        "bare, 1 row": bare(1),
        f"bare, {rows} rows": bare(rows),
        OURS: lambda: _answer(engine, prompt, tokens=tokens),
    }


def _generate(generator: Any, batch: list[list[str]], *, tokens: int, callback: bool) -> float:
    """A call without a callback shows no token: its prefill is measured apart and taken off."""
    options: dict[str, Any] = {"end_token": [], "include_prompt_in_result": False}
    if not callback:
        began = time.perf_counter()
        generator.generate_batch(batch, max_length=1, **options)
        middle = time.perf_counter()
        generator.generate_batch(batch, max_length=tokens, **options)
        return (time.perf_counter() - middle - (middle - began)) / (tokens - 1)
    times: list[float] = []

    def step(result: Any) -> bool:
        if result.batch_id == 0:
            times.append(time.perf_counter())
        return False

    generator.generate_batch(batch, max_length=tokens, callback=step, **options)
    return (times[-1] - times[0]) / (tokens - 1)


def _answer(engine: Engine, prompt: tuple[int, ...], *, tokens: int) -> float:
    times: list[float] = []
    ended = threading.Event()

    def finish(_: Finish) -> None:
        ended.set()

    request = Request(id="it", prompt=prompt, sampling=Sampling(max_tokens=tokens, ignore_eos=True))
    engine.submit(request, on_token=lambda _: times.append(time.perf_counter()), on_finish=finish)
    ended.wait()
    return (times[-1] - times[0]) / (tokens - 1)


def _measure(cases: dict[str, Decode], *, rounds: int) -> dict[str, list[float]]:
    """Seconds a step, for each case in each round."""
    measured: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, decode in cases.items():
            measured[name].append(decode())
    return measured


@contextmanager
def _busy(interval: float) -> Iterator[None]:
    """A thread that only counts."""
    before, ended = sys.getswitchinterval(), False

    def spin() -> None:
        number = 0
        while not ended:
            number += 1

    thread = threading.Thread(target=spin)
    sys.setswitchinterval(interval)
    thread.start()
    try:
        yield
    finally:
        ended = True
        thread.join()
        sys.setswitchinterval(before)


def _table(measured: dict[str, dict[str, list[float]]]) -> Table:
    table = Table("ms a step, p50", *measured)
    for name in measured["quiet"]:
        table.add_row(name, *(f"{statistics.median(cases[name]) * 1000:.3f}" for cases in measured.values()))
    return table


def _callback(quiet: dict[str, list[float]], engine: Engine) -> str:
    cost = statistics.median(ours - bare for ours, bare in zip(quiet[OURS], quiet[SILENT], strict=True)) * 1e6
    collected = [sample for metric in engine.measures.callback.collect() for sample in metric.samples]
    samples = {sample.name.rpartition("_")[2]: sample.value for sample in collected}
    inside = samples["sum"] / samples["count"] * 1e6 if samples.get("count") else float("nan")
    return (
        f"the callback: {cost:.1f} µs a token, Frontdesk's step less that of a Generator without one, quiet, p50; "
        f"{inside:.1f} µs of it in Python, as the engine's own measure says"
    )


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
