"""What the bot does to its messages afterwards: new text, another keyboard, away with it; and answers to buttons.

Knows what Telegram refuses of that.
"""

from __future__ import annotations

from typing import Any

from tests.telegram_double.answers import Asked, Refused, method
from tests.telegram_double.entities import units
from tests.telegram_double.message import Message
from tests.telegram_double.sending import CAPTION, TEXT, keyboard, rich_source, words

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)
OLD_QUERY = "Bad Request: query is too old and response timeout expired or query ID is invalid"
QUERY_SECONDS = 15 * 60
ALERT = 200
DELETABLE_SECONDS = 48 * 3600


def own(asked: Asked) -> Message:
    """The message that is to be changed. Raises Refused."""
    message = asked.message(asked.open_chat(), "message to edit not found")
    if message.sender is not asked.world.me:
        raise Refused("Bad Request: message can't be edited")
    return message


@method("editMessageText")
def edit_text(asked: Asked) -> dict[str, Any]:
    message = own(asked)
    if message.media:
        raise Refused("Bad Request: there is no text in the message to edit")
    rich = asked.get("rich_message")
    if rich is not None:
        if asked.get("text"):
            raise asked.invalid("a message is rich or has a text, not both")
        return _change(asked, message, rich_source(asked), [], rich=rich)
    text, marks = words(asked, "text", TEXT)
    if not text:
        raise asked.invalid("message text is empty")
    return _change(asked, message, text, marks)


@method("editMessageCaption")
def edit_caption(asked: Asked) -> dict[str, Any]:
    message = own(asked)
    if not message.media:
        raise Refused("Bad Request: there is no caption in the message to edit")
    return _change(asked, message, *words(asked, "caption", CAPTION, marks="caption_entities"))


@method("editMessageReplyMarkup")
def edit_markup(asked: Asked) -> dict[str, Any]:
    message = own(asked)
    return _change(asked, message, message.text, message.entities, rich=message.rich)


def _change(
    asked: Asked,
    message: Message,
    text: str,
    marks: list[dict[str, Any]],
    *,
    rich: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An edit without a keyboard takes the keyboard away."""
    markup = keyboard(asked, edited=True)
    if message.markup is not None and "inline_keyboard" not in message.markup:
        raise Refused("Bad Request: message can't be edited")
    same = (text, marks, rich) == (message.text, message.entities, message.rich)
    if same and markup == message.markup:
        raise Refused(NOT_MODIFIED)
    if not same:
        message.change(text, marks)
        message.rich = rich
        message.edited = int(asked.world.clock())
    message.markup = markup
    return message.as_telegram()


@method("deleteMessage")
def delete_message(asked: Asked) -> bool:
    chat = asked.open_chat()
    message = asked.message(chat, "message to delete not found")
    allowed = message.sender is asked.world.me or chat.private or chat.status == "administrator"
    if not allowed or message.date + DELETABLE_SECONDS < asked.world.clock():
        raise Refused("Bad Request: message can't be deleted")
    del chat.messages[message.id]
    return True


@method("deleteMessages")
def delete_messages(asked: Asked) -> bool:
    chat = asked.open_chat()
    for number in asked.get("message_ids", []):
        chat.messages.pop(number, None)
    return True


@method("answerCallbackQuery")
def answer_query(asked: Asked) -> bool:
    query = asked.world.queries.get(asked.get("callback_query_id", ""))
    if query is None or query.at + QUERY_SECONDS < asked.world.clock():
        raise Refused(OLD_QUERY)
    if units(asked.get("text", "")) > ALERT:
        raise asked.invalid("MESSAGE_TOO_LONG")
    query.answers += 1
    query.text, query.alert = asked.get("text", ""), asked.get("show_alert", False)
    return True
