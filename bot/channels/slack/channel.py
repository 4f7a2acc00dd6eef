"""The Slack channel: its parts put together, and its lifetime.

Knows which part needs which. What the parts do is theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from bot.channels.base import Answer, ChannelOptions, Desk
from bot.channels.slack.actions import Actions
from bot.channels.slack.addresses import Addresses
from bot.channels.slack.admission import Admission
from bot.channels.slack.api import Api, open_api
from bot.channels.slack.belongings import Belongings
from bot.channels.slack.bolt import Door, open_app
from bot.channels.slack.commands import Commands
from bot.channels.slack.files import Files
from bot.channels.slack.home import Home
from bot.channels.slack.inbox import Inbox
from bot.channels.slack.installation import Installations, ManyWorkspaces, open_installations
from bot.channels.slack.intake import Intake
from bot.channels.slack.meanings import Event, Pressed
from bot.channels.slack.oauth import OAuth, open_oauth
from bot.channels.slack.people import People
from bot.channels.slack.places import CHANNEL
from bot.channels.slack.reader import Reader
from bot.channels.slack.settings import SlackSettings
from bot.channels.slack.showing import Shower
from bot.channels.slack.socket import Sockets
from bot.channels.slack.voice import Voice
from bot.messages import Question, Unavailable

log = structlog.get_logger(__name__)

ERRANDS = 100  # presses whose form has not been opened yet; more are let go


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChannel:
    """One per process. `door` and `oauth` are there where HTTP is, `sockets` where Socket Mode is."""

    desk: Desk
    reader: Reader
    shower: Shower
    errands: asyncio.Queue[Event]
    door: Door | None
    sockets: Sockets | None
    oauth: OAuth | None
    name: str = field(default=CHANNEL, init=False)
    delivers: bool = field(default=True, init=False)

    def routes(self) -> Iterable[web.RouteDef]:
        """Slack's address for events, and the pages of an installation."""
        for part in (self.door, self.oauth):
            if part is not None:
                yield from part.routes()

    async def run(self) -> None:
        """Hear, and read what was heard, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.desk.handle(CHANNEL, self.reader.read), name="slack reader")
            group.create_task(self._run_errands(group), name="slack errands")
            if self.sockets is not None:
                group.create_task(self.sockets.run(), name="slack sockets")

    async def show(self, question: Question, answer: Answer) -> None:
        """Show an answer in the thread where it was asked for."""
        await self.shower.show(question, answer)

    async def _run_errands(self, group: asyncio.TaskGroup) -> None:
        """What cannot wait until it is read: see `actions`."""
        while True:
            group.create_task(self._ask_why(await self.errands.get()))

    async def _ask_why(self, event: Event) -> None:
        """A form is a courtesy: whatever goes wrong with it harms nothing else."""
        if not isinstance(event.meaning, Pressed):
            return
        try:
            await self.reader.actions.ask_why(event, event.meaning)
        except Unavailable as error:
            log.info("the form that asks why could not be opened", cause=str(error))
        except Exception:
            log.exception("the form that asks why could not be opened")


@asynccontextmanager
async def opened(
    *, desk: Desk, settings: SlackSettings, options: ChannelOptions
) -> AsyncGenerator[SlackChannel, None]:
    """The channel of these settings, which turn it on."""
    installations = open_installations(settings, keys=options.keys, shelf=desk.shelf(CHANNEL))
    async with open_api(tokens=installations, url=settings.api_url) as api:
        yield _assembled(desk, settings, options, installations=installations, api=api)


def _assembled(
    desk: Desk,
    settings: SlackSettings,
    options: ChannelOptions,
    *,
    installations: Installations,
    api: Api,
) -> SlackChannel:
    oauth = None
    if isinstance(installations, ManyWorkspaces):
        oauth = open_oauth(
            settings,
            workspaces=installations,
            shelf=desk.shelf(CHANNEL),
            public_url=options.public_url,
            trusted_proxies=options.trusted_proxies,
        )
    people = People(api=api)
    errands: asyncio.Queue[Event] = asyncio.Queue(ERRANDS)
    inbox = Inbox(desk=desk, at_once=lambda event: _note(errands, event))
    app = open_app(settings, inbox, flow=oauth.flow if oauth else None)
    sockets = None
    if settings.app_token is not None:
        sockets = Sockets(app=app, token=settings.app_token, url=settings.api_url, session=api.session)
    return SlackChannel(
        desk=desk,
        reader=open_reader(desk, settings, installations=installations, api=api, people=people),
        shower=Shower.over(api, desk, people=people, wanted=settings.streaming),
        errands=errands,
        door=Door(app) if settings.http else None,
        sockets=sockets,
        oauth=oauth,
    )


def open_reader(
    desk: Desk, settings: SlackSettings, *, installations: Installations, api: Api, people: People
) -> Reader:
    """Everything that happens to an event, over one Api."""
    addresses = Addresses(settings.api_url)
    admission = Admission(desk=desk, settings=settings)
    voice = Voice(api=api, session=api.session, addresses=addresses)
    files = Files(api=api, session=api.session, addresses=addresses)
    belongings = Belongings(desk=desk, api=api, files=files)
    intake = Intake(desk=desk, api=api, people=people, admission=admission, files=files, voice=voice)
    return Reader(
        installations=installations,
        intake=intake,
        actions=Actions(desk=desk, api=api, people=people, admission=admission, intake=intake, voice=voice),
        commands=Commands(
            desk=desk,
            api=api,
            people=people,
            admission=admission,
            intake=intake,
            belongings=belongings,
            voice=voice,
        ),
        home=Home(desk=desk, api=api, people=people, admission=admission, belongings=belongings),
    )


def _note(errands: asyncio.Queue[Event], event: Event) -> None:
    """Only a press can be an errand: what it is for is gone in seconds."""
    if isinstance(event.meaning, Pressed) and not errands.full():
        errands.put_nowait(event)
