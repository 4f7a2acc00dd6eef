"""What to do when Telegram gives us nothing: how long to wait, and what the operator is told, once.

Knows the failures of receiving. Leaves waiting to whoever asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bot.channels.telegram.api import TelegramFailure

log = structlog.get_logger(__name__)

FIRST, LONGEST = 1.0, 30.0  # seconds between two tries, doubled each time
RARELY = 60.0  # seconds, when only the operator can mend it

CONFLICT = (
    "another program receives this bot's messages: it polls with the same token, or has set a webhook. Stop it, or "
    "give Frontdesk a bot of its own (@BotFather, /newbot). Frontdesk goes on trying"
)
WRONG_TOKEN = (
    "Telegram does not know TELEGRAM_BOT_TOKEN, or not any more: take the bot's token from @BotFather (/mybots > API "  # noqa: S105
    "Token) and start Frontdesk again"
)


@dataclass(slots=True, kw_only=True)
class Backoff:
    """One for each thing that is tried again and again. `what` it is stands in the log."""

    what: str
    spread: Callable[[float, float], float] = field(default=random.uniform)
    _failures: int = 0
    _told: str = ""

    def after(self, failure: TelegramFailure) -> float:
        """It failed: the seconds to wait."""
        wait = max(self.again(), failure.retry_after)
        if wrong_token(failure):
            wait = RARELY
        self._tell(failure, wait)
        return wait

    def again(self) -> float:
        """It failed, and why is told elsewhere: the seconds to wait."""
        self._failures += 1
        doubled = min(FIRST * 2 ** min(self._failures - 1, 10), LONGEST)
        return self.spread(doubled / 2, doubled)

    def over(self) -> None:
        """It has succeeded."""
        if self._failures:
            log.info("Telegram answers again", to=self.what)
        self._failures, self._told = 0, ""

    def _tell(self, failure: TelegramFailure, wait: float) -> None:
        known = failure.code == self._told
        self._told = failure.code
        if wrong_token(failure) or failure.code == "conflict":
            if not known:
                told = WRONG_TOKEN if wrong_token(failure) else CONFLICT
                log.error(told, to=self.what, said=failure.description)
            return
        log.warning(
            "a call of Telegram's failed and is made again",
            to=self.what,
            cause=failure.code,
            said=failure.description,
            again_in=round(wait, 1),
        )


def wrong_token(failure: TelegramFailure) -> bool:
    """Whether the token is why. An address with a token of another form leads nowhere: 404."""
    return failure.code == "unauthorized" or (
        failure.code == "unknown_method" and failure.method in ("getMe", "getUpdates")
    )
