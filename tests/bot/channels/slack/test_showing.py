"""An answer in a Slack thread, from its first piece to its end, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from bot.channels.slack.api import SlackFailure
from bot.channels.slack.ladder import Timing, Wanted
from bot.channels.slack.status import Rhythm
from bot.markup.outline import Outline
from bot.messages import NotNow, Unavailable
from bot.notices import notice
from tests.bot.channels.slack.outgoing import Asked, Out, Tokens, opened
from tests.bot.channels.telling import ANSWER, Books, killed
from tests.slack_double import Message, SlackDouble

RISK = 0.08  # of each kind of trouble, at each call
PAUSE = 0.015  # between two things that are told: enough for the first to be shown
BUTTONS = {"frontdesk_feedback", "frontdesk_again", "frontdesk_new"}
LONG = "".join(f"## Chapter {n}\n\n{'Some words of it. ' * 60}\n\n" for n in range(30))  # about 32,000


@pytest.fixture
async def out(slack: SlackDouble) -> AsyncIterator[Out]:
    async with opened(slack) as side:
        yield side


def methods(slack: SlackDouble) -> list[str]:
    """What was called to write, in order."""
    return [call.method for call in slack.calls() if call.method.startswith("chat.")]


def told(asked: Asked) -> str:
    """All that was said to the person, the house's words after a bar."""
    answer = "".join(map(body, asked.seen))
    below = [
        element["text"]
        for message in asked.seen
        for block in message.blocks
        if block["type"] == "context"
        for element in block["elements"]
    ]
    return "|".join([answer, *below])


def body(message: Message) -> str:
    """The model's words in a message, however they came there."""
    if message.markdown:
        return message.body
    return "".join(block["text"] for block in message.blocks if block["type"] == "markdown")


# -- what a person sees ----------------------------------------------------------------------------------------


