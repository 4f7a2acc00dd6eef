"""What a thread says of us while an answer is made: an agent session's status, else "is thinking…"; and a Stop button
where Slack has none and the answer's own message cannot carry it.

Knows which workspaces offer what. Never in an answer's way: what fails here is logged and left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from bot.channels.slack.api import SlackFailure
from bot.channels.slack.blocks import Content, stoppable
from bot.channels.slack.ladder import Ladder
from bot.channels.slack.posting import ASIDE, Thread
from bot.channels.slack.trouble import NOT_OFFERED
from bot.messages import Unavailable
from bot.notices import notice

log = structlog.get_logger(__name__)

Kind = Literal["session", "thinking"]
SESSION, THINKING = "agents.sessions.setStatus", "assistant.threads.setStatus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """In seconds."""

    refresh: float = 90.0  # "is thinking…" goes away after two minutes
    stop_button: float = 5.0  # a shorter answer is over before anybody could press it
    again: float = 2.0  # before a further attempt says anything: with the queue away they are many, and short
    patience: float = 30.0  # for the last word, or the session works for ever
    tidying: float = 5.0  # patience for a stop button that has served


@dataclass(slots=True, kw_only=True)
class Statuses:
    """One per process."""

    ladder: Ladder
    rhythm: Rhythm = field(default_factory=Rhythm)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _missing: dict[tuple[str, Kind], float] = field(default_factory=dict)  # until when

    @asynccontextmanager
    async def shown(self, thread: Thread) -> AsyncGenerator[Working]:
        """Say that an answer is under way for as long as the block lasts. When the block fails the answer is still to
        come, and so it goes on saying that."""
        working = Working(statuses=self, thread=thread)
        saying = asyncio.create_task(working.say(), name="status")
        try:
            yield working
            saying.cancel()
            await asyncio.wait({saying})
            _told(saying)
            await working.end()
        finally:
            saying.cancel()
            working.drop()
            await asyncio.gather(saying, return_exceptions=True)

    def offered(self, team: str, kind: Kind) -> bool:
        """As far as is known."""
        return self._missing.get((team, kind), 0.0) <= self.clock()

    def lacks(self, team: str, kind: Kind) -> None:
        """A workspace does not offer it: for some hours it is not asked again."""
        self._missing[team, kind] = self.clock() + self.ladder.timing.latch


def _cause(error: SlackFailure | Unavailable) -> str:
    return error.code if isinstance(error, SlackFailure) else "unavailable"


def _told(saying: asyncio.Task[None]) -> None:
    if not saying.cancelled() and (error := saying.exception()):
        log.error("a status failed", exc_info=error)


@dataclass(slots=True, kw_only=True)
class Working:
    """One answer's status."""

    statuses: Statuses
    thread: Thread
    _session: bool = False
    _spoken_to: bool = False  # so that the session may be working, whatever came back
    _thought: bool = False
    _seen: asyncio.Event = field(default_factory=asyncio.Event)
    _offering: asyncio.Task[str | None] | None = None
    _settled: bool = False

    @property
    def stops(self) -> bool:
        """Whether Slack shows a stop button of its own."""
        return self._session

    @property
    def after(self) -> str | None:
        """What the session becomes when the answer's last message is complete, None without a session."""
        return "active" if self._session else None

    @property
    def _resumed(self) -> bool:
        return self.thread.question.attempt > 1

    def seen(self) -> None:
        """A message of the answer can be seen: it says enough."""
        self._seen.set()

    def settled(self) -> None:
        """The session has got its status along with the last message."""
        self._settled = True

    async def say(self) -> None:
        """Until cancelled, or nothing more is to be said. Raises nothing of ours."""
        if self._resumed:
            await self.statuses.sleep(self.statuses.rhythm.again)
        self._spoken_to = True
        self._session = await self._try("session", SESSION, status="processing")
        if not self._session:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._think())
                group.create_task(self._offer_stop())

    async def end(self) -> None:
        """The answer is there, or will never be."""
        if (self._spoken_to or self._resumed) and not self._settled:
            await self._try("session", SESSION, patience=self.statuses.rhythm.patience, status="active")
        if self._thought:  # a message of ours has cleared it, but perhaps we said it after that
            await self._call(THINKING, status="")
        if self._offering or (self._resumed and not self._session):
            await self._take_stop_away()

    def drop(self) -> None:
        """Leave everything as it is."""
        if self._offering:
            self._offering.cancel()

    async def _think(self) -> None:
        language = self.thread.question.person.language
        while not self._seen.is_set():
            self._thought = True
            words = [notice("looking", language), notice("writing", language)]
            said = notice("thinking", language)
            if not await self._try("thinking", THINKING, status=said, loading_messages=words):
                return
            await self.statuses.sleep(self.statuses.rhythm.refresh)

    async def _offer_stop(self) -> None:
        if self.statuses.ladder.best(self.thread.spot.team) == "edit":
            return  # the growing message has one
        await self.statuses.sleep(self.statuses.rhythm.stop_button)
        self._offering = asyncio.create_task(self._post_stop(), name="stop button")
        await asyncio.shield(self._offering)

    async def _post_stop(self) -> str | None:
        language = self.thread.question.person.language
        said = notice("answering", language)
        buttons = stoppable(self.thread.spot.thread, language)
        content = Content(sentences=(said,), buttons=buttons)
        try:
            return await self.thread.post(
                content, self.thread.mark(ASIDE, stop=True), patience=self.statuses.rhythm.tidying
            )
        except (SlackFailure, Unavailable) as error:
            log.info("no stop button could be offered", cause=_cause(error), team=self.thread.spot.team)
            return None

    async def _take_stop_away(self) -> None:
        ts = await self._offering if self._offering else None
        there = [ts] if ts else []
        mine = self.thread.mark(ASIDE, stop=True)
        patience = self.statuses.rhythm.tidying
        try:
            if self._resumed:  # an earlier attempt may have left one
                ours = await self.thread.ours(patience=patience)
                there = [each.ts for each in ours if mine.items() <= each.mark.items()]
            for each in there:
                await self.thread.delete(each, patience=patience)
        except (SlackFailure, Unavailable) as error:
            log.info("a stop button stays", cause=_cause(error), team=self.thread.spot.team)

    async def _try(self, kind: Kind, method: str, **more: Any) -> bool:
        """Say it where it is offered; True when it was said."""
        team = self.thread.spot.team
        if not self.statuses.offered(team, kind):
            return False
        failure = await self._call(method, **more)
        if isinstance(failure, SlackFailure) and (
            failure.code in NOT_OFFERED or failure.code == "invalid_arguments"
        ):
            self.statuses.lacks(team, kind)
        return failure is None

    async def _call(
        self, method: str, *, patience: float = 1.0, **more: Any
    ) -> SlackFailure | Unavailable | None:
        spot = self.thread.spot
        try:
            await self.thread.api.call(
                spot.team,
                method,
                channel_id=spot.channel,
                thread_ts=spot.thread,
                urgent=patience > 1.0,
                patience=patience,
                **more,
            )
        except (SlackFailure, Unavailable) as error:
            log.debug("a status was not said", method=method, cause=_cause(error), team=spot.team)
            return error
        return None
