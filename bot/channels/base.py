"""What every channel is, and what it may ask of the house: the only thing of ours that a channel leans on.

Knows no platform. The house side of `Desk` stands in `bot/desk.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from aiohttp import web

from bot.messages import Event, Incoming, Notice, Place, Receipt, Session, Shown
from bot.personas import Persona, Site


class Desk(Protocol):
    """The house, as a channel sees it."""

    async def receive(self, incoming: Incoming) -> Receipt:
        """Make a message safe; acknowledge only after this returns. Raises NotAccepted with a sentence."""
        ...

    async def stop(self, place_id: int) -> bool:
        """Stop what is being answered in a place."""
        ...

    def site(self, key: str) -> tuple[Site, Persona] | None:
        """A website that may carry the widget and its persona, or None."""
        ...

    async def open_session(self, *, site: str, origin: str, language: str, token: str) -> tuple[str, Session]:
        """A new token, for the conversation of the old one if that is still good."""
        ...

    async def session(self, token: str) -> Session | None:
        """Whose token this is, or None."""
        ...

    async def timeline(self, place_id: int, *, after: int) -> list[Event]:
        """What a viewer who has seen everything up to `after` on the place clock has not seen yet, in order."""
        ...

    async def rate(self, session: Session, *, message_id: int, value: int) -> bool:
        """Keep a thumb up (1) or down (-1); False when there is no such answer in the session's place."""
        ...

    def listen(self, place_id: int) -> AbstractContextManager[asyncio.Event]:
        """An event that is set whenever the place's timeline may have grown."""
        ...


class Channel(Protocol):
    """A way in and out of the house."""

    name: str

    def routes(self) -> Iterable[web.RouteDef]:
        """The HTTP routes it needs, if any."""
        ...

    async def run(self) -> None:
        """Receive until cancelled. Raises only what a later retry may mend."""
        ...

    async def show(self, place: Place, answer: AsyncGenerator[Shown | Notice, None]) -> None:
        """Show an answer as it comes, at the channel's own pace."""
        ...
