"""Bringing updates to a webhook, as Telegram does: in order within a chat, again and again until it says 2xx.

Knows HTTP and the secret's header. Leaves what the updates are to `updates`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.telegram_double.settings import Settings
from tests.telegram_double.updates import Update, Updates

HEADER = "X-Telegram-Bot-Api-Secret-Token"
ANSWER_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try. status: what the webhook said; 0: nothing."""

    update_id: int
    status: int
    body: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(kw_only=True)
class Courier:
    """`forced`: where updates go whatever setWebhook said; `secret`: then the secret, if none was set."""

    settings: Settings
    updates: Updates
    session: aiohttp.ClientSession
    clock: Callable[[], float]
    secret: str
    forced: str = ""
    tries: list[Delivery] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.forced or self.settings.webhook.url

    @property
    def _open(self) -> bool:
        """Only what stands on this machine is ever called."""
        return urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")

    async def run(self) -> None:
        """Send what is pending, for ever."""
        lanes: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                if self._open:
                    for lane in {_lane(update) for update in self._pending()}:
                        if lane not in lanes or lanes[lane].done():
                            lanes[lane] = group.create_task(self._bring_all(lane))
                await self.updates.something()

    def _pending(self) -> list[Update]:
        return [*self.updates.again, *self.updates.pending]

    async def _bring_all(self, lane: str) -> None:
        pause = FIRST_PAUSE
        while self._open:
            update = next((update for update in self._pending() if _lane(update) == lane), None)
            if update is None:
                return
            if (await self._bring(update)).ok:
                pause = FIRST_PAUSE
                self._arrived(update)
            else:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)

    def _arrived(self, update: Update) -> None:
        if update in self.updates.again:
            self.updates.again.remove(update)
        else:
            self.updates.confirm(update)

    async def _bring(self, update: Update) -> Delivery:
        secret = self.settings.webhook.secret if self.settings.webhook.url else self.secret
        delivery = await self.post(update, {HEADER: secret} if secret else {})
        self.tries.append(delivery)
        if not delivery.ok:
            webhook = self.settings.webhook
            webhook.error = f"Wrong response from the webhook: {delivery.status}"
            webhook.error_at = int(self.clock())
        elif delivery.body.lstrip().startswith("{") and '"method"' in delivery.body:
            self.problems.append("the double takes no method in the answer of a webhook")
        return delivery

    async def post(self, update: Any, headers: Mapping[str, str]) -> Delivery:
        """One try, with any body and headers."""
        number = update.get("update_id", 0) if isinstance(update, dict) else 0
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self.session.post(self.url, json=update, headers=headers, timeout=timeout) as answer:
                return Delivery(update_id=number, status=answer.status, body=await answer.text())
        except (TimeoutError, aiohttp.ClientError):
            return Delivery(update_id=number, status=0)


def _lane(update: Update) -> str:
    """What must stay in order: the updates of one chat, or of one person."""
    content = next((value for name, value in update.items() if name != "update_id"), None)
    if not isinstance(content, dict):
        return ""
    for holder in (content, content.get("message")):
        if isinstance(holder, dict) and isinstance(holder.get("chat"), dict):
            return f"chat {holder['chat'].get('id')}"
    sender = content.get("from")
    return f"person {sender.get('id')}" if isinstance(sender, dict) else ""
