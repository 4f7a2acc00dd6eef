"""The channels: whether their variables make sense, and, when one is named, what its platform says of us.

Knows which channel has a doctor of its own. Leaves what a platform says to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from bot.channels.base import ChannelOptions, Shelf
from bot.finding import Finding
from bot.settings import Settings, channel_variables
from bot.variables import Misconfigured

DATABASE_SECONDS = 10.0  # until it is taken for away


def options_of(settings: Settings, environment: Mapping[str, str]) -> ChannelOptions:
    """What channels are told by the operator."""
    return ChannelOptions(
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        data=settings.data,
        variables=channel_variables(environment),
        keys=settings.encryption_keys,
    )


def check_slack(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """Its variables as they stand; Slack itself is not asked."""
    from bot.channels.slack.settings import SlackSettings

    try:
        slack = SlackSettings.read(options_of(settings, environment))
    except Misconfigured as error:
        return _mistakes(error)
    if not slack.on:
        return []
    ways = " and ".join(way for way, on in (("Socket Mode", slack.socket), ("HTTP", slack.http)) if on)
    return [Finding("ok", "Slack", f"set up, by {ways}; `frontdesk doctor slack` asks Slack itself")]


def check_telegram(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """Its variables as they stand; Telegram itself is not asked."""
    from bot.channels.telegram.settings import TelegramSettings

    try:
        telegram = TelegramSettings.read(options_of(settings, environment))
    except Misconfigured as error:
        return _mistakes(error)
    if not telegram.on:
        return []
    way = "a webhook" if telegram.webhook else "long polling"
    said = f"set up, by {way}; `frontdesk doctor telegram` asks Telegram itself"
    return [Finding("ok", "Telegram", said)]


def _mistakes(error: Misconfigured) -> list[Finding]:
    return [
        Finding("fail", variable, said, "correct this variable")
        for variable, _, said in (line.partition(": ") for line in str(error).split("\n"))
    ]


async def examine_slack(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """What Slack says of us, and of the workspaces that came by OAuth, if the database is there to tell them."""
    from bot.channels.slack.doctor import examine

    async with AsyncExitStack() as stack:
        shelf = await _shelf("slack", settings, stack) if settings.encryption_keys else None
        return await examine(options_of(settings, environment), shelf=shelf)


async def examine_telegram(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """What Telegram says of us, and whether anybody else fetches what is for us."""
    from bot.channels.telegram.doctor import examine

    async with AsyncExitStack() as stack:
        shelf = await _shelf("telegram", settings, stack)
        return await examine(options_of(settings, environment), shelf=shelf)


async def _shelf(channel: str, settings: Settings, stack: AsyncExitStack) -> Shelf | None:
    """A channel's notes, or None when the database is away, or was never made."""
    from bot.store import Store, StoreError
    from bot.store.database import sqlite_path

    url = settings.database()
    try:
        if url.startswith("sqlite") and not await asyncio.to_thread(sqlite_path(url).exists):
            return None
        async with asyncio.timeout(DATABASE_SECONDS):
            store = await stack.enter_async_context(Store.open(url))
    except (StoreError, TimeoutError):
        return None
    return store.shelf(channel)
