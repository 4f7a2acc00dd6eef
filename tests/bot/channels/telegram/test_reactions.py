"""An emoji beside a message of ours is a thumb, where it says something."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import Office, office
from tests.telegram_double import Chat, Message, TelegramDouble, User


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def at(telegram: TelegramDouble, house: House) -> AsyncIterator[Office]:
    async with office(telegram, house) as opened:
        yield opened


@pytest.fixture
def ann(telegram: TelegramDouble) -> User:
    return telegram.person("Ann")


@pytest.fixture
def chat(telegram: TelegramDouble, ann: User) -> Chat:
    return telegram.private(ann)


@pytest.fixture
async def answer(at: Office, ann: User, chat: Chat) -> Message:
    await at.say(ann, chat, "what is 6 * 7?")
    return await at.answer(at.house.received[-1], "It is 42.")


def value(at: Office) -> int:
    ((_, value, _),) = at.house.rated.values()
    return value


async def react(at: Office, user: User, message: Message, *emoji: str) -> None:
    await at.telegram.react(user, message, *emoji)
    await at.idle()


@pytest.mark.parametrize(
    ("emoji", "said"),
    [("👍", 1), ("❤", 1), ("❤️", 1), ("🔥", 1), ("👎", -1), ("💩", -1), ("🤡", -1), ("🤮", -1)],
)
async def test_an_emoji_is_a_thumb(at: Office, ann: User, answer: Message, emoji: str, said: int) -> None:
    await react(at, ann, answer, emoji)
    ((person, value, reason),) = at.house.rated.values()
    assert (person, value, reason) == (str(ann.id), said, "")


@pytest.mark.parametrize("emoji", [["🤔"], ["👀"], ["👍", "👎"], []])
async def test_what_says_neither_is_none(at: Office, ann: User, answer: Message, emoji: list[str]) -> None:
    await react(at, ann, answer, *emoji)
    assert not at.house.rated
    assert not at.house.failures


async def test_another_emoji_takes_the_place_of_the_first(at: Office, ann: User, answer: Message) -> None:
    await react(at, ann, answer, "👍")
    await react(at, ann, answer, "👎")
    assert value(at) == -1


async def test_one_that_is_taken_away_leaves_what_it_said(at: Office, ann: User, answer: Message) -> None:
    await react(at, ann, answer, "👎")
    await react(at, ann, answer)
    assert value(at) == -1


async def test_one_that_stays_is_not_counted_again(at: Office, ann: User, answer: Message) -> None:
    await react(at, ann, answer, "👍")
    await react(at, ann, answer, "👍", "👎")
    assert value(at) == -1


async def test_a_message_that_is_no_answer_is_left_alone(at: Office, ann: User, chat: Chat) -> None:
    said = await at.say(ann, chat, "hello")
    await react(at, ann, said, "👍")
    assert not at.house.rated
    assert not at.house.failures


async def test_in_a_topic_it_finds_its_answer(at: Office, telegram: TelegramDouble, ann: User) -> None:
    forum = telegram.group("Forum", ann, forum=True)
    await at.say(ann, forum, "words")
    topic = telegram.topic(forum, "Builds")
    await at.say(ann, forum, "/ask why?", topic=topic)
    answer = await at.answer(at.house.received[-1], "Because.")
    await react(at, ann, answer, "👏")
    assert value(at) == 1


async def test_whom_we_may_not_answer_does_not_count(
    telegram: TelegramDouble, house: House, ann: User
) -> None:
    li = telegram.person("李")
    group = telegram.group("Team", ann, li)
    async with office(telegram, house, TELEGRAM_PEOPLE=str(ann.id)) as at:
        await at.say(ann, group, "/ask hello")
        answer = await at.answer(house.received[-1], "Hello!")
        await react(at, li, answer, "👎")
        assert not house.rated
        await react(at, ann, answer, "👍")
        assert value(at) == 1
