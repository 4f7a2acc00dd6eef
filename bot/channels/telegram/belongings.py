"""What is kept of a person: told to them, given to them as a file where they read alone, or deleted.

Knows who may ask for what: everybody for their own, and an administrator who stays anonymous for what was said in the
group's name. Leaves what there is to the desk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from bot.channels.base import Desk
from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.keyboards import EXPORT, FORGET, FORGET_YES, forgetting, nothing, privacy
from bot.channels.telegram.meanings import Commanded, Pressed
from bot.channels.telegram.mending import mendable
from bot.channels.telegram.outcome import Outcome
from bot.channels.telegram.people import person_of
from bot.channels.telegram.places import Spot, message_key, query_key
from bot.channels.telegram.voice import Voice
from bot.messages import Person, Used
from bot.notices import notice

log = structlog.get_logger(__name__)

FILE = "frontdesk-data.json"
ADMINISTRATORS = frozenset({"administrator", "creator"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """One per channel."""

    desk: Desk
    api: Api
    voice: Voice

    async def tell(self, given: Commanded) -> None:
        """What is kept of a person, and the buttons to have it."""
        spot, person = given.spot, person_of(given.sender)
        used = usage(await self.desk.used(person), person.language)
        await self.voice.say(
            spot,
            f"{notice('telegram_privacy', person.language)}\n\n{used}",
            reply_to=0 if spot.private else given.message_id,
            keyboard=privacy(given.sender.id, person.language, export=spot.private),
            once=message_key(spot.bot, spot.chat, given.message_id),
        )

    async def ask(self, given: Commanded) -> None:
        """Whether everything is to be deleted."""
        spot, language = given.spot, person_of(given.sender).language
        await self.voice.say(
            spot,
            notice("telegram_forget", language),
            reply_to=0 if spot.private else given.message_id,
            keyboard=forgetting(given.sender.id, language),
            once=message_key(spot.bot, spot.chat, given.message_id),
        )

    async def pressed(self, pressed: Pressed, action: str, owner: int) -> Outcome:
        """A button below either of them. `owner`: whose it is."""
        person = await self._owner(pressed, owner)
        language = person_of(pressed.sender).language
        if person is None:
            return Outcome(toast=notice("telegram_not_yours", language))
        if action == EXPORT:
            return Outcome(then=lambda: self._bring(pressed, person))
        if action == FORGET:
            return Outcome(sentence=notice("telegram_forget", language), keyboard=forgetting(owner, language))
        if action == FORGET_YES:
            await self.desk.forget(person)
            return Outcome(sentence=notice("forgotten", language), keyboard=nothing())
        return Outcome(sentence=notice("telegram_not_forgotten", language), keyboard=nothing())

    async def _owner(self, pressed: Pressed, owner: int) -> Person | None:
        """The one whose belongings they are, if they pressed the button."""
        if pressed.sender.id == owner:
            return person_of(pressed.sender)
        if owner == pressed.spot.chat and await self._is_anonymous(pressed.spot, pressed.sender.id):
            return person_of(replace(pressed.sender, id=owner, name=""))
        return None

    async def _is_anonymous(self, spot: Spot, user: int) -> bool:
        """Whether somebody speaks in the group's name: a button tells who really presses it."""
        try:
            member = await self.api.call("getChatMember", chat=spot.chat, user_id=user)
        except TelegramFailure as failure:
            if mendable(failure):
                raise
            return False
        return member.get("status") in ADMINISTRATORS and bool(member.get("is_anonymous"))

    async def _bring(self, pressed: Pressed, person: Person) -> None:
        """Everything that is kept of a person, as a file for them alone."""
        spot = pressed.spot
        if not spot.private:  # an old button in a chat that others read
            return
        kept = await self.desk.export(person)
        content = json.dumps(kept, ensure_ascii=False, indent=2, default=str).encode()
        try:
            await self.api.send_document(spot, FILE, content, caption=notice("export_ready", person.language))
        except TelegramFailure as failure:
            if mendable(failure) and not failure.lost:
                raise
            log.warning("a person's data could not be brought", code=failure.code, method=failure.method)
            sentence = notice("export_failed", person.language)
            await self.voice.say(spot, sentence, once=f"{query_key(spot.bot, pressed.query)}/failed")


def usage(used: Used, language: str) -> str:
    """What a person has used so far, as a sentence."""
    if not used.answers:
        return notice("home_unused", language)
    since = datetime.fromtimestamp(used.since, UTC).strftime("%Y-%m-%d")
    tokens = used.prompt_tokens + used.completion_tokens
    return notice("home_used", language, answers=f"{used.answers:,}", tokens=f"{tokens:,}", since=since)
