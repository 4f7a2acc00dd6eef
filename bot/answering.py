"""One answer's way out: from a leased message to its Ending, each piece judged, committed, then told.

Knows the order of things. Leaves storage to the store, generation to the queue, judgement to the moderator,
and showing to the channel.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import structlog

from bot import notices
from bot.bell import Bell
from bot.context import Fitted, MessageTooLong, fit
from bot.messages import Ending, Notice, Shown, State
from bot.metrics import Metrics
from bot.models import Models, Served
from bot.notices import notice
from bot.personas import Persona, Personas
from bot.reading import Reading, Refused
from bot.record import Record
from bot.store import AnswerStopped, Begun, Lease, LeaseLost, Store, StoreUnavailable
from bot.telling import Telling, Told
from inference.chat import Chat
from inference.library import ModelNotFound
from moderation import (
    Context,
    Mode,
    ModerationFailed,
    Moderator,
    Released,
    ScreenBlocked,
    ScreenError,
    ScreenFailed,
    Where,
    screened,
)
from moderation.pii import Restorer, Vault
from worker.client import JobFailed, Queue, QueueBusy, QueueUnavailable
from worker.errors import MODEL_NOT_LOADED
from worker.jobs import AnswerJob, Ended, Piece

log = structlog.get_logger(__name__)

JOB_SECONDS = 600.0  # the longest answer; then the deadline stops it
FREER = 0.7  # the least temperature of another try: the most likely words were those that did not please
LEASES = 30  # of a message whose model is nowhere: some ten seconds each
ATTEMPTS = (
    1_000  # job attempts within one lease: a later lease's first attempt outranks all of an earlier one's
)


class PlaceClosed(Exception):
    """The place takes no more messages."""


class Postponed(Exception):
    """The queue is away, or the model that was to answer: nothing is lost, the message is answered later."""


_FORESEEN = (
    Refused,
    PlaceClosed,
    MessageTooLong,
    QueueBusy,
    ScreenError,
    ModerationFailed,
    JobFailed,
    ModelNotFound,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What answers are made with; one per process."""

    store: Store
    queue: Queue
    moderator: Moderator
    models: Models
    personas: Personas
    bell: Bell
    metrics: Metrics
    keeps_texts: bool = True  # of verdicts, for review

    async def free(self, correlation: str) -> None:
        """Free the engine. With the queue away there is nothing to free: SQL knows that the answer was stopped."""
        with suppress(QueueUnavailable):
            await self.queue.cancel(correlation)


@dataclass(frozen=True, slots=True)
class _Asked:
    begun: Begun
    chat: Chat
    job: AnswerJob
    persona: Persona
    vault: Vault


@dataclass(slots=True)
class _Heard:
    """What the worker said; filled while the pieces pass by."""

    telling: Telling
    ended: Ended | None = None

    async def pieces(self, events: AsyncGenerator[Piece | Ended, None]) -> AsyncGenerator[Piece, None]:
        async for event in events:
            if isinstance(event, Ended):
                self.ended = event
            else:
                self.telling.written += event.text
                yield event


