"""What can go wrong between asking for an answer and its end, named for the one who asked.

QueueError
├── QueueBusy          too many wait; `retry_after` seconds may help
├── QueueUnavailable   Redis is away, now or midway; nothing is known to be lost, ask again later
└── JobFailed          this job cannot be done; `code` says why: malformed, model_not_loaded, context_too_long,
                       refused, engine (the model failed), superseded (another attempt counts), lost
"""

from __future__ import annotations

MODEL_NOT_LOADED = "model_not_loaded"


class QueueError(Exception):
    """Why there is no answer, or no more of it."""


class QueueBusy(QueueError):
    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"too many questions wait; try again in {retry_after} s")
        self.retry_after = retry_after


class QueueUnavailable(QueueError):
    def __init__(self, message: str = "the queue does not answer") -> None:
        super().__init__(message)


class JobFailed(QueueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
