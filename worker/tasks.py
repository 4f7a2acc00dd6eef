"""What a worker does with a message: claim the attempt, give it to the engine, wait until the engine lets go of it.

Knows one process's parts. Celery calls `Work.answer` on one of its threads; the publisher tells what the engine makes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import redis
import structlog
from celery import Celery
from tokenizers import Tokenizer

from inference.engine import Engine
from inference.request import ContextTooLong, EngineBusy, EngineClosed, EngineError, Finish
from worker import ledger
from worker.errors import MODEL_NOT_LOADED
from worker.jobs import AnswerJob, Ended, Failed, JobMalformed
from worker.message import TASK
from worker.stream import Publisher
from worker.telling import HANDED_BACK, Live, Telling

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One per process. `name` is the worker's, which stands in the leases it takes."""

    name: str
    model: str
    client: redis.Redis
    engine: Engine
    tokenizer: Tokenizer
    publisher: Publisher
    live: Live

    def register(self, app: Celery) -> None:
        """Make this the body of the app's task."""
        app.task(name=TASK, ignore_result=True, acks_late=True)(self.answer)

    def answer(self, encoded: str) -> None:
        """See one job through. Returns when the engine is free of it; what fails is told, never raised."""
        try:
            job = AnswerJob.decode(encoded)
        except JobMalformed as error:
            self._refuse_malformed(error)
            return
        with structlog.contextvars.bound_contextvars(
            correlation=job.correlation, job=job.id, attempt=job.attempt
        ):
            telling = Telling(job, self.tokenizer, wake=self.publisher.wake)
            if not self.live.add(telling):  # before the claim: a cancel that comes from now on finds it
                log.info("a delivery is dropped", claim="carried")
                return
            try:
                self._carry(telling)
            except redis.RedisError as error:  # not claimed: the client finds it in no list, and puts it back
                log.warning("a job cannot be claimed", cause=type(error).__name__)
            finally:
                self.live.remove(telling)

    def _carry(self, telling: Telling) -> None:
        job = telling.job
        claim = self._claim(job)
        if claim == "cancelled":
            ended = Ended(job.id, job.attempt, "cancelled", len(job.prompt), len(job.emitted), 0)
            self.publisher.tell(job.reply_to, ended)
        if claim != "yours":
            log.info("a delivery is dropped", claim=claim)
            return
        if telling.handed_back:
            self._hand_back(job)
            return
        began = time.monotonic()
        if job.model != self.model:
            self._fail(
                job,
                MODEL_NOT_LOADED,
                f"This worker has the model {self.model!r} loaded, not {job.model!r:.80}.",
            )
            return
        if not self._submit(telling):
            return
        telling.done.wait()
        log.info(
            "answer ended",
            reason=telling.reason,
            seconds=round(time.monotonic() - began, 3),
            prompt_tokens=len(job.prompt),
            resumed_at=len(job.emitted),
        )

    def _claim(self, job: AnswerJob) -> str:
        """`yours`, or why not: gone, superseded, running, ended, cancelled."""
        keys = ledger.job_key(job.id), ledger.cancelled_key(job.id)
        answer = self.client.eval(ledger.CLAIM, len(keys), *keys, str(job.attempt), self.name)
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    def _submit(self, telling: Telling) -> bool:
        """To the engine; False when it is over before it began."""
        job = telling.job
        if telling.complete:
            telling.on_finish(Finish("stop"))
            self.publisher.add(telling)
            self.publisher.wake(True)
            return False
        try:
            self.engine.submit(telling.request(), on_token=telling.on_token, on_finish=telling.on_finish)
        except ContextTooLong as error:
            self._fail(job, "context_too_long", str(error))
        except (EngineClosed, EngineBusy):
            self._hand_back(job)
        except (EngineError, ValueError) as error:
            self._fail(job, "refused", str(error))
        else:
            self.publisher.add(telling)
            self.publisher.wake(True)  # it may have told its first token already
            if telling.stopped:  # cancelled before the engine knew it
                self.engine.cancel(telling.engine_id)
            return True
        return False

    def _hand_back(self, job: AnswerJob) -> None:
        failed = Failed(job.id, job.attempt, HANDED_BACK, "The worker takes no more.")
        self.publisher.tell(job.reply_to, failed)

    def _fail(self, job: AnswerJob, code: str, message: str) -> None:
        log.warning("a job is refused", code=code, cause=message)
        self.publisher.tell(job.reply_to, Failed(job.id, job.attempt, code, message))

    def _refuse_malformed(self, error: JobMalformed) -> None:
        log.warning("a job cannot be read", cause=str(error), job=error.job)
        if error.job and error.reply_to:
            self.publisher.tell(error.reply_to, Failed(error.job, error.attempt, "malformed", str(error)))
