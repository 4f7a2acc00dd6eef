"""POST /v1/chat/completions: one conversation in, one answer out, streamed or whole.

Knows the order of things, top to bottom in `create()`. A request is no inbox item: when the bot dies the client
asks again.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import structlog
from aiohttp import web

from bot.gateway import chunks
from bot.gateway.access import Access, Caller
from bot.gateway.body import read_object
from bot.gateway.errors import ApiError, server_error, told
from bot.gateway.models import resolve
from bot.gateway.prompts import Prompt, Prompts, note
from bot.gateway.requests import Completion, parse
from bot.gateway.sse import EventStream
from bot.metrics import Metrics
from bot.models import Models
from bot.store import Store, StoreUnavailable
from moderation import Moderator, ScreenBlocked, ScreenFailed, screened
from worker.client import JobFailed, Queue, QueueBusy, QueueUnavailable
from worker.jobs import AnswerJob, Ended, Piece

log = structlog.get_logger(__name__)

CHANNEL = "v1"  # in metrics, beside slack, telegram and web
JOB_SECONDS = 600.0  # the longest answer; the clients' own patience is the same by default


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended. `reason` is OpenAI's finish_reason; tokens as the engine counted them."""

    reason: Literal["stop", "length", "content_filter"]
    usage: chunks.Usage


@dataclass(slots=True)
class _Read:
    """What the worker said so far; filled while the pieces pass by."""

    tokens: int = 0
    ended: Ended | None = None

    async def pieces(self, events: AsyncGenerator[Piece | Ended, None]) -> AsyncGenerator[Piece, None]:
        async for event in events:
            if isinstance(event, Ended):
                self.ended = event
            else:
                self.tokens = event.index + len(event.ids)
                yield event


@dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    store: Store
    queue: Queue
    moderator: Moderator
    prompts: Prompts
    models: Models
    access: Access
    metrics: Metrics

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer one request. Every error before the first text has its own status."""
        started = time.monotonic()
        caller = await self.access.caller(request)
        try:
            asked = parse(await read_object(request))
            served = resolve(asked.model, self.models, conversation=_beginning(asked))
            prompt = await self.prompts.prompt(asked, served.chat, screen=caller.screen)
            job = self._job(asked, prompt, model=served.reference)
        except ApiError as error:
            self.metrics.received.labels(CHANNEL, error.code or "refused").inc()
            raise
        self.metrics.received.labels(CHANNEL, "accepted").inc()
        async with aclosing(self._answer(job, caller, started=started)) as answer:
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
        self, job: AnswerJob, caller: Caller, *, started: float
    ) -> AsyncGenerator[str | Outcome, None]:
        """The answer's text as it may be shown, then its outcome. Leaving early frees the engine; what it cost is
        kept in any case, after the last word."""
        read = _Read()
        reason = "abort"  # unless we hear otherwise, the reader has left
        first = True
        with self.metrics.running.track_inprogress():
            try:
                async with aclosing(self._released(job, caller, read)) as texts:
                    async for text in texts:
                        if first:
                            self.metrics.first_piece.labels(job.model).observe(time.monotonic() - started)
                            first = False
                        yield text
                outcome = _outcome(job, read)
                reason = outcome.reason
                yield outcome
            except ScreenBlocked:
                reason = "content_filter"
                yield Outcome("content_filter", chunks.Usage(len(job.prompt), read.tokens))
            except Exception as error:
                reason = type(error).__name__
                raise
            finally:
                self.metrics.answers.labels(CHANNEL, reason, job.model).inc()
                self.metrics.answer_seconds.labels(job.model).observe(time.monotonic() - started)
                await _to_its_end(self._keep_usage(job, caller, read))

    async def _released(self, job: AnswerJob, caller: Caller, read: _Read) -> AsyncGenerator[str, None]:
        """The text as the screen lets it through. Ending early for whatever reason cancels the job (P6)."""
        try:
            async with (
                self.queue.answer(job) as events,
                aclosing(read.pieces(events)) as pieces,
                aclosing(
                    screened(
                        pieces,
                        self.moderator,
                        mode=caller.screen,
                        on_verdict=lambda verdict: note(verdict, direction="output"),
                    )
                ) as released,
            ):
                async for part in released:
                    if part.text:
                        yield part.text
        except (QueueBusy, JobFailed):
            raise  # nothing is running
        except ScreenFailed:
            self.metrics.screen_failures.inc()
            await _to_its_end(self._cancel(job))
            raise
        except BaseException:  # a reader who left, a blocked text, a shutdown: nobody reads the rest
            if read.ended is None:
                await _to_its_end(self._cancel(job))
            raise

    async def _cancel(self, job: AnswerJob) -> None:
        try:
            await self.queue.cancel(job.id)
        except QueueUnavailable:
            log.warning("an answer could not be cancelled, its deadline will end it", job=job.id)

    async def _keep_usage(self, job: AnswerJob, caller: Caller, read: _Read) -> None:
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
                screen=caller.screen,
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


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Do the work even when the reader leaves meanwhile, as most do once they have their answer; only then let go."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _outcome(job: AnswerJob, read: _Read) -> Outcome:
    """Raises ApiError where somebody else ended the answer. A deadline cut it short, as a limit does."""
    if read.ended is None or read.ended.reason == "cancelled":
        raise server_error("The answer was cancelled.", code="cancelled")
    reason: Literal["stop", "length"] = "stop" if read.ended.reason == "stop" else "length"
    return Outcome(reason, chunks.Usage(len(job.prompt), read.ended.completion_tokens))
