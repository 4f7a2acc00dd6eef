"""What is kept of a person: given to them as a file in their direct messages, or deleted.

Knows who may ask for what: everybody for their own. Leaves what there is to the desk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import structlog

from bot.channels.base import Desk
from bot.channels.slack.api import Api, SlackFailure
from bot.channels.slack.files import Files
from bot.channels.slack.trouble import meaning
from bot.channels.slack.voice import direct_channel
from bot.messages import Person
from bot.notices import notice

log = structlog.get_logger(__name__)

FILE = "frontdesk-data.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """One per channel."""

    desk: Desk
    api: Api
    files: Files

    async def give(self, team: str, user: str, person: Person) -> bool:
        """Bring everything that is kept of a person, as a file for them alone; False when Slack takes none.

        Raises Unavailable, and SlackFailure where a later try may do.
        """
        kept = await self.desk.export(person)
        content = json.dumps(kept, ensure_ascii=False, indent=2, default=str).encode()
        try:
            channel = await direct_channel(self.api, team, user)
            comment = notice("export_ready", person.language)
            await self.files.bring(team, channel, FILE, content, comment=comment)
        except SlackFailure as failure:
            if not failure.lost and meaning(failure) == "later":
                raise
            log.warning("a person's data could not be brought", code=failure.code, method=failure.method)
            return False
        return True

    async def forget(self, person: Person) -> None:
        """Delete all of it."""
        await self.desk.forget(person)
