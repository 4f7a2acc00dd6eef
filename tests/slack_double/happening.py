"""What happens around an app and is told to it: the home opened, an agent stopped, the app invited or thrown out.

Knows which events the app asked for, and holds events back when a test wants another order. Leaves the way there to
`delivery`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tests.slack_double import payloads
from tests.slack_double.delivery import Courier, Delivery
from tests.slack_double.state import Channel, Workspace, World

Payload = dict[str, Any]


@dataclass(kw_only=True)
class Happening:
    """Ids of channels and people are never shared by two workspaces, so no verb asks for the workspace."""

    world: World
    courier: Courier
    base_url: str
    _held: list[Payload] | None = field(default=None, repr=False)

    async def deliver(self, *events: Payload, copies: int = 1) -> None:
        """Bring events to the app, all at once. Raises Undelivered when it acknowledges one of them never."""
        wanted = [event for event in events if self.world.subscribes(payloads.subscription(event["event"]))]
        if self._held is not None:
            self._held += wanted
            return
        results = await asyncio.gather(
            *(self.courier.event(event, copies=copies) for event in wanted), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[list[Payload]]:
        """Hold events back: what happens in the block is told at its end, one by one, in the order of the list."""
        held: list[Payload] = []
        self._held = held
        try:
            yield held
        finally:
            self._held = None
        for event in held:
            await self.deliver(event)

    async def happen(self, workspace: Workspace, event: Payload) -> None:
        """Tell the app of an event in a workspace."""
        await self.deliver(payloads.envelope(workspace, event | {"event_ts": self.world.ts()}))

    async def verify_url(self) -> Any:
        """What Slack asks when somebody enters the URL: the answer must repeat the challenge."""
        challenge = secrets.token_hex(8)
        body = {"type": "url_verification", "token": payloads.TOKEN, "challenge": challenge}
        answer = await self.courier.post(json.dumps(body), {"Content-Type": "application/json"})
        assert answer.ok, answer
        assert challenge in answer.body, answer
        return answer

    async def limit_events(self, team: str) -> Delivery:
        """More than 30,000 events an hour: Slack says that it leaves some out."""
        workspace = self.world.workspaces[team]
        told = {"type": "app_rate_limited", "token": payloads.TOKEN, "team_id": team}
        minute = {"minute_rate_limited": int(time.time()), "api_app_id": workspace.app_id}
        return await self.courier.event(told | minute)

    async def send(self, event: Payload, *, team: str = "") -> Delivery:
        """Send any event in an envelope, asked for or not, and see how it was taken."""
        workspace = self.world.workspaces[team] if team else next(iter(self.world.workspaces.values()))
        return await self.courier.event(payloads.envelope(workspace, event))

    async def open_home(self, user: str, tab: str = "home") -> None:
        """Open the app: tab is home or messages."""
        workspace = self.world.workspace_of(user)
        event: Payload = {
            "type": "app_home_opened",
            "user": user,
            "channel": workspace.dm(user).id,
            "tab": tab,
        }
        if tab == "home" and user in self.world.homes:
            event["view"] = self.world.homes[user]
        await self.happen(workspace, event)

    async def stop_session(self, channel: str, thread: str, *, user: str = "") -> None:
        """Press Slack's own stop button: Slack ends the streams of the thread and tells the app."""
        place = self.world.channel(channel)
        workspace = self.world.workspaces[place.team]
        running = self.world.open_streams(place.thread(thread))
        for message in running:
            self.world.end_stream(message, "stopped by the person")
        event = {
            "type": "agent_session_stopped",
            "channel": channel,
            "thread_ts": thread,
            "user": user or workspace.ann,
            "streaming_message_ts": [message.ts for message in running],
        }
        await self.happen(workspace, event)

    async def invite(self, channel: str, *, user: str = "") -> None:
        """Bring the app into a channel."""
        place = self.world.channel(channel)
        workspace = self.world.workspaces[place.team]
        place.members.add(workspace.bot)
        event = {
            "type": "member_joined_channel",
            "user": workspace.bot,
            "channel": channel,
            "channel_type": "C",
        }
        await self.happen(workspace, event | {"team": workspace.team, "inviter": user or workspace.ann})

    async def uninstall(self, team: str) -> None:
        """Throw the app out of a workspace: its tokens die, and Slack says so twice."""
        workspace = self.world.workspaces[team]
        workspace.dead = "account_inactive"
        await self.happen(workspace, {"type": "app_uninstalled"})
        await self._revoked(workspace)

    async def revoke(self, team: str) -> None:
        """The token of a workspace is revoked."""
        workspace = self.world.workspaces[team]
        workspace.dead = "token_revoked"
        await self._revoked(workspace)

    async def _revoked(self, workspace: Workspace) -> None:
        tokens = {"oauth": [], "bot": [workspace.bot]}
        await self.happen(workspace, {"type": "tokens_revoked", "tokens": tokens})

    def archive(self, channel: str) -> Channel:
        place = self.world.channel(channel)
        place.archived = True
        return place

    def kick(self, channel: str) -> Channel:
        """Take the app out of a channel."""
        place = self.world.channel(channel)
        place.members.discard(self.world.workspaces[place.team].bot)
        return place
