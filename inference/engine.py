"""Token ids in, token ids out, one by one: a queue, the ctranslate2.Generator behind it, and the end of every request.

Knows one loaded model and its threads. Knows no text, no people and no queue server; `chat` makes prompts, `text` text.
"""

import json
import logging
import os
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

import ctranslate2

from inference import library
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
from inference.row import OnFinish, OnToken, Row, options_of, step_of

__all__ = [
    "ContextTooLong",
    "Engine",
    "EngineBusy",
    "EngineClosed",
    "EngineError",
    "Finish",
    "FinishReason",
    "OnFinish",
    "OnToken",
    "Request",
    "Sampling",
]

# A backlog this long is minutes of work on any device; longer only hides from people that nobody will answer soon.
MAX_WAITING = 256

# Seconds between looks at whether the main thread has ended without close(); costs some 20 microseconds each.
_EXIT_CHECK = 0.5

_log = logging.getLogger(__name__)


class Engine:
    """One model, its replicas and their queue, first come first served.

    Each of `inter_threads` replicas (they share the weights) decodes one request at a time on a thread of its own; one
    more thread ends requests that are cancelled or too late while they wait. A request goes to CTranslate2 only when a
    replica is free, since nothing can be taken back from CTranslate2's own queue.

    Close it before the process ends, best with a `with` block: a process that exits with a loaded Generator aborts.
    Where the main thread ends first, the engine closes itself.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        compute_type: str = "default",
        inter_threads: int = 1,
        intra_threads: int = 0,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Loads the model (seconds). device "auto" is cuda where there is one; intra_threads 0 shares the cores among
        the replicas. Raises library.ModelIncomplete, or EngineError where CTranslate2 cannot load it."""
        library.read_folder(folder, name=folder.name)
        vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        self._tokens: list[str] = vocabulary
        index = {token: i for i, token in enumerate(vocabulary)}
        ends = library.end_token_ids(folder, token_id=index.get)
        self.context_length = library.context_length(folder)
        self.end_token_ids = tuple(i for i in ends if i < len(vocabulary))
        self.device = (
            ("cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu") if device == "auto" else device
        )
        self._max_waiting = max_waiting
        self._generator: Any = _load(
            folder,
            device=self.device,
            compute_type=compute_type,
            inter_threads=inter_threads,
            intra_threads=intra_threads or max(1, _cores() // inter_threads),
        )
        self._rows: dict[str, Row] = {}  # all that wait or run
        self._waiting: deque[Row] = deque()
        self._closed = False
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # replicas wait for rows
        self._look = threading.Condition(self._lock)  # the watcher waits for something to end early
        self._closing = threading.Lock()
        self._threads = [
            threading.Thread(target=self._serve, name=f"engine-{number}") for number in range(inter_threads)
        ]
        self._watcher = threading.Thread(target=self._watch, name="engine-watch")
        for thread in (*self._threads, self._watcher):
            thread.start()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        with self._lock:
            return len(self._rows) - len(self._waiting)

    def submit(self, request: Request, *, on_token: OnToken, on_finish: OnFinish) -> None:
        """Takes a request and returns at once.

        on_token gets each new token's id, never the end token, on the engine's thread inside the decoding loop: be
        quick (append to a deque, set an event). What it raises ends the request as an error. on_finish comes exactly
        once, after the last token, also on an engine thread. Neither may call close().

        max_tokens is cut to what fits into the context. Raises ContextTooLong, EngineBusy, EngineClosed, and
        EngineError for an id that the model does not have or a request id that is in flight already.
        """
        row = Row(request, on_token, on_finish, budget=self._budget(request))
        with self._lock:
            if self._closed:
                raise EngineClosed("The engine is shutting down.")
            if request.id in self._rows:
                raise EngineError(f"A request with the id {request.id} is in flight already.")
            if len(self._waiting) >= self._max_waiting:
                raise EngineBusy(f"{len(self._waiting)} requests are waiting already.")
            self._rows[request.id] = row
            self._waiting.append(row)
            self._work.notify()
            if row.expired(time.monotonic() + _EXIT_CHECK):
                self._look.notify()  # any later deadline is seen in time, since the watcher looks this often

    def cancel(self, request_id: str) -> None:
        """Ends a request: at once where it waits, within one decoding step where it runs. Unknown ids are ignored."""
        with self._lock:
            row = self._rows.get(request_id)
            if row is not None:
                row.cancelled = True
                self._look.notify()

    def close(self) -> None:
        """Takes nothing more, cancels all, waits until nothing runs (a prefill is not cut short), drops the model.
        Every on_finish has been called when it returns. Call it as often as you like, from any thread but ours."""
        with self._closing:
            self._cancel_all()
            self._watcher.join()
            self._drop()

    def _cancel_all(self) -> None:
        with self._lock:
            self._closed = True
            for row in self._rows.values():
                row.cancelled = True
            self._work.notify_all()
            self._look.notify()

    def _drop(self) -> None:
        """CTranslate2 counts a batch as done only once it has let go of our callback in its own thread: leaving the
        interpreter earlier aborts the process."""
        for thread in self._threads:
            thread.join()
        while self._generator is not None and self._generator.num_active_batches:
            time.sleep(0.001)
        self._generator = None

    def _budget(self, request: Request) -> int:
        used = len(request.prompt) + len(request.emitted)
        room = self.context_length - used
        if not request.prompt:
            raise EngineError("The prompt is empty.")
        if not request.emitted and room < 1:
            raise ContextTooLong(prompt_tokens=used, context_length=self.context_length)
        ids = request.prompt + request.emitted
        if not 0 <= min(ids) <= max(ids) < len(self._tokens):
            raise EngineError(
                f"The prompt has a token id that the model lacks: its ids end at {len(self._tokens) - 1}."
            )
        return min(request.sampling.max_tokens - len(request.emitted), room)

    def _serve(self) -> None:
        """One replica's thread: takes the oldest waiting row, decodes it to its end, and again."""
        while True:
            with self._lock:
                self._work.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                row = self._waiting.popleft()
            try:
                finish = self._decode(row)
            except (
                Exception
            ) as error:  # whatever CTranslate2 raises (out of memory, a broken model) ends one request
                finish = Finish("error", f"{type(error).__name__}: {error}")
            self._end(row, finish)

    def _decode(self, row: Row) -> Finish:
        early = row.ended_early()
        if early is not None:
            return early
        if row.budget < 1:
            return Finish("length")
        ends = () if row.request.sampling.ignore_eos else self.end_token_ids
        self._generator.generate_batch(
            [[self._tokens[i] for i in row.request.prompt + row.request.emitted]],
            include_prompt_in_result=False,
            end_token=list(ends),
            callback=step_of(row, frozenset(ends)),
            **options_of(row, vocabulary=len(self._tokens)),
        )
        return row.finish or Finish("length")

    def _end(self, row: Row, finish: Finish) -> None:
        with self._lock:
            del self._rows[row.request.id]
            if self._closed:
                self._look.notify()
        try:
            row.on_finish(finish)
        except Exception:
            _log.exception("on_finish of request %s failed", row.request.id)

    def _watch(self) -> None:
        """Ends waiting rows that are cancelled or too late, and closes the engine where nobody did."""
        while True:
            if not threading.main_thread().is_alive():
                self._cancel_all()
            for row, finish in self._take_ended():
                self._end(row, finish)
            with self._lock:
                if self._closed and not self._rows:
                    break
                self._look.wait(timeout=self._patience())
        if not threading.main_thread().is_alive():
            self._drop()

    def _take_ended(self) -> list[tuple[Row, Finish]]:
        with self._lock:
            ended = [(row, finish) for row in self._waiting if (finish := row.ended_early()) is not None]
            for row, _ in ended:
                self._waiting.remove(row)
            return ended

    def _patience(self) -> float:
        """Seconds until something may have to be ended."""
        if any(row.cancelled for row in self._waiting):
            return 0  # since the last look
        now = time.monotonic()
        deadlines = [row.request.deadline - now for row in self._waiting if row.request.deadline is not None]
        return max(0, min([_EXIT_CHECK, *deadlines]))


def _load(folder: Path, **options: Any) -> Any:
    try:
        return ctranslate2.Generator(str(folder), **options)
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"CTranslate2 cannot load {folder}: {error}") from error


def _cores() -> int:
    if hasattr(
        os, "sched_getaffinity"
    ):  # Linux: those we may use, fewer than there are in a limited container
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
