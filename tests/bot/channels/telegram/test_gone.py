"""Chats that do not want us are left alone until they do, and not for ever."""

from __future__ import annotations

import pytest

from bot.channels.telegram.failure import TelegramFailure
from bot.channels.telegram.gone import DAY, Gone
from bot.channels.telegram.trouble import gone, meaning
from tests.bot.channels.shelf import MemoryShelf


async def test_a_chat_is_gone_until_it_is_cleared_and_others_are_not() -> None:
    chats = Gone(MemoryShelf())
    await chats.mark(-5)
    assert await chats.is_gone(-5)
    assert not await chats.is_gone(5)
    await chats.clear(-5)
    await chats.clear(-5)
    assert not await chats.is_gone(-5)


async def test_a_return_that_we_missed_is_tried_after_a_day() -> None:
    now = 0.0
    chats = Gone(MemoryShelf(clock=lambda: now))
    await chats.mark(5)
    now = DAY - 1
    assert await chats.is_gone(5)
    now = DAY + 1
    assert not await chats.is_gone(5)


@pytest.mark.parametrize(
    ("code", "meant", "leaves"),
    [
        ("forbidden", "never", True),
        ("no_rights", "never", False),
        ("chat_not_found", "never", False),
        ("thread_not_found", "never", False),
        ("flood", "later", False),
        ("timeout", "later", False),
        ("http_502", "later", False),
        ("unauthorized", "later", False),
        ("entities", "otherwise", False),
        ("not_found", "otherwise", False),
        ("bad_request", "otherwise", False),
    ],
)
def test_what_a_failure_means(code: str, meant: str, leaves: bool) -> None:
    failure = TelegramFailure(code, method="sendMessage")
    assert meaning(failure) == meant
    assert gone(failure) is leaves
