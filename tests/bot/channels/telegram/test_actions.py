"""What the buttons below an answer do, and Telegram's own stop button."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.channels.telegram import keyboards
from bot.channels.telegram.gone import Gone
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import Office, office
from tests.telegram_double import Chat, Message, TelegramDouble, User


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def at(telegram: TelegramDouble, house: House) -> AsyncIterator[Office]:
    async with office(telegram, house) as opened:
        yield opened


@pytest.fixture
def ann(telegram: TelegramDouble) -> User:
    return telegram.person("Ann")


@pytest.fixture
def li(telegram: TelegramDouble) -> User:
    return telegram.person("李", language="zh-hans")


@pytest.fixture
def chat(telegram: TelegramDouble, ann: User) -> Chat:
    return telegram.private(ann)


@pytest.fixture
def group(telegram: TelegramDouble, ann: User, li: User) -> Chat:
    return telegram.group("Team", ann, li)


@pytest.fixture
async def answer(at: Office, ann: User, chat: Chat) -> Message:
    """An answer to Ann, in private."""
    await at.say(ann, chat, "what is 6 * 7?")
    return await at.answer(at.house.received[-1], "It is 42.")


@pytest.fixture
async def shared(at: Office, ann: User, group: Chat) -> Message:
    """An answer to Ann, in a group."""
    await at.say(ann, group, "/ask what is 6 * 7?")
    return await at.answer(at.house.received[-1], "It is 42.")


async def growing(at: Office, chat: Chat) -> Message:
    """A message of ours that still grows, in a chat."""
    where = {"chat": chat.id, "text": "1, 2, 3", "reply_markup": keyboards.growing("en")}
    await at.channel.api.call("sendMessage", **where)
    return at.telegram.answers_in(chat)[-1]


def labels(message: Message) -> list[list[str]]:
    return [[button["text"] for button in row] for row in message.keyboard]


def toast(at: Office, query_id: str) -> str:
    query = at.telegram.answers[query_id]
    assert query.answers == 1
    return query.text


# -- stop --------------------------------------------------------------------------------------------------------


async def test_stop_stops_what_is_under_way(at: Office, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "count to a million")
    place = at.house.received[0].place.key
    at.house.busy.add(place)
    message = await growing(at, chat)
    first, second = [await at.press(ann, message, "stop") for _ in range(2)]
    assert at.house.stops == [place, place]
    assert toast(at, first.id) == notice("stopped")
    assert toast(at, second.id) == notice("nothing_to_stop")


async def test_in_a_group_anybody_may_stop(at: Office, ann: User, li: User, group: Chat) -> None:
    await at.say(ann, group, "/ask count to a million")
    at.house.busy.add(at.house.received[0].place.key)
    query = await at.press(li, await growing(at, group), "stop")
    assert not at.house.busy
    assert toast(at, query.id) == notice("stopped", "zh")


async def test_a_stop_does_not_wait_behind_messages(at: Office, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "count to a million")
    at.house.busy.add(at.house.received[0].place.key)
    message = await growing(at, chat)
    await at.press(ann, message, "stop")
    message_lane, query_lane = [lane for lane, _ in at.house.kept.values()]
    assert message_lane != query_lane


async def test_a_word_beside_a_button_is_not_waited_for(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    await at.say(ann, chat, "count to a million")
    message = await growing(at, chat)
    at.channel.api.budget.scale = 1.0
    telegram.fail("answerCallbackQuery", retry_after=60)
    await at.press(ann, message, "stop")  # waits for 10 s until it was read
    assert at.house.stops
    assert len(telegram.calls_of("answerCallbackQuery")) == 1


async def test_who_presses_a_button_is_there_again(
    at: Office, ann: User, chat: Chat, answer: Message, house: House
) -> None:
    gone = Gone(house.notes)  # type: ignore[arg-type]
    await gone.mark(chat.id)
    await at.press(ann, answer, "again")
    assert not await gone.is_gone(chat.id)


async def test_telegrams_own_stop_button_stops_what_is_under_way(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    await at.say(ann, chat, "count to a million")
    place = at.house.received[0].place.key
    at.house.busy.add(place)
    await telegram.deliver(
        {"stopped_message_generation": {"chat": {"id": chat.id, "type": "private"}, "draft_id": 7}}
    )
    await at.idle()
    assert at.house.stops == [place]
    assert not at.said(chat)


# -- thumbs ------------------------------------------------------------------------------------------------------


async def test_a_thumb_up_is_kept_and_shown(at: Office, ann: User, answer: Message) -> None:
    before = labels(answer)
    query = await at.press(ann, answer, "rate:", value=1)
    ((person, value, reason),) = at.house.rated.values()
    assert (person, value, reason) == (str(ann.id), 1, "")
    assert toast(at, query.id) == notice("feedback_thanks")
    assert labels(answer) == [["👍 ✓", *before[0][1:]]]


async def test_a_thumb_down_asks_why(at: Office, ann: User, answer: Message) -> None:
    await at.press(ann, answer, "rate:", value=-1)
    thumbs, reasons = labels(answer)
    assert thumbs[1] == "👎 ✓"
    assert reasons == [notice(f"reason_{reason}") for reason in keyboards.REASONS]
    (answer_id,) = at.house.rated
    query = await at.press(ann, answer, f"why:{answer_id}:wrong")
    assert at.house.rated[answer_id] == (str(ann.id), -1, "wrong")
    assert toast(at, query.id) == notice("feedback_thanks")
    assert [row[1] for row in labels(answer)] == ["👎 ✓"]


async def test_another_thumb_takes_the_place_of_the_first(at: Office, ann: User, answer: Message) -> None:
    await at.press(ann, answer, "rate:", value=-1)
    await at.press(ann, answer, "rate:", value=1)
    await at.press(ann, answer, "rate:", value=1)
    ((_, value, _),) = at.house.rated.values()
    assert value == 1
    assert [row[:2] for row in labels(answer)] == [["👍 ✓", "👎"]]


async def test_in_a_group_everybody_has_a_vote_and_the_keyboard_shows_none(
    at: Office, ann: User, li: User, shared: Message
) -> None:
    before, votes = labels(shared), []
    for person, value in ((ann, -1), (li, 1)):
        query = await at.press(person, shared, "rate:", value=value)
        assert toast(at, query.id) == notice("feedback_thanks", person.language)
        votes.extend(at.house.rated.values())
    assert votes == [(str(ann.id), -1, ""), (str(li.id), 1, "")]
    assert labels(shared) == before


async def test_a_thumb_for_what_is_forgotten_is_told_so(at: Office, ann: User, answer: Message) -> None:
    before = labels(answer)
    at.house.answers.clear()
    query = await at.press(ann, answer, "rate:", value=1)
    assert toast(at, query.id) == notice("unknown_message")
    assert labels(answer) == before


async def test_a_button_read_again_changes_nothing_more(
    at: Office, telegram: TelegramDouble, ann: User, answer: Message
) -> None:
    telegram.fail("editMessageReplyMarkup", status=401, description="Unauthorized")
    await at.press(ann, answer, "rate:", value=1)
    assert len(at.house.failures) == 1
    assert labels(answer)[0][0] == "👍 ✓"


# -- once more ---------------------------------------------------------------------------------------------------


async def test_an_answer_is_asked_for_once_more(at: Office, ann: User, answer: Message) -> None:
    query = await at.press(ann, answer, "again:")
    ((answer_id, key),) = at.house.repeated
    assert answer_id in at.house.answers
    assert key == f"{at.telegram.me.id}/query/{query.id}"
    assert toast(at, query.id) == notice("answering")


async def test_what_cannot_be_answered_again_is_told_so(at: Office, ann: User, answer: Message) -> None:
    at.house.answers.clear()
    query = await at.press(ann, answer, "again:")
    assert toast(at, query.id) == notice("not_again")


async def test_an_answer_elsewhere_is_out_of_reach(
    at: Office, ann: User, answer: Message, shared: Message
) -> None:
    (mine,) = (button["callback_data"] for button in answer.buttons if "again" in button["callback_data"])
    await at.pressed(ann, shared, mine, stale=True)
    await at.pressed(ann, shared, mine.replace("again", "rate") + ":1", stale=True)
    assert not at.house.repeated
    assert not at.house.rated


# -- old, strange, unwelcome -------------------------------------------------------------------------------------


async def test_what_was_pressed_long_ago_is_done_all_the_same(
    at: Office, telegram: TelegramDouble, ann: User, answer: Message
) -> None:
    async with telegram.held():
        query = await telegram.press(ann, answer, rating(answer, 1))
        telegram.pass_time(3_600.0)
    await at.idle()
    assert query.id not in telegram.answers
    assert [value for _, value, _ in at.house.rated.values()] == [1]
    assert not at.house.failures


async def test_a_button_below_a_message_that_is_gone_is_heard(
    at: Office, telegram: TelegramDouble, ann: User, answer: Message
) -> None:
    data = rating(answer, 1)
    telegram.delete(answer)
    query = await at.pressed(ann, answer, data, stale=True)
    assert toast(at, query.id) == notice("feedback_thanks")
    assert not at.house.failures


async def test_a_button_below_a_message_that_is_gone_is_of_its_topic(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    forum = telegram.group("Forum", ann, forum=True)
    topic = telegram.topic(forum, "Builds")
    await at.say(ann, forum, "/ask in general")
    await at.say(ann, forum, "/ask in a topic", topic=topic)
    general, there = (incoming.place.key for incoming in at.house.received)
    at.house.busy |= {general, there}
    message = await at.answer(at.house.received[1], "It is")
    telegram.delete(message)
    await at.pressed(ann, message, "stop", stale=True)
    assert at.house.stops == [there]
    at.house.carriers.clear()
    query = await at.pressed(ann, message, "stop", stale=True)
    assert at.house.stops == [there]  # where it was nobody knows any more
    assert toast(at, query.id) == notice("telegram_old_button")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "x",
        "stop:1",
        "rate",
        "rate:",
        "rate:x:1",
        "rate:17",
        "rate:17:2",
        "rate:17:1:1",
        "rate:٣:1",
        "rate:99999999999999999999:1",
        "why:17:rude",
        "again:",
        "again:17:1",
        "link_yes",
        "link_no:T",
        "forget_yes",
        "forget_yes:99999999999999999999",
        "export:x",
        ":::",
    ],
)
async def test_what_is_none_of_ours_is_answered_politely(
    at: Office, ann: User, answer: Message, data: str
) -> None:
    query = await at.pressed(ann, answer, data, stale=True)
    assert toast(at, query.id) == notice("telegram_old_button")
    assert not at.house.rated
    assert not at.house.repeated
    assert not at.house.failures


async def test_whom_we_may_not_answer_presses_in_vain(
    telegram: TelegramDouble, house: House, ann: User, li: User, group: Chat
) -> None:
    async with office(telegram, house, TELEGRAM_PEOPLE=str(ann.id)) as at:
        await at.say(ann, group, "/ask hello")
        house.busy.add(house.received[0].place.key)
        answer = await at.answer(house.received[0], "Hello!")
        for action, more in (("rate:", {"value": 1}), ("again:", {})):
            query = await at.press(li, answer, action, **more)
            assert toast(at, query.id) == notice("not_for_you", "zh")
        await at.press(li, await growing(at, group), "stop")
    assert not house.rated
    assert not house.repeated
    assert not house.stops


async def test_while_the_house_is_away_a_button_waits(
    at: Office, telegram: TelegramDouble, ann: User, answer: Message
) -> None:
    rate, troubles = at.house.rate, iter([ConnectionError("the process dies here")] * 2)

    async def failing(*given: object, **more: object) -> bool:
        for trouble in troubles:
            raise trouble
        return await rate(*given, **more)  # type: ignore[arg-type]

    at.house.rate = failing  # type: ignore[method-assign, assignment]
    query = await at.press(ann, answer, "rate:", value=1)
    assert len(at.house.failures) == 2
    assert toast(at, query.id) == notice("feedback_thanks")


def rating(message: Message, value: int) -> str:
    (data,) = [
        button["callback_data"]
        for button in message.buttons
        if button["callback_data"].startswith("rate:") and button["callback_data"].endswith(f":{value}")
    ]
    return str(data)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_keyboard_fits_the_largest_ids(language: str) -> None:
    largest = 2**63 - 1
    for rated in (-1, 0, 1):
        keyboard = keyboards.answered(largest, language, rated=rated, asking=True)
        assert len(keyboard["inline_keyboard"]) == 2
    for keyboard in (
        keyboards.privacy(-largest, language, export=True),
        keyboards.forgetting(-largest, language),
        keyboards.linking("T" * 55, language),
        keyboards.growing(language),
    ):
        assert keyboard["inline_keyboard"]
