"""Token ids in, token ids out, one by one: many requests at once on one ctranslate2.Generator, and each one's end.

Knows one model: its folder, its limits, what a request may ask of it. Knows no text, no people and no queue server;
`chat` makes prompts, `text` text. Who is decoded when, and with whom, is the `scheduler`'s business.
"""

import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import ctranslate2

from inference import allocator, cuda, library, memory, sizes
from inference.measures import Measures
from inference.pace import Load
from inference.prefixes import Prefixes
from inference.request import (
    ContextTooLong,
    EngineBusy,
    EngineClosed,
    EngineError,
    Finish,
    FinishReason,
    Request,
    Sampling,
)
from inference.row import OnFinish, OnToken
from inference.scheduler import Scheduler
from inference.threads import Threads, cores

__all__ = [
    "ContextTooLong",
    "Engine",
    "EngineBusy",
    "EngineClosed",
    "EngineError",
    "Finish",
    "FinishReason",
    "Load",
    "OnFinish",
    "OnToken",
    "Request",
    "Sampling",
]

# A backlog this long is minutes of work on any device; longer only hides from people that nobody will answer soon.
MAX_WAITING = 256

# New arrivals start on one replica while the other decodes; more of them only compete for the same cores.
REPLICAS = 2

# Rows of one replica: on a CPU a step's work grows with its rows and sixteen fill it; a GPU hardly notices 64.
ROWS = {"cpu": 16, "cuda": 64}

# Of the memory for states, what shared beginnings may keep for good.
KEPT = 0.25

# The first call builds what later ones use (a GPU's kernels), the longest prompts make the largest buffers. On a CPU
# they cost more than they save: 20 s of every core for 2,048 tokens of half a billion weights.
WARM_UP_TOKENS = 4
WARM_UP_LONGEST = {"cpu": 256, "cuda": 2048}


