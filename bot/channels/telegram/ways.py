"""How an answer may grow, and how often: as a message that is edited, as Telegram's own draft, or posted whole.

Knows what the operator wants and what the server turned out not to offer. Leaves doing it to `writing`.

2026-12: private chats get edits unless the operator says otherwise. An answer of 1,490 characters took 9 calls by edits
and one by drafts, and showed its first words after 0.6 s and 0.06 s; but when the process died midway an edited message
kept what it showed, and a draft was gone after 30 s. Readers also tell of drafts that flicker, or stay beside answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.channels.telegram.places import Spot

Way = Literal["draft", "edit", "post"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Of growing messages, in seconds."""

    first: float = 1.5  # until something is shown that is no whole sentence yet
    edit: float = 1.2  # between two edits at first; Telegram floods below one a second
    slower: float = 1.15  # times as long after each: what has grown long is read, not watched
    slowest: float = 3.0
    group_edit: float = 4.0  # at least, where 20 a minute must do for everybody
    draft: float = 1.0
    refresh: float = 20.0  # Telegram takes a draft away after 30
    typing: float = 4.0  # Telegram shows it for 5
    again: float = 2.0  # before a further attempt says anything: with the queue away they are many, and short
    setback: float = 2.0  # after a failure, doubled with each that follows
    longest_setback: float = 30.0
    kept: float = 0.5  # until what could not be kept in mind is told again, doubled each time
    late: float = 4.0  # in which an edit whose answer was lost may still come, after a later one
    parting: float = 2.0  # for what is on its way when an answer is taken from us


@dataclass(slots=True, kw_only=True)
class Ways:
    """One per process."""

    private: Way = "edit"
    group: Way = "post"
    rich: bool = False  # whether tables and formulas go as rich messages
    timing: Timing = field(default_factory=Timing)

    def best(self, spot: Spot) -> Way:
        """How an answer grows there, as far as is known."""
        return self.private if spot.private else self.group

    def no_drafts(self) -> None:
        """The server does not offer them: until we are started again answers grow by edits."""
        if self.private == "draft":
            self.private = "edit"

    def not_rich(self) -> None:
        """The server does not offer rich messages."""
        self.rich = False

    def interval(self, spot: Spot, way: Way, grown: int) -> float:
        """Seconds until a message may grow that has grown so many times."""
        if way == "draft":
            return self.timing.draft
        pace = min(self.timing.edit * self.timing.slower ** min(grown, 100), self.timing.slowest)
        return pace if spot.private else max(pace, self.timing.group_edit)
