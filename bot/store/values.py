"""What the store hands out: frozen values, free of any database.

Ids are integers that are never used twice; times are UTC, in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.messages import Author, State

Mode = Literal["assistant", "human", "closed"]
Screen = Literal["hold", "shadow", "off"]
Decision = Literal["approved", "rejected"]  # a false alarm: the text was fine; rightly stopped


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that is safe in SQL. `message_id` is 0 for a duplicate whose original was forgotten since."""

    message_id: int
    place_id: int
    person_id: int
    duplicate: bool
    obeyed: bool = True  # False for a command that nobody has seen through yet


@dataclass(frozen=True, slots=True)
class LeasedPlace:
    """The place of a leased message. `persona` is the place's own choice; empty: the site's or channel's."""

    id: int
    channel: str
    key: str
    site: str
    language: str
    persona: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to answer one message, until another `attempt` at it begins. `key` is the channel's own for the
    message, `person_key` for who said it. `again`: it was answered before, and that answer did not please. `ended`: it
    is answered, but the answer was not yet brought where it is read."""

    inbox_id: int
    message_id: int
    person_id: int
    correlation: str
    owner: str
    attempt: int  # 1 at first; each lease of the same message is one more, and fences the ones before
    text: str
    place: LeasedPlace
    key: str = ""
    person_key: str = ""
    again: bool = False
    ended: bool = False
    failures: int = 0  # of its channel to show it


@dataclass(frozen=True, slots=True)
class BegunPiece:
    """A piece committed earlier. `size` counts characters as the model wrote them; `text` is what was shown."""

    seq: int
    text: str
    size: int
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that exists, with whatever earlier attempts have shown of it. `variant` is the model that made that,
    and has to make the rest: another one reads other token ids."""

    answer_id: int
    variant: str
    pieces: tuple[BegunPiece, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer that has ended: its pieces (none, and no id: a refusal or a failure), and the house's sentences."""

    answer_id: int | None
    state: State
    pieces: tuple[BegunPiece, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """What was said before, the house's notices left out. `unclear`: the screen hid some of it from the model, or has
    not judged it."""

    id: int
    author: Author
    text: str
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An API key; the secret itself is not kept."""

    id: int
    name: str
    screen: Screen
    scopes: tuple[str, ...]
    created: float
    last_used: float | None
    revoked: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict on its way into the table. `text` is None where none of it may be kept; `waits`: a person is asked."""

    direction: Literal["input", "output"]
    action: str
    policy: str
    text_hash: str
    findings: tuple[Mapping[str, Any], ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    language: str = ""
    model: str = ""
    text: str | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVerdict:
    """A verdict as it lies in the table. `text` is None once it is no longer kept."""

    id: int
    channel: str
    place: str
    caller: str
    direction: str
    action: str
    findings: list[dict[str, Any]]
    scores: dict[str, float]
    language: str
    model: str
    policy: str
    text_hash: str
    text: str | None
    created: float
    review: str | None
    reviewed_by: str
    reviewed_at: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The verdict after somebody decided on it; `changed` is False when somebody had before, and that stands."""

    verdict: KeptVerdict
    changed: bool
