"""The errors of this package, for those who catch them. Which sentence a person then reads is the caller's.

ModerationError
├── PolicyError         the policy file is wrong; the message names every mistake
├── ModerationFailed    a check raised or answered nonsense: nothing is known about the text
└── ScreenError         a stream ends here
    ├── ScreenBlocked   the screen judged the next text and refused it (.verdict)
    └── ScreenFailed    the screen could not judge the next text: fail closed
TextRefused (ValueError)  text that cannot enter the house (.problem)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from moderation.verdict import Verdict

Problem = Literal["control", "surrogate"]


class ModerationError(Exception):
    """Anything this package raises about its own work."""


class PolicyError(ModerationError):
    """A policy file cannot be used; the message names the file and every mistake in it, one a line."""


class ModerationFailed(ModerationError):
    """The check named `check` raised or answered nonsense; the cause is chained."""

    def __init__(self, check: str) -> None:
        super().__init__(f"the check {check!r} failed")
        self.check = check


class ScreenError(ModerationError):
    """The stream ends; what was released before stays judged."""


class ScreenBlocked(ScreenError):
    """The next text was refused; none of it was released."""

    def __init__(self, verdict: Verdict) -> None:
        names = ", ".join(finding.check for finding in verdict.findings if finding.action == "block")
        super().__init__(f"the screen blocked the next text ({names})")
        self.verdict = verdict


class ScreenFailed(ScreenError):
    """The next text could not be judged and was not released; the ModerationFailed is chained."""


class TextRefused(ValueError):
    """Text holds what no person types: control characters, or unpaired surrogates."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"the text holds {problem} characters that cannot be accepted")
        self.problem: Problem = problem
