"""One message's way through the house: `receive()` takes it in, `answer()` tells its answer, each top to bottom.

Knows the order of things. Leaves storage to the store, generation to the queue, judgement to the moderator,
and showing to the channel.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import structlog

from bot import commands, notices
from bot.bell import Bell
from bot.context import Fitted, MessageTooLong, fit
from bot.messages import MAX_CHARS, Incoming, NotAccepted, Notice, Receipt, Refusal, Shown, State
from bot.metrics import Metrics
from bot.models import Models, Served
from bot.notices import notice
from bot.personas import Persona, Personas
from bot.reading import Reading, Refused
from bot.record import Record
from bot.store import AnswerStopped, Begun, Lease, Store
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
    TextRefused,
    Where,
    clean,
    screened,
)
from moderation.pii import Restorer, Vault
from worker.client import JobFailed, Queue, QueueBusy, QueueUnavailable
from worker.errors import MODEL_NOT_LOADED
from worker.jobs import AnswerJob, Ended, Piece

log = structlog.get_logger(__name__)

JOB_SECONDS = 600.0  # the longest answer; then the deadline stops it
LEASES = 30  # of a message whose model is nowhere: some ten seconds each
ATTEMPTS = (
    1_000  # job attempts within one lease: a later lease's first attempt outranks all of an earlier one's
)


class PlaceClosed(Exception):
    """The place takes no more messages."""


class Postponed(Exception):
    """The queue is away, or the model that was to answer: nothing is lost, the message is answered later."""


_ENDINGS = (
    Refused,
    PlaceClosed,
    MessageTooLong,
    QueueBusy,
    ScreenError,
    ModerationFailed,
    JobFailed,
    ModelNotFound,
)


@dataclass(slots=True)
class _Course:
    """What is known of one run of an answer, however it ends. `model` is empty until one was chosen."""

    where: Where
    mode: Mode
    record: Record
    started: float = field(default_factory=time.monotonic)
    model: str = ""
    shown: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


@dataclass(frozen=True, slots=True)
class _Asked:
    begun: Begun
    chat: Chat
    job: AnswerJob
    persona: Persona
    vault: Vault


@dataclass(slots=True)
class _Ending:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What it is made of; one per process."""

    store: Store
    queue: Queue
    moderator: Moderator
    models: Models
    personas: Personas
    bell: Bell
    metrics: Metrics
    keeps_texts: bool = True  # of verdicts, for review
    woken: asyncio.Event = field(default_factory=asyncio.Event)  # set when there is something to answer

    # -- in ------------------------------------------------------------------------------------------------

    async def receive(self, incoming: Incoming) -> Receipt:
        """Make one message safe in SQL and return; only then may the channel acknowledge it (P1).

        A key seen before changes nothing. Commands act here; one that failed midway acts when it is delivered again.
        Raises NotAccepted with a sentence for the person.
        """
        incoming = _cleaned(incoming)
        command = commands.parse(incoming.text)
        accepted = await self.store.accept(
            channel=incoming.place.channel,
            key=incoming.key,
            place_key=incoming.place.key,
            site=incoming.place.site,
            person_key=incoming.person.key,
            person_name=incoming.person.name,
            language=incoming.person.language,
            text=incoming.text,
            correlation=uuid.uuid4().hex,
            command=command is not None,
        )
        outcome = "duplicate" if accepted.duplicate else "command" if command else "accepted"
        self.metrics.received.labels(incoming.place.channel, outcome).inc()
        sentence = ""
        if command and not accepted.obeyed:
            sentence = await self._obey(command, incoming, accepted.place_id, accepted.person_id)
            await self.store.obeyed(channel=incoming.place.channel, key=incoming.key)
        self.bell.ring(accepted.place_id)
        self.woken.set()
        return Receipt(accepted.message_id, accepted.place_id, accepted.duplicate, notice=sentence)

    async def _obey(
        self, command: commands.Command, incoming: Incoming, place_id: int, person_id: int
    ) -> str:
        language = incoming.person.language
        match command:
            case "stop":
                stopped = await self.stop(place_id)
                sentence = notice("stopped" if stopped else "nothing_to_stop", language)
            case "reset":
                await self.stop(place_id)
                await self.store.reset(place_id)
                sentence = notice("reset", language)
            case "forget":
                await self.stop(place_id)
                await self.store.forget(person_id)
                return notice("forgotten", language)  # no note: nothing of this place is left to hang it on
            case "model":
                sentence = notice("model", language, model=self.models.choose(str(place_id)).reference)
            case "help":
                sentence = notice("help", language)
            case _:
                sentence = notice("unknown_command", language, command=incoming.text.split()[0])
        await self.store.note(place_id, sentence)
        return sentence

    async def stop(self, place_id: int) -> bool:
        """Stop the answer under way in a place and drop what waits there; True if there was anything (P6)."""
        cancelled = await self.store.request_cancel(place_id)
        for correlation in cancelled:
            await self._cancel(correlation)
        self.bell.ring(place_id)
        return bool(cancelled)

    async def _cancel(self, correlation: str) -> None:
        """Free the engine. With the queue away there is nothing to free: SQL knows that the answer was stopped."""
        with suppress(QueueUnavailable):
            await self.queue.cancel(correlation)

    # -- out -----------------------------------------------------------------------------------------------

    async def answer(self, lease: Lease) -> AsyncGenerator[Shown | Notice, None]:
        """Tell the answer to one leased message: each piece judged, then committed, then yielded.

        Whatever happens the message ends in a state that says so, and the person gets a sentence. Raises
        Postponed when the queue is away, or the model that was to answer (the lease is then the caller's to
        release), and LeaseLost when another process has taken the message over.
        """
        course = self._course(lease)
        try:
            async with aclosing(self._told(lease, course)) as told:
                async for shown in told:
                    yield shown
        except QueueUnavailable as error:
            self.metrics.postponed.inc()
            raise Postponed from error
        except AnswerStopped:
            await self._stopped(lease, course)
        except _ENDINGS as error:
            if self._may_be_asked_again(lease, course, error):
                self.metrics.postponed.inc()
                raise Postponed from error
            yield Notice(await self._end_early(lease, course, error))

    def _course(self, lease: Lease) -> _Course:
        where = Where(lease.place.channel, lease.place.key)
        record = Record(metrics=self.metrics, channel=where.channel, keeps_text=self.keeps_texts)
        return _Course(where=where, mode=self.moderator.mode(where), record=record)

    def _reading(self, course: _Course) -> Reading:
        return Reading(self.store, self.moderator, where=course.where, mode=course.mode, record=course.record)

    def _may_be_asked_again(self, lease: Lease, course: _Course, error: Exception) -> bool:
        """Whether the model is gone before it said a word: the one that answers now may begin, or this one once it is
        back."""
        gone = isinstance(error, JobFailed) and error.code == MODEL_NOT_LOADED
        return gone and not course.shown and lease.attempt < LEASES

    async def _stopped(self, lease: Lease, course: _Course) -> None:
        """Nothing more is shown once someone said stop, though more may have been made."""
        await self._cancel(lease.correlation)
        judged = course.record.end()
        await self.store.finish(lease, None, state="stopped", finish_reason="cancelled", judged=judged)
        self.metrics.answers.labels(lease.place.channel, "cancelled", course.model).inc()
        self.bell.ring(lease.place.id)

    async def _end_early(self, lease: Lease, course: _Course, error: Exception) -> str:
        """Close the answer that cannot go on; returns the sentence for the person."""
        state, sentence = _sentence_for(error, lease.place.language)
        if isinstance(error, ScreenError):
            await self._cancel(lease.correlation)  # nobody will see the rest
        if isinstance(error, ScreenBlocked):
            course.record.hear(error.verdict, error.verdict.text)  # nothing in it was replaced
        if isinstance(error, ScreenFailed | ModerationFailed):
            self.metrics.screen_failures.inc()
        cause = type(error).__name__
        log.warning("answer ended early", cause=cause, detail=str(error))
        self.metrics.answers.labels(lease.place.channel, cause, course.model).inc()
        judged = course.record.end()
        await self.store.finish(lease, None, state=state, finish_reason=cause, notice=sentence, judged=judged)
        self.bell.ring(lease.place.id)
        return sentence

    async def _told(self, lease: Lease, course: _Course) -> AsyncGenerator[Shown | Notice, None]:
        place = lease.place
        if place.mode == "closed":
            raise PlaceClosed
        if place.mode == "human":  # a colleague answers by hand
            await self.store.finish(lease, None, state="done", finish_reason="human")
            return
        name = self.personas.name_for(channel=place.channel, site=place.site, override=place.persona)
        asked = await self._asked(lease, name, course)
        begun = asked.begun
        before = await self._reading(course).shown_before(begun, asked.chat, system=asked.persona.system)
        seq = begun.pieces[-1].seq if begun.pieces else 0
        held = course.mode == "hold"
        telling = Telling(Restorer(asked.vault), course.record if held else None)
        ending = _Ending(telling)
        async with (
            self.queue.answer(asked.job) as events,
            aclosing(ending.pieces(events)) as pieces,
            aclosing(self._screened(pieces, asked, course, before)) as released,
        ):
            async for part in released:
                if told := telling.take(part):
                    seq += 1
                    yield await self._show(lease, course, begun, told, seq=seq)
        if told := telling.end():
            yield await self._show(lease, course, begun, told, seq=seq + 1)
        sentence = await self._finish(lease, course, begun, ending.ended)
        self.metrics.answer_seconds.labels(course.model).observe(course.seconds)
        if sentence:
            yield Notice(sentence)

    def _screened(
        self, pieces: AsyncGenerator[Piece, None], asked: _Asked, course: _Course, before: Context
    ) -> AsyncGenerator[Released[Piece], None]:
        """What the model writes as it may be shown. In the shadow verdicts come beside what was released before."""
        return screened(
            pieces,
            self.moderator,
            mode=course.mode,
            where=course.where,
            system=asked.persona.system,
            context=before,
            on_verdict=None
            if course.mode == "hold"
            else lambda verdict: course.record.hear(verdict, verdict.text),
        )

    async def _asked(self, lease: Lease, name: str, course: _Course) -> _Asked:
        """The question as the model gets it: judged, with what was said before, and begun in SQL. What an earlier
        attempt has shown of the answer is taken up by the same model."""
        persona = self.personas.personas[name]
        said = await self._reading(course).said(lease, system=persona.system)
        served = self.models.choose(str(lease.place.id))
        fitted = await asyncio.to_thread(fit, served.chat, system=persona.system, turns=said.turns)
        begun = await self._begin(lease, name, persona, fitted, served)
        if begun.variant != served.reference:
            served = await self.models.again(begun.variant)
            fitted = await asyncio.to_thread(fit, served.chat, system=persona.system, turns=said.turns)
        course.model, course.shown = begun.variant, bool(begun.pieces)
        return _Asked(begun, served.chat, self._job(lease, begun, persona, fitted), persona, said.vault)

    async def _show(self, lease: Lease, course: _Course, begun: Begun, told: Told, *, seq: int) -> Shown:
        """Keep one judged piece, and what was found in it; only then is it anybody's to show."""
        await self.store.add_piece(
            lease,
            begun.answer_id,
            seq=seq,
            text=told.text,
            size=told.size,
            token_ids=told.token_ids,
            action=told.action,
            judged=course.record.found(),
        )
        self.bell.ring(lease.place.id)
        if seq == 1:
            self.metrics.first_piece.labels(course.model).observe(course.seconds)
        course.shown = True
        return Shown(begun.answer_id, seq, told.text)

    async def _begin(
        self, lease: Lease, name: str, persona: Persona, fitted: Fitted, served: Served
    ) -> Begun:
        begun = await self.store.begin(
            lease,
            variant=served.reference,
            persona=name,
            policy=self.moderator.policy,
            sampling={"max_tokens": persona.max_tokens, "temperature": persona.temperature},
            prompt_hash=hashlib.sha256(repr(fitted.prompt).encode()).hexdigest(),
        )
        self.bell.ring(lease.place.id)
        return begun

    def _job(self, lease: Lease, begun: Begun, persona: Persona, fitted: Fitted) -> AnswerJob:
        return AnswerJob(
            id=lease.correlation,  # known before the job exists: /stop reaches it at any moment, from any replica
            attempt=lease.attempt * ATTEMPTS,
            model=begun.variant,
            prompt=fitted.prompt,
            prefix=fitted.prefix,
            max_tokens=min(persona.max_tokens, fitted.room),
            temperature=persona.temperature,
            emitted=tuple(token for piece in begun.pieces for token in piece.token_ids),
            shown=sum(piece.size for piece in begun.pieces),
            deadline=time.time() + JOB_SECONDS,
            reply_to=self.queue.reply_to,
            correlation=lease.correlation,
        )

    async def _finish(self, lease: Lease, course: _Course, begun: Begun, ended: Ended | None) -> str:
        """Close the answer in SQL; returns the sentence to say after it, if any."""
        reason = ended.reason if ended else "cancelled"
        language = lease.place.language
        help_ = notices.own(course.record.help, language)
        sentence = notice("timed_out", language) if reason == "deadline" else help_
        await self.store.finish(
            lease,
            begun.answer_id,
            state="stopped" if reason in ("cancelled", "deadline") else "done",
            finish_reason=reason,
            prompt_tokens=ended.prompt_tokens if ended else 0,
            completion_tokens=ended.completion_tokens if ended else 0,
            engine_ms=ended.engine_ms if ended else 0,
            notice=sentence or None,
            judged=course.record.end(),
        )
        if ended:
            self.metrics.tokens.labels("prompt").inc(ended.prompt_tokens)
            self.metrics.tokens.labels("completion").inc(ended.completion_tokens)
        self.metrics.answers.labels(lease.place.channel, reason, course.model).inc()
        self.bell.ring(lease.place.id)
        return sentence


def _cleaned(incoming: Incoming) -> Incoming:
    language = incoming.person.language
    try:
        text = clean(incoming.text).strip()
    except TextRefused as error:
        raise NotAccepted(Refusal("unreadable", notice("unreadable", language))) from error
    if not text:
        raise NotAccepted(Refusal("empty", notice("empty", language)))
    if len(text) > MAX_CHARS:
        raise NotAccepted(Refusal("oversized", notice("oversized", language, limit=MAX_CHARS)))
    return Incoming(key=incoming.key, place=incoming.place, person=incoming.person, text=text)


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
