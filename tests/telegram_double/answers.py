"""What the code of a method is given and how it refuses; the table of all methods that the double plays.

Knows which chats, messages and topics a call may mean. Leaves HTTP to the door.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.telegram_double.state import Chat, World

if TYPE_CHECKING:
    from tests.telegram_double.message import Message
    from tests.telegram_double.rates import Rates
    from tests.telegram_double.settings import Settings
    from tests.telegram_double.updates import Updates


class Refused(Exception):
    """Telegram says no. parameters: what it tells a program."""

    def __init__(self, description: str, *, status: int = 400, **parameters: Any) -> None:
        super().__init__(description)
        self.description = description
        self.status = status
        self.parameters = parameters


@dataclass(kw_only=True)
class Asked:
    """One call that passed the door. problems: for the method to fill with what was against the rules.
    files: what a multipart request brought, by the name of its part."""

    method: str
    world: World
    settings: Settings
    updates: Updates
    rates: Rates
    arguments: dict[str, Any]
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def get(self, name: str, default: Any = None) -> Any:
        value = self.arguments.get(name)
        return default if value is None else value

    def invalid(self, description: str) -> Refused:
        """Refuse what no bot should ever send, and remember that it was tried."""
        self.problems.append(description)
        return Refused(f"Bad Request: {description}")

    def chat(self, name: str = "chat_id") -> Chat:
        """The chat that is meant. Raises Refused."""
        chat = self.world.chats.get(_number(self.get(name)))
        if chat is None:
            raise Refused("Bad Request: chat not found")
        if chat.upgraded:
            raise Refused(
                "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.upgraded
            )
        return chat

    def open_chat(self) -> Chat:
        """The chat that is meant, if the bot may write there. Raises Refused."""
        chat = self.chat()
        if not chat.here:
            raise Refused(f"Forbidden: {_gone(chat)}", status=403)
        return chat

    def topic(self, chat: Chat) -> int:
        """The topic that is meant. Raises Refused."""
        topic = int(self.get("message_thread_id", 0))
        if topic and topic not in chat.topics:
            raise Refused("Bad Request: message thread not found")
        return topic

    def message(self, chat: Chat, missing: str) -> Message:
        message = chat.messages.get(int(self.get("message_id", 0)))
        if message is None:
            raise Refused(f"Bad Request: {missing}")
        return message


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _gone(chat: Chat) -> str:
    if chat.private:
        started = chat.status == "kicked"
        return "bot was blocked by the user" if started else "bot can't initiate conversation with a user"
    if chat.status == "kicked":
        return f"bot was kicked from the {chat.kind} chat"
    return f"bot is not a member of the {chat.kind} chat"


Code = Callable[[Asked], Any] | Callable[[Asked], Awaitable[Any]]
METHODS: dict[str, Code] = {}


def method(name: str) -> Callable[[Code], Code]:
    """Register the code of a method of the Bot API."""

    def register(code: Code) -> Code:
        METHODS[name] = code
        return code

    return register
