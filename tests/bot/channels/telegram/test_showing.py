"""An answer in a Telegram chat, from its first piece to its end, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from bot.channels.telegram.api import TelegramFailure
from bot.channels.telegram.posting import draft_id_of
from bot.channels.telegram.ways import Timing
from bot.markup.outline import Outline
from bot.markup.telegram import Rendered, reach
from bot.messages import NotNow, Unavailable
from bot.notices import notice
from tests.bot.channels.telegram.outgoing import QUICK, Asked, Out, opened
from tests.bot.channels.telling import ANSWER, Books, killed
from tests.telegram_double import Message, TelegramDouble

PAUSE = 0.02  # between two things that are told: enough for the first to be shown
BELOW = ["rate", "rate", "again"]  # what the buttons below an answer do
LONG = "".join(f"Chapter {n}\n\n{'Some words of it. ' * 30}\n\n" for n in range(40))  # about 22,000
RISK = 0.08  # of each kind of trouble, at each call


@pytest.fixture(autouse=True)
def _the_parser_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """It tells of every line that it reads, which takes longer than the reading."""
    caplog.set_level(logging.WARNING, logger="markdown_it")


@pytest.fixture
async def out(telegram: TelegramDouble) -> AsyncIterator[Out]:
    async with opened(telegram) as side:
        yield side


def methods(telegram: TelegramDouble) -> list[str]:
    """What was called to write, in order."""
    return [call.method for call in telegram.calls if call.method != "sendChatAction"]


def actions(message: Message) -> list[str]:
    """What the buttons below a message do."""
    return [button["callback_data"].partition(":")[0] for button in message.buttons]


def words(text: str) -> list[str]:
    """What a reader reads, however it is laid out."""
    return text.split()


def told(asked: Asked) -> list[str]:
    return words(asked.text)


# -- what a person sees ----------------------------------------------------------------------------------------


async def test_an_answer_grows_in_one_message_and_ends_with_buttons(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("Like **this**. ")
        await out.telegram.until(lambda: asked.text == "Like this.")
        assert actions(asked.seen[0]) == ["stop"]
        asked.teller.say("And `that`.")
        await out.telegram.until(lambda: asked.text == "Like this. And that.")
        asked.teller.end()
    [message] = asked.seen
    assert message.text == "Like this. And that."
    assert [entity["type"] for entity in message.entities] == ["bold", "code"]
    assert actions(message) == BELOW
    assert f":{ANSWER}" in message.buttons[-1]["callback_data"]
    assert message.options["link_preview_options"] == {"is_disabled": True}
    assert not message.reply_to  # nobody else writes there
    assert set(methods(out.telegram)) == {"sendMessage", "editMessageText"}


async def test_a_short_answer_is_one_message(out: Out) -> None:
    out.shower.ways.timing = replace(QUICK, first=5.0)
    asked = out.asked()
    asked.teller.pause = PAUSE
    for piece in ("No ", "sentence ", "yet"):
        asked.teller.say(piece)
    asked.teller.end()
    await asked.show()
    assert asked.text == "No sentence yet"
    assert methods(out.telegram) == ["sendMessage"]


async def test_a_growing_message_is_kept_in_mind_when_it_stands_there(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("All of it.")
    async with asked.showing():
        await out.telegram.until(lambda: out.books.sent_before)
        assert out.books.sent_before == [(f"{out.telegram.me.id}/{asked.chat.id}/{asked.seen[0].id}", True)]
        asked.teller.end()
    assert [growing for _, growing in out.books.sent_before] == [True, False]


async def test_what_changes_nothing_to_the_eye_is_no_call(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("Shown.")
        await out.telegram.until(lambda: asked.seen)
        for _ in range(5):
            asked.teller.say("\n")
            await asyncio.sleep(0.02)
        assert methods(out.telegram) == ["sendMessage"]
        asked.teller.end()
    assert methods(out.telegram) == ["sendMessage", "editMessageText"]


async def test_a_long_answer_goes_on_in_further_messages_with_buttons_below_the_last(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        for at in range(0, len(LONG), 1_000):
            asked.teller.say(LONG[at : at + 1_000])
            await asyncio.sleep(0.005)
        asked.teller.end()
    assert len(asked.seen) >= 6
    assert told(asked) == words(LONG)
    assert [actions(message) for message in asked.seen] == [[]] * (len(asked.seen) - 1) + [BELOW]


async def test_text_outside_of_the_first_plane_fits_too(out: Out) -> None:
    text = "".join(f"{'😀' * 60} {n}\n\n" for n in range(60))  # about 7,500 units
    asked = out.asked()
    asked.teller.say(text)
    asked.teller.end()
    await asked.show()
    assert told(asked) == words(text)


async def test_code_that_is_split_is_code_in_both_messages(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("```python\n" + "".join(f"print({n})\n" for n in range(600)) + "```\n")
    asked.teller.end()
    await asked.show()
    assert len(asked.seen) >= 2
    for message in asked.seen:
        assert [entity["type"] for entity in message.entities] == ["pre"]


async def test_somebody_who_waits_sees_that_something_is_coming(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        await out.telegram.until(lambda: len(out.telegram.actions(asked.chat)) > 2)
        assert not asked.seen
        asked.teller.say("Here.")
        asked.teller.end()
    assert set(out.telegram.actions(asked.chat)) == {"typing"}
    said = len(out.telegram.actions(asked.chat))
    await asyncio.sleep(3 * QUICK.typing)
    assert len(out.telegram.actions(asked.chat)) == said


@pytest.mark.parametrize("how", [{"status": 403}, {"retry_after": 60}, {"html": True}, {"dropped": True}])
async def test_an_action_that_fails_harms_nothing(out: Out, how: dict[str, Any]) -> None:
    out.telegram.fail("sendChatAction", times=None, **how)
    asked = out.asked()
    async with asked.showing():
        await out.telegram.until(lambda: out.telegram.calls_of("sendChatAction"))
        asked.teller.say("Here.")
        asked.teller.end()
    assert asked.text == "Here."


# -- groups ----------------------------------------------------------------------------------------------------


async def test_in_a_group_the_whole_answer_comes_at_once_as_a_reply(out: Out) -> None:
    chat = out.telegram.group("Team", out.ann)
    asked = out.asked(chat=chat)
    async with asked.showing():
        asked.teller.say("One sentence. ")
        await out.telegram.until(lambda: len(out.telegram.actions(chat)) > 1)
        assert not asked.seen
        asked.teller.say("Another one.")
        asked.teller.end()
    [message] = asked.seen
    assert message.text == "One sentence. Another one."
    assert message.reply_to == asked.root.id
    assert actions(message) == BELOW
    assert methods(out.telegram) == ["sendMessage"]


async def test_of_a_long_answer_in_a_group_the_first_message_replies(out: Out) -> None:
    asked = out.asked(chat=out.telegram.group("Team", out.ann))
    asked.teller.say(LONG)
    asked.teller.end()
    await asked.show()
    assert [message.reply_to for message in asked.seen] == [asked.root.id] + [0] * (len(asked.seen) - 1)
    assert told(asked) == words(LONG)


@pytest.mark.parametrize("key", ["{bot}/query/4382000000000000001", "{bot}/-1009/1", "{bot}/{chat}/1/again"])
async def test_an_answer_to_no_message_of_the_group_replies_to_nothing(out: Out, key: str) -> None:
    asked = out.asked(chat=out.telegram.group("Team", out.ann))
    names = {"bot": out.telegram.me.id, "chat": asked.chat.id}
    asked.question = replace(asked.question, key=key.format(**names))
    asked.teller.say("Again.")
    asked.teller.end()
    await asked.show()
    assert [(message.text, message.reply_to) for message in asked.seen] == [("Again.", 0)]
    assert "reply_parameters" not in out.telegram.calls_of("sendMessage")[0].arguments


async def test_a_question_that_was_deleted_is_answered_all_the_same(out: Out) -> None:
    asked = out.asked(chat=out.telegram.group("Team", out.ann))
    out.telegram.delete(asked.root)
    asked.teller.say("Still.")
    asked.teller.end()
    await asked.show()
    assert [(message.text, message.reply_to) for message in asked.seen] == [("Still.", 0)]


async def test_an_answer_stays_in_its_topic(telegram: TelegramDouble) -> None:
    async with opened(telegram, group_streaming="edit") as out:
        chat = telegram.group("Forum", out.ann, forum=True)
        topic = telegram.topic(chat, "Bugs")
        asked = out.asked(chat=chat, topic=topic)
        async with asked.showing():
            asked.teller.say("In here.")
            await telegram.until(lambda: asked.seen and telegram.actions(chat, topic=topic))
            asked.teller.end()
        assert [message.topic for message in asked.seen] == [topic]
        general = out.asked(chat=chat, number=2)
        general.teller.say("In there.")
        general.teller.end()
        await general.show()
        assert [message.text for message in telegram.answers_in(chat, topic=0)] == ["In there."]


async def test_a_topic_that_was_deleted_takes_its_answer_along(out: Out) -> None:
    chat = out.telegram.group("Forum", out.ann, forum=True)
    asked = out.asked(chat=chat, topic=out.telegram.topic(chat, "Bugs"))
    chat.topics.clear()
    asked.teller.say("To nobody.")
    asked.teller.end()
    await asked.show()
    assert not asked.seen


async def test_a_group_that_moves_while_it_is_answered_gets_the_whole_answer(
    telegram: TelegramDouble,
) -> None:
    moves: list[tuple[int, int]] = []

    async def moved(old: int, new: int) -> None:
        moves.append((old, new))

    async with opened(telegram, group_streaming="edit", moved=moved) as out:
        old = telegram.group("Team", out.ann, supergroup=False)
        asked = out.asked(chat=old)
        async with asked.showing():
            asked.teller.say("Before. ")
            await telegram.until(lambda: asked.seen)
            new = await telegram.migrate(old)
            asked.teller.say("After.")
            asked.teller.end()
        [message] = telegram.answers_in(new)
        assert message.text == "Before. After."
        assert actions(message) == BELOW
        assert out.books.sent_before[-1] == (f"{telegram.me.id}/{new.id}/{message.id}", False)
        assert moves == [(old.id, new.id)]


async def test_a_group_that_moves_while_its_answer_grows_is_followed_by_the_next_edit(
    telegram: TelegramDouble,
) -> None:
    async with opened(telegram, group_streaming="edit") as out:
        old = telegram.group("Team", out.ann, supergroup=False)
        asked = out.asked(chat=old)
        async with asked.showing():
            asked.teller.say("Before. ")
            await telegram.until(lambda: out.books.sent_before)
            new = await telegram.migrate(old)
            asked.teller.say("Between. ")
            await telegram.until(lambda: "editMessageText" in methods(telegram))
            asked.teller.say("After.")
            asked.teller.end()
        [message] = telegram.answers_in(new)
        assert message.text == "Before. Between. After."


# -- how it ends -----------------------------------------------------------------------------------------------


async def test_a_notice_stands_below_the_answer(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Half an **answ**")
    asked.teller.note("It took <too> long.")
    asked.teller.end("failed")
    await asked.show()
    [message] = asked.seen
    assert message.text == "Half an answ\n\nIt took <too> long."
    assert [entity["type"] for entity in message.entities] == ["bold", "italic"]


async def test_a_notice_below_an_answer_that_fills_its_message_has_room_too(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("x" * 3_690)
    asked.teller.note("y" * 1_000)
    asked.teller.end()
    await asked.show()
    assert "".join(message.text for message in asked.seen).replace("\n", "") == "x" * 3_690 + "y" * 1_000
    assert actions(asked.seen[-1]) == BELOW


async def test_a_refusal_is_one_plain_message(out: Out) -> None:
    asked = out.asked()
    asked.teller.note("I can't help with that.")
    asked.teller.end("refused", None)
    await asked.show()
    [message] = asked.seen
    assert (message.text, message.entities, message.buttons) == ("I can't help with that.", [], [])


async def test_an_answer_that_was_stopped_says_so(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("I was just")
    asked.teller.end("stopped")
    await asked.show()
    assert asked.text == f"I was just\n\n{notice('stopped')}"


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_answer_that_came_to_nothing_says_so(out: Out, text: str) -> None:
    asked = out.asked()
    asked.teller.say(text)
    asked.teller.end()
    await asked.show()
    assert asked.text == notice("failed")


async def test_a_failure_without_words_gets_some(out: Out) -> None:
    asked = out.asked()
    asked.teller.end("failed", None)
    await asked.show()
    assert asked.text == notice("failed")


async def test_where_a_colleague_answers_by_hand_nothing_is_said(out: Out) -> None:
    asked = out.asked()
    asked.teller.end("done", None)
    await asked.show()
    assert not asked.seen


class Postponed(Exception):
    pass


async def test_a_person_who_must_wait_is_told_and_then_answered(out: Out) -> None:
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


async def test_an_answer_that_breaks_off_goes_on_in_its_message(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Half. ")
    showing = asyncio.create_task(asked.show())
    await out.telegram.until(lambda: asked.text == "Half.")
    asked.teller.break_off(Postponed())
    with pytest.raises(Postponed):
        await showing
    asked.teller.go_on()
    asked.teller.say("And half.")
    asked.teller.end()
    await asked.show(out.again())
    assert [message.text for message in asked.seen] == ["Half. And half."]


async def test_who_must_wait_and_has_blocked_us_is_known_to_be_gone(out: Out) -> None:
    asked = out.asked()
    await out.telegram.block(next(iter(asked.chat.members.values())))
    asked.teller.note("Later.")
    asked.teller.break_off(Postponed())
    with pytest.raises(Postponed):
        await asked.show()
    assert await out.shower.gone.is_gone(asked.chat.id)


async def test_half_of_something_is_not_looked_at_again_and_again(
    out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def noted(text: str, done: int) -> int:
        looks.append(text)
        return reach(text, done)

    monkeypatch.setattr("bot.channels.telegram.writing.reach", noted)
    out.shower.ways.timing = replace(QUICK, first=0.2)
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("*")  # may be seen
        async with asyncio.timeout(10):
            while "*" not in looks:
                await asyncio.sleep(0.001)
        asked.teller.say("*half")  # may not, any more
        await asyncio.sleep(0.4)
        assert [text for text in looks if text] == ["*", "**half"]
        asked.teller.say("**.")
        await out.telegram.until(lambda: asked.text == "half.")
        asked.teller.end()


# -- drafts ------------------------------------------------------------------------------------------------------


async def test_a_draft_grows_and_becomes_a_message(telegram: TelegramDouble) -> None:
    async with opened(telegram, streaming="draft") as out:
        asked = out.asked(number=7)
        async with asked.showing():
            asked.teller.say("Like **th")
            await telegram.until(lambda: telegram.drafts(asked.chat))
            asked.teller.say("is**.")
            [draft] = await telegram.until(
                lambda: [each for each in telegram.live_drafts(asked.chat) if each.texts[-1] == "Like this."]
            )
            assert (draft.id, draft.can_stop) == (draft_id_of(7), True)
            assert not asked.seen
            asked.teller.end()
        [message] = asked.seen
        assert message.text == "Like this."
        assert actions(message) == BELOW
        assert set(methods(telegram)) == {"sendMessageDraft", "sendMessage"}
        assert not telegram.live_drafts(asked.chat)


async def test_a_draft_is_shown_again_before_telegram_takes_it_away(telegram: TelegramDouble) -> None:
    async with opened(telegram, streaming="draft", timing=replace(QUICK, refresh=0.05)) as out:
        asked = out.asked()
        async with asked.showing():
            asked.teller.say("Long thought.")
            await telegram.until(lambda: len(telegram.drafts(asked.chat)) > 3)
            asked.teller.end()
        assert set(telegram.drafts(asked.chat)) == {"Long thought."}


async def test_typing_does_not_take_the_draft_away(telegram: TelegramDouble) -> None:
    async with opened(telegram, streaming="draft") as out:
        asked = out.asked()
        async with asked.showing():
            await telegram.until(lambda: telegram.actions(asked.chat))
            asked.teller.say("Seen.")
            await telegram.until(lambda: telegram.drafts(asked.chat))
            said = len(telegram.actions(asked.chat))
            await asyncio.sleep(3 * QUICK.typing)
            assert len(telegram.actions(asked.chat)) <= said + 1
            asked.teller.end()


async def test_a_long_draft_leaves_full_messages_behind(telegram: TelegramDouble) -> None:
    async with opened(telegram, streaming="draft") as out:
        asked = out.asked()
        async with asked.showing():
            for at in range(0, len(LONG), 1_000):
                asked.teller.say(LONG[at : at + 1_000])
                await asyncio.sleep(0.005)
            asked.teller.end()
        assert told(asked) == words(LONG)
        assert len(telegram.drafts(asked.chat)) > 3


@pytest.mark.parametrize("status", [404, 400])
async def test_where_there_are_no_drafts_answers_grow_by_edits_and_it_is_not_tried_again(
    telegram: TelegramDouble, status: int
) -> None:
    async with opened(telegram, streaming="draft") as out:
        telegram.fail("sendMessageDraft", status=status, times=None)
        for number in (1, 2):
            asked = out.asked(number=number)
            async with asked.showing():
                asked.teller.say("It. ")
                await telegram.until(lambda asked=asked: asked.text == "It.")
                asked.teller.say("Grows.")
                asked.teller.end()
            assert asked.text == "It. Grows."
        assert len(telegram.calls_of("sendMessageDraft")) == 1


@pytest.mark.parametrize("how", [{"retry_after": 60}, {"html": True}, {"dropped": True}, {"hang": 30.0}])
async def test_what_ails_drafts_does_not_delay_the_message(
    telegram: TelegramDouble, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.telegram.posting.DRAFT_WITHIN", 0.05)
    async with opened(telegram, streaming="draft") as out:
        out.api.budget.scale = 1.0  # a minute is a minute
        telegram.fail("sendMessageDraft", times=None, **how)
        asked = out.asked()
        async with asked.showing():
            asked.teller.say("Here.")
            await telegram.until(
                lambda: telegram.calls_of("sendMessageDraft") or telegram.api.faults.waiting[0].hits
            )
            asked.teller.end()
        assert asked.text == "Here."


async def test_groups_never_see_drafts(telegram: TelegramDouble) -> None:
    async with opened(telegram, streaming="draft", group_streaming="edit") as out:
        asked = out.asked(chat=telegram.group("Team", out.ann))
        async with asked.showing():
            asked.teller.say("It. ")
            await telegram.until(lambda: asked.seen)
            asked.teller.say("Grows.")
            asked.teller.end()
        assert asked.text == "It. Grows."
        assert not telegram.calls_of("sendMessageDraft")


@pytest.mark.parametrize("message_id", [0, 1, 2**31 - 2, 2**31 - 1, 2**31, 2**40 + 17])
def test_the_number_of_a_draft_is_31_bits_and_never_0(message_id: int) -> None:
    assert 0 < draft_id_of(message_id) < 2**31


# -- rich messages -------------------------------------------------------------------------------------------------

TABLE = "Prices:\n\n| Thing | Price |\n| --- | ---: |\n| Tea | 2 |\n"


@pytest.mark.parametrize("text", [TABLE, "It is $$a^2$$."])
async def test_a_table_or_a_formula_is_a_rich_message_where_that_is_wanted(
    telegram: TelegramDouble, text: str
) -> None:
    async with opened(telegram, rich="true", streaming="post") as out:
        asked = out.asked()
        asked.teller.say(text)
        asked.teller.end()
        await asked.show()
        [message] = asked.seen
        assert message.rich == {"markdown": text, "skip_entity_detection": True}
        assert actions(message) == BELOW
        assert methods(telegram) == ["sendRichMessage"]
        await asked.show(out.again(rich="true", streaming="post"))
        assert methods(telegram) == ["sendRichMessage"]


@pytest.mark.parametrize(
    ("rich", "text"),
    [
        ("false", TABLE),
        ("true", "Plain."),
        ("true", f"{TABLE}\n![x](https://spy.example/x.png)"),
        ("true", f"{TABLE}\n[x](TG://user?id=1)"),
        ("true", f"{TABLE}\n[x](tg&#58;//user?id=1)"),
    ],
)
async def test_everything_else_is_not(telegram: TelegramDouble, rich: str, text: str) -> None:
    async with opened(telegram, rich=rich, streaming="post") as out:
        asked = out.asked()
        asked.teller.say(text)
        asked.teller.end()
        await asked.show()
        assert methods(telegram) == ["sendMessage"]


@pytest.mark.parametrize("how", [{"status": 404}, {"description": "Bad Request: can't parse rich message"}])
async def test_where_there_are_no_rich_messages_it_is_not_tried_again(
    telegram: TelegramDouble, how: dict[str, Any]
) -> None:
    async with opened(telegram, rich="true", streaming="post") as out:
        telegram.fail("sendRichMessage", times=None, **how)
        for number in (1, 2):
            asked = out.asked(number=number)
            asked.teller.say(TABLE)
            asked.teller.end()
            await asked.show()
            assert "Tea" in asked.text
        assert methods(telegram) == ["sendRichMessage", "sendMessage", "sendMessage"]


# -- crashes -------------------------------------------------------------------------------------------------------

WAYS: dict[str, dict[str, str]] = {
    "edited": {"streaming": "edit"},
    "drafted": {"streaming": "draft"},
    "posted": {"streaming": "post"},
}


def copies(seen: list[Message], text: str) -> int:
    """How many messages there are beside those that are the answer: each of them must say a part of it once more."""
    whole, extra = words(text), 0
    rest = list(whole)
    for message in reversed(seen):  # what came last is right
        said = words(message.text)
        if said and rest[-len(said) :] == said:
            rest = rest[: -len(said)]
        else:
            assert " ".join(said) in " ".join(whole), message.text
            extra += 1
    assert not rest, "the reader did not get all of it"
    return extra


@pytest.mark.parametrize("length", [12, 5_000], ids=["short", "long"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_process_that_dies_at_any_point_costs_nothing_and_repeats_one_message_at_most(
    out: Out, way: str, length: int
) -> None:
    text = LONG[:length] if length > 100 else "A short one."

    async def dying(at: int) -> tuple[bool, int, tuple[str, int]]:
        mortal = replace(out, books=Books())
        asked = mortal.asked(number=at)
        asked.teller.pause = PAUSE
        asked.teller.say(text[: len(text) // 2])
        asked.teller.say(text[len(text) // 2 :])
        asked.teller.note("Well then.")
        asked.teller.end()
        shower = mortal.again(dies_at=at, **WAYS[way])
        fate = mortal.books.fate
        died = await asked.show_until_it_dies(shower)
        await asked.show(mortal.again(**WAYS[way]))
        extra = copies(asked.seen, f"{text} Well then.")
        assert extra <= 1, f"it died at step {at}"
        assert actions(asked.seen[-1]) == BELOW
        return died, extra, fate.moment

    outcomes = await asyncio.gather(*map(dying, range(1, 25)))
    assert sum(died for died, _, _ in outcomes) >= 4
    assert not outcomes[-1][0]  # there was no such step
    # By what happens at a step: its number is another where a draft or an edit more found its time before.
    repeated = len({moment for _, extra, moment in outcomes if extra})
    assert repeated <= 2 * (
        1 if length < 100 else 2
    )  # of each message: after its call, and before it is kept


@pytest.mark.parametrize("way", WAYS)
async def test_a_process_that_dies_twice_at_any_point_costs_nothing(out: Out, way: str) -> None:
    for at in range(1, 10):
        asked = out.asked(number=at)
        asked.teller.pause = PAUSE
        asked.teller.say("Some of it. ")
        asked.teller.say("The rest.")
        asked.teller.end()
        for dies_at in (at, at // 2 + 1, 0):
            await asked.show_until_it_dies(out.again(dies_at=dies_at, **WAYS[way]))
        assert copies(asked.seen, "Some of it. The rest.") <= 2
        assert actions(asked.seen[-1]) == BELOW


async def test_an_answer_that_was_brought_before_the_crash_is_not_brought_again(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Once.")
    asked.teller.end()
    await asked.show()
    before = methods(out.telegram)
    await asked.show(out.again())
    assert methods(out.telegram) == before


WHOLE_OR_GROWING = pytest.mark.parametrize("way", ["edited", "posted"])


@WHOLE_OR_GROWING
@pytest.mark.parametrize("gone", [False, True])
async def test_an_answer_that_is_taken_from_us_is_put_in_order_first(out: Out, way: str, gone: bool) -> None:
    asked, kept, keeping = out.asked(), out.books.sent, asyncio.Event()

    async def slowly(*given: Any, **more: Any) -> None:
        keeping.set()
        await asyncio.sleep(0.01)
        out.books.gone = gone
        await kept(*given, **more)

    out.books.sent = slowly  # type: ignore[method-assign]
    asked.teller.say("Some of it. ")
    if way == "posted":
        asked.teller.end()
    showing = asyncio.create_task(asked.show(out.again(**WAYS[way])))
    await keeping.wait()
    await killed(showing)
    assert len(asked.seen) == (0 if gone else 1)
    if not gone:
        out.books.sent = kept  # type: ignore[method-assign]
        asked.teller.end()
        await asked.show(out.again(**WAYS[way]))
        assert [message.text for message in asked.seen] == ["Some of it."]
        assert actions(asked.seen[0]) == BELOW


async def test_what_is_taken_from_us_says_nothing_that_will_be_told_again(out: Out) -> None:
    asked = out.asked()
    asked.teller.note("Well then.")
    showing = asyncio.create_task(asked.show())
    await out.telegram.until(lambda: out.telegram.actions(asked.chat))
    await killed(showing)
    assert not asked.seen


@WHOLE_OR_GROWING
async def test_what_cannot_be_kept_at_once_does_not_come_twice(out: Out, way: str) -> None:
    asked, kept, tries = out.asked(), out.books.sent, []

    async def at_the_third_try(*given: Any, **more: Any) -> None:
        tries.append(given)
        if len(tries) < 3:
            raise Unavailable("away for a moment")
        await kept(*given, **more)

    out.books.sent = at_the_third_try  # type: ignore[method-assign]
    asked.teller.say("Once. ")
    asked.teller.end()
    await asked.show(out.again(**WAYS[way]))
    assert [message.text for message in asked.seen] == ["Once."]
    assert len(tries) >= 3


# -- Telegram's troubles -------------------------------------------------------------------------------------------

CALLS = {
    "edited": ["sendMessage", "editMessageText"],
    "drafted": ["sendMessageDraft", "sendMessage"],
    "posted": ["sendMessage"],
}
TROUBLES: dict[str, dict[str, Any]] = {
    "lost": {"lost": True},
    "dropped": {"dropped": True},
    "html": {"html": True},
    "limited": {"retry_after": 1},
    "formatting": {"description": "Bad Request: can't parse entities: no"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_call_that_fails_costs_nothing_and_repeats_only_what_was_lost(
    out: Out, way: str, trouble: str
) -> None:
    for number, method in enumerate(CALLS[way], start=1):
        asked = out.asked(number=number)
        fault = out.telegram.fail(
            method,
            **TROUBLES[trouble],
            when=lambda call, asked=asked: call.arguments["chat_id"] == asked.chat.id,
        )
        asked.teller.pause = PAUSE
        for piece in ("**One**. ", "Two. ", "Three. ", "Four."):
            asked.teller.say(piece)
        asked.teller.end()
        await asked.show(out.again(**WAYS[way]))
        assert fault.hits == 1
        lost = trouble == "lost" and method == "sendMessage"
        assert copies(asked.seen, "One. Two. Three. Four.") == lost
        assert actions(asked.seen[-1]) == BELOW


async def test_a_first_piece_that_was_lost_is_followed_by_the_whole_alone(out: Out) -> None:
    asked = out.asked()
    out.telegram.fail("sendMessage", lost=True)
    async with asked.showing():
        asked.teller.say("One. ")
        await out.telegram.until(lambda: asked.seen)
        for piece in ("Two. ", "Three. "):
            asked.teller.say(piece)
            await asyncio.sleep(0.05)
        assert [message.text for message in asked.seen] == ["One."]
        asked.teller.say("Four.")
        asked.teller.end()
    assert [message.text for message in asked.seen] == ["One.", "One. Two. Three. Four."]


async def test_the_end_waits_for_no_edit_that_was_put_off(telegram: TelegramDouble) -> None:
    async with opened(telegram, timing=replace(QUICK, edit=60.0, slowest=60.0)) as out:
        asked = out.asked()
        async with asked.showing():
            asked.teller.say("One. ")
            await telegram.until(lambda: asked.seen)
            asked.teller.say("Two. ")
            asked.teller.say("Three.")
            asked.teller.end()
        assert asked.text == "One. Two. Three."
        assert methods(telegram) == ["sendMessage", "editMessageText"]


async def test_the_end_goes_before_what_grows_in_the_budget(out: Out) -> None:
    out.api.budget.scale = 1_000.0  # the second in which the next edit may go takes a quarter of an hour
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("One. ")
        await out.telegram.until(lambda: asked.seen)
        asked.teller.say("Two. ")
        await asyncio.sleep(0.05)
        assert methods(out.telegram) == ["sendMessage"]
        asked.teller.end()
    assert asked.text == "One. Two."
    assert methods(out.telegram) == ["sendMessage", "editMessageText"]


async def test_a_flood_holds_back_its_chat_alone(out: Out) -> None:
    out.api.budget.scale = 1.0
    held, free = out.asked(number=1), out.asked(number=2)
    held.teller.say("Later.")
    held.teller.end()
    out.telegram.fail(
        "sendMessage", retry_after=100, when=lambda call: call.arguments["chat_id"] == held.chat.id
    )
    waiting = asyncio.create_task(held.show())
    await out.telegram.until(lambda: out.telegram.calls_of("sendMessage"))
    free.teller.say("Now.")
    free.teller.end()
    await free.show()
    assert free.text == "Now."
    assert not held.seen
    assert len([call for call in out.telegram.calls_of("sendMessage") if call.injected]) == 1
    await killed(waiting)


async def test_a_message_that_somebody_deleted_comes_again_whole(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("One. ")
        await out.telegram.until(lambda: out.books.sent_before)
        out.telegram.delete(asked.seen[0])
        asked.teller.say("Two.")
        asked.teller.end()
    assert [message.text for message in asked.seen] == ["One. Two."]
    assert actions(asked.seen[0]) == BELOW


async def test_what_cannot_be_edited_stays_without_buttons_and_the_rest_is_sent(out: Out) -> None:
    asked = out.asked()
    out.telegram.fail("editMessageText", description="Bad Request: message can't be edited", times=None)
    async with asked.showing():
        asked.teller.say("One. ")
        await out.telegram.until(lambda: out.books.sent_before)
        asked.teller.say("Two. ")
        asked.teller.say("Three.")
        asked.teller.end()
    assert [message.text for message in asked.seen] == ["One.", "Two. Three."]
    assert [actions(message) for message in asked.seen] == [[], BELOW]


async def test_what_is_too_long_for_telegram_is_cut_anew(out: Out) -> None:
    def long(call: Any) -> bool:
        return len(call.arguments["text"]) > 900

    out.telegram.fail("sendMessage", description="Bad Request: message is too long", times=None, when=long)
    out.telegram.fail("editMessageText", description="Bad Request: MESSAGE_TOO_LONG", times=None, when=long)
    for number, pause in enumerate((0.0, 0.005), start=1):
        asked = out.asked(number=number)
        asked.teller.pause = pause
        for at in range(0, 6_000, 200):
            asked.teller.say(LONG[at : at + 200])
        asked.teller.end()
        await asked.show()
        assert "".join(told(asked)) == "".join(words(LONG[:6_000]))
        assert max(len(message.text) for message in asked.seen) <= 900
        assert actions(asked.seen[-1]) == BELOW


@WHOLE_OR_GROWING
async def test_formatting_that_is_refused_in_other_words_costs_no_answer(out: Out, way: str) -> None:
    def formatted(call: Any) -> bool:
        return "entities" in call.arguments

    out.telegram.fail("*", description="Bad Request: URL_INVALID", times=None, when=formatted)
    asked = out.asked()
    asked.teller.pause = PAUSE
    for piece in ("**One** two. ", "**Three**."):
        asked.teller.say(piece)
    asked.teller.end()
    await asked.show(out.again(**WAYS[way]))
    assert [(message.text, message.entities) for message in asked.seen] == [("One two. Three.", [])]
    assert actions(asked.seen[0]) == BELOW


async def test_an_edit_that_comes_after_the_end_does_not_stay(
    telegram: TelegramDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.telegram.posting.GROWING_WITHIN", 0.05)
    async with opened(telegram, timing=replace(QUICK, late=0.5)) as out:
        asked = out.asked()
        async with asked.showing():
            asked.teller.say("One. ")
            await telegram.until(lambda: out.books.sent_before)
            late = telegram.fail("editMessageText", hang=0.3)
            asked.teller.say("Two. ")
            await telegram.until(lambda: late.hits)
            asked.teller.say("Three.")
            asked.teller.end()
        [message] = asked.seen
        assert message.edits[-3:] == ["One. Two. Three.", "One. Two.", "One. Two. Three."]
        assert actions(message) == BELOW


async def test_a_message_whose_answers_are_all_lost_is_not_sent_again_and_again(out: Out) -> None:
    lost = out.telegram.fail("sendMessage", lost=True, times=None)
    asked = out.asked()
    asked.teller.pause = 0.01
    for _ in range(50):
        asked.teller.say("Many words. " * 10)
    asked.teller.end()
    for most in (4, 7, 10):  # as it grows, when it is full, once more the first time, and at the end
        with pytest.raises(TelegramFailure):
            await asked.show()
        assert len(asked.seen) <= most
    lost.stop()
    await asked.show()
    copies(asked.seen, asked.teller.text)
    assert actions(asked.seen[-1]) == BELOW


async def test_markup_that_outgrows_a_message_is_cut_anew(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(markdown: str, limit: int = 0) -> Rendered:
        return Rendered(text=markdown * 2)

    monkeypatch.setattr("bot.channels.telegram.content.render", twice)
    asked = out.asked()
    asked.teller.say("x" * 3_000)
    asked.teller.end()
    await asked.show(out.again(**WAYS["posted"]))
    out.telegram.problems.clear()  # it was too long, as it was meant to be
    assert "".join(message.text for message in asked.seen) == "x" * 6_000
    assert actions(asked.seen[-1]) == BELOW


async def test_in_a_group_a_message_that_comes_again_whole_replies_too(telegram: TelegramDouble) -> None:
    async with opened(telegram, group_streaming="edit") as out:
        asked = out.asked(chat=telegram.group("Team", out.ann))
        async with asked.showing():
            asked.teller.say("One. ")
            await telegram.until(lambda: out.books.sent_before)
            telegram.delete(asked.seen[0])
            asked.teller.say("Two.")
            asked.teller.end()
        assert [(message.text, message.reply_to) for message in asked.seen] == [("One. Two.", asked.root.id)]


@pytest.mark.parametrize(
    ("how", "stays"),
    [({"description": "Bad Request: message can't be deleted"}, True), ({"lost": True}, False)],
)
async def test_what_was_forgotten_and_cannot_be_taken_away_is_told_to_the_operator(
    out: Out, logged: list[MutableMapping[str, Any]], how: dict[str, Any], stays: bool
) -> None:
    out.books.gone = True
    out.telegram.fail("deleteMessage", **how)
    asked = out.asked()
    asked.teller.say("Secret.")
    asked.teller.end()
    await asked.show()
    assert bool(asked.seen) == stays
    assert ("what was forgotten stays in its chat" in [line["event"] for line in logged]) == stays


@pytest.mark.parametrize("way", WAYS)
async def test_who_has_blocked_us_is_sent_nothing_more_and_the_answer_comes_to_its_end(
    out: Out, way: str
) -> None:
    asked = out.asked()
    shower = out.again(**WAYS[way])
    await out.telegram.block(next(iter(asked.chat.members.values())))
    asked.teller.say("To nobody. ")
    asked.teller.end()
    await asked.show(shower)
    assert not asked.seen
    assert await shower.gone.is_gone(asked.chat.id)
    before = len(out.telegram.calls)
    await asked.show(shower)
    assert len(out.telegram.calls) == before
    await shower.gone.clear(asked.chat.id)
    await out.telegram.unblock(next(iter(asked.chat.members.values())))
    await asked.show(shower)
    assert told(asked) == ["To", "nobody."]


async def test_who_blocks_us_in_the_middle_of_an_answer_costs_no_further_call(out: Out) -> None:
    asked = out.asked()
    async with asked.showing():
        asked.teller.say("One. ")
        await out.telegram.until(lambda: out.books.sent_before)
        await out.telegram.block(next(iter(asked.chat.members.values())))
        asked.teller.say("Two. ")
        await out.telegram.until(lambda: "editMessageText" in methods(out.telegram))
        before = methods(out.telegram)
        asked.teller.say("Three.")
        asked.teller.end()
    assert methods(out.telegram) == before
    assert await out.shower.gone.is_gone(asked.chat.id)


async def test_a_telegram_that_is_away_is_tried_again_by_the_house(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Later.")
    asked.teller.end()
    away = out.telegram.fail("*", status=503, times=None)
    with pytest.raises(TelegramFailure):
        await asked.show()
    away.stop()
    await asked.show(out.again())
    assert told(asked) == ["Later."]


async def test_a_desk_that_is_away_is_tried_again_by_the_house(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Later.")
    asked.teller.end()
    out.books.away = True
    with pytest.raises(Unavailable):
        await asked.show()
    out.books.away = False
    await asked.show(out.again())
    assert copies(asked.seen, "Later.") <= 1


@pytest.mark.parametrize("ends", [True, False])
async def test_a_question_that_was_forgotten_meanwhile_leaves_nothing(out: Out, ends: bool) -> None:
    asked = out.asked()
    showing = asyncio.create_task(asked.show())
    asked.teller.say("Something. ")
    await out.telegram.until(lambda: out.books.sent_before)
    out.books.gone = True
    if ends:
        asked.teller.say("Secret.")
        asked.teller.end("stopped")
        await showing
    else:
        asked.teller.break_off(ConnectionError("what was told is gone"))
        with pytest.raises(ConnectionError):
            await showing
    assert not asked.seen


@pytest.mark.parametrize("way", WAYS)
async def test_long_texts_are_worked_on_beside_the_loop(
    out: Out, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops: list[int] = []
    parse = Outline.__init__

    def noted(outline: Outline, source: str) -> None:
        if len(source) > 4_000 and threading.current_thread() is threading.main_thread():
            loops.append(len(source))
        parse(outline, source)

    monkeypatch.setattr(Outline, "__init__", noted)
    asked = out.asked()
    asked.teller.pause = 0.002
    for at in range(0, len(LONG), 500):
        asked.teller.say(LONG[at : at + 500])
    asked.teller.end()
    await asked.show(out.again(**WAYS[way]))
    assert told(asked) == words(LONG)
    assert not loops


@pytest.mark.parametrize("way", ["edited", "drafted"])
async def test_telegram_never_has_to_ask_us_to_slow_down(telegram: TelegramDouble, way: str) -> None:
    scale = 0.05  # a second takes 50 ms, a minute three seconds
    timing = Timing(
        **{name: getattr(Timing(), name) * scale for name in Timing.__dataclass_fields__}  # all of them
    )
    async with opened(telegram, timing=timing, scale=scale, group_streaming="edit", **WAYS[way]) as out:
        group = telegram.group("Team", out.ann)
        everybody = [out.asked(number=n, chat=group if n < 3 else None) for n in range(1, 9)]
        for asked in everybody:
            asked.teller.pause = 0.002
            for at in range(0, 8_000, 50):
                asked.teller.say(LONG[at : at + 50])
            asked.teller.end()
        await asyncio.gather(*(asked.show() for asked in everybody))
        for asked in everybody[2:]:
            assert told(asked) == words(LONG[:8_000])
        assert telegram.rates.broken == 0


@pytest.mark.parametrize("way", WAYS)
async def test_whatever_goes_wrong_the_reader_gets_all_of_it(out: Out, way: str) -> None:
    chance = random.Random(7)
    kinds = [{"lost": True}, {"dropped": True}, {"html": True}, {"retry_after": 1}]
    for kind in kinds:
        out.telegram.fail("*", times=None, when=lambda _: chance.random() < RISK, **kind)
    for number in range(1, 7):
        asked = out.asked(number=number)
        asked.teller.pause = 0.003
        text = LONG[:7_000]
        for at in range(0, len(text), 250):
            asked.teller.say(text[at : at + 250])
        asked.teller.end()
        shower = out.again(**WAYS[way])
        for _ in range(20):
            try:
                await asked.show(shower)
            except (TelegramFailure, NotNow):
                continue
            break
        copies(asked.seen, text)
        assert actions(asked.seen[-1]) == BELOW


async def test_a_flood_that_outlasts_our_patience_is_told_to_the_house_as_such(out: Out) -> None:
    asked = out.asked()
    asked.teller.say("Later.")
    asked.teller.end()
    flood = out.telegram.fail("sendMessage", retry_after=3_000, times=None)
    with pytest.raises(NotNow) as told_so:
        await asked.show()
    assert told_so.value.seconds > 60
    flood.stop()
    assert asked.seen == []
