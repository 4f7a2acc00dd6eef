"""What came just before a text: judged already, and read along so that nothing passes by being cut in two.

Knows how much of it to keep. Leaves judging to the moderator.
"""

from __future__ import annotations

from dataclasses import dataclass

from moderation.verdict import Verdict

KEPT = 200  # characters; two to three sentences, longer than any phrase that a rule describes
WORD = 40  # characters more, so that it begins with a whole word
HIDDEN = 16_384  # characters; an RSA key of 16,384 bits in PEM is 12,700: a longer secret does not exist


@dataclass(frozen=True, slots=True)
class Context:
    """The end of the text judged so far, as it was written; its last `hidden` characters were not shown."""

    text: str = ""
    hidden: int = 0

    def after(self, text: str, verdict: Verdict) -> Context:
        """The context once `text` was judged.

        A redaction that reaches the end may go on in the next text: its beginning is kept as well (up to
        HIDDEN characters), so that the rule still recognises what follows.
        """
        size = len(text)
        spans = [f.span or (0, size) for f in verdict.findings if f.action == "redact"]
        hidden = max((size - start for start, end in spans if end >= size), default=0)
        hidden = min(hidden, HIDDEN)
        read = self.text + text
        start = max(0, len(read) - max(KEPT, hidden))
        # half a word may look like another one: "grass" ends in what a rule may look for
        start = read.rfind(" ", max(0, start - WORD), start) + 1 or start
        return Context(text=read[start:], hidden=hidden)
