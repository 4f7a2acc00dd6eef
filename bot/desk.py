"""The house side of `bot.channels.base.Desk`: what a channel may ask, answered by the conversation and the store.

Knows who answers what. Adds nothing of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.conversation import Conversation
from bot.intake import Handler, Intake
from bot.messages import About, Event, Incoming, Person, Place, Receipt, Sending, Session, Used
from bot.personas import Persona, Site
from bot.store.shelf import Shelf

BATCH = 500  # events read at once: a long conversation is sent in parts


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseDesk:
    """One per process, passed to every channel. `owner` names the process in leases."""

    conversation: Conversation
    owner: str = ""
    _intakes: dict[str, Intake] = field(default_factory=dict)

    # -- what a platform delivers ----------------------------------------------------------------------------

    async def keep(
        self, channel: str, *, key: str, lane: str, body: Mapping[str, Any], person: str = ""
    ) -> bool:
        """Make an event safe as it came. False: its key was kept before."""
        store = self.conversation.store
        new = await store.keep_event(channel, key=key, lane=lane, body=body, person=person)
        if channel in self._intakes:
            self._intakes[channel].woken.set()
        return new

    async def handle(self, channel: str, handler: Handler) -> None:
        """Give every kept event of a channel to `handler`, until cancelled."""
        intake = Intake(channel=channel, owner=self.owner, store=self.conversation.store)
        self._intakes[channel] = intake
        await intake.run(handler)

    async def receive(self, incoming: Incoming) -> Receipt:
        """Make a message safe. Raises NotAccepted with a sentence for the person."""
        return await self.conversation.receive(incoming)

    async def revise(self, place: Place, key: str, text: str) -> None:
        """A person has changed a message: so do we."""
        await self.conversation.revise(place, key, text)

    async def withdraw(self, place: Place, key: str) -> None:
        """A person has deleted a message: it goes with its answers."""
        await self.conversation.withdraw(place, key)

    async def move(self, place: Place, to: Place) -> bool:
        """A platform has given a place another key. False: there is no such place, or `to` is one already."""
        return await self.conversation.store.move(place.channel, place.key, to=to.key, site=to.site)

    # -- what people ask for beside words ----------------------------------------------------------------------

    async def find(self, place: Place) -> int | None:
        """The id of a place where something is kept, or None."""
        return await self.conversation.store.find(place.channel, place.key)

    async def stop(self, place_id: int) -> bool:
        """Stop what is being answered in a place; True if there was anything."""
        return await self.conversation.stop(place_id)

    async def again(self, place: Place, *, message_id: int, key: str) -> Receipt | None:
        """Answer the question of an answer once more; None when there is no such answer in the place."""
        return await self.conversation.again(place, message_id=message_id, key=key)

    async def rate(
        self, place: Place, person: Person, *, message_id: int, value: int, reason: str = ""
    ) -> bool:
        """Keep a thumb up (1) or down (-1), and why; False when there is no such answer in the place."""
        return await self.conversation.store.rate(
            place, person, message_id=message_id, value=value, reason=reason
        )

    async def used(self, person: Person) -> Used:
        """What a person has used so far."""
        who = await self.conversation.store.who(person.channel, person.key)
        return await self.conversation.store.used(who) if who else Used(0, 0, 0, 0.0)

    async def today(self, person: Person) -> str:
        """What a person has used today, and of how much, as a sentence."""
        return await self.conversation.allowance.today(person.channel, person.key, language=person.language)

    async def export(self, person: Person) -> Mapping[str, Any]:
        """Everything that is kept of a person; empty when nothing is."""
        who = await self.conversation.store.who(person.channel, person.key)
        return await self.conversation.store.export(who) if who else {}

    async def forget(self, person: Person) -> None:
        """Delete everything that a person said, and the answers; what is under way stops."""
        if who := await self.conversation.store.who(person.channel, person.key):
            await self.conversation.forget(who)

    # -- who is who ------------------------------------------------------------------------------------------------

    def meet(self, channel: str, address: str) -> None:
        """Let people of other channels become known in this one at an address that holds {token}."""
        self.conversation.meeting.offer(channel, address)

    async def invitations(self, person: Person) -> Sequence[str]:
        """The addresses where a person can become known in other channels, each good once and for a while."""
        return await self.conversation.meeting.invitations(person)

    async def invited(self, token: str) -> Person | None:
        """Who got the token of an invitation, while it is good."""
        return await self.conversation.meeting.invited(token)

    async def link(self, token: str, person: Person) -> bool:
        """From now on a person is the one who got the token. False: it is not good, or no longer."""
        return await self.conversation.meeting.link(token, person)

    # -- what is shown -----------------------------------------------------------------------------------------

    async def sendings(self, message_id: int) -> Sequence[Sending]:
        """What was sent so far of the answer to a question, oldest first."""
        return await self.conversation.store.sendings(message_id)

    async def sent(
        self,
        message_id: int,
        platform_key: str,
        *,
        open: bool,  # noqa: A002
        detail: Mapping[str, Any],
    ) -> None:
        """Remember a platform's message that carries the answer to a question. Raises LookupError without that."""
        await self.conversation.store.sent(message_id, platform_key, open=open, detail=detail)

    async def answer_at(self, channel: str, platform_key: str) -> tuple[Place, int] | None:
        """The place and the id of the answer that a platform's message carries, or None."""
        return await self.conversation.store.answer_at(channel, platform_key)

    def about(self, channel: str, *, language: str, site: str = "") -> About:
        """Who answers there."""
        personas, models = self.conversation.personas, self.conversation.models
        persona = personas.personas[personas.name_for(channel=channel, site=site)]
        return About(
            greeting=persona.greeting.of(language),
            suggestions=persona.suggestions.of(language),
            model=models.default.reference,
        )

    # -- the widget's --------------------------------------------------------------------------------------------

    def site(self, key: str) -> tuple[Site, Persona] | None:
        """A website that may carry the widget and its persona, or None."""
        personas = self.conversation.personas
        site = personas.sites.get(key)
        return (site, personas.personas[site.persona]) if site else None

    async def open_session(self, *, site: str, origin: str, language: str, token: str) -> tuple[str, Session]:
        """A new token, for the conversation of the old one if that is still good."""
        return await self.conversation.store.open_session(
            site=site, origin=origin, language=language, token=token
        )

    async def session(self, token: str) -> Session | None:
        """Whose token this is, or None."""
        return await self.conversation.store.session(token)

    async def timeline(self, place_id: int, *, after: int) -> list[Event]:
        """What a viewer who has seen everything up to `after` on the place clock has not seen yet, in order."""
        return await self.conversation.store.timeline(place_id, after=after, limit=BATCH)

    @contextmanager
    def listen(self, place_id: int) -> Iterator[asyncio.Event]:
        """An event that is set whenever the place's timeline may have grown."""
        with (
            self.conversation.metrics.viewers.track_inprogress(),
            self.conversation.bell.listen(place_id) as event,
        ):
            yield event

    # -- the channel's own ---------------------------------------------------------------------------------------

    def shelf(self, channel: str) -> Shelf:
        """The channel's own notes."""
        return self.conversation.store.shelf(channel)
