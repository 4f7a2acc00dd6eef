"""What every channel is, and what it may ask of the house: the only thing of ours that a channel leans on.

Knows no platform. The house side of `Desk` stands in `bot/desk.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web
from pydantic import SecretStr

from bot.messages import Event, Incoming, Notice, Place, Receipt, Session, Shown
from bot.personas import Persona, Site


class Desk(Protocol):
    """The house, as a channel sees it. Whatever reaches for what is kept raises Unavailable when that is away."""

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
        """What a viewer who has seen everything up to `after` on the place clock has not seen yet, in order.

        At most some hundred events: none means that there are no more. Pieces of one answer that follow each other
        may come as one.
        """
        ...

    async def rate(self, session: Session, *, message_id: int, value: int) -> bool:
        """Keep a thumb up (1) or down (-1); False when there is no such answer in the session's place."""
        ...

    def listen(self, place_id: int) -> AbstractContextManager[asyncio.Event]:
        """An event that is set whenever the place's timeline may have grown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """What the operator decides about channels.

    public_url: how browsers reach this server, empty if not said. trusted_proxies: how many reverse proxies stand
    in front. data: the house's folder. secrets: the channels' own variables (SLACK_..., TELEGRAM_...) by name.
    """

    public_url: str = ""
    trusted_proxies: int = 0
    data: Path = Path("data")
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)


class Channel(Protocol):
    """A way in and out of the house.

    Each module of `bot.channels` offers `open_channel(*, desk, options)`, an async context manager that yields its
    channel, or None when the variables that the channel needs are not set.
    """

    @property
    def name(self) -> str:
        """What its places are called by in SQL, the same as the module's."""
        ...

    def routes(self) -> Iterable[web.RouteDef]:
        """The HTTP routes it needs, if any."""
        ...

    async def run(self) -> None:
        """Receive until cancelled. Raises only what a later retry may mend."""
        ...

    async def show(self, place: Place, answer: AsyncGenerator[Shown | Notice, None]) -> None:
        """Show an answer as it comes, at the channel's own pace."""
        ...
