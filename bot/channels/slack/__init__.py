"""Slack: direct messages, channels, threads, the agent view, a command, a menu entry, a home; answers that grow.

    inbox -> (the house keeps it) -> reader -> intake, actions, commands, home      what people do
    showing -> writing -> stream, ladder, posting -> api -> budget                  what they see
    settings, installation, oauth, doctor                                           how it is set up

2026-11: bolt checks signatures and speaks OAuth; events are not worked off in its listeners, see `inbox`. Not its
AsyncAssistant either: that serves only the experience which Slack withdraws.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bot.channels.base import Channel, ChannelOptions, Desk

__all__ = ["open_channel"]


@asynccontextmanager
async def open_channel(*, desk: Desk, options: ChannelOptions) -> AsyncGenerator[Channel | None, None]:
    """The Slack channel, or None when it is not set up. Raises Misconfigured.

    What it is made of is imported only then: bolt takes a second that a house without Slack need not wait.
    """
    from bot.channels.slack.settings import SlackSettings

    settings = SlackSettings.read(options)
    if not settings.on:
        yield None
        return
    from bot.channels.slack.channel import opened

    async with opened(desk=desk, settings=settings, options=options) as channel:
        yield channel
