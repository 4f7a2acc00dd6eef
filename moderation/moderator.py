"""The moderator: asks each check in turn, then the classifier, and makes one verdict of what they find.

Knows the order and what counts of a finding. Leaves what is looked for to the checks, which of them a place has to its
panel, and streams to the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from moderation.context import Context
from moderation.errors import ModerationFailed
from moderation.panel import Check, Panel, Panels, PlainPanel
from moderation.scoring import Scorer
from moderation.verdict import (
    ACTIONS,
    ANYWHERE,
    NOT_SCORED,
    Direction,
    Finding,
    Scores,
    Verdict,
    Where,
    redacted,
    strongest,
)

if TYPE_CHECKING:
    from moderation.pii import Vault
    from moderation.policy import Screen, Terms
    from moderation.policy.watch import Watched

NOTHING = Context()


class Moderator:
    """Judges texts by one policy. Checks are asked in order, cheap ones first; a block ends the asking."""

    def __init__(self, checks: Sequence[Check], *, policy: str) -> None:
        """These checks everywhere, under the name `policy`."""
        self._everywhere: Panel = PlainPanel(checks)
        self._version = policy
        self._file: Watched | None = None
        self._panels: Panels | None = None

    @classmethod
    def from_policy(cls, path: Path | None = None, *, scorer: Scorer | None = None) -> Self:
        """The checks a policy file asks for, the bundled file when none is named; without a scorer its rules, lists
        and forms alone. A file that changes is read again while the house runs. Raises PolicyError."""
        from moderation.policy.watch import Watched

        made = cls((), policy="")
        made._file = Watched(path)
        made._panels = Panels.of(made._file.policy, scorer=scorer)
        made._panels.warm()
        return made

    @property
    def policy(self) -> str:
        """The version that judges now."""
        return self._panels.policy.version if self._panels else self._version

    @property
    def trouble(self) -> str:
        """Why the policy file as it stands is not the policy; empty when it is."""
        return self._file.trouble if self._file else ""

    def terms(self, where: Where = ANYWHERE) -> Terms | None:
        """What the policy says there; None without one."""
        return self._panel(where).terms

    def mode(self, where: Where = ANYWHERE) -> Screen:
        """How answers are screened there: held until judged ("hold"), or judged beside ("shadow")."""
        terms = self.terms(where)
        return terms.screen if terms else "hold"

    async def reload(self) -> None:
        """Looks at the policy file if that was more than a second ago, as every check does. Never raises."""
        if self._file is None or self._panels is None:
            return
        policy = await self._file.current()
        if policy is not self._panels.policy:
            self._panels = self._panels.after(policy)

    async def prepare(self, where: Where = ANYWHERE) -> Sequence[str]:
        """Embeds the examples of topics, so that the first check need not; names those that stay off because nothing
        could embed their examples. Raises ModerationFailed."""
        return (await self._panels.at(where).topics()).deaf if self._panels else ()

    def _panel(self, where: Where) -> Panel:
        return self._panels.at(where) if self._panels else self._everywhere

    async def check(
        self,
        text: str,
        *,
        direction: Direction,
        context: Context = NOTHING,
        where: Where = ANYWHERE,
        vault: Vault | None = None,
        system: str = "",
    ) -> Verdict:
        """The verdict about `text`; may be empty.

        `context` came right before it and was judged then: checks read both as one, and a finding counts
        when it reaches into `text` (one without a span always does). `where` chooses the terms of the policy.
        `vault` keeps what is masked, so that the answer can have it back; without one it is gone. `system` is the
        system prompt, which an answer should not repeat. Raises ModerationFailed when a check or the classifier
        raises, is late or answers nonsense: the caller must then treat the text as refused.
        """
        await self.reload()
        panel, policy = self._panel(where), self.policy  # a file that changes now concerns the next check
        read, past = context.text + text, len(context.text)
        findings: list[Finding] = []
        for check in panel.checks(direction=direction, vault=vault, system=system):
            try:
                found = await check.judge(read, direction=direction)
                findings.extend(_reaching(found, past=past, size=len(text)))
            except Exception as error:
                raise ModerationFailed(check.name) from error
            if any(finding.action == "block" for finding in findings):
                return _verdict(text, findings, NOT_SCORED, context=context, policy=policy)
        scores = await panel.scores(read)
        findings += await panel.judged(scores, direction=direction)
        return _verdict(text, findings, scores, context=context, policy=policy)


def _verdict(text: str, findings: list[Finding], scores: Scores, *, context: Context, policy: str) -> Verdict:
    action = strongest(findings)
    shown = redacted(text, findings, hidden=context.hidden > 0) if action == "redact" else text
    return Verdict(action=action, findings=tuple(findings), text=shown, policy=policy, scores=scores)


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
