"""What the code of a method is given and how it refuses; the table of all methods that the double plays.

Knows whose token asks and which channels that one may write to. Leaves HTTP to the door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.slack_double.message import Message
from tests.slack_double.state import Channel, Workspace, World

Answer = dict[str, Any]


class Refused(Exception):
    """Slack says no. more: further fields of the answer."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more


@dataclass(kw_only=True)
class Asked:
    """One call that passed the door. violations and echoes are for the method to fill: what was against the rules,
    and the events that Slack sends to the app about the app's own doings."""

    method: str
    world: World
    workspace: Workspace
    arguments: dict[str, Any]
    base_url: str
    violations: list[str] = field(default_factory=list)
    echoes: list[tuple[Workspace, dict[str, Any]]] = field(default_factory=list)

    def get(self, name: str, default: Any = "") -> Any:
        value = self.arguments.get(name)
        return default if value is None else value

    def invalid(self, error: str, problems: list[str]) -> None:
        """Refuse what is against Slack's rules, and remember that it was tried."""
        if problems:
            self.violations += problems
            raise Refused(
                error, response_metadata={"messages": [f"[ERROR] {problem}" for problem in problems]}
            )

    def channel(self, name: str = "channel", *, writing: bool = False) -> Channel:
        """The channel that is meant. Raises Refused."""
        meant = self.get(name)
        if meant in self.workspace.users:
            return self.workspace.dm(meant)
        channel = self.workspace.channels.get(meant)
        if channel is None:
            raise Refused("channel_not_found")
        if writing and channel.archived:
            raise Refused("is_archived")
        if writing and self.workspace.bot not in channel.members:
            raise Refused("not_in_channel")
        return channel

    def message(self, channel: Channel, name: str = "ts") -> Message:
        message = channel.messages.get(self.get(name))
        if message is None:
            raise Refused("message_not_found")
        return message

    def thread(self, channel: Channel, error: str = "thread_not_found", *, name: str = "thread_ts") -> str:
        """The root of the thread that is meant, or nothing. Raises Refused."""
        ts = self.get(name)
        if not ts:
            return ""
        root = channel.messages.get(ts)
        if root is None:
            raise Refused(error)
        if root.thread_ts and root.thread_ts != root.ts:
            self.violations.append(f"{name} {ts} is a reply, not the root of a thread")
        return str(ts)

    def clear_status(self, channel: Channel, thread: str) -> None:
        """A message of the app takes its status line away."""
        self.world.statuses.pop((channel.id, thread), None)

    def echo(self, event: dict[str, Any]) -> None:
        self.echoes.append((self.workspace, event))


Code = Callable[[Asked], Answer]
METHODS: dict[str, Code] = {}


def method(name: str) -> Callable[[Code], Code]:
    """Register the code of a Web API method."""

    def register(code: Code) -> Code:
        METHODS[name] = code
        return code

    return register
