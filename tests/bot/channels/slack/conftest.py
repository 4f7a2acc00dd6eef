"""A running Slack double that knows the app as its manifest does; who breaks Slack's contract fails at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.channels.slack.scopes import EVENTS, SCOPES
from tests.slack_double import SlackDouble


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble.open(scopes=SCOPES, subscriptions=EVENTS) as double:
        yield double
    if double.violations:
        pytest.fail("against Slack's contract:\n" + "\n".join(double.violations))
