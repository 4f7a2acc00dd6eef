"""What crosses the wire between bot and worker: jobs one way, events the other. Frozen, versioned, JSON.

Knows how each value is written and read. Queues, streams and what a job makes the worker do are others' business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Literal

_ANSWERS = "frontdesk.answers"  # people wait for these
BULK = "frontdesk.bulk"  # embedding, conversion, training: nobody watches token by token

EndReason = Literal["stop", "length", "cancelled", "deadline"]


def answers_of(model: str) -> str:
    """The queue of one model's answers: only workers that have it loaded take from there."""
    return f"{_ANSWERS}:{model}"


def model_of(queue: str) -> str:
    """The model whose answers wait in this queue."""
    return queue.removeprefix(f"{_ANSWERS}:")


class JobMalformed(ValueError):
    """A job or an event that cannot be read; the message says why.

    `job`, `attempt` and `reply_to` are what could be read all the same, so that the sender can be told.
    """

    def __init__(self, message: str, *, job: str = "", attempt: int = 0, reply_to: str = "") -> None:
        super().__init__(message)
        self.job = job
        self.attempt = attempt
        self.reply_to = reply_to


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob:
    """One answer to make. Everything the worker needs, since it has no database.

    A resumed answer carries what was told before: `emitted` ids (of the whole answer's `max_tokens`) and `shown`, the
    raw characters of the model's text already released. Of two jobs with one id the higher `attempt` counts.
    `prefix` is a hint: so many leading ids of the prompt are shared by many jobs (the system prompt's). `bulk` says
    that nobody waits at a screen: the engine lets others go first.
    """

    kind: ClassVar[str] = "answer"
    version: ClassVar[int] = 2

    id: str
    attempt: int
    model: str
    prompt: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    top_k: int = 64
    top_p: float = 1.0
    min_tokens: int = 0
    ignore_eos: bool = False
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    emitted: tuple[int, ...] = ()
    shown: int = 0
    prefix: int = 0
    bulk: bool = False
    deadline: float  # unix seconds
    reply_to: str  # the one reply stream of the bot process that asked
    correlation: str

    def encode(self) -> str:
        """The job as JSON."""
        return _encoded(self, _JOB_TYPES)

    @classmethod
    def decode(cls, text: str) -> AnswerJob:
        """Raises JobMalformed for an unknown kind or version, and for missing, unknown or mistyped fields."""
        return cls(**_checked(_body(cls, text), _JOB_TYPES, needed=_needed(cls)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkJob:
    """Work of hours. `chore` and `arguments` as `worker.bulk.chores` knows them; of two jobs with one id the higher
    `attempt` counts."""

    kind: ClassVar[str] = "bulk"
    version: ClassVar[int] = 1

    id: str
    attempt: int
    chore: str
    arguments: tuple[str, ...]
    deadline: float  # unix seconds
    reply_to: str  # the job's own stream
    correlation: str

    def encode(self) -> str:
        """The job as JSON."""
        return _encoded(self, _BULK_TYPES)

    @classmethod
    def decode(cls, text: str | bytes) -> BulkJob:
        """Raises JobMalformed for an unknown kind or version, and for missing, unknown or mistyped fields."""
        return cls(**_checked(_body(cls, text), _BULK_TYPES, needed=_needed(cls)))


@dataclass(frozen=True, slots=True)
class Piece:
    """Some tokens of an answer. `index` is the number of tokens emitted before it, those before a resume included.

    `text` is what became certain with these ids: it may lag behind them (half a character, a possible stop string).
    """

    job: str
    attempt: int
    index: int
    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An answer's end. Tokens count the whole answer, resumes included; `engine_ms` is this attempt's alone."""

    job: str
    attempt: int
    reason: EndReason
    prompt_tokens: int
    completion_tokens: int
    engine_ms: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A job that cannot be done. `message` is for operators and API clients; it holds no traceback and no secret."""

    job: str
    attempt: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is: `fraction` from 0 to 1."""

    job: str
    attempt: int
    fraction: float
    note: str


@dataclass(frozen=True, slots=True)
class Vector:
    """One embedding; `index` is its place among the job's inputs."""

    job: str
    attempt: int
    index: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a bulk job came to: `value` is any JSON value."""

    job: str
    attempt: int
    value: Any


Event = Piece | Ended | Failed | Progress | Vector | Result

EVENT_VERSION = 1

_EVENTS: dict[str, type[Event]] = {
    "piece": Piece,
    "ended": Ended,
    "failed": Failed,
    "progress": Progress,
    "vector": Vector,
    "result": Result,
}
_KINDS = {kind: name for name, kind in _EVENTS.items()}


def encode_event(event: Event) -> str:
    """The event as JSON: its kind, the version, then its fields by name."""
    body: dict[str, Any] = {"kind": _KINDS[type(event)], "version": EVENT_VERSION}
    for name in _EVENT_FIELDS[type(event)]:
        body[name] = getattr(event, name)
    return json.dumps(body, separators=(",", ":"))


def decode_event(text: str | bytes) -> Event:
    """Raises JobMalformed."""
    body = _object(text)
    kind = _EVENTS.get(str(body.pop("kind", "")))
    if kind is None or body.pop("version", None) != EVENT_VERSION:
        raise JobMalformed("An event of a kind or version that this release does not know.", **_sender(body))
    return kind(**_checked(body, _EVENT_TYPES, needed=_needed(kind)))


# -- reading ---------------------------------------------------------------------------------------------------


def _is_int(value: object) -> bool:
    return type(value) is int  # True is no number of tokens


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_list(of: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: type(value) is list and all(map(of, value))


_JOB_TYPES: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("id", "model", "reply_to", "correlation"), _is_text),
    **dict.fromkeys(("attempt", "max_tokens", "top_k", "min_tokens", "shown", "prefix"), _is_int),
    **dict.fromkeys(("temperature", "top_p", "repetition_penalty", "deadline"), _is_number),
    **dict.fromkeys(("prompt", "emitted"), _is_list(_is_int)),
    "stop": _is_list(_is_text),
    **dict.fromkeys(("ignore_eos", "bulk"), _is_flag),
}
_BULK_TYPES: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("id", "chore", "reply_to", "correlation"), _is_text),
    "attempt": _is_int,
    "deadline": _is_number,
    "arguments": _is_list(_is_text),
}
_EVENT_TYPES: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("job", "text", "code", "message", "note"), _is_text),
    **dict.fromkeys(("attempt", "index", "prompt_tokens", "completion_tokens", "engine_ms"), _is_int),
    "ids": _is_list(_is_int),
    "values": _is_list(_is_number),
    "fraction": _is_number,
    "reason": lambda value: value in ("stop", "length", "cancelled", "deadline"),
    "value": lambda _: True,
}
_EVENT_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in _EVENTS.values()}


def _encoded(job: AnswerJob | BulkJob, names: Iterable[str]) -> str:
    body: dict[str, Any] = {"kind": job.kind, "version": job.version}
    for name in names:  # dataclasses.asdict copies a long prompt id by id: milliseconds
        body[name] = getattr(job, name)
    return json.dumps(body, separators=(",", ":"))


def _body(kind: type[AnswerJob | BulkJob], text: str | bytes) -> dict[str, Any]:
    """What a job of this kind says, kind and version checked."""
    body = _object(text)
    told, version = body.pop("kind", None), body.pop("version", None)
    if told != kind.kind:
        raise JobMalformed(f"This is no {kind.kind} job.", **_sender(body))
    if not _is_int(version) or version != kind.version:
        raise JobMalformed(
            f"This worker reads {kind.kind} jobs of version {kind.version}, not {version!r:.20}: "
            "run the same release of Frontdesk everywhere.",
            **_sender(body),
        )
    return body


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        raise JobMalformed("This is no JSON.") from None
    if not isinstance(body, dict):
        raise JobMalformed("This is no JSON object.")
    return body


def _needed(kind: type[Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The names that must be there, and all that may be."""
    every = fields(kind)
    return frozenset(f.name for f in every if f.default is MISSING), frozenset(f.name for f in every)


def _checked(
    body: dict[str, Any],
    types: Mapping[str, Callable[[object], bool]],
    *,
    needed: tuple[frozenset[str], frozenset[str]],
) -> dict[str, Any]:
    missing, unknown = needed[0] - body.keys(), body.keys() - needed[1]
    if missing:
        raise JobMalformed(f"Fields are missing: {sorted(missing)}.", **_sender(body))
    if unknown:
        raise JobMalformed(
            f"Fields are unknown: {[name[:40] for name in sorted(unknown)][:10]}.", **_sender(body)
        )
    wrong = [name for name, value in body.items() if not types[name](value)]
    if wrong:
        raise JobMalformed(f"Fields have the wrong type: {sorted(wrong)}.", **_sender(body))
    return {
        name: tuple(value) if type(value) is list and name != "value" else value
        for name, value in body.items()
    }


def _sender(body: dict[str, Any]) -> dict[str, Any]:
    """Who waits for this job, as far as it can be read."""
    name, attempt, reply_to = body.get("id", body.get("job")), body.get("attempt"), body.get("reply_to")
    return {
        "job": name if isinstance(name, str) else "",
        "attempt": attempt if isinstance(attempt, int) else 0,
        "reply_to": reply_to if isinstance(reply_to, str) else "",
    }
