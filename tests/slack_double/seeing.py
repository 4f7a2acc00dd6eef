"""What a test may know: what people see, what was called, what was delivered.

Reads the world and changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.slack_double.delivery import Delivery
from tests.slack_double.faults import Call
from tests.slack_double.happening import Happening
from tests.slack_double.message import Message
from tests.slack_double.rates import Rates
from tests.slack_double.state import Session, Workspace
from tests.slack_double.web_api import WebApi

SOON = 10.0  # seconds; a deadline, not a pause
T = TypeVar("T")


@dataclass(kw_only=True)
class Seeing(Happening):
    """Everybody's eyes. The first workspace is `home`; its people are `ann` and `li`."""

    home: Workspace
    web_api: WebApi

    @property
    def team(self) -> str:
        return self.home.team

    @property
    def bot(self) -> str:
        return self.home.bot

    @property
    def mention(self) -> str:
        return self.home.mention

    @property
    def ann(self) -> str:
        return self.home.ann

    @property
    def li(self) -> str:
        return self.home.li

    @property
    def general(self) -> str:
        return self.home.general

    @property
    def side(self) -> str:
        return self.home.side

    def dm(self, user: str = "") -> str:
        """The id of a person's direct messages with the app."""
        user = user or self.home.ann
        return self.world.workspace_of(user).dm(user).id

    def thread(self, channel: str, ts: str) -> list[Message]:
        """A thread as a person sees it, the root first."""
        return sorted(self.world.channel(channel).thread(ts), key=lambda message: float(message.ts))

    def answers(self, to: Message) -> list[Message]:
        """What the app wrote into the thread of a message."""
        bot = self.world.workspaces[to.team].bot_id
        return [message for message in self.thread(to.channel, to.root) if message.bot_id == bot]

    def messages(self, channel: str) -> list[Message]:
        """Everything in a channel, oldest first."""
        return sorted(self.world.channel(channel).messages.values(), key=lambda message: float(message.ts))

    def all_messages(self) -> Iterator[Message]:
        """Everything in every channel of every workspace."""
        for workspace in self.world.workspaces.values():
            for channel in workspace.channels.values():
                yield from channel.messages.values()

    def ephemerals(self, user: str = "") -> list[Message]:
        """What only one person sees."""
        return [message for message in self.world.ephemerals if user in ("", message.ephemeral_for)]

    def view(self, user: str = "") -> dict[str, Any]:
        """The home that a person sees."""
        return self.world.homes[user or self.ann]

    def modals(self, user: str = "") -> list[dict[str, Any]]:
        """The modals that are open before a person."""
        return [view for view in self.world.views.values() if view["opened_for"] == (user or self.ann)]

    def session(self, channel: str, thread: str) -> Session:
        """The agent session of a thread."""
        return self.world.sessions.get((channel, thread), Session())

    def status(self, channel: str, thread: str) -> str:
        """The assistant's status line in a thread."""
        return self.world.status(channel, thread)

    def prompts(self, channel: str, thread: str = "") -> list[Mapping[str, str]]:
        return list(self.world.prompts.get((channel, thread), ()))

    @property
    def rates(self) -> Rates:
        return self.web_api.rates

    @property
    def violations(self) -> list[str]:
        """Everything that was against Slack's contract so far. A test that means it clears the list."""
        return self.web_api.violations

    def calls(self, *methods: str, team: str = "") -> list[Call]:
        """The calls of some methods (none: all) that came, in order."""
        return [
            call
            for call in self.web_api.calls
            if (not methods or call.method in methods) and team in ("", call.team)
        ]

    @property
    def deliveries(self) -> list[Delivery]:
        """Every event that was brought to the app, but for those about its own messages (`courier.echoes`)."""
        return self.courier.deliveries

    async def until(self, true: Callable[[], T], *, seconds: float = SOON) -> T:
        """Wait until something is so; returns it."""
        give_up = time.monotonic() + seconds
        while not (found := true()):
            if time.monotonic() > give_up:
                last = [f"{call.method} {call.error or 'ok'}" for call in self.web_api.calls[-12:]]
                raise AssertionError(f"it did not become so within {seconds} s; the last calls: {last}")
            await asyncio.sleep(0.01)
        return found
