"""conversations.*, reactions.*: finding, joining and reading channels.

Reading tells what the asker may see: metadata only when asked for, the root of a thread always first.
"""

from __future__ import annotations

from typing import Any

from tests.slack_double.answers import Answer, Asked, Refused, method
from tests.slack_double.message import Message
from tests.slack_double.state import Channel

PREFIXES = {"channel": "channels:", "group": "groups:", "im": "im:", "mpim": "mpim:"}


@method("conversations.replies")
def replies(asked: Asked) -> Answer:
    channel = _readable(asked)
    found = channel.messages.get(asked.get("ts"))
    if found is None:
        raise Refused("thread_not_found")
    root, *later = sorted(channel.thread(found.root), key=lambda message: float(message.ts))
    return _page(asked, _within(asked, later), first=[root])


@method("conversations.history")
def history(asked: Asked) -> Answer:
    channel = _readable(asked)
    top = [m for m in channel.messages.values() if m.root == m.ts or m.subtype == "thread_broadcast"]
    return _page(asked, list(reversed(_within(asked, top))), first=[])


def _readable(asked: Asked) -> Channel:
    channel = asked.channel()
    if asked.workspace.bot not in channel.members:
        raise Refused("not_in_channel")
    return channel


def _within(asked: Asked, messages: list[Message]) -> list[Message]:
    latest = asked.get("latest")
    oldest, latest = float(asked.get("oldest") or 0), float("inf") if latest in ("", "now") else float(latest)
    edges = asked.get("inclusive", False)
    return [
        message
        for message in sorted(messages, key=lambda message: float(message.ts))
        if oldest < float(message.ts) < latest or (edges and float(message.ts) in (oldest, latest))
    ]


def _page(asked: Asked, messages: list[Message], *, first: list[Message]) -> Answer:
    limit = int(asked.get("limit", 0) or 100)
    start = int(asked.get("cursor") or 0)
    end = start + max(1, limit - len(first))
    answer: Answer = {
        "messages": [_told(asked, message) for message in first + messages[start:end]],
        "has_more": end < len(messages),
    }
    if end < len(messages):
        answer["response_metadata"] = {"next_cursor": str(end)}
    return answer


def _told(asked: Asked, message: Message) -> dict[str, Any]:
    told = message.as_slack()
    if not asked.get("include_all_metadata", False):
        told.pop("metadata", None)
    return told


def about(channel: Channel) -> dict[str, Any]:
    """The channel object of answers."""
    kinds = {"channel": "is_channel", "group": "is_group", "im": "is_im", "mpim": "is_mpim"}
    told = {"id": channel.id, "name": channel.name, "is_archived": channel.archived}
    told |= {flag: kind == channel.kind for kind, flag in kinds.items()}
    return told | {"is_member": True, "num_members": len(channel.members)}


@method("conversations.info")
def info(asked: Asked) -> Answer:
    channel = asked.channel()
    return {"channel": about(channel) | {"is_member": asked.workspace.bot in channel.members}}


@method("conversations.join")
def join(asked: Asked) -> Answer:
    channel = asked.channel()
    if channel.kind != "channel":
        raise Refused("method_not_supported_for_channel_type")
    if channel.archived:
        raise Refused("is_archived")
    channel.members.add(asked.workspace.bot)
    return {"channel": about(channel)}


@method("conversations.open")
def open_(asked: Asked) -> Answer:
    if asked.get("channel"):
        return {"channel": {"id": asked.channel().id}}
    users = [user for user in str(asked.get("users")).split(",") if user]
    if not users:
        raise Refused("users_list_not_supplied")
    if any(user not in asked.workspace.users for user in users):
        raise Refused("user_not_found")
    if len(users) == 1:
        return {"channel": {"id": asked.workspace.dm(users[0]).id}}
    members = {*users, asked.workspace.bot}
    for channel in asked.workspace.channels.values():
        if channel.kind == "mpim" and channel.members == members:
            return {"channel": {"id": channel.id}}
    opened = asked.workspace.add_channel(asked.world.id("G"), "mpdm", members, kind="mpim")
    return {"channel": {"id": opened.id}}


@method("conversations.list")
@method("users.conversations")
def list_(asked: Asked) -> Answer:
    wanted = {
        kind.strip().removeprefix("public_") for kind in str(asked.get("types", "public_channel")).split(",")
    }
    kinds = {"group" if kind == "private_channel" else kind for kind in wanted}
    mine = asked.method == "users.conversations"
    return {
        "channels": [
            about(channel) | {"is_member": asked.workspace.bot in channel.members}
            for channel in asked.workspace.channels.values()
            if channel.kind in kinds and not (mine and asked.workspace.bot not in channel.members)
        ],
        "response_metadata": {"next_cursor": ""},
    }


@method("conversations.members")
def members(asked: Asked) -> Answer:
    return {"members": sorted(asked.channel().members), "response_metadata": {"next_cursor": ""}}


@method("reactions.add")
def react(asked: Asked) -> Answer:
    who = asked.message(asked.channel(writing=True), "timestamp").reactions.setdefault(asked.get("name"), [])
    if asked.workspace.bot in who:
        raise Refused("already_reacted")
    who.append(asked.workspace.bot)
    return {}


@method("reactions.remove")
def unreact(asked: Asked) -> Answer:
    if not asked.get("timestamp"):
        raise Refused("no_item_specified")
    who = asked.message(asked.channel(writing=True), "timestamp").reactions.get(asked.get("name"), [])
    if asked.workspace.bot not in who:
        raise Refused("no_reaction")
    who.remove(asked.workspace.bot)
    return {}


@method("reactions.get")
def reactions(asked: Asked) -> Answer:
    message = asked.message(asked.channel(), "timestamp")
    told = [{"name": n, "users": who, "count": len(who)} for n, who in message.reactions.items() if who]
    return {
        "type": "message",
        "channel": message.channel,
        "message": message.as_slack() | {"reactions": told},
    }
