"""What every channel is, and what it may ask of the house: the only thing of ours that a channel leans on.

Knows no platform. The house side of `Desk` stands in `bot/desk.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web
from pydantic import SecretStr

from bot.messages import (
    About,
    Ending,
    Event,
    Incoming,
    KeptEvent,
    Notice,
    Person,
    Place,
    Question,
    Receipt,
    Sending,
    Session,
    Shown,
    Used,
)
from bot.personas import Persona, Site

Answer = AsyncGenerator[Shown | Notice | Ending, None]


class Shelf(Protocol):
    """A channel's own durable notes: tokens, settings of a workspace, an offset. Every verb may raise Unavailable."""

    async def get(self, name: str) -> str | None:
        """What was put there, or None; nothing is found after its time."""
        ...

    async def put(self, name: str, value: str, *, seconds: float | None = None) -> None:
        """Keep a value in the place of an older one, for so many seconds (None: for good)."""
        ...

    async def take(self, name: str) -> str | None:
        """What was put there, which is gone afterwards: of several takers one gets it."""
        ...

    async def drop(self, name: str) -> None:
        """Forget it, if it is there."""
        ...

    async def claim(self, name: str, owner: str, *, seconds: float) -> bool:
        """Hold a name for so many seconds, or for longer when the owner holds it already. False: another owner does."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """Give a name back that the owner holds."""
        ...

    async def names(self, prefix: str = "") -> Sequence[str]:
        """What there is, in order."""
        ...


class Desk(Protocol):
    """The house, as a channel sees it. Whatever reaches for what is kept raises Unavailable when that is away."""

    @property
    def owner(self) -> str:
        """What this process is called where only one may do a thing: see `Shelf.claim`."""
        ...

    # -- what a platform delivers ----------------------------------------------------------------------------

    async def keep(
        self, channel: str, *, key: str, lane: str, body: Mapping[str, Any], person: str = ""
    ) -> bool:
        """Make an event safe as it came (JSON); acknowledge only after this returns. False: its key was kept before.

        `person` is the key of whom it is about: it goes unread when they have everything forgotten.
        """
        ...

    async def handle(self, channel: str, handler: Callable[[KeptEvent], Awaitable[None]]) -> None:
        """Give every kept event of a channel to `handler`, until cancelled: in order within a lane, lanes beside each
        other, each event to one process at a time.

        An event whose handler raises comes again after a while, longer each time; after some tries, and at once when
        the handler raises Unreadable, it is kept as failed and left out. When its handler returns, the event's body is
        forgotten and its key remembered.
        """
        ...

    async def receive(self, incoming: Incoming) -> Receipt:
        """Make a message safe; acknowledge only after this returns. Raises NotAccepted with a sentence."""
        ...

    async def revise(self, place: Place, key: str, text: str) -> None:
        """A person has changed a message of a place: so do we."""
        ...

    async def withdraw(self, place: Place, key: str) -> None:
        """A person has deleted a message of a place: what is kept of it and its answers goes, an answer under way
        stops. One that is still to come stays out."""
        ...

    async def move(self, place: Place, to: Place) -> bool:
        """A platform has given a place another key: what was said there goes with it. False: there is no such place,
        or `to` is one already."""
        ...

    # -- what people ask for beside words ----------------------------------------------------------------------

    async def find(self, place: Place) -> int | None:
        """The id of a place where something was said before, or None."""
        ...

    async def stop(self, place_id: int) -> bool:
        """Stop what is being answered in a place."""
        ...

    async def again(self, place: Place, *, message_id: int, key: str) -> Receipt | None:
        """Answer the question of an answer once more, a little more freely; the old pair leaves the conversation's
        memory. None when there is no such answer in the place. The same key twice changes nothing.
        """
        ...

    async def rate(
        self, place: Place, person: Person, *, message_id: int, value: int, reason: str = ""
    ) -> bool:
        """Keep a thumb up (1) or down (-1), and why; False when there is no such answer in the place."""
        ...

    async def used(self, person: Person) -> Used:
        """What a person has used so far."""
        ...

    async def today(self, person: Person) -> str:
        """What a person has used today, and of how much, as a sentence."""
        ...

    async def export(self, person: Person) -> Mapping[str, Any]:
        """Everything that is kept of a person, ready for JSON."""
        ...

    async def forget(self, person: Person) -> None:
        """Delete everything that a person said, and the answers; what is under way stops."""
        ...

    # -- who is who ------------------------------------------------------------------------------------------------

    def meet(self, channel: str, address: str) -> None:
        """Let people of other channels become known in this one at an address that holds {token}."""
        ...

    async def invitations(self, person: Person) -> Sequence[str]:
        """The addresses where a person can become known in other channels, each good once and for a while."""
        ...

    async def invited(self, token: str) -> Person | None:
        """Who got a token of an invitation, while it is good."""
        ...

    async def link(self, token: str, person: Person) -> bool:
        """From now on a person is the one who got the token: one usage, one export, one /forget. The token is used up.
        False: it is not good, or no longer."""
        ...

    # -- what is shown -----------------------------------------------------------------------------------------

    async def sendings(self, message_id: int) -> Sequence[Sending]:
        """What was sent so far of the answer to a question, oldest first."""
        ...

    async def sent(
        self,
        message_id: int,
        platform_key: str,
        *,
        open: bool,  # noqa: A002
        detail: Mapping[str, Any],
    ) -> None:
        """Remember a platform's message that carries the answer to a question, or what has changed about it.

        Raises LookupError when the question is gone (somebody had it forgotten).
        """
        ...

    async def answer_at(self, channel: str, platform_key: str) -> tuple[Place, int] | None:
        """The place and the id of the answer that a platform's message carries (a part of), or None."""
        ...

    def about(self, channel: str, *, language: str, site: str = "") -> About:
        """Who answers there."""
        ...

    # -- the widget's --------------------------------------------------------------------------------------------

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

    def listen(self, place_id: int) -> AbstractContextManager[asyncio.Event]:
        """An event that is set whenever the place's timeline may have grown."""
        ...

    # -- the channel's own ---------------------------------------------------------------------------------------

    def shelf(self, channel: str) -> Shelf:
        """The channel's own notes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """What the operator decides about channels.

    public_url: how browsers reach this server, empty if not said. trusted_proxies: how many reverse proxies stand
    in front. data: the house's folder. variables: the channels' own (SLACK_..., TELEGRAM_...) by name. keys: what
    channels encrypt by what they keep for long: the first encrypts, each decrypts.
    """

    public_url: str = ""
    trusted_proxies: int = 0
    data: Path = Path("data")
    variables: Mapping[str, SecretStr] = field(default_factory=dict)
    keys: Sequence[SecretStr] = ()


class Channel(Protocol):
    """A way in and out of the house.

    Each module of `bot.channels` offers `open_channel(*, desk, options)`, an async context manager that yields its
    channel, or None when the variables that the channel needs are not set. It raises `bot.variables.Misconfigured`
    when they make no sense.
    """

    @property
    def name(self) -> str:
        """What its places are called by in SQL, the same as the module's."""
        ...

    @property
    def delivers(self) -> bool:
        """Whether `show` brings an answer somewhere else: one that ended and was not brought there before a crash is
        shown again after it, from its beginning. False: viewers read the timeline."""
        ...

    def routes(self) -> Iterable[web.RouteDef]:
        """The HTTP routes it needs, if any."""
        ...

    async def run(self) -> None:
        """Receive until cancelled. Raises only what a later retry may mend."""
        ...

    async def show(self, question: Question, answer: Answer) -> None:
        """Show an answer as it comes, at the channel's own pace, and take it to its end.

        It is told from its beginning, also what an earlier attempt has shown: `Desk.sendings` knows what of it was
        sent. The last thing is an Ending, but for a pause of the queue: then the generator raises, and so does this.
        What it raises else is tried again some times; NotNow as often as the platform asks for it.
        """
        ...
