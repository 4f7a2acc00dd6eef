"""Checks that need no model: how long a text may be, and the regular expressions of a policy.

Knows what a rule is and how it reads a text. Leaves the file they come from to policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moderation.normalise import scoring_copy
from moderation.verdict import Action, Direction, Finding


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern and what follows from it. It is searched in the scoring copy, not in the text itself."""

    name: str
    pattern: re.Pattern[str]
    directions: tuple[Direction, ...]
    action: Action
    category: str
    reason: str
    replacement: str | None = None
    notice: Mapping[str, str] = field(default_factory=dict, hash=False)


class LengthCheck:
    """Refuses input longer than `max_chars` characters; the first check, so that no other reads a megabyte."""

    name = "length"

    def __init__(self, *, max_chars: int) -> None:
        self._max_chars = max_chars

    async def judge(self, text: str, *, direction: Direction) -> Finding | None:
        if direction == "output" or len(text) <= self._max_chars:
            return None
        reason = f"{len(text)} characters; the policy allows {self._max_chars}"
        return Finding(check=self.name, action="block", category="length", reason=reason)


class RuleCheck:
    """Every place where a rule of the policy matches, as a span of the text that was given."""

    name = "rules"

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules: dict[Direction, tuple[Rule, ...]] = {
            "input": tuple(rule for rule in rules if "input" in rule.directions),
            "output": tuple(rule for rule in rules if "output" in rule.directions),
        }

    async def judge(self, text: str, *, direction: Direction) -> Sequence[Finding]:
        copy = scoring_copy(text)
        return [
            Finding(
                check=f"{self.name}/{rule.name}",
                action=rule.action,
                category=rule.category,
                reason=rule.reason,
                span=copy.origin(*match.span()),
                replacement=rule.replacement,
                notice=rule.notice,
            )
            for rule in self._rules[direction]
            for match in rule.pattern.finditer(copy.text)
        ]
