"""One cohort's way through CTranslate2: a single call, whose callback gives each row its tokens and its end.

Knows the steps of one call. Who is in the cohort, and what becomes of a row afterwards, is decided elsewhere.
"""

import time
from collections.abc import Callable
from typing import Any

from inference.cohorts import Cohort
from inference.measures import Measures
from inference.pace import Pace
from inference.request import Finish
from inference.row import Row
from inference.threads import Threads

# Of so many steps, one is looked at for how long the callback took.
_SAMPLED = 16


class Decoding:
    """Made for one `run`. The callback comes in CTranslate2's thread, for each row in each step, under the GIL and
    inside the decoding loop: it appends, compares and returns, and never raises, since that would end every row."""

    def __init__(
        self,
        cohort: Cohort,
        *,
        tokens: list[str],
        pace: Pace,
        threads: Threads,
        measures: Measures,
        on_end: Callable[[Row], None],
    ) -> None:
        """`tokens` is the vocabulary; `on_end` is told each row whose end has come or that was parked, and each that
        has made room, in the loop: be quick."""
        self._cohort = cohort
        self._rows = cohort.rows
        self._ends = frozenset(cohort.rows[0].key.ends)
        self._tokens = tokens
        self._pace = pace
        self._threads = threads
        self._measures = measures
        self._on_end = on_end
        self._left = len(cohort.rows)
        self._leaving: list[Row] = []  # told, and in the batch until this step is over
        self._step = -1
        self._at = 0.0
        self._share = 0

    def run(self, generator: Any) -> None:
        """Decodes until the last row has ended. Raises what CTranslate2 raises."""
        key = self._rows[0].key
        prompts = [self._words(row) for row in self._rows]
        if self._cohort.companion is not None:
            prompts.append([self._tokens[i] for i in self._cohort.companion])
        options = key.options(vocabulary=len(self._tokens))
        if key.prefix:
            options["static_prompt"] = [self._tokens[i] for i in key.prefix]
        self._at = time.monotonic()
        generator.generate_batch(
            prompts,
            max_length=max(row.budget for row in self._rows),
            include_prompt_in_result=False,
            callback=self._on_token,
            **options,
        )

    def _read(self) -> int:
        """Tokens that the first step has read in one go, of all rows."""
        return self._cohort.base * len(self._rows)

    def _words(self, row: Row) -> list[str]:
        prompt = row.request.prompt[len(row.key.prefix) :] + row.resumed
        return [self._tokens[i] for i in prompt]

    def _on_token(self, result: Any) -> bool:
        """Whether the row leaves the batch with this token."""
        now = time.monotonic()
        if result.step != self._step:
            self._on_step(result.step, now)
        if result.batch_id == len(self._rows):
            return True  # the companion was only there to be read
        row = self._rows[result.batch_id]
        leaves = _give(row, result.token_id, ends=self._ends, now=now) or row.parked
        if leaves:
            self._left -= 1
            self._leaving.append(row)
            self._on_end(row)
        if result.step % _SAMPLED == 0:
            self._measures.callback.observe(time.monotonic() - now)
        return leaves

    def _on_step(self, step: int, now: float) -> None:
        if self._step < 0:
            self._pace.on_prefill(tokens=self._read(), seconds=now - self._at)
        else:
            self._pace.on_step(rows=self._left, seconds=(now - self._at) / (step - self._step))
        self._step, self._at = step, now
        for row in self._leaving:
            if row.cohort is self._cohort:
                row.cohort = None
                self._on_end(row)  # once more: there is room now
        self._leaving.clear()
        if self._share != self._threads.share:
            self._share = self._threads.share
            self._threads.apply(self._share)


def _give(row: Row, token: int, *, ends: frozenset[int], now: float) -> bool:
    """The token to its row; whether it was the row's last."""
    with row.lock:
        if row.finish is None:
            row.finish = row.ended_early(now) or _taken(row, token, ends=ends, now=now)
        return row.finish is not None


def _taken(row: Row, token: int, *, ends: frozenset[int], now: float) -> Finish | None:
    if token in ends:
        return Finish("stop")
    row.made.append(token)
    row.times.append(now)
    try:
        row.on_token(token)
    except Exception as error:  # the reader's trouble ends this row alone
        return Finish("error", f"{type(error).__name__}: {error}")
    return Finish("length") if len(row.made) >= row.budget else None
