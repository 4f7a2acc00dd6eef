"""Telegram's own draft: what a person sees of a message that is not there yet.

Knows when it must be shown again, and that there may be none. Leaves what it says, and when, to `writing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.channels.telegram.api import TelegramFailure
from bot.channels.telegram.content import Content
from bot.channels.telegram.posting import Talk
from bot.channels.telegram.trouble import NOT_OFFERED
from bot.channels.telegram.typing_action import Typing
from bot.channels.telegram.ways import Ways

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Preview:
    """One answer's. `content` is what it says, None where there is none."""

    talk: Talk
    ways: Ways
    typing: Typing
    clock: Callable[[], float]
    content: Content | None = None
    _at: float = 0.0  # when it was shown

    @property
    def lasts(self) -> float:
        """Seconds until what is there must be shown again."""
        return self._at + self.ways.timing.refresh - self.clock()

    async def show(self, content: Content) -> bool:
        """Have it say this; False where there are no drafts. Raises TelegramFailure."""
        if self.content == content and self.lasts > 0:
            return True
        at = self.clock()
        try:
            await self.talk.show_draft(content)
        except TelegramFailure as failure:
            if failure.code not in NOT_OFFERED:
                raise
            log.warning("no drafts here: answers grow by edits", code=failure.code, why=failure.description)
            self.ways.no_drafts()
            return False
        self.content, self._at = content, at
        self.typing.be_quiet()
        return True

    def end(self) -> None:
        """A message is there in its place."""
        self.content = None
