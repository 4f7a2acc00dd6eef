"""Who we are in Telegram: asked at the start until it is known, and told to the operator's log, with what to mend.

Knows what an operator should hear. Leaves failures to `backoff`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from bot.channels.telegram.api import Api, Me, TelegramFailure
from bot.channels.telegram.backoff import Backoff

log = structlog.get_logger(__name__)

PRIVACY_MODE = (
    "privacy mode is on: in groups Telegram gives us commands and replies to us for sure, mentions perhaps not. Turn "
    "it off (@BotFather, /setprivacy, Disable) and add the bot to its groups anew, or make it an administrator there"
)


@dataclass(slots=True, kw_only=True)
class Introduction:
    """One per process: what was told is not told again when the channel has to begin anew."""

    api: Api
    webhook: bool
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    backoff: Backoff = field(default_factory=lambda: Backoff(what="getMe"))
    _told: bool = False

    async def made(self) -> Me:
        """Who we are, as soon as Telegram says so."""
        while True:
            try:
                me = await self.api.me()
            except TelegramFailure as failure:
                await self.sleep(self.backoff.after(failure))
            else:
                self.backoff.over()
                self._tell(me)
                return me

    def _tell(self, me: Me) -> None:
        if self._told:
            return
        self._told = True
        log.info(
            "Telegram knows us", username=f"@{me.username}", by="webhook" if self.webhook else "long polling"
        )
        if not me.reads_groups:
            log.warning(PRIVACY_MODE, username=f"@{me.username}")
