"""Attached files are read when they are text; what is not is named, and no file's address is ever logged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.channels.telegram.voice import plain
from bot.markup.telegram import render
from bot.messages import MAX_FILE_CHARS
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import Office, office
from tests.telegram_double import Chat, TelegramDouble, User


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


async def send(at: Office, user: User, name: str, content: bytes | str, **more: Any) -> None:
    await at.telegram.send_file(user, at.telegram.private(user), name, content, **more)
    await at.idle()


def taken(at: Office) -> list[tuple[str, str]]:
    return [(each.name, each.text) for incoming in at.house.received for each in incoming.attachments]


@pytest.mark.parametrize(
    ("name", "mime", "content"),
    [
        ("notes.txt", "text/plain", "plain"),
        ("table.csv", "text/csv", "a;b"),
        ("data.json", "application/json", "{}"),
        ("run.py", "application/octet-stream", "print(42)"),
        ("Größe.md", "text/markdown", "# 文字 🙂"),
    ],
)
async def test_text_is_read(at: Office, ann: User, chat: Chat, name: str, mime: str, content: str) -> None:
    await send(at, ann, name, content, mime=mime)
    assert taken(at) == [(name, content)]
    assert not at.said(chat)


async def test_a_file_alone_is_a_question(at: Office, ann: User) -> None:
    await send(at, ann, "notes.txt", "why is the sky blue?")
    (incoming,) = at.house.received
    assert incoming.text == ""


@pytest.mark.parametrize(
    ("name", "mime", "content"),
    [
        ("cat.png", "image/png", b"\x89PNG"),
        ("report.pdf", "application/pdf", b"%PDF"),
        ("a.txt", "text/plain", b"\x80abc"),
        ("my_own_file*.bin", "", b"\0"),
    ],
)
async def test_what_is_no_text_is_named(
    at: Office, ann: User, chat: Chat, name: str, mime: str, content: bytes
) -> None:
    await send(at, ann, name, content, mime=mime)
    assert at.said(chat) == [notice("file_no_text", file=name)]
    assert not at.house.received


async def test_a_file_without_a_name_is_called_the_file(at: Office, ann: User, chat: Chat) -> None:
    await send(at, ann, "", b"\0", mime="")
    assert at.said(chat) == [notice("file_no_text", file=notice("telegram_a_file"))]


async def test_a_large_file_is_not_fetched(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    await send(at, ann, "a.txt", "x", size=10_000_000)
    assert at.said(chat) == [notice("file_oversized", file="a.txt", limit=MAX_FILE_CHARS)]
    assert not telegram.calls_of("getFile")


async def test_a_file_that_is_larger_than_it_says_is_not_read_to_its_end(
    at: Office, ann: User, chat: Chat
) -> None:
    await send(at, ann, "a.txt", "x" * 1_000_000, size=10)
    assert at.said(chat) == [notice("file_oversized", file="a.txt", limit=MAX_FILE_CHARS)]


async def test_too_many_characters_are_too_many(at: Office, ann: User, chat: Chat) -> None:
    await send(at, ann, "a.txt", "x" * (MAX_FILE_CHARS + 1), caption="read this")
    assert at.said(chat) == [notice("file_oversized", file="a.txt", limit=MAX_FILE_CHARS)]
    assert [incoming.text for incoming in at.house.received] == ["read this"]


async def test_a_file_that_cannot_be_fetched_is_told_of(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    telegram.fail("getFile", description="Bad Request: wrong file_id or the file is temporarily unavailable")
    await send(at, ann, "a.txt", "text", caption="read this")
    assert at.said(chat) == [notice("file_unreachable", file="a.txt")]
    assert [incoming.text for incoming in at.house.received] == ["read this"]


async def test_a_file_in_a_group_needs_a_caption_that_calls_us(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann)
    await telegram.send_file(ann, group, "a.txt", "theirs")
    await telegram.send_file(ann, group, "b.txt", "ours", caption=f"{telegram.mention()} read this")
    await at.idle()
    assert taken(at) == [("b.txt", "ours")]
    assert at.house.received[0].text == "read this"


@pytest.mark.parametrize(
    "name", ["a_b_c.txt", "*bold*.md", "`code`", "[link](x)", "<b>.html", "# title", "~~x~~", "a\\b", "a | b"]
)
def test_words_of_others_are_shown_as_they_are(name: str) -> None:
    rendered = render(f"I left {plain(name)} out.")
    assert rendered.text == f"I left {name} out."
    assert not rendered.entities
