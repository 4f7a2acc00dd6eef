"""Slack's Web API for every workspace: calls within their budget, failures in one shape, nothing posted twice.

Knows tokens only for the length of a call, and which failures may be repeated. Leaves what is called to its users,
limits to `budget`, and where tokens are kept to `installation`.

    SlackFailure      a call that did not succeed: Slack's own code, or "timeout", "connection", "http_503" ...
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import structlog

from bot.channels.slack.budget import Budget

log = structlog.get_logger(__name__)

TIMEOUT = 20.0  # seconds for one request
CONNECT = 10.0  # of them, until it is on its way
AT_ONCE = 16  # requests of one workspace: the others do not wait for a slow one
TRIES = 4  # of a call whose failure is known not to have done anything
BACKOFF = 0.5  # seconds after the first such failure, doubled each time
PATIENCE = 150.0  # seconds that a call waits for its turn: two full windows and a little
READING_PATIENCE = 10.0  # the same while events are read: those of other workspaces wait behind
RETRY_AFTER = 5.0  # seconds, when Slack limits without saying for how long
LONGEST_RETRY_AFTER = 300.0  # seconds, whatever it says

# What must not be sent again unless it surely was not done: each would be seen twice, or fail the second time.
ONCE = frozenset(
    {
        "chat.appendStream",
        "chat.postEphemeral",
        "chat.postMessage",
        "chat.startStream",
        "chat.stopStream",
        "files.completeUploadExternal",
        "oauth.v2.access",
        "views.open",
    }
)
RATE_LIMITED = frozenset({"ratelimited", "rate_limited"})
PERHAPS_DONE = frozenset(
    {"fatal_error", "internal_error", "service_unavailable"}
)  # Slack says so of the first
NO_LONGER_LET_IN = frozenset(
    {"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}
)


class SlackFailure(Exception):
    """A call that did not succeed.

    `code` is Slack's error, or ours: "timeout", "connection", "http_503", "unreadable", "not_installed". `retry_after`
    is what Slack asked for in seconds, 0.0 if nothing. `lost`: no answer came, what was asked may have been done.
    `meta` is what Slack says beside the code (`needed` and `provided` scopes, `response_metadata`).
    """

    def __init__(
        self,
        code: str,
        *,
        method: str,
        retry_after: float = 0.0,
        lost: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{method}: {code}")
        self.code = code
        self.method = method
        self.retry_after = retry_after
        self.lost = lost
        self.meta = meta or {}

    @property
    def rate_limited(self) -> bool:
        """Whether it was one call too many."""
        return self.code in RATE_LIMITED


class Tokens(Protocol):
    """Where the workspaces' tokens come from."""

    async def token(self, team: str, enterprise: str = "") -> str | None:
        """The bot's token in a workspace, None where the app is not installed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """Who we are in a workspace."""

    user_id: str
    bot_id: str
    team_id: str
    team_name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back: the status, the headers, and the JSON if it was any."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None

    @property
    def retry_after(self) -> float:
        try:
            seconds = float(self.headers.get("Retry-After", ""))
        except ValueError:
            return 0.0
        return min(max(0.0, seconds), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One per channel. `url` ends in a slash; `clock` counts seconds and only ever forward."""

    session: aiohttp.ClientSession = field(repr=False)
    tokens: Tokens = field(repr=False)
    url: str = "https://slack.com/api/"
    budget: Budget = field(default_factory=Budget)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    timeout: float = TIMEOUT
    backoff: float = BACKOFF
    connect: float = CONNECT
    _bots: dict[str, Bot] = field(default_factory=dict)
    _slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def call(
        self,
        team: str,
        method: str,
        *,
        channel: str = "",
        urgent: bool = False,
        patience: float = PATIENCE,
        **arguments: Any,
    ) -> Mapping[str, Any]:
        """Call a method in a workspace once its budget lets it; returns Slack's answer.

        `channel` is sent along. Arguments that are None are left out. A call that would have to wait for longer than
        `patience` is not made: it fails as "ratelimited". Raises SlackFailure.
        """
        given = {"channel": channel, **arguments} if channel else arguments
        reply = await self._call(team, method, channel or _channel(arguments), given, urgent, patience)
        return reply.body or {}

    async def token(self, team: str) -> str:
        """The bot's token in a workspace. Raises SlackFailure where the app is not installed."""
        return await self._token(team, "token")

    async def bot(self, team: str) -> Bot:
        """Who we are in a workspace, asked once. Raises SlackFailure."""
        if team not in self._bots:
            reply = await self._call(team, "auth.test", "", {}, urgent=True, patience=PATIENCE)
            said = reply.body or {}
            self._bots[team] = Bot(
                user_id=str(said.get("user_id", "")),
                bot_id=str(said.get("bot_id", "")),
                team_id=str(said.get("team_id", team)),
                team_name=str(said.get("team", "")),
                scopes=frozenset(filter(None, reply.headers.get("x-oauth-scopes", "").split(","))),
            )
        return self._bots[team]

    async def _token(self, team: str, method: str) -> str:
        token = await self.tokens.token(team)
        if not token:
            raise SlackFailure("not_installed", method=method)
        return token

    async def _call(
        self,
        team: str,
        method: str,
        channel: str,
        arguments: Mapping[str, Any],
        urgent: bool,
        patience: float,
    ) -> _Reply:
        deadline = self.clock() + patience
        for attempt in range(TRIES):
            await self._turn(team, method, channel, urgent=urgent, deadline=deadline)
            try:
                return await self._send(team, method, arguments, deadline)
            except SlackFailure as failure:
                if failure.rate_limited:
                    self._pause(team, method, channel, failure.retry_after)
                if failure.code in NO_LONGER_LET_IN:
                    self._bots.pop(team, None)
                if attempt + 1 == TRIES or not _repeatable(failure):
                    raise
                log.info("a call of Slack's is made again", method=method, code=failure.code, team=team)
                if not failure.rate_limited:
                    await self.sleep(self.backoff * 2**attempt)
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    async def _turn(self, team: str, method: str, channel: str, *, urgent: bool, deadline: float) -> None:
        """Wait until the budget has room, and take it. Calls in other channels pass us meanwhile."""
        while wait := self.budget.wait(now := self.clock(), team, method, channel, urgent=urgent):
            if now + wait > deadline:
                raise SlackFailure("ratelimited", method=method, retry_after=wait)
            await self.sleep(wait)
        self.budget.take(now, team, method, channel)

    def _pause(self, team: str, method: str, channel: str, seconds: float) -> None:
        wait = seconds or RETRY_AFTER
        log.warning("Slack asks to slow down", team=team, method=method, channel=channel, seconds=wait)
        self.budget.pause(self.clock(), team, method, channel, seconds=wait)

    async def _send(self, team: str, method: str, arguments: Mapping[str, Any], deadline: float) -> _Reply:
        token = await self._token(team, method)
        form = {name: _encoded(value) for name, value in arguments.items() if value is not None}
        async with self._slot(team, method, deadline):
            reply = await self._exchange(method, token, form)
        failure = _failure(method, reply)
        if failure:
            raise failure
        return reply

    @asynccontextmanager
    async def _slot(self, team: str, method: str, deadline: float) -> AsyncGenerator[None]:
        """One of the workspace's few requests at once."""
        slots = self._slots.setdefault(team, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(max(0.0, deadline - self.clock())):
                await slots.acquire()
        except TimeoutError:
            raise SlackFailure("ratelimited", method=method, retry_after=RETRY_AFTER) from None
        try:
            yield
        finally:
            slots.release()

    async def _exchange(self, method: str, token: str, form: Mapping[str, str]) -> _Reply:
        """One request and its answer. Foreign errors end here: none of them may name a token."""
        once = method in ONCE
        try:
            async with self.session.post(
                self.url + method,
                data=form,
                headers={"Authorization": f"Bearer {token}"},
                timeout=aiohttp.ClientTimeout(
                    total=self.timeout, connect=self.connect, sock_connect=self.connect
                ),
                allow_redirects=False,
            ) as response:
                return _Reply(response.status, response.headers, _object(await response.read()))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # it never left
            raise SlackFailure("connection", method=method) from _told(error)
        except TimeoutError as error:
            raise SlackFailure("timeout", method=method, lost=once) from _told(error)
        except (aiohttp.ClientError, OSError) as error:
            raise SlackFailure("connection", method=method, lost=once) from _told(error)


@asynccontextmanager
async def open_api(*, tokens: Tokens, url: str, backoff: float = BACKOFF) -> AsyncGenerator[Api, None]:
    """The Web API at `url`, for as long as the block lasts."""
    connector = aiohttp.TCPConnector(limit=0)  # each workspace has a limit of its own
    async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
        yield Api(
            session=session, tokens=tokens, url=url if url.endswith("/") else url + "/", backoff=backoff
        )


def _repeatable(failure: SlackFailure) -> bool:
    """Whether the same call may be made again: it was not done, or doing it twice is doing it once."""
    passing = failure.code in {"connection", "timeout"} or failure.code.startswith("http_5")
    return failure.rate_limited or (not failure.lost and (passing or failure.code in PERHAPS_DONE))


def _failure(method: str, reply: _Reply) -> SlackFailure | None:
    once = method in ONCE
    if reply.status == 429:
        return SlackFailure("ratelimited", method=method, retry_after=reply.retry_after)
    if reply.status >= 500:
        return SlackFailure(f"http_{reply.status}", method=method, lost=once)
    if reply.body is None:
        code = "unreadable" if reply.status == 200 else f"http_{reply.status}"
        return SlackFailure(code, method=method, lost=once and reply.status == 200)
    if reply.body.get("ok") is True:
        return None
    code = str(reply.body.get("error") or f"http_{reply.status}")
    return SlackFailure(
        code,
        method=method,
        retry_after=reply.retry_after,
        lost=once and code in PERHAPS_DONE,
        meta={name: value for name, value in reply.body.items() if name not in {"ok", "error"}},
    )


def _channel(arguments: Mapping[str, Any]) -> str:
    """The channel that a call is about, for methods that call it otherwise."""
    return str(arguments.get("channel_id") or "")


def _encoded(value: object) -> str:
    """An argument as a form's field: every method takes a form, not every one JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _told(error: Exception) -> Exception:
    """What went wrong below, by its kind: the message could quote the request."""
    return ConnectionError(type(error).__name__)
