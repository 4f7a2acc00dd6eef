"""POST /v1/chat/completions: one conversation in, one answer out, streamed or whole.

Knows the order of things, top to bottom in `create()`. A request is no inbox item: when the bot dies the client
asks again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import structlog
from aiohttp import web

from bot.gateway import chunks
from bot.gateway.access import CHANNEL, Access, Caller
from bot.gateway.audit import keep, note, to_its_end
from bot.gateway.body import read_object
from bot.gateway.errors import ApiError, server_error, told
from bot.gateway.models import resolve
from bot.gateway.prompts import Prompt, Prompts, Reading
from bot.gateway.requests import Completion, parse
from bot.gateway.sse import EventStream
from bot.metrics import Metrics
from bot.models import Models
from bot.record import Record
from bot.store import Store, StoreUnavailable
from moderation import Moderator, ScreenBlocked, ScreenFailed, Verdict, screened
from moderation.pii import Restorer
from worker.client import JobFailed, Queue, QueueBusy, QueueUnavailable
from worker.jobs import AnswerJob, Ended, Piece

log = structlog.get_logger(__name__)

JOB_SECONDS = 600.0  # the longest answer; the clients' own patience is the same by default


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended. `reason` is OpenAI's finish_reason; tokens as the engine counted them."""

    reason: Literal["stop", "length", "content_filter"]
    usage: chunks.Usage


