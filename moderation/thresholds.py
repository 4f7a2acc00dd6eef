"""What follows from a classifier's scores: a finding for each category whose threshold is reached.

Knows thresholds, and what scores must look like to be believed. Knows no model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import TYPE_CHECKING

from moderation.categories import LABELS, OVERALL
from moderation.verdict import UNSUPPORTED, Direction, Finding, Scores

if TYPE_CHECKING:
    from moderation.policy import Category, Terms

NAME = "classifier"  # the check, in findings and in failures
# What scores must hold to be believed, by language. The encoder's English has a head for every category.
NEEDED: Mapping[str, tuple[str, ...]] = {"en": LABELS, "zh": (OVERALL,), UNSUPPORTED: ()}


def believed(scores: object) -> Scores:
    """`scores` if they are some. Raises TypeError or ValueError, naming what is wrong with them."""
    if not isinstance(scores, Scores):
        raise TypeError(f"a classifier must answer with scores, not {type(scores).__name__}")
    if not isinstance(scores.language, str) or not isinstance(scores.model, str):
        raise TypeError("the language and the model of scores must be text")
    if scores.language not in NEEDED:
        raise ValueError(f"the language {scores.language!r} is none that a classifier tells")
    for name, value in _pairs(scores.values):
        if name not in LABELS:
            raise ValueError(f"{name!r} is no category")
        if not _number(value) or not 0.0 <= value <= 1.0:  # NaN is in no range
            raise ValueError(f"the score {value!r} of {name} is none from 0 to 1")
    missing = [name for name in NEEDED[scores.language] if name not in scores.values]
    if missing:
        raise ValueError(f"there is no score of {', '.join(missing)}")
    if scores.embedding is not None:
        _check_embedding(scores.embedding)
    return scores


def _pairs(values: object) -> Iterator[tuple[object, float]]:
    if not isinstance(values, Mapping):
        raise TypeError(f"scores must be given by category, not as {type(values).__name__}")
    yield from values.items()


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_embedding(embedding: object) -> None:
    if not isinstance(embedding, tuple) or not embedding:
        raise TypeError("an embedding must be a tuple of numbers")
    if not all(_number(value) and math.isfinite(value) for value in embedding):
        raise ValueError("an embedding must hold finite numbers")


def reached(scores: Scores, terms: Terms, *, direction: Direction) -> list[Finding]:
    """What the policy makes of the scores: at most one finding a category, and one where most was not understood. What
    stands in a language that is read counts in either case."""
    categories = terms.categories.of(direction)
    judged = (
        _judged(name, scores.values[name], of) for name, of in categories.items() if name in scores.values
    )
    return [*(finding for finding in judged if finding), *_not_understood(scores, terms)]


def _judged(name: str, score: float, category: Category) -> Finding | None:
    if category.block is not None and score >= category.block:
        action, threshold, notice = category.action, category.block, category.notice
    elif category.review is not None and score >= category.review:
        action, threshold, notice = "review", category.review, category.help
    else:
        return None
    return Finding(
        check=NAME,
        action=action,
        category=name,
        reason=f"scored {score:.2f}; {action} from {threshold:g} on",
        score=float(score),
        threshold=threshold,
        notice=notice.words() if notice else {},
    )


def _not_understood(scores: Scores, terms: Terms) -> list[Finding]:
    understood = bool(scores.values) and scores.language != UNSUPPORTED
    if understood or terms.unsupported == "allow" or not scores.language:
        return []
    reason = "written in a language that the classifier does not read; rules alone judged it"
    return [Finding(check=NAME, action=terms.unsupported, category="language", reason=reason)]
