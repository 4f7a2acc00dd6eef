"""Who speaks is asked of Slack once in a while, and never waited for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.channels.slack import people as module
from bot.channels.slack.api import open_api
from bot.channels.slack.people import FRESH, KEPT, UNKNOWN, People
from tests.bot.channels.slack.outgoing import Tokens
from tests.slack_double import SlackDouble


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def people(slack: SlackDouble, clock: Clock) -> AsyncIterator[People]:
    async with open_api(tokens=Tokens(slack), url=slack.api_url) as api:
        yield People(api=api, clock=clock)


async def test_many_messages_at_once_ask_once(people: People, slack: SlackDouble) -> None:
    found = await asyncio.gather(*(people.person(slack.team, slack.ann) for _ in range(30)))
    assert {person.name for person in found} == {"ann"}
    assert len(slack.calls("users.info")) == 1


async def test_a_language_that_changed_is_heard_of_within_the_hour(
    people: People, slack: SlackDouble, clock: Clock
) -> None:
    assert (await people.person(slack.team, slack.ann)).language == "en-US"
    slack.home.users[slack.ann].locale = "zh-CN"
    assert (await people.person(slack.team, slack.ann)).language == "en-US"
    clock.now += FRESH
    assert (await people.person(slack.team, slack.ann)).language == "zh-CN"


async def test_slack_is_asked_again_soon_about_somebody_it_said_nothing_about(
    people: People, slack: SlackDouble, clock: Clock
) -> None:
    slack.fail("users.info", "user_not_found")
    assert (await people.person(slack.team, slack.li)).language == "en"
    clock.now += UNKNOWN
    assert (await people.person(slack.team, slack.li)).language == "zh-CN"


async def test_a_slow_slack_is_not_waited_for(
    people: People, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WITHIN", 0.05)
    slack.fail("users.info", delay=5.0)
    async with asyncio.timeout(2):
        assert (await people.person(slack.team, slack.ann)).name == ""


async def test_somebody_else_with_the_same_id_lives_elsewhere(people: People, slack: SlackDouble) -> None:
    other = slack.add_workspace("T0OTHER")
    here = await people.person(slack.team, slack.ann)
    there = await people.person("T0OTHER", other.ann)
    assert here.key != there.key
    assert await people.names(slack.team, [slack.ann, slack.li]) == {slack.ann: "ann", slack.li: "li"}


async def test_no_more_are_remembered_than_fit(
    people: People, slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    assert KEPT > 1
    await people.person(slack.team, slack.ann)
    await people.person(slack.team, slack.li)
    assert len(people._known) == 1
