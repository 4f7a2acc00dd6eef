"""Reads what the inbox kept, one update at a time, and gives each to whom it concerns.

Knows who takes what, and which failures a later try may mend. Leaves order and repetition to the house.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot.channels.base import Desk
from bot.channels.telegram.actions import Actions
from bot.channels.telegram.admission import Admission
from bot.channels.telegram.albums import Albums
from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.belongings import Belongings
from bot.channels.telegram.commands import Commands, typed
from bot.channels.telegram.events import read
from bot.channels.telegram.files import Files
from bot.channels.telegram.gone import Gone
from bot.channels.telegram.intake import Intake
from bot.channels.telegram.linking import Linking
from bot.channels.telegram.meanings import (
    Commanded,
    DraftStopped,
    Edited,
    Event,
    Member,
    Migrated,
    Pressed,
    Reacted,
    Said,
)
from bot.channels.telegram.mending import mendable
from bot.channels.telegram.reactions import Reactions
from bot.channels.telegram.settings import TelegramSettings
from bot.channels.telegram.voice import Voice
from bot.messages import KeptEvent

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One per channel."""

    api: Api
    intake: Intake
    commands: Commands
    actions: Actions
    reactions: Reactions

    async def read(self, kept: KeptEvent) -> None:
        """See to one update. Raises what a later try may mend: Unavailable, TelegramFailure; and Unreadable."""
        me = await self.api.me()
        event = read(kept.body, me=me)
        if event is None:
            return
        try:
            await self._give(event, bot=me.id)
        except TelegramFailure as failure:
            if mendable(failure):
                raise
            log.warning(
                "an update is of no use any more", code=failure.code, method=failure.method, key=event.key
            )

    async def _give(self, event: Event, *, bot: int) -> None:
        match event.meaning:
            case Said() as said if given := typed(said):
                await self.commands.given(event, given)
            case Said() as said:
                await self.intake.said(event, said)
            case Commanded() as given:
                await self.commands.given(event, given)
            case Edited() as edited:
                await self.intake.edited(edited)
            case Pressed() as pressed:
                await self.actions.pressed(pressed)
            case Reacted() as reacted:
                await self.reactions.reacted(reacted)
            case Member() as member:
                await self.intake.member(member)
            case Migrated() as migrated:
                await self.intake.migrated(bot, migrated)
            case DraftStopped() as stopped:
                await self.intake.draft_stopped(stopped)


def open_reader(desk: Desk, settings: TelegramSettings, *, api: Api, gone: Gone) -> Reader:
    """Everything that happens to an update, over one Api."""
    admission = Admission(settings=settings)
    voice = Voice(desk=desk, api=api, gone=gone)
    belongings = Belongings(desk=desk, api=api, voice=voice)
    linking = Linking(desk=desk, voice=voice)
    intake = Intake(
        desk=desk,
        api=api,
        admission=admission,
        albums=Albums(desk=desk),
        files=Files(api=api),
        voice=voice,
        gone=gone,
    )
    return Reader(
        api=api,
        intake=intake,
        commands=Commands(
            desk=desk,
            api=api,
            intake=intake,
            belongings=belongings,
            linking=linking,
            voice=voice,
        ),
        actions=Actions(
            desk=desk,
            admission=admission,
            intake=intake,
            belongings=belongings,
            linking=linking,
            voice=voice,
        ),
        reactions=Reactions(desk=desk, admission=admission),
    )
