"""One engine and the clock: how long until the first token, how many tokens a second for so many rows.

Knows the engines' common interface. What the figures mean, and whose they are, is said elsewhere.
"""

from __future__ import annotations

import re
import statistics
import threading
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

from inference.bench.plan import NotMeasured, Plan
from inference.request import Request, Sampling

# As many as an engine may have.
REPLICAS = 2

Clock = Callable[[], float]


def repeated(once: Callable[[], float], *, plan: Plan, clock: Clock) -> float:
    """The median of as many values as the plan allows."""
    begun, values = clock(), [once()]
    while len(values) < plan.repeats and clock() - begun < plan.seconds:
        values.append(once())
    return statistics.median(values)


def speed_of_texts(
    read: Callable[[Sequence[str]], object], texts: Sequence[str], *, plan: Plan, clock: Clock
) -> float:
    """Texts a second, asked for all at once."""

    def once() -> float:
        begun = clock()
        read(texts)
        return len(texts) / (clock() - begun)

    return repeated(once, plan=plan, clock=clock)


def sentences(text: str) -> list[str]:
    """The text's sentences in turn, over and over where it has few: 64 of them."""
    found = [part.strip() for part in re.split(r"(?<=[.!?。])\s+|(?<=[。!?])|\n{2,}", text)]
    return list(islice(cycle([part for part in found if len(part) > 3] or [text]), 64))


class Timing:
    """Asks one engine and looks at the clock."""

    def __init__(self, engine: Any, ids: Sequence[int], *, plan: Plan, clock: Clock) -> None:
        self._engine = engine
        self._ids = cycle(
            ids
        )  # each prompt goes on where the last one ended, so that hardly any is asked twice
        self._plan = plan
        self._clock = clock
        self._asked = 0

    def firsts(self) -> tuple[dict[str, dict[str, float]], list[str]]:
        """Seconds until the first token, by the prompt's length; and what had to be clipped."""
        most = self._engine.context_length - 1
        self._warm(1)
        self._ask(
            1, prompt=min(max(self._plan.firsts), most), tokens=1
        )  # the longest makes the largest buffers
        found, notes = {}, []
        for wanted in self._plan.firsts:
            tokens = min(wanted, most)
            if tokens < wanted:
                notes.append(f"its context takes {tokens} tokens of prompt, so {wanted} were not measured")
            seconds = self._repeated(lambda length=tokens: self._ask(1, prompt=length, tokens=1)[0])  # type: ignore[misc]
            found[str(wanted)] = {"tokens": tokens, "seconds": seconds}
        return found, notes

    def speed(self, rows: int) -> float:
        """New tokens a second of all rows together, from asking to the last token."""
        prompt = max(2, min(self._plan.prompt, self._engine.context_length // 2))
        tokens = max(1, min(self._plan.tokens, self._engine.context_length - prompt))
        self._warm(rows)
        return self._repeated(lambda: rows * tokens / self._ask(rows, prompt=prompt, tokens=tokens)[1])

    def _warm(self, rows: int) -> None:
        """An engine's replicas serve by turns, and each is slow the first time that it meets so many rows."""
        for _ in range(REPLICAS):
            self._ask(rows, prompt=max(2, min(8, self._engine.context_length - 2)), tokens=2)

    def _repeated(self, once: Callable[[], float]) -> float:
        return repeated(once, plan=self._plan, clock=self._clock)

    def _ask(self, rows: int, *, prompt: int, tokens: int) -> tuple[float, float]:
        """Seconds to the first token of any row, and to the last of all."""
        sampling = Sampling(max_tokens=tokens, ignore_eos=True)
        requests = [
            Request(id=str(self._asked + row), prompt=tuple(islice(self._ids, prompt)), sampling=sampling)
            for row in range(rows)
        ]
        self._asked += rows
        times, ends, over = list[float](), list[Any](), threading.Event()

        def on_token(_: int) -> None:
            times.append(self._clock())

        def on_finish(finish: Any) -> None:
            ends.append(finish)
            if len(ends) == rows:
                over.set()

        begun = self._clock()
        for request in requests:
            self._engine.submit(request, on_token=on_token, on_finish=on_finish)
        over.wait()
        if broken := [finish for finish in ends if finish.reason == "error"]:
            raise NotMeasured(f"It failed while it answered: {broken[0].error}")
        if len(times) != rows * tokens:
            raise NotMeasured(f"It made {len(times)} tokens where {rows * tokens} were asked for.")
        return min(times) - begun, max(times) - begun
