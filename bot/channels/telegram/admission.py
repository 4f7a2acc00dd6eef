"""Where Frontdesk answers, and whom.

    a private chat                          always
    our name, a reply to us, /ask           in groups always
    anything else that is said in a group   never

within the groups of TELEGRAM_GROUPS and for the people of TELEGRAM_PEOPLE. An administrator who writes anonymously is
the group: with TELEGRAM_PEOPLE they are answered where the operator named that group.

Knows these rules. Leaves what a message is to `events` and what follows to `intake`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.channels.telegram.meanings import Sender
from bot.channels.telegram.places import Spot
from bot.channels.telegram.settings import TelegramSettings

Bar = Literal["", "telegram_elsewhere", "not_for_you"]  # what stands in the way; the names of notices


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One per channel."""

    settings: TelegramSettings

    def answers_in(self, spot: Spot) -> bool:
        """Whether we may answer in a chat at all."""
        return spot.private or not self.settings.groups or spot.chat in self.settings.groups

    def loses(self, old: int, new: int) -> bool:
        """Whether a group that gets another id is no longer one where we answer."""
        groups = self.settings.groups
        return old in groups and new not in groups

    def answers(self, sender: Sender) -> bool:
        """Whether we may answer a person at all."""
        people = self.settings.people
        return not people or sender.id in people or sender.id in self.settings.groups

    def bar(self, spot: Spot, sender: Sender) -> Bar:
        """What keeps us from answering somebody there, "" if nothing does."""
        if not self.answers(sender):
            return "not_for_you"
        return "" if self.answers_in(spot) else "telegram_elsewhere"
