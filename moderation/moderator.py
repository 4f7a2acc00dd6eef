"""The moderator: asks each check in turn and makes one verdict of what they find.

Knows the promise a check keeps. Leaves what is looked for to the checks, and streams to the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from moderation.context import Context
from moderation.errors import ModerationFailed
from moderation.policy import load
from moderation.rules import LengthCheck, RuleCheck
from moderation.verdict import ACTIONS, Direction, Finding, Verdict, redacted, strongest

NOTHING = Context()


class Check(Protocol):
    """One way of looking at a text. Keeps no state between texts; raises when it cannot judge."""

    @property
    def name(self) -> str: ...

    async def judge(self, text: str, *, direction: Direction) -> Finding | Sequence[Finding] | None:
        """What is found in `text`, spans counted in its characters: nothing, one finding or several."""
        ...


class Moderator:
    """Judges texts by one policy. Checks are asked in order, cheap ones first; a block ends the asking."""

    def __init__(self, checks: Sequence[Check], *, policy: str) -> None:
        self._checks = tuple(checks)
        self.policy = policy

    @classmethod
    def from_policy(cls, path: Path | None = None) -> Moderator:
        """The checks a policy file asks for, the bundled file when none is named. Raises PolicyError."""
        policy = load(path)
        checks: list[Check] = [LengthCheck(max_chars=policy.max_input_chars), RuleCheck(policy.rules)]
        return cls(checks, policy=policy.version)

    async def check(self, text: str, *, direction: Direction, context: Context = NOTHING) -> Verdict:
        """The verdict about `text`; may be empty.

        `context` came right before it and was judged then: checks read both as one, and a finding counts
        when it reaches into `text` (one without a span always does). Raises ModerationFailed when a check
        raises or answers nonsense: the caller must then treat the text as refused.
        """
        findings: list[Finding] = []
        for check in self._checks:
            try:
                found = await check.judge(context.text + text, direction=direction)
                findings.extend(_reaching(found, past=len(context.text), size=len(text)))
            except Exception as error:
                raise ModerationFailed(check.name) from error
            if any(finding.action == "block" for finding in findings):
                break
        action = strongest(findings)
        shown = redacted(text, findings, hidden=context.hidden > 0) if action == "redact" else text
        return Verdict(action=action, findings=tuple(findings), text=shown, policy=self.policy)


def _reaching(found: object, *, past: int, size: int) -> Iterable[Finding]:
    """The findings that reach past the context, their spans counted from the new text on."""
    if found is None:
        return
    for finding in (found,) if isinstance(found, Finding) else found:  # type: ignore[attr-defined]
        if not isinstance(finding, Finding) or finding.action not in ACTIONS:
            raise TypeError(f"a check must answer with findings, not {finding!r}")
        if finding.span is None:
            yield finding
            continue
        start, end = finding.span
        if not 0 <= start < end <= past + size:
            raise ValueError(f"the span {finding.span} lies outside a text of {past + size} characters")
        if end > past:
            yield replace(finding, span=(start - past, end - past)) if past else finding
