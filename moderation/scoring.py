"""The classifier as the moderator trusts it: asked within a time limit, believed when its answer makes sense.

Knows how a classifier can fail. Knows neither what it is made of nor what a score means.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from moderation.errors import ModerationFailed
from moderation.thresholds import NAME, believed
from moderation.topics import Embedding
from moderation.verdict import Scores


class Scorer(Protocol):
    """How likely is each category? Raises when it cannot tell. Never blocks the loop, and heeds a cancellation."""

    async def score(self, text: str) -> Scores: ...


class Scoring:
    """Asks one scorer. Whatever it does becomes scores, or ModerationFailed."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._examples: dict[str, Embedding | None] = {}

    async def scores(self, text: str, *, seconds: float) -> Scores:
        """Raises ModerationFailed when there are none within `seconds`, or none that can be believed."""
        try:
            async with asyncio.timeout(seconds) as limit:
                scores = believed(await self._scorer.score(text))
            _in_time(limit)
        except asyncio.CancelledError as error:
            if _is_ours():
                raise
            raise ModerationFailed(NAME) from error  # its pool of threads was shut down, say
        except Exception as error:
            raise ModerationFailed(NAME) from error
        return scores

    async def example(self, text: str, *, seconds: float) -> Embedding | None:
        """The embedding of an example, made once. Raises as `scores`."""
        if text not in self._examples:
            self._examples[text] = (await self.scores(text, seconds=seconds)).embedding
        return self._examples[text]


def _in_time(limit: asyncio.Timeout) -> None:
    if limit.expired():
        raise TimeoutError("the classifier answered after it was cancelled for being late")


def _is_ours() -> bool:
    """Whether somebody cancelled this very task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
