"""What a person reads of a message: its Markdown as it is, what its blocks say, and what may be pressed in it.

Pure. Leaves whether Slack would take the blocks to `kit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Block = Mapping[str, Any]


def shown(body: str, blocks: Sequence[Block], *, markdown: bool) -> str:
    """Blocks win over a plain text; after Markdown they stand below it."""
    said = "\n".join(text for block in blocks if (text := said_by(block)))
    if markdown:
        return f"{body}\n{said}" if body and said else body or said
    return said or body


def said_by(block: Block) -> str:
    """The words of a block, without its buttons' labels."""
    match block.get("type"):
        case "markdown":
            return str(block.get("text", ""))
        case "section":
            parts = [block.get("text"), *block.get("fields", ())]
            return "\n".join(str(part["text"]) for part in parts if part)
        case "header" | "alert":
            return str(block["text"]["text"])
        case "context":
            return " ".join(str(part.get("text", "")) for part in block.get("elements", ()))
        case "rich_text":
            return "".join(_rich(part) for part in block.get("elements", ()))
    return ""


def _rich(element: Mapping[str, Any]) -> str:
    if "elements" in element:
        return "".join(_rich(part) for part in element["elements"])
    return str(element.get("text") or element.get("url") or "")


def elements_in(blocks: Sequence[Block]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that may be pressed or filled in, each with the id of its block."""
    for block in blocks:
        candidates = [block.get("accessory"), block.get("element")]
        if block.get("type") in ("actions", "context_actions"):
            candidates += block.get("elements", ())
        for element in candidates:
            if element and "action_id" in element:
                yield str(block.get("block_id", "")), dict(element)


def letters(blocks: Sequence[Block]) -> int:
    """How many characters of text the blocks hold, which is what Slack counts."""
    return sum(len(said_by(block)) for block in blocks)


def markdown_letters(blocks: Sequence[Block]) -> int:
    return sum(len(said_by(block)) for block in blocks if block.get("type") == "markdown")
