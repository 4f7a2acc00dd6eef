"""The Telegram channel: its parts put together, and its lifetime.

Knows which part needs which. What the parts do is theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from pydantic import SecretStr

from bot.channels.base import Answer, ChannelOptions, Desk
from bot.channels.telegram.api import Api, open_api
from bot.channels.telegram.gone import Gone
from bot.channels.telegram.inbox import Inbox
from bot.channels.telegram.introduction import Introduction
from bot.channels.telegram.menu import publish
from bot.channels.telegram.places import CHANNEL, Spot
from bot.channels.telegram.poller import Poller
from bot.channels.telegram.reader import Reader, open_reader
from bot.channels.telegram.settings import WEBHOOK_PATH, TelegramSettings
from bot.channels.telegram.showing import Shower
from bot.channels.telegram.webhook import Webhook
from bot.messages import Question

log = structlog.get_logger(__name__)

DEEP_LINK = "https://t.me/{username}?start={{token}}"  # where people known elsewhere become known here


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramChannel:
    """One per process. What people do comes by the webhook, where there is one, else by the poller."""

    desk: Desk
    api: Api
    introduction: Introduction
    reader: Reader
    shower: Shower
    receiver: Poller | Webhook
    name: str = field(default=CHANNEL, init=False)
    delivers: bool = field(default=True, init=False)

    def routes(self) -> Iterable[web.RouteDef]:
        """Our address for Telegram's updates, where there is a webhook."""
        return self.receiver.routes() if isinstance(self.receiver, Webhook) else ()

    async def run(self) -> None:
        """Hear, and read what was heard, until cancelled."""
        me = await self.introduction.made()
        self.desk.meet(CHANNEL, DEEP_LINK.format(username=me.username))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.desk.handle(CHANNEL, self.reader.read), name="telegram reader")
            group.create_task(self.receiver.run(), name="telegram receiver")
            group.create_task(self._publish(), name="telegram menu")

    async def show(self, question: Question, answer: Answer) -> None:
        """Show an answer where it was asked for."""
        await self.shower.show(question, answer)

    async def _publish(self) -> None:
        """A menu is a courtesy: whatever goes wrong with it harms nothing else."""
        try:
            await publish(self.api, self.desk.shelf(CHANNEL))
        except Exception:
            log.exception("the menu of commands could not be set")


@asynccontextmanager
async def opened(
    *, desk: Desk, settings: TelegramSettings, options: ChannelOptions
) -> AsyncGenerator[TelegramChannel, None]:
    """The channel of these settings, which turn it on."""
    bot = int(settings.token.partition(":")[0])

    async def moved(old: int, new: int) -> None:
        await desk.move(Spot(bot, old).place(), Spot(bot, new).place())

    async with open_api(token=settings.token, settings=settings, moved=moved) as api:
        yield _assembled(desk, settings, options, api=api)


def _assembled(
    desk: Desk, settings: TelegramSettings, options: ChannelOptions, *, api: Api
) -> TelegramChannel:
    gone = Gone(desk.shelf(CHANNEL))
    return TelegramChannel(
        desk=desk,
        api=api,
        introduction=Introduction(api=api, webhook=settings.webhook),
        reader=open_reader(desk, settings, api=api, gone=gone),
        shower=Shower.over(api, desk, settings=settings, gone=gone),
        receiver=_receiver(desk, settings, options, api=api),
    )


def _receiver(
    desk: Desk, settings: TelegramSettings, options: ChannelOptions, *, api: Api
) -> Poller | Webhook:
    inbox = Inbox(desk=desk, api=api)
    if settings.webhook_secret is None:
        return Poller.over(api, inbox, desk)
    return Webhook(
        api=api,
        inbox=inbox,
        shelf=desk.shelf(CHANNEL),
        url=f"{options.public_url.rstrip('/')}{WEBHOOK_PATH}",
        token=SecretStr(settings.token),
        secret=settings.webhook_secret,
    )
