"""The commands: words that steer, a question in a group, the greeting, and what is kept of a person.

Knows which of them are obeyed here, and which in the house. Leaves reading them to `events`, the menu to `menu`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot import commands
from bot.channels.base import Desk
from bot.channels.telegram.api import Api
from bot.channels.telegram.belongings import Belongings
from bot.channels.telegram.intake import Intake
from bot.channels.telegram.keyboards import suggesting
from bot.channels.telegram.linking import Linking
from bot.channels.telegram.meanings import Commanded, Event, Said
from bot.channels.telegram.people import person_of
from bot.channels.telegram.places import CHANNEL, message_key
from bot.channels.telegram.quoting import composed
from bot.channels.telegram.voice import Voice, plain
from bot.channels.telegram.words import Words
from bot.messages import Incoming
from bot.notices import notice

ANYBODYS = frozenset({"privacy", "forget"})  # also of one whom we do not answer (any more)
STEERING = frozenset({"stop", "reset", "model", "usage"})  # which the house obeys
OURS = frozenset({"start", "help", "ask", *STEERING, *ANYBODYS})
_WHOLE = re.compile(r"/([a-z]+)(?:@\w+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """One per channel."""

    desk: Desk
    api: Api
    intake: Intake
    belongings: Belongings
    linking: Linking
    voice: Voice

    async def given(self, event: Event, given: Commanded) -> None:
        """A command. In groups one that we do not know is for somebody else."""
        words = Words.of(event.raw.get("message") or {})
        if given.name not in OURS and not given.spot.private and not words.mentions(await self.api.me()):
            return
        await self.intake.heard_of(given.spot)
        if await self._barred(given):
            return
        match given.name:
            case "start":
                await self._start(given)
            case "help":
                await self._say(given, "telegram_help" if given.spot.private else "telegram_help_group")
            case "ask":
                await self._ask(given)
            case "privacy":
                await self.belongings.tell(given)
            case "forget":
                await self.belongings.ask(given)
            case name if name in STEERING:
                await self._receive(given, f"/{name}")
            case _:
                await self._unknown(given, words)

    async def _barred(self, given: Commanded) -> bool:
        """Whether we do not answer; a command that may be another bot's is left alone silently."""
        meant = given.spot.private or given.addressed or given.name == "ask"
        if given.name in ANYBODYS and (meant or self.intake.admission.answers_in(given.spot)):
            return False
        return await self.intake.bar(given.spot, given.sender, given.message_id, silent=not meant)

    async def _start(self, given: Commanded) -> None:
        """The first thing that is ever said to us; or what a link has brought."""
        if not given.spot.private:
            await self._say(given, "telegram_help_group")
            return
        if given.argument.strip():
            await self.linking.ask(given)
            return
        language = person_of(given.sender).language
        about = self.desk.about(CHANNEL, language=language, site=str(given.spot.chat))
        greeting = about.greeting or notice("telegram_greeting", language)
        await self.voice.say(
            given.spot,
            f"{greeting}\n\n{notice('telegram_how', language)}",
            keyboard=suggesting(about.suggestions),
            once=_key(given),
        )

    async def _ask(self, given: Commanded) -> None:
        language = person_of(given.sender).language
        text = composed(given.argument, given.quoted, given.author, language=language)
        if commands.parse(text) == "forget":  # which the house would obey unasked
            await self.belongings.ask(given)
        elif text:
            await self._receive(given, text)
        else:
            await self._say(given, "telegram_ask")

    async def _unknown(self, given: Commanded, words: Words) -> None:
        """Words that begin as a command. The house knows what to say to one; a path and a question is no command."""
        text = words.markdown(without=words.mentions(await self.api.me()))
        language = person_of(given.sender).language
        if not given.argument and not commands.parse(text):  # such as /two_words
            name = plain(f"/{given.name}")
            await self._tell(given, notice("unknown_command", language, command=name))
        else:
            await self._receive(given, composed(text, given.quoted, given.author, language=language))

    async def _receive(self, given: Commanded, text: str) -> None:
        incoming = Incoming(
            key=_key(given), place=given.spot.place(), person=person_of(given.sender), text=text
        )
        await self.intake.receive(incoming, reply_to=given.message_id)

    async def _say(self, given: Commanded, name: str) -> None:
        me = await self.api.me()
        await self._tell(given, notice(name, person_of(given.sender).language, username=me.username))

    async def _tell(self, given: Commanded, sentence: str) -> None:
        reply_to = 0 if given.spot.private else given.message_id
        await self.voice.say(given.spot, sentence, reply_to=reply_to, once=_key(given))


def typed(said: Said) -> Commanded | None:
    """The command that a message is though it does not begin with it: our name stands before it, or it is a caption.

    In an album, too: what else was sent at once goes on without it.
    """
    match = _WHOLE.fullmatch(said.text) if said.called else None
    if match is None or match[1].lower() not in OURS:
        return None
    return Commanded(
        spot=said.spot,
        message_id=said.message_id,
        sender=said.sender,
        name=match[1].lower(),
        argument="",
        addressed=True,
        quoted=said.quoted,
        author=said.author,
    )


def _key(given: Commanded) -> str:
    return message_key(given.spot.bot, given.spot.chat, given.message_id)
