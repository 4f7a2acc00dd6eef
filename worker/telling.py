"""One attempt at one answer: the engine's ids on one side, pieces and an end on the other. And all that are under way.

Knows jobs, ids and text. Knows neither Redis nor Celery nor CTranslate2; threads only as far as it is called by two.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from tokenizers import Tokenizer

from inference.request import Finish, Request, Sampling
from inference.text import TextStream
from worker.jobs import AnswerJob, Ended, EndReason, Event, Failed, Piece
from worker.ledger import ALL_ATTEMPTS

HANDED_BACK = (
    "handed_back"  # Failed.code: the worker ends; the client queues the job anew at once and says nothing
)
# Failed.code: another attempt counts, or none, since Redis was restarted and lost the record.
SUPERSEDED = "superseded"

Wake = Callable[[bool], None]


class Telling:
    """`on_token` and `on_finish` are for the engine's thread, `drain` for the publisher's, `stop` for anyone.

    A token costs the engine's thread an append and a flag; the text is made in `drain`.
    """

    def __init__(self, job: AnswerJob, tokenizer: Tokenizer, *, wake: Wake) -> None:
        self.job = job
        self.engine_id = f"{job.id}:{job.attempt}"  # a superseded attempt may still be in the engine
        self.done = threading.Event()  # the engine has let go of it
        self.handed_back = False
        self.superseded = False
        self.stopped = False
        self.over = False  # the end was drained
        self.tokens = 0  # new ones that were drained
        self._wake = wake
        self._ids: deque[int] = deque()
        self._finish: Finish | None = None
        self._text = TextStream(tokenizer, stop=job.stop)
        self._index = len(job.emitted)
        self._unseen = job.shown  # characters still to come that were shown before
        self._resumed = "".join(map(self._text.feed, job.emitted))
        self._fresh = True  # nothing was told yet: the first piece is in a hurry
        self._began = self._ended_at = time.monotonic()

    def request(self) -> Request:
        """The job as the engine takes it. Raises ValueError for options out of range."""
        job = self.job
        sampling = Sampling(
            max_tokens=job.max_tokens,
            temperature=job.temperature,
            top_k=job.top_k,
            top_p=job.top_p,
            min_tokens=job.min_tokens,
            ignore_eos=job.ignore_eos,
            repetition_penalty=job.repetition_penalty,
        )
        left = job.deadline - time.time()
        return Request(
            id=self.engine_id,
            prompt=job.prompt,
            sampling=sampling,
            emitted=job.emitted,
            deadline=time.monotonic() + left,
            prefix=job.prefix,
            bulk=job.bulk,
        )

    @property
    def reason(self) -> str:
        """Why the engine let go of it, for the log."""
        return self._finish.error or self._finish.reason if self._finish else ""

    @property
    def complete(self) -> bool:
        """A stop string is complete within what an earlier attempt emitted: there is nothing left to make."""
        return self._text.stopped

    def on_token(self, token_id: int) -> None:
        self._ids.append(token_id)
        self._wake(self._fresh)

    def on_finish(self, finish: Finish) -> None:
        self._ended_at = time.monotonic()
        self._finish = finish
        self.done.set()
        self._wake(True)

    def drain(self) -> list[Event]:
        """What is to be told since the last call. Call it from one thread only.

        Every piece but the last has ids: whoever reads a piece twice knows it by its index.
        """
        finish = self._finish  # before the ids: what was emitted before the end is in the deque by now
        if self.over or (finish is None and not self._ids):
            return []
        ids, text = self._take()
        self.over = self._text.stopped or finish is not None
        if finish is not None and finish.reason != "error" and not self.handed_back:
            text += self._unshown(self._text.finish())
        events: list[Event] = []
        if ids or text:
            events.append(Piece(self.job.id, self.job.attempt, self._index, ids, text))
            self._index += len(ids)
            self.tokens += len(ids)
            self._fresh = self._fresh and not text
        if self.over:
            events.append(self._end(finish))
        return events

    def _take(self) -> tuple[tuple[int, ...], str]:
        """The new ids, up to the one that completes a stop string, and their text as far as it was not shown before."""
        ids, parts = [], [self._resumed]
        self._resumed = ""
        while self._ids and not self._text.stopped:
            ids.append(self._ids.popleft())
            parts.append(self._text.feed(ids[-1]))
        return tuple(ids), self._unshown("".join(parts))

    def _unshown(self, text: str) -> str:
        """What of the next text was not shown by an earlier attempt."""
        seen = min(self._unseen, len(text))
        self._unseen -= seen
        return text[seen:]

    def _end(self, finish: Finish | None) -> Ended | Failed:
        job = self.job
        if finish is None or self._text.stopped:
            return self._ended("stop", until=time.monotonic())
        if self.handed_back:
            return Failed(job.id, job.attempt, HANDED_BACK, "The worker is shutting down.")
        if self.superseded:
            return Failed(job.id, job.attempt, SUPERSEDED, "This attempt does not count any more.")
        if finish.reason == "error":  # the cause is in the worker's log
            return Failed(job.id, job.attempt, "engine", "The model failed at this answer.")
        return self._ended(finish.reason, until=self._ended_at)

    def _ended(self, reason: EndReason, *, until: float) -> Ended:
        job = self.job
        return Ended(
            job.id,
            job.attempt,
            reason,
            prompt_tokens=len(job.prompt),
            completion_tokens=self._index,
            engine_ms=round((until - self._began) * 1000),
        )


class Live:
    """The attempts that this process carries, from before they are claimed until the engine has let go of them.

    `cancel` is the engine's.
    """

    def __init__(self, *, cancel: Callable[[str], None]) -> None:
        self._cancel = cancel
        self._lock = threading.Lock()
        self._tellings: dict[str, Telling] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self._tellings)

    def all(self) -> list[Telling]:
        with self._lock:
            return list(self._tellings.values())

    def add(self, telling: Telling) -> bool:
        """False when this very attempt is carried already."""
        with self._lock:
            if telling.engine_id in self._tellings:
                return False
            self._tellings[telling.engine_id] = telling
            telling.handed_back = self._closing
            return True

    def remove(self, telling: Telling) -> None:
        with self._lock:
            self._tellings.pop(telling.engine_id, None)

    def stop(self, job: str, *, below: int) -> None:
        """Cancel the attempts of a job that are lower than `below`; unknown jobs are others' business. Short of
        ALL_ATTEMPTS it is because a higher attempt counts now."""
        for telling in self.all():
            if telling.job.id == job and telling.job.attempt < below:
                telling.superseded = below < ALL_ATTEMPTS
                telling.stopped = True
                self._cancel(telling.engine_id)

    def hand_back(self) -> int:
        """Give all that are under way, and all that are still to come, back to whoever asked. Returns how many."""
        with self._lock:
            self._closing = True
        tellings = self.all()
        for telling in tellings:
            telling.handed_back = True
            telling.stopped = True
            self._cancel(telling.engine_id)
        return len(tellings)
