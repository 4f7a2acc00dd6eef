"""One request on its way through the decoding loop: its options for CTranslate2, its callback, its end.

Knows CTranslate2's words, and holds no model: which rows wait, run or are closed is the engine's business.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inference.request import Finish, Request

OnToken = Callable[[int], None]
OnFinish = Callable[[Finish], None]

# CTranslate2's CUDA top-k and top-p kernels are made for k of 64 at most; top-p alone fails beyond 8192 tokens.
LARGEST_TOP_K = 64

# Logits divided by less overflow in half precision; so cold a choice is greedy anyway.
LEAST_TEMPERATURE = 0.01


@dataclass(slots=True, eq=False)
class Row:
    """One request on its way. Only its replica's thread writes `finish`; anyone may set `cancelled`."""

    request: Request
    on_token: OnToken
    on_finish: OnFinish
    budget: int  # tokens it may still emit
    cancelled: bool = False
    finish: Finish | None = None

    def expired(self, now: float) -> bool:
        return self.request.deadline is not None and now >= self.request.deadline

    def ended_early(self) -> Finish | None:
        if self.cancelled:
            return Finish("cancelled")
        return Finish("deadline") if self.expired(time.monotonic()) else None


def step_of(row: Row, ends: frozenset[int]) -> Callable[[Any], bool]:
    """The callback of one row: called for each token under the GIL inside the decoding loop. True ends the row; it
    never raises, since that would end every row of the batch."""
    on_token, deadline, budget = row.on_token, row.request.deadline, row.budget

    def step(result: Any) -> bool:
        nonlocal budget
        try:
            if row.cancelled or (deadline is not None and time.monotonic() >= deadline):
                row.finish = row.ended_early()
                return True
            token: int = result.token_id
            if token in ends:
                row.finish = Finish("stop")
                return True
            on_token(token)
            budget -= 1
        except Exception as error:
            row.finish = Finish("error", f"{type(error).__name__}: {error}")
            return True
        return budget <= 0

    return step


def options_of(row: Row, *, vocabulary: int) -> dict[str, Any]:
    """generate_batch's options for one row. CTranslate2 stays greedy unless top_k says otherwise."""
    sampling = row.request.sampling
    options = {
        "max_length": row.budget,
        "min_length": max(0, min(row.budget, sampling.min_tokens - len(row.request.emitted))),
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.temperature >= LEAST_TEMPERATURE:
        options["sampling_temperature"] = sampling.temperature
        options["sampling_topk"] = min(sampling.top_k or LARGEST_TOP_K, LARGEST_TOP_K, vocabulary)
        options["sampling_topp"] = sampling.top_p
    return options
