"""A link joins a person here with the same person elsewhere: once, and only when they say so themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.messages import Person
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import Office, office
from tests.telegram_double import Chat, Message, TelegramDouble, User

TOKEN = "T" * 55  # the longest that we take


@pytest.fixture
def house() -> House:
    return House(links={TOKEN: Person("slack", "T1/U1", name="Ann *Lee*")})


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


async def asked(at: Office, user: User, token: str = TOKEN) -> Message:
    chat = at.telegram.private(user)
    await at.say(user, chat, f"/start {token}")
    return at.telegram.answers_in(chat)[-1]


async def test_whoever_opens_the_link_is_asked_first(at: Office, ann: User) -> None:
    question = await asked(at, ann)
    assert question.text == notice("telegram_link", who="Ann *Lee*", where="Slack")
    assert not at.house.linked


async def test_yes_links(at: Office, telegram: TelegramDouble, ann: User) -> None:
    question = await asked(at, ann)
    query = await at.press(ann, question, "link_yes")
    assert at.house.linked == [("T1/U1", str(ann.id))]
    assert question.text == notice("telegram_linked")
    assert not question.buttons
    assert telegram.answers[query.id].answers == 1


async def test_no_does_not(at: Office, ann: User) -> None:
    question = await asked(at, ann)
    await at.press(ann, question, "link_no")
    assert question.text == notice("telegram_link_refused")
    assert not question.buttons
    assert not at.house.linked
    assert TOKEN in at.house.links


async def test_a_token_is_good_once(at: Office, telegram: TelegramDouble, ann: User) -> None:
    li = telegram.person("李", language="zh-hans")
    first, second = await asked(at, ann), await asked(at, li)
    await at.press(ann, first, "link_yes")
    await at.press(li, second, "link_yes")
    assert at.house.linked == [("T1/U1", str(ann.id))]
    assert second.text == notice("telegram_not_linked", "zh")
    third = await asked(at, ann)
    assert third.text == notice("telegram_link_stale")


async def test_who_cannot_be_linked_is_not_sent_for_another_link(at: Office, ann: User) -> None:
    async def link(*_: object) -> bool:
        return False  # both are known in a third channel

    at.house.link = link  # type: ignore[assignment,method-assign]
    question = await asked(at, ann)
    await at.press(ann, question, "link_yes")
    assert question.text == notice("telegram_not_linked")


async def test_yes_read_again_says_the_same(at: Office, telegram: TelegramDouble, ann: User) -> None:
    question = await asked(at, ann)
    telegram.fail("editMessageText", status=401, description="Unauthorized", times=2)
    await at.press(ann, question, "link_yes")
    assert len(at.house.failures) == 2
    assert question.text == notice("telegram_linked")


@pytest.mark.parametrize("token", ["wrong", "x" * 56, "two words", "tökén", "a/b"])
async def test_a_wrong_token_is_told_so(at: Office, ann: User, token: str) -> None:
    said = await asked(at, ann, token)
    assert said.text == notice("telegram_link_stale")
    assert not said.buttons


async def test_a_link_in_a_group_joins_nobody(at: Office, telegram: TelegramDouble, ann: User) -> None:
    group = telegram.group("Team", ann)
    await at.say(ann, group, f"/start@frontdesk_bot {TOKEN}")
    (said,) = telegram.answers_in(group)
    assert not said.buttons
    assert TOKEN in at.house.links


async def test_a_person_of_a_website_may_have_no_name(at: Office, ann: User) -> None:
    at.house.links[TOKEN] = Person("web", "visitor")
    question = await asked(at, ann)
    assert question.text == notice("telegram_link", who=notice("somebody"), where=notice("telegram_link_web"))


async def test_people_of_other_channels_are_told_where_to_go(at: Office, telegram: TelegramDouble) -> None:
    assert at.house.meetings == {"telegram": "https://t.me/frontdesk_bot?start={token}"}
