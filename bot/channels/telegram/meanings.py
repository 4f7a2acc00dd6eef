"""What the things that Telegram delivers mean for us: plain frozen values.

Knows what each says. How they are read out of updates stands in `events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.channels.telegram.places import Spot

# What else a message may be. "other": whatever Telegram invents next.
Kind = Literal["text", "file", "voice", "photo", "video", "sticker", "location", "contact", "poll", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who did it. `language` is as Telegram tells it: "en", "zh-hans", or empty."""

    id: int
    name: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A document as a message tells of it."""

    id: str
    name: str
    mime: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A person wrote a message. `text` is Markdown without the mention of us; `called`: it mentions us by name, replies
    to a message of ours, or is in a private chat. `quoted` is the message of somebody else that it replies to, `author`
    whose that was. `album` groups what was sent at once."""

    spot: Spot
    message_id: int
    sender: Sender
    text: str
    called: bool
    kind: Kind = "text"
    file: File | None = None
    album: str = ""
    quoted: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanded:
    """A person gave a command that is for us: `name` without the slash, in small letters; `addressed`: by our name."""

    spot: Spot
    message_id: int
    sender: Sender
    name: str
    argument: str
    addressed: bool
    quoted: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A person changed the words of a message; `album` and `quoted` as in Said."""

    spot: Spot
    message_id: int
    text: str
    album: str = ""
    quoted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A person pressed an inline button below `message_id`, which is 0 when Telegram does not tell it any more.
    `gone`: the message is not there any more, and nothing tells in which topic of `spot` it was."""

    spot: Spot
    message_id: int
    sender: Sender
    query: str
    data: str
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacted:
    """A person's reactions to a message are now `emoji`; `before` were taken away or stay."""

    spot: Spot
    message_id: int
    sender: Sender
    emoji: frozenset[str]
    before: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """We were added to a chat, unblocked in it (`here`), or removed, blocked. `sender` did it."""

    spot: Spot
    sender: Sender
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """A group has become a supergroup, with another id."""

    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStopped:
    """A person pressed the stop button of a draft."""

    spot: Spot
    draft_id: int


Meaning = Said | Commanded | Edited | Pressed | Reacted | Member | Migrated | DraftStopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One update. `key` is `places.update_key`."""

    key: str
    meaning: Meaning
    raw: Mapping[str, Any] = field(repr=False)
