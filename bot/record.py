"""From a verdict to the row that is kept of it: what is written down, what of the text may be, and who is asked.

Knows privacy and which verdicts a person should look at. Leaves tables to the store and judging to the moderator.

2026-11-24: a text is kept only where somebody may want to look at it: its verdict was not "allow". What was found
because it is private (category pii or secret) is never part of it, and is nothing to ask a person about: an e-mail
address in a question is no suspicion.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bot.metrics import Metrics
from bot.store import Judged
from bot.store.verdicts import digest
from moderation import Direction, Finding, Verdict
from moderation.pii import find
from moderation.pii.check import SHORT
from moderation.verdict import redacted

PRIVATE = frozenset({"pii", "secret"})
SIZE = "length"  # the category of a text that is too long: nobody needs to read it
FAILED = "failed"  # a judgement in the shadow that was none
KEPT_CHARS = 16_000  # of a text, as many as a message may have


def judged(
    verdict: Verdict, text: str, *, direction: Direction, keeps_text: bool, asks: bool = True
) -> Judged:
    """The verdict about `text`, as it was judged. `keeps_text`: the operator lets texts be kept at all; `asks`: a
    person may be asked about it."""
    waits = keeps_text and asks and any(_is_a_question(finding) for finding in verdict.findings)
    return Judged(
        direction=direction,
        action=verdict.action,
        policy=verdict.policy,
        text_hash=digest(text),
        findings=tuple(_finding(finding) for finding in verdict.findings),
        scores={name: round(score, 4) for name, score in verdict.scores.values.items()},
        language=verdict.scores.language,
        model=verdict.scores.model,
        text=_without_private(text, verdict)[:KEPT_CHARS] if waits else None,
        waits=waits,
    )


async def judged_beside(verdict: Verdict, text: str, *, direction: Direction, keeps_text: bool) -> Judged:
    """The same, beside the loop where the text is long: looking for what is private in it takes a moment."""
    make = partial(judged, verdict, text, direction=direction, keeps_text=keeps_text)
    return make() if len(text) <= SHORT else await asyncio.to_thread(make)


def family(category: str) -> str:
    """The part of a category that stands before the slash: illicit/violent is a kind of illicit."""
    return category.partition("/")[0]


def is_private(finding: Finding) -> bool:
    """Whether it is about what somebody would not want to be read, and not about what nobody should say."""
    return family(finding.category) in PRIVATE


@dataclass(slots=True)
class Passed:
    """What of an answer was allowed, added up to one verdict: the highest score of each category."""

    policy: str = ""
    language: str = ""
    model: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, verdict: Verdict, text: str) -> None:
        """One more window of the answer."""
        self.policy = verdict.policy
        self.language = verdict.scores.language or self.language
        self.model = verdict.scores.model or self.model
        for name, score in verdict.scores.values.items():
            self.scores[name] = max(round(score, 4), self.scores.get(name, 0.0))
        self._hash.update(text.encode("utf-8", "surrogatepass"))

    def rows(self) -> tuple[Judged, ...]:
        """The one row; none when nothing was allowed."""
        if not self.policy:
            return ()
        return (
            Judged(
                direction="output",
                action="allow",
                policy=self.policy,
                text_hash=self._hash.hexdigest(),
                scores=self.scores,
                language=self.language,
                model=self.model,
            ),
        )


@dataclass(slots=True)
class Record:
    """What is found in one answer, window by window: counted at once, and written down with its pieces."""

    metrics: Metrics
    channel: str
    keeps_text: bool
    help: Mapping[str, str] = field(
        default_factory=dict
    )  # the policy's, to stand beside the answer; the first counts
    _passed: Passed = field(default_factory=Passed)
    _found: list[Judged] = field(default_factory=list)
    _before: set[tuple[str, str]] = field(default_factory=set)  # what was found in the window before

    def hear(self, verdict: Verdict, text: str) -> None:
        """One more window, as the model wrote it. Each is judged with what stands before it, so what is found in one is
        mostly found again in the next: a person is asked once."""
        self.metrics.judged(verdict, channel=self.channel, direction="output")
        if verdict.action == "allow":
            self._passed.add(verdict, text)
            self._before = set()
            return
        if any(finding.category == FAILED for finding in verdict.findings):
            self.metrics.screen_failures.inc()
        if verdict.action != "block":
            self.help = self.help or verdict.notice
        told: set[tuple[str, str]] = {(f.category, f.action) for f in verdict.findings if f.action != "allow"}
        asks = not told <= self._before
        self._before = told
        self._found.append(judged(verdict, text, direction="output", keeps_text=self.keeps_text, asks=asks))

    def found(self) -> tuple[Judged, ...]:
        """What was found since this was asked last."""
        found, self._found = tuple(self._found), []
        return found

    def end(self) -> tuple[Judged, ...]:
        """What is left to write down when the answer ends."""
        passed, self._passed = self._passed.rows(), Passed()
        return (*self.found(), *passed)


def _is_a_question(finding: Finding) -> bool:
    return finding.action != "allow" and finding.category not in (SIZE, FAILED) and not is_private(finding)


def _without_private(text: str, verdict: Verdict) -> str:
    hidden = [
        replace(finding, action="redact")
        for finding in verdict.findings
        if finding.span and is_private(finding)
    ]
    if verdict.action == "block":  # that ended the asking: a rule comes before what looks for private things
        known = [finding.span for finding in hidden if finding.span]
        hidden += [
            Finding("pii", "redact", "pii", span=(one.start, one.end))
            for one in find(text)
            if all(one.end <= start or end <= one.start for start, end in known)
        ]
    return redacted(text, hidden)


def _finding(finding: Finding) -> Mapping[str, Any]:
    """Without its reason, which may quote."""
    return {
        "check": finding.check,
        "category": finding.category,
        "action": finding.action,
        "score": None if finding.score is None else round(finding.score, 4),
        "threshold": finding.threshold,
        "span": list(finding.span) if finding.span else None,
    }
