"""Files that come with a message, read as text.

Knows how much of it we take. What counts as text stands in `bot.textfiles`; everything else becomes a sentence for the
person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.meanings import File
from bot.channels.telegram.voice import plain
from bot.messages import MAX_FILE_CHARS, Attachment
from bot.notices import notice
from bot.textfiles import MAX_BYTES, Unread, decoded, is_text

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """One per channel."""

    api: Api

    async def read(
        self, files: Sequence[File], *, language: str
    ) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """What the files of a message say, and a sentence for each that we could not take."""
        taken: list[Attachment] = []
        sentences: list[str] = []
        left = MAX_FILE_CHARS
        for file in files:
            try:
                text = await self._text(file, left)
            except Unread as unread:
                name = plain(file.name) or notice("telegram_a_file", language)
                sentences.append(notice(str(unread), language, file=name, limit=MAX_FILE_CHARS))
            else:
                left -= len(text)
                taken.append(Attachment(file.name, text))
        return tuple(taken), tuple(sentences)

    async def _text(self, file: File, left: int) -> str:
        """What a file says, in at most `left` characters. Raises Unread."""
        if not is_text(file.name, file.mime):
            raise Unread("file_no_text")
        if file.size > MAX_BYTES or not left:
            raise Unread("file_oversized")
        text = decoded(await self._fetched(file))
        if len(text) > left:
            raise Unread("file_oversized")
        return text

    async def _fetched(self, file: File) -> bytes:
        """A file's bytes. Raises Unread."""
        try:
            return await self.api.download(file.id, limit=MAX_BYTES)
        except TelegramFailure as failure:
            if failure.code == "too_long":  # larger than it said
                raise Unread("file_oversized") from None
            log.warning("a file could not be fetched", code=failure.code, method=failure.method)
            raise Unread("file_unreachable") from None
