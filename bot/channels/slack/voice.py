"""What the house itself says in Slack: to one person, into a thread, in reply to a command.

Knows which of Slack's ways reaches whom. A sentence that cannot be said is logged and let go: what it is about has
happened. Leaves the sentences to `bot.notices`, and answers to `showing`.

2026-11: an ephemeral message in a thread is shown only where the thread exists already, so what concerns a message at
the top of a channel is said beside it. In direct messages nobody else is disturbed: there it is an ordinary reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from bot.channels.slack.addresses import Addresses
from bot.channels.slack.api import READING_PATIENCE, Api, SlackFailure
from bot.channels.slack.places import Spot
from bot.markup.slack import mrkdwn_escaped, neutral

log = structlog.get_logger(__name__)

REPLY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One per channel."""

    api: Api
    session: aiohttp.ClientSession
    addresses: Addresses

    async def aloud(self, spot: Spot, sentence: str) -> None:
        """To everybody in a thread."""
        await self._say(
            spot.team,
            "chat.postMessage",
            channel=spot.channel,
            thread_ts=spot.thread,
            markdown_text=neutral(sentence),
            unfurl_links=False,
            unfurl_media=False,
        )

    async def privately(self, spot: Spot, user: str, sentence: str, *, begun: bool = True) -> None:
        """To one person, where their message stands. `begun`: the thread has replies already."""
        if spot.channel.startswith("D"):
            await self.aloud(spot, sentence)
            return
        await self._say(
            spot.team,
            "chat.postEphemeral",
            channel=spot.channel,
            user=user,
            thread_ts=spot.thread if begun else None,
            markdown_text=neutral(sentence),
        )

    async def reply(self, url: str, sentence: str) -> None:
        """To the person who gave a command, at the address that came with it: also where we are no member."""
        if not self.addresses.own(url):
            log.warning("a command came with a foreign address to reply to")
            return
        said = {"response_type": "ephemeral", "replace_original": False, "text": mrkdwn_escaped(sentence)}
        timeout = aiohttp.ClientTimeout(total=REPLY_SECONDS)
        try:
            async with self.session.post(url, json=said, timeout=timeout, allow_redirects=False) as response:
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            log.warning("a command could not be replied to", cause=type(error).__name__)
            return
        if status != 200:
            log.warning("a command could not be replied to", status=status)

    async def _say(self, team: str, method: str, *, channel: str, **said: Any) -> None:
        try:
            await self.api.call(team, method, channel=channel, patience=READING_PATIENCE, **said)
        except SlackFailure as failure:
            log.warning("a sentence could not be said", code=failure.code, method=method, channel=channel)


async def direct_channel(api: Api, team: str, user: str) -> str:
    """The direct messages between a person and us. Raises SlackFailure."""
    opened = await api.call(team, "conversations.open", patience=READING_PATIENCE, users=user)
    return str(opened["channel"]["id"])
