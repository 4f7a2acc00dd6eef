"""How the queue and its workers are: what a worker says of itself with each heartbeat, and what the client makes of it.

Plain values. Knows neither Redis nor who asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One worker as of its last heartbeat. `loaded`: its model is there and may be asked. `tokens` (made) and
    `prompt_tokens` (of answers that ended) count from the worker's start; `queued_tokens` are still to be made for all
    in its engine, at the measured `tokens_per_second` (0: nothing was measured yet)."""

    name: str
    host: str
    pid: int
    model: str
    device: str
    loaded: bool
    running: int
    waiting: int  # in its engine; those in the queue are Health.waiting
    slots: int  # answers at once
    queues: tuple[str, ...]
    tokens: int = 0
    prompt_tokens: int = 0
    tokens_per_second: float = 0.0
    queued_tokens: int = 0
    device_index: int | None = None  # of several devices here, which
    measures: str = ""  # what its engine counts, as Prometheus text

    def encode(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str | bytes) -> WorkerInfo | None:
        """None for what another release wrote in another way: health never fails. What a newer one says more is
        left out."""
        try:
            body = json.loads(text)
            known = {each.name: body[each.name] for each in fields(cls) if each.name in body}
            return cls(**{**known, "queues": tuple(body["queues"])})
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`queued`: how many jobs wait for each queue's model, by the queue's name."""

    redis: bool
    workers: tuple[WorkerInfo, ...] = ()
    queued: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def waiting(self) -> int:
        """Jobs in all queues of answers."""
        return sum(self.queued.values())

    @property
    def models(self) -> frozenset[str]:
        """Those that are loaded, and answered with."""
        return frozenset(w.model for w in self.workers if w.loaded and "answers" in w.queues)
