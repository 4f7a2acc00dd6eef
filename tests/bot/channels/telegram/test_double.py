"""The double refuses what Telegram refuses, tells what Telegram tells, and catches a wrong request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiogram import types
from aiohttp import web
from pydantic import TypeAdapter
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    MessageEntity,
    ReplyParameters,
    Update,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from tests.telegram_double import TelegramDouble, in_thread
from tests.telegram_double.contract import MODELS, strange
from tests.telegram_double.delivery import HEADER
from tests.telegram_double.entities import found, piece, trimmed, units, wrong
from tests.telegram_double.rates import Rates

# The library has its own names for most methods; a wrong parameter can be given only to the nameless one.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Please use 'Bot"),
    pytest.mark.filterwarnings("ignore:Deprecated since version v22.2"),  # of retry_after
]

EVERYTHING = [name for name in types.Update.model_fields if name != "update_id"]


def connected(telegram: TelegramDouble, token: str = "") -> Bot:
    return Bot(
        token or telegram.token,
        base_url=f"{telegram.url}/bot",
        base_file_url=f"{telegram.url}/file/bot",
        request=HTTPXRequest(connection_pool_size=8),
        get_updates_request=HTTPXRequest(connection_pool_size=8),
    )


@pytest.fixture
async def bot(telegram: TelegramDouble) -> AsyncIterator[Bot]:
    async with connected(telegram) as opened:
        yield opened


async def polled(bot: Bot, **arguments: Any) -> list[dict[str, Any]]:
    arguments = {"timeout": 0, "allowed_updates": EVERYTHING, **arguments}
    return await bot.do_api_request("getUpdates", api_kwargs=arguments)


def buttons(*data: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(one or "?", callback_data=one) for one in data]])


def caught(telegram: TelegramDouble) -> list[str]:
    """The problems so far, which this test has made on purpose."""
    problems = list(telegram.problems)
    telegram.problems.clear()
    return problems


def refused(words: str, kind: type[TelegramError] = BadRequest) -> Any:
    """The library begins Telegram's words with a capital."""
    return pytest.raises(kind, match=f"(?i){words}")


# -- the contract --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "arguments", "problem"),
    [
        ("sendMessage", {"chat": 5, "text": "Hello"}, "there is no parameter chat"),
        ("sendMessage", {"chat_id": 5}, "text: Field required"),
        ("sendMessage", {"chat_id": 5, "text": "Hello", "entities": {"type": "bold"}}, "entities: "),
        (
            "sendMessage",
            {"chat_id": 5, "text": "a", "reply_to_message_id": 1},
            "reply_to_message_id is deprecated",
        ),
        ("editMessageText", {"chat_id": 5, "text": "a", "message_id": "first"}, "message_id: "),
        ("answerCallbackQuery", {"callback_query_id": "1", "show_alert": "maybe"}, "show_alert: "),
        (
            "sendMessage",
            {"chat_id": 5, "text": "a", "link_preview_options": {"disabled": True}},
            "has no field disabled",
        ),
        (
            "sendMessage",
            {
                "chat_id": 5,
                "text": "a",
                "entities": [{"type": "bold", "offset": 0, "length": 1, "lang": "py"}],
            },
            "entities[0] has no field lang",
        ),
        (
            "sendMessage",
            {"chat_id": 5, "text": "a", "reply_markup": {"inline_keyboard": [[{"text": "a", "data": "b"}]]}},
            "has no field data",
        ),
        ("getUpdates", {"allowed_updates": ["messages"]}, "there are no updates messages"),
        ("sendMesage", {"chat_id": 5}, "there is no method sendMesage"),
    ],
)
async def test_a_wrong_request_is_caught(
    telegram: TelegramDouble, bot: Bot, method: str, arguments: dict[str, Any], problem: str
) -> None:
    telegram.private(telegram.person(id=5))
    try:
        await bot.do_api_request(method, api_kwargs=arguments)
        done = True
    except TelegramError:
        done = False
    assert problem in "\n".join(caught(telegram))
    assert done == (method == "getUpdates")
    assert len(telegram.calls_of(method)) == 1
    assert telegram.messages(telegram.world.chats[5]) == []


async def test_json_bodies_are_read_with_their_types(telegram: TelegramDouble) -> None:
    chat = telegram.private(telegram.person())
    url = f"{telegram.url}/bot{telegram.token}/sendMessage"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json={"chat_id": chat.id, "text": "5"}) as answer:
            assert answer.status == 200
        for more in ({"text": 5}, {"text": "5", "protect_content": "yes"}):
            async with session.post(url, json={"chat_id": chat.id, **more}) as answer:
                assert answer.status == 400
    assert len(caught(telegram)) == 2
    assert [message.text for message in telegram.messages(chat)] == ["5"]


async def test_who_goes_away_before_the_end_of_a_call_did_nothing_wrong(telegram: TelegramDouble) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(telegram.url.rpartition(":")[2]))
    head = f"POST /bot{telegram.token}/sendMessage HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n{{".encode())
    assert b"100 Continue" in await reader.readline()
    writer.transport.abort()
    async with connected(telegram) as bot:
        await bot.get_me()
    assert telegram.calls_of("sendMessage") == telegram.problems == []


