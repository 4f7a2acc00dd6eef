"""The slash command and the entry in a message's menu: words that steer, and questions that get a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.messages import Unavailable
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


async def command(at: Office, text: str, *, user: str = "", channel: str = "") -> None:
    answered = await at.slack.command("/frontdesk", text, user=user, channel=channel)
    assert not answered
    await at.idle()


async def test_a_question_gets_a_thread_where_it_was_asked(at: Office, slack: SlackDouble) -> None:
    await command(at, "what is 6 * 7?")
    (root,) = slack.messages(slack.general)
    assert root.text == notice("slack_asks", person="ann")
    (incoming,) = at.house.received
    assert incoming.text == "what is 6 * 7?"
    assert incoming.place.key == f"{slack.team}/{slack.general}/{root.ts}"
    assert incoming.key.startswith(f"{slack.team}/command/")
    answer = await at.answer(incoming, "It is 42.")
    assert answer.root == root.ts


async def test_where_we_are_no_member_it_is_answered_in_direct_messages(
    at: Office, slack: SlackDouble
) -> None:
    await command(at, "hello", channel=slack.side)
    assert not slack.messages(slack.side)
    (root,) = slack.messages(slack.dm())
    assert at.house.received[0].place.key == f"{slack.team}/{slack.dm()}/{root.ts}"
    assert at.whispers(slack.ann) == [notice("slack_in_direct")]


async def test_elsewhere_it_is_answered_in_direct_messages_too(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_CHANNELS="C0OTHER") as at:
        await command(at, "hello")
        assert not slack.messages(slack.general)
        assert len(slack.messages(slack.dm())) == 1


async def test_in_our_direct_messages_it_is_answered_there(at: Office, slack: SlackDouble) -> None:
    await command(at, "hello", channel=slack.dm())
    assert len(slack.messages(slack.dm())) == 1
    assert not at.whispers()


async def test_whom_we_may_not_answer_is_told_so(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_PEOPLE=slack.ann) as at:
        await command(at, "hello", user=slack.li)
        assert at.whispers(slack.li) == [notice("not_for_you", "zh")]
    assert not house.received


async def test_a_question_is_not_repeated_under_our_name(at: Office, slack: SlackDouble) -> None:
    await command(at, "<!channel> wake up")
    (root,) = slack.messages(slack.general)
    assert "wake up" not in root.text
    assert "channel" not in root.text


async def test_a_command_read_again_posts_no_second_root(at: Office, slack: SlackDouble) -> None:
    at.house.away = False
    receive, tries = at.house.receive, iter((True, False))

    async def failing(incoming):
        if next(tries, False):
            raise ConnectionError("the process dies here")
        return await receive(incoming)

    at.house.receive = failing  # type: ignore[method-assign]
    await command(at, "hello")
    assert len(at.house.failures) == 1
    assert len(slack.messages(slack.general)) == 1
    assert len(at.house.received) == 1


@pytest.mark.parametrize("where", ["general", "side"])
async def test_a_root_that_could_not_be_noted_is_found_again(
    at: Office, slack: SlackDouble, where: str
) -> None:
    asked_in = getattr(slack, where)  # in the other channel we are no member
    there = slack.general if where == "general" else slack.dm()
    put, away = at.house.notes.put, iter((True, False))

    async def failing(name: str, value: str, **more: Any) -> None:
        if name.startswith("root/") and next(away, False):
            slack.world.post(slack.world.channel(there), slack.bot, bot_id=slack.home.bot_id, body="Hello!")
            raise Unavailable("the process dies here")
        await put(name, value, **more)

    at.house.notes.put = failing  # type: ignore[method-assign]
    await command(at, "hello", channel=asked_in)
    await command(at, "and then?", channel=asked_in)
    assert len(at.house.failures) == 1
    first, _, second = slack.messages(there)
    threads = [incoming.place.key.split("/")[2] for incoming in at.house.received]
    assert threads == [first.ts, second.ts]


async def test_where_a_root_cannot_be_looked_for_it_is_posted(at: Office, slack: SlackDouble) -> None:
    at.channel.shower.api.budget.scale = 1.0
    slack.fail("chat.postMessage", "ratelimited", retry_after=6_000)
    slack.fail("conversations.history", "missing_scope", times=None)
    asking = asyncio.ensure_future(command(at, "hello"))
    await slack.until(lambda: at.house.failures)
    at.channel.shower.api.budget._paused.clear()
    await asking
    assert len(slack.messages(slack.general)) == 1
    assert len(at.house.received) == 1


async def test_a_root_that_was_perhaps_posted_is_not_posted_again(at: Office, slack: SlackDouble) -> None:
    slack.fail("chat.postMessage", lost=True)
    await command(at, "hello")
    assert len(slack.messages(slack.general)) == 1
    assert not at.house.received
    assert at.whispers(slack.ann) == [notice("slack_no_thread")]


@pytest.mark.parametrize("text", ["", "help", " HELP ", "/help"])
async def test_help(at: Office, slack: SlackDouble, text: str) -> None:
    await command(at, text)
    assert at.whispers(slack.ann) == [notice("slack_help", command="/frontdesk")]


async def test_help_reaches_people_where_we_are_no_member(at: Office, slack: SlackDouble) -> None:
    await command(at, "help", user=slack.li, channel=slack.side)
    assert at.whispers(slack.li) == [notice("slack_help", "zh", command="/frontdesk")]


async def test_what_was_used_today_is_told_to_the_person_alone(at: Office, slack: SlackDouble) -> None:
    await command(at, "usage")
    assert at.whispers(slack.ann) == [notice("usage", used="0")]
    assert not at.house.received


async def test_a_link_to_another_channel_is_for_the_person_alone(at: Office, slack: SlackDouble) -> None:
    await command(at, "link")
    assert at.whispers(slack.ann) == [notice("link_nowhere")]
    at.house.meet("telegram", "https://t.me/us?start={token}")
    await command(at, "link")
    assert "https://t.me/us?start=once" in at.whispers(slack.ann)[-1]
    assert not slack.messages(slack.general)


async def test_the_model_is_named(at: Office, slack: SlackDouble) -> None:
    await command(at, "model")
    assert at.whispers(slack.ann) == [notice("model", model="starter")]


async def test_stop_stops_the_persons_last_conversation_there(at: Office, slack: SlackDouble) -> None:
    await command(at, "stop")
    await at.say(slack.ann, slack.general, f"{slack.mention} first")
    await at.say(slack.ann, slack.general, f"{slack.mention} second")
    await at.say(slack.li, slack.general, f"{slack.mention} li's own")
    last = at.house.received[1].place.key
    at.house.busy.add(last)
    await command(at, "stop")
    assert at.house.stops == [last]
    assert at.whispers(slack.ann) == [notice("nothing_to_stop"), notice("stopped")]


async def test_stop_finds_the_conversation_that_moved_to_direct_messages(
    at: Office, slack: SlackDouble
) -> None:
    await command(at, "count to a million", channel=slack.side)
    place = at.house.received[0].place.key
    for channel in (slack.side, slack.dm()):
        at.house.busy.add(place)
        await command(at, "stop", channel=channel)
    assert at.house.stops == [place, place]


async def test_reset_begins_the_last_conversation_anew(at: Office, slack: SlackDouble) -> None:
    await command(at, "reset")
    said = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
    await command(at, "reset")
    assert [incoming.text for incoming in at.house.received] == ["hello", "/reset"]
    assert slack.answers(said)[-1].text == notice("reset")
    assert at.whispers(slack.ann) == [notice("nothing_to_reset"), notice("reset")]


async def test_forget_deletes_what_is_kept(at: Office, slack: SlackDouble) -> None:
    await command(at, "forget")
    assert at.house.forgotten == [f"{slack.team}/{slack.ann}"]
    assert at.whispers(slack.ann) == [notice("forgotten")]


async def test_a_word_on_a_message_is_given_in_its_thread(at: Office, slack: SlackDouble) -> None:
    said = await slack.say(slack.li, slack.general, "The build is red.\nWhy?", deliver=False)
    await slack.shortcut("ask_frontdesk", said, user=slack.ann)
    await at.idle()
    (incoming,) = at.house.received
    assert incoming.place.key == f"{slack.team}/{slack.general}/{said.ts}"
    assert incoming.person.key == f"{slack.team}/{slack.ann}"
    assert incoming.text == notice("ask_about", author="li", quote="> The build is red.\n> Why?")
    assert len(slack.messages(slack.general)) == 1


async def test_a_word_on_a_message_where_we_are_no_member_is_given_directly(
    at: Office, slack: SlackDouble
) -> None:
    said = await slack.say(slack.li, slack.side, "The build is red.", deliver=False)
    await slack.shortcut("ask_frontdesk", said, user=slack.ann)
    await at.idle()
    (root,) = slack.messages(slack.dm())
    assert root.text == notice("slack_about", author="li")
    assert at.house.received[0].place.key == f"{slack.team}/{slack.dm()}/{root.ts}"
    assert at.whispers(slack.ann) == [notice("slack_in_direct")]


async def test_a_message_without_words_is_told_so(at: Office, slack: SlackDouble) -> None:
    said = await slack.say(slack.li, slack.general, "", deliver=False)
    await slack.shortcut("ask_frontdesk", said, user=slack.ann)
    await at.idle()
    assert at.whispers(slack.ann) == [notice("empty")]
