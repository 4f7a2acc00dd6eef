"""The doctor names what is wrong with an installation and what to do; it takes nothing away and tells no secret."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.channels.base import ChannelOptions
from bot.channels.telegram import doctor, settings
from bot.channels.telegram.api import open_api
from bot.channels.telegram.doctor import examine
from bot.channels.telegram.menu import publish
from bot.channels.telegram.poller import LEASE
from bot.channels.telegram.settings import WEBHOOK_PATH, TelegramSettings
from bot.channels.telegram.webhook import Webhook
from bot.finding import Finding
from tests.bot.channels.shelf import MemoryShelf
from tests.telegram_double import TelegramDouble
from tests.telegram_double import settings as double
from tests.telegram_double.answers import METHODS

NOWHERE = "http://127.0.0.1:9"


def options(variables: dict[str, str], public_url: str = "") -> ChannelOptions:
    return ChannelOptions(
        variables={name: SecretStr(value) for name, value in variables.items()}, public_url=public_url
    )


async def found(
    variables: dict[str, str], public_url: str = "", *, shelf: MemoryShelf | None = None, listen: int = 0
) -> dict[str, Finding]:
    findings = await examine(options(variables, public_url), shelf=shelf, listen=listen)
    assert len({finding.what for finding in findings}) == len(findings)
    return {finding.what: finding for finding in findings}


async def test_nothing_set_up_is_no_mistake() -> None:
    (finding,) = await examine(options({}))
    assert (finding.state, finding.said) == ("ok", "not set up")


async def test_wrong_variables_are_named_and_nobody_is_asked(telegram: TelegramDouble) -> None:
    variables = telegram.environment() | {"TELEGRAM_GROUPS": "ours", "TELEGRAM_RICH": "rather"}
    findings = await found(variables)
    assert {what: finding.state for what, finding in findings.items()} == {
        "TELEGRAM_GROUPS": "fail",
        "TELEGRAM_RICH": "fail",
    }
    assert telegram.calls == []


async def test_a_good_installation_is_well(telegram: TelegramDouble) -> None:
    shelf = MemoryShelf()
    own = TelegramSettings.read(options(telegram.environment()))
    async with open_api(token=own.token, settings=own) as api:
        await publish(api, shelf)
    findings = await found(telegram.environment(), shelf=shelf)
    assert {what: finding.state for what, finding in findings.items()} == {
        "TELEGRAM_API_URL": "ok",
        "TELEGRAM_BOT_TOKEN": "ok",
        "groups": "ok",
        "commands": "ok",
        "fetching": "ok",
    }
    assert "@frontdesk_bot" in findings["TELEGRAM_BOT_TOKEN"].said
    assert "logOut" in findings["TELEGRAM_API_URL"].todo


# -- the token ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 401}, "does not know this token"),
        ({"status": 404, "description": "Not Found"}, "knows no such bot"),
        ({"status": 502, "html": True}, "http_502"),
        ({"dropped": True}, "cannot be reached"),
        ({"retry_after": 300}, "slow down"),
        ({"status": 400, "description": "Bad Request: something new"}, "something new"),
    ],
)
async def test_a_token_that_does_not_work_is_told_with_what_to_do(
    telegram: TelegramDouble, fault: dict[str, Any], said: str
) -> None:
    telegram.fail("getMe", times=None, **fault)
    findings = await found(telegram.environment(), shelf=MemoryShelf())
    assert findings["TELEGRAM_BOT_TOKEN"].state == "fail"
    assert said in findings["TELEGRAM_BOT_TOKEN"].said
    assert findings["TELEGRAM_BOT_TOKEN"].todo
    assert set(findings) == {"TELEGRAM_API_URL", "TELEGRAM_BOT_TOKEN"}


async def test_a_telegram_that_cannot_be_reached_is_said(telegram: TelegramDouble) -> None:
    findings = await found(telegram.environment() | {"TELEGRAM_API_URL": NOWHERE})
    assert "cannot be reached" in findings["TELEGRAM_BOT_TOKEN"].said


async def test_a_telegram_that_never_answers_is_given_up(
    telegram: TelegramDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.05)
    telegram.fail("getMe", hang=60.0)
    assert "does not answer" in (await found(telegram.environment()))["TELEGRAM_BOT_TOKEN"].said


@pytest.mark.parametrize("method", ["getMyCommands", "getWebhookInfo"])
async def test_a_later_question_that_fails_leaves_what_was_found(
    telegram: TelegramDouble, method: str
) -> None:
    telegram.fail(method, status=400, description="Bad Request: not today")
    findings = await found(telegram.environment(), shelf=MemoryShelf())
    assert (findings["TELEGRAM_BOT_TOKEN"].state, findings["groups"].state) == ("ok", "ok")
    assert (findings[method].state, "not today" in findings[method].said) == ("fail", True)


async def test_telegrams_own_server_needs_no_word(
    telegram: TelegramDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "API_URL", telegram.url)
    assert "TELEGRAM_API_URL" not in await found(telegram.environment())


async def test_a_token_that_travels_unencrypted_is_warned_of(telegram: TelegramDouble) -> None:
    variables = telegram.environment() | {"TELEGRAM_API_URL": "http://bot-api.invalid:8081"}
    findings = await found(variables)
    assert findings["TELEGRAM_API_URL"].state == "warn"
    assert "bot-api.invalid" in findings["TELEGRAM_API_URL"].said


async def test_no_finding_tells_a_secret(telegram: TelegramDouble) -> None:
    telegram.fail("getMe", status=400, description=f"echo of {telegram.token.replace(':', '%3A')}")
    (*_, finding) = await examine(options(telegram.environment()))
    assert finding.state == "fail"
    assert "echo of" in finding.said
    assert telegram.token.partition(":")[2] not in str(finding)


# -- groups and commands -----------------------------------------------------------------------------------------


async def test_privacy_mode_is_warned_of_with_the_way_out(telegram: TelegramDouble) -> None:
    telegram.settings.reads_groups = False
    finding = (await found(telegram.environment()))["groups"]
    assert (finding.state, "/setprivacy" in finding.todo) == ("warn", True)


async def test_a_bot_that_joins_no_groups_needs_no_such_advice(
    telegram: TelegramDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = telegram.me.as_telegram() | {"can_join_groups": False, "can_read_all_group_messages": False}
    monkeypatch.setitem(METHODS, "getMe", lambda asked: me)
    finding = (await found(telegram.environment()))["groups"]
    assert (finding.state, "/setjoingroups" in finding.todo) == ("ok", True)


@pytest.mark.parametrize("method", ["getMe", "getMyCommands", "getWebhookInfo"])
async def test_a_server_that_answers_something_else_is_no_telegram(
    telegram: TelegramDouble, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setitem(METHODS, method, lambda asked: "something else")
    (*_, finding) = await examine(options(telegram.environment()))
    assert (finding.state, finding.said) == ("fail", "what answers is not Telegram")


async def test_a_new_bot_has_no_menu_yet(telegram: TelegramDouble) -> None:
    finding = (await found(telegram.environment()))["commands"]
    assert (finding.state, finding.todo) == ("warn", "start Frontdesk, which sets them")


async def test_another_menu_than_ours_is_named_with_where_it_stands(telegram: TelegramDouble) -> None:
    own = TelegramSettings.read(options(telegram.environment()))
    async with open_api(token=own.token, settings=own) as api:
        await publish(api, MemoryShelf())
        await api.call("deleteMyCommands", scope={"type": "all_group_chats"})
    finding = (await found(telegram.environment()))["commands"]
    assert (finding.state, finding.said) == ("warn", "other commands than ours are offered in groups")


# -- fetching ----------------------------------------------------------------------------------------------------


async def test_a_frontdesk_that_fetches_is_not_disturbed(telegram: TelegramDouble) -> None:
    shelf = MemoryShelf()
    assert await shelf.claim(LEASE, "a Frontdesk", seconds=60.0)
    finding = (await found(telegram.environment(), shelf=shelf))["fetching"]
    assert (finding.state, "a Frontdesk fetches" in finding.said) == ("ok", True)
    assert telegram.polls == []
    assert await shelf.get(LEASE) == "a Frontdesk"


async def test_looking_for_others_takes_nothing_away_and_changes_nothing(telegram: TelegramDouble) -> None:
    shelf = MemoryShelf()
    telegram.updates.allowed = ("message", "message_reaction")
    ann = telegram.person("Ann")
    await telegram.say(ann, telegram.private(ann), "Hello")
    finding = (await found(telegram.environment(), shelf=shelf))["fetching"]
    assert (finding.state, finding.said) == ("warn", "nobody does; 1 wait")
    assert len(telegram.unconfirmed) == 1
    assert telegram.updates.allowed == ("message", "message_reaction")
    assert await shelf.get(LEASE) is None
    assert telegram.calls_of("deleteWebhook") == []


async def test_what_else_goes_wrong_with_the_look_is_told_and_the_lease_given_back(
    telegram: TelegramDouble,
) -> None:
    shelf = MemoryShelf()
    telegram.fail("getUpdates", status=400, description="Bad Request: not today")
    findings = await found(telegram.environment(), shelf=shelf)
    assert (findings["getUpdates"].state, "not today" in findings["getUpdates"].said) == ("fail", True)
    assert await shelf.get(LEASE) is None


async def test_another_program_that_fetches_is_found_out(telegram: TelegramDouble) -> None:
    shelf = MemoryShelf()
    looking = asyncio.ensure_future(found(telegram.environment(), shelf=shelf, listen=30))
    await telegram.until(lambda: telegram.polls)
    assert await shelf.get(LEASE) is not None
    async with (
        aiohttp.ClientSession() as other,
        other.post(f"{telegram.url}/bot{telegram.token}/getUpdates") as answer,
    ):
        assert answer.status == 200
    finding = (await looking)["fetching"]
    assert (finding.state, "another program" in finding.said) == ("fail", True)
    assert await shelf.get(LEASE) is None


async def test_a_webhook_of_somebody_else_is_named_by_its_host_alone(telegram: TelegramDouble) -> None:
    telegram.settings.webhook = double.Webhook(url="https://other.example/a-secret-path")
    finding = (await found(telegram.environment(), shelf=MemoryShelf()))["fetching"]
    assert (finding.state, "other.example" in finding.said) == ("warn", True)
    assert "a-secret-path" not in str(finding)
    assert telegram.polls == []


async def test_without_the_database_nobody_is_disturbed(telegram: TelegramDouble) -> None:
    assert "cannot be told" in (await found(telegram.environment()))["fetching"].said
    finding = (await found(telegram.environment(), shelf=MemoryShelf(away=True)))["fetching"]
    assert (finding.state, finding.said) == ("fail", "the database is away")
    assert telegram.polls == []


# -- the webhook -------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(telegram: TelegramDouble) -> AsyncIterator[str]:
    """The address of a Frontdesk whose door is the real one; behind it nothing can be taken in."""
    nobody = cast(Any, None)
    webhook = Webhook(
        api=nobody,
        inbox=nobody,
        shelf=MemoryShelf(),
        url="",
        token=SecretStr(telegram.token),
        secret=SecretStr(telegram.webhook_secret),
    )
    application = web.Application()
    application.add_routes(webhook.routes())
    async with TestServer(application) as running:
        yield str(running.make_url("")).rstrip("/")


async def test_a_webhook_that_is_ours_and_a_door_that_knows_the_secret_are_well(
    telegram: TelegramDouble, server: str
) -> None:
    telegram.settings.webhook = double.Webhook(url=server + WEBHOOK_PATH)
    findings = await found(telegram.environment("webhook"), server + "/")
    assert (findings["webhook"].state, findings["webhook"].said) == ("ok", "set; nothing waits")
    assert findings["TELEGRAM_WEBHOOK_SECRET"].state == "ok"
    assert telegram.polls == []


@pytest.mark.parametrize(
    ("url", "state", "said"),
    [("", "warn", "not set"), ("https://other.example/a-secret-path", "fail", "other.example")],
)
async def test_a_webhook_that_is_not_ours_is_found_out(
    telegram: TelegramDouble, server: str, url: str, state: str, said: str
) -> None:
    telegram.settings.webhook = double.Webhook(url=url)
    finding = (await found(telegram.environment("webhook"), server))["webhook"]
    assert (finding.state, said in finding.said) == (state, True)
    assert "a-secret-path" not in str(finding)


async def test_what_telegram_cannot_deliver_is_told_in_its_words(
    telegram: TelegramDouble, server: str
) -> None:
    telegram.settings.webhook = double.Webhook(url=server + WEBHOOK_PATH, secret="one-of-long-ago")
    ann = telegram.person("Ann")
    await telegram.say(ann, telegram.private(ann), "Hello")
    await telegram.until(lambda: telegram.deliveries)
    finding = (await found(telegram.environment("webhook"), server))["webhook"]
    assert finding.state == "fail"
    assert "Wrong response from the webhook: 401" in finding.said
    assert "1 wait" in finding.said


@pytest.mark.parametrize(("ago", "state"), [(60, "warn"), (86_400, "ok")])
async def test_trouble_that_is_over_is_told_for_a_while(
    telegram: TelegramDouble, server: str, ago: int, state: str
) -> None:
    telegram.settings.webhook = double.Webhook(
        url=server + WEBHOOK_PATH, error="Connection refused", error_at=int(time.time()) - ago
    )
    assert (await found(telegram.environment("webhook"), server))["webhook"].state == state


async def test_another_secret_than_the_servers_is_found_out(telegram: TelegramDouble, server: str) -> None:
    variables = telegram.environment("webhook") | {"TELEGRAM_WEBHOOK_SECRET": "another-word-of-the-tests"}
    finding = (await found(variables, server))["TELEGRAM_WEBHOOK_SECRET"]
    assert (finding.state, "refuses" in finding.said) == ("fail", True)
    assert "another-word" not in str(finding)


@pytest.mark.parametrize("where", ["nowhere", "the double", "one that takes everything"])
async def test_an_address_that_leads_elsewhere_is_found_out(telegram: TelegramDouble, where: str) -> None:
    async def takes(request: web.Request) -> web.Response:
        return web.Response()

    application = web.Application()
    application.router.add_post(WEBHOOK_PATH, takes)
    async with TestServer(application) as other:
        urls = {"nowhere": NOWHERE, "the double": telegram.url}
        url = urls.get(where, str(other.make_url("")).rstrip("/"))
        finding = (await found(telegram.environment("webhook"), url))["TELEGRAM_WEBHOOK_SECRET"]
    assert (finding.state, url in finding.said) == ("fail", True)
