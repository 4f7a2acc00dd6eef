"""What a check finds and what the house makes of it: plain frozen values.

Knows how findings add up to one action and one text. Knows no check, no policy file and no stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["input", "output"]
Action = Literal["allow", "review", "redact", "block"]

ACTIONS: tuple[Action, ...] = ("allow", "review", "redact", "block")  # the later one wins
REMOVED = "[removed]"  # shown where a redaction brings no words of its own


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check saw in a text.

    `reason` is for operators and never shown to people. `span` is (start, end) in characters of the judged
    text, None for the whole of it; in a Verdict it counts from the new text, so that a start below zero lies
    in the context before it. `replacement` is shown instead of the span when the action is "redact".
    """

    check: str
    action: Action
    category: str = ""
    reason: str = ""
    span: tuple[int, int] | None = None
    replacement: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The house's decision about one text; `text` is the one to use, `policy` the version that judged."""

    action: Action
    findings: tuple[Finding, ...] = ()
    text: str = ""
    policy: str = ""


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
