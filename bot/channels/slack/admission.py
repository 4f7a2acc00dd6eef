"""Where Frontdesk answers, and whom.

    a direct message               always
    a mention in a channel         always, in the message's thread
    a reply in a thread of ours    without a mention, unless it names somebody else, or SLACK_MENTION_ONLY is set
    anything else                  never

within the channels of SLACK_CHANNELS (direct messages aside) and for the people of SLACK_PEOPLE.

Knows these rules. Leaves reading to `events` and what follows to `intake`.

2026-11: a reply that names another person is theirs, also in a thread of ours: bots that answer for colleagues who were
asked by name are the first thing that people turn off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.channels.base import Desk
from bot.channels.slack.meanings import Said
from bot.channels.slack.places import CHANNEL, Spot
from bot.channels.slack.settings import SlackSettings

Bar = Literal["", "elsewhere", "not_for_you"]  # what stands in the way; the names of notices

TOLD_SECONDS = 7 * 86_400.0  # until somebody is told again why there is no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One per channel."""

    desk: Desk
    settings: SlackSettings

    async def meant(self, spot: Spot, said: Said, *, bot: str) -> bool:
        """Whether a message is said to us."""
        if said.direct or said.called or bot in said.mentions:
            return True
        if not said.follows or said.mentions or self.settings.mention_only:
            return False
        return await self.desk.find(spot.place()) is not None

    def answers_in(self, channel: str) -> bool:
        """Whether we may answer in a channel at all."""
        listed = self.settings.channels
        return not listed or channel.startswith("D") or channel in listed

    def answers(self, user: str) -> bool:
        """Whether we may answer a person at all."""
        return not self.settings.people or user in self.settings.people

    def bar(self, channel: str, user: str) -> Bar:
        """What keeps us from answering somebody there, "" if nothing does."""
        if not self.answers(user):
            return "not_for_you"
        return "" if self.answers_in(channel) else "elsewhere"

    async def untold(self, team: str, channel: str, user: str) -> bool:
        """Whether somebody has not been told yet why there is no answer; from now on they have."""
        shelf, name = self.desk.shelf(CHANNEL), f"told/{team}/{channel}/{user}"
        if await shelf.get(name):
            return False
        await shelf.put(name, "1", seconds=TOLD_SECONDS)
        return True
