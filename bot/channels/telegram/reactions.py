"""What people put beside our messages: a thumb without a button.

Knows which of Telegram's emoji are praise, and which are not. One that is taken away again leaves what was said by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.channels.base import Desk
from bot.channels.telegram.admission import Admission
from bot.channels.telegram.meanings import Reacted
from bot.channels.telegram.people import person_of
from bot.channels.telegram.places import CHANNEL, message_key

PRAISE: Final = frozenset("👍❤🔥🥰👏🎉🤩🙏👌😍💯⚡🏆🍾🤝🤗🫡🆒💘🦄😘😎") | {"❤\u200d🔥"}
BLAME: Final = frozenset("👎🤬🤮💩🤡🥱💔🤨😐🖕😡")
VARIATION = "\ufe0f"  # which some apps put behind an emoji


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions:
    """One per channel."""

    desk: Desk
    admission: Admission

    async def reacted(self, reacted: Reacted) -> None:
        """Somebody reacted to a message, perhaps one of ours. Raises Unavailable when the house is away."""
        value = _value(reacted.emoji - reacted.before)
        if not value or self.admission.bar(reacted.spot, reacted.sender):
            return
        key = message_key(reacted.spot.bot, reacted.spot.chat, reacted.message_id)
        if found := await self.desk.answer_at(CHANNEL, key):
            place, answer = found
            await self.desk.rate(place, person_of(reacted.sender), message_id=answer, value=value)


def _value(emoji: frozenset[str]) -> int:
    """1, -1, or 0 where they say neither, or both."""
    said = {each.replace(VARIATION, "") for each in emoji}
    return bool(said & PRAISE) - bool(said & BLAME)
