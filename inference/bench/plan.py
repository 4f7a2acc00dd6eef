"""How much is measured, and what one turn is told and tells: plain values that go between two processes as JSON.

Knows no model and no clock.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured. A figure of a turn is the median of as many runs as `seconds` allow, `repeats` at most."""

    rounds: int = 3
    rows: tuple[int, ...] = (1, 8)
    tokens: int = 64  # new ones, of each row
    prompt: int = 32  # tokens before them
    firsts: tuple[int, ...] = (128, 1024)  # prompts whose first token is waited for
    seconds: float = 1.0
    repeats: int = 25
    scored: int = 4096  # tokens of the text, at most

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        return cls(**{**value, "rows": tuple(value["rows"]), "firsts": tuple(value["firsts"])})


QUICK = Plan(rounds=2, tokens=16, seconds=0.2, repeats=5, scored=512)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One turn. `score`: also what need not be measured in every round."""

    path: str
    text: str
    device: str
    plan: Plan
    score: bool

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Task:
        value = json.loads(line)
        return cls(**{**value, "plan": Plan.from_json(value["plan"])})


@dataclass(slots=True, kw_only=True)
class Reading:
    """What came of one turn. What could not be measured is None or empty, and `notes` say why."""

    device: str = ""
    load_seconds: float = 0.0
    per_second: dict[str, float] = field(default_factory=dict)  # rows -> tokens or texts
    first_token: dict[str, dict[str, float]] = field(default_factory=dict)  # wanted -> tokens, seconds
    memory: int = 0
    device_memory: int | None = None
    runs_as: str = ""
    free: int = 0  # bytes that the engine may take for conversations, the weights being loaded
    room: int | None = None  # tokens of conversations that fit into them
    loss: float | None = None  # nats a token of the text: the logarithm of its perplexity
    scored: int = 0  # tokens of the text, or texts
    vocabulary: int = 0
    outputs: list[list[float]] = field(default_factory=list)  # of a classifier or embedder, one a text
    notes: list[str] = field(default_factory=list)
    error: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Reading:
        return cls(**json.loads(line))


class NotMeasured(Exception):
    """This variant cannot be measured; the message says why."""
