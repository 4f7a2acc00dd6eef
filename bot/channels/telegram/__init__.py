"""Telegram: private chats, groups, topics, buttons, reactions, a menu of commands; answers that grow.

    poller or webhook -> inbox -> (the house keeps it) -> reader -> intake, commands, actions, reactions
    showing -> writing -> api -> budget                                             what people see
    settings, menu, doctor                                                          how it is set up

2026-12: python-telegram-bot is a client here, no more. Its Updater confirms an update once it is in memory, so that a
crash loses it, and one that it cannot parse stops all that come after; its Application mixes up the messages of a chat
when it reads several at once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bot.channels.base import Channel, ChannelOptions, Desk

__all__ = ["open_channel"]


@asynccontextmanager
async def open_channel(*, desk: Desk, options: ChannelOptions) -> AsyncGenerator[Channel | None, None]:
    """The Telegram channel, or None when it is not set up. Raises Misconfigured.

    What it is made of is imported only then: a house without Telegram need not wait for it.
    """
    from bot.channels.telegram.settings import TelegramSettings

    settings = TelegramSettings.read(options)
    if not settings.on:
        yield None
        return
    from bot.channels.telegram.channel import opened

    async with opened(desk=desk, settings=settings, options=options) as channel:
        yield channel
