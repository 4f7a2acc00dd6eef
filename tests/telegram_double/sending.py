"""What the bot writes: messages and documents, with entities, keyboards and replies.

Knows what Telegram refuses of them. Leaves changing them to `changing`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.telegram_double import entities
from tests.telegram_double.answers import Asked, Refused, method
from tests.telegram_double.entities import units
from tests.telegram_double.message import Message
from tests.telegram_double.state import GONE, Chat, User, World

TEXT = 4096
CAPTION = 1024
RICH = 32_768
MARKS = 100
DATA = 64
ACTIONS = frozenset(
    {
        *("url", "callback_data", "web_app", "login_url", "switch_inline_query", "pay", "copy_text"),
        *("switch_inline_query_current_chat", "switch_inline_query_chosen_chat", "callback_game"),
    }
)
DOCUMENT_BYTES = 50 * 1024 * 1024


def post(world: World, chat: Chat, sender: User | None, **fields: Any) -> Message:
    """A message is in the chat. Our own end the drafts of the chat."""
    message = Message(chat=chat, id=next(chat.numbers), sender=sender, date=int(world.clock()), **fields)
    message.edits.append(message.text)
    chat.messages[message.id] = message
    if sender is world.me:
        for draft in world.drafts:
            if draft.chat is chat and draft.topic == message.topic:
                draft.at = GONE
    return message


def words(
    asked: Asked, name: str, limit: int, *, marks: str = "entities"
) -> tuple[str, list[dict[str, Any]]]:
    """The text of a call and its entities, as they will be shown. Raises Refused."""
    text, given = asked.get(name, ""), asked.get(marks, [])
    if asked.get("parse_mode"):
        raise asked.invalid("the double reads no parse_mode; send entities")
    if problem := entities.wrong(text, given):
        raise asked.invalid(problem)
    text, given = entities.trimmed(text, given[:MARKS])  # Telegram leaves out the rest
    if units(text) > limit:
        what = {"text": "message is", "caption": "message caption is"}[name]
        raise asked.invalid(f"{what} too long")
    return text, given


def keyboard(asked: Asked, *, edited: bool = False) -> dict[str, Any] | None:
    """The markup of a call. Raises Refused."""
    markup: dict[str, Any] | None = asked.get("reply_markup")
    if markup is None:
        return None
    if edited and "inline_keyboard" not in markup:
        raise asked.invalid("inline keyboard expected")
    for row in markup.get("inline_keyboard", []):
        for button in row:
            if problem := _wrong_button(button):
                raise asked.invalid(problem)
    for row in markup.get("keyboard", []):
        if not all(button if isinstance(button, str) else button.get("text") for button in row):
            raise asked.invalid("text buttons must not be empty")
    return None if markup.get("inline_keyboard") == [] else markup


def _wrong_button(button: Mapping[str, Any]) -> str:
    if not button.get("text"):
        return "text of a button must be non-empty"
    acts = ACTIONS & set(button)
    if len(acts) != 1:
        return f"a button must do exactly one thing, not {sorted(acts) or 'nothing'}"
    if "callback_data" in button and not 1 <= len(str(button["callback_data"]).encode()) <= DATA:
        return "BUTTON_DATA_INVALID"
    return ""


def answered(asked: Asked, chat: Chat) -> Message | None:
    """The message that is replied to. Raises Refused."""
    given = asked.get("reply_parameters")
    if given is None:
        return None
    message = chat.messages.get(given["message_id"])
    if message is None and not given.get("allow_sending_without_reply"):
        raise Refused("Bad Request: message to be replied not found")
    return message


def place(asked: Asked) -> tuple[Chat, dict[str, Any]]:
    """Where a call writes to, and the fields of the message that say so. Raises Refused."""
    chat = asked.open_chat()
    topic, replied = asked.topic(chat), answered(asked, chat)
    if replied is not None and not topic:
        topic = replied.topic
    thread = 0 if replied is None or topic or chat.kind != "supergroup" else replied.thread or replied.id
    fields = {"topic": topic, "thread": thread, "reply_to": replied.id if replied else 0, "replied": replied}
    names = ("disable_notification", "protect_content", "link_preview_options", "message_effect_id")
    return chat, fields | {
        "options": {name: asked.get(name) for name in names if asked.get(name) is not None}
    }


@method("sendMessage")
def send_message(asked: Asked) -> dict[str, Any]:
    chat, fields = place(asked)
    text, marks = words(asked, "text", TEXT)
    if not text:
        raise asked.invalid("message text is empty")
    markup = keyboard(asked)
    return post(
        asked.world, chat, asked.world.me, text=text, entities=marks, markup=markup, **fields
    ).as_telegram()


def rich_source(asked: Asked, *, empty: bool = False) -> str:
    """What a rich message is made of, as its source. Raises Refused."""
    rich = asked.get("rich_message", {})
    sources = [rich[name] for name in ("markdown", "html", "blocks") if rich.get(name) is not None]
    if len(sources) != 1:
        raise asked.invalid("rich message must have exactly one of html, markdown and blocks")
    source = sources[0] if isinstance(sources[0], str) else json.dumps(sources[0], ensure_ascii=False)
    if not source.strip() and not empty:
        raise asked.invalid("message text is empty")
    if units(source) > RICH:
        raise asked.invalid("message is too long")
    return source


@method("sendRichMessage")
def send_rich(asked: Asked) -> dict[str, Any]:
    chat, fields = place(asked)
    text, rich = rich_source(asked), asked.get("rich_message")
    return post(
        asked.world, chat, asked.world.me, text=text, rich=rich, markup=keyboard(asked), **fields
    ).as_telegram()


@method("sendDocument")
def send_document(asked: Asked) -> dict[str, Any]:
    chat, fields = place(asked)
    text, marks = words(asked, "caption", CAPTION, marks="caption_entities")
    part = str(asked.get("document", "")).removeprefix("attach://")
    if part not in asked.files:
        raise asked.invalid("the double takes documents as multipart only")
    name, content = asked.files[part]
    if not content:
        raise Refused("Bad Request: file must be non-empty")
    if len(content) > DOCUMENT_BYTES:
        raise Refused("Request Entity Too Large", status=413)
    file = asked.world.keep_file(content, f"documents/file_{len(asked.world.files)}")
    told = {"file_id": file.id, "file_unique_id": file.unique_id, "file_name": name, "file_size": file.size}
    return post(
        asked.world,
        chat,
        asked.world.me,
        text=text,
        entities=marks,
        markup=keyboard(asked),
        media={"document": told},
        content=content,
        **fields,
    ).as_telegram()
