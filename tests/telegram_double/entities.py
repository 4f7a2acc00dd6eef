"""Texts as Telegram measures them: UTF-16 units, the entities it finds itself, and those it refuses.

Knows nothing of messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Entity = dict[str, Any]

# What servers find in a text, in the order in which they look: what is found first keeps its place.
FOUND = (
    ("url", re.compile(r"(?<![\w@./])(?:https?://|www\.)[^\s<>\"'()]+[^\s<>\"'().,;:!?]", re.IGNORECASE)),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}(?!\w)")),
    ("mention", re.compile(r"(?<!\w)@[a-zA-Z]\w{2,31}(?!\w)", re.ASCII)),
    ("bot_command", re.compile(r"(?<![\w/<>@])/[a-zA-Z0-9_]{1,64}(?:@\w{3,32})?(?![\w@/])", re.ASCII)),
    ("hashtag", re.compile(r"(?<![\w#])#(?=\w*[^\W\d])\w{1,256}(?!\w)")),
)
TYPES_WITH = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id"}
LITERAL = frozenset({"code", "pre", "text_link", "text_mention"})  # nothing is found inside of these


def units(text: str) -> int:
    """How long a text is for Telegram."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def piece(text: str, entity: Mapping[str, Any]) -> str:
    """What an entity covers."""
    start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
    return text.encode("utf-16-le")[start:end].decode("utf-16-le")


def found(text: str, given: Iterable[Entity] = ()) -> list[Entity]:
    """The entities of a text that a person wrote: those the person set, and those that Telegram finds."""
    entities = list(given)
    taken = [
        (entity["offset"], entity["offset"] + entity["length"])
        for entity in entities
        if entity["type"] in LITERAL
    ]
    for kind, pattern in FOUND:
        for match in pattern.finditer(text):
            start, length = units(text[: match.start()]), units(match[0])
            if any(start < end and begin < start + length for begin, end in taken):
                continue
            taken.append((start, start + length))
            entities.append({"type": kind, "offset": start, "length": length})
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))


def wrong(text: str, entities: Sequence[Mapping[str, Any]]) -> str:
    """What Telegram has against entities, in its words; nothing: they are right."""
    edges, length = _edges(text), units(text)
    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        where = f"entity beginning at UTF-16 offset {start}"
        if start < 0 or entity["length"] <= 0:
            return f"{where} has the length {entity['length']}"
        if end > length:
            return f"{where} ends after the end of the text at UTF-16 offset {length}"
        if start not in edges:
            return f"{where} begins in a middle of a UTF-16 symbol"
        if end not in edges:
            return f"{where} ends in a middle of a UTF-16 symbol"
        needed = TYPES_WITH.get(entity["type"], "type")
        if not entity.get(needed):
            return f"{where} is a {entity['type']} without {needed}"
    return _crossing(entities)


def _edges(text: str) -> set[int]:
    """The offsets at which no surrogate pair is cut."""
    at, edges = 0, {0}
    for character in text:
        at += 2 if ord(character) > 0xFFFF else 1
        edges.add(at)
    return edges


def _crossing(entities: Sequence[Mapping[str, Any]]) -> str:
    """Telegram cuts what overlaps without nesting; nobody sends that on purpose."""
    spans = [(entity["offset"], entity["offset"] + entity["length"]) for entity in entities]
    for number, (start, end) in enumerate(spans):
        for begin, finish in spans[number + 1 :]:
            if start < begin < end < finish or begin < start < finish < end:
                return f"entities from {start} to {end} and from {begin} to {finish} cross each other"
    return ""


def trimmed(text: str, entities: Iterable[Mapping[str, Any]]) -> tuple[str, list[Entity]]:
    """A text as Telegram keeps it: without blanks around it, its entities moved and cut."""
    kept = text.strip()
    before, length = units(text[: len(text) - len(text.lstrip())]), units(kept)
    moved: list[Entity] = []
    for entity in entities:
        start = max(0, entity["offset"] - before)
        end = min(length, entity["offset"] + entity["length"] - before)
        if start < end:
            moved.append({**entity, "offset": start, "length": end - start})
    return kept, moved
