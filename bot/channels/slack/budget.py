"""When a call of Slack's Web API may go out: each method's tier in a workspace, a channel's one message a second, and
the pauses that Slack asked for.

Knows limits and times; takes nothing it cannot give at once. Leaves the calls themselves to `api`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.pacing import Window

WINDOW = 61.0  # seconds; Slack counts by the minute, and calls do not take equally long to get there
CHANNEL_SECONDS = 1.05  # between two new messages in a channel: Slack takes one a second
RESERVE = 10  # one in so many calls is kept for the urgent: an answer's end must not wait for its middle

TIER_1, TIER_2, TIER_3, TIER_4 = 1, 20, 50, 100  # calls a minute, for each workspace and method
SPECIAL = 600  # "hundreds a minute": what holds back is the channel

MESSAGES = frozenset(
    {"chat.postMessage", "chat.startStream", "chat.postEphemeral"}
)  # new messages in a channel

TIERS = {
    "agents.sessions.rename": TIER_3,
    "agents.sessions.setStatus": TIER_3,
    "apps.connections.open": TIER_3,
    "apps.uninstall": TIER_1,
    "assistant.threads.setStatus": SPECIAL,
    "assistant.threads.setSuggestedPrompts": TIER_4,
    "assistant.threads.setTitle": TIER_4,
    "auth.revoke": TIER_3,
    "auth.test": SPECIAL,
    "bots.info": TIER_3,
    "chat.appendStream": TIER_4,
    "chat.delete": TIER_3,
    "chat.getPermalink": SPECIAL,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": SPECIAL,
    "chat.startStream": TIER_2,
    "chat.stopStream": TIER_2,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.join": TIER_3,
    "conversations.members": TIER_4,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.getUploadURLExternal": TIER_4,
    "files.info": TIER_4,
    "oauth.v2.access": SPECIAL,
    "reactions.add": TIER_3,
    "reactions.remove": TIER_2,
    "team.info": TIER_3,
    "users.info": TIER_4,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.update": TIER_4,
}

RESERVED = {
    "chat.startStream": 5
}  # for streams that go on in a new message; more answers than 15 a minute are posted


@dataclass(slots=True)
class Budget:
    """One per process: every workspace's windows, every channel's second, every pause."""

    scale: float = 1.0  # of all lengths of time; a test's minute may be a second
    _windows: dict[tuple[str, ...], Window] = field(default_factory=dict)
    _paused: dict[tuple[str, ...], float] = field(default_factory=dict)

    def wait(self, now: float, team: str, method: str, channel: str = "", *, urgent: bool = False) -> float:
        """Seconds until this call may go as far as is known now, 0.0 if it may go at once."""
        waits = [
            window.wait(now, kept=0 if urgent else window.reserve)
            for window in self._holding(team, method, channel)
        ]
        waits += [self._paused.get(key, now) - now for key in _scopes(team, method, channel)]
        return max(0.0, *waits)

    def take(self, now: float, team: str, method: str, channel: str = "") -> None:
        """This call goes now."""
        for window in self._holding(team, method, channel):
            window.take(now)
        if len(self._windows) > 10_000:
            self._tidy(now)

    def pause(self, now: float, team: str, method: str, channel: str = "", *, seconds: float) -> None:
        """Slack asked to leave a method alone for a while: in that channel where it counts by channels, else in the
        workspace."""
        key = _scopes(team, method, channel)[-1]
        self._paused[key] = max(self._paused.get(key, 0.0), now + seconds * self.scale)

    def _holding(self, team: str, method: str, channel: str) -> Iterator[Window]:
        limit = TIERS.get(method, TIER_2)
        yield self._window((team, method), limit, WINDOW, reserve=RESERVED.get(method, limit // RESERVE))
        if method in MESSAGES and channel:
            yield self._window((team, "messages", channel), 1, CHANNEL_SECONDS)

    def _window(self, key: tuple[str, ...], limit: int, seconds: float, *, reserve: int = 0) -> Window:
        if key not in self._windows:
            self._windows[key] = Window(limit, seconds * self.scale, reserve)
        return self._windows[key]

    def _tidy(self, now: float) -> None:
        for window in self._windows.values():
            window.wait(now, kept=0)
        self._windows = {key: window for key, window in self._windows.items() if not window.idle}
        self._paused = {key: until for key, until in self._paused.items() if until > now}


def _scopes(team: str, method: str, channel: str) -> list[tuple[str, ...]]:
    """What a pause of this call may be known under, the narrowest last."""
    counted_by_channel = channel and TIERS.get(method) == SPECIAL
    return [(team, method), (team, method, channel)] if counted_by_channel else [(team, method)]
