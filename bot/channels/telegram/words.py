"""The words of a message, text or caption, with what Telegram has marked in them: where they name us, and a command.

Knows entities, whose offsets count UTF-16 units. Leaves how marked words become Markdown to `bot.markup.telegram`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from bot.channels.telegram.api import Me
from bot.markup.telegram import from_telegram

Entity = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command at the beginning of a message: its name in small letters, the bot it names, if it does."""

    name: str
    to: str
    entity: Entity

    def addressed(self, me: Me) -> bool:
        """Whether it names us."""
        return bool(self.to) and self.to == me.username.lower()

    def elsewhere(self, me: Me) -> bool:
        """Whether it names another bot."""
        return bool(self.to) and self.to != me.username.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Both may be empty: a photo needs no caption."""

    text: str
    entities: Sequence[Entity] = ()

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Self:
        """What a message says. Raises TypeError when that is no text."""
        for text, entities in (("text", "entities"), ("caption", "caption_entities")):
            if message.get(text) is not None:
                return cls(text=_text(message[text]), entities=tuple(message.get(entities) or ()))
        return cls(text="")

    def command(self) -> Command | None:
        """The command that it begins with, or None."""
        for entity in self.entities:
            if entity["type"] == "bot_command" and entity["offset"] == 0:
                name, _, to = self._part(entity).removeprefix("/").partition("@")
                return Command(name=name.lower(), to=to.lower(), entity=entity)
        return None

    def mentions(self, me: Me) -> list[Entity]:
        """Where it names us: @username, or our name where a bot has none to type."""
        return [entity for entity in self.entities if self._names(entity, me)]

    def calls(self, me: Me) -> bool:
        """Whether it names us anywhere, also behind a command: /ask@username."""
        to = f"@{me.username}".lower()
        return bool(self.mentions(me)) or any(
            entity["type"] == "bot_command" and self._part(entity).lower().endswith(to)
            for entity in self.entities
        )

    def markdown(self, *, without: Sequence[Entity] = ()) -> str:
        """As a person meant it, but for some parts of it."""
        return from_telegram(self.text, self.entities, without=without).strip()

    def after(self, entity: Entity) -> str:
        """The plain text behind an entity."""
        return _cut(self.text, entity["offset"] + entity["length"], None).strip()

    def _names(self, entity: Entity, me: Me) -> bool:
        if entity["type"] == "mention":
            return self._part(entity).lower() == f"@{me.username}".lower()
        return entity["type"] == "text_mention" and (entity.get("user") or {}).get("id") == me.id

    def _part(self, entity: Entity) -> str:
        return _cut(self.text, entity["offset"], entity["offset"] + entity["length"])


def _cut(text: str, start: int, end: int | None) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    return units[2 * start : None if end is None else 2 * end].decode("utf-16-le", "replace")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("what a message says is no text")
    return value
