"""Installing in a browser: out to Slack, back with a code, and what may go wrong between."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet
from pydantic import SecretStr

from bot.channels.slack.installation import ManyWorkspaces, open_installations
from bot.channels.slack.oauth import BoltInstallations, open_oauth
from bot.channels.slack.scopes import SCOPES
from bot.channels.slack.settings import SlackSettings
from tests.bot.channels.shelf import MemoryShelf
from tests.slack_double import SlackDouble

PUBLIC = "https://chat.example"


@dataclass
class Browser:
    """Somebody who installs Frontdesk; the cookie goes where https would carry it."""

    http: TestClient[web.Request, web.Application]
    many: ManyWorkspaces
    shelf: MemoryShelf
    slack: SlackDouble
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **query: str) -> tuple[aiohttp.ClientResponse, str]:
        headers = {"Cookie": self.cookie, **self.headers}
        async with self.http.get(path, params=query, headers=headers, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def begin(self, **query: str) -> dict[str, list[str]]:
        """Go to the first page; returns what Slack is asked for."""
        answer, _ = await self.get("/slack/install", **query)
        assert answer.status == 302
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return parse_qs(urlsplit(answer.headers["Location"]).query)

    async def come_back(self, state: str, code: str = "") -> tuple[aiohttp.ClientResponse, str]:
        return await self.get(
            "/slack/oauth_redirect", state=state, code=code or self.slack.app.grant(self.slack.home)
        )


@pytest.fixture
async def browser(slack: SlackDouble) -> AsyncIterator[Browser]:
    settings = SlackSettings(
        client_id=slack.app.client_id,
        client_secret=SecretStr(slack.app.client_secret),
        signing_secret=SecretStr(slack.app.signing_secret),
        api_url=slack.api_url,
    )
    shelf = MemoryShelf()
    keys = [SecretStr(Fernet.generate_key().decode())]
    many = open_installations(settings, keys=keys, shelf=shelf)
    assert isinstance(many, ManyWorkspaces)
    application = web.Application()
    oauth = open_oauth(settings, workspaces=many, shelf=shelf, public_url=PUBLIC)
    application.add_routes(oauth.routes())
    server = TestServer(application)
    async with TestClient(server, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Browser(http, many, shelf, slack)


async def test_a_workspace_installs_and_has_a_token(browser: Browser) -> None:
    asked = await browser.begin()
    answer, page = await browser.come_back(asked["state"][0])
    assert answer.status == 200
    assert "Frontdesk is installed in Home" in page
    home = browser.slack.home
    installed = await browser.many.find(home.team)
    assert installed is not None
    assert (installed.token, installed.bot, installed.bot_user) == (home.bot_token, home.bot_id, home.bot)
    assert home.bot_token not in str(browser.shelf.notes)
    assert f"app={browser.slack.app.id}&amp;team={home.team}" in page


async def test_slack_is_asked_for_our_scopes_and_told_our_address(browser: Browser) -> None:
    answer, _ = await browser.get("/slack/install", team="T0HOME")
    location = answer.headers["Location"]
    assert location.startswith(f"{browser.slack.base_url}/oauth/v2/authorize?")
    asked = parse_qs(urlsplit(location).query)
    assert asked["scope"][0].split(",") == list(SCOPES)
    assert asked["redirect_uri"] == [f"{PUBLIC}/slack/oauth_redirect"]
    assert asked["team"] == ["T0HOME"]
    assert asked["client_id"] == [browser.slack.app.client_id]
    cookie = answer.headers["Set-Cookie"]
    assert re.search(r"(?i)httponly", cookie)
    assert re.search(r"(?i)secure", cookie)


async def test_a_foreign_word_for_the_team_adds_nothing_to_slacks_address(browser: Browser) -> None:
    asked = await browser.begin(team="T1&redirect_uri=https://evil.example")
    assert asked["redirect_uri"] == [f"{PUBLIC}/slack/oauth_redirect"]
    assert "team" not in asked


async def test_a_workspace_that_installs_again_has_the_new_token(browser: Browser) -> None:
    for token in ("xoxb-first-tests", "xoxb-second-tests"):
        browser.slack.home.bot_token = token
        asked = await browser.begin()
        await browser.come_back(asked["state"][0])
        assert await browser.many.token(browser.slack.home.team) == token


async def test_tokens_that_end_are_kept_with_what_renews_them(browser: Browser) -> None:
    browser.slack.app.rotating = True
    asked = await browser.begin()
    await browser.come_back(asked["state"][0])
    installed = await browser.many.find(browser.slack.home.team)
    assert installed is not None
    assert installed.refresh.startswith("xoxe-1-")
    assert installed.until > installed.at + 11 * 3600


async def test_another_browser_cannot_finish_what_this_one_began(browser: Browser) -> None:
    asked = await browser.begin()
    browser.cookie = ""
    answer, page = await browser.come_back(asked["state"][0])
    assert answer.status == 400
    assert "in another browser" in page
    assert "/slack/install" in page
    assert await browser.many.teams() == []


async def test_a_way_back_is_good_once(browser: Browser) -> None:
    asked = await browser.begin()
    cookie = browser.cookie
    await browser.come_back(asked["state"][0])
    browser.cookie = cookie
    answer, page = await browser.come_back(asked["state"][0])
    assert answer.status == 401
    assert "too late" in page


async def test_a_way_back_ends_after_a_while(browser: Browser) -> None:
    now = [0.0]
    browser.shelf.clock = lambda: now[0]
    asked = await browser.begin()
    now[0] = 601.0
    answer, _ = await browser.come_back(asked["state"][0])
    assert answer.status == 401


async def test_a_state_of_any_other_shape_does_not_reach_the_shelf(browser: Browser) -> None:
    browser.shelf.away = True
    browser.cookie = "slack-app-oauth-state=x"
    answer, _ = await browser.come_back("x")
    assert answer.status == 401


async def test_a_code_that_slack_does_not_know_installs_nothing(browser: Browser) -> None:
    asked = await browser.begin()
    answer, page = await browser.come_back(asked["state"][0], code="stolen")
    assert answer.status == 401
    assert "could not be installed" in page
    assert await browser.many.teams() == []


async def test_a_person_who_says_no_is_told_so_in_their_language(browser: Browser) -> None:
    browser.headers = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
    answer, page = await browser.get("/slack/oauth_redirect", error="access_denied", state="x")
    assert answer.status == 200
    assert 'lang="zh"' in page
    assert "取消" in page


async def test_what_stands_in_the_address_is_not_repeated_on_the_page(browser: Browser) -> None:
    _, page = await browser.get("/slack/oauth_redirect", error="<script>alert(1)</script>")
    assert "script" not in page


async def test_pages_may_not_be_framed_kept_or_told_on(browser: Browser) -> None:
    answer, _ = await browser.get("/slack/oauth_redirect", error="access_denied")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_a_database_or_a_slack_that_is_away_is_said_and_can_be_tried_again(browser: Browser) -> None:
    browser.shelf.away = True
    answer, page = await browser.get("/slack/install")
    assert answer.status == 503
    assert "/slack/install" in page
    browser.shelf.away = False
    asked = await browser.begin()
    browser.slack.fail("oauth.v2.access", dropped=True)
    answer, _ = await browser.come_back(asked["state"][0])
    assert answer.status == 503


async def test_a_database_that_goes_away_before_the_token_is_kept_is_a_failure(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await browser.begin()
    taken = browser.shelf.take

    async def last(name: str) -> str | None:
        found = await taken(name)
        browser.shelf.away = True
        return found

    monkeypatch.setattr(browser.shelf, "take", last)
    answer, page = await browser.come_back(asked["state"][0])
    assert answer.status == 500
    assert "could not be installed" in page


async def test_a_flood_is_slowed_down_before_it_fills_the_shelf(browser: Browser) -> None:
    for _ in range(20):
        await browser.get("/slack/install")
    answer, _ = await browser.get("/slack/install")
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert len(browser.shelf.notes) == 20


async def test_neither_a_code_nor_a_token_is_logged(
    browser: Browser, logged: list[dict[str, object]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for code in ("", "stolen-code"):
        asked = await browser.begin()
        await browser.come_back(asked["state"][0], code=code)
    said = f"{logged} {[record.getMessage() for record in caplog.records if record.name != 'aiohttp.access']}"
    assert "stolen-code" not in said
    assert all(secret not in said for secret in browser.slack.secrets)


async def test_bolt_finds_the_bot_of_a_workspace(browser: Browser) -> None:
    store = BoltInstallations(browser.many)
    assert await store.async_find_bot(enterprise_id=None, team_id="T0HOME") is None
    asked = await browser.begin()
    await browser.come_back(asked["state"][0])
    bot = await store.async_find_bot(enterprise_id=None, team_id="T0HOME")
    assert bot is not None
    assert (bot.bot_token, bot.bot_user_id) == (browser.slack.home.bot_token, browser.slack.home.bot)
    assert bot.bot_refresh_token is None
