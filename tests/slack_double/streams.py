"""chat.startStream, appendStream and stopStream: a message that grows, and dies by itself after a while.

Knows the states of a stream and what a message may hold in sum. Leaves the lengths of one call to `lengths`.
"""

from __future__ import annotations

from typing import Any

from tests.slack_double import payloads
from tests.slack_double.answers import Answer, Asked, Refused, method
from tests.slack_double.chat import wrong_metadata
from tests.slack_double.kit import wrong_blocks
from tests.slack_double.lengths import BLOCKS, MESSAGE, chunk_texts
from tests.slack_double.message import Message, Stream, option_values
from tests.slack_double.shown import letters
from tests.slack_double.state import Channel, Session

CHUNKS = {  # kind: required, optional fields
    "markdown_text": ({"text"}, set()),
    "task_update": ({"id", "title"}, {"status", "details", "output", "sources"}),
    "plan_update": ({"title"}, set()),
    "blocks": ({"blocks"}, set()),
}
TASK_STATES = ("pending", "in_progress", "complete", "error")


@method("chat.startStream")
def start(asked: Asked) -> Answer:
    channel = asked.channel(writing=True)
    thread = asked.thread(channel)
    if channel.kind != "im":
        for name in ("recipient_team_id", "recipient_user_id"):
            if not asked.get(name):
                raise Refused(f"missing_{name}")
    if asked.get("recipient_user_id") and asked.get("recipient_user_id") not in asked.workspace.users:
        raise Refused("user_not_found")
    if not thread:
        asked.violations.append("a stream must answer a message: thread_ts is missing")
    text, blocks = _given(asked)
    _fits(text, blocks)
    message = asked.world.post(
        channel,
        asked.workspace.bot,
        bot_id=asked.workspace.bot_id,
        thread_ts=thread,
        body=text,
        markdown=True,
        blocks=blocks,
        stream=Stream(started=asked.world.clock()),
        options=option_values(asked.arguments),
    )
    asked.clear_status(channel, thread)
    asked.echo(payloads.message(channel, message))
    return {"channel": channel.id, "ts": message.ts}


@method("chat.appendStream")
def append(asked: Asked) -> Answer:
    channel = asked.channel(writing=True)
    message = _growing(asked, channel)
    text, blocks = _given(asked)
    if not text and not asked.get("chunks", []):
        raise Refused("no_text")
    _grow(message, text, blocks)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.stopStream")
def stop(asked: Asked) -> Answer:
    channel = asked.channel(writing=True)
    message = _growing(asked, channel)
    text, blocks = _given(asked)
    asked.invalid("invalid_blocks", wrong_blocks(asked.get("blocks", [])))
    if problem := wrong_metadata(asked.get("metadata", {})):
        asked.invalid("invalid_metadata_format", [problem])
    _grow(message, text, blocks + asked.get("blocks", []))
    if not message.text:
        raise Refused("no_text")
    message.metadata = asked.get("metadata", {}) or message.metadata
    assert message.stream is not None
    message.stream.state = "done"
    if status := asked.get("session_status"):
        sessions = asked.world.sessions
        sessions.setdefault((channel.id, message.root), Session()).history.append(status)
    asked.echo(payloads.changed(channel, message, message, asked.world.ts()))
    return {"channel": channel.id, "ts": message.ts, "message": message.as_slack()}


def _growing(asked: Asked, channel: Channel) -> Message:
    """The open stream that is meant. Raises Refused."""
    message = asked.message(channel)
    if message.bot_id != asked.workspace.bot_id:
        raise Refused("message_not_owned_by_app")
    state = asked.world.stream_state(message)
    if state == "stopped by the person" and asked.method == "chat.appendStream":
        raise Refused("stopped_by_user")
    if state != "open":
        raise Refused("message_not_in_streaming_state")
    return message


def _given(asked: Asked) -> tuple[str, list[dict[str, Any]]]:
    """The text and the blocks of one call, from either way to say them. Raises Refused."""
    chunks = asked.get("chunks", [])
    asked.invalid("invalid_chunks", [problem for chunk in chunks if (problem := _wrong_chunk(chunk))])
    blocks = [block for chunk in chunks if chunk["type"] == "blocks" for block in chunk["blocks"]]
    asked.invalid("invalid_blocks", wrong_blocks(blocks))
    return asked.get("markdown_text") + "".join(chunk_texts(asked.arguments)), blocks


def _wrong_chunk(chunk: Any) -> str:
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if kind not in CHUNKS:
        return f"unknown chunk {kind}"
    required, optional = CHUNKS[kind]
    names = set(chunk) - {"type"}
    if missing := required - names:
        return f"{kind} lacks {', '.join(sorted(missing))}"
    if strange := names - required - optional:
        return f"{kind} has no {', '.join(sorted(strange))}"
    if chunk.get("status", "pending") not in TASK_STATES:
        return f"a task's status must be one of {', '.join(TASK_STATES)}"
    return ""


def _grow(message: Message, text: str, blocks: list[dict[str, Any]]) -> None:
    _fits(message.body + text, message.blocks + blocks)
    message.body += text
    message.blocks = message.blocks + blocks
    if message.stream:
        message.stream.appends += 1


def _fits(text: str, blocks: list[dict[str, Any]]) -> None:
    if len(blocks) > 2 * BLOCKS:  # 50 in the blocks, and 50 in chunks
        raise Refused("msg_blocks_too_many")
    if len(text) + letters(blocks) > MESSAGE:
        raise Refused("msg_blocks_too_long")
