"""What people press: the buttons below a message, reactions, the stop button of a draft.

Only what is really there can be pressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.telegram_double.drafts import alive
from tests.telegram_double.happening import Happening
from tests.telegram_double.message import Message
from tests.telegram_double.state import GONE, Chat, Query, User
from tests.telegram_double.updates import Update


@dataclass(kw_only=True)
class Pressing(Happening):
    """People's fingers."""

    async def press(self, user: User, message: Message, data: str, *, stale: bool = False) -> Query:
        """Press the button of a message that carries `data`. stale: it is not there any more, but this person's
        screen still showed it."""
        there = [button.get("callback_data") for button in message.buttons]
        assert stale or data in there, f"there is no {data!r} to press, only {there}"
        query = Query(
            id=self.world.next_query(), user=user, message=message, data=data, at=self.world.clock()
        )
        self.world.queries[query.id] = query
        told = {"id": query.id, "from": user.as_telegram(), "chat_instance": str(7_000_000 + message.chat.id)}
        shown: dict[str, Any] = message.as_telegram()
        if message.id not in message.chat.messages:  # Telegram calls it inaccessible
            shown = {"message_id": message.id, "chat": message.chat.as_telegram(), "date": 0}
        self.updates.add("callback_query", told | {"message": shown, "data": data})
        return query

    async def react(self, user: User, message: Message, *emoji: str) -> Update | None:
        """From now on these are the person's reactions to a message; none: all are taken away."""
        before = message.reactions.get(user.id, [])
        message.reactions[user.id] = list(emoji)
        chat = message.chat
        if not chat.here or not (chat.private or chat.status == "administrator"):
            return None
        told = {
            "chat": chat.as_telegram(),
            "message_id": message.id,
            "user": user.as_telegram(),
            "date": int(self.world.clock()),
            "old_reaction": [{"type": "emoji", "emoji": one} for one in before],
            "new_reaction": [{"type": "emoji", "emoji": one} for one in emoji],
        }
        return self.updates.add("message_reaction", told)

    async def stop_draft(self, user: User, chat: Chat, draft_id: int | None = None) -> Update:
        """Press stop below a draft that is to be seen and can be stopped; the last one if none is named."""
        drafts = [draft for draft in alive(self.world, chat, draft_id) if draft.can_stop]
        assert drafts, f"no draft {draft_id or ''} to stop"
        assert user.id == chat.id, "only the person of the chat sees its drafts"
        draft = drafts[-1]
        draft.can_stop = False
        if not draft.keeps:
            draft.at = GONE
        told: dict[str, Any] = {"chat": chat.as_telegram(), "draft_id": draft.id}
        return self.updates.add(
            "stopped_message_generation", told | ({"message_thread_id": draft.topic} if draft.topic else {})
        )
