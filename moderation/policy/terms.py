"""What a policy may say at one place: its words, their kinds and their limits, as frozen values.

Knows the shape of a policy, and what contradicts itself. Does not know files or lines, nor how anything is judged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from moderation.categories import LABELS
from moderation.normalise import scoring_copy
from moderation.patterns import compile_pattern
from moderation.pii.check import Treatment
from moderation.pii.found import Kind
from moderation.rules import Rule
from moderation.verdict import Direction

PHRASE = 200  # characters; a longer one is a text, and no list of phrases

T = TypeVar("T")

Answer = Literal["allow", "review", "block"]
Screen = Literal["hold", "shadow"]


def known(*words: str) -> AfterValidator:
    """A text that is one of these words."""

    def check(word: str) -> str:
        if word not in words:
            raise PydanticCustomError("unknown_word", "unknown", {"known": words})
        return word

    return AfterValidator(check)


def _phrase(text: str) -> str:
    if not scoring_copy(text).text.strip():
        raise ValueError("nothing is left of this phrase once invisible characters are gone")
    return text


def _compiled(source: object) -> re.Pattern[str]:
    if not isinstance(source, str) or not source:
        raise PydanticCustomError("string_type", "text")
    return compile_pattern(source)


# An empty key is an empty list: `deny:` and nothing behind it.
EMPTY = BeforeValidator(lambda value: () if value is None else value)
NONE_YET = BeforeValidator(lambda value: {} if value is None else value)

Text = Annotated[str, StringConstraints(strict=True, min_length=1)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, gt=0)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=60, allow_inf_nan=False)]
Pattern = Annotated[re.Pattern[str], BeforeValidator(_compiled)]
Phrase = Annotated[Text, StringConstraints(max_length=PHRASE), AfterValidator(_phrase)]
Phrases = Annotated[tuple[Phrase, ...], EMPTY]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Notice(_Frozen):
    """What people read. English stands in for a missing Chinese."""

    en: Text
    zh: Text | None = None

    def words(self) -> Mapping[str, str]:
        return {"en": self.en, "zh": self.zh or self.en}


class Directed(_Frozen, Generic[T]):
    """The same for what comes in and for what goes out."""

    input: T
    output: T

    def of(self, direction: Direction) -> T:
        return self.input if direction == "input" else self.output


PORTION = 1_000  # characters


class Limits(_Frozen):
    """`seconds`: how long the classifier may take over each 1,000 characters begun."""

    max_input_chars: Count = 16_000
    seconds: Seconds = 5.0

    def time_for(self, text: str) -> float:
        """Seconds for the classifier: a long text is many windows, and not failed for being long."""
        return self.seconds * max(1, math.ceil(len(text) / PORTION))


class Category(_Frozen):
    """From `review` on a person looks at it later and `help` is offered; from `block` on `action` follows, and
    `notice` says so. None: never."""

    also: ClassVar[tuple[str, ...]] = ("input", "output")  # they are laid upon the rest before this is made

    review: Share | None = None
    block: Share | None = None
    action: Literal["block", "redact", "review"] = "block"
    notice: Notice | None = None
    help: Notice | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.review is not None and self.block is not None and self.review > self.block:
            raise ValueError(
                f"review ({self.review:g}) is above block ({self.block:g}): what is blocked at once could never be "
                "reviewed first; make it the lower of the two"
            )
        return self


class Lists(_Frozen):
    allow: Phrases = ()
    deny: Phrases = ()
    notice: Notice | None = None


class Topic(_Frozen):
    """What is like one of the examples. `similarity` is the cosine of two embeddings from which on it counts."""

    name: Text
    examples: Annotated[tuple[Text, ...], Field(min_length=1)]
    similarity: Share = 0.6
    action: Literal["allow", "review", "redact", "block"] = "block"
    direction: Literal["input", "output", "both"] = "input"
    notice: Notice | None = None


class RuleTerms(_Frozen):
    """A regular expression and what follows from it; with the action `allow` it is off."""

    name: Text
    pattern: Pattern
    direction: Literal["input", "output", "both"]
    action: Literal["allow", "review", "redact", "block"]
    category: Text
    reason: Text
    replacement: Text | None = None
    notice: Notice | None = None

    @model_validator(mode="after")
    def _replaces(self) -> Self:
        if self.replacement is not None and self.action not in ("redact", "allow"):
            raise ValueError(
                "replacement is only for the action redact; remove it, or write replacement: null"
            )
        return self

    def rule(self) -> Rule | None:
        if self.action == "allow":
            return None
        return Rule(
            name=self.name,
            pattern=self.pattern,
            directions=directions(self.direction),
            action=self.action,
            category=self.category,
            reason=self.reason,
            replacement=self.replacement,
            notice=self.notice.words() if self.notice else {},
        )


def directions(word: str) -> tuple[Direction, ...]:
    return ("input", "output") if word == "both" else ("input",) if word == "input" else ("output",)


class Terms(_Frozen):
    """All that applies at one place. What is not named is allowed."""

    limits: Annotated[Limits, NONE_YET] = Limits()
    screen: Screen = "hold"
    unsupported: Answer = "allow"
    leakage: Answer = "allow"
    categories: Directed[dict[Annotated[str, known(*LABELS)], Category]] = Directed(input={}, output={})
    pii: Directed[dict[Kind, Treatment]] = Directed(input={}, output={})
    lists: Annotated[Lists, NONE_YET] = Lists()
    topics: Annotated[tuple[Topic, ...], EMPTY] = ()
    rules: Annotated[tuple[RuleTerms, ...], EMPTY] = ()

    def compiled(self) -> tuple[Rule, ...]:
        """The rules that are on."""
        return tuple(rule for terms in self.rules if (rule := terms.rule()))
