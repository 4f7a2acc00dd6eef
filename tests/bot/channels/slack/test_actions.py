"""What the buttons below an answer do, and Slack's own stop button."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.slack.house import Office, office
from tests.slack_double import Message, SlackDouble


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def at(slack: SlackDouble, house: House) -> AsyncIterator[Office]:
    async with office(slack, house) as opened:
        yield opened


@pytest.fixture
async def answer(at: Office, slack: SlackDouble) -> Message:
    """An answer to ann, in the thread of her mention."""
    await at.say(slack.ann, slack.general, f"{slack.mention} what is 6 * 7?")
    return await at.answer(at.house.received[0], "It is 42.")


def rated(at: Office) -> tuple[str, int, str]:
    ((_, rating),) = at.house.rated.items()
    return rating


async def test_a_thumb_up_is_kept_and_thanked_for(at: Office, slack: SlackDouble, answer: Message) -> None:
    await at.pressed(answer, "frontdesk_feedback", up=True, user=slack.ann)
    assert rated(at) == (f"{slack.team}/{slack.ann}", 1, "")
    assert at.whispers(slack.ann) == [notice("feedback_thanks")]
    assert slack.ephemerals(slack.ann)[0].thread_ts == answer.thread_ts
    assert not slack.modals(slack.ann)


async def test_a_thumb_down_asks_why(at: Office, slack: SlackDouble, answer: Message) -> None:
    await at.pressed(answer, "frontdesk_feedback", up=False, user=slack.li)
    (form,) = await slack.until(lambda: slack.modals(slack.li))
    assert form["title"]["text"] == notice("reason_title", "zh")
    assert rated(at)[1:] == (-1, "")
    await slack.submit(form, {"frontdesk_reason": "答案不对"})
    await at.idle()
    assert rated(at) == (f"{slack.team}/{slack.li}", -1, "答案不对")


async def test_a_reason_left_empty_changes_nothing(at: Office, slack: SlackDouble, answer: Message) -> None:
    await at.pressed(answer, "frontdesk_feedback", up=False, user=slack.ann)
    (form,) = await slack.until(lambda: slack.modals(slack.ann))
    await slack.submit(form)
    await at.idle()
    assert rated(at)[1:] == (-1, "")


async def test_a_form_that_cannot_be_opened_costs_no_thumb(
    at: Office, slack: SlackDouble, answer: Message
) -> None:
    slack.fail("views.open", "expired_trigger_id")
    await at.pressed(answer, "frontdesk_feedback", up=False, user=slack.ann)
    await slack.until(lambda: slack.calls("views.open"))
    assert rated(at)[1:] == (-1, "")


async def test_a_thumb_for_what_is_forgotten_is_told_so(
    at: Office, slack: SlackDouble, answer: Message
) -> None:
    at.house.answers.clear()
    await at.pressed(answer, "frontdesk_feedback", up=True, user=slack.ann)
    assert at.whispers(slack.ann) == [notice("unknown_message")]


async def test_an_answer_is_asked_for_once_more(at: Office, slack: SlackDouble, answer: Message) -> None:
    await at.pressed(answer, "frontdesk_again", user=slack.ann)
    ((answer_id, key),) = at.house.repeated
    assert answer_id in at.house.answers
    assert key.startswith(f"{slack.team}/action/")
    assert not at.whispers()


async def test_what_cannot_be_answered_again_is_told_so(
    at: Office, slack: SlackDouble, answer: Message
) -> None:
    at.house.answers.clear()
    await at.pressed(answer, "frontdesk_again", user=slack.ann)
    assert at.whispers(slack.ann) == [notice("not_again")]


async def test_a_new_conversation_begins_in_the_thread(
    at: Office, slack: SlackDouble, answer: Message
) -> None:
    await at.pressed(answer, "frontdesk_new", user=slack.ann)
    assert at.house.received[-1].text == "/reset"
    assert at.house.received[-1].place == at.house.received[0].place
    assert slack.thread(slack.general, answer.root)[-1].text == notice("reset")


async def test_slacks_own_stop_button_stops_what_is_under_way(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.dm(), "count to a million")
    place = at.house.received[0].place.key
    at.house.busy.add(place)
    await slack.stop_session(slack.dm(), said.ts)
    await at.idle()
    assert at.house.stops == [place]
    assert not slack.calls("agents.sessions.setStatus")  # whoever shows the answer says how it ends


async def test_a_stop_of_nothing_frees_slacks_wheel(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.dm(), "hello")
    await slack.stop_session(slack.dm(), said.ts)
    await at.idle()
    assert slack.session(slack.dm(), said.ts).status == "active"


async def test_our_stop_button_stops_what_is_under_way(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.general, f"{slack.mention} count to a million")
    place = at.house.received[0].place.key
    at.house.busy.add(place)
    button = {"type": "button", "action_id": "frontdesk_stop", "value": said.ts}
    growing = slack.world.post(
        slack.world.channel(slack.general),
        slack.bot,
        bot_id=slack.home.bot_id,
        thread_ts=said.ts,
        body="1, 2, 3",
        blocks=[{"type": "actions", "elements": [button]}],
    )
    await at.pressed(growing, "frontdesk_stop", user=slack.ann)
    await at.pressed(growing, "frontdesk_stop", user=slack.ann)
    assert at.house.stops == [place, place]
    assert at.whispers(slack.ann) == [notice("nothing_to_stop")]


async def test_whom_we_may_not_answer_presses_in_vain(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_PEOPLE=slack.ann) as at:
        await at.say(slack.ann, slack.general, f"{slack.mention} hello")
        answer = await at.answer(house.received[0], "Hello!")
        await at.pressed(answer, "frontdesk_feedback", up=False, user=slack.li)
        await at.pressed(answer, "frontdesk_again", user=slack.li)
    assert not house.rated
    assert not house.repeated
    assert not slack.calls("views.open")


@pytest.mark.parametrize("value", ["", "17", "x:1", "17:2", "-1:1", "99999999999999999999:1", "٣:1"])
async def test_a_value_that_is_none_of_ours_is_nothing(
    at: Office, slack: SlackDouble, answer: Message, value: str
) -> None:
    button = {"type": "button", "action_id": "frontdesk_feedback", "value": value}
    answer.blocks = [{"type": "actions", "elements": [button]}]
    await at.pressed(answer, "frontdesk_feedback", user=slack.ann)
    assert not at.house.rated
    assert not at.house.failures


async def test_whom_we_may_not_answer_stops_nobody(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_PEOPLE=slack.ann) as at:
        said = await at.say(slack.ann, slack.general, f"{slack.mention} count to a million")
        house.busy.add(house.received[0].place.key)
        await slack.stop_session(slack.general, said.ts, user=slack.li)
        await at.idle()
        assert not house.stops
        assert not slack.calls("agents.sessions.setStatus")
        await slack.stop_session(slack.general, said.ts, user=slack.ann)
        await at.idle()
    assert house.stops == [house.received[0].place.key]


async def test_a_slack_that_is_busy_holds_no_stop_up(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.dm(), "hello")
    at.channel.shower.api.budget.pause(
        at.channel.shower.api.clock(), slack.team, "agents.sessions.setStatus", seconds=6_000.0
    )
    await slack.stop_session(slack.dm(), said.ts)
    await at.idle()
    assert not slack.calls("agents.sessions.setStatus")
