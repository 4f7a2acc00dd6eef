"""What proves who somebody is: compared in the same time wherever it is wrong, and told to nobody but its reader."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError

from bot.channels.slack.api import SlackFailure, open_api
from bot.channels.slack.installation import OAuthClient, OneWorkspace
from bot.channels.slack.scopes import SCOPES
from bot.channels.slack.socket import NotConnected, Sockets
from bot.channels.telegram import wire
from bot.channels.telegram.failure import TelegramFailure
from bot.channels.telegram.webhook import SECRET_HEADER, Webhook
from bot.gateway.access import Access
from bot.gateway.errors import Unauthorized
from bot.settings import Settings
from tests.bot.channels.house import House
from tests.bot.channels.slack.house import office
from tests.slack_double import SlackDouble

Compared = list[tuple[Any, Any]]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Compared:
    """What was compared in constant time; the real comparison goes on."""
    seen: Compared = []
    real = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        seen.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return seen


async def test_an_operator_key_is_compared_with_all_of_them_as_digests(compared: Compared) -> None:
    keys = ("first-operator-key", "second-operator-key")
    access = Access(settings=Settings(api_keys=keys, _env_file=None), store=None)  # type: ignore[arg-type, call-arg]

    def asking(key: str) -> web.Request:
        return make_mocked_request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})

    assert (await access.caller(asking("first-operator-key"))).name == "operator"
    digests = [hashlib.sha256(key.encode()).digest() for key in keys]
    assert [other for _, other in compared] == digests  # the second, too, though the first was right
    with pytest.raises(Unauthorized):
        await access.caller(asking("wrong-\u00fc-wrong-key"))
    assert len(compared) == 4


async def test_slacks_signature_is_compared_in_constant_time(compared: Compared) -> None:
    async with (
        SlackDouble.open(scopes=SCOPES) as slack,
        office(slack, House()) as at,
        aiohttp.ClientSession() as session,
    ):
        for signature in ("v0=guessed", "v0=" + "0" * 64):
            headers = {
                "Content-Type": "application/json",
                "X-Slack-Request-Timestamp": str(int(time.time())),
                "X-Slack-Signature": signature,
            }
            async with session.post(at.slack.url, data=b"{}", headers=headers) as response:
                assert response.status == 401
            assert signature in compared.pop()


@pytest.mark.parametrize("given", [None, "", "guessed", "a-long-secret-of-the-webhooks", "\u00fc"])
async def test_telegrams_secret_is_compared_in_constant_time(given: str | None, compared: Compared) -> None:
    secret = "a-long-secret-of-the-webhook"
    webhook = Webhook(
        api=None,  # type: ignore[arg-type]
        inbox=None,  # type: ignore[arg-type]
        shelf=None,  # type: ignore[arg-type]
        url="https://chat.example/telegram/updates",
        token=SecretStr("1:a"),
        secret=SecretStr(secret),
    )
    headers = {} if given is None else {SECRET_HEADER: given}
    answer = await webhook.delivered(make_mocked_request("POST", "/telegram/updates", headers=headers))
    assert answer.status == 401
    assert compared == [((given or "").encode(), secret.encode())]


# -- redirects -----------------------------------------------------------------------------------------------------


@dataclass
class Elsewhere:
    """A server that passes everything on to another one, and what that one hears."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    at = Elsewhere()

    async def hears(request: web.Request) -> web.Response:
        at.heard.append(f"{request.path} {dict(request.headers)} {await request.text()}")
        return web.json_response({"ok": True, "result": True})

    async def passes_on(request: web.Request) -> web.Response:
        at.asked.append(request.path)
        raise web.HTTPTemporaryRedirect(f"{stranger.make_url('/')}{request.path_qs.lstrip('/')}")

    async with AsyncExitStack() as stack:
        servers = []
        for answer in (hears, passes_on):
            application = web.Application()
            application.router.add_route("*", "/{anything:.*}", answer)
            servers.append(await stack.enter_async_context(TestServer(application)))
        stranger, first = servers
        at.url = str(first.make_url("/")).rstrip("/")
        yield at


async def _slack_call(url: str) -> None:
    async with open_api(tokens=OneWorkspace(SecretStr("xoxb-1")), url=f"{url}/api/", backoff=0.001) as api:
        await api.call("T1", "chat.postMessage", channel="C1", text="hello")


async def _slack_oauth(url: str) -> None:
    client = OAuthClient(f"{url}/api/")
    await client.oauth_v2_access(client_id="1.2", client_secret="c", code="worth-a-token")


async def _slack_socket(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = Sockets(app=None, token=SecretStr("xapp-1"), url=f"{url}/api/", session=session)  # type: ignore[arg-type]
        await sockets._ticket()


async def _telegram_call(url: str) -> None:
    async with wire.opened(token="1:a", base_url=f"{url}/bot", base_file_url=f"{url}/file/bot") as opened:
        await opened.exchange("getMe", {}, within=5.0)


async def _telegram_file(url: str) -> None:
    async with wire.opened(token="1:a", base_url=f"{url}/bot", base_file_url=f"{url}/file/bot") as opened:
        await opened.fetch("documents/1.txt", limit=100, within=5.0)


@pytest.mark.parametrize("call", [_slack_call, _slack_oauth, _slack_socket, _telegram_call, _telegram_file])
async def test_no_redirect_takes_a_token_elsewhere(
    call: Callable[[str], Awaitable[None]], elsewhere: Elsewhere
) -> None:
    with pytest.raises((SlackFailure, SlackApiError, NotConnected, TelegramFailure)):
        await call(elsewhere.url)
    assert len(elsewhere.asked) >= 1
    assert elsewhere.heard == []
