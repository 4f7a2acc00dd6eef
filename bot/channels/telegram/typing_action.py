"""“typing…”, for as long as an answer is under way.

Knows how long Telegram shows it. Never in an answer's way: what fails here is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.places import Spot
from bot.channels.telegram.trouble import meaning
from bot.channels.telegram.ways import Timing

log = structlog.get_logger(__name__)

WITHIN = 3.0  # seconds for an answer that nobody waits for


@dataclass(slots=True, kw_only=True)
class Typing:
    """One answer's."""

    api: Api
    spot: Spot
    timing: Timing
    resumed: bool = False
    _quiet: bool = field(default=False)

    def be_quiet(self) -> None:
        """Something else says it: a draft, which the action would take away again."""
        self._quiet = True

    @asynccontextmanager
    async def shown(self) -> AsyncGenerator[None, None]:
        """Say it for as long as the block lasts."""
        saying = asyncio.create_task(self._say(), name=f"typing {self.spot.chat}")
        try:
            yield
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def _say(self) -> None:
        if self.resumed:
            await self.api.sleep(self.timing.again)
        while not self._quiet:
            try:
                await self.api.call(
                    "sendChatAction",
                    chat=self.spot.chat,
                    message_thread_id=self.spot.thread,
                    action="typing",
                    patience=0.0,
                    within=WITHIN,
                )
            except TelegramFailure as failure:
                log.debug("typing was not shown", code=failure.code)
                if meaning(failure) == "never":
                    return
            except Exception:
                log.exception("typing failed")
                return
            await self.api.sleep(self.timing.typing)