class Engine:
    """One model and all that is asked of it. Safe for any number of threads.

    Close it before the process ends, best with a `with` block: a process that exits with a loaded Generator aborts.
    Where the main thread ends first, the engine closes itself.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        compute_type: str = "default",
        inter_threads: int = 0,
        intra_threads: int = 0,
        max_waiting: int = MAX_WAITING,
        max_rows: int = 0,
        memory_bytes: int = 0,
        prefixes: Iterable[tuple[int, ...]] = (),
        measures: Measures | None = None,
    ) -> None:
        """Loads the model (seconds). device "auto" is cuda where there is one. 0 means chosen: inter_threads (replicas)
        by the cores, intra_threads (cores of each) by how many compute at the moment, max_rows (decoded at once, all
        replicas) by the device, memory_bytes (for attention states) by what is free. `prefixes` are beginnings to keep
        ready, as token ids; others are learned. Raises library.ModelIncomplete, or EngineError where CTranslate2
        cannot load it."""
        library.read_folder(folder, name=folder.name)
        vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        index = {token: i for i, token in enumerate(vocabulary)}
        ends = library.end_token_ids(folder, token_id=index.get)
        self.context_length = library.context_length(folder)
        self.end_token_ids = tuple(i for i in ends if i < len(vocabulary))
        self.device = cuda.choose(device, count=ctranslate2.get_cuda_device_count)
        self.measures = measures or Measures()
        allocator.use_one_arena()
        replicas = inter_threads or min(REPLICAS, cores())
        generator = load(
            ctranslate2.Generator,
            folder,
            device=self.device,
            compute_type=compute_type,
            inter_threads=replicas,
            intra_threads=intra_threads or max(1, cores() // replicas),
        )
        self.slots = max_rows or ROWS[self.device] * replicas
        self._vocabulary = len(vocabulary)
        budget = memory.Memory(
            _sizes(folder), generator.compute_type, size=memory_bytes or memory.free(self.device)
        )
        self._prefixes = Prefixes(map(tuple, prefixes), tokens=int(budget.tokens * KEPT))
        self._scheduler = Scheduler(
            generator,
            tokens=vocabulary,
            ends=self.end_token_ids,
            replicas=replicas,
            slots=self.slots,
            max_waiting=max_waiting,
            memory=budget,
            prefixes=self._prefixes,
            threads=Threads(cores(), fixed=bool(intra_threads) or self.device != "cpu"),
            measures=self.measures,
        )

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        return self._scheduler.waiting

    @property
    def running(self) -> int:
        return self._scheduler.running

    def load(self) -> Load:
        """What there is to do, and how fast it goes."""
        return self._scheduler.load()

    def submit(self, request: Request, *, on_token: OnToken, on_finish: OnFinish) -> None:
        """Takes a request and returns at once.

        on_token gets each new token's id, never the end token, inside the decoding loop of its whole cohort: be quick
        (append to a deque, set an event). What it raises ends the request as an error. on_finish comes exactly once,
        after the last token, on a thread that tells the ends of all: be quick there too. Neither may call close().

        max_tokens is cut to what fits into the context. Raises ContextTooLong, EngineBusy, EngineClosed, and
        EngineError for an id that the model does not have or a request id that is in flight already.
        """
        budget = self._budget(request)
        self._scheduler.submit(request, budget=budget, on_token=on_token, on_finish=on_finish)

    def cancel(self, request_id: str) -> None:
        """Ends a request: at once where it waits or is read, within one decoding step where it makes tokens. Unknown
        ids are ignored."""
        self._scheduler.cancel(request_id)

    def warm_up(self) -> None:
        """Blocks until kernels, buffers and shared beginnings are ready, so that nobody waits for them later. Raises
        EngineError when the model fails."""
        some = self.end_token_ids[:1] or (0,)
        self._warm(some * 8)
        for prefix in self._prefixes:
            self._warm(prefix + some * 2, prefix=len(prefix))
        longest = min(WARM_UP_LONGEST[self.device], self.context_length - WARM_UP_TOKENS)
        while longest > 8:  # half of it, where the device is too small
            try:
                self._warm(some * longest)
                break
            except EngineError:
                longest //= 2
        self._scheduler.begin_anew()

    def close(self) -> None:
        """Takes nothing more, cancels all, waits until nothing runs (a prefill is not cut short), drops the model.
        Every on_finish has been called when it returns. Call it as often as you like, from any thread but ours."""
        self._scheduler.close()

    def _warm(self, prompt: tuple[int, ...], *, prefix: int = 0) -> None:
        done, ends = threading.Event(), list[Finish]()

        def on_finish(finish: Finish) -> None:
            ends.append(finish)
            done.set()

        sampling = Sampling(max_tokens=WARM_UP_TOKENS, ignore_eos=True)
        request = Request(id=f"warm-up {len(prompt)}", prompt=prompt, sampling=sampling, prefix=prefix)
        self.submit(request, on_token=lambda _: None, on_finish=on_finish)
        done.wait()
        if ends[0].reason == "error":
            raise EngineError(f"The model failed at its first answer: {ends[0].error}")

    def _budget(self, request: Request) -> int:
        used = len(request.prompt) + len(request.emitted)
        room = self.context_length - used
        if not request.prompt:
            raise EngineError("The prompt is empty.")
        if not request.emitted and room < 1:
            raise ContextTooLong(prompt_tokens=used, context_length=self.context_length)
        ids = request.prompt + request.emitted
        if not 0 <= min(ids) <= max(ids) < self._vocabulary:
            raise EngineError(
                f"The prompt has a token id that the model lacks: its ids end at {self._vocabulary - 1}."
            )
        return min(request.sampling.max_tokens - len(request.emitted), room)


def _sizes(folder: Path) -> sizes.Sizes:
    try:
        return sizes.read(folder)
    except ValueError as error:
        raise EngineError(str(error)) from error


def load(kind: Callable[..., Any], folder: Path, **options: Any) -> Any:
    """CTranslate2's Generator or Translator of a folder; it never refuses a call, since the line before it is ours.
    Raises EngineError."""
    try:
        return kind(str(folder), max_queued_batches=-1, **options)
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"CTranslate2 cannot load {folder}: {error}") from error
