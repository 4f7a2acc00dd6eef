"""Which failed calls a later try may mend, of all that are no part of an answer.

Knows no more than that. Leaves what is done about it to whoever called.
"""

from __future__ import annotations

from bot.channels.telegram.api import TelegramFailure
from bot.channels.telegram.trouble import meaning


def mendable(failure: TelegramFailure) -> bool:
    """Whether the same call may do later."""
    return meaning(failure) == "later"
