"""People, places and what is said: the words that every channel, the conversation and the store share.

Plain frozen values. Knows nothing of platforms, databases or models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Author = Literal["person", "model", "operator", "house"]
State = Literal["queued", "answering", "done", "stopped", "failed", "refused", "replaced"]

MAX_CHARS = 8_000  # of one message: about 2,000 tokens, more than the smallest context holds
MAX_FILE_CHARS = 24_000  # of all files that come with it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation happens. `key` is the channel's own name for it, unique within the channel. `site` is what
    it is part of, as operators know it: a website that carries the widget, a Slack channel, a Telegram chat."""

    channel: str
    key: str
    site: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who speaks. `key` is the channel's own name for the person, unique within the channel."""

    channel: str
    key: str
    name: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text file that came with a message, read."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """What was said. `key` is the platform's id of the event: the same key is answered once (P1)."""

    key: str
    place: Place
    person: Person
    text: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an Incoming once it is safe in SQL; only now may the channel acknowledge it."""

    message_id: int
    place_id: int
    duplicate: bool
    notice: str = (
        ""  # what the house says at once, for channels that do not read it from the place's timeline
    )


@dataclass(frozen=True, slots=True)
class Question:
    """A message that is answered, as its channel needs it to show the answer. `key` is the Incoming's; `attempt` is 1
    at first, and more after a crash, a restart or a pause of the queue."""

    message_id: int
    key: str
    place: Place
    place_id: int
    person: Person
    attempt: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of an answer that has been judged and committed: free to be shown."""

    answer_id: int
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not accepted: a sentence for the person, and when to try again (seconds, 0: never mind)."""

    code: str
    sentence: str
    retry_after: int = 0


class NotAccepted(Exception):
    """An Incoming that the house does not take in. `refusal.sentence` may be shown as it is."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Unavailable(Exception):
    """The house cannot get at what it keeps; nothing was changed, and a later try may succeed."""


class NotNow(Exception):
    """A platform asks to be left alone for so many seconds: what was to be shown is shown after that."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not before {seconds:g} s")
        self.seconds = seconds


class Unreadable(Exception):
    """A kept event that no later try can read: it stays as it is, for people to look at, and is left out."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence from the house, not the model."""

    text: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The last thing of an answer: how it ended. `answer_id` is None where there is none: a refusal, a failure."""

    answer_id: int | None
    state: State


@dataclass(frozen=True, slots=True)
class Sending:
    """One message on a platform that carries (a part of) the answer to a question. `platform_key` is the platform's
    name for it, `detail` what its channel wants to know of it after a restart."""

    platform_key: str
    open: bool
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """What a platform delivered, safe in SQL, before anybody has read it. `attempt` is 1 at first; `failures` of them
    ended in an error."""

    id: int
    key: str
    body: Mapping[str, Any]
    attempt: int
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """What a person has used so far: answers, and tokens both ways."""

    answers: int
    prompt_tokens: int
    completion_tokens: int
    since: float  # UTC, seconds since 1970; 0.0: never


@dataclass(frozen=True, slots=True)
class About:
    """Who answers in a channel: the persona's words and the model's name."""

    greeting: str
    suggestions: tuple[str, ...]
    model: str


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's way into one place: what a bearer token stands for."""

    id: int
    place: Place
    place_id: int
    person: Person
    origin: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message as a viewer sees it: whose it is, its text so far and its state."""

    message_id: int
    author: Author
    text: str
    state: State
    reply_to: int | None = None  # the message that an answer answers


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a viewer of a place has not seen yet, at its moment on the place's clock.

    said: a message began to exist (for an answer `text` is empty then: its pieces follow).
    piece: `text` was added to the answer; `before` is what stood there.
    ended: the message reached its last state, its text complete.
    cleared: everything before was deleted; viewers drop what they show.
    """

    clock: int
    kind: Literal["said", "piece", "ended", "cleared"]
    said: Said | None = None
    text: str = ""
    before: str = ""
