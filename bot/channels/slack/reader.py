"""Reads what the inbox kept, one event at a time, and gives each to whom it concerns.

Knows who takes what, and which failures a later try may mend. Leaves order and repetition to the house.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot.channels.slack.actions import Actions
from bot.channels.slack.api import SlackFailure
from bot.channels.slack.commands import Commands
from bot.channels.slack.events import read
from bot.channels.slack.home import BUTTONS, Home
from bot.channels.slack.installation import Installations
from bot.channels.slack.intake import Intake
from bot.channels.slack.meanings import (
    Asked,
    Commanded,
    Deleted,
    Edited,
    Event,
    HomeOpened,
    Joined,
    Pressed,
    Said,
    SessionStopped,
    Submitted,
    Uninstalled,
)
from bot.channels.slack.trouble import meaning
from bot.messages import KeptEvent

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One per channel."""

    installations: Installations
    intake: Intake
    actions: Actions
    commands: Commands
    home: Home

    async def read(self, kept: KeptEvent) -> None:
        """See to one event. Raises what a later try may mend: Unavailable, SlackFailure."""
        event = read(kept.body)
        if event is None:
            return
        if isinstance(event.meaning, Uninstalled):
            await self.installations.drop(event.team, event.enterprise, at=event.meaning.at)
            return
        if await self.installations.token(event.team, event.enterprise) is None:
            log.info("an event of a workspace that we are not installed in", team=event.team)
            return
        try:
            await self._give(event, retried=kept.attempt > 1)
        except SlackFailure as failure:
            if meaning(failure) != "never":
                raise
            log.warning("an event is of no use any more", code=failure.code, team=event.team)

    async def _give(self, event: Event, *, retried: bool) -> None:  # noqa: C901 - one line for each meaning
        match event.meaning:
            case Said() as said:
                await self.intake.said(event, said)
            case Edited() as edited:
                await self.intake.edited(event, edited)
            case Deleted() as deleted:
                await self.intake.deleted(event, deleted)
            case HomeOpened() as opened:
                await self.home.opened(event, opened)
            case Joined() as joined:
                await self.home.joined(event, joined)
            case Pressed() as pressed if pressed.action in BUTTONS:
                await self.home.pressed(event, pressed)
            case Pressed() as pressed:
                await self.actions.pressed(event, pressed)
            case Submitted() as submitted:
                await self.actions.submitted(event, submitted)
            case SessionStopped() as stopped:
                await self.actions.stopped(event, stopped)
            case Commanded() as given:
                await self.commands.given(event, given, retried=retried)
            case Asked() as asked:
                await self.commands.asked(event, asked, retried=retried)
