"""What is seen for a moment only: drafts of an answer, and that the bot is typing.

Knows when they are gone again. Leaves the update of a stopped draft to `people`.
"""

from __future__ import annotations

from typing import Any

from tests.telegram_double.answers import Asked, Refused, method
from tests.telegram_double.sending import TEXT, rich_source, words
from tests.telegram_double.state import GONE, Chat, Draft, World

DRAFT_SECONDS = 30.0
ACTIONS = frozenset(
    {
        *("typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice"),
        *("upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note"),
    }
)


def alive(world: World, chat: Chat, draft_id: int | None = None) -> list[Draft]:
    """The drafts of a chat that are still to be seen."""
    return [
        draft
        for draft in world.drafts
        if draft.chat is chat and draft_id in (None, draft.id) and draft.at + DRAFT_SECONDS > world.clock()
    ]


@method("sendMessageDraft")
def send_draft(asked: Asked) -> bool:
    chat = _drafting(asked)
    text, marks = words(asked, "text", TEXT)
    return _grow(asked, chat, text, entities=marks)


@method("sendRichMessageDraft")
def send_rich_draft(asked: Asked) -> bool:
    chat = _drafting(asked)
    return _grow(asked, chat, rich_source(asked, empty=True), rich=asked.get("rich_message"))


def _drafting(asked: Asked) -> Chat:
    """The chat that a draft is for. Raises Refused."""
    chat = asked.open_chat()
    if not chat.private:
        raise asked.invalid("drafts can be sent to private chats only")
    if not asked.get("draft_id", 0):
        raise asked.invalid("draft_id must not be 0")
    return chat


def _grow(asked: Asked, chat: Chat, text: str, **shown: Any) -> bool:
    """A chat shows one draft in each topic: another number takes its place."""
    topic, number = asked.topic(chat), asked.get("draft_id")
    here = [draft for draft in alive(asked.world, chat) if draft.topic == topic]
    growing = [draft for draft in here if draft.id == number]
    for draft in here:
        draft.at = draft.at if draft.id == number else GONE
    if not growing:
        growing = [Draft(chat=chat, id=number, topic=topic, texts=[], at=0.0)]
        asked.world.drafts += growing
    draft = growing[0]
    draft.texts.append(text)
    draft.at, draft.can_stop = asked.world.clock(), asked.get("can_stop", False)
    draft.keeps, draft.shown = asked.get("keep_on_stop", False), shown
    return True


@method("sendChatAction")
def send_action(asked: Asked) -> bool:
    chat = asked.open_chat()
    if asked.get("action") not in ACTIONS:
        raise Refused("Bad Request: wrong parameter action in request")
    asked.world.actions.append((chat.id, asked.topic(chat), asked.get("action")))
    return True
