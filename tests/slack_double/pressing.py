"""What people press and fill in: buttons, thumbs, slash commands, shortcuts, modals.

Only what is really there can be pressed. Every verb returns what the app answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.slack_double import payloads
from tests.slack_double.happening import Happening, Payload
from tests.slack_double.message import Message
from tests.slack_double.shown import elements_in
from tests.slack_double.state import Workspace

View = Mapping[str, Any]


@dataclass(kw_only=True)
class Pressing(Happening):
    """People's fingers."""

    async def press(
        self,
        on: Message | View,
        action_id: str,
        value: str | None = None,
        *,
        user: str = "",
        up: bool | None = None,
    ) -> Any:
        """Press what stands in a message or a view. up: which thumb."""
        workspace = self._workspace(on)
        block_id, element = _element(on.blocks if isinstance(on, Message) else on["blocks"], action_id)
        element["value"] = _pressed_value(element, value, up)
        user = user or self._presser(on, workspace)
        payload = payloads.pressed(
            workspace,
            user,
            self.world.trigger(workspace, user),
            element=element,
            block_id=block_id,
            ts=self.world.ts(),
        )
        return await self.courier.interaction(payload | self._where(on, user))

    def _workspace(self, on: Message | View) -> Workspace:
        return self.world.workspaces[on.team if isinstance(on, Message) else on["team_id"]]

    def _presser(self, on: Message | View, workspace: Workspace) -> str:
        """Somebody who sees it."""
        if not isinstance(on, Message):
            return str(on.get("opened_for") or workspace.ann)
        members = self.world.channel(on.channel).members - {workspace.bot}
        return on.ephemeral_for or (workspace.ann if workspace.ann in members else min(members))

    def _where(self, on: Message | View, user: str) -> Payload:
        if not isinstance(on, Message):
            return payloads.on_view(dict(on))
        url = self._response_url(on.team, on.channel, user, on.root if on.thread_ts else "")
        return payloads.on_message(self.world.channel(on.channel), on, url)

    def _response_url(self, team: str, channel: str, user: str, thread: str) -> str:
        name = self.world.id("R")
        self.world.response_urls[name] = (team, channel, user, thread)
        return f"{self.base_url}/response/{name}"

    async def command(self, name: str, text: str = "", *, user: str = "", channel: str = "") -> Any:
        """Type a slash command, in `general` if nowhere else."""
        workspace = self._workspace_of(user)
        user = user or workspace.ann
        place = self.world.channel(channel or workspace.general)
        form = payloads.command(
            workspace,
            user,
            self.world.trigger(workspace, user),
            channel=place,
            name=name,
            text=text,
            response_url=self._response_url(workspace.team, place.id, user, ""),
        )
        return await self.courier.interaction(form, command=True)

    def _workspace_of(self, user: str) -> Workspace:
        return self.world.workspace_of(user) if user else next(iter(self.world.workspaces.values()))

    async def shortcut(self, callback_id: str, on: Message | None = None, *, user: str = "") -> Any:
        """Use a shortcut, on a message or a global one."""
        workspace = self._workspace(on) if on else self._workspace_of(user)
        user = user or workspace.ann
        payload = payloads.shortcut(
            workspace,
            user,
            self.world.trigger(workspace, user),
            callback_id,
            self.world.ts(),
            self._where(on, user) if on else {},
        )
        return await self.courier.interaction(payload)

    async def submit(self, view: View, values: Mapping[str, Any] | None = None) -> Any:
        """Fill in a modal (by action id) and send it; it closes unless the app says otherwise."""
        filled: dict[str, dict[str, Any]] = {}
        for action_id, value in (values or {}).items():
            block_id, element = _element(view["blocks"], action_id)
            given = {"selected_option": value} if isinstance(value, Mapping) else {"value": value}
            filled.setdefault(block_id, {})[action_id] = {"type": element["type"], **given}
        workspace, user = self._workspace(view), str(view["opened_for"])
        sent = {**view, "state": {"values": filled}}
        payload = payloads.submitted(workspace, user, self.world.trigger(workspace, user), sent)
        answer = await self.courier.interaction(payload)
        if not isinstance(answer, dict) or answer.get("response_action", "clear") == "clear":
            self.world.views.pop(str(view["id"]), None)
        return answer


def _element(blocks: Sequence[Mapping[str, Any]], action_id: str) -> tuple[str, Payload]:
    for block_id, element in elements_in(blocks):
        if element["action_id"] == action_id:
            return block_id or "b1", element
    there = [element["action_id"] for _, element in elements_in(blocks)]
    raise AssertionError(f"there is no {action_id} to press, only {there}")


def _pressed_value(element: Mapping[str, Any], value: str | None, up: bool | None) -> Any:
    if element["type"] != "feedback_buttons":
        return element.get("value") if value is None else value
    values = [element[name]["value"] for name in ("positive_button", "negative_button")]
    if up is not None:
        return values[0] if up else values[1]
    assert value in values, f"a thumb has the value {values[0]} or {values[1]}, not {value}"
    return value
