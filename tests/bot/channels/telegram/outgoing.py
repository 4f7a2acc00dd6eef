"""The outgoing side of the channel before a double, the process that may die, and one question of a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from bot.channels.telegram.api import Api, Moved, open_api
from bot.channels.telegram.places import Spot, message_key
from bot.channels.telegram.settings import TelegramSettings
from bot.channels.telegram.showing import Shower
from bot.channels.telegram.ways import Timing
from bot.messages import Person, Question
from tests.bot.channels.telling import Books, Fate, Teller, killed
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
        await self.fate.step()
        answer = await Api.call(self, method, **arguments)
        await self.fate.step()
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


@dataclass
class Asked:
    """One question, its teller, and what a person sees of the answer."""

    out: Out
    chat: Chat
    root: Message
    question: Question
    teller: Teller = field(default_factory=Teller)
    attempts: int = 0

    @property
    def seen(self) -> list[Message]:
        return [each for each in self.out.telegram.answers_in(self.chat) if each.id > self.root.id]

    @property
    def text(self) -> str:
        return "\n".join(message.text for message in self.seen)

    async def show_until_it_dies(self, shower: Shower) -> bool:
        """Show it in a process that may die; False when it did not."""
        showing = asyncio.create_task(self.show(shower))
        dying = asyncio.create_task(self.out.books.fate.died.wait())
        async with asyncio.timeout(10):
            await asyncio.wait({showing, dying}, return_when=asyncio.FIRST_COMPLETED)
        lived = showing.done()
        if lived:
            showing.result()
        await killed(dying)
        await killed(showing)
        return not lived

    async def show(self, shower: Shower | None = None) -> None:
        """Show the answer until it is shown, as the house does: once more with the next attempt number."""
        self.attempts += 1
        question = replace(self.question, attempt=self.attempts)
        await (shower or self.out.shower).show(question, self.teller.answer())

    @asynccontextmanager
    async def showing(self, shower: Shower | None = None) -> AsyncIterator[asyncio.Task[None]]:
        """It is shown meanwhile; leaving the block waits for its end."""
        task = asyncio.create_task(self.show(shower))
        try:
            yield task
            async with asyncio.timeout(10):
                await task
        finally:
            await killed(task)


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
