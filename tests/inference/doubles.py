"""A ctranslate2.Generator that is watched, or fails as a full device does; the real one does the work inside.

No GPU is at hand where these tests run, so running out of memory is played: the message is CTranslate2's own.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ctranslate2
import pytest

OUT_OF_MEMORY = "CUDA failed with error out of memory"


@dataclass
class Watch:
    """What was asked of every Generator made while it watched, and the most rows any moment had in them."""

    calls: list[list[list[str]]] = field(
        default_factory=list
    )  # the rows of each call, in the order of the calls
    options: list[dict[str, Any]] = field(default_factory=list)
    most: int = 0
    rows: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, rows: list[list[str]], options: dict[str, Any]) -> None:
        with self.lock:
            self.calls.append(rows)
            self.options.append(options)
            self.rows += len(rows)
            self.most = max(self.most, self.rows)

    def end(self, rows: int = 1) -> None:
        with self.lock:
            self.rows -= rows


Fault = Callable[[int, list[list[str]], int], bool]
"""(number of the call, its rows, callbacks so far in it) -> whether the device is full now."""


def _never(call: int, rows: list[list[str]], steps: int) -> bool:
    return False


def above(limit: int) -> Fault:
    """Full from the start wherever more rows than this are asked for."""
    return lambda call, rows, steps: steps == 0 and len(rows) > limit


def once_after(callbacks: int) -> Fault:
    """Full once: in the first call of more than one row that comes so far."""
    left = itertools.count()

    def full(call: int, rows: list[list[str]], steps: int) -> bool:
        return len(rows) > 1 and steps >= callbacks and next(left) == 0

    return full


def _double(real: Any, watch: Watch, fault: Fault) -> type:
    numbers = itertools.count()

    class Double:
        def __init__(self, *args: Any, **options: Any) -> None:
            self._real = real(*args, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def generate_batch(
            self,
            start_tokens: list[list[str]],
            *,
            callback: Callable[[Any], bool] | None = None,
            **options: Any,
        ) -> Any:
            assert not options.get("asynchronous"), (
                "the double can only watch calls that return when they are done"
            )
            call, steps, over = next(numbers), 0, set()
            watch.begin(start_tokens, options)

            def step(result: Any) -> bool:
                nonlocal steps
                if fault(call, start_tokens, max(1, steps)):
                    raise RuntimeError(
                        OUT_OF_MEMORY
                    )  # as from within: CTranslate2 lets go of the whole batch
                steps += 1
                done = callback is not None and callback(result)
                if (done or result.is_last) and result.batch_id not in over:
                    over.add(result.batch_id)
                    watch.end()
                return done

            try:
                if fault(call, start_tokens, 0):
                    raise RuntimeError(OUT_OF_MEMORY)
                return self._real.generate_batch(start_tokens, callback=callback and step, **options)
            finally:
                watch.end(len(start_tokens) - len(over))

    return Double


@contextmanager
def watched(fault: Fault = _never) -> Iterator[Watch]:
    """Every Generator made in this block is watched, and fails where `fault` says."""
    watch = Watch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctranslate2, "Generator", _double(ctranslate2.Generator, watch, fault))
        yield watch
