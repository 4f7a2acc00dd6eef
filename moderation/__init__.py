"""What may be said: text is cleaned, judged by a list of checks, and streams are held until judged.

Imports nothing of ours and knows neither settings, nor people, nor the database.

Decisions
- 2026-11-23: text is held back by default and released sentence by sentence. Showing first and judging
  later is what users of other screens complain about; `shadow` remains for operators who choose it.
- 2026-11-23: a rule reads the scoring copy and its spans are mapped back, so that a redaction hits the very
  characters that were written, fullwidth or with zero-width characters between them.
- 2026-11-23: a source is read by one task of its own for the whole stream. A task for each read was tried
  and dropped: a source that enters a timeout or a task group in one read and leaves it in another breaks.
- 2026-11-23: a repeat that could backtrack without bound is refused when the policy is read; a time limit
  on each search was dropped, since `re` has none and the `regex` package would be one more dependency.
"""

from moderation.context import Context
from moderation.errors import (
    ModerationError,
    ModerationFailed,
    PolicyError,
    ScreenBlocked,
    ScreenError,
    ScreenFailed,
    TextRefused,
)
from moderation.moderator import Check, Moderator
from moderation.normalise import clean
from moderation.screen import Draft, Mode, Released, screened
from moderation.verdict import Action, Direction, Finding, Verdict

__all__ = [
    "Action",
    "Check",
    "Context",
    "Direction",
    "Draft",
    "Finding",
    "Mode",
    "ModerationError",
    "ModerationFailed",
    "Moderator",
    "PolicyError",
    "Released",
    "ScreenBlocked",
    "ScreenError",
    "ScreenFailed",
    "TextRefused",
    "Verdict",
    "clean",
    "screened",
]
