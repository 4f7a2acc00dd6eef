"""One person, known here and in another channel: joined by a link with a one-time token, and only when they say so.

Knows what is asked before, and of whom. Leaves tokens, and what joining means, to the desk.

2026-12: whoever opens the link is asked first. Somebody might send their own to another person: what that one says here
would be theirs to export.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.channels.base import Desk
from bot.channels.telegram.keyboards import LINK_YES, linking, nothing
from bot.channels.telegram.meanings import Commanded, Pressed
from bot.channels.telegram.outcome import Outcome
from bot.channels.telegram.people import person_of
from bot.channels.telegram.places import CHANNEL, message_key, query_key
from bot.channels.telegram.voice import Voice, plain
from bot.notices import notice

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,55}")  # as long as a button can carry
DONE_SECONDS = 3_600.0  # that a press can be read again

CHANNELS = {"slack": "Slack", "telegram": "Telegram"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """One per channel."""

    desk: Desk
    voice: Voice

    async def ask(self, given: Commanded) -> None:
        """Somebody came by such a link: do they want that?"""
        spot, person = given.spot, person_of(given.sender)
        token = given.argument.strip()
        other = await self.desk.invited(token) if TOKEN.fullmatch(token) else None
        once = message_key(spot.bot, spot.chat, given.message_id)
        if other is None:
            await self.voice.say(spot, notice("telegram_link_stale", person.language), once=once)
            return
        sentence = notice(
            "telegram_link",
            person.language,
            who=plain(other.name) or notice("somebody", person.language),
            where=CHANNELS.get(other.channel) or notice("telegram_link_web", person.language),
        )
        keyboard = linking(token, person.language)
        await self.voice.say(spot, sentence, keyboard=keyboard, once=once)

    async def pressed(self, pressed: Pressed, action: str, token: str = "") -> Outcome:
        """What they say to that."""
        language = person_of(pressed.sender).language
        if action != LINK_YES:
            return Outcome(sentence=notice("telegram_link_refused", language), keyboard=nothing())
        linked = await self._link(pressed, token)
        sentence = notice("telegram_linked" if linked else "telegram_not_linked", language)
        return Outcome(sentence=sentence, keyboard=nothing())

    async def _link(self, pressed: Pressed, token: str) -> bool:
        """Whether they are linked now. A token is good once, and a press may be read again."""
        shelf = self.desk.shelf(CHANNEL)
        note = f"linked/{query_key(pressed.spot.bot, pressed.query)}"
        if await shelf.get(note):
            return True
        if not await self.desk.link(token, person_of(pressed.sender)):
            return False
        await shelf.put(note, "1", seconds=DONE_SECONDS)
        return True
