"""A message as Telegram keeps it, and what a reader sees of it.

Knows what Telegram tells of a message. Leaves which of it a call sets to the methods.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.telegram_double.entities import Entity
from tests.telegram_double.state import Chat, User

Button = dict[str, Any]


@dataclass(kw_only=True, eq=False)
class Message:
    """One message in a chat. `more`: every further field that Telegram tells, as it tells it."""

    chat: Chat
    id: int
    sender: User | None
    date: int
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    topic: int = 0  # a forum's topic; 0: none, and the General one
    thread: int = 0  # the message that began a thread of replies outside of topics
    reply_to: int = 0
    replied: Message | None = None
    markup: dict[str, Any] | None = None
    media: dict[str, Any] = field(default_factory=dict)  # {"document": {...}}: then the text is its caption
    media_group: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # what a call asked for and nobody sees
    edits: list[str] = field(default_factory=list)  # every text it has had; the last is the present one
    edited: int = 0
    reactions: dict[int, list[str]] = field(default_factory=dict)  # by the id of the user
    content: bytes = b""  # of its document
    rich: dict[str, Any] | None = None  # then the text is its source
    update: dict[str, Any] = field(default_factory=dict)  # what the bot was told of it last

    @property
    def message_id(self) -> int:
        return self.id

    @property
    def caption(self) -> str:
        return self.text if self.media else ""

    @property
    def from_bot(self) -> bool:
        return self.sender is not None and self.sender.is_bot

    @property
    def keyboard(self) -> list[list[Button]]:
        """The rows of its inline keyboard."""
        rows: list[list[Button]] = (self.markup or {}).get("inline_keyboard", [])
        return rows

    @property
    def buttons(self) -> list[Button]:
        return [button for row in self.keyboard for button in row]

    @property
    def document(self) -> dict[str, Any] | None:
        return self.media.get("document")

    @property
    def update_id(self) -> int:
        return int(self.update["update_id"])

    def change(self, text: str, entities: list[Entity]) -> None:
        self.text, self.entities = text, entities
        self.edits.append(text)

    def as_telegram(self, *, nested: bool = False) -> dict[str, Any]:
        """The Message of the Bot API. nested: inside another one, where nothing is nested further."""
        told: dict[str, Any] = {"message_id": self.id, "date": self.date, "chat": self.chat.as_telegram()}
        if self.sender is not None:
            told["from"] = self.sender.as_telegram()
        told |= self._thread()
        if self.replied is not None and not nested:
            told["reply_to_message"] = self.replied.as_telegram(nested=True)
        told |= self._words()
        if self.keyboard:
            told["reply_markup"] = self.markup
        if self.edited:
            told["edit_date"] = self.edited
        if self.media_group:
            told["media_group_id"] = self.media_group
        return told | self.media | self.more

    def _words(self) -> dict[str, Any]:
        if self.rich is not None:
            return {"rich_message": {"blocks": [{"type": "paragraph", "text": self.text}]}}
        words, marks = ("caption", "caption_entities") if self.media else ("text", "entities")
        if not self.text:
            return {}
        return {words: self.text} | ({marks: self.entities} if self.entities else {})

    def _thread(self) -> dict[str, Any]:
        if self.topic:
            return {"message_thread_id": self.topic, "is_topic_message": True}
        return {"message_thread_id": self.thread} if self.thread else {}
