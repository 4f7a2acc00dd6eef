"""What the things that Slack delivers mean for us: plain frozen values.

Knows what each says. How they are read out of Slack's bodies stands in `events`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as a message tells of it. `access`: what stands in the way of it, if anything does."""

    id: str
    name: str
    kind: str  # Slack's own word: python, text, pdf
    mime: str
    size: int
    url: str
    mode: str
    access: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A person wrote a message. `thread` is its root, itself at the top level; `called`: Slack says it mentions us.
    `shared` are the messages that came forwarded with it."""

    channel: str
    ts: str
    thread: str
    user: str
    text: str
    direct: bool
    called: bool
    files: tuple[File, ...] = ()
    shared: tuple[str, ...] = ()

    @property
    def follows(self) -> bool:
        """Whether it is a reply within a thread."""
        return self.thread != self.ts

    @property
    def mentions(self) -> frozenset[str]:
        """The ids of the people, and bots, that it names."""
        return frozenset(MENTION.findall(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A person changed the words of a message; `shared` came forwarded with it, as before."""

    channel: str
    ts: str
    thread: str
    text: str
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A person deleted a message."""

    channel: str
    ts: str
    thread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeOpened:
    """A person looks at us: at our home, or at the messages, where `channel` is their direct one with us."""

    user: str
    tab: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopped:
    """A person pressed Slack's own stop button."""

    channel: str
    thread: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """We were invited to a channel."""

    channel: str
    inviter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstalled:
    """The workspace threw us out, or took our token back, at that moment (UTC, seconds since 1970)."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A person pressed a button of ours; `channel` and `thread` are empty in the home."""

    user: str
    channel: str
    thread: str
    action: str
    value: str
    ts: str  # of the press
    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A person sent a form of ours; `values` by the names of its inputs."""

    user: str
    form: str
    note: str  # what we put in it when we opened it
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanded:
    """A person gave our slash command."""

    user: str
    channel: str
    text: str
    trigger: str
    reply_to: str  # an address that takes what only they shall see


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person wants a word on somebody's message: our entry in its menu."""

    user: str
    channel: str
    ts: str
    thread: str
    author: str
    text: str
    trigger: str
    reply_to: str


Meaning = (
    Said
    | Edited
    | Deleted
    | HomeOpened
    | SessionStopped
    | Joined
    | Uninstalled
    | Pressed
    | Submitted
    | Commanded
    | Asked
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that concerns us. `key` is the same however often it comes; what shares a `lane` keeps its order.
    `bot` is our own user id there, where Slack tells it."""

    key: str
    lane: str
    team: str
    enterprise: str
    bot: str
    meaning: Meaning
