"""The outgoing side of the channel before a double, the process that may die, and one question of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bot.channels.telegram.api import Api, Moved, open_api
from bot.channels.telegram.places import Spot, message_key
from bot.channels.telegram.settings import TelegramSettings
from bot.channels.telegram.showing import Shower
from bot.channels.telegram.ways import Timing
from bot.messages import Person, Question
from tests.bot.channels.telling import Asking, Books, Fate
from tests.telegram_double import Chat, Message, TelegramDouble, User

SCALE = 0.001  # Telegram's minute takes no time in most tests; `test_budget` keeps to it
QUICK = Timing(
    first=0.01,
    edit=0.01,
    slowest=0.01,
    group_edit=0.01,
    draft=0.01,
    refresh=0.2,
    typing=0.05,
    again=0.01,
    setback=0.02,
    longest_setback=0.1,
    kept=0.01,
    late=0.01,
    parting=0.1,
)


def settings_for(telegram: TelegramDouble, **more: str) -> TelegramSettings:
    """The operator's settings; `more` by the ends of the variables' names."""
    given = telegram.environment() | {f"TELEGRAM_{name.upper()}": value for name, value in more.items()}
    return TelegramSettings.of({name: SecretStr(value) for name, value in given.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class MortalApi(Api):
    fate: Fate

    async def call(self, method: str, **arguments: Any) -> Any:
        if method == "sendChatAction":  # it comes whenever it likes
            return await Api.call(self, method, **arguments)
        await self.fate.step(f"{method} to be called")
        answer = await Api.call(self, method, **arguments)
        await self.fate.step(f"{method} called")
        return answer


@dataclass
class Out:
    """The outgoing side before a Telegram."""

    telegram: TelegramDouble
    api: Api
    books: Books
    settings: TelegramSettings
    timing: Timing
    shower: Shower
    ann: User

    def asked(
        self, text: str = "How?", *, chat: Chat | None = None, number: int = 1, topic: int = 0
    ) -> Asked:
        """A question that a person has asked in a chat, else in one of their own with us."""
        person = self.ann if chat else self.telegram.person(f"Ann{number}")
        where = chat or self.telegram.private(person)
        root = self.telegram._post(person, where, topic=topic, reply_to=0)
        root.change(text, [])
        bot = self.telegram.me.id
        spot = Spot(bot, where.id, topic)
        question = Question(
            message_id=number,
            key=message_key(bot, where.id, root.id),
            place=spot.place(),
            place_id=number * 10,
            person=Person("telegram", str(person.id), "ann"),
            attempt=1,
        )
        return Asked(out=self, chat=where, root=root, question=question)

    def again(self, *, dies_at: int = 0, **settings: str) -> Shower:
        """The outgoing side of the next process: it knows nothing but what the books do."""
        self.books.fate = Fate(at=dies_at)
        api = MortalApi(
            wire=self.api.wire,
            budget=self.api.budget,
            backoff=self.api.backoff,
            moved=self.api.moved,
            fate=self.books.fate,
        )
        wanted = settings_for(self.telegram, **settings) if settings else self.settings
        return Shower.over(api, self.books, settings=wanted, timing=self.timing)


@dataclass(kw_only=True)
class Asked(Asking):
    """What a person asked in a chat, and sees of the answer."""

    out: Out
    chat: Chat
    root: Message

    @property
    def seen(self) -> list[Message]:
        return [each for each in self.out.telegram.answers_in(self.chat) if each.id > self.root.id]

    @property
    def text(self) -> str:
        return "\n".join(message.text for message in self.seen)


@asynccontextmanager
async def opened(
    telegram: TelegramDouble,
    *,
    timing: Timing = QUICK,
    scale: float = SCALE,
    moved: Moved | None = None,
    **settings: str,
) -> AsyncIterator[Out]:
    """The outgoing side before a running double; `settings` by the ends of the variables' names."""
    wanted = settings_for(telegram, **settings)
    async with open_api(token=telegram.token, settings=wanted, moved=moved, backoff=0.001) as api:
        api.budget.scale = telegram.rates.scale = scale
        books = Books()
        shower = Shower.over(api, books, settings=wanted, timing=timing)
        yield Out(telegram, api, books, wanted, timing, shower, telegram.person("Ann"))
