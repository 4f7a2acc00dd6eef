"""Whether an app as Slack has it, told as a manifest, is the app that the channel needs.

Knows the manifest's shape. Leaves asking for it to `doctor`, and what is needed to `scopes`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bot.channels.slack.scopes import COMMAND, ESSENTIAL, EVENTS, SCOPES, SHORTCUT
from bot.channels.slack.settings import SlackSettings
from bot.finding import Finding

PASTE = (
    "paste deploy/slack-manifest.yaml into App Manifest at https://api.slack.com/apps, with your addresses"
)


def compare(app: Mapping[str, Any], *, settings: SlackSettings, public_url: str) -> list[Finding]:
    """What differs, by its place in Slack's settings; one finding that all is well where nothing does."""
    differences = [
        *_subscribed(app),
        *_asked_for(app),
        *_offered(app),
        *_delivered(app, settings=settings, events=f"{public_url.rstrip('/')}/slack/events"),
    ]
    return differences or [Finding("ok", "app", "has the events, scopes and features that Frontdesk needs")]


def _subscribed(app: Mapping[str, Any]) -> Iterator[Finding]:
    missing = _missing(EVENTS, _list(app, "settings", "event_subscriptions", "bot_events"))
    if missing:
        yield Finding("fail", "Event Subscriptions", missing, PASTE)


def _asked_for(app: Mapping[str, Any]) -> Iterator[Finding]:
    asked = _list(app, "oauth_config", "scopes", "bot")
    missing = _missing(SCOPES, asked)
    if missing:
        essential = ESSENTIAL.difference(asked)
        yield Finding(
            "fail" if essential else "warn", "OAuth & Permissions", missing, f"{PASTE}; reinstall it"
        )


def _offered(app: Mapping[str, Any]) -> Iterator[Finding]:
    home = _part(app, "features", "app_home")
    if not home.get("messages_tab_enabled") or home.get("messages_tab_read_only_enabled"):
        yield Finding("fail", "App Home", "people cannot write direct messages to it", PASTE)
    if not home.get("home_tab_enabled"):
        yield Finding("warn", "App Home", "it has no home tab", PASTE)
    if not _part(app, "features").get("agent_view"):
        yield Finding(
            "warn", "Agents", "it is not an agent: no status, no stop button, no suggestions", PASTE
        )
    if COMMAND not in _names(app, "slash_commands", "command"):
        yield Finding("warn", "Slash Commands", f"{COMMAND} is missing", PASTE)
    if SHORTCUT not in _names(app, "shortcuts", "callback_id"):
        yield Finding("warn", "Shortcuts", f"the one with the callback id {SHORTCUT} is missing", PASTE)
    if not _part(app, "settings", "interactivity").get("is_enabled"):
        yield Finding("fail", "Interactivity", "it is off: buttons do nothing", PASTE)


def _delivered(app: Mapping[str, Any], *, settings: SlackSettings, events: str) -> Iterator[Finding]:
    """Slack sends to one end: to sockets if they are on, else to the addresses."""
    if _part(app, "settings").get("socket_mode_enabled"):
        if not settings.socket:
            yield Finding(
                "fail", "Socket Mode", "it is on, so that nothing comes by HTTP", "set SLACK_APP_TOKEN"
            )
        return
    if not settings.http:
        yield Finding("fail", "Socket Mode", "it is off: no event arrives", "turn it on, or use HTTP")
        return
    for what, said in (
        ("Event Subscriptions", _part(app, "settings", "event_subscriptions").get("request_url")),
        ("Interactivity", _part(app, "settings", "interactivity").get("request_url")),
        ("Slash Commands", _names(app, "slash_commands", "command").get(COMMAND, {}).get("url")),
    ):
        if said != events:
            yield Finding("fail", what, f"its Request URL is {said or 'missing'}", f"make it {events}")


def _missing(needed: Mapping[str, str], there: Collection[object]) -> str:
    """What is lacking and what that means; empty if nothing is."""
    return "; ".join(f"without {name}: no {use}" for name, use in needed.items() if name not in there)


def _part(app: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        found = app.get(name)
        app = found if isinstance(found, Mapping) else {}
    return app


def _list(app: Mapping[str, Any], *path: str) -> list[Any]:
    found = _part(app, *path[:-1]).get(path[-1])
    return found if isinstance(found, list) else []


def _names(app: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    """The features of a kind by what they are called."""
    return {str(each.get(name)): each for each in _list(app, "features", kind) if isinstance(each, Mapping)}