async def test_capitals_of_a_method_do_not_matter(telegram: TelegramDouble, bot: Bot) -> None:
    assert (await bot.do_api_request("getme"))["id"] == telegram.me.id
    assert [call.method for call in telegram.calls] == ["getMe", "getMe"]


async def test_a_wrong_token_is_refused(telegram: TelegramDouble, bot: Bot) -> None:
    with pytest.raises(InvalidToken):
        async with connected(telegram, "1234:wrong"):
            pass
    telegram.revoke()
    with pytest.raises(InvalidToken):
        await bot.get_me()
    telegram.revoke(back=True)
    assert (await bot.get_me()).username == "frontdesk_bot"


# -- receiving -----------------------------------------------------------------------------------------------


async def test_updates_come_earliest_first_until_they_are_confirmed(
    telegram: TelegramDouble, bot: Bot
) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    for text in ("one", "two", "three"):
        await telegram.say(ann, chat, text)
    told = await polled(bot)
    first = told[0]["update_id"]
    assert [update["update_id"] for update in told] == [first, first + 1, first + 2]
    assert [update["message"]["text"] for update in told] == ["one", "two", "three"]
    assert await polled(bot) == told
    assert await polled(bot, limit=1) == told[:1]
    assert await polled(bot, offset=first + 2) == told[2:]
    assert await polled(bot) == told[2:], "what is confirmed is gone"
    assert await polled(bot, offset=first + 3) == []
    assert telegram.unconfirmed == []
    assert len(telegram.polls) == 6


