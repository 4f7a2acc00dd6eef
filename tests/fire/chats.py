"""People in Telegram: what they write is an update that our bots ask for, and what they see is what was sent.

Knows the double of Telegram. A message that was sent and whose sending was not recorded before a death is sent once
more: such doubles are counted, and who kills nobody allows none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fire.visitors import until_true
from tests.telegram_double import Message, TelegramDouble, User, telegram_double


@dataclass
class Chats:
    """Private chats with the bot, one a person."""

    telegram: TelegramDouble
    people: list[User]
    written: dict[int, int] = field(default_factory=dict)  # messages by person

    async def write(self, text: str) -> list[Message]:
        """Each writes it."""
        for person in self.people:
            self.written[person.id] = self.written.get(person.id, 0) + 1
        return [await self.telegram.say(one, self.telegram.private(one), text) for one in self.people]

    def _sent(self, person: User) -> list[Message]:
        return self.telegram.answers_in(self.telegram.private(person))

    def _finished(self, person: User) -> int:
        """The answers that can be rated, so that nothing is to come into them any more."""
        return sum(
            any(button.get("callback_data", "").startswith("rate:") for button in message.buttons)
            for message in self._sent(person)
        )

    @property
    def answered(self) -> str:
        return f"{sum(map(self._finished, self.people))} of {sum(self.written.values())}"

    @property
    def doubled(self) -> int:
        """Messages beyond one for each that was written."""
        return sum(len(self._sent(one)) - self.written[one.id] for one in self.people)

    async def settle(self) -> None:
        """Wait until everybody has their answers."""
        await until_true(
            lambda: all(self._finished(one) >= self.written[one.id] for one in self.people),
            lambda: f"the answers in Telegram: {self.answered}",
        )

    def check(self, *, doubled: int) -> None:
        """Each message has one finished answer; and of all at most so many were begun twice."""
        assert {one.id: self._finished(one) for one in self.people} == self.written
        assert self.doubled <= doubled
        assert self.telegram.problems == []
        assert self.telegram.rates.broken == 0


@asynccontextmanager
async def chatting(count: int) -> AsyncIterator[Chats]:
    """A Telegram with so many people in it."""
    async with telegram_double() as telegram:
        yield Chats(telegram, [telegram.person(f"Person {number}") for number in range(count)])
