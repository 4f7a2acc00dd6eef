"""One request to a Bot API server and its answer, over python-telegram-bot's client.

Knows the token, and lets no foreign error out that could name it. Leaves when a call goes out, and whether it is
repeated, to `api`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from telegram import Bot
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import HTTPXRequest, RequestData

from bot.channels.telegram.failure import TelegramFailure, refused

CONNECT = 10.0  # seconds until a request is on its way
UPLOAD = 60.0  # seconds for a file that we send
AT_ONCE = 64  # requests; a slow one does not hold up other chats
TURN = 10.0  # seconds that a request waits for one of these

# What httpx calls it when a request has never left.
NEVER_LEFT = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}
)
CHUNK = 64 * 1024  # bytes of a file read at once


class _Refusal(TelegramError):
    """What came back was no success."""

    def __init__(self, status: int, said: Mapping[str, Any] | None) -> None:
        super().__init__(str(status))
        self.status = status
        self.said = said


class _Requests(HTTPXRequest):
    """Tells a refusal as it came: the library's own errors have lost the status, and quote what is not JSON."""

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kwargs: Any
    ) -> tuple[int, bytes]:
        status, payload = await super().do_request(url, method, request_data, *args, **kwargs)
        said = _object(payload)
        if not 200 <= status <= 299 or said is None or "result" not in said:
            raise _Refusal(status, said)
        return status, payload


class _Client(Bot):
    """The library's client, called by method names alone, whether or not it has a verb of its own for them."""

    @classmethod
    def _warn(cls, *_: object, **__: object) -> None:
        """It would advise to use the verbs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Open while `opened`'s block lasts."""

    client: Bot = field(repr=False)
    files: aiohttp.ClientSession = field(repr=False)
    file_url: str = field(repr=False)  # with the token, without the path

    async def exchange(self, method: str, arguments: Mapping[str, Any], *, within: float) -> Any:
        """One request and the result of its answer, which must come within so many seconds. Raises TelegramFailure."""
        try:
            return await self.client.do_api_request(
                method, api_kwargs=dict(arguments), read_timeout=within, connect_timeout=min(within, CONNECT)
            )
        except _Refusal as refusal:
            if refusal.status < 300:
                raise TelegramFailure("unreadable", method=method, lost=True) from None
            raise refused(method, refusal.status, refusal.said) from None
        except TelegramError as error:
            code = "timeout" if isinstance(error, TimedOut) else "connection"
            cause = type(error.__cause__ or error).__name__
            left = not isinstance(error, NetworkError) or cause not in NEVER_LEFT
            raise TelegramFailure(code, method=method, lost=left) from ConnectionError(cause)

    async def fetch(self, path: str, *, limit: int, within: float) -> bytes:
        """A file's bytes. One of more than `limit` is "too_long". Raises TelegramFailure."""
        method = "download"
        try:
            async with self.files.get(
                self.file_url + path, timeout=aiohttp.ClientTimeout(total=within), allow_redirects=False
            ) as response:
                if response.status != 200:
                    code = "not_found" if response.status == 404 else f"http_{response.status}"
                    raise TelegramFailure(code, method=method)
                content = bytearray()
                async for chunk in response.content.iter_chunked(CHUNK):
                    content += chunk
                    if len(content) > limit:
                        raise TelegramFailure("too_long", method=method)
                return bytes(content)
        except TimeoutError as error:
            raise TelegramFailure("timeout", method=method) from ConnectionError(type(error).__name__)
        except (aiohttp.ClientError, OSError) as error:
            raise TelegramFailure("connection", method=method) from ConnectionError(type(error).__name__)


@asynccontextmanager
async def opened(*, token: str, base_url: str, base_file_url: str) -> AsyncGenerator[Wire, None]:
    """The way to a Bot API server, for as long as the block lasts. Nothing is asked yet."""
    requests = _Requests(
        connection_pool_size=AT_ONCE,
        connect_timeout=CONNECT,
        pool_timeout=TURN,
        media_write_timeout=UPLOAD,
    )
    polls = _Requests(connection_pool_size=1, connect_timeout=CONNECT, pool_timeout=TURN)
    client = _Client(
        token,
        base_url=base_url,
        base_file_url=base_file_url,
        request=requests,
        get_updates_request=polls,
    )
    try:
        async with aiohttp.ClientSession(trust_env=True) as files:
            yield Wire(client=client, files=files, file_url=f"{base_file_url}{token}/")
    finally:
        await requests.shutdown()
        await polls.shutdown()


def _object(payload: bytes) -> Mapping[str, Any] | None:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
