"""The web channel: its routes put together, and its lifetime.

Knows which handler answers where. An answer needs no showing: viewers read the place's timeline from SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from bot.channels.base import Answer, Channel, ChannelOptions, Desk
from bot.channels.web.api import Api
from bot.channels.web.door import Door
from bot.channels.web.errors import answered
from bot.channels.web.pages import Pages
from bot.channels.web.stream import Streams
from bot.channels.web.viewers import Viewers
from bot.messages import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class WebChannel:
    """One per process."""

    pages: Pages
    api: Api
    streams: Streams
    viewers: Viewers
    name: str = field(default="web", init=False)
    delivers: bool = field(default=False, init=False)

    def routes(self) -> Iterable[web.RouteDef]:
        """The API first: /widget/{site} would take its place."""
        return (
            web.post("/widget/api/session", answered(self.api.session)),
            web.post("/widget/api/messages", answered(self.api.messages)),
            web.post("/widget/api/stop", answered(self.api.stop)),
            web.post("/widget/api/feedback", answered(self.api.feedback)),
            web.get("/widget/api/events", answered(self.streams.events), allow_head=False),
            web.route("*", "/widget/api/{elsewhere:.*}", answered(self.api.elsewhere)),
            *self.pages.routes(),
        )

    async def run(self) -> None:
        """Nothing to receive: requests come by themselves. When it ends, so do the streams, and at once."""
        self.viewers.open()
        try:
            await asyncio.Event().wait()
        finally:
            self.viewers.close()

    async def show(self, question: Question, answer: Answer) -> None:
        """Let the answer happen; whoever watches the place reads each piece from the timeline."""
        async for _ in answer:
            pass


@asynccontextmanager
async def open_channel(*, desk: Desk, options: ChannelOptions) -> AsyncGenerator[Channel | None, None]:
    """The web channel, always on. Raises WidgetNotBuilt when its files are missing."""
    door = Door(desk=desk, public_url=options.public_url, trusted_proxies=options.trusted_proxies)
    viewers = Viewers()
    channel = WebChannel(
        pages=await asyncio.to_thread(Pages.load, desk=desk, public_url=options.public_url),
        api=Api(desk=desk, door=door),
        streams=Streams(desk=desk, door=door, viewers=viewers),
        viewers=viewers,
    )
    try:
        yield channel
    finally:
        viewers.close()
