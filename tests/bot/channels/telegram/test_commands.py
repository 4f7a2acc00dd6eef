"""The commands: what steers, what asks in a group, the greeting, and what is kept of a person."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from bot.channels.telegram.gone import Gone
from bot.messages import About, Used
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import Office, office
from tests.telegram_double import Chat, Message, TelegramDouble, User, profile


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


def last(at: Office, chat: Chat) -> Message:
    return at.telegram.answers_in(chat)[-1]


def texts(at: Office) -> list[str]:
    return [incoming.text for incoming in at.house.received]


# -- start and help ----------------------------------------------------------------------------------------------


async def test_start_greets_and_suggests(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat, house: House
) -> None:
    gone = Gone(house.notes)  # type: ignore[arg-type]
    await gone.mark(chat.id)
    await at.say(ann, chat, "/start")
    hello = last(at, chat)
    assert hello.text == f"Hello!\n\n{notice('telegram_how')}"
    assert hello.markup is not None
    assert [row[0]["text"] for row in hello.markup["keyboard"]] == ["What is this?", "What can you do?"]
    assert hello.markup["one_time_keyboard"] is True
    assert not await gone.is_gone(chat.id)
    assert not at.house.received


async def test_start_greets_in_the_persons_language(at: Office, telegram: TelegramDouble, li: User) -> None:
    await at.say(li, telegram.private(li), "/start")
    assert last(at, telegram.private(li)).text.startswith("您好！")


async def test_with_nothing_to_suggest_there_are_no_keys(
    at: Office, ann: User, chat: Chat, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "about", lambda *_, **__: About(greeting="", suggestions=(), model=""))
    await at.say(ann, chat, "/start")
    assert last(at, chat).text == f"{notice('telegram_greeting')}\n\n{notice('telegram_how')}"
    assert last(at, chat).markup is None


async def test_start_in_a_group_tells_how_to_ask_there(at: Office, ann: User, group: Chat) -> None:
    await at.say(ann, group, "/start@frontdesk_bot token-of-somebody")
    assert "/ask" in last(at, group).text
    assert last(at, group).markup is None


async def test_help_tells_what_there_is(at: Office, ann: User, chat: Chat, group: Chat) -> None:
    await at.say(ann, chat, "/help")
    said = await at.say(ann, group, "/help")
    assert "/privacy" in last(at, chat).text
    assert "/ask" not in last(at, chat).text
    assert "/ask" in last(at, group).text
    assert "@frontdesk_bot" in last(at, group).text
    assert last(at, group).reply_to == said.id


# -- questions in groups -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["/ask", "/ask@frontdesk_bot", "/ASK@FrontDesk_Bot"])
async def test_ask_asks(at: Office, ann: User, group: Chat, command: str) -> None:
    said = await at.say(ann, group, f"{command} what is 6 * 7?")
    (incoming,) = at.house.received
    assert incoming.text == "what is 6 * 7?"
    assert incoming.key == f"{at.telegram.me.id}/{group.id}/{said.id}"


async def test_ask_as_a_reply_asks_about_that(at: Office, ann: User, li: User, group: Chat) -> None:
    before = await at.say(li, group, "The build is red.")
    await at.say(ann, group, "/ask why?", reply_to=before)
    await at.say(ann, group, "/ask", reply_to=before)
    quote = "> The build is red."
    assert texts(at) == [f"{quote}\n\nwhy?", notice("ask_about", author="李", quote=quote)]


async def test_ask_about_nothing_asks_back(at: Office, ann: User, group: Chat) -> None:
    said = await at.say(ann, group, "/ask")
    assert (last(at, group).text, last(at, group).reply_to) == (notice("telegram_ask"), said.id)
    assert not at.house.received


async def test_another_bots_commands_are_left_alone(at: Office, ann: User, group: Chat) -> None:
    for text in ("/ask@other_bot hello", "/stop@other_bot", "/dance", "/dance@frontdesk_bot"):
        await at.say(ann, group, text)
    assert not at.said(group)
    assert not at.house.received


# -- words that steer --------------------------------------------------------------------------------------------


async def test_stop_stops_what_is_under_way_there(at: Office, ann: User, chat: Chat, group: Chat) -> None:
    await at.say(ann, chat, "/stop")
    await at.say(ann, chat, "count to a million")
    await at.say(ann, group, "/ask count to a million")
    here, there = at.house.received[1].place.key, at.house.received[2].place.key
    at.house.busy |= {here, there}
    await at.say(ann, chat, "/stop")
    assert at.house.busy == {there}
    assert at.said(chat) == [notice("nothing_to_stop"), notice("stopped")]


async def test_stop_stops_the_topic_where_it_is_said(at: Office, telegram: TelegramDouble, ann: User) -> None:
    forum = telegram.group("Forum", ann, forum=True)
    await at.say(ann, forum, "/ask here")
    topic = telegram.topic(forum, "Builds")
    await at.say(ann, forum, "/ask there", topic=topic)
    here, there = (incoming.place.key for incoming in at.house.received)
    at.house.busy |= {here, there}
    await at.say(ann, forum, "/stop", topic=topic)
    assert at.house.busy == {here}
    assert last(at, forum).topic == topic


async def test_reset_begins_anew_and_says_so_in_the_persons_language(
    at: Office, li: User, group: Chat
) -> None:
    said = await at.say(li, group, "/reset")
    assert (last(at, group).text, last(at, group).reply_to) == (notice("reset", "zh"), said.id)
    assert texts(at) == ["/reset"]


async def test_the_model_is_named(at: Office, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "/model")
    assert at.said(chat) == [notice("model", model="starter")]


async def test_the_house_knows_what_to_say_to_other_words(at: Office, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "/dance")
    await at.say(ann, chat, "/two_words")
    assert at.said(chat) == [
        notice("unknown_command", command="/dance"),
        notice("unknown_command", command="/two_words"),
    ]


async def test_a_path_and_a_question_is_no_command(at: Office, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "/etc/hosts is broken, why?")
    assert texts(at) == ["/etc/hosts is broken, why?"]


async def test_our_name_in_a_message_that_begins_with_a_path_calls_us(
    at: Office, telegram: TelegramDouble, ann: User, group: Chat
) -> None:
    await at.say(ann, group, f"/etc is full, {telegram.mention()}, why?")
    (text,) = texts(at)
    assert text.startswith("/etc is full")
    assert telegram.mention() not in text


async def test_whom_we_may_not_answer_is_told_so_once(
    telegram: TelegramDouble, house: House, ann: User, li: User, group: Chat
) -> None:
    async with office(telegram, house, TELEGRAM_PEOPLE=str(ann.id)) as at:
        await at.say(li, group, "/stop")
        assert not at.said(group)
        for text in ("/ask 你好", "/reset@frontdesk_bot"):
            await at.say(li, group, text)
        assert at.said(group) == [notice("not_for_you", "zh")]
        await at.say(li, telegram.private(li), "/start")
        assert at.said(telegram.private(li)) == [notice("not_for_you", "zh")]
    assert not house.received


async def test_a_command_below_a_file_is_one(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    await telegram.send_file(ann, chat, "a.txt", "text", caption="look: /forget")
    await telegram.send_file(ann, chat, "a.txt", "text", caption=f"{telegram.mention()} /forget")
    await at.idle()
    assert texts(at) == ["look: /forget"]
    assert last(at, chat).text == notice("telegram_forget")
    assert not at.house.forgotten


@pytest.mark.parametrize("command", ["/forget", "/FORGET", "/forget@frontdesk_bot"])
async def test_a_command_behind_our_name_is_one(
    at: Office, telegram: TelegramDouble, ann: User, group: Chat, command: str
) -> None:
    await at.say(ann, group, f"{telegram.mention()} {command}")
    assert last(at, group).text == notice("telegram_forget")
    await at.say(ann, group, f"{telegram.mention()} /reset")
    await at.say(ann, group, f"{telegram.mention()} /dance with me")
    assert texts(at) == ["/reset", "/dance with me"]


async def test_in_a_group_where_we_do_not_answer_only_our_name_calls_us(
    telegram: TelegramDouble, house: House, ann: User, group: Chat
) -> None:
    async with office(telegram, house, TELEGRAM_GROUPS="-1001") as at:
        for command in ("/privacy", "/forget"):
            await at.say(ann, group, command)  # another bot's, perhaps
        assert not at.said(group)
        await at.say(ann, group, "/forget@frontdesk_bot")
        assert at.said(group) == [notice("telegram_forget")]


@pytest.mark.parametrize("command", ["/usage", "/usage@frontdesk_bot"])
async def test_what_help_names_is_obeyed_in_groups_too(
    at: Office, ann: User, group: Chat, command: str
) -> None:
    await at.say(ann, group, command)
    assert texts(at) == ["/usage"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [("/usage", notice("home_unused")), ("/link", notice("unknown_command", command="/link"))],
)
async def test_a_command_that_was_obeyed_before_is_told_of(
    at: Office, ann: User, chat: Chat, command: str, sentence: str
) -> None:
    await at.say(ann, chat, command)  # the house in memory says nothing to either, as to one that comes again
    assert at.said(chat) == [sentence]
    assert not at.house.failures


@pytest.mark.parametrize("words", ["/ask /forget", "/ask@frontdesk_bot /forget@frontdesk_bot"])
async def test_what_is_asked_is_never_to_forget(at: Office, ann: User, group: Chat, words: str) -> None:
    await at.say(ann, group, words)
    assert last(at, group).text == notice("telegram_forget")
    assert not texts(at)


async def test_a_command_below_a_file_of_an_album_is_one(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    await telegram.send_file(ann, chat, "a.txt", "one", caption="/forget", media_group="7")
    await telegram.send_file(ann, chat, "b.txt", "two", media_group="7")
    await at.idle()
    assert notice("telegram_forget") in at.said(chat)
    assert texts(at) == [""]  # the other file


# -- what is kept ------------------------------------------------------------------------------------------------


async def test_forget_asks_first(at: Office, telegram: TelegramDouble, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "/forget")
    question = last(at, chat)
    assert question.text == notice("telegram_forget")
    assert not at.house.forgotten
    query = await at.press(ann, question, "forget_yes")
    assert at.house.forgotten == [str(ann.id)]
    assert question.text == notice("forgotten")
    assert not question.buttons
    assert telegram.answers[query.id].answers == 1


async def test_forget_can_be_thought_better_of(at: Office, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "/forget")
    question = last(at, chat)
    await at.press(ann, question, "forget_no")
    assert question.text == notice("telegram_not_forgotten")
    assert not question.buttons
    assert not at.house.forgotten


async def test_in_a_group_nobody_else_answers_that(
    at: Office, telegram: TelegramDouble, ann: User, li: User, group: Chat
) -> None:
    await at.say(ann, group, "/forget")
    question = last(at, group)
    for action in ("forget_yes", "forget_no"):
        query = await at.press(li, question, action)
        assert telegram.answers[query.id].text == notice("telegram_not_yours", "zh")
    assert question.text == notice("telegram_forget")
    assert not at.house.forgotten
    await at.press(ann, question, "forget_yes")
    assert at.house.forgotten == [str(ann.id)]


async def test_what_was_said_in_a_groups_name_its_hidden_administrators_can_delete(
    at: Office, telegram: TelegramDouble, ann: User, li: User, group: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await telegram.say_anonymously(group, "/forget")
    await at.idle()
    question = last(at, group)
    query = await at.press(ann, question, "forget_yes")
    assert telegram.answers[query.id].text == notice("telegram_not_yours")
    tell = profile.member
    monkeypatch.setattr(
        profile, "member", lambda user, status: tell(user, "administrator") | {"is_anonymous": True}
    )
    await at.press(ann, question, "forget_yes")
    assert at.house.forgotten == [str(group.id)]


async def test_who_cannot_be_asked_for_is_nobody(
    at: Office, telegram: TelegramDouble, ann: User, group: Chat
) -> None:
    await telegram.say_anonymously(group, "/forget")
    await at.idle()
    telegram.fail("getChatMember", description="Bad Request: user not found")
    query = await at.press(ann, last(at, group), "forget_yes")
    assert telegram.answers[query.id].text == notice("telegram_not_yours")
    telegram.fail("getChatMember", status=401, description="Unauthorized")
    await at.press(ann, last(at, group), "forget_yes")
    assert len(at.house.failures) == 1
    assert not at.house.forgotten


async def test_privacy_tells_what_is_kept_and_gives_it(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    at.house.usage = Used(12, 3_000, 400, 1_700_000_000.0)
    await at.say(ann, chat, "what is 6 * 7?")
    await at.say(ann, chat, "/privacy")
    told = last(at, chat)
    assert notice("home_used", answers=12, tokens="3,400", since="2023-11-14") in told.text
    await at.press(ann, told, "export")
    document = last(at, chat)
    assert document.document is not None
    assert document.text == notice("export_ready")
    assert json.loads(document.content)["said"] == ["what is 6 * 7?"]


async def test_privacy_in_a_group_offers_no_file(at: Office, ann: User, group: Chat) -> None:
    await at.say(ann, group, "/privacy")
    told = last(at, group)
    assert [button["callback_data"] for button in told.buttons] == [f"forget:{ann.id}"]
    await at.pressed(ann, told, f"export:{ann.id}", stale=True)
    assert last(at, group) is told


async def test_privacy_leads_to_forgetting(at: Office, ann: User, chat: Chat) -> None:
    await at.say(ann, chat, "/privacy")
    told = last(at, chat)
    await at.press(ann, told, "forget")
    assert told.text == notice("telegram_forget")
    await at.press(ann, told, "forget_yes")
    assert at.house.forgotten == [str(ann.id)]


async def test_a_file_that_cannot_be_brought_is_told_of(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    telegram.fail("sendDocument", description="Bad Request: file must be non-empty")
    await at.say(ann, chat, "/privacy")
    await at.press(ann, last(at, chat), "export")
    assert last(at, chat).text == notice("export_failed")


async def test_a_file_that_did_not_get_there_is_brought_when_it_is_read_again(
    at: Office, telegram: TelegramDouble, ann: User, chat: Chat
) -> None:
    telegram.fail("sendDocument", status=401, description="Unauthorized")
    await at.say(ann, chat, "/privacy")
    await at.press(ann, last(at, chat), "export")
    assert len(at.house.failures) == 1
    assert last(at, chat).document is not None


async def test_whom_we_do_not_answer_any_more_keeps_their_rights(
    telegram: TelegramDouble, house: House, ann: User, li: User
) -> None:
    async with office(telegram, house, TELEGRAM_PEOPLE=str(ann.id)) as at:
        chat = telegram.private(li)
        await at.say(li, chat, "/privacy")
        await at.press(li, last(at, chat), "export")
        assert last(at, chat).document is not None
        await at.say(li, chat, "/forget")
        await at.press(li, last(at, chat), "forget_yes")
    assert house.forgotten == [str(li.id)]
