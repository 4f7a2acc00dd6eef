"""A running Telegram double; who breaks the Bot API's contract fails at the end, and no token is logged."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest

from tests.telegram_double import TelegramDouble, telegram_double


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramDouble]:
    async with telegram_double() as double:
        yield double
    if double.problems:
        pytest.fail("against the Bot API's contract:\n" + "\n".join(double.problems))


TOKEN = re.compile(r"\d{6,12}:[\w-]{30,}")


@pytest.fixture(autouse=True)
def _no_token_is_logged(
    logged: list[MutableMapping[str, Any]], caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Looks at every line that a test of Telegram has logged, by ours and by the libraries, at the most talkative but
    for httpx, whose addresses `bot.logs` keeps out, and a parser that tells of every line."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "telegram", "markdown_it"):
        caplog.set_level(logging.WARNING, logger=name)
    yield
    lines = [*map(repr, logged), *caplog.text.splitlines()]
    assert [line for line in lines if TOKEN.search(line)] == []
