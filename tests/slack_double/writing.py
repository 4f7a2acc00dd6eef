"""What people write: messages with and without files, in channels and threads, changed and deleted again.

Every act changes the world first and then tells the app, until the app has acknowledged.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.slack_double import files as attachments
from tests.slack_double import payloads
from tests.slack_double.happening import Happening, Payload
from tests.slack_double.message import Message
from tests.slack_double.state import Workspace

File = tuple[str, bytes] | Mapping[str, Any]


@dataclass(kw_only=True)
class Writing(Happening):
    """People's keyboards."""

    async def say(
        self,
        user: str,
        channel: str,
        text: str,
        *,
        thread: Message | str | None = None,
        files: Sequence[File] = (),
        subtype: str = "",
        deliver: bool = True,
        copies: int = 1,
    ) -> Message:
        """Write a message, as it goes over the wire (`&amp;`, `<@U...>`), and tell the app of it if it is there.

        thread: a message of the thread, or its root's ts. files: names and contents, or file objects as Slack would
        tell them. deliver=False: the app is not told. copies: how often each event comes although acknowledged.
        """
        workspace = self.world.workspace_of(user)
        root = thread.root if isinstance(thread, Message) else thread or ""
        said = self.world.post(
            self.world.channel(channel),
            user,
            body=text,
            thread_ts=root,
            subtype=subtype,
            bot_id=f"B{user[1:]}" if workspace.users[user].is_bot else "",
            client_msg_id=str(uuid.uuid4()),
            files=[self._file(workspace, file) for file in files],
        )
        if deliver:
            await self.deliver(*self.events(said), copies=copies)
        return said

    def _file(self, workspace: Workspace, file: File) -> Payload:
        if isinstance(file, tuple):
            return attachments.describe(self.world, workspace, *file, self.base_url)
        return dict(file)

    def events(self, said: Message) -> list[Payload]:
        """What Slack sends for a message, each with an id of its own: two for a mention in a channel, none where the
        app is not."""
        place, workspace = self.world.channel(said.channel), self.world.workspaces[said.team]
        if workspace.bot not in place.members or workspace.dead == "account_inactive":
            return []
        events = [payloads.message(place, said)]
        if place.kind != "im" and re.search(rf"<@{workspace.bot}(\|[^>]*)?>", said.body):
            events.append(payloads.mention(place, said))
        return [payloads.envelope(workspace, event) for event in events]

    async def edit(self, said: Message, text: str) -> None:
        before = copy.deepcopy(said)
        said.body, said.edits, said.edited_by = text, said.edits + 1, said.user
        place = self.world.channel(said.channel)
        await self._tell(said, payloads.changed(place, said, before, self.world.ts()))

    async def delete(self, said: Message) -> None:
        """Delete a message; the root of a thread with replies leaves a tombstone."""
        place = self.world.channel(said.channel)
        del place.messages[said.ts]
        replies = [message for message in place.messages.values() if message.thread_ts == said.ts]
        tell = payloads.tombstone if replies else payloads.deleted
        await self._tell(said, tell(place, said, self.world.ts()))

    async def _tell(self, said: Message, event: Payload) -> None:
        workspace = self.world.workspaces[said.team]
        if workspace.bot in self.world.channel(said.channel).members:
            await self.deliver(payloads.envelope(workspace, event))
