"""The webhook: who may send, what is acknowledged and when, and that Telegram knows where to send."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.telegram.api import open_api
from bot.channels.telegram.backoff import Backoff
from bot.channels.telegram.events import HANDLED
from bot.channels.telegram.inbox import Inbox
from bot.channels.telegram.settings import WEBHOOK_PATH, TelegramSettings
from bot.channels.telegram.webhook import CHECKED, NOTE, SECRET_HEADER, Webhook
from tests.bot.channels.house import House
from tests.bot.channels.telegram.moments import Moments
from tests.telegram_double import TelegramDouble

ADDRESS = "https://chat.example.com/telegram/updates"
SECRET = "webhook-secret-of-the-tests"
Logged = list[MutableMapping[str, Any]]

UPDATE: dict[str, Any] = {
    "update_id": 31,
    "message": {
        "message_id": 7,
        "date": 1700000000,
        "chat": {"id": 42, "type": "private"},
        "from": {"id": 42, "is_bot": False, "first_name": "Ann"},
        "text": "hello",
    },
}


@dataclass(kw_only=True)
class Door:
    """A webhook on a real socket; `time` passes when the test says so."""

    webhook: Webhook
    house: House
    telegram: TelegramDouble
    url: str
    time: Moments

    async def post(self, body: bytes | str | None = None, *, secret: str | None = SECRET) -> tuple[int, str]:
        headers = {} if secret is None else {SECRET_HEADER: secret}
        data = json.dumps(UPDATE) if body is None else body
        raw = io.BytesIO(data.encode() if isinstance(data, str) else data)
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=raw, headers=headers) as response,
        ):
            return response.status, await response.text()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.ensure_future(self.webhook.run())
        try:
            yield
            assert not running.done(), running.exception()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def set(self, times: int) -> list[dict[str, Any]]:
        """Wait until the webhook was seen to so often; what was set so far."""
        await self.telegram.until(lambda: len(self.time.slept) >= times)
        return [dict(call.arguments) for call in self.telegram.calls_of("setWebhook")]

    async def later(self) -> None:
        await self.time.pass_(CHECKED)


@asynccontextmanager
async def door(
    telegram: TelegramDouble, house: House | None = None, *, secret: str = SECRET
) -> AsyncIterator[Door]:
    house, time = house or House(), Moments()
    variables = {**telegram.environment("webhook"), "TELEGRAM_WEBHOOK_SECRET": secret}
    settings = TelegramSettings.read(
        ChannelOptions(
            public_url="https://chat.example.com",
            variables={name: SecretStr(value) for name, value in variables.items()},
        )
    )
    async with open_api(token=settings.token, settings=settings, backoff=0.0) as api:
        webhook = Webhook(
            api=api,
            inbox=Inbox(desk=house, api=api),  # type: ignore[arg-type]
            shelf=house.notes,
            url=ADDRESS,
            token=SecretStr(settings.token),
            secret=SecretStr(secret),
            sleep=time.sleep,
            backoff=Backoff(what="setWebhook", spread=lambda _, most: most),
        )
        application = web.Application()
        application.add_routes(webhook.routes())
        async with TestServer(application) as server:
            yield Door(
                webhook=webhook,
                house=house,
                telegram=telegram,
                url=str(server.make_url(WEBHOOK_PATH)),
                time=time,
            )


# -- what comes ------------------------------------------------------------------------------------------------


async def test_an_update_is_acknowledged_once_it_is_safe(telegram: TelegramDouble) -> None:
    async with door(telegram) as at:
        assert await at.post() == (200, "")
        assert await at.post() == (200, "")
    assert at.house.kept == {f"{telegram.me.id}/31": ("42/0", UPDATE)}


@pytest.mark.parametrize("secret", [None, "", "guessed", SECRET[:-1], SECRET + "x", "ünïcödé"])
async def test_who_does_not_know_the_secret_gets_a_401_and_no_word(
    telegram: TelegramDouble, secret: str | None
) -> None:
    async with door(telegram) as at:
        assert await at.post(secret=secret) == (401, "")
        assert await at.post("x" * 2_000_000, secret=secret) == (401, "")
    assert not at.house.kept


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "7", "null", '"x"', "{}", '{"update_id": "x"}', "[" * 100_000, b"\xff\xfe"]
)
async def test_what_is_no_update_is_refused(telegram: TelegramDouble, body: str | bytes) -> None:
    async with door(telegram) as at:
        assert await at.post(body) == (400, "")
    assert not at.house.kept


async def test_an_update_has_a_mebibyte(telegram: TelegramDouble) -> None:
    full = json.dumps({**UPDATE, "padding": "x" * 1024 * 1023})
    async with door(telegram) as at:
        status, _ = await at.post(json.dumps({**UPDATE, "update_id": 32, "padding": "x" * 1024 * 1024}))
        assert status == 413
        assert not at.house.kept
        assert (await at.post(full))[0] == 200


async def test_what_cannot_be_kept_is_not_acknowledged(telegram: TelegramDouble) -> None:
    async with door(telegram) as at:
        at.house.away = True
        assert (await at.post())[0] == 503
        at.house.away = False
        assert (await at.post())[0] == 200
    assert len(at.house.kept) == 1


async def test_nothing_is_acknowledged_while_nobody_knows_who_we_are(telegram: TelegramDouble) -> None:
    telegram.fail("getMe", status=401)
    async with door(telegram) as at:
        assert (await at.post())[0] == 503
        assert (await at.post())[0] == 200


async def test_what_cannot_be_read_is_acknowledged_and_kept(telegram: TelegramDouble) -> None:
    async with door(telegram) as at:
        poison = {"update_id": 9, "message": {"date": "yesterday"}}
        assert (await at.post(json.dumps(poison)))[0] == 200
    assert at.house.kept == {f"{telegram.me.id}/9": ("update/9", poison)}


async def test_telegram_brings_again_what_was_not_acknowledged(telegram: TelegramDouble) -> None:
    ann = telegram.person("Ann")
    async with door(telegram) as at:
        at.house.away = True
        telegram.webhook_url = at.url
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: telegram.deliveries)
        at.house.away = False
        await telegram.until(lambda: not telegram.unconfirmed)
    assert telegram.deliveries[0].status == 503
    assert len(at.house.kept) == 1


# -- that it comes ---------------------------------------------------------------------------------------------


async def test_telegram_is_told_where_to_send_and_what(telegram: TelegramDouble) -> None:
    async with door(telegram) as at, at.running():
        (told,) = await at.set(1)
        assert told == {
            "url": ADDRESS,
            "secret_token": SECRET,
            "allowed_updates": list(HANDLED),
            "max_connections": 40,
            "drop_pending_updates": False,
        }


async def test_what_telegram_knows_is_not_told_again(telegram: TelegramDouble) -> None:
    house = House()
    async with door(telegram, house) as at, at.running():
        assert len(await at.set(1)) == 1
        await at.later()
        assert len(await at.set(2)) == 1
    async with door(telegram, house) as at, at.running():  # after a restart
        assert len(await at.set(1)) == 1


async def test_another_secret_is_told(telegram: TelegramDouble) -> None:
    house = House()
    async with door(telegram, house) as at, at.running():
        await at.set(1)
    async with door(telegram, house, secret="another-secret-of-the-tests") as at, at.running():
        assert (await at.set(1))[-1]["secret_token"] == "another-secret-of-the-tests"
    kept = house.notes.notes[NOTE][0]
    assert SECRET not in kept
    assert "another" not in kept


async def test_a_webhook_that_somebody_took_away_is_set_again(telegram: TelegramDouble) -> None:
    async with door(telegram) as at, at.running():
        await at.set(1)
        telegram.settings.webhook.url = "https://elsewhere.example.com"
        await at.later()
        assert len(await at.set(2)) == 2
        assert telegram.settings.webhook.url == ADDRESS


async def test_kinds_of_updates_that_are_missing_are_asked_for(telegram: TelegramDouble) -> None:
    async with door(telegram) as at, at.running():
        await at.set(1)
        telegram.updates.allowed = ("message",)
        await at.later()
        assert len(await at.set(2)) == 2


async def test_a_server_that_does_not_know_the_newest_kind_is_not_told_of_it_for_ever(
    telegram: TelegramDouble,
) -> None:
    async with door(telegram) as at, at.running():
        await at.set(1)
        telegram.updates.allowed = tuple(kind for kind in HANDLED if kind != "stopped_message_generation")
        await at.later()
        assert len(await at.set(2)) == 1


@pytest.mark.parametrize("method", ["getWebhookInfo", "setWebhook"])
async def test_a_failure_is_told_and_tried_again(
    telegram: TelegramDouble, logged: Logged, method: str
) -> None:
    telegram.fail(method, status=400, description="Bad Request: bad webhook: getaddrinfo")
    async with door(telegram) as at, at.running():
        await at.set(1)
        assert [entry["cause"] for entry in logged if entry["log_level"] == "warning"] == ["bad_request"]
        await at.time.pass_(1)
        await telegram.until(lambda: telegram.settings.webhook.url == ADDRESS)


async def test_a_shelf_that_is_away_only_delays(telegram: TelegramDouble) -> None:
    async with door(telegram) as at:
        at.house.notes.away = True
        async with at.running():
            assert await at.set(1) == []
            at.house.notes.away = False
            await at.time.pass_(1)
            await telegram.until(lambda: telegram.settings.webhook.url == ADDRESS)


async def test_what_telegram_could_not_deliver_is_told_to_the_operator(
    telegram: TelegramDouble, logged: Logged
) -> None:
    async with door(telegram) as at, at.running():
        await at.set(1)
        at.house.away = True
        telegram.webhook_url = at.url
        ann = telegram.person("Ann")
        await telegram.say(ann, telegram.private(ann), "hello")
        await telegram.until(lambda: telegram.settings.webhook.error)
        await at.later()
        await at.set(2)
    assert "Wrong response from the webhook: 503" in [entry.get("said") for entry in logged]


async def test_the_secret_is_never_logged(
    telegram: TelegramDouble, logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.fail("setWebhook", status=500, times=2)
    telegram.fail("setWebhook", status=400)
    async with door(telegram) as at, at.running():
        await at.post(secret="guessed")
        await at.set(1)
        await at.time.pass_(1)
        await telegram.until(lambda: telegram.settings.webhook.url == ADDRESS)
        assert SECRET not in f"{logged}{caplog.text}{at.webhook!r}"
