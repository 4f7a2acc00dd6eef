"""The channel as a whole: what comes by polls and by the webhook is made safe before it is confirmed, and read once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.telegram import open_channel
from bot.channels.telegram.backoff import RARELY, WRONG_TOKEN
from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.introduction import PRIVACY_MODE
from bot.messages import Unavailable
from bot.variables import Misconfigured
from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import office
from tests.telegram_double import TelegramDouble

Logged = list[MutableMapping[str, Any]]
TOKEN = "123456789:AAF-tests_of_frontdesk-aaaaaaaaaaaaaaaa"


@pytest.fixture
def house() -> House:
    return House()


def texts(house: House) -> list[str]:
    return [incoming.text for incoming in house.received]


def options(public_url: str = "https://frontdesk.example", **variables: str) -> ChannelOptions:
    given = {name: SecretStr(value) for name, value in variables.items()}
    return ChannelOptions(public_url=public_url, variables=given)


async def opened(house: House, **variables: str) -> Any:
    async with open_channel(desk=house, options=options(**variables)) as channel:  # type: ignore[arg-type]
        return channel


@asynccontextmanager
async def at_work(telegram: TelegramDouble, house: House) -> AsyncIterator[TelegramChannel]:
    """A channel that may never get to work; `office` waits until it has."""
    given = options(**telegram.environment("poll"))
    async with open_channel(desk=house, options=given) as channel:  # type: ignore[arg-type]
        assert isinstance(channel, TelegramChannel)
        running = asyncio.ensure_future(channel.run())
        try:
            yield channel
            assert not running.done(), running.exception()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def told(logged: Logged, level: str) -> list[str]:
    return [entry["event"] for entry in logged if entry["log_level"] == level]


# -- set up ----------------------------------------------------------------------------------------------------


async def test_without_variables_there_is_no_channel(house: House) -> None:
    assert await opened(house) is None


async def test_wrong_variables_are_named(house: House) -> None:
    with pytest.raises(Misconfigured, match="TELEGRAM_BOT_TOKEN"):
        await opened(house, TELEGRAM_BOT_TOKEN="no token")


async def test_without_a_secret_there_is_no_address_to_send_to(house: House) -> None:
    channel = await opened(house, TELEGRAM_BOT_TOKEN=TOKEN)
    assert not list(channel.routes())
    channel = await opened(house, TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_WEBHOOK_SECRET="s3cret-s3cret-s3cret")
    assert [route.path for route in channel.routes()] == ["/telegram/updates"]
    assert (channel.name, channel.delivers) == ("telegram", True)


# -- at the start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "by"), [("poll", "long polling"), ("webhook", "webhook")])
async def test_the_operator_is_told_who_we_are(
    telegram: TelegramDouble, house: House, logged: Logged, mode: str, by: str
) -> None:
    async with office(telegram, house, mode=mode):
        pass
    (entry,) = [entry for entry in logged if entry.get("by")]
    assert (entry["username"], entry["by"]) == ("@frontdesk_bot", by)
    assert PRIVACY_MODE not in told(logged, "warning")


async def test_privacy_mode_is_told_once(telegram: TelegramDouble, house: House, logged: Logged) -> None:
    telegram.settings.reads_groups = False
    async with office(telegram, house) as at:
        again = asyncio.ensure_future(at.channel.introduction.made())  # the channel begins anew
        assert (await again).username == "frontdesk_bot"
    assert told(logged, "warning").count(PRIVACY_MODE) == 1


async def test_people_of_other_channels_may_become_known_here(telegram: TelegramDouble, house: House) -> None:
    async with office(telegram, house):
        assert house.meetings == {"telegram": "https://t.me/frontdesk_bot?start={token}"}


async def test_a_menu_that_cannot_be_set_harms_nothing(telegram: TelegramDouble, house: House) -> None:
    ann = telegram.person("Ann")
    telegram.fail("setMyCommands", status=400, times=None)
    async with at_work(telegram, house):
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: texts(house) == ["hello"])


async def test_a_wrong_token_is_told_once_and_tried_rarely(
    telegram: TelegramDouble, house: House, logged: Logged
) -> None:
    fault = telegram.fail("getMe", status=401, description="Unauthorized", times=3)
    async with at_work(telegram, house) as channel:
        await telegram.until(lambda: fault.hits == 1 and told(logged, "error"))
    assert told(logged, "error") == [WRONG_TOKEN]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    channel.introduction.sleep = sleep
    async with at_work(telegram, house) as channel:
        channel.introduction.sleep = sleep
        await telegram.until(lambda: house.meetings)
    assert slept == [RARELY, RARELY]


async def test_a_telegram_that_is_away_at_the_start_is_waited_for(
    telegram: TelegramDouble, house: House
) -> None:
    ann = telegram.person("Ann")
    fault = telegram.fail("getMe", dropped=True, times=4)
    async with at_work(telegram, house):
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: fault.hits == 4)
        await telegram.until(lambda: texts(house) == ["hello"])


# -- both ways -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["poll", "webhook"])
async def test_what_people_write_is_heard_and_answered(
    telegram: TelegramDouble, house: House, mode: str
) -> None:
    ann = telegram.person("Ann")
    chat = telegram.private(ann)
    async with office(telegram, house, mode=mode) as at:
        await at.say(ann, chat, "What is 6 times 7?")
        answer = await at.answer(house.received[0], "It is 42.")
        assert answer.text == "It is 42."
    assert texts(house) == ["What is 6 times 7?"]


@pytest.mark.parametrize("mode", ["poll", "webhook"])
async def test_one_poisoned_update_delays_none(telegram: TelegramDouble, house: House, mode: str) -> None:
    ann = telegram.person("Ann")
    async with office(telegram, house, mode=mode) as at:
        await telegram.deliver({"message": {"poison": True}})
        await telegram.deliver({"callback_query": 7})
        await at.say(ann, telegram.private(ann), "hello")
        await at.idle()
        assert len(house.unreadable) == 2
    assert texts(house) == ["hello"]


async def test_a_change_of_ways_loses_nothing(telegram: TelegramDouble, house: House) -> None:
    ann = telegram.person("Ann")
    chat = telegram.private(ann)
    for number, mode in enumerate(["poll", "webhook", "poll"]):
        telegram.webhook_url = ""
        async with office(telegram, house, mode=mode) as at:
            await at.say(ann, chat, f"part {number}")
        telegram.webhook_url = ""
        await telegram.say(ann, chat, f"between {number}")
    telegram.settings.webhook.url = ""
    async with office(telegram, house, mode="poll") as at:
        await at.idle()
        await telegram.until(lambda: len(house.received) == 6)
    assert texts(house) == [f"{when} {number}" for number in range(3) for when in ("part", "between")]


async def test_what_failed_is_read_again(telegram: TelegramDouble, house: House) -> None:
    ann = telegram.person("Ann")
    receive, tries = house.receive, iter((True, True, False))

    async def failing(incoming: Any) -> Any:
        if next(tries):
            raise Unavailable("no luck")
        return await receive(incoming)

    house.receive = failing  # type: ignore[method-assign]
    async with office(telegram, house) as at:
        await at.say(ann, telegram.private(ann), "hello")
        assert len(house.failures) == 2
    assert texts(house) == ["hello"]


async def test_a_group_that_moves_while_we_write_takes_its_place_along(
    telegram: TelegramDouble, house: House
) -> None:
    ann = telegram.person("Ann")
    group = telegram.group("Team", ann, supergroup=False)
    async with office(telegram, house) as at:
        await at.say(ann, group, f"{telegram.mention()} hello")
        async with telegram.held() as late:
            new = await telegram.migrate(group)
            question = house.received[0]
            house.question(question)
            assert at.channel.api.moved is not None
            await at.channel.api.moved(group.id, new.id)
            assert len(late) == 2
        await at.idle()
    assert house.moved == [(f"{telegram.me.id}/{group.id}/0", f"{telegram.me.id}/{new.id}/0")]


# -- secrets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["poll", "webhook"])
async def test_no_secret_is_ever_logged(
    telegram: TelegramDouble,
    house: House,
    caplog: pytest.LogCaptureFixture,
    logged: Logged,
    mode: str,
) -> None:
    ann = telegram.person("Ann")
    telegram.fail("getUpdates", html=True)
    telegram.fail("getMe", dropped=True)
    telegram.fail("getFile", status=503)
    async with office(telegram, house, mode=mode) as at:
        await telegram.send_file(ann, telegram.private(ann), "a.txt", "text", caption="what is it?")
        await at.idle()
        await at.answer(house.received[0], "A text.")
        shown = repr(at.channel)
    everything = f"{logged}{caplog.text}{shown}"
    assert not [secret for secret in telegram.secrets if secret in everything]


async def test_whoever_guesses_gets_no_word(telegram: TelegramDouble, house: House) -> None:
    given = options(**telegram.environment("webhook"))
    async with open_channel(desk=house, options=given) as channel:  # type: ignore[arg-type]
        assert channel is not None
        application = web.Application()
        application.add_routes(channel.routes())
        async with (
            TestServer(application) as server,
            aiohttp.ClientSession() as session,
            session.post(
                server.make_url("/telegram/updates"),
                data=json.dumps({"update_id": 1}),
                headers={"X-Telegram-Bot-Api-Secret-Token": "guessed"},
            ) as response,
        ):
            assert (response.status, await response.text()) == (401, "")