@dataclass(slots=True)
class Answering:
    """One run of an answer, however it ends. With `delivers` the lease goes on after the end, until somebody has
    brought the answer to its reader. `model` is empty until one was chosen; `shown`: the person has seen some of it."""

    parts: Parts
    lease: Lease
    delivers: bool
    where: Where = field(init=False)
    mode: Mode = field(init=False)
    record: Record = field(init=False)
    started: float = field(default_factory=time.monotonic)
    model: str = ""
    shown: bool = False
    last: int = 0  # the number of the last piece that was told

    def __post_init__(self) -> None:
        place = self.lease.place
        self.where = Where(place.channel, place.site or place.key)
        self.mode = self.parts.moderator.mode(self.where)
        self.record = Record(
            metrics=self.parts.metrics, channel=place.channel, keeps_text=self.parts.keeps_texts
        )

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self.started

    async def told(self) -> AsyncGenerator[Shown | Notice | Ending, None]:
        """Tell the answer from its beginning.

        Whatever happens the message ends in a state that says so, the person gets a sentence, and an Ending is told
        last. Raises Postponed when the queue is away, or the model that was to answer (the lease is then the caller's
        to release; the first time the person is told), StoreUnavailable, and LeaseLost when another process has taken
        the message over.
        """
        try:
            async with aclosing(self._before() if self.lease.ended else self._going()) as telling:
                async for item in telling:
                    if isinstance(item, Shown):
                        self.last = item.seq
                    yield item
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            async for item in self._broken_off(error):
                yield item

    async def _before(self) -> AsyncGenerator[Shown | Notice | Ending, None]:
        """What has ended and was not brought to its reader, told once more."""
        told = await self.parts.store.told(self.lease)
        for piece in told.pieces:
            yield Shown(told.answer_id or 0, piece.seq, piece.text)
        for sentence in told.notices:
            yield Notice(sentence)
        yield Ending(told.answer_id, told.state)

    async def _going(self) -> AsyncGenerator[Shown | Notice | Ending, None]:
        place = self.lease.place
        if place.mode == "closed":
            raise PlaceClosed
        if place.mode == "human":  # a colleague answers by hand
            await self.parts.store.finish(self.lease, None, state="done", finish_reason="human")
            yield Ending(None, "done")
            return
        name = self.parts.personas.name_for(channel=place.channel, site=place.site, override=place.persona)
        asked = await self._asked(name)
        begun = asked.begun
        before = await self._reading().shown_before(begun, asked.chat, system=asked.persona.system)
        for piece in begun.pieces:
            yield Shown(begun.answer_id, piece.seq, piece.text)
        seq = begun.pieces[-1].seq if begun.pieces else 0
        held = self.mode == "hold"
        telling = Telling(Restorer(asked.vault), self.record if held else None)
        heard = _Heard(telling)
        async with (
            self.parts.queue.answer(asked.job) as events,
            aclosing(heard.pieces(events)) as pieces,
            aclosing(self._screened(pieces, asked, before)) as released,
        ):
            async for part in released:
                if told := telling.take(part):
                    seq += 1
                    yield await self._show(begun, told, seq=seq)
        if told := telling.end():
            yield await self._show(begun, told, seq=seq + 1)
        for item in await self._finish(begun, heard.ended):
            yield item

    def _screened(
        self, pieces: AsyncGenerator[Piece, None], asked: _Asked, before: Context
    ) -> AsyncGenerator[Released[Piece], None]:
        """What the model writes as it may be shown. In the shadow verdicts come beside what was released before."""
        return screened(
            pieces,
            self.parts.moderator,
            mode=self.mode,
            where=self.where,
            system=asked.persona.system,
            context=before,
            on_verdict=None
            if self.mode == "hold"
            else lambda verdict: self.record.hear(verdict, verdict.text),
        )

    def _reading(self) -> Reading:
        return Reading(
            self.parts.store, self.parts.moderator, where=self.where, mode=self.mode, record=self.record
        )

    async def _asked(self, name: str) -> _Asked:
        """The question as the model gets it: judged, with what was said before, and begun in SQL. What an earlier
        attempt has shown of the answer is taken up by the same model."""
        persona = self.parts.personas.personas[name]
        said = await self._reading().said(self.lease, system=persona.system)
        served = self.parts.models.choose(str(self.lease.place.id))
        fitted = await asyncio.to_thread(fit, served.chat, system=persona.system, turns=said.turns)
        begun = await self._begin(name, persona, fitted, served)
        if begun.variant != served.reference:
            served = await self.parts.models.again(begun.variant)
            fitted = await asyncio.to_thread(fit, served.chat, system=persona.system, turns=said.turns)
        self.model, self.shown = begun.variant, bool(begun.pieces)
        return _Asked(begun, served.chat, self._job(begun, persona, fitted), persona, said.vault)

    async def _show(self, begun: Begun, told: Told, *, seq: int) -> Shown:
        """Keep one judged piece, and what was found in it; only then is it anybody's to show."""
        await self.parts.store.add_piece(
            self.lease,
            begun.answer_id,
            seq=seq,
            text=told.text,
            size=told.size,
            token_ids=told.token_ids,
            action=told.action,
            judged=self.record.found(),
        )
        self._ring()
        if seq == 1:
            self.parts.metrics.first_piece.labels(self.model).observe(self.seconds)
        self.shown = True
        return Shown(begun.answer_id, seq, told.text)

    async def _begin(self, name: str, persona: Persona, fitted: Fitted, served: Served) -> Begun:
        begun = await self.parts.store.begin(
            self.lease,
            variant=served.reference,
            persona=name,
            policy=self.parts.moderator.policy,
            sampling={"max_tokens": persona.max_tokens, "temperature": self._temperature(persona)},
            prompt_hash=hashlib.sha256(repr(fitted.prompt).encode()).hexdigest(),
        )
        self._ring()
        return begun

    def _temperature(self, persona: Persona) -> float:
        return max(persona.temperature, FREER) if self.lease.again else persona.temperature

    def _job(self, begun: Begun, persona: Persona, fitted: Fitted) -> AnswerJob:
        return AnswerJob(
            id=self.lease.correlation,  # known before the job exists: /stop reaches it at any moment, from any replica
            attempt=self.lease.attempt * ATTEMPTS,
            model=begun.variant,
            prompt=fitted.prompt,
            prefix=fitted.prefix,
            max_tokens=min(persona.max_tokens, fitted.room),
            temperature=self._temperature(persona),
            emitted=tuple(token for piece in begun.pieces for token in piece.token_ids),
            shown=sum(piece.size for piece in begun.pieces),
            deadline=time.time() + JOB_SECONDS,
            reply_to=self.parts.queue.reply_to,
            correlation=self.lease.correlation,
        )

    async def _finish(self, begun: Begun, ended: Ended | None) -> list[Notice | Ending]:
        """Close the answer in SQL; returns what is told after it."""
        reason = ended.reason if ended else "cancelled"
        language = self.lease.place.language
        help_ = notices.own(self.record.help, language)
        sentence = notice("timed_out", language) if reason == "deadline" else help_
        state: State = "stopped" if reason in ("cancelled", "deadline") else "done"
        await self.parts.store.finish(
            self.lease,
            begun.answer_id,
            state=state,
            finish_reason=reason,
            prompt_tokens=ended.prompt_tokens if ended else 0,
            completion_tokens=ended.completion_tokens if ended else 0,
            engine_ms=ended.engine_ms if ended else 0,
            notice=sentence or None,
            judged=self.record.end(),
            delivered=not self.delivers,
        )
        if ended:
            self.parts.metrics.tokens.labels("prompt").inc(ended.prompt_tokens)
            self.parts.metrics.tokens.labels("completion").inc(ended.completion_tokens)
        self.parts.metrics.answers.labels(self.lease.place.channel, reason, self.model).inc()
        self.parts.metrics.answer_seconds.labels(self.model).observe(self.seconds)
        self._ring()
        said = [Notice(sentence)] if sentence else []
        return [*said, Ending(begun.answer_id, state)]

    async def _broken_off(self, error: Exception) -> AsyncGenerator[Shown | Notice | Ending, None]:
        """Someone said stop, the queue is away for now, or it cannot go on. Raises Postponed."""
        last: tuple[Notice | Ending, ...]
        if isinstance(error, AnswerStopped):
            last = (await self._stopped(),)
        elif isinstance(error, QueueUnavailable) or self._may_be_asked_again(error):
            self.parts.metrics.postponed.inc()
            if self.lease.attempt == 1:
                yield await self._waiting()
            raise Postponed from error
        else:
            if not isinstance(error, _FORESEEN):
                log.error("answering failed", exc_info=error)
            last = await self._end_early(error)
        for item in (*await self._untold(), *last):
            yield item

    async def _untold(self) -> list[Shown]:
        """What earlier attempts have shown and this one has not told: it is part of the answer however that ended."""
        if self.lease.attempt == 1:
            return []
        told = await self.parts.store.told(self.lease)
        return [
            Shown(told.answer_id or 0, piece.seq, piece.text)
            for piece in told.pieces
            if piece.seq > self.last
        ]

    async def _waiting(self) -> Notice:
        """Tell the person that the answer will come."""
        sentence = notice("waiting", self.lease.place.language)
        await self.parts.store.note(self.lease.place.id, sentence)
        self._ring()
        return Notice(sentence)

    def _may_be_asked_again(self, error: Exception) -> bool:
        """Whether the model is gone before it said a word: the one that answers now may begin, or this one once it is
        back."""
        gone = isinstance(error, JobFailed) and error.code == MODEL_NOT_LOADED
        return gone and not self.shown and self.lease.attempt < LEASES

    async def _stopped(self) -> Ending:
        """Nothing more is shown once someone said stop, though more may have been made."""
        await self.parts.free(self.lease.correlation)
        answer_id = await self.parts.store.finish(
            self.lease,
            None,
            state="stopped",
            finish_reason="cancelled",
            judged=self.record.end(),
            delivered=not self.delivers,
        )
        self.parts.metrics.answers.labels(self.lease.place.channel, "cancelled", self.model).inc()
        self._ring()
        return Ending(answer_id, "stopped")

    async def _end_early(self, error: Exception) -> tuple[Notice, Ending]:
        """Close the answer that cannot go on, with a sentence for the person."""
        state, sentence = _sentence_for(error, self.lease.place.language)
        if isinstance(error, ScreenError):
            await self.parts.free(self.lease.correlation)  # nobody will see the rest
        if isinstance(error, ScreenBlocked):
            self.record.hear(error.verdict, error.verdict.text)  # nothing in it was replaced
        if isinstance(error, ScreenFailed | ModerationFailed):
            self.parts.metrics.screen_failures.inc()
        cause = type(error).__name__
        log.warning("answer ended early", cause=cause, detail=str(error))
        self.parts.metrics.answers.labels(self.lease.place.channel, cause, self.model).inc()
        answer_id = await self.parts.store.finish(
            self.lease,
            None,
            state=state,
            finish_reason=cause,
            notice=sentence,
            judged=self.record.end(),
            delivered=not self.delivers,
        )
        self._ring()
        return Notice(sentence), Ending(answer_id, state)

    def _ring(self) -> None:
        self.parts.bell.ring(self.lease.place.id)


def _sentence_for(error: Exception, language: str) -> tuple[State, str]:
    """The state in which the message ends, and the sentence that the person sees."""
    match error:
        case QueueBusy():
            return "refused", notice("busy", language, seconds=error.retry_after)
        case MessageTooLong():
            return "refused", notice("too_long", language, tokens=error.tokens, limit=error.limit)
        case Refused():
            return "refused", notices.own(error.verdict.notice, language) or notice("refused", language)
        case PlaceClosed():
            return "refused", notice("closed", language)
        case ScreenBlocked():
            return "stopped", notices.own(error.verdict.notice, language) or notice("withheld", language)
        case ScreenFailed() | ModerationFailed():
            return "failed", notice("unscreened", language)
        case _:
            return "failed", notice("failed", language)
