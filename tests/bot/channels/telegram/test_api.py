"""Calls of the Bot API: in turn, repeated where that is safe, never where it is not; no failure names the token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telegram.request import HTTPXRequest

from bot.channels.telegram.api import Api, TelegramFailure, open_api
from bot.channels.telegram.places import Spot
from bot.channels.telegram.wire import Wire
from tests.bot.channels.telegram.outgoing import settings_for
from tests.telegram_double import Chat, TelegramDouble


@pytest.fixture
async def api(telegram: TelegramDouble) -> AsyncIterator[Api]:
    async with open_api(token=telegram.token, settings=settings_for(telegram), backoff=0.001) as opened:
        opened.budget.scale = telegram.rates.scale = 0.001
        yield opened


@pytest.fixture
def chat(telegram: TelegramDouble) -> Chat:
    return telegram.private(telegram.person())


async def send(api: Api, chat: Chat, text: str = "Hello", **more: Any) -> dict[str, Any]:
    sent: dict[str, Any] = await api.call("sendMessage", chat=chat.id, text=text, **more)
    return sent


def texts(telegram: TelegramDouble, chat: Chat) -> list[str]:
    return [message.text for message in telegram.answers_in(chat)]


async def test_who_we_are_is_asked_once(api: Api, telegram: TelegramDouble) -> None:
    me = await api.me()
    assert (me.id, me.username, me.name) == (telegram.me.id, telegram.me.username, "Frontdesk")
    assert await api.me() is me
    assert len(telegram.calls_of("getMe")) == 1


@pytest.mark.parametrize("said", [True, [], "bot", {}, {"id": "x"}, {"id": None, "username": "a"}])
async def test_who_says_nonsense_of_us_is_unreadable(
    api: Api, monkeypatch: pytest.MonkeyPatch, said: object
) -> None:
    async def exchange(*_: object, **__: object) -> object:
        return said

    monkeypatch.setattr(Wire, "exchange", exchange)
    with pytest.raises(TelegramFailure) as failed:
        await api.me()
    assert (failed.value.code, failed.value.method) == ("unreadable", "getMe")


@pytest.mark.parametrize("payload", [b'{"ok": true, "result": ' + b"[" * 200_000, b"[1]", b"\xff"])
async def test_what_cannot_be_read_at_all_is_unreadable(
    api: Api, monkeypatch: pytest.MonkeyPatch, payload: bytes
) -> None:
    async def do_request(*_: object, **__: object) -> tuple[int, bytes]:
        return 200, payload

    monkeypatch.setattr(HTTPXRequest, "do_request", do_request)
    with pytest.raises(TelegramFailure, match="getMe: unreadable"):
        await api.call("getMe")


async def test_arguments_of_every_kind_arrive_and_none_is_left_out(
    api: Api, telegram: TelegramDouble, chat: Chat
) -> None:
    text = "“Größe” 你好 🙂"
    entities = [{"type": "bold", "offset": 0, "length": 7}]
    sent = await send(api, chat, text, entities=entities, disable_notification=True, reply_markup=None)
    [message] = telegram.answers_in(chat)
    assert (message.id, message.text, message.entities) == (sent["message_id"], text, entities)
    [call] = telegram.calls_of("sendMessage")
    assert call.arguments["disable_notification"] is True
    assert "reply_markup" not in call.arguments


@pytest.mark.parametrize(
    ("status", "description", "code"),
    [
        (400, "Bad Request: message is not modified: specified new message content", "not_modified"),
        (400, "Bad Request: can't parse entities: unsupported start tag", "entities"),
        (400, "Bad Request: entity begins in a middle of a UTF-16 symbol at byte offset 3", "entities"),
        (400, "Bad Request: message is too long", "too_long"),
        (400, "Bad Request: MESSAGE_TOO_LONG", "too_long"),
        (400, "Bad Request: message to edit not found", "not_found"),
        (400, "Bad Request: message to be replied not found", "not_found"),
        (400, "Bad Request: chat not found", "chat_not_found"),
        (400, "Bad Request: message thread not found", "thread_not_found"),
        (400, "Bad Request: TOPIC_CLOSED", "thread_not_found"),
        (400, "Bad Request: not enough rights to send text messages to the chat", "no_rights"),
        (400, "Bad Request: query is too old and response timeout expired", "query_too_old"),
        (400, "Bad Request: message can't be edited", "bad_request"),
        (401, "Unauthorized", "unauthorized"),
        (403, "Forbidden: bot was blocked by the user", "forbidden"),
        (404, "Not Found", "unknown_method"),
        (409, "Conflict: terminated by other getUpdates request", "conflict"),
    ],
)
async def test_what_telegram_refuses_has_a_code(
    api: Api, telegram: TelegramDouble, chat: Chat, status: int, description: str, code: str
) -> None:
    telegram.fail("sendMessage", status=status, description=description)
    with pytest.raises(TelegramFailure) as failed:
        await send(api, chat)
    failure = failed.value
    assert (failure.code, failure.method, failure.lost) == (code, "sendMessage", False)
    assert failure.description == description
    assert len(telegram.calls_of("sendMessage")) == 1


async def test_a_limited_call_is_made_again(api: Api, telegram: TelegramDouble, chat: Chat) -> None:
    telegram.fail("sendMessage", retry_after=3, times=2)
    await send(api, chat)
    assert texts(telegram, chat) == ["Hello"]
    assert len(telegram.calls_of("sendMessage")) == 3


async def test_a_flood_is_never_taken_for_bad_formatting(
    api: Api, telegram: TelegramDouble, chat: Chat
) -> None:
    api.budget.scale = 1.0
    telegram.fail("sendMessage", retry_after=60, description="Too Many Requests: can't parse entities later")
    with pytest.raises(TelegramFailure) as failed:
        await send(api, chat, patience=1.0)
    assert failed.value.rate_limited
    assert 50 < failed.value.retry_after <= 60


async def test_while_one_chat_waits_another_is_served(api: Api, telegram: TelegramDouble, chat: Chat) -> None:
    other = telegram.private(telegram.person("Bob"))
    api.budget.scale = 1.0
    telegram.fail("sendMessage", retry_after=60)
    waiting = asyncio.create_task(send(api, chat, "later"))
    await telegram.until(lambda: telegram.calls_of("sendMessage"))
    await send(api, other, "now")
    assert texts(telegram, other) == ["now"]
    assert not texts(telegram, chat)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("how", [{"lost": True}, {"html": True}, {"status": 500}])
async def test_a_message_that_may_have_been_sent_is_not_sent_again_unasked(
    api: Api, telegram: TelegramDouble, chat: Chat, how: dict[str, Any]
) -> None:
    telegram.fail("sendMessage", **how)
    with pytest.raises(TelegramFailure) as failed:
        await send(api, chat)
    assert failed.value.lost
    assert len(telegram.calls_of("sendMessage")) == 1


async def test_what_changes_nothing_by_being_repeated_is_repeated(
    api: Api, telegram: TelegramDouble, chat: Chat
) -> None:
    sent = await send(api, chat)
    telegram.fail("editMessageText", html=True)
    telegram.fail("editMessageText", dropped=True)
    await api.call("editMessageText", chat=chat.id, message_id=sent["message_id"], text="Changed")
    assert texts(telegram, chat) == ["Changed"]
    assert len(telegram.calls_of("editMessageText")) == 3


async def test_a_call_without_patience_is_not_made_again(
    api: Api, telegram: TelegramDouble, chat: Chat
) -> None:
    telegram.fail("sendChatAction", html=True, times=None)
    with pytest.raises(TelegramFailure, match="sendChatAction: http_502"):
        await api.call("sendChatAction", chat=chat.id, action="typing", patience=0.0)
    assert len(telegram.calls_of("sendChatAction")) == 1


async def test_a_telegram_that_cannot_be_reached_has_surely_done_nothing(
    telegram: TelegramDouble, unused_tcp_port: int
) -> None:
    settings = settings_for(telegram, api_url=f"http://127.0.0.1:{unused_tcp_port}")
    async with open_api(token=telegram.token, settings=settings, backoff=0.001) as api:
        api.budget.scale = 0.001
        with pytest.raises(TelegramFailure) as failed:
            await api.call("sendMessage", chat=5, text="Hello")
    assert failed.value.code == "connection"
    assert not failed.value.lost


async def test_an_answer_that_does_not_come_in_time_is_a_lost_one(
    api: Api, telegram: TelegramDouble, chat: Chat
) -> None:
    telegram.fail("sendMessage", hang=1.0)
    with pytest.raises(TelegramFailure) as failed:
        await send(api, chat, within=0.05)
    assert failed.value.code == "timeout"
    assert failed.value.lost


async def test_what_is_no_answer_of_telegrams_is_unreadable(
    api: Api, telegram: TelegramDouble, chat: Chat
) -> None:
    telegram.fail("sendMessage", status=200, html=True)
    with pytest.raises(TelegramFailure) as failed:
        await send(api, chat)
    assert failed.value.code == "unreadable"
    assert failed.value.lost


@pytest.mark.parametrize(("said", "waited"), [(10_000_000, 3600.0), (0, 5.0), (-1, 5.0)])
async def test_no_pause_is_longer_than_an_hour_whatever_telegram_says(
    api: Api, telegram: TelegramDouble, chat: Chat, said: int, waited: float
) -> None:
    api.budget.scale = 1.0
    telegram.fail("sendMessage", retry_after=said)
    with pytest.raises(TelegramFailure):
        await send(api, chat, patience=1.0)
    assert waited - 2 < api.budget.wait(api.clock(), "sendMessage", chat.id) <= waited


async def test_a_group_that_has_moved_is_followed_and_told_of_once(
    telegram: TelegramDouble, chat: Chat
) -> None:
    moves: list[tuple[int, int]] = []

    async def moved(old: int, new: int) -> None:
        moves.append((old, new))

    old = telegram.group("Team", telegram.person(), supergroup=False)
    new = await telegram.migrate(old)
    async with open_api(
        token=telegram.token, settings=settings_for(telegram), moved=moved, backoff=0.001
    ) as api:
        api.budget.scale = 0.001
        sent = await asyncio.gather(send(api, old, "One"), send(api, old, "Two"))
        await send(api, old, "Three")
    assert sorted(texts(telegram, new)) == ["One", "Three", "Two"]
    assert {each["chat"]["id"] for each in sent} == {new.id}
    assert moves == [(old.id, new.id)]


async def test_a_move_that_could_not_be_kept_is_told_again(telegram: TelegramDouble) -> None:
    tries: list[int] = []

    async def moved(old: int, new: int) -> None:
        tries.append(new)
        if len(tries) == 1:
            raise ConnectionError("the house is away")

    old = telegram.group("Team", telegram.person(), supergroup=False)
    new = await telegram.migrate(old)
    async with open_api(
        token=telegram.token, settings=settings_for(telegram), moved=moved, backoff=0.001
    ) as api:
        with pytest.raises(ConnectionError):
            await send(api, old, "One")
        await send(api, old, "Two")
    assert texts(telegram, new) == ["Two"]
    assert tries == [new.id, new.id]


async def test_updates_come_as_they_are(api: Api, telegram: TelegramDouble, chat: Chat) -> None:
    ann = next(iter(chat.members.values()))
    said = await telegram.say(ann, chat, "Hello?")
    [update] = await api.updates(offset=None, timeout=5, allowed=["message"])
    assert update["message"]["message_id"] == said.id
    assert await api.updates(offset=update["update_id"] + 1, timeout=0, allowed=["message"]) == []


async def test_a_poll_that_conflicts_says_so(api: Api, telegram: TelegramDouble) -> None:
    telegram.fail("getUpdates", status=409)
    with pytest.raises(TelegramFailure) as failed:
        await api.updates(offset=None, timeout=0, allowed=[])
    assert failed.value.code == "conflict"


async def test_a_file_comes_whole_or_not_at_all(api: Api, telegram: TelegramDouble) -> None:
    file = telegram.world.keep_file(b"x" * 200_000, "documents/file 1.txt")
    assert await api.download(file.id, limit=200_000) == b"x" * 200_000
    with pytest.raises(TelegramFailure, match="too_long"):
        await api.download(file.id, limit=199_999)
    file.size = 0  # what Telegram says of it may be missing
    with pytest.raises(TelegramFailure, match="too_long"):
        await api.download(file.id, limit=199_999)


async def test_a_file_that_is_gone_is_not_found(api: Api, telegram: TelegramDouble) -> None:
    file = telegram.world.keep_file(b"x", "documents/file_1.txt")
    telegram.world.files.clear()
    with pytest.raises(TelegramFailure) as failed:
        await api.download(file.id, limit=10)
    assert failed.value.method in ("getFile", "download")


async def test_a_document_of_ours_arrives(api: Api, telegram: TelegramDouble, chat: Chat) -> None:
    await api.send_document(Spot(telegram.me.id, chat.id), "all of it.json", b'{"a": 1}', caption="Here.")
    [message] = telegram.answers_in(chat)
    assert message.text == "Here."
    assert message.media["document"]["file_name"] == "all of it.json"
    assert message.content == b'{"a": 1}'


async def test_no_failure_names_the_token(api: Api, telegram: TelegramDouble, chat: Chat) -> None:
    told = repr(api)
    telegram.fail("sendMessage", dropped=True)
    telegram.fail("sendMessage", html=True)
    telegram.fail("sendMessage", hang=1.0)
    for _ in range(3):
        with pytest.raises(TelegramFailure) as failed:
            await send(api, chat, within=0.2)
        told += repr(failed.value) + repr(failed.value.__cause__) + failed.value.description
    telegram.revoke()
    with pytest.raises(TelegramFailure) as failed:
        await api.me()
    told += repr(failed.value) + repr(failed.value.__cause__) + failed.value.description
    assert failed.value.code == "unauthorized"
    assert not any(secret in told for secret in telegram.secrets)


async def test_a_slow_call_of_one_chat_does_not_hold_up_another(
    api: Api, telegram: TelegramDouble, chat: Chat
) -> None:
    other = telegram.private(telegram.person("Bob"))
    telegram.fail("sendMessage", hang=30.0, when=lambda call: call.arguments["chat_id"] == chat.id)
    slow = asyncio.create_task(send(api, chat))
    async with asyncio.timeout(5):
        await send(api, other, "Quick")
    assert texts(telegram, other) == ["Quick"]
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