async def test_a_poll_waits_for_something(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    waiting = asyncio.ensure_future(polled(bot, timeout=30))
    await telegram.until(lambda: telegram.polls)
    await telegram.say(ann, telegram.private(ann), "Hello")
    (update,) = await waiting
    assert update["message"]["text"] == "Hello"


async def test_two_that_poll_at_once_conflict(telegram: TelegramDouble, bot: Bot) -> None:
    first = asyncio.ensure_future(polled(bot, timeout=30))
    await telegram.until(lambda: telegram.polls)
    second = asyncio.ensure_future(polled(bot, timeout=30))
    with refused("terminated by other getUpdates", Conflict):
        await first
    ann = telegram.person()
    await telegram.say(ann, telegram.private(ann), "Hello")
    assert len(await second) == 1


async def test_a_webhook_and_polls_exclude_each_other(telegram: TelegramDouble, bot: Bot) -> None:
    waiting = asyncio.ensure_future(polled(bot, timeout=30))
    await telegram.until(lambda: telegram.polls)
    await bot.set_webhook("https://frontdesk.example/telegram/updates")
    with refused("webhook is active", Conflict):
        await waiting
    with refused("webhook is active", Conflict):
        await polled(bot)
    await bot.delete_webhook()
    assert await polled(bot) == []
    with refused("HTTPS"):
        await bot.set_webhook("http://frontdesk.example/telegram/updates")
    with refused("ports"):
        await bot.set_webhook("https://frontdesk.example:8000/telegram/updates")
    assert len(caught(telegram)) == 2


async def test_reactions_come_only_to_who_asks_for_them(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    await bot.send_message(chat.id, "Hello")
    (message,) = telegram.messages(chat)
    await telegram.react(ann, message, "👍")
    assert await polled(bot) == [], "nobody had asked"
    await telegram.react(ann, message, "👎")
    await telegram.say(ann, chat, "Hello")
    update, following = await polled(bot)
    assert following["update_id"] == update["update_id"] + 1 == 700_000_002, (
        "what nobody is told has no number"
    )
    assert update["message_reaction"]["old_reaction"] == [{"type": "emoji", "emoji": "👍"}]
    assert update["message_reaction"]["new_reaction"] == [{"type": "emoji", "emoji": "👎"}]


async def test_updates_come_twice_or_in_another_order_if_a_test_wants(
    telegram: TelegramDouble, bot: Bot
) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    said = await telegram.say(ann, chat, "one")
    await polled(bot, offset=said.update_id + 1)
    telegram.duplicate(said)
    assert [update["update_id"] for update in await polled(bot, offset=said.update_id + 1)] == [
        said.update_id
    ]
    assert await polled(bot) == []
    telegram.reordered(2)
    await telegram.say(ann, chat, "two")
    assert await polled(bot) == []
    await telegram.say(ann, chat, "three")
    assert [update["message"]["text"] for update in await polled(bot)] == ["three", "two"]
    async with telegram.held() as held:
        last = await telegram.say(ann, chat, "four")
        assert held == [last.update]
        assert len(await polled(bot)) == 2
    assert len(await polled(bot)) == 3


async def test_any_update_can_be_delivered(telegram: TelegramDouble, bot: Bot) -> None:
    broken = await telegram.deliver({"message": {"message_id": "x"}})
    assert await polled(bot) == [broken]


class Hook:
    """A webhook that remembers what it got and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.secrets: list[str | None] = []
        self.answers: list[int] = []
        self.gates: dict[str, asyncio.Event] = {}  # what it waits for before it answers, by the text
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.secrets.append(request.headers.get(HEADER))
        self.got.append(await request.json())
        if gate := self.gates.get(self.got[-1]["message"]["text"]):
            await gate.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    application = web.Application()
    application.router.add_post("/telegram/updates", made.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/telegram/updates"
    yield made
    await runner.cleanup()


async def test_a_webhook_gets_every_update_until_it_takes_it(
    telegram: TelegramDouble, bot: Bot, hook: Hook
) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    telegram.webhook_url = hook.url
    await bot.set_webhook(
        "https://frontdesk.example/telegram/updates", secret_token="abc", allowed_updates=["message"]
    )
    hook.answers = [503, 500]
    await telegram.say(ann, chat, "one")
    await telegram.say(ann, chat, "two")
    await telegram.until(lambda: len(hook.got) == 4)
    assert [update["message"]["text"] for update in hook.got] == ["one", "one", "one", "two"]
    assert set(hook.secrets) == {"abc"}
    await telegram.until(lambda: not telegram.unconfirmed)
    assert [delivery.status for delivery in telegram.deliveries] == [503, 500, 200, 200]
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count) == ("https://frontdesk.example/telegram/updates", 0)
    assert info.allowed_updates == ("message",)
    assert "500" in (info.last_error_message or "")


async def test_one_chat_does_not_wait_for_another_at_a_webhook(
    telegram: TelegramDouble, bot: Bot, hook: Hook
) -> None:
    ann, bo = telegram.person("Ann"), telegram.person("Bo")
    hook.gates = {"one": asyncio.Event()}
    telegram.webhook_url = hook.url
    await telegram.say(ann, telegram.private(ann), "one")
    await telegram.until(lambda: hook.got)
    await telegram.say(bo, telegram.private(bo), "two")
    await telegram.until(lambda: [delivery.status for delivery in telegram.deliveries] == [200])
    hook.gates["one"].set()
    await telegram.until(lambda: not telegram.unconfirmed)
    assert [update["message"]["text"] for update in hook.got] == ["one", "two"]
    assert set(hook.secrets) == {telegram.webhook_secret}, "none was set: the one of the environment"


# -- what people write ---------------------------------------------------------------------------------------


async def test_private_chats_share_one_counter_and_supergroups_count_for_themselves(
    telegram: TelegramDouble, bot: Bot
) -> None:
    ann, bo = telegram.person("Ann"), telegram.person("Bo")
    with_ann, with_bo, group = telegram.private(ann), telegram.private(bo), telegram.group("Team", ann)
    small = telegram.group("Small", ann, supergroup=False)
    said = [await telegram.say(ann, chat, "Hello") for chat in (with_ann, with_bo, group, small)]
    assert [message.id for message in said] == [1, 2, 1, 3]
    assert (await bot.send_message(with_ann.id, "Hello")).message_id == 4
    assert (await bot.send_message(group.id, "Hello")).message_id == 2
    assert [with_ann.id, with_bo.id] == [ann.id, bo.id]
    assert str(group.id).startswith("-100")
    assert -1_000_000_000_000 < small.id < 0


async def test_what_is_in_a_text_is_found_as_telegram_finds_it(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    text = "👍 /ask@frontdesk_bot see www.example.com/a, @Frontdesk_Bot or bo@example.com #one /x/y"
    code = {"type": "code", "offset": units(text) - 4, "length": 4}
    await telegram.say(ann, telegram.private(ann), text, entities=[code])
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert [(entity.type, value) for entity, value in update.message.parse_entities().items()] == [
        ("bot_command", "/ask@frontdesk_bot"),
        ("url", "www.example.com/a"),
        ("mention", "@Frontdesk_Bot"),
        ("email", "bo@example.com"),
        ("hashtag", "#one"),
        ("code", "/x/y"),
    ]
    assert update.message.entities[0].offset == 3, "an emoji counts two units"


async def test_an_edit_is_told_as_one(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    said = await telegram.say(ann, telegram.private(ann), "Helo")
    await telegram.edit(said, "Hello")
    _, update = await bot.get_updates()
    assert update.edited_message is not None
    assert (update.edited_message.text, update.edited_message.message_id) == ("Hello", said.id)
    assert update.edited_message.edit_date is not None
    assert said.edits == ["Helo", "Hello"]


async def test_topics_and_threads_of_replies(telegram: TelegramDouble, bot: Bot) -> None:
    telegram.rates.scale = 0.0
    ann = telegram.person()
    forum, team = telegram.group("Forum", ann, forum=True), telegram.group("Team", ann)
    topic = telegram.topic(forum, "Travel")
    in_topic = await telegram.say(ann, forum, "one", topic=topic)
    general = await telegram.say(ann, forum, "two")
    reply = await telegram.say(ann, forum, "three", reply_to=general)
    began = await telegram.say(ann, team, "four")
    thread = await telegram.say(ann, team, "five", reply_to=began.id)
    told = [update["message"] for update in await polled(bot)]
    assert [(m.get("message_thread_id"), m.get("is_topic_message")) for m in told] == [
        (topic, True),
        (None, None),
        (general.id, None),
        (None, None),
        (began.id, None),
    ]
    assert "forum_topic_created" in told[0]["reply_to_message"], "Telegram shows what opened the topic"
    assert "reply_to_message" not in told[1]
    assert told[4]["reply_to_message"]["message_id"] == began.id
    sent = await bot.send_message(forum.id, "six", message_thread_id=topic)
    assert sent.is_topic_message
    assert telegram.messages(forum, topic=topic) == [in_topic, forum.messages[sent.message_id]]
    assert telegram.messages(forum, topic=0) == [general, reply]
    for chat, wrong_topic in ((forum, 1), (forum, general.id), (team, thread.id)):
        with refused("message thread not found"):
            await bot.send_message(chat.id, "seven", message_thread_id=wrong_topic)
    assert (
        await bot.send_message(forum.id, "eight", reply_parameters=ReplyParameters(in_topic.id))
    ).is_topic_message


async def test_privacy_mode_lets_through_what_is_meant_for_the_bot(
    telegram: TelegramDouble, bot: Bot
) -> None:
    telegram.settings.reads_groups = False
    assert (await bot.get_me()).can_read_all_group_messages is False
    ann = telegram.person()
    group = telegram.group("Team", ann, admin=False)
    sent = await bot.send_message(group.id, "Hello")
    await telegram.say(ann, group, "not for the bot")
    await telegram.say(ann, group, "/ask@another_bot no")
    await telegram.say(ann, group, "/ask yes")
    await telegram.say(ann, group, "yes", reply_to=sent.message_id)
    await telegram.say(ann, group, f"{telegram.mention()} yes")
    assert [update.message.text for update in await bot.get_updates() if update.message] == [
        "/ask yes",
        "yes",
        "@frontdesk_bot yes",
    ]


async def test_files_are_told_of_and_served(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    await telegram.send_file(ann, chat, "notes.txt", "über", caption="Read /this", media_group="77")
    await telegram.send_file(ann, chat, "big.txt", b"x", size=21 * 1024 * 1024)
    first, big = (update.message for update in await bot.get_updates())
    assert first is not None
    assert first.document is not None
    assert (first.document.file_name, first.document.file_size, first.media_group_id) == (
        "notes.txt",
        5,
        "77",
    )
    assert first.caption == "Read /this"
    assert [entity.type for entity in first.caption_entities] == ["bot_command"]
    file = await bot.get_file(first.document.file_id)
    assert file.file_path is not None
    assert file.file_path.startswith(f"{telegram.url}/file/bot{telegram.token}/")
    assert bytes(await file.download_as_bytearray()) == "über".encode()
    assert big is not None
    assert big.document is not None
    with refused("file is too big"):
        await bot.get_file(big.document.file_id)
    with refused("wrong file_id"):
        await bot.get_file("nothing")
    async with aiohttp.ClientSession() as session:
        for url in (
            f"{telegram.url}/file/bot1:a/documents/file_0.txt",
            f"{telegram.url}/file/bot{telegram.token}/no",
        ):
            async with session.get(url) as answer:
                assert answer.status == 404


async def test_a_document_goes_out_as_multipart(telegram: TelegramDouble, bot: Bot) -> None:
    chat = telegram.private(telegram.person())
    bold = [MessageEntity("bold", 0, 4)]
    await bot.send_document(chat.id, b"{}", filename="mine.json", caption="Your data", caption_entities=bold)
    (message,) = telegram.messages(chat)
    assert message.document is not None
    assert (message.document["file_name"], message.content, message.caption) == (
        "mine.json",
        b"{}",
        "Your data",
    )
    assert message.entities == [{"type": "bold", "offset": 0, "length": 4}]
    with refused("caption is too long"):
        await bot.send_document(chat.id, b"{}", filename="mine.json", caption="x" * 1025)
    with refused("non-empty"):
        await bot.send_document(chat.id, b"", filename="mine.json")
    assert len(caught(telegram)) == 1


# -- what the bot writes -------------------------------------------------------------------------------------


async def test_texts_that_telegram_does_not_take(telegram: TelegramDouble, bot: Bot) -> None:
    telegram.rates.scale = 0.0
    chat = telegram.private(telegram.person())
    assert (await bot.send_message(chat.id, "👍" * 2048)).text == "👍" * 2048
    for text, words in (("👍" * 2048 + "x", "too long"), (" \n", "text is empty")):
        with refused(words):
            await bot.send_message(chat.id, text)
    assert len(caught(telegram)) == 2
    for start, length, words in (
        (0, 2, "ends in a middle"),
        (2, 2, "begins in a middle"),
        (3, 5, "ends after the end"),
        (0, 0, "has the length 0"),
    ):
        with refused(words):
            await bot.send_message(chat.id, "a👍b", entities=[MessageEntity("bold", start, length)])
    assert len(caught(telegram)) == 4
    assert len(telegram.messages(chat)) == 1


async def test_a_text_is_kept_without_blanks_around_it(telegram: TelegramDouble, bot: Bot) -> None:
    chat = telegram.private(telegram.person())
    await bot.send_message(chat.id, "\n Hello  ", entities=[MessageEntity("bold", 2, 7)])
    (message,) = telegram.messages(chat)
    assert message.text == "Hello"
    assert message.entities == [{"type": "bold", "offset": 0, "length": 5}]


@pytest.mark.parametrize("data", ["", "x" * 65, "ü" * 33])
async def test_the_data_of_a_button_has_its_bounds(telegram: TelegramDouble, bot: Bot, data: str) -> None:
    chat = telegram.private(telegram.person())
    await bot.send_message(chat.id, "Hello", reply_markup=buttons("x" * 64, "ü" * 32))
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": data}]]}
    with refused("BUTTON_DATA_INVALID"):
        await bot.do_api_request(
            "sendMessage", api_kwargs={"chat_id": chat.id, "text": "Hello", "reply_markup": markup}
        )
    assert len(caught(telegram)) == 1


async def test_an_edit_changes_text_and_keyboard(telegram: TelegramDouble, bot: Bot) -> None:
    telegram.rates.scale = 0.0
    ann = telegram.person()
    chat = telegram.private(ann)
    said = await telegram.say(ann, chat, "Hello")
    sent = await bot.send_message(chat.id, "One", reply_markup=buttons("stop"))
    message = chat.messages[sent.message_id]
    with refused("message is not modified"):
        await bot.edit_message_text("One", chat.id, sent.message_id, reply_markup=buttons("stop"))
    await bot.edit_message_text("One two", chat.id, sent.message_id, reply_markup=buttons("stop"))
    await bot.edit_message_text("One two", chat.id, sent.message_id)
    assert (message.edits, message.keyboard) == (["One", "One two"], []), (
        "an edit without keyboard takes it away"
    )
    await bot.edit_message_reply_markup(chat.id, sent.message_id, reply_markup=buttons("up", "down"))
    assert [button["callback_data"] for button in message.buttons] == ["up", "down"]
    with refused("message to edit not found"):
        await bot.edit_message_text("x", chat.id, 999)
    with refused("message can't be edited"):
        await bot.edit_message_text("x", chat.id, said.id)
    await bot.delete_message(chat.id, sent.message_id)
    with refused("message to delete not found"):
        await bot.delete_message(chat.id, sent.message_id)
    assert telegram.messages(chat) == [said]


async def test_a_reply_to_what_is_gone(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    said = await telegram.say(ann, chat, "Hello")
    sent = await bot.send_message(chat.id, "One", reply_parameters=ReplyParameters(said.id))
    assert sent.reply_to_message is not None
    assert chat.messages[sent.message_id].reply_to == said.id
    telegram.delete(said)
    with refused("message to be replied not found"):
        await bot.send_message(chat.id, "Two", reply_parameters=ReplyParameters(said.id))
    anyway = ReplyParameters(said.id, allow_sending_without_reply=True)
    assert (await bot.send_message(chat.id, "Three", reply_parameters=anyway)).reply_to_message is None


async def test_who_blocks_the_bot_gets_nothing(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat, group = telegram.private(ann), telegram.group("Team", ann)
    await telegram.block(ann)
    await telegram.remove(group)
    for where, words in ((chat, "blocked by the user"), (group, "kicked from the supergroup")):
        with refused(words, Forbidden):
            await bot.send_message(where.id, "Hello")
        with refused(words, Forbidden):
            await bot.send_chat_action(where.id, "typing")
    await telegram.say(ann, group, "Where is the bot?")
    assert "message" not in telegram.last_update, "it is not there to hear it"
    await telegram.unblock(ann)
    await telegram.add(ann, group)
    await bot.send_message(chat.id, "Hello")
    await bot.send_message(group.id, "Hello")
    told = [update.my_chat_member for update in await bot.get_updates() if update.my_chat_member]
    assert [(one.chat.id, one.old_chat_member.status, one.new_chat_member.status) for one in told] == [
        (chat.id, "member", "kicked"),
        (group.id, "administrator", "kicked"),
        (chat.id, "kicked", "member"),
        (group.id, "kicked", "member"),
    ]
    with refused("chat not found"):
        await bot.send_message(12345, "Hello")


async def test_nobody_is_written_to_who_has_not_begun(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat = telegram.private(ann, started=False)
    with refused("can't initiate conversation", Forbidden):
        await bot.send_message(chat.id, "Hello")
    await telegram.say(ann, chat, "/start")
    await bot.send_message(chat.id, "Hello")


async def test_a_topic_that_is_gone(telegram: TelegramDouble, bot: Bot) -> None:
    forum = telegram.group("Forum", telegram.person(), forum=True)
    topic = telegram.topic(forum, "Travel")
    await bot.send_message(forum.id, "One", message_thread_id=topic)
    telegram.delete_topic(forum, topic)
    with refused("message thread not found"):
        await bot.send_message(forum.id, "Two", message_thread_id=topic)
    assert telegram.messages(forum) == []


async def test_a_private_chat_may_have_topics(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    assert (await bot.get_me()).has_topics_enabled is False
    topic = telegram.topic(chat, "Travel")
    assert (await bot.get_me()).has_topics_enabled is True
    await telegram.say(ann, chat, "Hello", topic=topic)
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert (update.message.is_topic_message, update.message.message_thread_id) == (True, topic)
    await draft(bot, chat.id, "One", message_thread_id=topic)
    await bot.send_message(chat.id, "Elsewhere")
    assert [one.texts for one in telegram.live_drafts(chat)] == [["One"]]
    await bot.send_message(chat.id, "One", message_thread_id=topic)
    assert telegram.live_drafts(chat) == []


async def test_a_group_that_became_a_supergroup(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    old = telegram.group("Team", ann, supergroup=False)
    new = await telegram.migrate(old)
    with pytest.raises(ChatMigrated) as raised:
        await bot.send_message(old.id, "Hello")
    assert raised.value.new_chat_id == new.id
    await bot.send_message(new.id, "Hello")
    left, came = (update.message for update in await bot.get_updates())
    assert left is not None
    assert came is not None
    assert (left.chat.id, left.migrate_to_chat_id) == (old.id, new.id)
    assert (came.chat.id, came.migrate_from_chat_id) == (new.id, old.id)


# -- buttons and drafts --------------------------------------------------------------------------------------


async def test_a_pressed_button_is_answered(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    sent = await bot.send_message(chat.id, "One", reply_markup=buttons("up"))
    message = chat.messages[sent.message_id]
    with pytest.raises(AssertionError, match="no 'down' to press"):
        await telegram.press(ann, message, "down")
    query = await telegram.press(ann, message, "up")
    (update,) = await bot.get_updates()
    assert update.callback_query is not None
    assert update.callback_query.message is not None
    assert (update.callback_query.data, update.callback_query.message.message_id) == ("up", message.id)
    assert query.id not in telegram.answers
    await bot.answer_callback_query(query.id, "Thanks", show_alert=True)
    assert (telegram.answers[query.id].text, telegram.answers[query.id].alert) == ("Thanks", True)
    old = await telegram.press(ann, message, "up")
    telegram.pass_time(3600)
    for number in (old.id, "1"):
        with refused("uery is too old"):
            await bot.answer_callback_query(number)
    telegram.delete(message)
    await telegram.press(ann, message, "up")
    update = (await bot.get_updates())[-1]
    assert update.callback_query is not None
    assert not update.callback_query.message.is_accessible  # type: ignore[union-attr]


async def draft(bot: Bot, chat_id: int, text: str, number: int = 1, **more: Any) -> None:
    arguments = {"chat_id": chat_id, "draft_id": number, "text": text, **more}
    await bot.do_api_request("sendMessageDraft", api_kwargs=arguments)


async def test_drafts_are_seen_for_a_moment_and_in_private_only(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat, group = telegram.private(ann), telegram.group("Team", ann)

    def seen() -> list[str]:
        return [one.texts[-1] for one in telegram.live_drafts(chat)]

    await draft(bot, chat.id, "")
    await draft(bot, chat.id, "One")
    assert seen() == ["One"]
    await draft(bot, chat.id, "Two", number=2)
    assert seen() == ["Two"], "another draft takes its place"
    telegram.pass_time(31)
    assert seen() == []
    await draft(bot, chat.id, "Three", number=3)
    await bot.send_message(chat.id, "Three.")
    assert seen() == []
    assert telegram.drafts(chat) == ["", "One", "Two", "Three"]
    for where, number, words in ((group.id, 1, "private chats only"), (chat.id, 0, "draft_id")):
        with refused(words):
            await draft(bot, where, "x", number=number)
    assert len(caught(telegram)) == 2


async def test_a_draft_is_stopped(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    chat = telegram.private(ann)
    await draft(bot, chat.id, "One", number=7)
    with pytest.raises(AssertionError, match="no draft"):
        await telegram.stop_draft(ann, chat, 7)
    await draft(bot, chat.id, "One", number=7, can_stop=True)
    await telegram.stop_draft(ann, chat, 7)
    (update,) = await polled(bot)
    assert update["stopped_message_generation"]["draft_id"] == 7
    assert telegram.live_drafts(chat) == []


async def test_rich_messages(telegram: TelegramDouble, bot: Bot) -> None:
    telegram.rates.scale = 0.0
    chat = telegram.private(telegram.person())
    rich = {"markdown": "| a |\n|---|\n| 1 |"}
    sent = await bot.do_api_request("sendRichMessage", api_kwargs={"chat_id": chat.id, "rich_message": rich})
    (message,) = telegram.messages(chat)
    assert (message.text, message.rich) == (rich["markdown"], rich)
    edit = {"chat_id": chat.id, "message_id": sent["message_id"], "rich_message": {"markdown": "# Two"}}
    await bot.do_api_request("editMessageText", api_kwargs=edit)
    assert message.edits == [rich["markdown"], "# Two"]
    await bot.edit_message_text("Three", chat.id, message.id)
    assert (message.text, message.rich) == ("Three", None)
    for wrong_rich in ({}, {"markdown": "a", "html": "b"}, {"markdown": "x" * 32_769}):
        with pytest.raises(BadRequest):
            await bot.do_api_request(
                "sendRichMessage", api_kwargs={"chat_id": chat.id, "rich_message": wrong_rich}
            )
    assert len(caught(telegram)) == 3


async def test_chat_actions(telegram: TelegramDouble, bot: Bot) -> None:
    ann = telegram.person()
    forum = telegram.group("Forum", ann, forum=True)
    topic = telegram.topic(forum, "Travel")
    await bot.send_chat_action(forum.id, "typing", message_thread_id=topic)
    with pytest.raises(BadRequest):
        await bot.send_chat_action(forum.id, "thinking")
    assert telegram.actions(forum) == telegram.actions(forum, topic=topic) == ["typing"]
    assert telegram.actions(forum, topic=0) == []


async def test_commands_by_scope_and_language(telegram: TelegramDouble, bot: Bot) -> None:
    private, groups = BotCommandScopeAllPrivateChats(), BotCommandScopeAllGroupChats()
    await bot.set_my_commands([BotCommand("help", "Help")], scope=private)
    await bot.set_my_commands([BotCommand("help", "帮助")], scope=private, language_code="zh")
    await bot.set_my_commands([BotCommand("ask", "Ask")], scope=groups)
    assert telegram.settings.commands_of("all_private_chats") == {"help": "Help"}
    assert telegram.settings.commands_of("all_private_chats", "zh") == {"help": "帮助"}
    assert [one.command for one in await bot.get_my_commands(groups)] == ["ask"]
    assert await bot.get_my_commands() == ()
    await bot.delete_my_commands(groups)
    assert await bot.get_my_commands(groups) == ()
    with pytest.raises(BadRequest):
        await bot.do_api_request(
            "setMyCommands", api_kwargs={"commands": [{"command": "Ask", "description": "x"}]}
        )
    with pytest.raises(BadRequest):
        await bot.set_my_commands([BotCommand("ask", "x")], language_code="zh-hans")
    assert len(caught(telegram)) == 2


# -- what goes wrong -----------------------------------------------------------------------------------------


async def test_faults_happen_as_often_as_they_should(telegram: TelegramDouble, bot: Bot) -> None:
    chat, other = telegram.private(telegram.person()), telegram.private(telegram.person())
    telegram.fail("sendMessage", retry_after=7, when=lambda call: call.arguments["chat_id"] == chat.id)
    assert (await bot.send_message(other.id, "Hello")).text == "Hello"
    with pytest.raises(RetryAfter) as raised:
        await bot.send_message(chat.id, "Hello")
    assert raised.value._retry_after.total_seconds() == 7
    telegram.fail("sendMessage", status=400, description="Bad Request: no")
    with refused("no"):
        await bot.send_message(chat.id, "Hello")
    telegram.fail("*", html=True)
    with pytest.raises(NetworkError):
        await bot.get_me()
    fault = telegram.fail("getMe", status=500, times=None)
    for _ in range(3):
        with pytest.raises(NetworkError):
            await bot.get_me()
    fault.stop()
    await bot.get_me()
    assert fault.hits == 3
    assert telegram.messages(chat) == []
    assert [call.status for call in telegram.calls_of("sendMessage")] == [200, 429, 400]


async def test_a_lost_answer_and_a_dropped_call(telegram: TelegramDouble, bot: Bot) -> None:
    chat = telegram.private(telegram.person())
    telegram.fail("sendMessage", lost=True)
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "One")
    telegram.fail("sendMessage", dropped=True)
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "Two")
    assert [message.text for message in telegram.messages(chat)] == ["One"]


async def test_a_call_that_hangs_is_done_after_all(telegram: TelegramDouble, bot: Bot) -> None:
    chat = telegram.private(telegram.person())
    telegram.fail("sendMessage", hang=0.3)
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "One", read_timeout=0.05)
    await telegram.until(lambda: telegram.messages(chat))


async def test_who_is_too_fast_is_told_to_wait(telegram: TelegramDouble, bot: Bot) -> None:
    chat = telegram.private(telegram.person())
    for text in ("one", "two", "three"):
        await bot.send_message(chat.id, text)
    for _ in range(5):
        await bot.send_chat_action(chat.id, "typing")
    with pytest.raises(RetryAfter):
        await bot.send_message(chat.id, "four")
    assert telegram.rates.broken == 1
    telegram.rates.enforced = False
    await bot.send_message(chat.id, "five")
    assert telegram.rates.broken == 2
    assert len(telegram.messages(chat)) == 4


def test_the_limits() -> None:
    now = [0.0]
    rates = Rates(clock=lambda: now[0])

    def waits(chats: list[int], step: float) -> list[int]:
        told = []
        for chat in chats:
            told.append(rates.wait("sendMessage", chat))
            now[0] += step
        return told

    assert waits([1] * 100, 1.0) == [0] * 100, "one a second is fine for ever in a private chat"
    assert waits([-1] * 20, 1.5) == [0] * 20
    assert waits([-1], 0.0) == [30], "the 21st of a minute waits for the first to be a minute old"
    now[0] += 30
    assert waits([-1], 0.0) == [0]
    now[0] += 60
    assert waits(list(range(1, 32)), 0.0) == [0] * 30 + [1]
    assert rates.wait("sendChatAction", 1) == 0
    rates.scale = 0.001
    now[0] += 1
    assert waits([-2] * 20, 0.001) == [0] * 20
    assert rates.wait("editMessageText", -2) == 1


def test_texts_are_measured_in_units() -> None:
    assert units("a👍") == 3
    assert piece("a👍b", {"offset": 1, "length": 2}) == "👍"
    assert found("a/b 5/6 x@y") == []
    assert wrong(
        "abcd", [{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 1, "length": 3}]
    )
    assert not wrong(
        "abcd", [{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 1, "length": 2}]
    )
    assert wrong("a", [{"type": "text_link", "offset": 0, "length": 1}])
    assert trimmed(" a ", [{"type": "bold", "offset": 0, "length": 1}]) == ("a", [])


# -- itself --------------------------------------------------------------------------------------------------


async def everything(telegram: TelegramDouble, bot: Bot) -> None:
    """As much of what a double tells as one test can make it tell."""
    telegram.rates.scale = 0.0
    ann = telegram.person(username="ann_of_tests")
    chat, group = telegram.private(ann), telegram.group("Forum", ann, forum=True)
    topic = telegram.topic(group, "Travel")
    said = await telegram.say(ann, group, f"{telegram.mention()} /help", topic=topic)
    await telegram.edit(await telegram.say(ann, chat, "Hello", reply_to=0), "Hello!")
    await telegram.say_anonymously(group, "Hello", reply_to=said)
    await telegram.send_file(ann, chat, "a.txt", "a", media_group="1")
    for kind in (
        "voice",
        "audio",
        "photo",
        "video",
        "video_note",
        "animation",
        "sticker",
        "location",
        "contact",
    ):
        await telegram.send_other(ann, chat, kind)
    for kind in ("poll", "dice"):
        await telegram.send_other(ann, chat, kind)
    sent = await bot.send_message(
        chat.id, "One", reply_markup=buttons("up"), reply_parameters=ReplyParameters(1)
    )
    message = chat.messages[sent.message_id]
    await bot.edit_message_text("Two", chat.id, message.id, reply_markup=buttons("up"))
    await bot.send_document(group.id, b"a", filename="a.txt", message_thread_id=topic)
    rich = {"chat_id": group.id, "rich_message": {"markdown": "a"}}
    await bot.do_api_request("sendRichMessage", api_kwargs=rich)
    await telegram.press(ann, message, "up")
    await telegram.react(ann, message, "👍")
    await draft(bot, chat.id, "x", can_stop=True)
    await telegram.stop_draft(ann, chat)
    await telegram.block(ann)
    await telegram.unblock(ann)
    await telegram.remove(group)
    await telegram.add(ann, group, admin=True)
    await telegram.migrate(telegram.group("Small", ann, supergroup=False))
    await bot.get_chat(group.id)
    await bot.get_chat_member(group.id, telegram.me.id)
    await bot.get_chat_administrators(group.id)
    await bot.get_webhook_info()
    await bot.set_my_description("Hello")
    await bot.get_my_description()
    await bot.get_file(
        message.chat.messages[2].document["file_id"] if message.chat.messages[2].document else ""
    )


async def test_what_the_double_tells_is_what_the_bot_api_tells(telegram: TelegramDouble, bot: Bot) -> None:
    await everything(telegram, bot)
    for update in telegram.updates.told:
        read = types.Update.model_validate_json(json.dumps(update))
        assert strange(read, "update") == []
        assert Update.de_json(update, bot) is not None
    for call in telegram.calls:
        assert call.ok, call
        returned = TypeAdapter(MODELS[call.method].__returning__)
        read = returned.validate_json(json.dumps(call.result))
        assert strange(read, call.method) == []
    kinds = {kind for update in telegram.updates.told for kind in update if kind != "update_id"}
    assert kinds >= {
        *("message", "edited_message", "callback_query", "message_reaction", "my_chat_member"),
        "stopped_message_generation",
    }


def test_a_double_in_a_thread_of_its_own() -> None:
    with in_thread() as elsewhere:
        telegram = elsewhere.telegram
        ann = telegram.person()
        chat = telegram.private(ann)
        elsewhere.run(telegram.say(ann, chat, "Hello"), seconds=10)

        async def talk() -> tuple[Update, ...]:
            async with connected(telegram) as bot:
                updates = await bot.get_updates()
                await bot.send_message(chat.id, "One")
                return updates

        assert len(asyncio.run(talk())) == 1
        (_, answer) = elsewhere.run(
            telegram.until(lambda: len(telegram.messages(chat)) == 2 and telegram.messages(chat))
        )
        assert answer.text == "One"
        assert answer.from_bot
        assert telegram.environment("webhook")["TELEGRAM_API_URL"] == telegram.url
        assert telegram.problems == []
