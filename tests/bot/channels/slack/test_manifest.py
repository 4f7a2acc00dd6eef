"""The manifest in `deploy/` creates the app that the code needs: no scope or event more, none less."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import SecretStr

from bot.channels.slack import events
from bot.channels.slack.manifest import compare
from bot.channels.slack.scopes import COMMAND, ESSENTIAL, EVENTS, SCOPES, SHORTCUT
from bot.channels.slack.settings import SlackSettings

ROOT = Path(__file__).parents[4]
TEXT = (ROOT / "deploy" / "slack-manifest.yaml").read_text()
CODE = sorted((ROOT / "bot" / "channels" / "slack").glob("*.py"))
METHODS = ROOT / "tests" / "slack_double" / "methods"

HISTORY = {"channels:history", "groups:history", "im:history", "mpim:history"}

# What Slack asks for before it sends an event. The others need no scope.
BROUGHT_BY = {
    "app_mention": {"app_mentions:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
}

# What is needed for something other than a method or an event.
OTHERWISE = {
    "assistant:write": "being an agent (features.agent_view)",
    "commands": "slash commands and shortcuts",
    "files:read": "downloading what is attached",
}


def text(most: int, least: int = 1) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": most}


def exactly(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object of these properties and no others."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def many(item: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": most, "uniqueItems": True, "items": item}


YES_NO = {"type": "boolean"}
URL = {"type": "string", "pattern": "^https://", "maxLength": 3000}

# The parts of Slack's own schema (version 2) that we use, with its limits; Slack refuses anything beside them.
SHAPE = exactly(
    ["_metadata", "display_information", "features", "oauth_config", "settings"],
    _metadata=exactly(["major_version"], major_version={"const": 2}, minor_version={"const": 1}),
    display_information=exactly(
        ["name"],
        name=text(35),
        description=text(140),
        long_description=text(4000, 175),
        background_color={"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
    ),
    features=exactly(
        [],
        app_home=exactly(
            [],
            home_tab_enabled=YES_NO,
            messages_tab_enabled=YES_NO,
            messages_tab_read_only_enabled=YES_NO,
        ),
        agent_view=exactly([], agent_description=text(300)),
        bot_user=exactly(["display_name"], display_name=text(80), always_online=YES_NO),
        shortcuts=many(
            exactly(
                ["name", "type", "callback_id", "description"],
                name=text(24),
                type={"enum": ["message", "global"]},
                callback_id=text(255),
                description=text(150),
            ),
            10,
        ),
        slash_commands=many(
            exactly(
                ["command", "description"],
                command={"type": "string", "pattern": "^/", "minLength": 2, "maxLength": 32},
                description=text(2000),
                usage_hint=text(1000),
                should_escape=YES_NO,
                url=URL,
            ),
            50,
        ),
    ),
    oauth_config=exactly(
        [],
        redirect_urls=many(text(2500), 1000),
        scopes=exactly([], bot=many(text(50), 255)),
    ),
    settings=exactly(
        [],
        event_subscriptions=exactly([], bot_events=many(text(50), 100), request_url=URL),
        interactivity=exactly(["is_enabled"], is_enabled=YES_NO, request_url=URL),
        org_deploy_enabled=YES_NO,
        socket_mode_enabled=YES_NO,
        token_rotation_enabled=YES_NO,
    ),
)


def for_http() -> str:
    """The manifest after somebody has done what its first lines say."""
    lines = TEXT.replace("socket_mode_enabled: true", "socket_mode_enabled: false").splitlines()
    opened = [
        line.replace("# ", "", 1)
        if line.lstrip().startswith(("# url", "# request_url", "# redirect_urls", "#   - https"))
        else line
        for line in lines
    ]
    return "\n".join(opened)


@pytest.mark.parametrize("manifest", [TEXT, for_http()], ids=["as it is", "for HTTP"])
def test_slack_takes_it(manifest: str) -> None:
    jsonschema.validate(yaml.safe_load(manifest), SHAPE)


def test_with_the_lines_for_http_it_is_an_app_for_http() -> None:
    settings = SlackSettings(bot_token=SecretStr("xoxb-1"), signing_secret=SecretStr("s"))
    found = compare(yaml.safe_load(for_http()), settings=settings, public_url="https://chat.example.com")
    assert [finding.state for finding in found] == ["ok"]
    assert yaml.safe_load(for_http())["oauth_config"]["redirect_urls"] == [
        "https://chat.example.com/slack/oauth_redirect"
    ]


def test_it_asks_for_what_the_code_asks_for() -> None:
    manifest = yaml.safe_load(TEXT)
    assert manifest["oauth_config"]["scopes"] == {"bot": list(SCOPES)}
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    assert [each["command"] for each in manifest["features"]["slash_commands"]] == [COMMAND]
    assert [each["callback_id"] for each in manifest["features"]["shortcuts"]] == [SHORTCUT]
    assert list(SCOPES) == sorted(SCOPES)
    assert list(EVENTS) == sorted(EVENTS)
    assert set(SCOPES) >= ESSENTIAL


def test_every_event_that_is_sent_is_understood() -> None:
    assert {event.partition(".")[0] for event in EVENTS} == set(events._EVENTS)


def test_every_event_is_brought_by_a_scope_that_is_asked_for() -> None:
    assert set(BROUGHT_BY) <= set(EVENTS)
    assert set().union(*BROUGHT_BY.values()) <= set(SCOPES)


def called() -> set[str]:
    """The Web API methods whose names stand in the channel's code."""
    known = {path.stem for path in METHODS.glob("*.json")}
    words = {
        node.value
        for path in CODE
        if path.name not in {"api.py", "budget.py", "doctor.py"}  # these name methods that nobody may call
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return known & words


def needed(method: str) -> set[str]:
    """The scopes that Slack's reference lets a bot call a method with: any of them, by the kind of channel."""
    return set(json.loads((METHODS / f"{method}.json").read_text())["scope"].get("bot", ()))


def test_every_method_that_is_called_is_allowed() -> None:
    refused = {method for method in called() if (scopes := needed(method)) and not scopes & set(SCOPES)}
    assert not refused
    if "conversations.replies" in called():
        assert set(SCOPES) >= HISTORY


def test_no_scope_is_asked_for_in_vain() -> None:
    used = set().union(*BROUGHT_BY.values(), OTHERWISE, *(needed(method) for method in called()))
    assert set(SCOPES) <= used
