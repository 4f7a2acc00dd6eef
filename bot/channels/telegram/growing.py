"""One message of ours that carries a part of an answer, and may grow.

Knows which part, and what is surely shown. Leaves showing it to `writing`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.channels.telegram.content import Content


@dataclass(slots=True, kw_only=True)
class Growing:
    """A message that carries the answer from `start` on; up to `shown` it surely does.

    `key` is what the house knows it by. `said` is what it says now, None where we do not know. `grown`: how often.
    `unsure`: an edit's answer was lost, and it may still come, whatever was said since.
    """

    key: str
    message_id: int
    number: int
    start: int
    shown: int
    said: Content | None = None
    grown: int = 0
    unsure: bool = False
