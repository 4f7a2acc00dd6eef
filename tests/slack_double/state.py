"""What a Slack keeps: workspaces with their people and channels, agent sessions, views, files.

Knows neither HTTP nor who asks. Leaves what may be done with it to the methods, and what people do to `acting`.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.slack_double.message import Message, StreamState

SCOPES = frozenset(
    {
        *("app_mentions:read", "assistant:write", "chat:write", "commands", "team:read", "users:read"),
        *("channels:history", "channels:join", "channels:read", "groups:history", "groups:read"),
        *("im:history", "im:read", "im:write", "mpim:history", "mpim:read"),
        *("files:read", "files:write", "reactions:read", "reactions:write"),
    }
)
STATUS_SECONDS = 120.0  # an assistant status vanishes after two minutes
TRIGGER_SECONDS = 3.0


@dataclass(kw_only=True)
class Channel:
    """A place where messages stand. kind: channel, group, im or mpim."""

    team: str
    id: str
    name: str = ""
    kind: str = "channel"
    members: set[str] = field(default_factory=set)
    archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)

    def thread(self, root: str) -> list[Message]:
        return [message for message in self.messages.values() if message.root == root]


@dataclass(kw_only=True)
class User:
    id: str
    name: str
    locale: str = "en-US"
    is_bot: bool = False
    deleted: bool = False
    team: str = ""  # another workspace's, in a channel that both share


@dataclass(kw_only=True)
class Session:
    """An agent session; `history` is every status it had."""

    title: str = ""
    history: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.history[-1] if self.history else ""


@dataclass(kw_only=True)
class Workspace:
    """A team that has installed the app. `ann` writes English, `li` Chinese; the bot is in `general`, not in `side`."""

    team: str
    name: str
    app_id: str
    bot_token: str
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    agent: bool = True  # whether the app is an agent here: sessions, prompts
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    dead: str = ""  # the error that every token of it gets: token_revoked, account_inactive

    def __post_init__(self) -> None:
        for user in (
            User(id=self.bot, name="frontdesk", is_bot=True),
            User(id=self.ann, name="ann"),
            User(id=self.li, name="li", locale="zh-CN"),
            User(id=self.other_bot, name="other-bot", is_bot=True),
        ):
            self.users[user.id] = user
        people = {self.ann, self.li, self.other_bot}
        self.add_channel(self.general, "general", people | {self.bot})
        self.add_channel(self.side, "side", people)

    @property
    def _stem(self) -> str:
        return self.team[1:]

    @property
    def bot(self) -> str:
        return f"U{self._stem}BOT"

    @property
    def bot_id(self) -> str:
        return f"B{self._stem}BOT"

    @property
    def ann(self) -> str:
        return f"U{self._stem}ANN"

    @property
    def li(self) -> str:
        return f"U{self._stem}LI"

    @property
    def other_bot(self) -> str:
        return f"U{self._stem}ELSE"

    @property
    def general(self) -> str:
        return f"C{self._stem}GENERAL"

    @property
    def side(self) -> str:
        return f"C{self._stem}SIDE"

    @property
    def mention(self) -> str:
        return f"<@{self.bot}>"

    @property
    def domain(self) -> str:
        return self.name.lower().replace(" ", "-")

    def add_channel(self, channel_id: str, name: str, members: set[str], *, kind: str = "channel") -> Channel:
        channel = Channel(team=self.team, id=channel_id, name=name, kind=kind, members=set(members))
        self.channels[channel_id] = channel
        return channel

    def add_user(self, user_id: str, name: str, *, locale: str = "en-US", is_bot: bool = False) -> User:
        self.users[user_id] = User(id=user_id, name=name, locale=locale, is_bot=is_bot)
        self.channels[self.general].members.add(user_id)
        return self.users[user_id]

    def dm(self, user: str) -> Channel:
        """The direct messages between a person and the bot."""
        known = self.channels.get("D" + user[1:])
        return known or self.add_channel("D" + user[1:], "", {user, self.bot}, kind="im")


@dataclass(kw_only=True)
class UploadedFile:
    id: str
    name: str
    team: str
    content: bytes = b""
    shared_in: str = ""
    thread_ts: str = ""


@dataclass(kw_only=True)
class World:
    """Everything there is. `clock` may be set by a test; two messages never have the same ts."""

    app_id: str = "A0FRONTDESK"
    clock: Callable[[], float] = time.time
    stream_seconds: float = 300.0
    subscriptions: frozenset[str] | None = (
        None  # the events the app asked for, as its manifest names them; None: all
    )
    workspaces: dict[str, Workspace] = field(default_factory=dict)
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)  # (channel, thread)
    statuses: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    prompts: dict[tuple[str, str], list[dict[str, str]]] = field(default_factory=dict)
    titles: dict[tuple[str, str], str] = field(default_factory=dict)
    ephemerals: list[Message] = field(default_factory=list)
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)  # by user
    views: dict[str, dict[str, Any]] = field(default_factory=dict)  # open modals, by id
    files: dict[str, UploadedFile] = field(default_factory=dict)
    triggers: dict[str, tuple[str, str, float]] = field(default_factory=dict)  # id -> team, user, when
    spent_triggers: set[str] = field(default_factory=set)
    response_urls: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    _last: float = 0.0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ts(self) -> str:
        self._last = max(self._last + 0.0001, self.clock())
        return f"{self._last:.6f}"

    def id(self, prefix: str) -> str:
        return f"{prefix}0{next(self._numbers):07d}"

    def workspace_of(self, user: str) -> Workspace:
        """Whose person this is."""
        return next(workspace for workspace in self.workspaces.values() if user in workspace.users)

    def channel(self, channel_id: str) -> Channel:
        """A channel of any workspace. Raises LookupError."""
        for workspace in self.workspaces.values():
            if channel_id in workspace.channels:
                return workspace.channels[channel_id]
        raise LookupError(f"there is no channel {channel_id}")

    def post(self, channel: Channel, user: str, **values: Any) -> Message:
        """Put a new message into a channel."""
        message = Message(team=channel.team, channel=channel.id, ts=self.ts(), user=user, **values)
        channel.messages[message.ts] = message
        return message

    def stream_state(self, message: Message) -> StreamState:
        """How it stands with a stream now: an old one has died by itself."""
        stream = message.stream
        if stream is None:
            return "done"
        if stream.state == "open" and self.clock() - stream.started > self.stream_seconds:
            stream.state = "expired"
        return stream.state

    def open_streams(self, among: Iterable[Message]) -> list[Message]:
        return [message for message in among if message.stream and self.stream_state(message) == "open"]

    def end_stream(self, message: Message, state: StreamState) -> None:
        assert message.stream is not None
        message.stream.state = state

    def status(self, channel: str, thread: str) -> str:
        """What the assistant's status line in a thread says now."""
        text, since = self.statuses.get((channel, thread), ("", 0.0))
        return text if self.clock() - since < STATUS_SECONDS else ""

    def subscribes(self, name: str) -> bool:
        return self.subscriptions is None or name in self.subscriptions

    def trigger(self, workspace: Workspace, user: str) -> str:
        trigger = f"{next(self._numbers)}.{secrets.token_hex(6)}"
        self.triggers[trigger] = (workspace.team, user, self.clock())
        return trigger
