"""One request on its way through the engine: what it may be decoded with, what it has made, how it ended.

Knows CTranslate2's words, and holds no model: which rows wait, run or are closed is the engine's business.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from inference.request import Finish, Request, Sampling

OnToken = Callable[[int], None]
OnFinish = Callable[[Finish], None]

# CTranslate2's CUDA top-k kernel is made for these; top-p alone fails beyond 8192 tokens.
TOP_K = (1, 2, 4, 6, 8, 10, 16, 32, 64)
LARGEST_TOP_K = TOP_K[-1]

# Tokens of attention states that a row is given room for ahead of what it has made. Few answers are longer, and most
# clients of the API name no limit: room for a whole context each would let one row run at a time.
AHEAD = 512

# A shorter prompt makes CTranslate2 pass the prompts of its whole batch to the callback as if they were new.
SHORTEST = 2


@dataclass(frozen=True, slots=True)
class Key:
    """What rows must have in common to be decoded together: CTranslate2 takes one set of options a call.

    Options are rounded (temperature to 0.1, top_p and the penalty to 0.05, top_k up to one of TOP_K), so that more rows
    meet. `apart` keeps rows from others that they could not share steps with.
    """

    ends: tuple[int, ...]
    min_tokens: int
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    prefix: tuple[int, ...]
    apart: str

    def options(self, *, vocabulary: int) -> dict[str, Any]:
        """For generate_batch, which stays greedy unless top_k says otherwise."""
        options: dict[str, Any] = {
            "end_token": list(self.ends),
            "min_length": self.min_tokens,
            "repetition_penalty": self.repetition_penalty,
        }
        if self.temperature:
            options["sampling_temperature"] = self.temperature
            options["sampling_topk"] = min(self.top_k, vocabulary)
            options["sampling_topp"] = self.top_p
        return options


@dataclass(slots=True, eq=False)
class Row:
    """One request. Its decoding loop writes `made` and `times`; anyone may set `cancelled` and call `end`."""

    request: Request
    on_token: OnToken
    on_finish: OnFinish
    budget: int  # tokens it may still emit, `made` included
    key: Key
    arrived: float
    resumed: tuple[int, ...] = ()  # emitted before, here or elsewhere: read, not passed on again
    cancelled: bool = False
    cohort: object | None = None  # in whose batch it has its place
    began: float | None = None  # when its first cohort did
    alone: int = 0  # times the device was full although nothing else was on it
    parked: bool = False  # to leave its batch with the next token, and wait for room
    finish: Finish | None = None
    made: list[int] = field(default_factory=list)  # in the present cohort
    times: list[float] = field(default_factory=list)  # of all tokens made here
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def decoded(self) -> bool:
        return self.cohort is not None

    @property
    def prompt(self) -> int:
        """Tokens of the prompt behind the shared prefix."""
        return len(self.request.prompt) - len(self.key.prefix)

    @property
    def length(self) -> int:
        """Tokens to read before the first new one, behind the shared prefix."""
        return self.prompt + len(self.resumed)

    @property
    def held(self) -> int:
        """Tokens whose attention states it holds while it is decoded."""
        return len(self.request.prompt) + len(self.resumed) + len(self.made)

    @property
    def size(self) -> int:
        """Tokens that it is given room for: what it holds, and what it makes next."""
        return self.held + min(self.budget - len(self.made), AHEAD)

    def ended_early(self, now: float) -> Finish | None:
        if self.cancelled:
            return Finish("cancelled")
        deadline = self.request.deadline
        return Finish("deadline") if deadline is not None and now >= deadline else None

    def end(self, finish: Finish) -> bool:
        """Whether this end was the first: no token is passed after it."""
        with self.lock:
            if self.finish is not None:
                return False
            self.finish = finish
            return True

    def interrupt(self) -> None:
        """Its cohort broke: what it has made becomes what it resumes from."""
        self.resumed += tuple(self.made)
        self.budget -= len(self.made)
        self.key = replace(self.key, min_tokens=max(0, self.key.min_tokens - len(self.made)))
        self.made = []
        self.parked = False


def key_of(request: Request, *, budget: int, ends: tuple[int, ...], prefix: tuple[int, ...]) -> Key:
    """A request's rounded options, and whether anything keeps it from sharing steps. `budget`: tokens it may make."""
    sampling = request.sampling
    temperature = round(sampling.temperature, 1)
    penalty = max(0.05, _rounded(sampling.repetition_penalty))
    return Key(
        ends=() if sampling.ignore_eos else ends,
        min_tokens=max(0, min(budget, sampling.min_tokens - len(request.emitted))),
        temperature=temperature,
        top_k=_top_k(sampling) if temperature else 1,
        top_p=max(0.05, _rounded(sampling.top_p)) if temperature else 1.0,
        repetition_penalty=penalty,
        prefix=prefix,
        apart=_apart(request, penalised=penalty != 1.0),
    )


def _apart(request: Request, *, penalised: bool) -> str:
    if len(request.prompt) < SHORTEST or (penalised and request.emitted):
        return request.id
    # What is fed by steps counts as said before: only prompts of one length are all read in one go.
    return str(len(request.prompt)) if penalised else ""


def _rounded(value: float) -> float:
    return round(value * 20) / 20


def _top_k(sampling: Sampling) -> int:
    wanted = sampling.top_k or LARGEST_TOP_K
    return next((k for k in TOP_K if k >= wanted), LARGEST_TOP_K)
