"""What a test may know: what people see, what was called, what was delivered.

Reads the world and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.telegram_double.bot_api import BotApi
from tests.telegram_double.delivery import Courier, Delivery
from tests.telegram_double.drafts import alive
from tests.telegram_double.faults import Call
from tests.telegram_double.happening import Happening
from tests.telegram_double.message import Message
from tests.telegram_double.rates import Rates
from tests.telegram_double.state import Chat, Draft, Query
from tests.telegram_double.updates import Update

SOON = 10.0  # seconds; a deadline, not a pause
T = TypeVar("T")


@dataclass(kw_only=True)
class Seeing(Happening):
    """Everybody's eyes."""

    api: BotApi
    courier: Courier

    def messages(self, chat: Chat, *, topic: int | None = None) -> list[Message]:
        """The messages of a chat as a reader sees them now, people's and the bot's; topic 0: the General one."""
        return [
            message
            for message in chat.messages.values()
            if topic in (None, message.topic) and "forum_topic_created" not in message.more
        ]

    def answers_in(self, chat: Chat, *, topic: int | None = None) -> list[Message]:
        """The bot's own messages there."""
        return [message for message in self.messages(chat, topic=topic) if message.sender is self.me]

    def drafts(self, chat: Chat) -> list[str]:
        """Every text that a draft in the chat has shown, also one that is gone."""
        return [text for draft in self.world.drafts if draft.chat is chat for text in draft.texts]

    def live_drafts(self, chat: Chat) -> list[Draft]:
        """The drafts that are to be seen now."""
        return alive(self.world, chat)

    def actions(self, chat: Chat, *, topic: int | None = None) -> list[str]:
        return [
            action
            for where, there, action in self.world.actions
            if where == chat.id and topic in (None, there)
        ]

    @property
    def answers(self) -> dict[str, Query]:
        """What people who pressed were told, by the id of their query: `text`, `alert`."""
        return {number: query for number, query in self.world.queries.items() if query.answers}

    @property
    def calls(self) -> list[Call]:
        """Every call but getUpdates."""
        return self.api.calls

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in [*self.api.calls, *self.api.polled] if call.method == method]

    @property
    def problems(self) -> list[str]:
        """What was against the contract of the Bot API."""
        return self.api.problems

    @property
    def rates(self) -> Rates:
        return self.api.rates

    async def until(self, condition: Callable[[], T], *, seconds: float = SOON) -> T:
        """Wait for something to become true; returns it."""
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                await asyncio.sleep(0.01)
        return found

    @property
    def unconfirmed(self) -> list[Update]:
        return list(self.updates.pending)

    @property
    def last_update(self) -> Update:
        """What the bot was told last, whether it asked for it or not."""
        return self.updates.told[-1]

    @property
    def deliveries(self) -> list[Delivery]:
        """Every try to bring an update to the webhook."""
        return list(self.courier.tries)

    @property
    def polls(self) -> list[float]:
        """When getUpdates was called."""
        return self.updates.polls
