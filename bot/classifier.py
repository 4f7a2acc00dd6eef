"""The moderator's classifier as the house holds it: opened once, closed with the house, and its time taken.

Knows when it is there and how long it takes. What it finds stands in `moderation`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.metrics import Metrics
from inference.library import Library, lineup
from moderation import Scorer, Scores

if TYPE_CHECKING:
    from moderation.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Timed:
    """Scores as the classifier does, and counts the seconds."""

    classifier: Scorer
    metrics: Metrics

    async def score(self, text: str) -> Scores:
        """Raises what the classifier raises; that took its time too."""
        began = time.perf_counter()
        try:
            return await self.classifier.score(text)
        finally:
            self.metrics.classifier_seconds.observe(time.perf_counter() - began)


@asynccontextmanager
async def open_classifier(metrics: Metrics, *, models: Path) -> AsyncGenerator[Scorer, None]:
    """Loaded in a thread: its libraries take a moment. Raises what an operator can read."""
    classifier = await asyncio.to_thread(load_classifier, models)
    try:
        yield Timed(classifier, metrics)
    finally:
        await asyncio.to_thread(classifier.close)


def load_classifier(models: Path) -> Classifier:
    """The one that was promoted to `moderation` in the library at `models`, or the bundled one. Raises
    ClassifierMissing, ModelNotFound and AliasesBroken."""
    from moderation.classifier import Classifier, ClassifierMissing

    promoted = lineup.read(models).moderation
    if promoted is None:
        return Classifier.load(None)
    try:
        return Classifier.load(Library(root=models).find(promoted.target).path)
    except ClassifierMissing as error:
        raise ClassifierMissing(
            f"{promoted.target} was promoted to judge messages, and cannot: {error.reason}. Go back to the one before: "
            "frontdesk models rollback --as moderation"
        ) from error
