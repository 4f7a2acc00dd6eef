"""How long the texts of a message may be, and the error that Slack gives when they are longer.

The reference tells these in prose or not at all; those marked "seen" were measured by others. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.slack_double.shown import letters, markdown_letters

MARKDOWN = 12_000  # one markdown_text, and all markdown blocks of one call together
UPDATE_TEXT = 4_000  # chat.update says so
TEXT = 40_000  # longer ones are cut, with a warning
MESSAGE = 13_200  # all blocks of a message together: seen to fail from 13,172 to 13,297
BLOCKS = 50
METADATA = 16_000
CHUNK_BLOCKS = 50


def too_long(method: str, arguments: Mapping[str, Any]) -> str:
    """The error for the texts of one call, or nothing."""
    blocks = arguments.get("blocks") or []
    if len(arguments.get("markdown_text") or "") > MARKDOWN:
        return "msg_too_long"
    if method == "chat.update" and len(arguments.get("text") or "") > UPDATE_TEXT:
        return "msg_too_long"
    if len(blocks) > BLOCKS:
        return "msg_blocks_too_many"
    if markdown_letters(blocks) > MARKDOWN or letters(blocks) > MESSAGE:
        return "msg_blocks_too_long"
    if sum(len(text) for text in chunk_texts(arguments)) > MARKDOWN:
        return "msg_too_long"
    if len(str(arguments.get("metadata") or "")) > METADATA:
        return "metadata_too_large"
    return ""


def chunk_texts(arguments: Mapping[str, Any]) -> list[str]:
    """The Markdown that the chunks of a streaming call bring."""
    return [str(c["text"]) for c in arguments.get("chunks") or () if c.get("type") == "markdown_text"]
