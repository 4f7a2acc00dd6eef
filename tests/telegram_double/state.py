"""The world behind the Bot API: people, chats, topics, messages, files, and their numbers.

Knows who is where and counts ids as Telegram does. Leaves what may be done to the methods.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tests.telegram_double.message import Message

GONE = float("-inf")  # when a draft was seen last that is to be seen no more
Kind = Literal["private", "group", "supergroup", "channel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a bot."""

    id: int
    name: str
    username: str = ""
    language: str = "en"
    is_bot: bool = False

    def as_telegram(self) -> dict[str, Any]:
        told: dict[str, Any] = {"id": self.id, "is_bot": self.is_bot, "first_name": self.name}
        if self.username:
            told["username"] = self.username
        if self.language and not self.is_bot:
            told["language_code"] = self.language
        return told


@dataclass(kw_only=True, eq=False)
class Chat:
    """A chat with its messages by id. `status` is what our bot is in it; `upgraded`: the supergroup it became."""

    id: int
    kind: Kind
    title: str
    members: dict[int, User] = field(default_factory=dict)
    forum: bool = False
    status: Literal["member", "administrator", "left", "kicked"] = "member"
    upgraded: int = 0
    topics: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def private(self) -> bool:
        return self.kind == "private"

    @property
    def here(self) -> bool:
        """Whether our bot is in it, and not blocked."""
        return self.status in ("member", "administrator")

    def as_telegram(self) -> dict[str, Any]:
        if self.private:
            return {"id": self.id, "type": "private", "first_name": self.title}
        told: dict[str, Any] = {"id": self.id, "type": self.kind, "title": self.title}
        return told | ({"is_forum": True} if self.forum else {})


@dataclass(kw_only=True)
class Query:
    """A button was pressed. `answers` counts how often the bot has answered it, `text` is what the person was told."""

    id: str
    user: User
    message: Message
    data: str
    at: float
    answers: int = 0
    text: str = ""
    alert: bool = False


@dataclass(kw_only=True)
class Draft:
    """A text that grows before the eyes of one person. `texts`: all it has been."""

    chat: Chat
    id: int
    topic: int
    texts: list[str]
    at: float
    can_stop: bool = False
    keeps: bool = False
    shown: dict[str, Any] = field(default_factory=dict)  # how: its entities, or the rich message


@dataclass(kw_only=True)
class File:
    id: str
    unique_id: str
    path: str
    content: bytes
    size: int


@dataclass(kw_only=True)
class World:
    """Everything there is. `skew`: how many seconds a test has let pass."""

    me: User
    skew: float = 0.0
    users: dict[int, User] = field(default_factory=dict)
    chats: dict[int, Chat] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    actions: list[tuple[int, int, str]] = field(default_factory=list)  # chat, topic, action
    files: dict[str, File] = field(default_factory=dict)
    _people: Iterator[int] = field(default_factory=lambda: itertools.count(5_000_000_001, 1_111))
    _groups: Iterator[int] = field(default_factory=lambda: itertools.count(4_000_000_001, 777))
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _queries: Iterator[int] = field(default_factory=lambda: itertools.count(4_382_000_000_000_000_001, 13))

    def clock(self) -> float:
        return time.time() + self.skew

    def person(self, name: str, *, language: str, id: int | None, username: str, is_bot: bool) -> User:  # noqa: A002
        user = User(
            id=next(self._people) if id is None else id,
            name=name,
            language=language,
            username=username,
            is_bot=is_bot,
        )
        self.users[user.id] = user
        return user

    def private(self, user: User) -> Chat:
        """The chat of a person with our bot: one for ever; all of them share one counter of messages."""
        chat = self.chats.get(user.id)
        if chat is None:
            chat = Chat(id=user.id, kind="private", title=user.name, numbers=self._numbers)
            chat.members[user.id] = user
            self.chats[chat.id] = chat
        return chat

    def group(self, title: str, *, supergroup: bool, forum: bool) -> Chat:
        """A new group. Small groups share the counter of private chats; supergroups count for themselves."""
        number = next(self._groups)
        chat = Chat(
            id=-(1_000_000_000_000 + number) if supergroup else -number,
            kind="supergroup" if supergroup else "group",
            title=title,
            forum=forum,
        )
        if not supergroup:
            chat.numbers = self._numbers
        if forum:
            next(chat.numbers)  # the first is the General topic's, which no call names
        self.chats[chat.id] = chat
        return chat

    def next_query(self) -> str:
        return str(next(self._queries))

    def keep_file(self, content: bytes, path: str) -> File:
        number = len(self.files) + 1
        file = File(
            id=f"BQACAgIAAxkBAAI{number:06d}Zm9y",
            unique_id=f"AgAD{number:06d}",
            path=path,
            content=content,
            size=len(content),
        )
        self.files[file.id] = file
        return file
