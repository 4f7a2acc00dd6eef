"""What a person says in Slack, taken into the house: who it is, what they wrote and attached, and where.

Knows the order of these steps. Leaves reading to `events`, whether it concerns us to `admission`, and the answer to the
house.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.channels.base import Desk
from bot.channels.slack.admission import Admission
from bot.channels.slack.api import Api
from bot.channels.slack.files import Files
from bot.channels.slack.meanings import MENTION, Deleted, Edited, Event, Said
from bot.channels.slack.people import People
from bot.channels.slack.places import CHANNEL, Spot, message_key
from bot.channels.slack.voice import Voice
from bot.markup.slack import from_slack
from bot.messages import Incoming, NotAccepted, Person, Receipt, Refusal
from bot.notices import notice

LAST_SECONDS = 30 * 86_400.0  # that a person's last conversation in a channel is known to their commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """One per channel."""

    desk: Desk
    api: Api
    people: People
    admission: Admission
    files: Files
    voice: Voice

    async def said(self, event: Event, said: Said) -> None:
        """A message: ours to answer or not. Raises Unavailable when the house is away."""
        bot = event.bot or (await self.api.bot(event.team)).user_id
        spot = Spot(event.team, said.channel, said.thread)
        if said.user == bot or not await self.admission.meant(spot, said, bot=bot):
            return
        person = await self.people.person(event.team, said.user)
        if bar := self.admission.bar(said.channel, said.user):
            if await self.admission.untold(event.team, said.channel, said.user):
                await self._answer_privately(spot, said, notice(bar, person.language))
            return
        attachments, problems = await self.files.read(event.team, said.files, language=person.language)
        text = await self._text(event.team, said, bot)
        if problems and not attachments and not text:  # there was nothing but what we could not read
            await self._answer_privately(spot, said, *problems)
            return
        incoming = Incoming(
            key=message_key(event.team, said.channel, said.ts),
            place=spot.place(),
            person=person,
            text=text,
            attachments=attachments,
        )
        received = await self.receive(spot, incoming)
        if isinstance(received, Refusal):
            await self._answer_privately(spot, said, *problems, received.sentence)
        elif not received.duplicate:
            await self._answer_privately(spot, said, *problems)

    async def edited(self, event: Event, edited: Edited) -> None:
        """A message's words changed: so do ours. It is not answered anew."""
        bot = event.bot or (await self.api.bot(event.team)).user_id
        text = await self._text(event.team, edited, bot)
        place = Spot(event.team, edited.channel, edited.thread).place()
        await self.desk.revise(place, message_key(event.team, edited.channel, edited.ts), text)

    async def deleted(self, event: Event, deleted: Deleted) -> None:
        """A message is gone: we forget it, and stop answering it."""
        place = Spot(event.team, deleted.channel, deleted.thread).place()
        await self.desk.withdraw(place, message_key(event.team, deleted.channel, deleted.ts))

    async def receive(self, spot: Spot, incoming: Incoming, *, asked_in: str = "") -> Receipt | Refusal:
        """Make a message safe, whatever way it came. `asked_in`: the channel, where its conversation is in another."""
        try:
            receipt = await self.desk.receive(incoming)
        except NotAccepted as error:
            return error.refusal
        if receipt.notice:
            await self.voice.aloud(spot, receipt.notice)
        if not receipt.duplicate:
            for channel in {spot.channel, asked_in or spot.channel}:
                await self._remember(channel, incoming.person, spot)
        return receipt

    async def stop(self, spot: Spot) -> bool:
        """Stop what is being answered in a thread; True if there was anything."""
        place_id = await self.desk.find(spot.place())
        return place_id is not None and await self.desk.stop(place_id)

    async def last(self, team: str, channel: str, person: Person) -> Spot | None:
        """The conversation that a person asked for last in a channel, wherever it goes on."""
        noted = await self.desk.shelf(CHANNEL).get(_last(channel, person))
        return Spot(team, *noted.split("/")) if noted else None

    async def _answer_privately(self, spot: Spot, said: Said, *sentences: str) -> None:
        for sentence in sentences:
            await self.voice.privately(spot, said.user, sentence, begun=said.follows)

    async def _remember(self, channel: str, person: Person, spot: Spot) -> None:
        noted = f"{spot.channel}/{spot.thread}"
        await self.desk.shelf(CHANNEL).put(_last(channel, person), noted, seconds=LAST_SECONDS)

    async def _text(self, team: str, said: Said | Edited, bot: str) -> str:
        """A message's words, and below them those of the messages that came forwarded with it, quoted."""
        own = await self.plain(team, said.text, bot=bot)
        shared = [quoted(await self.plain(team, each, bot=bot)) for each in said.shared if each.strip()]
        return "\n\n".join(filter(None, (own, *shared)))

    async def plain(self, team: str, text: str, *, bot: str = "") -> str:
        """Slack's text as plain Markdown, with people's names; mentions of `bot` at its start are left out."""
        names = await self.people.names(team, MENTION.findall(text))
        return from_slack(text, names, bot=bot).strip()


def quoted(text: str) -> str:
    """Text as a Markdown quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _last(channel: str, person: Person) -> str:
    return f"last/{person.key}/{channel}"
