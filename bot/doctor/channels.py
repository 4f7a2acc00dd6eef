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
        return [
            Finding("fail", variable, said, "correct this variable")
            for variable, _, said in (line.partition(": ") for line in str(error).split("\n"))
        ]
    if not slack.on:
        return []
    ways = " and ".join(way for way, on in (("Socket Mode", slack.socket), ("HTTP", slack.http)) if on)
    return [Finding("ok", "Slack", f"set up, by {ways}; `frontdesk doctor slack` asks Slack itself")]


async def examine_slack(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """What Slack says of us, and of the workspaces that came by OAuth, if the database is there to tell them."""
    from bot.channels.slack.doctor import examine

    async with AsyncExitStack() as stack:
        shelf = await _shelf(settings, stack) if settings.encryption_keys else None
        return await examine(options_of(settings, environment), shelf=shelf)


async def _shelf(settings: Settings, stack: AsyncExitStack) -> Shelf | None:
    from bot.store import Store, StoreError

    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            store = await stack.enter_async_context(Store.open(settings.database()))
    except (StoreError, TimeoutError):
        return None
    return store.shelf("slack")
