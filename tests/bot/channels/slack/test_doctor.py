"""The doctor names what is wrong with an installation and what to do; it changes nothing and tells no secret."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from pydantic import SecretStr
from slack_sdk.signature import SignatureVerifier

from bot.channels.base import ChannelOptions
from bot.channels.slack.doctor import examine
from bot.channels.slack.installation import Installed, ManyWorkspaces, open_installations
from bot.channels.slack.manifest import compare
from bot.channels.slack.settings import SlackSettings
from bot.finding import Finding
from tests.bot.channels.shelf import MemoryShelf
from tests.slack_double import SlackDouble

KEYS = (SecretStr(Fernet.generate_key().decode()),)
MANIFEST = Path(__file__).parents[4] / "deploy" / "slack-manifest.yaml"


def options(variables: dict[str, str], public_url: str = "") -> ChannelOptions:
    return ChannelOptions(
        variables={name: SecretStr(value) for name, value in variables.items()},
        public_url=public_url,
        keys=KEYS,
    )


def by(findings: list[Finding]) -> dict[str, Finding]:
    assert len({finding.what for finding in findings}) == len(findings)
    return {finding.what: finding for finding in findings}


@pytest.fixture
def oauth(slack: SlackDouble) -> dict[str, str]:
    return {
        "SLACK_API_URL": slack.api_url,
        "SLACK_CLIENT_ID": slack.app.client_id,
        "SLACK_CLIENT_SECRET": slack.app.client_secret,
        "SLACK_APP_TOKEN": slack.app.token,
    }


async def test_nothing_set_up_is_no_mistake() -> None:
    (finding,) = await examine(options({}))
    assert finding.state == "ok"
    assert "not set up" in finding.said


async def test_wrong_variables_are_named_and_nobody_is_asked() -> None:
    found = by(await examine(options({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_CHANNELS": "#general"})))
    assert found["SLACK_CHANNELS"].state == "fail"
    assert found["SLACK_CHANNELS"].said.startswith("it takes ids")


async def test_a_good_socket_installation_has_but_the_events_open(slack: SlackDouble) -> None:
    found = by(await examine(options(slack.environment())))
    assert {what: finding.state for what, finding in found.items()} == {
        "SLACK_BOT_TOKEN": "ok",
        "scopes in Home": "ok",
        "SLACK_APP_TOKEN": "ok",
        "app": "warn",
    }
    assert "Home" in found["SLACK_BOT_TOKEN"].said
    assert "SLACK_CONFIG_TOKEN" in found["app"].said


@pytest.mark.parametrize(
    "error", ["invalid_auth", "token_revoked", "account_inactive", "surprising_new_error"]
)
async def test_a_bad_token_is_told_with_what_to_do(slack: SlackDouble, error: str) -> None:
    slack.fail("auth.test", error, times=None)
    found = by(await examine(options(slack.environment())))
    assert found["SLACK_BOT_TOKEN"].state == "fail"
    assert found["SLACK_BOT_TOKEN"].todo
    assert "scopes in Home" not in found


async def test_missing_scopes_are_named_with_what_is_lost(slack: SlackDouble) -> None:
    slack.home.scopes = slack.home.scopes - {"files:read"}
    found = by(await examine(options(slack.environment())))["scopes in Home"]
    assert found.state == "warn"
    assert "files:read: no reading attached text files" in found.said
    assert "Reinstall" in found.todo
    slack.home.scopes = slack.home.scopes - {"chat:write"}
    assert by(await examine(options(slack.environment())))["scopes in Home"].state == "fail"


async def test_a_token_of_the_wrong_kind_does_not_open_sockets(slack: SlackDouble) -> None:
    variables = slack.environment() | {"SLACK_APP_TOKEN": "xapp-1-A0-other-tests"}
    assert by(await examine(options(variables)))["SLACK_APP_TOKEN"].state == "fail"
    slack.fail("apps.connections.open", "missing_scope")
    found = by(await examine(options(slack.environment())))["SLACK_APP_TOKEN"]
    assert "connections:write" in found.said


async def test_a_slack_that_cannot_be_reached_is_said(slack: SlackDouble) -> None:
    variables = slack.environment() | {"SLACK_API_URL": "http://127.0.0.1:9/api/"}
    found = by(await examine(options(variables)))
    assert "cannot be reached" in found["SLACK_BOT_TOKEN"].said


async def test_tokens_over_http_to_elsewhere_are_warned_of() -> None:
    variables = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    found = by(await examine(options(variables | {"SLACK_API_URL": "http://slack.invalid/api/"})))
    assert found["SLACK_API_URL"].state == "warn"


# -- HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(slack: SlackDouble) -> AsyncIterator[str]:
    """A Frontdesk that answers Slack's question whether it is there."""
    verifier = SignatureVerifier(slack.app.signing_secret)

    async def events(request: web.Request) -> web.Response:
        body = await request.text()
        if not verifier.is_valid_request(body, dict(request.headers)):
            return web.Response(status=401)
        return web.json_response({"challenge": json.loads(body)["challenge"]})

    application = web.Application()
    application.router.add_post("/slack/events", events)
    async with TestServer(application) as running:
        yield str(running.make_url("")).rstrip("/")


