"""What people see of us before they ask: the home with their usage and data, suggestions, a greeting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.messages import Used
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.slack.house import Office, office
from tests.slack_double import SlackDouble


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def at(slack: SlackDouble, house: House) -> AsyncIterator[Office]:
    async with office(slack, house) as opened:
        yield opened


async def home(at: Office, user: str) -> dict[str, Any]:
    await at.slack.open_home(user)
    await at.idle()
    return at.slack.view(user)


def words(view: dict[str, Any]) -> list[str]:
    return [block["text"]["text"] for block in view["blocks"] if "text" in block]


async def test_the_home_tells_who_answers_and_what_was_used(at: Office, slack: SlackDouble) -> None:
    at.house.usage = Used(1_200, 30_000, 4_000, since=1_790_000_000.0)
    said = words(await home(at, slack.ann))
    assert "Hello!" in said
    assert notice("model", model="starter") in said
    assert notice("home_used", answers="1,200", tokens="34,000", since="2026-09-21") in said


async def test_the_home_speaks_the_persons_language(at: Office, slack: SlackDouble) -> None:
    said = words(await home(at, slack.li))
    assert "您好！" in said
    assert notice("home_unused", "zh") in said


async def test_whom_we_may_not_answer_sees_that_in_the_home(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_PEOPLE=slack.ann) as at:
        assert words(await home(at, slack.li))[0] == notice("not_for_you", "zh")


async def test_a_persons_data_comes_as_a_file_for_them_alone(at: Office, slack: SlackDouble) -> None:
    await at.say(slack.ann, slack.dm(), "Grüße")
    await at.pressed(await home(at, slack.ann), "frontdesk_export", user=slack.ann)
    message = slack.messages(slack.dm())[-1]
    assert message.body == notice("export_ready")
    (file,) = slack.world.files.values()
    assert (file.name, file.shared_in) == ("frontdesk-data.json", slack.dm())
    assert json.loads(file.content) == {"person": f"{slack.team}/{slack.ann}", "said": ["Grüße"]}
    assert words(slack.view(slack.ann))[0] == notice("export_sent")


async def test_data_that_slack_does_not_take_is_told_of(at: Office, slack: SlackDouble) -> None:
    view = await home(at, slack.ann)
    slack.fail("files.getUploadURLExternal", "missing_scope")
    await at.pressed(view, "frontdesk_export", user=slack.ann)
    assert words(slack.view(slack.ann))[0] == notice("export_failed")


async def test_who_wants_to_be_forgotten_is(at: Office, slack: SlackDouble) -> None:
    view = await home(at, slack.ann)
    (button,) = [
        element
        for block in view["blocks"]
        for element in block.get("elements", ())
        if element["action_id"] == "frontdesk_forget"
    ]
    assert button["confirm"]["confirm"]["text"] == notice("forget_yes")
    await at.pressed(view, "frontdesk_forget", user=slack.ann)
    assert at.house.forgotten == [f"{slack.team}/{slack.ann}"]
    assert words(slack.view(slack.ann))[0] == notice("forgotten")


async def test_the_messages_tab_suggests_questions(at: Office, slack: SlackDouble) -> None:
    await slack.open_home(slack.ann, "messages")
    await at.idle()
    assert [prompt["message"] for prompt in slack.prompts(slack.dm())] == [
        "What is this?",
        "What can you do?",
    ]
    assert not slack.calls("views.publish")


async def test_an_app_without_the_agent_view_suggests_nothing(at: Office, slack: SlackDouble) -> None:
    slack.home.agent = False
    await slack.open_home(slack.ann, "messages")
    await at.idle()
    assert not at.house.failures


async def test_we_greet_a_channel_that_invites_us(at: Office, slack: SlackDouble) -> None:
    await slack.invite(slack.side, user=slack.li)
    await at.idle()
    (greeting,) = slack.messages(slack.side)
    assert greeting.text == notice("slack_joined", "zh")


async def test_we_do_not_greet_where_we_may_not_answer(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_CHANNELS=slack.general) as at:
        await slack.invite(slack.side)
        await at.idle()
    assert not slack.messages(slack.side)


@pytest.mark.parametrize(
    ("tab", "method"), [("home", "views.publish"), ("messages", "assistant.threads.setSuggestedPrompts")]
)
async def test_a_slack_that_is_busy_holds_nobody_up(
    at: Office, slack: SlackDouble, tab: str, method: str
) -> None:
    api = at.channel.shower.api
    api.budget.pause(api.clock(), slack.team, method, seconds=6_000.0)
    await slack.open_home(slack.ann, tab)
    await at.idle()
    assert not slack.calls(method)
