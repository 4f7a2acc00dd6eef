"""chat.*: posting, changing and deleting messages, and messages that only one person sees.

Leaves growing messages to `streams`.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.slack_double import payloads
from tests.slack_double.answers import Answer, Asked, Refused, method
from tests.slack_double.kit import wrong_blocks
from tests.slack_double.lengths import TEXT, UPDATE_TEXT
from tests.slack_double.message import Message, option_values
from tests.slack_double.state import Channel

CONTENT = ("text", "blocks", "markdown_text", "attachments")


def content(asked: Asked) -> dict[str, Any]:
    """What a call wants a message to hold. Raises Refused."""
    if asked.get("markdown_text") and (asked.get("text") or asked.get("blocks", [])):
        raise Refused("markdown_text_conflict")
    if not any(asked.get(name) for name in CONTENT):
        raise Refused("no_text")
    asked.invalid("invalid_blocks", wrong_blocks(asked.get("blocks", [])))
    if problem := wrong_metadata(asked.get("metadata", {})):
        asked.invalid("invalid_metadata_format", [problem])
    return {
        "body": asked.get("markdown_text") or asked.get("text")[:TEXT],
        "markdown": bool(asked.get("markdown_text")),
        "blocks": asked.get("blocks", []),
    }


def wrong_metadata(metadata: dict[str, Any]) -> str:
    if metadata and set(metadata) != {"event_type", "event_payload"}:
        return "metadata must have event_type and event_payload"
    if metadata and not (
        isinstance(metadata["event_type"], str) and isinstance(metadata["event_payload"], dict)
    ):
        return "metadata's event_type must be a string, its event_payload an object"
    return ""


@method("chat.postMessage")
def post_message(asked: Asked) -> Answer:
    channel = asked.channel(writing=True)
    thread = asked.thread(channel)
    message = asked.world.post(
        channel,
        asked.workspace.bot,
        bot_id=asked.workspace.bot_id,
        thread_ts=thread,
        metadata=asked.get("metadata", {}),
        options=option_values(asked.arguments),
        **content(asked),
    )
    asked.clear_status(channel, thread)
    asked.echo(payloads.message(channel, message))
    return {"channel": channel.id, "ts": message.ts, "message": message.as_slack()}


@method("chat.update")
def update(asked: Asked) -> Answer:
    channel = asked.channel(writing=True)
    message = _own(asked, channel, "cant_update_message")
    if asked.world.stream_state(message) == "open":
        raise Refused("streaming_state_conflict")
    if len(asked.get("text")) > UPDATE_TEXT:
        raise Refused("msg_too_long")
    before = copy.deepcopy(message)
    if asked.get("metadata", None) is not None:
        message.metadata = asked.get("metadata")
    _change(asked, message)
    message.edits += 1
    if message.stream:
        message.stream.state = "done"
    asked.echo(payloads.changed(channel, message, before, asked.world.ts()))
    return {"channel": channel.id, "ts": message.ts, "text": message.body, "message": message.as_slack()}


def _change(asked: Asked, message: Message) -> None:
    """What is not given stays: blocks above all. Markdown takes the place of everything."""
    given = content(asked)
    if given["markdown"]:
        message.body, message.markdown, message.blocks = given["body"], True, []
        return
    if "text" in asked.arguments:
        message.body, message.markdown = given["body"], False
    if "blocks" in asked.arguments:
        message.blocks = given["blocks"]
        message.markdown = message.markdown and not given["blocks"]


@method("chat.delete")
def delete(asked: Asked) -> Answer:
    channel = asked.channel(writing=True)
    message = _own(asked, channel, "cant_delete_message")
    del channel.messages[message.ts]
    asked.echo(payloads.deleted(channel, message, asked.world.ts()))
    return {"channel": channel.id, "ts": message.ts}


def _own(asked: Asked, channel: Channel, error: str) -> Message:
    message = asked.message(channel)
    if message.bot_id != asked.workspace.bot_id:
        raise Refused(error)
    return message


@method("chat.postEphemeral")
def post_ephemeral(asked: Asked) -> Answer:
    channel = asked.channel(writing=True)
    person = asked.get("user")
    if person not in channel.members:
        raise Refused("user_not_in_channel")
    message = Message(
        team=channel.team,
        channel=channel.id,
        ts=asked.world.ts(),
        user=asked.workspace.bot,
        bot_id=asked.workspace.bot_id,
        thread_ts=asked.thread(channel),
        ephemeral_for=person,
        **content(asked),
    )
    asked.world.ephemerals.append(message)
    return {"message_ts": message.ts}


@method("chat.getPermalink")
def get_permalink(asked: Asked) -> Answer:
    channel = asked.channel()
    message = asked.message(channel, "message_ts")
    place = f"{channel.id}/p{message.ts.replace('.', '')}"
    return {
        "channel": channel.id,
        "permalink": f"https://{asked.workspace.domain}.slack.com/archives/{place}",
    }
