"""The checks of one place: what its policy asks for, made once and asked in order.

Knows which checks there are and which of them needs what. Leaves judging to them, and the verdict to the moderator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from moderation.errors import ModerationFailed
from moderation.leakage import leaked
from moderation.lists import AllowList, denied
from moderation.pii.check import PiiCheck
from moderation.pii.finder import Finder
from moderation.rules import LengthCheck, RuleCheck
from moderation.scoring import Scorer, Scoring
from moderation.thresholds import reached
from moderation.topics import NAME as TOPICS
from moderation.topics import Embedding, Topics
from moderation.verdict import ANYWHERE, NOT_SCORED, Direction, Finding, Scores, Where

if TYPE_CHECKING:
    from moderation.pii import Vault
    from moderation.policy import Answer, Policy, Terms


class Check(Protocol):
    """One way of looking at a text. Keeps no state between texts; raises when it cannot judge."""

    @property
    def name(self) -> str: ...

    async def judge(self, text: str, *, direction: Direction) -> Finding | Sequence[Finding] | None:
        """What is found in `text`, spans counted in its characters: nothing, one finding or several."""
        ...


@dataclass(frozen=True, slots=True)
class _Private:
    """Personal data and secrets in one text: what is masked goes into its vault."""

    check: PiiCheck
    vault: Vault | None
    system: str
    name: str = PiiCheck.name

    async def judge(self, text: str, *, direction: Direction) -> Sequence[Finding]:
        return await self.check.judge(text, direction=direction, vault=self.vault, system=self.system)


@dataclass(frozen=True, slots=True)
class _Leakage:
    """An answer that gives its system prompt away."""

    system: str
    action: Answer
    name: str = "leakage"

    async def judge(self, text: str, *, direction: Direction) -> Finding | None:
        span = leaked(text, self.system)
        if span is None:
            return None
        reason = "repeats a long part of the system prompt"
        return Finding(check=self.name, action=self.action, category="leakage", reason=reason, span=span)


class Panel(Protocol):
    """Who judges the texts of one place."""

    @property
    def terms(self) -> Terms | None: ...

    def checks(self, *, direction: Direction, vault: Vault | None, system: str) -> Iterator[Check]:
        """Those that need no model, in the order in which they are asked."""
        ...

    async def scores(self, text: str) -> Scores:
        """What the classifier says; NOT_SCORED when it is not asked. Raises ModerationFailed."""
        ...

    async def judged(self, scores: Scores, *, direction: Direction) -> list[Finding]:
        """What follows from the scores. Raises ModerationFailed when the examples of topics cannot be embedded."""
        ...


class PlainPanel:
    """These checks, and no policy."""

    terms = None

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = tuple(checks)

    def checks(self, *, direction: Direction, vault: Vault | None, system: str) -> Iterator[Check]:
        return iter(self._checks)

    async def scores(self, text: str) -> Scores:
        return NOT_SCORED

    async def judged(self, scores: Scores, *, direction: Direction) -> list[Finding]:
        return []


class PolicyPanel:
    """What a policy asks for at one place, cheap checks first."""

    def __init__(self, terms: Terms, *, scoring: Scoring | None, finder: Finder) -> None:
        self.terms = terms
        self._scoring = scoring
        self._length = LengthCheck(max_chars=terms.limits.max_input_chars)
        self._rules = RuleCheck((*denied(terms.lists), *terms.compiled()))
        self._private = {
            "input": PiiCheck(terms.pii.input, finder=finder),
            "output": PiiCheck(terms.pii.output, finder=finder),
        }
        self._allowed = AllowList(terms.lists.allow)
        self._topics: Topics | None = None  # embedded when first needed

    def checks(self, *, direction: Direction, vault: Vault | None, system: str) -> Iterator[Check]:
        yield self._length
        yield self._rules
        yield _Private(self._private[direction], vault, system)
        if direction == "output" and system and self.terms.leakage != "allow":
            yield _Leakage(system, self.terms.leakage)

    async def scores(self, text: str) -> Scores:
        if self._scoring is None or not text.strip() or self._allowed.has(text):
            return NOT_SCORED
        return await self._scoring.scores(text, seconds=self.terms.limits.time_for(text))

    async def judged(self, scores: Scores, *, direction: Direction) -> list[Finding]:
        if scores is NOT_SCORED:
            return []
        found = reached(scores, self.terms, direction=direction)
        if not self.terms.topics or any(finding.action == "block" for finding in found):
            return found
        topics = await self.topics()
        try:
            return [*found, *topics.near(scores.embedding, direction=direction)]
        except ValueError as error:  # two classifiers under one name: vectors of two widths
            raise ModerationFailed(TOPICS) from error

    async def topics(self) -> Topics:
        """The topics with their examples embedded, which happens once. Raises ModerationFailed."""
        if self._topics is None:
            self._topics = await Topics.of(self.terms.topics, self._embed)
        return self._topics

    async def _embed(self, text: str) -> Embedding | None:
        if self._scoring is None:
            return None
        return await self._scoring.example(text, seconds=self.terms.limits.time_for(text))


class Panels:
    """The panels of one policy by place, each made when it is first asked for."""

    def __init__(self, policy: Policy, *, scoring: Scoring | None, finder: Finder) -> None:
        self.policy = policy
        self._scoring = scoring
        self._finder = finder
        self._made: dict[int, PolicyPanel] = {}  # by the identity of the terms, which the policy keeps alive

    @classmethod
    def of(cls, policy: Policy, *, scorer: Scorer | None) -> Panels:
        return cls(policy, scoring=Scoring(scorer) if scorer else None, finder=Finder())

    def after(self, policy: Policy) -> Panels:
        """Those of another policy, with the same classifier and the examples it has embedded."""
        return Panels(policy, scoring=self._scoring, finder=self._finder)

    def at(self, where: Where = ANYWHERE) -> PolicyPanel:
        terms = self.policy.at(where)
        panel = self._made.get(id(terms))
        if panel is None:
            panel = self._made[id(terms)] = PolicyPanel(terms, scoring=self._scoring, finder=self._finder)
        return panel

    def warm(self) -> None:
        """Reads what the first message should not wait for: a quarter of a second."""
        self._finder.warm()
