"""One variant under measurement, in a process of its own: loaded, timed, its memory read, its text scored.

Knows one turn, which is told in one line of JSON, as is what came of it. Who takes turns with whom, and what the
figures mean, is the bench's business. It ends with the process that started it.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference import library, memory, sizes
from inference.bench import footprint
from inference.bench.plan import NotMeasured, Reading, Task

if TYPE_CHECKING:
    from inference.bench.timing import Clock
    from inference.library import ModelFolder

# Letters of a text, at most: far more than tokens are scored, and little enough to be cut into tokens at once.
LETTERS = 200_000

# Texts on which variants of a classifier or an embedder are compared.
COMPARED = 32


def main() -> None:
    """One task from the first line of the input, one reading to the output."""
    begun = footprint.resident()
    task = Task.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # whatever a library prints goes to the error channel: the output is for the reading alone
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        reading = take(task, begun=begun)
    except Exception as error:  # whatever goes wrong is told as this variant's, and the others' turns go on
        reading = Reading(error=str(error) or type(error).__name__)
    with answers:
        answers.write(reading.to_json() + "\n")


def take(task: Task, *, begun: int, clock: Clock = time.perf_counter) -> Reading:
    """`begun`: bytes that this process held before anything was loaded."""
    model = library.Library(root=None).find(task.path)
    with Path(task.text).open(encoding="utf-8") as file:
        text = file.read(LETTERS)
    _import_engine(model)
    measured = _texts if model.kind in ("classifier", "embedder") else _tokens
    with footprint.device_memory(task.device) as lowest:
        reading = measured(model, task, text=text, begun=begun, clock=clock)
    reading.device_memory = lowest.taken if reading.device == "cuda" else None
    if task.score and model.kind == "chat":
        _score(reading, model, text=text, limit=task.plan.scored)
    elif task.score and model.kind == "seq2seq":
        _say_what_runs(reading, model)
    return reading


def _tokens(model: ModelFolder, task: Task, *, text: str, begun: int, clock: Clock) -> Reading:
    """A model that answers."""
    from inference.bench.scoring import encoded
    from inference.bench.timing import Timing
    from inference.opening import open_engine

    begin, ids = encoded(model.path, text)
    at = clock()
    with open_engine(model, device=task.device) as engine:
        reading = Reading(device=engine.device, load_seconds=clock() - at)
        reading.free = memory.free(engine.device)
        timing = Timing(engine, begin + ids, plan=task.plan, clock=clock)
        reading.first_token, reading.notes = timing.firsts()
        reading.per_second = {str(rows): timing.speed(rows) for rows in task.plan.rows}
        reading.memory = footprint.peak() - begun
    return reading


def _texts(model: ModelFolder, task: Task, *, text: str, begun: int, clock: Clock) -> Reading:
    """A model that judges or embeds."""
    from inference.bench.timing import sentences, speed_of_texts

    texts = sentences(text)
    at = clock()
    opened, read = _reader(model, device=task.device)
    with opened:
        reading = Reading(device=opened.device, load_seconds=clock() - at, runs_as=opened.compute_type)
        read(texts[: max(task.plan.rows)])  # builds what all later calls use
        for rows in task.plan.rows:
            reading.per_second[str(rows)] = speed_of_texts(read, texts[:rows], plan=task.plan, clock=clock)
        reading.memory = footprint.peak() - begun
        if task.score:
            reading.outputs = read(texts[:COMPARED])
            reading.scored = len(reading.outputs)
    if not all(math.isfinite(number) for row in reading.outputs for number in row):
        raise NotMeasured("What it says of a text is not a number: this variant is broken on this device.")
    return reading


def _reader(model: ModelFolder, *, device: str) -> tuple[Any, Callable[[Sequence[str]], list[list[float]]]]:
    """The opened model, and what it says of each text as a row of numbers."""
    from inference import opening

    if model.kind == "classifier":
        classifier = opening.open_classifier(model, device=device)
        return classifier, lambda texts: [list(found.values()) for found in classifier.classify(texts)]
    embedder = opening.open_embedder(model, device=device)
    return embedder, lambda texts: [[float(number) for number in row] for row in embedder.embed(texts)]


def _score(reading: Reading, model: ModelFolder, *, text: str, limit: int) -> None:
    """What is the same in every round: what the weights run as, room for conversations, the text's perplexity."""
    from inference.bench import scoring

    begin, ids = scoring.encoded(model.path, text)
    parts = scoring.windows(begin, ids[:limit], size=min(scoring.WINDOW, model.context_length))
    if not parts:
        raise NotMeasured("The text is too short to be scored; give a longer one with --text.")
    score = scoring.with_transformers if model.engine == "transformers" else scoring.with_ctranslate2
    scored = score(model.path, parts, device=reading.device)
    reading.runs_as, reading.scored = scored.runs_as, len(scored.logs)
    reading.room = reading.free // scored.token_bytes
    reading.loss, reading.vocabulary = scoring.loss(scored.logs), scored.vocabulary
    if not math.isfinite(reading.loss):
        raise NotMeasured("What it makes of the text is not a number: this variant is broken on this device.")


def _say_what_runs(reading: Reading, model: ModelFolder) -> None:
    """Of an encoder-decoder: its perplexity would need pairs of texts."""
    if model.engine == "ctranslate2":
        import ctranslate2

        reading.runs_as = ctranslate2.Translator(str(model.path), device=reading.device).compute_type
        reading.room = reading.free // sizes.read(model.path).state_bytes(reading.runs_as)


def _import_engine(model: ModelFolder) -> None:
    """So that loading is the model's time and not Python's. What transformers imports only when it knows the model is
    counted (some seconds): whoever starts such a worker waits for it."""
    with contextlib.suppress(ImportError):  # opening it says what is missing, and what to do
        importlib.import_module(
            "inference.fallback.torch_model" if model.engine == "transformers" else "inference.engine"
        )


def _end_with_parent() -> None:
    """The bench holds our input open as long as it lives, however it ends."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
