"""What people write, read: a message, and what it says to us.

Knows when a message calls us, which command it is, and what it quotes. Leaves marked words to `words`, and everything
that is no message to `events`.

2026-12: in a topic every message claims to reply to the one that made the topic. If that was ours, nobody called us.
"""

from __future__ import annotations

from typing import Final

from telegram import Chat, Message, Update

from bot.channels.telegram.api import Me
from bot.channels.telegram.meanings import Commanded, Edited, File, Kind, Meaning, Migrated, Said, Sender
from bot.channels.telegram.origins import id_of, person_of, spot_of, whole
from bot.channels.telegram.parsing import Body
from bot.channels.telegram.words import Command, Words

# What a message may hold, in this order: an animation also comes as a document, a venue as a location.
KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    ("text", "text"),
    ("animation", "video"),
    ("document", "file"),
    ("voice", "voice"),
    ("audio", "voice"),
    ("photo", "photo"),
    ("video", "video"),
    ("video_note", "video"),
    ("live_photo", "photo"),
    ("sticker", "sticker"),
    ("location", "location"),
    ("contact", "contact"),
    ("poll", "poll"),
    *((name, "other") for name in ("checklist", "dice", "game", "paid_media", "rich_message", "story")),
)


def read_message(update: Update, raw: Body, me: Me) -> Meaning | None:
    """What a new message means."""
    message = update.message
    if message is None or not _in_a_chat(message):
        return None
    if message.migrate_to_chat_id:
        return Migrated(old=id_of(message.chat), new=whole(message.migrate_to_chat_id))
    if message.migrate_from_chat_id:
        return Migrated(old=whole(message.migrate_from_chat_id), new=id_of(message.chat))
    sender, kind = _sender(message), _kind(raw)
    if sender is None or kind is None:
        return None
    words = Words.of(raw)
    command = words.command()
    if command and command.elsewhere(me) and not _private(message):
        return None  # another bot's, also where it replies to us
    if command and kind == "text":
        return _commanded(message, raw, me, sender=sender, words=words, command=command)
    return _said(message, raw, me, sender=sender, kind=kind, words=words)


def _said(message: Message, raw: Body, me: Me, *, sender: Sender, kind: Kind, words: Words) -> Said | None:
    called = _called(message, raw, words, me)
    album = message.media_group_id or ""
    if not called and not album:  # which the message that calls us may be part of
        return None  # people among themselves
    quoted, author = _quoted(message, raw, me) if called else ("", "")
    return Said(
        spot=spot_of(message, me),
        message_id=message.message_id,
        sender=sender,
        text=_ours(words, me),
        called=called,
        kind=kind,
        file=_file(message) if kind == "file" else None,
        album=str(album),
        quoted=quoted,
        author=author,
    )


def _commanded(
    message: Message, raw: Body, me: Me, *, sender: Sender, words: Words, command: Command
) -> Commanded:
    quoted, author = _quoted(message, raw, me)
    return Commanded(
        spot=spot_of(message, me),
        message_id=message.message_id,
        sender=sender,
        name=command.name,
        argument=_argument(words, command, me),
        addressed=command.addressed(me),
        quoted=quoted,
        author=author,
    )


def read_edit(update: Update, raw: Body, me: Me) -> Meaning | None:
    """What a changed message means."""
    message = update.edited_message
    if message is None or not _in_a_chat(message) or _sender(message) is None:
        return None
    if _kind(raw) not in ("text", "file") and raw.get("caption") is None:
        return None  # a location that moves
    quoted, _ = _quoted(message, raw, me)
    return Edited(
        spot=spot_of(message, me),
        message_id=message.message_id,
        text=_ours(Words.of(raw), me),
        album=str(message.media_group_id or ""),
        quoted=quoted,
    )


def _argument(words: Words, command: Command, me: Me) -> str:
    """What stands behind a command. What a link gives to /start is no text: nothing in it is Markdown."""
    if command.name == "start":
        return words.after(command.entity)
    return words.markdown(without=[command.entity, *words.mentions(me)])


def _asked(words: Words) -> Command | None:
    """The /ask that a message is said with: a caption, or words that were changed, are no command besides."""
    command = words.command()
    return command if command and command.name == "ask" else None


def _ours(words: Words, me: Me) -> str:
    """What is said to us: without our name, and without /ask."""
    asked = _asked(words)
    return words.markdown(without=[*([asked.entity] if asked else []), *words.mentions(me)])


def _called(message: Message, raw: Body, words: Words, me: Me) -> bool:
    return bool(_private(message) or words.calls(me) or _is_ours(_replied(raw), me) or _asked(words))


def _replied(raw: Body) -> Body | None:
    """The message that it replies to."""
    to: Body | None = raw.get("reply_to_message")
    return None if to is None or "forum_topic_created" in to else to


def _is_ours(message: Body | None, me: Me) -> bool:
    return message is not None and (message.get("from") or {}).get("id") == me.id


def _quoted(message: Message, raw: Body, me: Me) -> tuple[str, str]:
    """The message of somebody else that it replies to, or the part of it that was chosen; and whose that was."""
    to, elsewhere = _replied(raw), raw.get("external_reply")
    if elsewhere is not None:
        author = _origin(elsewhere["origin"])
    elif to is None or _private(message) or _is_ours(to, me):
        return "", ""  # it has been said to us, or by us
    else:
        author = _name(to.get("sender_chat") or to.get("from") or {})
    words = Words.of(raw.get("quote") or to or {})
    said = words.markdown()
    return (said, author) if said else ("", "")


def _in_a_chat(message: Message) -> bool:
    """Whether people talk there with each other, or with us: not a channel, not somebody's business."""
    return message.chat.type in (Chat.PRIVATE, Chat.GROUP, Chat.SUPERGROUP) and not (
        message.business_connection_id
    )


def _sender(message: Message) -> Sender | None:
    """Who wrote it, if a person did: an admin may be anonymous, then it is the group that speaks. Answering bots, or
    posts of a channel, would never end."""
    if message.is_automatic_forward:
        return None
    group = message.sender_chat
    if group is not None and group.id == message.chat.id:
        return Sender(id=id_of(group), name=message.author_signature or group.title or "")
    return person_of(message.from_user)


def _kind(raw: Body) -> Kind | None:
    """What it holds; None: it tells of something, such as a new title."""
    return next((kind for name, kind in KINDS if raw.get(name) is not None), None)


def _file(message: Message) -> File | None:
    document = message.document
    if document is None:
        return None
    return File(
        id=document.file_id,
        name=document.file_name or "",
        mime=document.mime_type or "",
        size=document.file_size or 0,
    )


def _private(message: Message) -> bool:
    return bool(message.chat.type == Chat.PRIVATE)


def _name(speaker: Body) -> str:
    """What a person, or a chat, is called."""
    name = " ".join(filter(None, (speaker.get("first_name"), speaker.get("last_name"))))
    return name or str(speaker.get("title") or "")


def _origin(origin: Body) -> str:
    """Who wrote a message of another chat, by whatever Telegram tells of them."""
    speaker = origin.get("sender_user") or origin.get("chat") or origin.get("sender_chat") or {}
    return _name(speaker) or str(origin.get("sender_user_name") or "")
