"""What a failed call means for an answer: it can go there never, not now, or not in this way.

Knows our codes of failures. Leaves what is done about it to `writing`.
"""

from __future__ import annotations

from typing import Literal

from bot.channels.telegram.failure import TelegramFailure

Meaning = Literal["never", "later", "otherwise"]

# Nobody can be reached there, and no later try will change it.
NEVER = frozenset({"chat_not_found", "forbidden", "no_rights", "thread_not_found"})
# Ours, or Telegram's, for the time being; a token may be mended, too.
LATER = frozenset({"conflict", "connection", "flood", "timeout", "unauthorized", "unreadable"})
# The server does not have it, or not for us: asking again is no use.
NOT_OFFERED = frozenset({"bad_request", "unknown_method"})
# May be about the formatting, which Telegram refuses in more words than are known: the same may do as plain text.
NOT_FORMATTED = frozenset({"bad_request", "entities"})
NOT_RICH = frozenset({"bad_request", "entities", "too_long", "unknown_method"})


def meaning(failure: TelegramFailure) -> Meaning:
    """Whether an answer may get to its reader after this, and how."""
    if failure.code in NEVER:
        return "never"
    if failure.code in LATER or failure.code.startswith("http_"):
        return "later"
    return "otherwise"


def gone(failure: TelegramFailure) -> bool:
    """Whether we are blocked or removed, or the person is no more: any further message is one too many."""
    return failure.code == "forbidden"
