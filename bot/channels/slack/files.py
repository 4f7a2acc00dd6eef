"""Files that come with a message, read as text; and files that we bring.

Knows how much of it we take, and that a token goes to Slack's own addresses only. What counts as text stands in
`bot.textfiles`; everything else becomes a sentence for the person.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import structlog

from bot.channels.slack.addresses import Addresses
from bot.channels.slack.api import Api, SlackFailure
from bot.channels.slack.events import file_of
from bot.channels.slack.meanings import File
from bot.messages import MAX_FILE_CHARS, Attachment
from bot.notices import notice
from bot.textfiles import MAX_BYTES, Unread, decoded, is_text

log = structlog.get_logger(__name__)

SECONDS = 20.0
LOOK_UP = "check_file_info"  # what Slack says of a file that it does not tell of
TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """One per channel."""

    api: Api
    session: aiohttp.ClientSession
    addresses: Addresses

    async def read(
        self, team: str, files: Sequence[File], *, language: str
    ) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """What the files of a message say, and a sentence for each that we could not take."""
        taken: list[Attachment] = []
        sentences: list[str] = []
        left = MAX_FILE_CHARS
        for told in files:
            file = await self._whole(team, told)
            try:
                text = await self._text(team, file, left)
            except Unread as unread:
                name = file.name or file.id
                sentences.append(notice(str(unread), language, file=name, limit=MAX_FILE_CHARS))
            else:
                left -= len(text)
                taken.append(Attachment(file.name, text))
        return tuple(taken), tuple(sentences)

    async def bring(self, team: str, channel: str, name: str, content: bytes, *, comment: str) -> None:
        """Put a file of ours into a channel, with a sentence. Raises SlackFailure."""
        place = await self.api.call(team, "files.getUploadURLExternal", filename=name, length=len(content))
        await self._upload(str(place["upload_url"]), content)
        await self.api.call(
            team,
            "files.completeUploadExternal",
            files=[{"id": place["file_id"], "title": name}],
            channel_id=channel,
            initial_comment=comment,
        )

    async def _text(self, team: str, file: File, left: int) -> str:
        """What a file says, in at most `left` characters. Raises Unread."""
        if file.access == LOOK_UP:
            raise Unread("file_unreachable")
        if not is_text(file.name, file.mime):
            raise Unread("file_no_text")
        if file.size > MAX_BYTES or not left:
            raise Unread("file_oversized")
        text = decoded(await self._fetched(team, file))
        if len(text) > left:
            raise Unread("file_oversized")
        return text

    async def _whole(self, team: str, file: File) -> File:
        """A file with all that there is to tell of it: of one from another workspace an event tells the id alone."""
        if file.access != LOOK_UP:
            return file
        try:
            return file_of(await self.api.call(team, "files.info", file=file.id))
        except SlackFailure as failure:
            log.warning("a file could not be looked up", code=failure.code)
            return file

    async def _fetched(self, team: str, file: File) -> bytes:
        """A file's bytes, from Slack's own addresses. Raises Unread."""
        if not self.addresses.own(file.url):
            log.warning("a file lies elsewhere than at Slack's", mode=file.mode)
            raise Unread("file_unreachable")
        for _ in range(TRIES):
            try:
                return await self._download(file, await self.api.token(team))
            except SlackFailure as failure:
                log.warning("a file could not be fetched", cause=failure.code)
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                log.warning("a file could not be fetched", cause=type(error).__name__)
        raise Unread("file_unreachable")

    async def _download(self, file: File, token: str) -> bytes:
        async with self.session.get(
            file.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            allow_redirects=False,  # the token goes nowhere else
        ) as response:
            if response.status >= 500:
                raise aiohttp.ClientError(f"status {response.status}")
            if response.status != 200 or (response.content_type == "text/html" and not _is_page(file)):
                log.warning(
                    "Slack does not give a file out: is the scope files:read granted?", status=response.status
                )
                raise Unread("file_unreachable")  # 200 with a page to log in, where the token does not do
            received = bytearray()
            async for chunk in response.content.iter_any():
                received += chunk
                if len(received) > MAX_BYTES:
                    raise Unread("file_oversized")
            return bytes(received)

    async def _upload(self, url: str, content: bytes) -> None:
        method = "files.upload"  # what the upload's own address is called in logs
        if not self.addresses.own(url):
            raise SlackFailure("foreign_address", method=method)
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with self.session.post(
                url, data=io.BytesIO(content), timeout=timeout, allow_redirects=False
            ) as response:
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise SlackFailure("connection", method=method) from None
        if status != 200:
            raise SlackFailure(f"http_{status}", method=method)


def _is_page(file: File) -> bool:
    return "html" in file.mime or file.kind == "html"
