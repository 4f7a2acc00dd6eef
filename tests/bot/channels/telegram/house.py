"""A Telegram channel at work between the double and a house in memory."""

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
from bot.channels.telegram import open_channel
from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.places import Spot, message_key
from bot.messages import Ending, Incoming, Shown
from tests.bot.channels.house import House
from tests.telegram_double import Chat, Message, Query, TelegramDouble, User

FAST = 0.01  # of a second between two messages, which is tested elsewhere


@dataclass(kw_only=True)
class Office:
    """A Telegram channel at work between the double and a house. What stands here waits for what it did."""

    channel: TelegramChannel
    house: House
    telegram: TelegramDouble

    async def idle(self) -> None:
        """Wait until everything that has happened has been read."""
        await self.telegram.until(lambda: not self.telegram.unconfirmed and self.house.idle)

    async def say(self, user: User, chat: Chat, text: str, **more: Any) -> Message:
        said = await self.telegram.say(user, chat, text, **more)
        await self.idle()
        return said

    async def answer(self, question: Incoming, text: str) -> Message:
        """Let the channel show an answer to what was received; returns its message."""
        answer_id = self.house.new_answer(question.place)

        async def told() -> AsyncIterator[Shown | Ending]:
            yield Shown(answer_id, 1, text)
            yield Ending(answer_id, "done")

        await self.channel.show(self.house.question(question), told())  # type: ignore[arg-type]
        spot = Spot.of(question.place)
        message = self.telegram.answers_in(self.telegram.world.chats[spot.chat])[-1]
        self.house.carriers[message_key(spot.bot, spot.chat, message.id)] = (question.place, answer_id)
        return message

    async def press(self, user: User, message: Message, action: str, *, value: object = "") -> Query:
        """Press the one button whose data begins, and ends, so."""
        (data,) = [
            button["callback_data"]
            for button in message.buttons
            if button["callback_data"].startswith(action)
            and button["callback_data"].endswith(f":{value}" * bool(value))
        ]
        return await self.pressed(user, message, data)

    async def pressed(self, user: User, message: Message, data: str, **more: Any) -> Query:
        query = await self.telegram.press(user, message, data, **more)
        await self.idle()
        return query

    def said(self, chat: Chat) -> list[str]:
        """The words of everything of ours there."""
        return [message.text for message in self.telegram.answers_in(chat)]


@asynccontextmanager
async def office(
    telegram: TelegramDouble, house: House, *, mode: str = "webhook", **variables: str
) -> AsyncIterator[Office]:
    """`async with office(telegram, house, TELEGRAM_PEOPLE="1") as at`. By webhook, as that waits for no next poll."""
    application = web.Application()
    given = {**telegram.environment(mode), **variables}  # type: ignore[arg-type]
    options = ChannelOptions(
        public_url="https://frontdesk.example",
        variables={name: SecretStr(value) for name, value in given.items()},
    )
    telegram.rates.scale = FAST
    async with open_channel(desk=house, options=options) as channel:  # type: ignore[arg-type]
        assert isinstance(channel, TelegramChannel)
        channel.api.budget.scale = FAST
        application.add_routes(channel.routes())
        async with TestServer(application) as server:
            if mode == "webhook":
                telegram.webhook_url = str(server.make_url("/telegram/updates"))
            running = asyncio.ensure_future(channel.run())
            try:
                await telegram.until(lambda: any(name.startswith("menu/") for name in house.notes.notes))
                yield Office(channel=channel, house=house, telegram=telegram)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