async def test_the_own_server_is_asked_as_slack_asks_it(slack: SlackDouble, server: str) -> None:
    found = by(await examine(options(slack.environment("http"), server)))
    assert found["SLACK_SIGNING_SECRET"].state == "ok"


async def test_another_secret_than_the_servers_is_found_out(slack: SlackDouble, server: str) -> None:
    variables = slack.environment("http") | {"SLACK_SIGNING_SECRET": "another-tests"}
    found = by(await examine(options(variables, server)))["SLACK_SIGNING_SECRET"]
    assert (found.state, "refuses" in found.said) == ("fail", True)
    assert "another-tests" not in str(found)


@pytest.mark.parametrize(
    ("public_url", "state"), [("", "warn"), ("http://127.0.0.1:9", "fail"), ("the double", "fail")]
)
async def test_an_address_that_leads_elsewhere_is_found_out(
    slack: SlackDouble, public_url: str, state: str
) -> None:
    url = slack.base_url if public_url == "the double" else public_url
    assert by(await examine(options(slack.environment("http"), url)))["SLACK_SIGNING_SECRET"].state == state


# -- OAuth -------------------------------------------------------------------------------------------------------


async def installed(shelf: MemoryShelf, oauth: dict[str, str], slack: SlackDouble) -> ManyWorkspaces:
    settings = SlackSettings.read(options(oauth, "https://chat.example"))
    many = open_installations(settings, keys=KEYS, shelf=shelf)
    assert isinstance(many, ManyWorkspaces)
    home = slack.home
    await many.keep(
        Installed(
            team=home.team,
            enterprise="",
            name=home.name,
            app=slack.app.id,
            bot=home.bot_id,
            bot_user=home.bot,
            scopes=(),
            token=home.bot_token,
            at=1.0,
        )
    )
    return many


async def test_every_workspace_is_asked(slack: SlackDouble, oauth: dict[str, str]) -> None:
    shelf = MemoryShelf()
    await installed(shelf, oauth, slack)
    found = by(await examine(options(oauth, "https://chat.example"), shelf=shelf))
    assert found["SLACK_CLIENT_ID"].state == "ok"
    assert found["workspace Home"].state == "ok"
    assert "https://chat.example/slack/oauth_redirect" in found["installation"].said


async def test_a_workspace_that_threw_us_out_is_named(slack: SlackDouble, oauth: dict[str, str]) -> None:
    shelf = MemoryShelf()
    await installed(shelf, oauth, slack)
    slack.home.dead = "token_revoked"
    found = by(await examine(options(oauth, "https://chat.example"), shelf=shelf))
    assert found["workspace Home"].state == "fail"


async def test_a_token_that_no_key_opens_is_named(slack: SlackDouble, oauth: dict[str, str]) -> None:
    shelf = MemoryShelf()
    await installed(shelf, oauth, slack)
    shelf.notes["installed/T0HOME"] = ("gone", None)
    found = by(await examine(options(oauth, "https://chat.example"), shelf=shelf))
    assert "FRONTDESK_ENCRYPTION_KEYS" in found["workspace T0HOME"].todo


async def test_no_workspace_yet_and_a_database_away_are_different_things(
    slack: SlackDouble, oauth: dict[str, str]
) -> None:
    shelf = MemoryShelf()
    found = by(await examine(options(oauth, "https://chat.example"), shelf=shelf))
    assert found["workspaces"].state == "warn"
    assert by(await examine(options(oauth, "https://chat.example")))["workspaces"].state == "warn"
    shelf.away = True
    found = by(await examine(options(oauth, "https://chat.example"), shelf=shelf))
    assert (found["workspaces"].state, found["workspaces"].said) == ("fail", "the database is away")


@pytest.mark.parametrize("wrong", ["SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"])
async def test_a_wrong_client_is_found_out(slack: SlackDouble, oauth: dict[str, str], wrong: str) -> None:
    found = by(await examine(options(oauth | {wrong: "9.9"}, "https://chat.example")))
    assert found[wrong].state == "fail"


# -- the app as Slack has it -------------------------------------------------------------------------------------


@pytest.fixture
def app() -> dict[str, Any]:
    loaded = yaml.safe_load(MANIFEST.read_text())
    assert isinstance(loaded, dict)
    return loaded


SOCKET = SlackSettings(bot_token=SecretStr("xoxb-1"), app_token=SecretStr("xapp-1"))
HTTP = SlackSettings(bot_token=SecretStr("xoxb-1"), signing_secret=SecretStr("s"))
EVENTS = "https://chat.example/slack/events"


def differences(app: dict[str, Any], settings: SlackSettings = SOCKET) -> dict[str, Finding]:
    return by(compare(app, settings=settings, public_url="https://chat.example/"))