async def test_an_answer_streams_into_its_thread_and_ends_with_buttons(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("Like ")
        await out.slack.until(lambda: asked.text == "Like ")
        asked.teller.say("**this**.")
        await out.slack.until(lambda: asked.text == "Like **this**.")
        assert asked.seen[0].streaming
        assert out.slack.session(asked.root.channel, asked.root.ts).status == "processing"
        asked.teller.end()
    [message] = asked.seen
    assert message.text == "Like **this**."
    assert not message.streaming
    assert set(message.buttons) == BUTTONS
    assert message.buttons["frontdesk_again"]["value"] == str(ANSWER)
    assert message.metadata["event_payload"] == {
        "question": 1,
        "part": 1,
        "start": 0,
        "end": 14,
        "final": True,
    }
    assert out.slack.session(asked.root.channel, asked.root.ts).history == ["processing", "active"]
    assert set(methods(out.slack)) == {"chat.startStream", "chat.appendStream", "chat.stopStream"}


async def test_the_stream_is_recorded_before_it_says_anything(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("All of it.")
    async with asked.showing():
        await out.slack.until(lambda: asked.text)
        first = next(call for call in out.slack.calls("chat.startStream"))
        assert "markdown_text" not in first.arguments
        assert out.books.sent_before[0][1] is True
        asked.teller.end()
    assert [growing for _, growing in out.books.sent_before] == [True, False]


async def test_a_long_answer_goes_on_in_further_messages_and_loses_nothing(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        for at in range(0, len(LONG), 2_000):
            asked.teller.say(LONG[at : at + 2_000])
            await asyncio.sleep(0.01)
        asked.teller.end()
    assert len(asked.seen) >= 3
    assert told(asked) == LONG
    assert [bool(message.buttons) for message in asked.seen] == [False] * (len(asked.seen) - 1) + [True]


async def test_a_fence_that_is_split_is_closed_and_opened_again(out: Out) -> None:
    code = "```python\n" + "".join(f"print({n})\n" for n in range(2_000)) + "```\n"
    asked = out.asked()
    asked.teller.say(code)
    asked.teller.end()
    await asked.show()
    assert len(asked.seen) >= 2
    for message in asked.seen:
        assert body(message).startswith("```python\n")
        assert body(message).rstrip().endswith("```")


async def test_mentions_in_the_models_words_call_nobody(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        for piece in ("Ask <!cha", "nnel> or <@U", "123ABC>", " or @he", "re."):
            asked.teller.say(piece)
            await asyncio.sleep(0.03)
        asked.teller.end()
    for mention in ("<!channel>", "<@U123ABC>", "@here"):
        assert mention not in asked.text


async def test_people_in_channels_are_named_as_recipients_and_nobody_in_direct_messages(
    out: Out,
) -> None:
    for number, channel in enumerate((out.slack.general, out.slack.dm()), start=1):
        asked = out.asked(channel=channel, number=number)
        asked.teller.pause = PAUSE
        asked.teller.say("Yes.")
        asked.teller.end()
        await asked.show()
    in_channel, direct = out.slack.calls("chat.startStream")
    assert in_channel.arguments["recipient_user_id"] == out.slack.ann
    assert in_channel.arguments["recipient_team_id"] == out.slack.team
    assert "recipient_user_id" not in direct.arguments


async def test_people_of_another_workspace_are_named_with_their_own_team(out: Out) -> None:
    out.slack.home.users[out.slack.ann].team = "T0ELSE"
    asked = out.asked(channel=out.slack.general, number=1)
    asked.teller.pause = PAUSE
    asked.teller.say("Yes.")
    asked.teller.end()
    await asked.show()
    (begun,) = out.slack.calls("chat.startStream")
    assert begun.arguments["recipient_team_id"] == "T0ELSE"


# -- how it ends -----------------------------------------------------------------------------------------------


async def test_a_notice_stands_below_the_answer(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Half an answ")
    asked.teller.note("It took <too> long.")
    asked.teller.end("failed")
    await asked.show()
    [message] = asked.seen
    assert message.text == "Half an answ\nIt took &lt;too&gt; long."


async def test_a_refusal_is_one_plain_message(out: Out) -> None:
    asked = out.asked()
    asked.teller.note("I can't help with that.")
    asked.teller.end("refused", None)
    await asked.show()
    [message] = asked.seen
    assert message.text == "I can't help with that."
    assert not message.buttons
    assert out.slack.session(asked.root.channel, asked.root.ts).status == "active"


async def test_an_answer_that_was_stopped_says_so(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("I was just")
    asked.teller.end("stopped")
    await asked.show()
    assert asked.text == f"I was just\n{notice('stopped')}"


async def test_a_failure_without_words_gets_some(out: Out) -> None:
    asked = out.asked()
    asked.teller.end("failed", None)
    await asked.show()
    assert asked.text == notice("failed")


async def test_slacks_own_stop_button_stops_the_answer(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("One. ")
        await out.slack.until(lambda: asked.text)
        asked.seen[0].stream.state = "stopped by the person"  # type: ignore[union-attr]
        asked.teller.say("Two. ")
        await out.slack.until(lambda: out.books.stopped)
        assert asked.text == "One. "
        asked.teller.end("stopped")
    assert out.books.stopped == [asked.question.place_id]
    [message] = asked.seen
    assert message.text == f"One. Two. \n{notice('stopped')}"
    assert set(message.buttons) == BUTTONS


async def test_a_person_who_must_wait_is_told_and_then_answered(out: Out) -> None:
    class Postponed(Exception):
        pass

    asked = out.asked()
    asked.teller.note("Later.")
    asked.teller.break_off(Postponed())
    with pytest.raises(Postponed):
        await asked.show()
    assert asked.text == "Later."
    asked.teller.items.clear()
    asked.teller.say("Now.")
    asked.teller.end()
    await asked.show()
    assert [message.text for message in asked.seen] == ["Later.", "Now."]


async def test_an_answer_that_breaks_off_leaves_no_broken_stream_and_goes_on_in_its_message(
    out: Out,
) -> None:
    class Postponed(Exception):
        pass

    asked = out.asked()
    asked.teller.say("Half ")
    showing = asyncio.create_task(asked.show())
    await out.slack.until(lambda: asked.text == "Half ")
    asked.teller.break_off(Postponed())
    with pytest.raises(Postponed):
        await showing
    assert not asked.seen[0].streaming
    asked.teller.go_on()
    asked.teller.say("and half.")
    asked.teller.end()
    await asked.show(out.again())
    assert asked.text == "Half and half."


# -- crashes ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("auto", "A short one."),
        ("auto", LONG[:14_000]),
        ("edit", "A short one."),
        ("edit", LONG[:14_000]),
        ("post", LONG[:14_000]),
    ],
    ids=["streamed", "streamed in two", "edited", "edited in two", "posted in two"],
)
async def test_a_process_that_dies_at_any_point_costs_and_repeats_nothing(
    out: Out, wanted: Wanted, text: str
) -> None:
    async def dying(at: int) -> bool:
        mortal = replace(out, books=Books())
        asked = mortal.asked(number=at)
        asked.teller.pause = PAUSE
        asked.teller.say(text[:9])
        asked.teller.say(text[9:])
        asked.teller.note("Well then.")
        asked.teller.end()
        died = await asked.show_until_it_dies(mortal.again(wanted=wanted, dies_at=at))
        await asked.show(mortal.again(wanted=wanted))
        assert told(asked) == f"{text}|Well then.", f"it died at step {at}"
        assert not any(message.streaming for message in asked.seen)
        assert "frontdesk_feedback" in asked.seen[-1].buttons
        return died

    died = await asyncio.gather(*map(dying, range(1, 31)))
    assert sum(died) > {"auto": 11, "edit": 9, "post": 5}[wanted]
    assert not died[-1]  # there was no such step


@pytest.mark.parametrize("wanted", ["auto", "edit"])
async def test_a_process_that_dies_twice_at_any_point_costs_and_repeats_nothing(
    out: Out, wanted: Wanted
) -> None:
    for at in range(1, 10):
        asked = out.asked(number=at)
        asked.teller.pause = PAUSE
        asked.teller.say("Some of it. ")
        asked.teller.say("The rest.")
        asked.teller.end()
        for dies_at in (at, at // 2 + 1, 0):
            await asked.show_until_it_dies(out.again(wanted=wanted, dies_at=dies_at))
        assert told(asked) == "Some of it. The rest.", f"it died at steps {at} and {at // 2 + 1}"


async def test_an_answer_that_was_brought_before_the_crash_is_not_brought_again(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Once.")
    asked.teller.end()
    await asked.show()
    before = methods(out.slack)
    await asked.show(out.again())
    assert methods(out.slack) == before


async def test_a_session_that_worked_before_the_crash_does_not_work_for_ever(out: Out) -> None:
    asked = out.asked()
    asked.teller.pause = PAUSE
    asked.teller.say("Here.")
    asked.teller.end()
    out.slack.fail("chat.stopStream", lost=True)  # it does not take the session along
    await asked.show_until_it_dies(out.again(dies_at=9))
    await asked.show(out.again())
    assert told(asked) == "Here."
    assert out.slack.session(asked.root.channel, asked.root.ts).status == "active"


async def test_without_the_history_scopes_an_answer_still_comes_after_a_crash(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Perhaps twice.")
    asked.teller.end()
    await asked.show_until_it_dies(out.again(wanted="post", dies_at=3))
    out.slack.fail("conversations.replies", "missing_scope", times=None)
    await asked.show(out.again(wanted="post"))
    assert asked.seen[-1].text == "Perhaps twice."


# -- Slack's troubles --------------------------------------------------------------------------------------------


CALLS: dict[Wanted, list[str]] = {
    "auto": ["chat.startStream", "chat.appendStream", "chat.stopStream"],
    "edit": ["chat.postMessage", "chat.update"],
    "post": ["chat.postMessage"],
}
TROUBLES = {
    "lost": {"lost": True},
    "dropped": {"dropped": True},
    "html": {"html": True},
    "limited": {"retry_after": 1},
}


@pytest.mark.parametrize("wanted", CALLS)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_call_that_fails_costs_and_repeats_nothing(out: Out, wanted: Wanted, trouble: str) -> None:
    for number, method in enumerate(CALLS[wanted], start=1):
        fault = out.slack.fail(method, **TROUBLES[trouble])
        asked = out.asked(number=number)
        asked.teller.pause = PAUSE
        for piece in ("One. ", "Two. ", "Three. ", "Four."):
            asked.teller.say(piece)
        asked.teller.end()
        await asked.show(out.again(wanted=wanted))
        assert fault.hits == 1
        assert told(asked) == "One. Two. Three. Four.", method
        assert "frontdesk_feedback" in asked.seen[-1].buttons


async def test_a_dead_stream_gets_the_rest_by_edits(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("Before. ")
        await out.slack.until(lambda: asked.text)
        out.slack.expire_streams()
        asked.teller.say("After. ")
        await out.slack.until(lambda: asked.text == "Before. After. ")
        asked.teller.say("End.")
        asked.teller.end()
    [message] = asked.seen
    assert told(asked) == "Before. After. End."
    assert not message.broken


async def test_a_stream_that_dies_at_the_very_end_is_mended(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("All but ")
        await out.slack.until(lambda: asked.text)
        out.slack.expire_streams()
        asked.teller.say("this.")
        asked.teller.end()
    [message] = asked.seen
    assert told(asked) == "All but this."
    assert not message.broken
    assert set(message.buttons) == BUTTONS


async def test_what_cannot_be_edited_stays_and_the_rest_is_posted(out: Out) -> None:
    asked = out.asked()
    out.slack.fail("chat.update", "edit_window_closed", times=None)
    async with asked.showing():
        asked.teller.say("Before. ")
        await out.slack.until(lambda: asked.text)
        out.slack.expire_streams()
        asked.teller.say("After. ")
        asked.teller.say("End.")
        asked.teller.end()
    assert [message.text for message in asked.seen] == ["Before. ", "After. End."]
    assert set(asked.seen[-1].buttons) == BUTTONS


async def test_an_old_stream_goes_on_in_a_new_one(slack: SlackDouble) -> None:
    timing = Timing(append=0.02, rollover=0.1, overdue=5.0)
    async with opened(slack, timing=timing) as out:
        asked = out.asked()
        async with asked.showing():
            asked.teller.say("First paragraph.\n\n")
            await slack.until(lambda: asked.text)
            await asyncio.sleep(0.15)  # it grows old
            asked.teller.say("Second paragraph.\n\nThird")
            await slack.until(lambda: len(asked.seen) == 2)
            asked.teller.say(" paragraph.")
            asked.teller.end()
        assert [body(message) for message in asked.seen] == [
            "First paragraph.\n\n",
            "Second paragraph.\n\nThird paragraph.",
        ]
        assert len(slack.calls("chat.startStream")) == 2


async def test_an_old_stream_without_a_good_place_to_end_ends_anyway(slack: SlackDouble) -> None:
    timing = Timing(append=0.02, rollover=0.05, overdue=0.1)
    async with opened(slack, timing=timing) as out:
        asked = out.asked()
        async with asked.showing():
            asked.teller.say("One long ")
            await slack.until(lambda: asked.text)
            await slack.until(lambda: not asked.seen[0].streaming)
            asked.teller.say("sentence.")
            asked.teller.end()
        assert [body(message) for message in asked.seen] == ["One long ", "sentence."]


@pytest.mark.parametrize("code", ["unknown_method", "feature_not_enabled", "method_deprecated"])
async def test_a_workspace_without_streams_gets_edits_and_is_not_asked_again(out: Out, code: str) -> None:
    out.slack.fail("chat.startStream", code, times=None)
    for number in (1, 2):
        asked = out.asked(number=number)
        async with asked.showing():
            asked.teller.say("It ")
            await out.slack.until(lambda asked=asked: asked.text == "It ")
            asked.teller.say("grows.")
            asked.teller.end()
        assert told(asked) == "It grows."
        assert set(asked.seen[0].buttons) == BUTTONS
        assert asked.seen[0].options["unfurl_links"] is False
    assert len(out.slack.calls("chat.startStream")) == 1


async def test_an_edited_answer_has_a_stop_button_where_slack_has_none(out: Out) -> None:
    out.slack.home.agent = False
    asked = out.asked()
    async with asked.showing(out.again(wanted="edit")):
        asked.teller.say("It ")
        await out.slack.until(lambda: asked.text)
        await out.slack.until(lambda: out.slack.calls("agents.sessions.setStatus"))
        assert set(asked.seen[0].buttons) == {"frontdesk_stop"}
        assert asked.seen[0].buttons["frontdesk_stop"]["value"] == asked.root.ts
        asked.teller.say("grows.")
        asked.teller.end()
    assert set(asked.seen[0].buttons) == BUTTONS


async def test_a_channel_that_is_gone_is_given_up_and_the_answer_is_told_to_its_end(out: Out) -> None:
    asked = out.asked()
    out.slack.world.channel(asked.root.channel).archived = True
    asked.teller.say("To nobody.")
    asked.teller.end()
    await asked.show()
    assert not asked.seen


async def test_a_slack_that_is_away_is_tried_again_by_the_house(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Later.")
    asked.teller.end()
    away = out.slack.fail("*", status=503, times=None)
    with pytest.raises(SlackFailure):
        await asked.show()
    away.stop()
    await asked.show(out.again())
    assert told(asked) == "Later."


async def test_a_desk_that_is_away_is_tried_again_by_the_house(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Later.")
    asked.teller.end()
    out.books.away = True
    with pytest.raises(Unavailable):
        await asked.show()
    out.books.away = False
    await asked.show(out.again())
    assert told(asked) == "Later."


async def test_a_question_that_was_forgotten_meanwhile_leaves_nothing(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("Something ")
        await out.slack.until(lambda: asked.text)
        out.books.gone = True
        asked.teller.say("secret.")
        asked.teller.end("stopped")
    assert not asked.seen


@pytest.mark.parametrize(
    ("wanted", "text", "kept"), [("native", "Something ", 1), ("edit", "Something ", 1), ("post", LONG, 3)]
)
async def test_a_question_that_was_forgotten_meanwhile_leaves_no_half_answer(
    slack: SlackDouble, wanted: Wanted, text: str, kept: int
) -> None:
    async with opened(slack, wanted=wanted) as out:
        asked = out.asked()
        showing = asyncio.create_task(asked.show())
        asked.teller.say(text)
        await slack.until(lambda: asked.text and len(out.books.sent_before) == kept)
        out.books.gone = True
        asked.teller.break_off(ConnectionError("what was told is gone"))
        with pytest.raises(ConnectionError):
            await showing
        assert not asked.seen


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_answer_that_came_to_nothing_says_so(out: Out, text: str) -> None:
    asked = out.asked()
    asked.teller.say(text)
    asked.teller.end()
    await asked.show()
    assert asked.text == notice("failed", "en")


@pytest.mark.parametrize("wanted", ["native", "edit", "post"])
async def test_long_texts_are_worked_on_beside_the_loop(
    slack: SlackDouble, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops: list[int] = []
    parse = Outline.__init__

    def noted(outline: Outline, source: str) -> None:
        if len(source) > 4_000 and threading.current_thread() is threading.main_thread():
            loops.append(len(source))
        parse(outline, source)

    monkeypatch.setattr(Outline, "__init__", noted)
    async with opened(slack, wanted=wanted) as out:
        asked = out.asked()
        async with asked.showing():
            for at in range(0, len(LONG), 4_000):
                asked.teller.say(LONG[at : at + 4_000])
                await asyncio.sleep(0.02)
            asked.teller.end()
    assert told(asked) == LONG
    assert not loops


async def test_a_shelf_that_is_away_when_all_is_written_fails_nothing(
    slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack.home.agent = False
    async with opened(slack, wanted="post") as out:
        out.shower.statuses.rhythm = Rhythm(stop_button=0.0)
        asked = out.asked()
        token = Tokens.token

        async def away(tokens: Tokens, team: str, enterprise: str = "") -> str | None:
            if any(not growing for _, growing in out.books.sent_before):
                raise Unavailable("the shelf is away")
            return await token(tokens, team, enterprise)

        monkeypatch.setattr(Tokens, "token", away)
        async with asked.showing():
            await slack.until(lambda: asked.seen)
            asked.teller.say("Here.")
            asked.teller.end()
        assert "Here." in asked.text


@pytest.mark.parametrize("wanted", ["native", "edit"])
async def test_what_cannot_be_changed_after_a_crash_is_not_seen_twice(
    slack: SlackDouble, wanted: Wanted
) -> None:
    async with opened(slack, wanted=wanted) as out:
        asked = out.asked()
        asked.teller.say("Something. ")
        showing = asyncio.create_task(asked.show())
        await slack.until(lambda: asked.text and out.books.sent_before)
        await killed(showing)
        slack.fail("chat.update", "edit_window_closed", times=None)
        asked.teller.say("More.")
        asked.teller.end()
        await asked.show(out.again(wanted=wanted))
        assert told(asked) == "Something. More."


async def test_blocks_that_are_refused_do_not_keep_the_answer_back(out: Out) -> None:
    out.slack.fail("chat.postMessage", "invalid_blocks", times=1)
    asked = out.asked()
    asked.teller.say("Plainly.")
    asked.teller.note("And that.")
    asked.teller.end()
    await asked.show(out.again(wanted="post"))
    assert asked.text == "Plainly.\n\nAnd that."


async def test_a_slow_answer_keeps_saying_that_it_is_being_made(slack: SlackDouble) -> None:
    slack.home.agent = False
    async with opened(slack) as out:
        out.shower.statuses.rhythm = Rhythm(refresh=0.03, stop_button=0.05)
        asked = out.asked()
        async with asked.showing():
            await slack.until(lambda: len(slack.calls("assistant.threads.setStatus")) >= 2)
            await slack.until(lambda: asked.seen)
            assert set(asked.seen[0].buttons) == {"frontdesk_stop"}
            asked.teller.say("Here.")
            asked.teller.end()
        assert [message.text for message in asked.seen] == ["Here."]
        assert slack.status(asked.root.channel, asked.root.ts) == ""


async def test_a_stop_button_of_a_process_that_died_is_taken_away(slack: SlackDouble) -> None:
    slack.home.agent = False
    async with opened(slack) as out:
        out.shower.statuses.rhythm = Rhythm(stop_button=0.0)
        asked = out.asked()
        showing = asyncio.create_task(asked.show())
        await slack.until(lambda: asked.seen)
        await killed(showing)
        asked.teller.say("Here.")
        asked.teller.end()
        await asked.show(out.again())
        assert [message.text for message in asked.seen] == ["Here."]


async def test_no_token_and_no_text_is_logged(
    out: Out, logged: list[MutableMapping[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    out.slack.fail("chat.appendStream", lost=True)
    out.slack.fail("chat.stopStream", html=True)
    asked = out.asked()
    asked.teller.say("Confidential.")
    asked.teller.end()
    await asked.show()
    everything = repr(logged) + caplog.text
    assert "Confidential" not in everything
    for secret in out.slack.secrets:
        assert secret not in everything


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_together_an_answer_is_told_once_and_whole(out: Out, seed: int) -> None:
    chance = random.Random(seed)
    text = LONG[: chance.choice([40, 13_000])]
    pieces = [text[at : at + len(text) // 5] for at in range(0, len(text), len(text) // 5)]
    kinds = [*TROUBLES.values(), {"error": "fatal_error"}, {"error": "ratelimited"}]
    faults = [
        out.slack.fail("*", **kind, times=None, when=lambda _: chance.random() < RISK) for kind in kinds
    ]
    faults.append(
        out.slack.fail(
            "chat.appendStream",
            "message_not_in_streaming_state",
            times=None,
            when=lambda _: chance.random() < RISK,
        )
    )
    wanted = chance.choice(["auto", "auto", "edit", "post"])
    asked = out.asked()
    asked.teller.pause = PAUSE
    for piece in pieces:
        asked.teller.say(piece)
    asked.teller.note("Well then.")
    asked.teller.end()
    tries = 0
    while True:
        tries += 1
        if tries > 8:
            for fault in faults:
                fault.stop()
        dies_at = chance.randrange(1, 40) if tries < 8 else 0
        try:
            if not await asked.show_until_it_dies(out.again(wanted=wanted, dies_at=dies_at)):
                break
        except (SlackFailure, NotNow):
            continue
    assert told(asked) == f"{text}|Well then."
    assert not any(message.streaming or message.broken for message in asked.seen)


# -- many at once ------------------------------------------------------------------------------------------------


@pytest.fixture
async def busy(slack: SlackDouble) -> AsyncIterator[Out]:
    """Before a Slack that keeps to its limits, ten times as fast."""
    timing = Timing(append=0.07, edit=0.13, setback=0.2)
    slack.rates.enforce(scale=10)
    async with opened(slack, timing=timing) as side:
        side.api.budget.scale = 0.1
        yield side


async def test_thirty_threads_in_three_workspaces_keep_to_every_budget(busy: Out) -> None:
    teams = [busy.slack.team, *(busy.slack.add_workspace(f"T{name}").team for name in ("TWO", "THREE"))]
    asked = [busy.asked(number=number, team=teams[number % 3]) for number in range(1, 31)]
    for each in asked:
        each.teller.pause = 0.02
        for piece in range(20):
            each.teller.say(f"Piece {piece} of {each.number}. ")
        each.teller.end()
    await asyncio.gather(*(each.show() for each in asked))
    for each in asked:
        assert told(each) == each.teller.text
        assert set(each.seen[-1].buttons) == BUTTONS
    assert not busy.slack.rates.exceeded


async def test_more_answers_than_streams_may_start_are_posted_whole(busy: Out) -> None:
    channels = [busy.slack.general, busy.slack.dm(busy.slack.ann)]
    asked = [busy.asked(number=number, channel=channels[number % 2]) for number in range(1, 31)]
    for each in asked:
        each.teller.pause = 0.05
        each.teller.say("First. ")
        each.teller.say("Second.")
        each.teller.end()
    await asyncio.gather(*(each.show() for each in asked))
    assert all(told(each) == "First. Second." for each in asked)
    assert 10 <= len(busy.slack.calls("chat.startStream")) <= 15
    assert not busy.slack.rates.exceeded
