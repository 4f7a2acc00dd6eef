"""One answer that somebody in this process waits for: its events in order, and what is known of it for a resume.

Knows jobs and events. Knows no Redis; whoever reads the stream puts events in, whoever asked takes them out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from worker.errors import JobFailed, QueueError
from worker.jobs import AnswerJob, Ended, EndReason, Event, Failed, Piece
from worker.telling import HANDED_BACK, SUPERSEDED


class Asked:
    """Fenced by attempt: events of any attempt but the current one change nothing."""

    def __init__(self, job: AnswerJob) -> None:
        self.job = job  # as it was queued last
        self.interrupted = False  # what was read shows that the attempt cannot go on; it is to be queued anew
        self.over = False
        self.ended: Ended | None = None  # as the worker told it
        self.doubts = 0  # looks in a row at which the job was found nowhere
        self.deaths = 0  # of workers in a row, since the last piece
        self.unserved_since = 0.0  # time.monotonic() since which no worker has its model; 0 while one has
        self.worker = ""
        self._events: asyncio.Queue[Piece | Ended | QueueError] = asyncio.Queue()
        self._emitted = list(job.emitted)
        self._shown = job.shown
        self._rest_taken = False  # text without new tokens, which an attempt tells once

    def take(self, event: Event) -> None:
        """Put in one event from the stream."""
        if self.over or event.attempt != self.job.attempt:
            return
        self.doubts = 0
        if isinstance(event, Piece):
            self._take_piece(event)
        elif isinstance(event, Ended):
            self._end(event)
        elif isinstance(event, Failed):
            if event.code in (HANDED_BACK, SUPERSEDED):  # by whom, the ledger tells as it is queued anew
                self.interrupted = True
            else:
                self.fail(JobFailed(event.code, event.message))

    def _take_piece(self, piece: Piece) -> None:
        if piece.index < len(self._emitted) or self.interrupted or (self._rest_taken and not piece.ids):
            return  # told twice, since the worker could not know whether the first time had arrived
        if piece.index > len(self._emitted):
            self.interrupted = (
                True  # entries were lost, trimmed away while nobody read: take up from what is here
            )
            return
        self.deaths = 0
        self._rest_taken = self._rest_taken or not piece.ids
        self._emitted += piece.ids
        self._shown += len(piece.text)
        self._events.put_nowait(piece)

    def _end(self, ended: Ended) -> None:
        if not self.interrupted:
            self.over, self.ended = True, ended
            self._events.put_nowait(ended)

    def fail(self, error: QueueError) -> None:
        """End it with an error, once what arrived before is taken out."""
        if not self.over:
            self.over = True
            self._events.put_nowait(error)

    def end(self, ended: Ended) -> None:
        """End it from this side."""
        if not self.over:
            self.over = True
            self._events.put_nowait(ended)

    def ending(self, reason: EndReason) -> Ended:
        """The end of what was received so far, as this side knows it."""
        return Ended(
            self.job.id,
            self.job.attempt,
            reason,
            prompt_tokens=len(self.job.prompt),
            completion_tokens=len(self._emitted),
            engine_ms=0,
        )

    @property
    def begun(self) -> bool:
        """Whether anything of it has arrived here."""
        return bool(self._emitted)

    def next_attempt(self) -> AnswerJob:
        """The job that takes up after everything received. It becomes the current one with `requeued`."""
        emitted = tuple(self._emitted)
        return replace(self.job, attempt=self.job.attempt + 1, emitted=emitted, shown=self._shown)

    def requeued(self, job: AnswerJob) -> None:
        """From now on only this attempt counts."""
        self.job = job
        self.interrupted, self.worker, self._rest_taken = False, "", False
        self.doubts, self.unserved_since = 0, 0.0

    async def events(self) -> AsyncGenerator[Piece | Ended, None]:
        """What arrives, up to the end. Raises the QueueError that it ended with."""
        while True:
            event = await self._events.get()
            if isinstance(event, QueueError):
                raise event
            yield event
            if isinstance(event, Ended):
                return