def test_our_own_manifest_has_all_that_is_needed(app: dict[str, Any]) -> None:
    assert [finding.state for finding in differences(app).values()] == ["ok"]


def test_a_manifest_for_http_has_all_that_is_needed(app: dict[str, Any]) -> None:
    app["settings"]["socket_mode_enabled"] = False
    assert set(differences(app, HTTP)) == {"Event Subscriptions", "Interactivity", "Slash Commands"}
    app["settings"]["event_subscriptions"]["request_url"] = EVENTS
    app["settings"]["interactivity"]["request_url"] = EVENTS
    app["features"]["slash_commands"][0]["url"] = EVENTS
    assert [finding.state for finding in differences(app, HTTP).values()] == ["ok"]
    app["settings"]["interactivity"]["request_url"] = "https://old.example/slack/events"
    found = differences(app, HTTP)["Interactivity"]
    assert "https://old.example" in found.said
    assert EVENTS in found.todo


def test_sockets_and_addresses_that_do_not_meet_are_found_out(app: dict[str, Any]) -> None:
    assert "SLACK_APP_TOKEN" in differences(app, HTTP)["Socket Mode"].todo
    app["settings"]["socket_mode_enabled"] = False
    assert differences(app, SOCKET)["Socket Mode"].state == "fail"


@pytest.mark.parametrize(
    ("path", "value", "what", "state"),
    [
        (("settings", "event_subscriptions", "bot_events"), ["app_mention"], "Event Subscriptions", "fail"),
        (("settings", "event_subscriptions"), None, "Event Subscriptions", "fail"),
        (("settings", "interactivity", "is_enabled"), False, "Interactivity", "fail"),
        (("oauth_config", "scopes", "bot"), ["chat:write"], "OAuth & Permissions", "fail"),
        (("features", "app_home", "messages_tab_enabled"), False, "App Home", "fail"),
        (("features", "app_home", "messages_tab_read_only_enabled"), True, "App Home", "fail"),
        (("features", "app_home", "home_tab_enabled"), False, "App Home", "warn"),
        (("features", "agent_view"), None, "Agents", "warn"),
        (("features", "slash_commands"), [], "Slash Commands", "warn"),
        (("features", "shortcuts"), ["odd"], "Shortcuts", "warn"),
    ],
)
def test_each_thing_that_is_missing_is_found(
    app: dict[str, Any], path: tuple[str, ...], value: object, what: str, state: str
) -> None:
    changed = copy.deepcopy(app)
    part = changed
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    found = differences(changed)
    assert list(found) == [what]
    assert found[what].state == state
    assert found[what].todo


@pytest.fixture
async def configuring(app: dict[str, Any], slack: SlackDouble) -> AsyncIterator[str]:
    """A Slack that tells an app's manifest to who has a configuration token; the reference's example has no more."""

    async def export(request: web.Request) -> web.Response:
        asked = await request.post()
        assert request.headers["Authorization"] == "Bearer xoxe.xoxp-1-tests"
        assert asked["app_id"] == "A0FRONTDESK"
        return web.json_response({"ok": True, "manifest": app})

    async def bots(request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "bot": {"app_id": "A0FRONTDESK"}})

    async def who(request: web.Request) -> web.Response:
        return web.json_response(
            {"ok": True, "bot_id": "B1", "user_id": "U1", "team": "Home", "team_id": "T1"}
        )

    async def open_connection(request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "url": "wss://slack.invalid/"})

    application = web.Application()
    application.router.add_post("/api/apps.manifest.export", export)
    application.router.add_post("/api/bots.info", bots)
    application.router.add_post("/api/auth.test", who)
    application.router.add_post("/api/apps.connections.open", open_connection)
    async with TestServer(application) as running:
        yield str(running.make_url("/api/"))


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_with_a_configuration_token_the_whole_app_is_compared(
    slack: SlackDouble, configuring: str, mode: Any
) -> None:
    variables = slack.environment(mode) | {
        "SLACK_API_URL": configuring,
        "SLACK_CONFIG_TOKEN": "xoxe.xoxp-1-tests",
    }
    found = by(await examine(options(variables)))
    if mode == "socket":
        assert found["app"].state == "ok"
    else:
        assert found["Socket Mode"].state == "fail"
    assert found["scopes in Home"].state == "warn"  # this Slack tells none


async def test_a_stale_configuration_token_is_told(slack: SlackDouble) -> None:
    variables = slack.environment() | {"SLACK_CONFIG_TOKEN": "xoxe.xoxp-1-tests"}
    found = by(await examine(options(variables)))
    assert found["SLACK_CONFIG_TOKEN"].state == "fail"
    slack.violations.clear()  # the double has no app configuration


async def test_no_finding_tells_a_secret(slack: SlackDouble) -> None:
    variables = slack.environment("both")
    slack.fail("auth.test", f"echo of {slack.home.bot_token}", times=None)
    said = str(await examine(options(variables)))
    assert all(secret not in said for secret in slack.secrets)
