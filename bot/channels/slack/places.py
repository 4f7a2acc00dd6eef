"""How Slack's names become the house's: where a conversation happens, who speaks, which message was said.

Knows the shapes of our keys. Leaves what an event means to `events`, and what is sent to a place to `showing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from bot.messages import Place

CHANNEL = "slack"  # what its places and people are called by in SQL

_NO_MESSAGE = frozenset({"command", "shortcut", "action"})  # an Incoming's key of these names no message


@dataclass(frozen=True, slots=True)
class Spot:
    """A thread of a Slack channel: one conversation. A direct message's top-level message is the root of its own."""

    team: str
    channel: str
    thread: str  # the ts of the thread's root

    @property
    def key(self) -> str:
        return f"{self.team}/{self.channel}/{self.thread}"

    def place(self) -> Place:
        """The house's word for it."""
        return Place(CHANNEL, self.key, site=self.channel)

    @classmethod
    def of(cls, place: Place) -> Self:
        """The thread behind a place of ours."""
        team, channel, thread = place.key.split("/")
        return cls(team, channel, thread)


def person_key(team: str, user: str) -> str:
    """The key of a Person: the same user id means somebody else in another workspace."""
    return f"{team}/{user}"


def team_and_user(key: str) -> tuple[str, str]:
    """The workspace and the user behind a Person's key."""
    team, _, user = key.partition("/")
    return team, user


def message_key(team: str, channel: str, ts: str) -> str:
    """The key of an Incoming that is a message."""
    return f"{team}/{channel}/{ts}"


def command_key(team: str, trigger: str) -> str:
    """The key of an Incoming that is a slash command."""
    return f"{team}/command/{trigger}"


def shortcut_key(team: str, trigger: str) -> str:
    """The key of an Incoming that is a message shortcut."""
    return f"{team}/shortcut/{trigger}"


def action_key(team: str, action_ts: str) -> str:
    """The key of what a pressed button asks for."""
    return f"{team}/action/{action_ts}"


def ts_of(incoming_key: str) -> str | None:
    """The ts of the message that was asked with, or None when it was a command, a shortcut or a button."""
    parts = incoming_key.split("/")
    return parts[2] if len(parts) == 3 and parts[1] not in _NO_MESSAGE else None
