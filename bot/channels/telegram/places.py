"""How Telegram's names become the house's: where a conversation happens, who speaks, which message was said.

Knows the shapes of our keys, and what a button of ours says in its 64 bytes. Leaves what an update means to `events`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from bot.messages import Place

CHANNEL = "telegram"  # what its places and people are called by in SQL

BUTTON_BYTES = 64  # of the data behind an inline button


@dataclass(frozen=True, slots=True)
class Spot:
    """A topic of a chat, or the chat itself (topic 0): one conversation. `bot` is ours: a private chat with another bot
    has the same id and numbers its messages anew."""

    bot: int
    chat: int
    topic: int = 0

    @property
    def key(self) -> str:
        return f"{self.bot}/{self.chat}/{self.topic}"

    @property
    def private(self) -> bool:
        """Whether one person alone reads along: groups have ids below zero."""
        return self.chat > 0

    @property
    def thread(self) -> int | None:
        """What a message into this topic gives as its message_thread_id."""
        return self.topic or None

    def place(self) -> Place:
        """The house's word for it."""
        return Place(CHANNEL, self.key, site=str(self.chat))

    @classmethod
    def of(cls, place: Place) -> Self:
        """The topic behind a place of ours."""
        bot, chat, topic = map(int, place.key.split("/"))
        return cls(bot, chat, topic)


def message_key(bot: int, chat: int, message_id: int) -> str:
    """The key of an Incoming that is a message, and of a message that we sent."""
    return f"{bot}/{chat}/{message_id}"


def message_id_of(key: str) -> int | None:
    """The message behind a key, or None when it names something else: a button, a command."""
    parts = key.split("/")
    named = len(parts) == 3 and parts[1].lstrip("-").isdecimal() and parts[2].isdecimal()
    return int(parts[2]) if named else None


def update_key(bot: int, update_id: int) -> str:
    """The key under which an update is kept."""
    return f"{bot}/{update_id}"


def query_key(bot: int, query_id: str) -> str:
    """The key of what a pressed button asks for."""
    return f"{bot}/query/{query_id}"


def button(action: str, *values: int | str) -> str:
    """The data behind an inline button. Raises ValueError when it is longer than Telegram takes."""
    data = ":".join([action, *map(str, values)])
    if not 0 < len(data.encode()) <= BUTTON_BYTES:
        raise ValueError(f"a button's data has {len(data.encode())} bytes, {BUTTON_BYTES} at most")
    return data


def pressed(data: str) -> tuple[str, tuple[str, ...]]:
    """The action and the values behind a button of ours."""
    action, *values = data.split(":")
    return action, tuple(values)
