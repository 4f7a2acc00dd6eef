"""A running Slack double that knows the app as its manifest does; who breaks Slack's contract fails at the end."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest

from bot.channels.slack.scopes import EVENTS, SCOPES
from tests.slack_double import SlackDouble


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble.open(scopes=SCOPES, subscriptions=EVENTS) as double:
        yield double
    if double.violations:
        pytest.fail("against Slack's contract:\n" + "\n".join(double.violations))


# Every token, and every secret, that a Slack of the tests knows.
SECRET = re.compile(r"xox[a-z.]*-[\w-]{6,}|xapp-[\w-]{6,}|(?:signing|client)-secret-of-the-tests")


@pytest.fixture(autouse=True)
def _no_secret_is_logged(
    logged: list[MutableMapping[str, Any]], caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Looks at every line that a test of Slack has logged, by ours and by the libraries, at the most talkative."""
    caplog.set_level(logging.DEBUG)
    yield
    lines = [*map(repr, logged), *caplog.text.splitlines()]
    assert [line for line in lines if SECRET.search(line)] == []
