"""A Slack channel at work between the double and a house in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.slack import open_channel
from bot.channels.slack.channel import SlackChannel
from bot.messages import Ending, Incoming, Shown
from tests.bot.channels.house import House
from tests.slack_double import Message, SlackDouble


@dataclass(kw_only=True)
class Office:
    """A Slack channel at work between the double and a house. What stands here waits for what it did."""

    channel: SlackChannel
    house: House
    slack: SlackDouble

    async def idle(self) -> None:
        """Wait until everything that was delivered has been read."""
        await self.slack.until(lambda: self.house.idle)

    async def say(self, user: str, channel: str, text: str, **more: Any) -> Message:
        said = await self.slack.say(user, channel, text, **more)
        await self.idle()
        return said

    async def answer(self, question: Incoming, text: str) -> Message:
        """Let the channel show an answer to what was received; returns its message in Slack."""
        answer_id = self.house.new_answer(question.place)

        async def told() -> AsyncIterator[Shown | Ending]:
            yield Shown(answer_id, 1, text)
            yield Ending(answer_id, "done")

        await self.channel.show(self.house.question(question), told())  # type: ignore[arg-type]
        _, channel, thread = question.place.key.split("/")
        return self.slack.thread(channel, thread)[-1]

    async def pressed(self, on: Any, action_id: str, value: str | None = None, **more: Any) -> Any:
        answered = await self.slack.press(on, action_id, value, **more)
        await self.idle()
        return answered

    def whispers(self, user: str = "") -> list[str]:
        """What only one person reads."""
        return [message.text for message in self.slack.ephemerals(user)]


@asynccontextmanager
async def office(
    slack: SlackDouble, house: House, *, mode: str = "http", **variables: str
) -> AsyncIterator[Office]:
    """`async with office(slack, house, mode="socket", SLACK_MENTION_ONLY="true") as at`."""
    given = {**slack.environment(mode), **variables}  # type: ignore[arg-type]
    options = ChannelOptions(variables={name: SecretStr(value) for name, value in given.items()})
    async with open_channel(desk=house, options=options) as channel:  # type: ignore[arg-type]
        assert isinstance(channel, SlackChannel)
        channel.shower.api.budget.scale = 0.01  # a second between two messages is tested elsewhere
        application = web.Application()
        application.add_routes(channel.routes())
        async with TestServer(application) as server:
            if mode != "socket":
                slack.url = str(server.make_url("/slack/events"))
            running = asyncio.ensure_future(channel.run())
            try:
                if mode != "http":
                    await slack.until(lambda: len(slack.sockets.open) == 2)
                yield Office(channel=channel, house=house, slack=slack)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
