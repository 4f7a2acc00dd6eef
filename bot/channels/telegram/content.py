"""What stands in a message of ours: the model's Markdown, the house's sentences below it, the buttons last.

Knows how they become one text with its entities. Leaves Markdown to `bot.markup.telegram`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.markup.telegram import LIMIT, Rendered, neutral, render, units

ENTITIES = 100  # that Telegram takes in one message
GAP = "\n\n"  # before a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`rendered` is the model's part; `keyboard` None: no buttons."""

    rendered: Rendered | None = None
    sentences: tuple[str, ...] = ()
    keyboard: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls, markdown: str, *, sentences: tuple[str, ...] = (), keyboard: Mapping[str, Any] | None = None
    ) -> Content:
        """With a part of an answer, in a plainer form where the sentences need the room; one that shows nothing is
        none."""
        said = tuple(filter(None, (neutral(sentence).strip() for sentence in sentences)))
        below = sum(units(sentence) + units(GAP) for sentence in said)
        room = LIMIT - below if below < LIMIT // 2 else LIMIT
        rendered = render(markdown, room) if markdown.strip() else None
        shows = rendered is not None and bool(rendered.text.strip())
        return cls(rendered=rendered if shows else None, sentences=said, keyboard=keyboard)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read."""
        return self.rendered is None and not self.sentences

    @property
    def fits(self) -> bool:
        """Whether one message holds it."""
        return units(self.message.text) <= LIMIT

    @property
    def message(self) -> Rendered:
        """All of it but the buttons. Sentences stand out below an answer, and are plain where they stand alone."""
        text, entities = "", list[dict[str, Any]]()
        if self.rendered:
            text, entities = self.rendered.text.rstrip(), _within(self.rendered)
        for sentence in self.sentences:
            text += GAP if text else ""
            if self.rendered and len(entities) < ENTITIES:
                entities.append({"type": "italic", "offset": units(text), "length": units(sentence)})
            text += sentence
        return Rendered(text=text, entities=tuple(entities))


def _within(rendered: Rendered) -> list[dict[str, Any]]:
    """The entities, cut to the text without the blanks at its end."""
    end = units(rendered.text.rstrip())
    cut = [
        {**entity, "length": min(entity["length"], end - entity["offset"])} for entity in rendered.entities
    ]
    return [entity for entity in cut if entity["length"] > 0]
