"""What the engine is asked and what it answers: requests, sampling options, ends and errors. Plain values only.

Knows neither CTranslate2 nor threads, so that whoever makes a request need not load them.
"""

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "cancelled", "deadline"]


class EngineError(Exception):
    """This request cannot be run here; the message says why in a sentence.

    EngineError
    ├── ContextTooLong   the prompt leaves no room for an answer
    ├── EngineBusy       max_waiting requests wait already
    └── EngineClosed     close() was called
    """


class ContextTooLong(EngineError):
    """`prompt_tokens` do not fit into `context_length` together with at least one token of answer."""

    def __init__(self, *, prompt_tokens: int, context_length: int) -> None:
        super().__init__(
            f"This conversation is {prompt_tokens} tokens long, and the model takes {context_length - 1} at most "
            f"(its context of {context_length} less one for the answer)."
        )
        self.prompt_tokens = prompt_tokens
        self.context_length = context_length


class EngineBusy(EngineError):
    pass


class EngineClosed(EngineError):
    pass


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens. `max_tokens` counts the whole answer, tokens emitted before a resume included, as does
    `min_tokens`. temperature 0 is greedy and ignores the rest; top_k is cut to 64, 0 means 64. Values are rounded so
    that more requests can be decoded together (`row.Key`). Raises ValueError."""

    max_tokens: int
    temperature: float = 0.0
    top_k: int = 64
    top_p: float = 1.0
    min_tokens: int = 0
    ignore_eos: bool = False  # end tokens are then tokens like any other
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        rules = {
            "max_tokens must be 1 or more": self.max_tokens >= 1,
            "temperature must be 0 or more": self.temperature >= 0,
            "top_k must be 0 or more": self.top_k >= 0,
            "top_p must be above 0 and at most 1": 0 < self.top_p <= 1,
            "min_tokens must be 0 or more": self.min_tokens >= 0,
            "repetition_penalty must be above 0": self.repetition_penalty > 0,
        }
        for rule, kept in rules.items():
            if not kept:
                raise ValueError(rule)


@dataclass(frozen=True, slots=True)
class Request:
    """One answer to make. `emitted` are its ids that an earlier attempt has shown: read, and not passed again.

    A greedy answer goes on as if it had never been interrupted (exactly so in float32, and in int8 where the emitted
    tokens are few enough to be fed through decoding steps). With a repetition penalty it does so only if they were fed:
    CTranslate2 counts what it has stepped through, not what it has read.
    """

    id: str
    prompt: tuple[int, ...]
    sampling: Sampling
    emitted: tuple[int, ...] = ()
    deadline: float | None = None  # time.monotonic() seconds
    prefix: int = 0  # leading prompt tokens that many requests share (the system prompt): a hint
    bulk: bool = False  # nobody waits at a screen: others go first


@dataclass(frozen=True, slots=True)
class Finish:
    """`error` is the cause for operators, empty unless the reason is "error"."""

    reason: FinishReason | Literal["error"]
    error: str = ""
