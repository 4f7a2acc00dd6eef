"""The house side of `bot.channels.base.Desk`: what a channel may ask, answered by the conversation and the store.

Knows who answers what. Adds nothing of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.conversation import Conversation
from bot.messages import Event, Incoming, Receipt, Session
from bot.personas import Persona, Site

BATCH = 500  # events read at once: a long conversation is sent in parts


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseDesk:
    """One per process, passed to every channel."""

    conversation: Conversation

    async def receive(self, incoming: Incoming) -> Receipt:
        """Make a message safe. Raises NotAccepted with a sentence for the person."""
        return await self.conversation.receive(incoming)

    async def stop(self, place_id: int) -> bool:
        """Stop what is being answered in a place; True if there was anything."""
        return await self.conversation.stop(place_id)

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

    async def rate(self, session: Session, *, message_id: int, value: int) -> bool:
        """Keep a thumb up (1) or down (-1); False when there is no such answer in the session's place."""
        return await self.conversation.store.rate(session, message_id=message_id, value=value)

    @contextmanager
    def listen(self, place_id: int) -> Iterator[asyncio.Event]:
        """An event that is set whenever the place's timeline may have grown."""
        with (
            self.conversation.metrics.viewers.track_inprogress(),
            self.conversation.bell.listen(place_id) as event,
        ):
            yield event
