"""Telegram through the whole house: `frontdesk up` as a process, its starter model, a Telegram that watches us."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from inference import random_model
from tests.journey.conftest import House, end, start
from tests.telegram_double import Chat, Elsewhere, Message, TelegramDouble, User, in_thread

LONG = 90.0  # seconds for what a loaded machine has to answer; a deadline, not a pause
SLOWEST_POLL = 0.5  # seconds between two polls at the least


@pytest.fixture
def outside() -> Iterator[Elsewhere]:
    """A Telegram beside the house; at the end nothing was against its contract or beyond its limits."""
    with in_thread() as elsewhere:
        yield elsewhere
        assert elsewhere.telegram.problems == []
        assert elsewhere.telegram.rates.broken == 0


def run(house: House, outside: Elsewhere, work) -> None:
    """Let a coroutine act on Telegram, and see afterwards that the house kept its secrets."""
    try:
        outside.run(work, seconds=3 * LONG)
    finally:
        end(house)
        keeps_its_secrets(house, outside.telegram)


def keeps_its_secrets(house: House, telegram: TelegramDouble) -> None:
    logs = [path.read_text() for path in house.data.rglob("*.log*")]
    assert logs
    for line in [*house.lines, *(line for log in logs for line in log.splitlines())]:
        for secret in telegram.secrets:
            assert secret not in line


async def until(true: Callable[[], object], *, seconds: float = LONG) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


def finished(telegram: TelegramDouble, chat: Chat, *, topic: int | None = None) -> list[Message]:
    """The answers in a chat that can be rated, so that nothing is to come into them any more."""
    return [
        message
        for message in telegram.answers_in(chat, topic=topic)
        if any(button.get("callback_data", "").startswith("rate:") for button in message.buttons)
    ]


def offered(telegram: TelegramDouble, chat: Chat, action: str) -> list[tuple[Message, str]]:
    """The messages below which something can be pressed, and what that says."""
    return [
        (message, button["callback_data"])
        for message in telegram.answers_in(chat)
        for button in message.buttons
        if button.get("callback_data", "").partition(":")[0] == action
    ]


async def pressed(telegram: TelegramDouble, user: User, chat: Chat, action: str) -> None:
    """Wait for a button, press the newest, wait until Telegram shows that the press was noticed."""
    await until(lambda: offered(telegram, chat, action))
    query = await telegram.press(user, *offered(telegram, chat, action)[-1])
    await until(lambda: query.id in telegram.answers)


def test_a_private_chat_from_hello_to_forget_me(outside, tmp_path):
    telegram = outside.telegram
    house = start(tmp_path / "data", **telegram.environment())

    async def talk() -> None:
        ann = telegram.person("Ann")
        chat = telegram.private(ann)
        await telegram.say(ann, chat, "/start")
        await until(lambda: telegram.answers_in(chat))
        await telegram.say(ann, chat, "My name is Miriam.")
        await until(lambda: len(finished(telegram, chat)) == 1)
        await telegram.say(ann, chat, "What is my name?")
        await until(lambda: len(finished(telegram, chat)) == 2)
        assert "Miriam" in finished(telegram, chat)[-1].text
        await pressed(telegram, ann, chat, "rate")
        await pressed(telegram, ann, chat, "again")
        await until(lambda: len(finished(telegram, chat)) == 3)

        await telegram.say(ann, chat, "/privacy")
        await pressed(telegram, ann, chat, "export")
        await until(lambda: [each for each in telegram.answers_in(chat) if each.document])
        (export,) = [each for each in telegram.answers_in(chat) if each.document]
        assert "My name is Miriam." in export.content.decode()
        await telegram.say(ann, chat, "/forget")
        await pressed(telegram, ann, chat, "forget_yes")
        await telegram.say(ann, chat, "What is my name?")
        await until(lambda: len(finished(telegram, chat)) == 4)
        assert "Miriam" not in finished(telegram, chat)[-1].text

    run(house, outside, talk())


def test_a_group_is_answered_where_it_calls_us_and_each_topic_has_its_own_conversation(outside, tmp_path):
    telegram = outside.telegram
    house = start(tmp_path / "data", **telegram.environment())

    async def talk() -> None:
        ann, bob = telegram.person("Ann"), telegram.person("Bob")
        group = telegram.group("Friends", ann, bob)
        await telegram.say(bob, group, "nobody asked you")
        asked = await telegram.say(ann, group, f"@{telegram.me.username} hello")
        await until(lambda: len(finished(telegram, group)) == 1)
        (answer,) = finished(telegram, group)
        assert answer.reply_to == asked.id
        assert telegram.actions(group)
        follow = await telegram.say(bob, group, "who are you?", reply_to=answer)
        await until(lambda: len(finished(telegram, group)) == 2)
        assert finished(telegram, group)[-1].reply_to == follow.id

        forum = telegram.group("Forum", ann, bob, forum=True)
        first, second = telegram.topic(forum, "one"), telegram.topic(forum, "two")
        await telegram.say(ann, forum, "/ask My name is Miriam.", topic=first)
        await telegram.say(bob, forum, "/ask What is my name?", topic=second)
        await until(
            lambda: finished(telegram, forum, topic=first) and finished(telegram, forum, topic=second)
        )
        assert "Miriam" not in finished(telegram, forum, topic=second)[0].text

    run(house, outside, talk())


def test_an_answer_is_stopped_midway_and_keeps_what_was_shown(outside, tmp_path):
    telegram = outside.telegram
    endless = random_model.make(tmp_path / "endless", shape="0.1b", seed=1)
    house = start(tmp_path / "data", **telegram.environment(), FRONTDESK_MODEL=str(endless))

    async def talk() -> None:
        ann = telegram.person("Ann")
        chat = telegram.private(ann)
        await telegram.say(ann, chat, "Tell me a long story.")
        await until(lambda: offered(telegram, chat, "stop"))
        (growing, _), *_ = offered(telegram, chat, "stop")
        shown = growing.text
        assert shown.strip()
        await pressed(telegram, ann, chat, "stop")
        await until(lambda: finished(telegram, chat))
        assert finished(telegram, chat)[-1].text.startswith(shown)
        await telegram.say(ann, chat, "Another one, please.")
        await until(lambda: offered(telegram, chat, "stop"))
        await telegram.say(ann, chat, "/stop")
        await until(lambda: len(finished(telegram, chat)) == 2)

    run(house, outside, talk())


def test_two_hundred_chats_keep_order_lose_nothing_and_stay_within_every_limit(outside, tmp_path):
    telegram = outside.telegram
    house = start(tmp_path / "data", **telegram.environment())

    async def talk() -> None:
        people: list[tuple[User, Chat]] = []
        for number in range(200):
            person = telegram.person(f"Person {number}")
            people.append((person, telegram.private(person)))
        for person, chat in people:
            await telegram.say(person, chat, f"My name is Miriam {person.id}.")
        await telegram.deliver({"message": {"message_id": "poisoned", "chat": 7}})
        for person, chat in people:
            await telegram.say(person, chat, "hello")
        await until(lambda: all(len(finished(telegram, chat)) == 2 for _, chat in people), seconds=2 * LONG)
        for _, chat in people:
            said = [(message.from_bot, message.id) for message in telegram.messages(chat)]
            assert [by_us for by_us, _ in said].count(True) == 2
        polls = telegram.polls
        assert all(later - earlier > SLOWEST_POLL * 0.8 for earlier, later in pairwise(polls))
        assert len(polls) < 2 * (polls[-1] - polls[0]) + 2

    run(house, outside, talk())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_restart_midway_loses_no_message_and_repeats_none(outside, tmp_path, how):
    telegram = outside.telegram
    data, env = tmp_path / "data", telegram.environment()
    people = [telegram.person(f"Person {number}") for number in range(12)]
    first = start(data, **env)

    async def ask() -> None:
        for person in people:
            await telegram.say(person, telegram.private(person), "hello")
        await until(lambda: telegram.calls_of("sendMessage"))

    outside.run(ask(), seconds=2 * LONG)
    first.process.send_signal(how)
    first.process.wait(20)
    second = start(data, **env)

    async def see() -> None:
        chats = [telegram.private(person) for person in people]
        await until(lambda: all(finished(telegram, chat) for chat in chats))
        answers = [len(finished(telegram, chat)) for chat in chats]
        sent = [len(telegram.answers_in(chat)) for chat in chats]
        assert answers == [1] * len(chats)
        # A message that was sent and whose sending died before it was recorded is sent once more, and only that.
        assert all(each <= 2 for each in sent)
        if how == signal.SIGTERM:
            assert sent == [1] * len(chats)

    try:
        run(second, outside, see())
    finally:
        end(first)


def test_a_webhook_is_set_and_answered(outside, tmp_path):
    telegram = outside.telegram
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    house = start(
        tmp_path / "data",
        "--port",
        str(port),
        **telegram.environment("webhook"),
        FRONTDESK_PUBLIC_URL="https://desk.example",
    )

    async def talk() -> None:
        await until(lambda: telegram.calls_of("setWebhook"))
        assert telegram.webhook_url == "https://desk.example/telegram/updates"
        telegram.webhook_url = f"http://127.0.0.1:{port}/telegram/updates"  # as a proxy would bring it there
        ann = telegram.person("Ann")
        chat = telegram.private(ann)
        await telegram.say(ann, chat, "hello")
        await until(lambda: finished(telegram, chat))
        assert not telegram.polls
        assert all(delivery.ok for delivery in telegram.deliveries)

    run(house, outside, talk())
