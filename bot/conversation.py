"""One message's way through the house: `receive()` takes it in, `answer()` tells its answer.

Knows what people may ask for: words, commands, corrections, another try. How an answer comes about stands in
`bot/answering.py`; leaves storage to the store and showing to the channel.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from bot import commands
from bot.allowance import Allowance
from bot.answering import Answering, Parts
from bot.meeting import Meeting
from bot.messages import (
    MAX_CHARS,
    MAX_FILE_CHARS,
    Attachment,
    Ending,
    Incoming,
    NotAccepted,
    Notice,
    Person,
    Place,
    Receipt,
    Refusal,
    Shown,
)
from bot.notices import notice
from bot.store import Lease
from moderation import TextRefused, clean

ALONE = frozenset({"web"})  # channels where nobody but the person reads what the house says in a place


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation(Parts):
    """What comes in, and what is asked for; one per process."""

    meeting: Meeting
    allowance: Allowance
    woken: asyncio.Event = field(default_factory=asyncio.Event)  # set when there is something to answer

    # -- in ------------------------------------------------------------------------------------------------

    async def receive(self, incoming: Incoming) -> Receipt:
        """Make one message safe in SQL and return; only then may the channel acknowledge it (P1).

        A key seen before changes nothing. Commands act here; one that failed midway acts when it is delivered again.
        Raises NotAccepted with a sentence for the person.
        """
        incoming = _cleaned(incoming)
        command = commands.parse(incoming.text)
        if command is None:
            await self.allowance.check(incoming)
        accepted = await self.store.accept(
            channel=incoming.place.channel,
            key=incoming.key,
            place_key=incoming.place.key,
            site=incoming.place.site,
            person_key=incoming.person.key,
            person_name=incoming.person.name,
            language=incoming.person.language,
            text=incoming.text,
            attachments=incoming.attachments,
            correlation=uuid.uuid4().hex,
            command=command is not None,
        )
        outcome = "duplicate" if accepted.duplicate else "command" if command else "accepted"
        self.metrics.received.labels(incoming.place.channel, outcome).inc()
        sentence = ""
        if command and not accepted.obeyed:
            sentence = await self._obey(command, incoming, accepted.place_id, accepted.person_id)
            await self.store.obeyed(channel=incoming.place.channel, key=incoming.key)
        self.bell.ring(accepted.place_id)
        self.woken.set()
        return Receipt(accepted.message_id, accepted.place_id, accepted.duplicate, notice=sentence)

    async def _obey(
        self, command: commands.Command, incoming: Incoming, place_id: int, person_id: int
    ) -> str:
        language = incoming.person.language
        match command:
            case "stop":
                stopped = await self.stop(place_id)
                sentence = notice("stopped" if stopped else "nothing_to_stop", language)
            case "reset":
                await self.stop(place_id)
                await self.store.reset(place_id)
                sentence = notice("reset", language)
            case "forget":
                await self.forget(person_id)
                return notice("forgotten", language)  # no note: nothing of this place is left to hang it on
            case "model":
                sentence = notice("model", language, model=self.models.choose(str(place_id)).reference)
            case "help":
                more = [notice("help_link", language)] if incoming.place.channel in ALONE else []
                sentence = "\n".join([notice("help", language), *more])
            case "usage":
                place, person = incoming.place, incoming.person
                sentence = await self.allowance.today(place.channel, person.key, language=language)
            case "link" if incoming.place.channel in ALONE:
                addresses = await self.meeting.invitations(incoming.person)
                sentence = notice(
                    "link" if addresses else "link_nowhere", language, addresses="\n".join(addresses)
                )
            case _:
                sentence = notice("unknown_command", language, command=incoming.text.split()[0])
        await self.store.note(place_id, sentence)
        return sentence

    async def stop(self, place_id: int) -> bool:
        """Stop the answer under way in a place and drop what waits there; True if there was anything (P6)."""
        cancelled = await self.store.request_cancel(place_id)
        for correlation in cancelled:
            await self.free(correlation)
        self.bell.ring(place_id)
        return bool(cancelled)

    async def revise(self, place: Place, key: str, text: str) -> None:
        """Put a person's new words in the place of those that came in under a key. No words left, or none that can be
        taken in: what was there is taken back."""
        try:
            words = clean(text).strip()[:MAX_CHARS]
        except TextRefused:
            words = ""
        if words:
            await self.store.revise(place.channel, key, words)
        else:
            await self.withdraw(place, key)

    async def withdraw(self, place: Place, key: str) -> None:
        """Delete a message and its answers, stopped if they are under way; one that is still to come stays out."""
        for correlation in await self.store.withdraw(place, key):
            await self.free(correlation)
        self.woken.set()

    async def again(self, place: Place, *, message_id: int, key: str) -> Receipt | None:
        """Answer the question of an answer once more; None when there is no such answer in the place, or who asked may
        ask no more now."""
        asker = await self.store.asker(message_id)
        if asker and await self.allowance.refusal(place, Person(place.channel, asker), key=key):
            return None
        accepted = await self.store.again(
            channel=place.channel,
            place_key=place.key,
            answer_id=message_id,
            key=key,
            correlation=uuid.uuid4().hex,
        )
        if accepted is None:
            return None
        self.metrics.received.labels(place.channel, "duplicate" if accepted.duplicate else "accepted").inc()
        self.bell.ring(accepted.place_id)
        self.woken.set()
        return Receipt(accepted.message_id, accepted.place_id, accepted.duplicate)

    async def forget(self, person_id: int) -> None:
        """Delete everything that a person said; answers under way lose their lease, and the engine is freed."""
        for correlation in await self.store.forget(person_id):
            await self.free(correlation)
        self.woken.set()

    # -- out -----------------------------------------------------------------------------------------------

    def answer(
        self, lease: Lease, *, delivers: bool = False
    ) -> AsyncGenerator[Shown | Notice | Ending, None]:
        """Tell the answer to one leased message from its beginning, as `Answering.told` does."""
        return Answering(self, lease, delivers).told()


def _cleaned(incoming: Incoming) -> Incoming:
    language = incoming.person.language
    try:
        text = clean(incoming.text).strip()
        files = tuple(Attachment(clean(each.name).strip(), clean(each.text)) for each in incoming.attachments)
    except TextRefused as error:
        raise NotAccepted(Refusal("unreadable", notice("unreadable", language))) from error
    if not text and not any(each.text.strip() for each in files):
        raise NotAccepted(Refusal("empty", notice("empty", language)))
    if len(text) > MAX_CHARS:
        raise NotAccepted(Refusal("oversized", notice("oversized", language, limit=MAX_CHARS)))
    if sum(len(each.text) for each in files) > MAX_FILE_CHARS:
        raise NotAccepted(Refusal("oversized", notice("files_oversized", language, limit=MAX_FILE_CHARS)))
    return replace(incoming, text=text, attachments=files)
