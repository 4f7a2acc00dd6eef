"""What may be said: text is cleaned, judged by a list of checks, and streams are held until judged.

Knows neither settings, nor people, nor the database. Of our packages it knows `inference.encoders`, which reads a text
for the classifier, and in `moderation.training` what tunes one.

Decisions
- 2026-11-23: text is held back by default and released sentence by sentence. Showing first and judging
  later is what users of other screens complain about; `shadow` remains for operators who choose it.
- 2026-11-23: a rule reads the scoring copy and its spans are mapped back, so that a redaction hits the very
  characters that were written, fullwidth or with zero-width characters between them.
- 2026-11-23: a source is read by one task of its own for the whole stream. A task for each read was tried
  and dropped: a source that enters a timeout or a task group in one read and leaves it in another breaks.
- 2026-11-23: a repeat that could backtrack without bound is refused when the policy is read; a time limit
  on each search was dropped, since `re` has none and the `regex` package would be one more dependency.
- 2026-11-24: the wall to `inference` has one door, for the encoder. A reader of CTranslate2 folders of our own beside
  `inference.encoders` was the other way: the same batches, pooling and heads twice.
- 2026-11-24: a pattern is made small once instead of ignoring case at each search: the copy has no capitals, and the
  bundled rules take a third of the time.
- 2026-11-24: a person in distress is answered. By default self-harm is never blocked by its score: the text waits for a
  person's look, and a line to call is offered beside the answer. Only asking how is refused, with the same offer.
- 2026-11-24: whatever a classifier does is scores or a ModerationFailed. A cancellation is passed on only when it is
  the task's own: a pool that was shut down cancels what waits for it, and that is a classifier that failed.
- 2026-11-24: a check that notices a changed policy file reads it beside the loop and waits for it; those that come
  meanwhile go on with the old one. A task that watches the file was dropped: nobody would own its end.
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
from moderation.moderator import Moderator
from moderation.normalise import clean
from moderation.panel import Check
from moderation.scoring import Scorer
from moderation.screen import Draft, Mode, Released, screened
from moderation.verdict import ANYWHERE, NOT_SCORED, Action, Direction, Finding, Scores, Verdict, Where

__all__ = [
    "ANYWHERE",
    "NOT_SCORED",
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
    "Scorer",
    "Scores",
    "ScreenBlocked",
    "ScreenError",
    "ScreenFailed",
    "TextRefused",
    "Verdict",
    "Where",
    "clean",
    "screened",
]
