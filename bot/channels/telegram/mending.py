"""Which failed calls a later try may mend.

Knows which of the codes in `failure` last. Leaves what is done about it to whoever called.
"""

from __future__ import annotations

from bot.channels.telegram.api import TelegramFailure

# Nobody can be reached there, or what it is about is no more: no later try changes that.
NEVER = frozenset(
    {
        "bad_request",
        "chat_not_found",
        "entities",
        "forbidden",
        "no_rights",
        "not_found",
        "not_modified",
        "query_too_old",
        "thread_not_found",
        "too_long",
        "unknown_method",
    }
)


def mendable(failure: TelegramFailure) -> bool:
    """Whether the same call may do later."""
    return failure.code not in NEVER
