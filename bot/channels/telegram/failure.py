"""A call of Telegram's that did not succeed, in one shape: what it was is read from the status and Telegram's words.

Knows those words. Leaves what a failure means for an answer to `trouble`.

    TelegramFailure
        flood                       one call too many (429)
        forbidden                   blocked, removed, or the person is gone (403)
        unauthorized                the token is not good (401)
        conflict                    somebody else polls, or a webhook is set (409)
        migrated                    the group has become a supergroup, with the id `moved_to`
        not_modified                it says so already
        entities                    the formatting is not understood
        too_long                    more than a message holds
        not_found                   no such message to change, delete, answer
        chat_not_found              no such chat
        thread_not_found            the topic is deleted or closed
        no_rights                   we may not write there
        query_too_old               a button was pressed too long ago
        unknown_method              this server does not know it (404)
        timeout, connection, unreadable, http_502 ...
        bad_request                 everything else
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

LONGEST_RETRY_AFTER = 3600.0  # seconds, whatever Telegram says

BY_STATUS = {401: "unauthorized", 403: "forbidden", 404: "unknown_method", 409: "conflict", 429: "flood"}

# Parts of Telegram's words, in small letters; the first that is found decides.
BY_WORDS = (
    ("message is not modified", "not_modified"),
    ("message_not_modified", "not_modified"),
    ("can't parse", "entities"),
    ("entit", "entities"),
    ("too long", "too_long"),
    ("too_long", "too_long"),
    ("message thread not found", "thread_not_found"),
    ("topic_deleted", "thread_not_found"),
    ("topic_closed", "thread_not_found"),
    ("topic_id_invalid", "thread_not_found"),
    ("chat not found", "chat_not_found"),
    ("peer_id_invalid", "chat_not_found"),
    ("query is too old", "query_too_old"),
    ("query_id_invalid", "query_too_old"),
    ("message_id_invalid", "not_found"),
    ("not enough rights", "no_rights"),
    ("no rights", "no_rights"),
    ("write_forbidden", "no_rights"),
    ("send_plain_forbidden", "no_rights"),
    ("chat_restricted", "no_rights"),
)


class TelegramFailure(Exception):
    """A call that did not succeed.

    `retry_after`: seconds to wait, 0.0 where that is not what was wrong. `lost`: no answer came, what was asked may
    have been done. `description` is Telegram's own, for operators. `moved_to` is the chat's new id, if it has one.
    """

    def __init__(
        self,
        code: str,
        *,
        method: str,
        retry_after: float = 0.0,
        lost: bool = False,
        description: str = "",
        moved_to: int = 0,
    ) -> None:
        super().__init__(f"{method}: {code}")
        self.code = code
        self.method = method
        self.retry_after = retry_after
        self.lost = lost
        self.description = description
        self.moved_to = moved_to

    @property
    def rate_limited(self) -> bool:
        """Whether it was one call too many."""
        return self.code == "flood"


def refused(method: str, status: int, said: Mapping[str, Any] | None) -> TelegramFailure:
    """What Telegram's refusal is: the status, and the JSON that came with it, None if it was none."""
    if status >= 500 or said is None:
        return TelegramFailure(BY_STATUS.get(status, f"http_{status}"), method=method, lost=status >= 500)
    description = str(said.get("description") or "")
    parameters = said.get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    moved_to = _whole(parameters.get("migrate_to_chat_id"))
    return TelegramFailure(
        "migrated" if moved_to else _code(status, description.lower()),
        method=method,
        retry_after=_seconds(parameters.get("retry_after")),
        description=description,
        moved_to=moved_to,
    )


def _code(status: int, words: str) -> str:
    if status in BY_STATUS:
        return BY_STATUS[status]
    if "message to " in words and "not found" in words:  # be edited, deleted, replied
        return "not_found"
    return next((code for part, code in BY_WORDS if part in words), "bad_request")


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(0.0, float(value)), LONGEST_RETRY_AFTER)
