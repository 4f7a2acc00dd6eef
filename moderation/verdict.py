"""What a check finds, how a classifier scores, and what the house makes of both: plain frozen values.

Knows how findings add up to one action, one text and one notice. Knows no check, no policy file and no stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["input", "output"]
Action = Literal["allow", "review", "redact", "block"]

ACTIONS: tuple[Action, ...] = ("allow", "review", "redact", "block")  # the later one wins
UNSUPPORTED = "unsupported"  # the language of a text that no classifier of ours reads
REMOVED = "[removed]"  # shown where a redaction brings no words of its own


@dataclass(frozen=True, slots=True)
class Where:
    """The place that a text belongs to: the channel's name, and the channel's own key for the place. The policy may
    hold words of its own for either."""

    channel: str = ""
    place: str = ""


ANYWHERE = Where()


@dataclass(frozen=True, slots=True)
class Scores:
    """How likely each category is, as calibrated probabilities: 0..1 by category and "overall"; empty when nothing
    could judge the text.

    `language`: "en" and "zh" were read, "unsupported" was not, "" when there is no classifier. `model`: its short name
    and version. `embedding`: the text as a vector of length 1, None where the encoder does not know the language.
    """

    values: Mapping[str, float] = field(default_factory=dict, hash=False)
    language: str = ""
    model: str = ""
    embedding: tuple[float, ...] | None = None


NOT_SCORED = Scores()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check saw in a text.

    `reason` is for operators and never shown to people. `span` is (start, end) in characters of the judged
    text, None for the whole of it; in a Verdict it counts from the new text, so that a start below zero lies
    in the context before it. `replacement` is shown instead of the span when the action is "redact".
    `score` reached `threshold` where a classifier judged. `notice` is what the policy has people read about
    it, by language ("en", "zh"); empty: the house's own sentence.
    """

    check: str
    action: Action
    category: str = ""
    reason: str = ""
    span: tuple[int, int] | None = None
    replacement: str | None = None
    score: float | None = None
    threshold: float | None = None
    notice: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The house's decision about one text; `text` is the one to use, `policy` the version that judged.

    `scores` are NOT_SCORED when no classifier was asked, as after a block by a rule.
    """

    action: Action
    findings: tuple[Finding, ...] = ()
    text: str = ""
    policy: str = ""
    scores: Scores = NOT_SCORED

    @property
    def notice(self) -> Mapping[str, str]:
        """What the policy has people read, by language; empty when it says nothing. After a block it stands in
        place of the house's sentence; after anything else beside the answer, as help that is offered."""
        told = [f for f in self.findings if f.notice and (f.action == "block" or self.action != "block")]
        return max(told, key=lambda finding: ACTIONS.index(finding.action)).notice if told else {}


def strongest(findings: Sequence[Finding]) -> Action:
    """The action of all findings together; "allow" when there are none."""
    return max((finding.action for finding in findings), key=ACTIONS.index, default="allow")


def redacted(text: str, findings: Sequence[Finding], *, hidden: bool = False) -> str:
    """`text` with the span of each "redact" finding replaced.

    Spans that overlap become one replacement. `hidden`: the characters just before `text` were
    hidden, so what goes on from there is dropped without a second replacement.
    """
    size = len(text)
    found = [(finding.span or (0, size), finding) for finding in findings if finding.action == "redact"]
    parts: list[str] = []
    position = 0
    for (start, end), finding in sorted(found, key=lambda pair: pair[0]):
        if max(start, 0) >= position:
            parts.append(text[position : max(start, 0)])
            if not (start < 0 and hidden):
                parts.append(REMOVED if finding.replacement is None else finding.replacement)
        position = max(position, min(end, size))
    parts.append(text[position:])
    return "".join(parts)
