"""Who speaks, as the house knows people.

Knows what Telegram tells of somebody with everything they do. Leaves who is answered to `admission`.
"""

from __future__ import annotations

from bot.channels.telegram.meanings import Sender
from bot.channels.telegram.places import CHANNEL
from bot.messages import Person


def person_of(sender: Sender) -> Person:
    """The person. Whoever writes in a group's name is the group."""
    language = "zh" if sender.language.lower().startswith("zh") else "en"
    return Person(CHANNEL, str(sender.id), name=sender.name, language=language)
