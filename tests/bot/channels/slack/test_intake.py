"""What people say in Slack reaches the house once, whole, from the right person, at the right place; or not at all."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator

import pytest

from bot.messages import Attachment, Incoming, Receipt, Unavailable
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.slack.house import Office, office
from tests.slack_double import SlackDouble, payloads


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def at(slack: SlackDouble, house: House) -> AsyncIterator[Office]:
    async with office(slack, house) as opened:
        yield opened


def texts(house: House) -> list[str]:
    return [incoming.text for incoming in house.received]


async def test_a_mention_is_received_once_though_two_events_tell_of_it(
    at: Office, slack: SlackDouble
) -> None:
    said = await at.say(slack.ann, slack.general, f"{slack.mention} what is 6 * 7?", copies=3)
    (incoming,) = at.house.received
    assert incoming.key == f"{slack.team}/{slack.general}/{said.ts}"
    assert incoming.place.key == f"{slack.team}/{slack.general}/{said.ts}"
    assert (incoming.place.channel, incoming.place.site) == ("slack", slack.general)
    assert incoming.person.key == f"{slack.team}/{slack.ann}"
    assert (incoming.person.name, incoming.person.language) == ("ann", "en-US")
    assert incoming.text == "what is 6 * 7?"


async def test_a_direct_message_needs_no_mention_and_each_begins_a_thread(
    at: Office, slack: SlackDouble
) -> None:
    first = await at.say(slack.ann, slack.dm(), "hello")
    second = await at.say(slack.ann, slack.dm(), "something else")
    reply = await at.say(slack.ann, slack.dm(), "and more", thread=first)
    assert [incoming.place.key.split("/")[2] for incoming in at.house.received] == [
        first.ts,
        second.ts,
        first.ts,
    ]
    assert reply.thread_ts == first.ts


async def test_people_among_themselves_are_left_alone(at: Office, slack: SlackDouble) -> None:
    root = await at.say(slack.ann, slack.general, "lunch?")
    await at.say(slack.li, slack.general, "yes", thread=root)
    assert not at.house.received


async def test_a_follow_up_in_a_thread_of_ours_needs_no_mention(at: Office, slack: SlackDouble) -> None:
    root = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
    await at.say(slack.li, slack.general, "and then?", thread=root)
    assert texts(at.house) == ["hello", "and then?"]
    assert at.house.received[1].person.language == "zh-CN"


async def test_a_follow_up_that_names_somebody_else_is_theirs(at: Office, slack: SlackDouble) -> None:
    root = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
    await at.say(slack.ann, slack.general, f"<@{slack.li}> what do you think?", thread=root)
    await at.say(slack.ann, slack.general, f"<@{slack.li}> says so, {slack.mention}?", thread=root)
    assert texts(at.house) == ["hello", "@li says so, @frontdesk?"]


async def test_with_mention_only_a_follow_up_needs_a_mention(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_MENTION_ONLY="true") as at:
        root = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
        await at.say(slack.ann, slack.general, "and then?", thread=root)
        await at.say(slack.ann, slack.general, f"{slack.mention} and then?", thread=root)
        await at.say(slack.ann, slack.dm(), "here none is needed")
    assert texts(house) == ["hello", "and then?", "here none is needed"]


async def test_other_bots_are_never_answered(at: Office, slack: SlackDouble) -> None:
    await at.say(slack.home.other_bot, slack.general, f"{slack.mention} hello")
    root = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
    await at.say(slack.home.other_bot, slack.general, "me too", thread=root)
    assert len(at.house.received) == 1


async def test_our_own_answers_are_never_answered(at: Office, slack: SlackDouble) -> None:
    await at.say(slack.ann, slack.dm(), "hello")
    await at.answer(at.house.received[0], "Hello, ann.")
    await at.idle()
    assert len(at.house.received) == 1


async def test_elsewhere_we_say_so_politely_and_once(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_CHANNELS="C0OTHER") as at:
        await at.say(slack.ann, slack.general, f"{slack.mention} hello")
        await at.say(slack.ann, slack.general, f"{slack.mention} hello?")
        await at.say(slack.ann, slack.dm(), "here then")
        assert at.whispers(slack.ann) == [notice("elsewhere")]
    assert texts(house) == ["here then"]


async def test_whom_we_may_not_answer_is_told_so_in_their_language(slack: SlackDouble, house: House) -> None:
    async with office(slack, house, SLACK_PEOPLE=slack.ann) as at:
        await at.say(slack.li, slack.general, f"{slack.mention} 你好")
        said = await at.say(slack.li, slack.dm(slack.li), "你好")
        await at.say(slack.ann, slack.general, f"{slack.mention} hello")
        assert at.whispers(slack.li) == [notice("not_for_you", "zh")]
        assert slack.answers(said)[-1].text == notice("not_for_you", "zh")
    assert texts(house) == ["hello"]


async def test_somebody_of_whom_slack_tells_nothing_is_received_all_the_same(
    at: Office, slack: SlackDouble
) -> None:
    slack.fail("users.info", "user_not_found", times=None)
    await at.say(slack.li, slack.dm(slack.li), "hello")
    assert at.house.received[0].person.language == "en"


async def test_a_person_is_looked_up_once(at: Office, slack: SlackDouble) -> None:
    for text in ("one", "two", "three"):
        await at.say(slack.ann, slack.dm(), text)
    assert len(slack.calls("users.info")) == 1


async def test_an_edit_changes_our_copy_and_a_deletion_takes_it_away(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.general, f"{slack.mention} what is 6 * 8?")
    await slack.edit(said, f"{slack.mention} what is 6 * 7?")
    await at.idle()
    key = f"{slack.team}/{slack.general}/{said.ts}"
    assert at.house.revised == {key: "what is 6 * 7?"}
    await slack.delete(said)
    await at.idle()
    assert at.house.withdrawn == [key]


async def test_an_edit_keeps_what_came_forwarded_with_the_message(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.dm(), "what is that?")
    before = copy.deepcopy(said)
    said.body, said.edits, said.edited_by = "what is this?", 1, said.user
    event = payloads.changed(slack.world.channel(said.channel), said, before, slack.world.ts())
    event["message"]["attachments"] = [{"is_share": True, "text": "Ship it.\nNow."}]
    await slack.deliver(payloads.envelope(slack.home, event))
    await at.idle()
    assert list(at.house.revised.values()) == ["what is this?\n\n> Ship it.\n> Now."]


async def test_a_reply_is_edited_and_deleted_where_it_stands(at: Office, slack: SlackDouble) -> None:
    root = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
    reply = await at.say(slack.ann, slack.general, "and then", thread=root)
    await slack.edit(reply, "and then?")
    await at.idle()
    key = at.house.received[1].key
    assert at.house.revised == {key: "and then?"}
    await slack.delete(reply)
    await at.idle()
    assert at.house.withdrawn == [key]


async def test_a_deleted_root_with_replies_is_forgotten_too(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
    await at.answer(at.house.received[0], "Hello!")
    await slack.delete(said)
    await at.idle()
    assert at.house.withdrawn == [at.house.received[0].key]


async def test_what_is_refused_is_told_to_the_person_alone(at: Office, slack: SlackDouble) -> None:
    await at.say(slack.ann, slack.general, f"{slack.mention} {'long ' * 2_000}")
    assert at.whispers(slack.ann) == [notice("oversized", limit=8_000)]
    said = await at.say(slack.ann, slack.dm(), "long " * 2_000)
    assert slack.answers(said)[-1].text == notice("oversized", limit=8_000)


async def test_a_typed_command_is_answered_in_its_thread(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.general, f"{slack.mention} /reset")
    assert slack.answers(said)[-1].text == notice("reset")


async def test_slacks_marks_become_plain_words(at: Office, slack: SlackDouble) -> None:
    text = f"{slack.mention} is <https://example.com|this> &lt;right&gt;, <@{slack.li}>? <!here>"
    await at.say(slack.ann, slack.general, text)
    assert texts(at.house) == ["is [this](https://example.com) <right>, @li? @here"]


async def test_a_text_file_comes_along(at: Office, slack: SlackDouble) -> None:
    files = [("notes.md", "# Größe\n".encode()), ("run.py", b"print(42)\n")]
    await at.say(slack.ann, slack.dm(), "read this", files=files, subtype="file_share")
    assert at.house.received[0].attachments == (
        Attachment("notes.md", "# Größe\n"),
        Attachment("run.py", "print(42)\n"),
    )


async def test_a_file_that_is_no_text_is_named(at: Office, slack: SlackDouble) -> None:
    said = await at.say(
        slack.ann, slack.dm(), "look", files=[("cat.png", b"\x89PNG\r\n")], subtype="file_share"
    )
    assert slack.answers(said)[-1].text == notice("file_no_text", file="cat.png")
    assert texts(at.house) == ["look"]


async def test_a_file_that_is_no_text_is_named_once_however_often_it_is_read(
    at: Office, slack: SlackDouble
) -> None:
    receive, troubles = at.house.receive, iter([Unavailable("the house is away")] * 3)

    async def failing(incoming: Incoming) -> Receipt:
        for trouble in troubles:
            raise trouble
        return await receive(incoming)

    at.house.receive = failing  # type: ignore[method-assign]
    said = await at.say(
        slack.ann, slack.dm(), "look", files=[("cat.png", b"\x89PNG\r\n")], subtype="file_share"
    )
    assert [each.text for each in slack.answers(said)] == [notice("file_no_text", file="cat.png")]
    assert texts(at.house) == ["look"]


async def test_nothing_but_a_file_that_we_cannot_read_is_no_question(at: Office, slack: SlackDouble) -> None:
    await at.say(slack.ann, slack.dm(), "", files=[("cat.png", b"\x89PNG\r\n")], subtype="file_share")
    assert not at.house.received


async def test_what_is_said_in_a_thread_is_received_in_order(at: Office, slack: SlackDouble) -> None:
    root = await at.say(slack.ann, slack.general, f"{slack.mention} begin")
    for number in range(10):
        await slack.say(slack.ann, slack.general, f"part {number}", thread=root)
    await at.idle()
    assert texts(at.house) == ["begin", *(f"part {number}" for number in range(10))]


async def test_while_the_house_is_away_slack_keeps_the_message(at: Office, slack: SlackDouble) -> None:
    at.house.away = True
    saying = asyncio.ensure_future(slack.say(slack.ann, slack.dm(), "hello"))
    await slack.until(lambda: slack.deliveries)
    at.house.away = False
    await saying
    await at.idle()
    assert texts(at.house) == ["hello"]


async def test_several_workspaces_are_kept_apart(at: Office, slack: SlackDouble) -> None:
    other = slack.add_workspace("T0OTHER")
    await at.say(slack.ann, slack.general, f"{slack.mention} here")
    await at.say(other.ann, other.general, f"{other.mention} there")
    places = {incoming.text: incoming.place.key.split("/")[0] for incoming in at.house.received}
    assert places == {"here": slack.team, "there": "T0OTHER"}


async def test_a_last_conversation_is_remembered_for_commands(at: Office, slack: SlackDouble) -> None:
    said = await at.say(slack.ann, slack.general, f"{slack.mention} hello")
    incoming: Incoming = at.house.received[0]
    spot = await at.channel.reader.intake.last(slack.team, slack.general, incoming.person)
    assert spot is not None
    assert spot.thread == said.ts


async def test_a_slack_that_is_busy_holds_no_notice_up(at: Office, slack: SlackDouble) -> None:
    api = at.channel.shower.api
    api.budget.pause(api.clock(), slack.team, "chat.postMessage", slack.dm(), seconds=6_000.0)
    await at.say(slack.ann, slack.dm(), "/reset")
    assert texts(at.house) == ["/reset"]
    assert not slack.calls("chat.postMessage")
