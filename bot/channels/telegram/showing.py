"""Shows an answer in the chat where it was asked for: one task reads it, one writes, “typing…” stands above.

Knows how they end together. Leaves reading to `bot.draft`, writing to `writing`, and who is gone to `gone`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from bot.channels.base import Answer, Desk
from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.gone import Gone
from bot.channels.telegram.ledger import Ledger
from bot.channels.telegram.places import CHANNEL, Spot
from bot.channels.telegram.posting import Talk
from bot.channels.telegram.preview import Preview
from bot.channels.telegram.settings import TelegramSettings
from bot.channels.telegram.trouble import gone, meaning
from bot.channels.telegram.typing_action import Typing
from bot.channels.telegram.ways import Timing, Ways
from bot.channels.telegram.writing import Writer
from bot.draft import Draft, read
from bot.messages import NotNow, Question, Unavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shower:
    """One per process."""

    api: Api
    desk: Desk
    ways: Ways
    gone: Gone

    @classmethod
    def over(
        cls,
        api: Api,
        desk: Desk,
        *,
        settings: TelegramSettings,
        timing: Timing | None = None,
        gone: Gone | None = None,
    ) -> Shower:
        """One that shows as the operator wants it, by an Api's clock."""
        ways = Ways(
            private=settings.streaming,
            group=settings.group_streaming,
            rich=settings.rich,
            timing=timing or Timing(),
        )
        return cls(api=api, desk=desk, ways=ways, gone=gone or Gone(desk.shelf(CHANNEL)))

    async def show(self, question: Question, answer: Answer) -> None:
        """Show an answer as it comes, and take it to its end. Raises what a later try may mend."""
        spot = Spot.of(question.place)
        if await self.gone.is_gone(spot.chat):
            async for _ in answer:
                pass
            return
        draft = Draft()
        timing = self.ways.timing
        typing = Typing(api=self.api, spot=spot, timing=timing, resumed=question.attempt > 1)
        talk = Talk(api=self.api, spot=spot, question=question)
        writer = Writer(
            talk=talk,
            ways=self.ways,
            ledger=Ledger(talk=talk, desk=self.desk, pause=timing.kept),
            draft=draft,
            preview=Preview(talk=talk, ways=self.ways, typing=typing, clock=self.api.clock),
            typing=typing,
            clock=self.api.clock,
        )
        async with typing.shown():
            writing = asyncio.create_task(self._write(writer, spot), name=f"writing {question.message_id}")
            try:
                await read(answer, draft, writing)
                await asyncio.shield(writing)
            except asyncio.CancelledError:  # what is sent, and not kept in mind, would come twice
                draft.break_off()
                await asyncio.wait({writing}, timeout=timing.parting)
                raise
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, writer: Writer, spot: Spot) -> None:
        """Until all is written, or it is sure that nobody can be reached."""
        try:
            await writer.run()
        except TelegramFailure as failure:
            if failure.rate_limited and failure.retry_after:
                raise NotNow(failure.retry_after) from failure
            if meaning(failure) != "never":
                raise
            log.warning(
                "an answer cannot be brought to its reader", code=failure.code, why=failure.description
            )
            if gone(failure):
                await self._mark(spot)

    async def _mark(self, spot: Spot) -> None:
        try:
            await self.gone.mark(spot.chat)
        except Unavailable:
            log.info("that a chat is gone was not kept", chat=spot.chat)
