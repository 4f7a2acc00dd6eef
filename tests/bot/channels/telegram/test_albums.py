"""What was sent at once is one question, however its items arrive and whoever dies on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.channels.telegram import albums
from bot.channels.telegram.albums import Albums
from bot.channels.telegram.meanings import File, Said, Sender
from bot.channels.telegram.places import Spot
from bot.messages import Incoming, Receipt
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import Office, office
from tests.telegram_double import Chat, TelegramDouble, User


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(albums, "ALBUM_SECONDS", 0.3)
    monkeypatch.setattr(albums, "LOOK_SECONDS", 0.01)


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


async def test_several_files_are_one_question(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    first = await telegram.send_file(ann, chat, "a.txt", "one", media_group="7", caption="compare these")
    await telegram.send_file(ann, chat, "b.txt", "two", media_group="7")
    await telegram.send_file(ann, chat, "c.txt", "three", media_group="7")
    await at.idle()
    (incoming,) = at.house.received
    assert incoming.key == f"{telegram.me.id}/{chat.id}/{first.id}"
    assert incoming.text == "compare these"
    assert [each.text for each in incoming.attachments] == ["one", "two", "three"]


async def test_several_albums_are_several_questions(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    for group in ("7", "8"):
        await telegram.send_file(ann, chat, f"{group}.txt", group, media_group=group)
    await at.idle()
    assert sorted(each.name for incoming in at.house.received for each in incoming.attachments) == [
        "7.txt",
        "8.txt",
    ]
    assert len(at.house.received) == 2


async def test_many_pictures_are_told_of_once(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    for _ in range(4):
        await telegram.send_other(ann, chat, "photo", media_group="7")
    await at.idle()
    assert at.said(chat) == [notice("telegram_unsupported")]
    assert not at.house.received


async def test_in_a_group_one_item_that_calls_us_calls_for_all(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann)
    await telegram.send_file(ann, group, "a.txt", "one", media_group="7")
    await telegram.send_file(
        ann, group, "b.txt", "two", media_group="7", caption=f"{telegram.mention()} compare these"
    )
    await telegram.send_file(ann, group, "c.txt", "theirs", media_group="8")
    await at.idle()
    (incoming,) = at.house.received
    assert incoming.text == "compare these"
    assert [each.text for each in incoming.attachments] == ["one", "two"]


async def test_an_album_is_answered_once_though_its_first_reader_dies(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    receive, troubles = at.house.receive, iter([ConnectionError("the process dies here")] * 2)

    async def failing(incoming: Incoming) -> Receipt:
        for trouble in troubles:
            raise trouble
        return await receive(incoming)

    at.house.receive = failing  # type: ignore[method-assign]
    await telegram.send_file(ann, chat, "a.txt", "one", media_group="7")
    await telegram.send_file(ann, chat, "b.txt", "two", media_group="7")
    await at.idle()
    (incoming,) = at.house.received
    assert [each.text for each in incoming.attachments] == ["one", "two"]
    assert len(at.house.failures) == 2


async def test_the_edit_of_any_caption_is_one_of_the_question(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    first = await telegram.send_file(ann, chat, "a.txt", "one", media_group="7", caption="this one")
    last = await telegram.send_file(ann, chat, "b.txt", "two", media_group="7", caption="and thatt")
    await at.idle()
    await telegram.edit(last, "and that")
    await at.idle()
    (incoming,) = at.house.received
    assert at.house.revised == {incoming.key: "this one\n\nand that"}
    await telegram.edit(first, "")
    await at.idle()
    assert at.house.revised == {incoming.key: "and that"}
    await telegram.edit(last, "")
    await at.idle()
    assert at.house.revised == {incoming.key: "and that"}


async def test_the_edit_of_a_caption_long_ago_is_one_of_its_own_words(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    first = await telegram.send_file(ann, chat, "a.txt", "one", media_group="7", caption="this onee")
    await telegram.send_file(ann, chat, "b.txt", "two", media_group="7")
    await at.idle()
    at.house.notes.notes.clear()
    await telegram.edit(first, "this one")
    await at.idle()
    (incoming,) = at.house.received
    assert at.house.revised == {incoming.key: "this one"}


async def test_what_is_said_after_an_album_comes_after_it(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    async with telegram.held():
        await telegram.say(ann, chat, "before")
        await telegram.send_file(ann, chat, "a.txt", "one", media_group="7")
        await telegram.send_file(ann, chat, "b.txt", "two", media_group="7")
        await telegram.say(ann, chat, "compare these")
    await at.idle()
    assert [each.text for each in at.house.received] == ["before", "", "compare these"]


async def test_an_album_that_cannot_be_read_holds_up_nothing_that_is_said_after_it(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    receive = at.house.receive

    async def failing(incoming: Incoming) -> Receipt:
        if incoming.attachments and len(at.house.failures) < 3:
            raise ConnectionError
        return await receive(incoming)

    at.house.receive = failing  # type: ignore[method-assign]
    await telegram.send_file(ann, chat, "a.txt", "one", media_group="7")
    await telegram.say(ann, chat, "hello")
    await at.idle()
    assert sorted(each.text for each in at.house.received) == ["", "hello"]


async def test_in_a_group_where_we_do_not_answer_an_album_that_calls_us_is_told_so(
    telegram: TelegramDouble, house: House, ann: User
) -> None:
    group = telegram.group("Team", ann)
    async with office(telegram, house, TELEGRAM_GROUPS="-1001") as at:
        await telegram.send_file(ann, group, "a.txt", "one", media_group="7")
        await telegram.send_file(ann, group, "b.txt", "two", media_group="7", caption=telegram.mention())
        await at.idle()
        assert at.said(group) == [notice("telegram_elsewhere")]
    assert not house.received
    assert not [name for name in house.notes.notes if name.startswith("album/")]


def item(message_id: int, *, text: str = "", name: str = "") -> Said:
    return Said(
        spot=Spot(1, 2),
        message_id=message_id,
        sender=Sender(id=2, name="Ann"),
        text=text,
        called=True,
        kind="file",
        file=File(id=f"F{message_id}", name=name, mime="text/plain", size=3) if name else None,
        album="7",
    )


async def test_what_is_gathered_is_what_was_sent(house: House) -> None:
    gather = Albums(desk=house)  # type: ignore[arg-type]
    sent = [item(5, text="größer *als*", name="ä.txt"), item(6)]
    first, second = await asyncio.gather(
        *(gather.gathered(f"event {each.message_id}", each) for each in sent)
    )
    assert sorted([list(first), list(second)], key=len) == [[], sent]


async def test_an_item_that_comes_too_late_goes_on_alone(house: House) -> None:
    gather = Albums(desk=house)  # type: ignore[arg-type]
    assert await gather.gathered("one", item(5)) == [item(5)]
    assert await gather.gathered("two", item(6)) == (item(6),)


async def test_the_first_takes_the_same_when_it_begins_again(house: House) -> None:
    gather = Albums(desk=house)  # type: ignore[arg-type]
    sent = [item(5), item(6)]
    await asyncio.gather(*(gather.gathered(f"event {each.message_id}", each) for each in sent))
    await gather.gathered("late", item(7))
    again = [await gather.gathered(f"event {each.message_id}", each) for each in sent]
    assert sorted([list(each) for each in again], key=len) == [[], sent]


async def test_another_goes_on_for_one_that_died(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    gather = Albums(desk=house)  # type: ignore[arg-type]
    assert await house.notes.claim("album/1/2/7/claim", "somebody dead", seconds=0.5)
    assert await gather.gathered("one", item(5)) == [item(5)]
