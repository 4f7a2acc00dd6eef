"""What a person says in Telegram, taken into the house: who it is, what they wrote and attached, and where.

Knows the order of these steps, and what is told to the person on the way. Leaves reading to `events`, whether it
concerns us to `admission`, and the answer to the house.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot import commands
from bot.channels.base import Desk
from bot.channels.telegram.admission import Admission
from bot.channels.telegram.albums import Albums
from bot.channels.telegram.api import Api
from bot.channels.telegram.belongings import usage
from bot.channels.telegram.files import Files
from bot.channels.telegram.gone import Gone
from bot.channels.telegram.meanings import DraftStopped, Edited, Event, Member, Migrated, Said, Sender
from bot.channels.telegram.people import person_of
from bot.channels.telegram.places import CHANNEL, Spot, message_key
from bot.channels.telegram.quoting import below, composed
from bot.channels.telegram.voice import SAID_SECONDS, Voice
from bot.messages import Attachment, Incoming, NotAccepted, Refusal
from bot.notices import notice

log = structlog.get_logger(__name__)

TOLD_SECONDS = 7 * 86_400.0  # until somebody is told again why there is no answer
REFUSED_SECONDS = 60.0  # until it is said again that somebody asks too much
READABLE = frozenset({"text", "file"})
NOT_LISTED = (
    "a group of TELEGRAM_GROUPS has become a supergroup, with another id: nobody is answered there until that stands "
    "in TELEGRAM_GROUPS, and Frontdesk was started again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """One per channel."""

    desk: Desk
    api: Api
    admission: Admission
    albums: Albums
    files: Files
    voice: Voice
    gone: Gone

    async def said(self, event: Event, said: Said) -> None:
        """A message: ours to answer or not. Raises Unavailable when the house is away."""
        if not said.album:
            await self.albums.over(said)
            await self._take((said,))
        elif self.admission.answers_in(said.spot):
            with self.albums.reading(said):
                await self._take(await self.albums.gathered(event.key, said))
        elif said.called:
            await self.bar(said.spot, said.sender, said.message_id)

    async def edited(self, edited: Edited) -> None:
        """A message's words changed: so do ours. It is not answered anew.

        One without words is left alone: what stood below a file may be taken away, and the file stays.
        """
        spot, message_id, text = edited.spot, edited.message_id, edited.text.strip()
        items = await self.albums.changed(edited) if edited.album else ()
        if calling := next((item for item in items if item.called), None):
            message_id = items[0].message_id
            text = _words(items, calling, person_of(calling.sender).language, alone=False)
        elif text:
            text = below(edited.quoted, text)
        if text:
            await self.desk.revise(spot.place(), message_key(spot.bot, spot.chat, message_id), text)

    async def receive(self, incoming: Incoming, *, reply_to: int) -> bool:
        """Take something in, and say what the house says to it at once; False when it was refused."""
        spot = Spot.of(incoming.place)
        try:
            receipt = await self.desk.receive(incoming)
        except NotAccepted as error:
            await self._refuse(incoming, error.refusal, reply_to=reply_to)
            return False
        if sentence := receipt.notice or await self._obeyed(incoming):
            beside = 0 if spot.private else reply_to
            await self.voice.say(spot, sentence, reply_to=beside, once=f"{incoming.key}/notice")
        return True

    async def _refuse(self, incoming: Incoming, refusal: Refusal, *, reply_to: int) -> None:
        """Say why something is not answered. Of too many messages not each: that would be too many of ours."""
        once, seconds = f"{incoming.key}/refusal", SAID_SECONDS
        if refusal.retry_after:
            once = f"refused/{incoming.place.key}/{incoming.person.key}/{refusal.code}"
            seconds = min(refusal.retry_after, REFUSED_SECONDS)
        spot = Spot.of(incoming.place)
        await self.voice.say(spot, refusal.sentence, reply_to=reply_to, once=once, seconds=seconds)

    async def stop(self, spot: Spot) -> bool:
        """Stop what is being answered in a chat or topic; True if there was anything."""
        place_id = await self.desk.find(spot.place())
        return place_id is not None and await self.desk.stop(place_id)

    async def bar(self, spot: Spot, sender: Sender, message_id: int, *, silent: bool = False) -> bool:
        """Whether somebody is not answered there; they are told why, once in a while."""
        bar = self.admission.bar(spot, sender)
        if bar and not silent:
            await self.voice.say(
                spot,
                notice(bar, person_of(sender).language),
                reply_to=message_id,
                once=f"told/{spot.bot}/{spot.chat}/{sender.id}",
                seconds=TOLD_SECONDS,
            )
        return bool(bar)

    async def heard_of(self, spot: Spot) -> None:
        """Somebody calls us from a chat: it can be written to, whatever it looked like before."""
        if await self.gone.is_gone(spot.chat):
            await self.gone.clear(spot.chat)

    # -- what happens to chats -----------------------------------------------------------------------------------

    async def member(self, member: Member) -> None:
        """We may write in a chat from now on, or no longer. In a group we say once how to call us."""
        spot, joined = member.spot, f"joined/{member.spot.bot}/{member.spot.chat}"
        if not member.here:
            await self.gone.mark(spot.chat)
            await self.voice.unsay(joined)
            return
        await self.gone.clear(spot.chat)
        if spot.private or not self.admission.answers_in(spot):
            return
        me = await self.api.me()
        name = "telegram_joined" if me.reads_groups else "telegram_joined_unheard"
        sentence = notice(name, person_of(member.sender).language, username=me.username)
        await self.voice.say(spot, sentence, once=joined)

    async def migrated(self, bot: int, migrated: Migrated) -> None:
        """A group has another id: its conversation goes with it."""
        await self.desk.move(Spot(bot, migrated.old).place(), Spot(bot, migrated.new).place())
        if self.admission.loses(migrated.old, migrated.new):
            log.warning(NOT_LISTED, chat=migrated.old, now=migrated.new)

    async def draft_stopped(self, stopped: DraftStopped) -> None:
        """Telegram's own stop button."""
        await self.stop(stopped.spot)

    # -- questions -----------------------------------------------------------------------------------------------

    async def _take(self, items: Sequence[Said]) -> None:
        """A message, or all that was sent at once."""
        calling = next((item for item in items if item.called), None)
        if calling is None:
            return
        spot, person = calling.spot, person_of(calling.sender)
        await self.heard_of(spot)
        if await self.bar(spot, calling.sender, calling.message_id):
            return
        language = person.language
        attachments, problems = await self._brought(items, language)
        text = _words(items, calling, language, alone=not (attachments or problems))
        if not (text or attachments or problems):
            problems = (notice("telegram_ask", language),)
        key = message_key(spot.bot, spot.chat, items[0].message_id)
        if text or attachments:
            incoming = Incoming(
                key=key, place=spot.place(), person=person, text=text, attachments=attachments
            )
            if not await self.receive(incoming, reply_to=calling.message_id):
                return
        for number, problem in enumerate(problems):
            await self.voice.say(spot, problem, reply_to=calling.message_id, once=f"{key}/problem/{number}")

    async def _brought(
        self, items: Sequence[Said], language: str
    ) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """What came with the words, and a sentence for each file that we could not take, and one for the rest."""
        files = [item.file for item in items if item.file]
        attachments, problems = await self.files.read(files, language=language)
        if any(item.kind not in READABLE for item in items):
            problems = (*problems, notice("telegram_unsupported", language))
        return attachments, problems

    async def _obeyed(self, incoming: Incoming) -> str:
        """What to say of a command of which the house says nothing more: it obeyed when this was read before."""
        language = incoming.person.language
        match commands.parse(incoming.text):
            case None:
                return ""
            case "stop":
                return notice("stopped", language)
            case "forget":
                return notice("forgotten", language)
            case "model":
                about = self.desk.about(CHANNEL, language=language, site=incoming.place.site)
                return notice("model", language, model=about.model)
            case "usage":  # in all, as today's is told by the house alone
                return usage(await self.desk.used(incoming.person), language)
            case "unknown" | "link":  # which is for channels where nobody reads along
                return notice("unknown_command", language, command=incoming.text.split()[0])
            case name:
                return notice(name, language)


def _words(items: Sequence[Said], calling: Said, language: str, *, alone: bool) -> str:
    """What is asked: the words of all items below the message that they are about. `alone`: nothing else came; then
    that message may be the question."""
    words = "\n\n".join(filter(None, (item.text.strip() for item in items)))
    if not words and not alone:
        return ""
    return composed(words, calling.quoted, calling.author, language=language)