@dataclass(slots=True)
class _Read:
    """What the worker said so far, and what was found in it; filled while the pieces pass by. `written` is what nobody
    has judged yet."""

    record: Record
    tokens: int = 0
    written: str = ""
    ended: Ended | None = None

    async def pieces(self, events: AsyncGenerator[Piece | Ended, None]) -> AsyncGenerator[Piece, None]:
        async for event in events:
            if isinstance(event, Ended):
                self.ended = event
            else:
                self.tokens = event.index + len(event.ids)
                self.written += event.text
                yield event

    def judged(self, verdict: Verdict, size: int) -> None:
        """The next `size` characters were judged."""
        window, self.written = self.written[:size], self.written[size:]
        self.hear(verdict, window)

    def hear(self, verdict: Verdict, window: str) -> None:
        note(verdict, direction="output")
        self.record.hear(verdict, window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    store: Store
    queue: Queue
    moderator: Moderator
    prompts: Prompts
    models: Models
    access: Access
    metrics: Metrics
    keeps_texts: bool = True

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer one request. Every error before the first text has its own status."""
        started = time.monotonic()
        caller = await self.access.caller(request)
        try:
            asked = parse(await read_object(request))
            served = resolve(asked.model, self.models, conversation=_beginning(asked))
            reading = await self.prompts.read(asked, served.chat, caller=caller)
            job = self._job(asked, reading.prompt, model=served.reference)
        except ApiError as error:
            self.metrics.received.labels(CHANNEL, error.code or "refused").inc()
            raise
        self.metrics.received.labels(CHANNEL, "accepted").inc()
        async with aclosing(self._answer(job, reading, caller, started=started)) as answer:
            if asked.stream:
                return await self._stream(request, job, answer, include_usage=asked.include_usage)
            return await self._whole(request, job, answer)

    # -- in --------------------------------------------------------------------------------------------------

    def _job(self, asked: Completion, prompt: Prompt, *, model: str) -> AnswerJob:
        name = f"chatcmpl-{uuid.uuid4().hex}"
        return AnswerJob(
            id=name,
            attempt=1,
            model=model,
            prompt=prompt.ids,
            prefix=prompt.prefix,
            max_tokens=min(asked.max_tokens or prompt.room, prompt.room),
            temperature=asked.temperature,
            top_k=asked.top_k,
            top_p=asked.top_p,
            min_tokens=asked.min_tokens,
            ignore_eos=asked.ignore_eos,
            repetition_penalty=asked.repetition_penalty,
            stop=asked.stop,
            deadline=time.time() + JOB_SECONDS,
            reply_to=self.queue.reply_to,
            correlation=name,
        )

    # -- out -------------------------------------------------------------------------------------------------

    async def _answer(
        self, job: AnswerJob, reading: Reading, caller: Caller, *, started: float
    ) -> AsyncGenerator[str | Outcome, None]:
        """The answer's text as it may be shown, then its outcome. Leaving early frees the engine; what it cost is
        kept in any case, after the last word."""
        read = _Read(Record(metrics=self.metrics, channel=CHANNEL, keeps_text=self.keeps_texts))
        reason = "abort"  # unless we hear otherwise, the reader has left
        first = True
        with self.metrics.running.track_inprogress():
            try:
                async with aclosing(self._released(job, reading, caller, read)) as texts:
                    async for text in texts:
                        if first:
                            self.metrics.first_piece.labels(job.model).observe(time.monotonic() - started)
                            first = False
                        yield text
                outcome = _outcome(job, read)
                reason = outcome.reason
                yield outcome
            except ScreenBlocked as error:
                read.hear(error.verdict, error.verdict.text)
                reason = "content_filter"
                yield Outcome("content_filter", chunks.Usage(len(job.prompt), read.tokens))
            except Exception as error:
                reason = type(error).__name__
                raise
            finally:
                self.metrics.answers.labels(CHANNEL, reason, job.model).inc()
                self.metrics.answer_seconds.labels(job.model).observe(time.monotonic() - started)
                await to_its_end(self._keep(job, reading, caller, read))

    async def _released(
        self, job: AnswerJob, reading: Reading, caller: Caller, read: _Read
    ) -> AsyncGenerator[str, None]:
        """The text as the screen lets it through, with what was hidden from the model put back. Ending early for
        whatever reason cancels the job (P6)."""
        restorer = Restorer(reading.vault)
        try:
            async with (
                self.queue.answer(job) as events,
                aclosing(read.pieces(events)) as pieces,
                aclosing(
                    screened(
                        pieces,
                        self.moderator,
                        mode=reading.mode,
                        where=caller.where,
                        system=reading.system,
                        on_verdict=_beside(read) if reading.mode == "shadow" else None,
                    )
                ) as released,
            ):
                async for part in released:
                    if reading.mode == "hold" and part.size:
                        read.judged(part.verdict, part.size)
                    if text := restorer.feed(part.text):
                        yield text
            if text := restorer.end():
                yield text
        except (QueueBusy, JobFailed):
            raise  # nothing is running
        except ScreenFailed:
            self.metrics.screen_failures.inc()
            await to_its_end(self._cancel(job))
            raise
        except BaseException:  # a reader who left, a blocked text, a shutdown: nobody reads the rest
            if read.ended is None:
                await to_its_end(self._cancel(job))
            raise

    async def _cancel(self, job: AnswerJob) -> None:
        try:
            await self.queue.cancel(job.id)
        except QueueUnavailable:
            log.warning("an answer could not be cancelled, its deadline will end it", job=job.id)

    async def _keep(self, job: AnswerJob, reading: Reading, caller: Caller, read: _Read) -> None:
        await self._keep_usage(job, reading, caller, read)
        await keep(self.store, (*reading.judged, *read.record.end()), caller)

    async def _keep_usage(self, job: AnswerJob, reading: Reading, caller: Caller, read: _Read) -> None:
        """What the answer cost. It was given: a database that is away must not spoil it."""
        tokens = read.ended.completion_tokens if read.ended else read.tokens
        if not tokens and not read.ended:
            return
        self.metrics.tokens.labels("prompt").inc(len(job.prompt))
        self.metrics.tokens.labels("completion").inc(tokens)
        try:
            await self.store.add_usage(
                key_id=caller.key_id,
                model=job.model,
                screen=reading.mode,
                prompt_tokens=len(job.prompt),
                completion_tokens=tokens,
                engine_ms=read.ended.engine_ms if read.ended else 0,
            )
        except StoreUnavailable as error:
            log.warning("usage could not be kept", job=job.id, tokens=tokens, cause=str(error))

    async def _stream(
        self,
        request: web.Request,
        job: AnswerJob,
        answer: AsyncGenerator[str | Outcome, None],
        *,
        include_usage: bool,
    ) -> web.StreamResponse:
        form = chunks.Chunks(job.id, model=job.model, include_usage=include_usage)
        stream = EventStream(request, opening=form.opening(), headers={"X-Request-Id": job.id})
        try:
            async with stream.beating():
                async for part in answer:
                    if isinstance(part, str):
                        await stream.send(form.text(part))
                    else:
                        await stream.send(form.end(part.reason, part.usage))
                        await stream.close()
        except ConnectionError:
            raise
        except Exception as error:
            if not stream.started:
                raise
            await stream.send(chunks.event(told(error).body()))  # and no [DONE]: it is not
        return stream.response

    async def _whole(
        self, request: web.Request, job: AnswerJob, answer: AsyncGenerator[str | Outcome, None]
    ) -> web.StreamResponse:
        """The stream, drained."""
        texts: list[str] = []
        response: web.StreamResponse | None = None
        async for part in answer:
            if isinstance(part, str):
                texts.append(part)
            else:
                body = chunks.whole(
                    job.id, model=job.model, text="".join(texts), reason=part.reason, usage=part.usage
                )
                response = web.json_response(body, headers={"X-Request-Id": job.id})
                await response.prepare(request)
                await response.write_eof()  # before the usage is kept: nobody need wait for that
        if response is None:
            raise RuntimeError("the answer ended without an outcome")
        return response


def _beginning(asked: Completion) -> str:
    """What every request of one conversation begins with, and few others do: it keeps to one model by that."""
    first = next((number for number, turn in enumerate(asked.turns) if turn.role == "user"), 0)
    return "\n".join(turn.content for turn in asked.turns[: first + 1])


def _beside(read: _Read) -> Callable[[Verdict], None]:
    """In the shadow text goes out first; which characters a verdict is about is not told."""
    return lambda verdict: read.hear(verdict, verdict.text)


def _outcome(job: AnswerJob, read: _Read) -> Outcome:
    """Raises ApiError where somebody else ended the answer. A deadline cut it short, as a limit does."""
    if read.ended is None or read.ended.reason == "cancelled":
        raise server_error("The answer was cancelled.", code="cancelled")
    reason: Literal["stop", "length"] = "stop" if read.ended.reason == "stop" else "length"
    return Outcome(reason, chunks.Usage(len(job.prompt), read.ended.completion_tokens))
