"""What Slack sends to an app: events, button presses, commands, shortcuts and filled-in views, as JSON objects.

Pure but for ids. Leaves the way they take (HTTP or a socket) to `delivery`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from tests.slack_double.message import Message
from tests.slack_double.state import Channel, Workspace

TOKEN = "verification-token-of-the-tests"  # retired by Slack, but still in every payload

Payload = dict[str, Any]


def envelope(workspace: Workspace, event: Payload) -> Payload:
    """An event in what the Events API wraps around it, with an id of its own."""
    return {
        "token": TOKEN,
        "team_id": workspace.team,
        "context_team_id": workspace.team,
        "context_enterprise_id": None,
        "api_app_id": workspace.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{secrets.token_hex(5).upper()}",
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": workspace.team,
                "user_id": workspace.bot,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{secrets.token_hex(8)}",
    }


def subscription(event: Mapping[str, Any]) -> str:
    """The name under which a manifest asks for an event."""
    kinds = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}
    return f"message.{kinds[event['channel_type']]}" if event["type"] == "message" else str(event["type"])


def message(channel: Channel, said: Message) -> Payload:
    """`message`, as a channel's members get it."""
    event = {
        **said.as_slack(),
        "channel": channel.id,
        "channel_type": channel.kind,
        "event_ts": said.ts,
    }
    if said.files and not said.subtype:
        event["subtype"] = "file_share"
    if said.thread_ts:
        event["parent_user_id"] = channel.messages[said.thread_ts].user
    return event


def mention(channel: Channel, said: Message) -> Payload:
    """`app_mention`, which comes beside the `message` of the same ts."""
    event = {**_written(said), "type": "app_mention", "channel": channel.id, "event_ts": said.ts}
    event.pop("subtype", None)
    return event


def _written(said: Message) -> Payload:
    """A message with the rich text that Slack makes of what a person typed."""
    told = said.as_slack()
    if said.body and not said.bot_id:
        section = {"type": "rich_text_section", "elements": [{"type": "text", "text": said.body}]}
        told["blocks"] = [{"type": "rich_text", "block_id": secrets.token_hex(3), "elements": [section]}]
    return told


def changed(channel: Channel, now: Message, before: Message, ts: str) -> Payload:
    return _hidden(channel, "message_changed", ts) | {
        "message": now.as_slack(),
        "previous_message": before.as_slack(),
    }


def deleted(channel: Channel, before: Message, ts: str) -> Payload:
    return _hidden(channel, "message_deleted", ts) | {
        "deleted_ts": before.ts,
        "previous_message": before.as_slack(),
    }


def tombstone(channel: Channel, before: Message, ts: str) -> Payload:
    """What a deleted root of a thread with replies becomes."""
    stone = {
        "type": "message",
        "subtype": "tombstone",
        "user": "USLACKBOT",
        "text": "This message was deleted.",
        "hidden": True,
        "ts": before.ts,
        "thread_ts": before.ts,
    }
    told = _hidden(channel, "message_changed", ts)
    return told | {"message": stone, "previous_message": before.as_slack()}


def _hidden(channel: Channel, subtype: str, ts: str) -> Payload:
    return {
        "type": "message",
        "subtype": subtype,
        "hidden": True,
        "channel": channel.id,
        "channel_type": channel.kind,
        "ts": ts,
        "event_ts": ts,
    }


def _who(workspace: Workspace, user: str) -> Payload:
    name = workspace.users[user].name
    return {"id": user, "username": name, "name": name, "team_id": workspace.team}


def _interaction(workspace: Workspace, user: str, kind: str, trigger: str) -> Payload:
    return {
        "type": kind,
        "user": _who(workspace, user),
        "api_app_id": workspace.app_id,
        "token": TOKEN,
        "trigger_id": trigger,
        "team": {"id": workspace.team, "domain": workspace.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def pressed(
    workspace: Workspace, user: str, trigger: str, *, element: Mapping[str, Any], block_id: str, ts: str
) -> Payload:
    """block_actions, still without where it was pressed."""
    action = {name: element[name] for name in ("action_id", "type", "text", "value") if name in element}
    return _interaction(workspace, user, "block_actions", trigger) | {
        "actions": [{**action, "block_id": block_id, "action_ts": ts}],
        "state": {"values": {}},
    }


def on_message(channel: Channel, said: Message, response_url: str) -> Payload:
    """Where something was pressed: in a message."""
    container = {
        "type": "message",
        "message_ts": said.ts,
        "channel_id": channel.id,
        "is_ephemeral": bool(said.ephemeral_for),
    }
    if said.thread_ts:
        container["thread_ts"] = said.thread_ts
    where: Payload = {
        "container": container,
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
    }
    if not said.ephemeral_for:
        where["message"] = said.as_slack()
    return where | {"response_url": response_url}


def on_view(view: Payload) -> Payload:
    """Where something was pressed: in a home or a modal."""
    return {"container": {"type": "view", "view_id": view["id"]}, "view": view}


def submitted(workspace: Workspace, user: str, trigger: str, view: Payload) -> Payload:
    return _interaction(workspace, user, "view_submission", trigger) | {"view": view, "response_urls": []}


def closed(workspace: Workspace, user: str, trigger: str, view: Payload) -> Payload:
    told = _interaction(workspace, user, "view_closed", trigger)
    del told["trigger_id"]
    return told | {"view": view, "is_cleared": False}


def shortcut(
    workspace: Workspace, user: str, trigger: str, callback_id: str, ts: str, where: Payload
) -> Payload:
    """A shortcut on a message (`where` says on which) or a global one."""
    kind = "message_action" if where else "shortcut"
    told = _interaction(workspace, user, kind, trigger) | {"callback_id": callback_id, "action_ts": ts}
    if where:
        told |= {name: where[name] for name in ("channel", "message", "response_url")}
        told["message_ts"] = where["message"]["ts"]
    return told


def command(
    workspace: Workspace,
    user: str,
    trigger: str,
    *,
    channel: Channel,
    name: str,
    text: str,
    response_url: str,
) -> dict[str, str]:
    """A slash command, which comes as a form."""
    return {
        "token": TOKEN,
        "team_id": workspace.team,
        "team_domain": workspace.domain,
        "channel_id": channel.id,
        "channel_name": channel.name or "directmessage",
        "user_id": user,
        "user_name": workspace.users[user].name,
        "command": name,
        "text": text,
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger,
    }
