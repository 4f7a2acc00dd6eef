"""Shows an answer in the thread where it was asked for: one task reads it, one writes, a status stands beside.

Knows how they end together. Leaves reading to `bot.draft`, writing to `writing`, and the status to `status`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from bot.channels.base import Answer, Desk
from bot.channels.slack.api import Api, SlackFailure
from bot.channels.slack.ladder import Ladder, Timing, Wanted
from bot.channels.slack.ledger import Ledger
from bot.channels.slack.people import People
from bot.channels.slack.places import Spot
from bot.channels.slack.posting import Thread
from bot.channels.slack.status import Statuses
from bot.channels.slack.trouble import meaning
from bot.channels.slack.writing import Writer
from bot.draft import Draft, read
from bot.messages import NotNow, Question

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shower:
    """One per process."""

    api: Api
    desk: Desk
    ladder: Ladder
    statuses: Statuses
    people: People

    @classmethod
    def over(
        cls,
        api: Api,
        desk: Desk,
        *,
        people: People | None = None,
        wanted: Wanted = "auto",
        timing: Timing | None = None,
    ) -> Shower:
        """One that shows by an Api's clock."""
        ladder = Ladder(wanted=wanted, timing=timing or Timing(), clock=api.clock)
        return cls(
            api=api,
            desk=desk,
            ladder=ladder,
            people=people or People(api=api),
            statuses=Statuses(ladder=ladder, clock=api.clock, sleep=api.sleep),
        )

    async def show(self, question: Question, answer: Answer) -> None:
        """Show an answer as it comes, and take it to its end. Raises what a later try may mend."""
        thread = Thread(api=self.api, people=self.people, spot=Spot.of(question.place), question=question)
        draft = Draft()
        async with self.statuses.shown(thread) as status:
            writer = Writer(
                thread=thread,
                desk=self.desk,
                ladder=self.ladder,
                ledger=Ledger(thread=thread, desk=self.desk),
                draft=draft,
                status=status,
                clock=self.api.clock,
            )
            writing = asyncio.create_task(writer.run(), name=f"writing {question.message_id}")
            try:
                await read(answer, draft, writing)
                await writing
            except SlackFailure as failure:
                if failure.rate_limited and failure.retry_after:
                    raise NotNow(failure.retry_after) from failure
                if meaning(failure) != "never":
                    raise
                log.warning(
                    "an answer cannot be brought to its reader", code=failure.code, team=thread.spot.team
                )
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
