"""A message as Slack keeps it, and what a person reads of it; one that still grows has a stream.

Knows what Slack tells of a message. Leaves which of it is on which call's account to the methods.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.slack_double.shown import elements_in, said_by, shown

PING = re.compile(
    r"<!(?:channel|here|everyone|subteam\^)[^>]*>|<@[UW][A-Z0-9]+[^>]*>|@(?:channel|here|everyone)\b"
)

StreamState = Literal["open", "expired", "stopped by the person", "done"]


@dataclass(kw_only=True)
class Stream:
    """What makes a message a growing one."""

    started: float
    state: StreamState = "open"
    appends: int = 0


@dataclass(kw_only=True)
class Message:
    """One message in a channel, as Slack keeps it; `text` is what a person reads."""

    team: str
    channel: str
    ts: str
    user: str
    body: str = ""
    markdown: bool = False  # the body came as markdown_text or through a stream
    thread_ts: str = ""
    bot_id: str = ""
    subtype: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # unfurl_links and the like, as given
    stream: Stream | None = None
    edits: int = 0
    edited_by: str = ""
    ephemeral_for: str = ""
    client_msg_id: str = ""

    @property
    def text(self) -> str:
        """What a person reads: the Markdown as it is, or what the blocks say, else the text."""
        return shown(self.body, self.blocks, markdown=self.markdown)

    @property
    def root(self) -> str:
        return self.thread_ts or self.ts

    @property
    def pings(self) -> list[str]:
        """What in it would call people: mentions of one, of a group, of all. A code block does not matter to Slack's
        own parser of `<!...>`, so none does here."""
        return PING.findall(self.body) + [
            ping for block in self.blocks for ping in PING.findall(said_by(block))
        ]

    @property
    def streaming(self) -> bool:
        return self.stream is not None and self.stream.state == "open"

    @property
    def broken(self) -> bool:
        """A stream that Slack gave up: it looks unfinished until somebody updates it."""
        return self.stream is not None and self.stream.state == "expired"

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """What may be pressed, by action id."""
        return {str(element["action_id"]): element for _, element in elements_in(self.blocks)}

    def as_slack(self) -> dict[str, Any]:
        """The message object of events and answers."""
        told: dict[str, Any] = {"type": "message", "user": self.user, "text": self.body, "ts": self.ts}
        told["team"] = self.team
        for name in ("thread_ts", "bot_id", "subtype", "client_msg_id", "blocks", "metadata", "files"):
            if value := getattr(self, name):
                told[name] = value
        if self.edits:
            told["edited"] = {"user": self.edited_by or self.user, "ts": self.ts}
        return told


def option_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a message was sent with that changes how it looks."""
    names = (
        "unfurl_links",
        "unfurl_media",
        "mrkdwn",
        "parse",
        "link_names",
        "username",
        "icon_emoji",
        "icon_url",
    )
    return {name: arguments[name] for name in names if name in arguments}
