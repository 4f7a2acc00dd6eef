"""What the gateway's tests share: a house over a real socket, with a queue that says what the test tells it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bot.gateway import Access, Gateway
from bot.health import Health
from bot.metrics import Metrics
from bot.models import Models, Served
from bot.settings import Settings
from bot.store import Judged, Key, StoreUnavailable
from inference.chat import Chat
from inference.random_model import make
from moderation import Moderator
from worker.client import Health as QueueHealth
from worker.client import WorkerInfo
from worker.jobs import AnswerJob, Ended, Piece

OPERATOR = "operator-key-of-the-tests"


@dataclass
class Script:
    """A queue as the gateway sees it: it tells `texts`, then ends with `reason`, or raises `fails` where it stands."""

    texts: Sequence[str] = ("Hello", " there.", " How are you?")
    reason: str = "stop"
    refuses: Exception | None = None  # before anything is queued
    fails: Exception | None = None  # after the texts
    held: asyncio.Event | None = None  # nothing more comes after the texts until this is set
    redis: bool = True
    workers: tuple[WorkerInfo, ...] = ()
    reply_to: str = "replies"
    jobs: list[AnswerJob] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    cancelling: asyncio.Event = field(default_factory=asyncio.Event)
    looks: int = 0

    @asynccontextmanager
    async def answer(self, job: AnswerJob) -> AsyncIterator[AsyncGenerator[Piece | Ended, None]]:
        if self.refuses:
            raise self.refuses
        self.jobs.append(job)
        self.asked.set()
        async with aclosing(self._events(job)) as events:
            yield events

    async def _events(self, job: AnswerJob) -> AsyncGenerator[Piece | Ended, None]:
        for index, text in enumerate(self.texts):
            yield Piece(job.id, job.attempt, index, (index,), text)
        if self.held:
            await self.held.wait()
        if self.fails:
            raise self.fails
        yield Ended(job.id, job.attempt, self.reason, len(job.prompt), len(self.texts), 12)  # type: ignore[arg-type]

    async def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)
        self.cancelling.set()

    async def health(self) -> QueueHealth:
        self.looks += 1
        return QueueHealth(redis=self.redis, workers=self.workers)


@dataclass
class Shelf:
    """The store's part that the gateway uses."""

    stored: dict[str, Key] = field(default_factory=dict)
    usage: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[tuple[str, str, Judged]] = field(default_factory=list)  # channel, caller, what was found
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    writing: asyncio.Event | None = None  # a row takes until this is set
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    lookups: int = 0
    away: bool = False

    async def key(self, token: str) -> Key | None:
        self._there()
        self.lookups += 1
        return self.stored.get(token)

    async def add_usage(self, **row: Any) -> None:
        self._there()
        self.begun.set()
        if self.writing:
            await self.writing.wait()
        self.usage.append(row)
        self.kept.set()

    async def add_verdicts(self, judged: Sequence[Judged], *, channel: str, caller: str) -> None:
        self._there()
        self.verdicts += [(channel, caller, one) for one in judged]

    async def ping(self) -> None:
        self._there()

    def add(self, token: str, **changes: Any) -> Key:
        values = {"id": len(self.stored) + 1, "name": "test", "screen": "hold", "scopes": ("v1",)}
        values |= {"created": time.time(), "last_used": None, "revoked": None, **changes}
        self.stored[token] = Key(**values)
        return self.stored[token]

    def _there(self) -> None:
        if self.away:
            raise StoreUnavailable("the disk is full")


@dataclass
class House:
    """A running server and what stands behind it."""

    url: str
    queue: Script
    store: Shelf
    metrics: Metrics
    session: aiohttp.ClientSession
    close: Callable[[], Awaitable[None]]  # once every request has ended

    def client(self, key: str = OPERATOR) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    async def post(
        self, path: str = "/v1/chat/completions", key: str = OPERATOR, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with self.session.post(self.url + path, headers=headers, **options) as response:
            return response.status, await response.json()


@pytest.fixture(scope="session")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Chat:
    return Chat.load(make(tmp_path_factory.mktemp("model"), shape="tiny", seed=0))


@pytest.fixture
async def opened(chat: Chat) -> AsyncIterator[Callable[..., Any]]:
    """Opens a house with the operator keys a test wants; closed with the test."""
    async with AsyncExitStack() as stack:

        async def open_house(
            *,
            api_keys: tuple[str, ...] = (OPERATOR,),
            moderator: Moderator | None = None,
            store: Any = None,
            queue: Any = None,
            keeps_texts: bool = True,
            **settings: Any,
        ) -> House:
            queue, store, metrics = queue or Script(), store or Shelf(), Metrics()
            known: Any = {"queue": queue, "store": store, "metrics": metrics}
            access = Access(
                settings=Settings(api_keys=api_keys, _env_file=None, **settings),  # type: ignore[arg-type, call-arg]
                store=known["store"],
            )
            moderator = moderator or Moderator.from_policy()
            gateway = Gateway(
                **known,
                moderator=moderator,
                models=Models(Served("tiny", chat), loaded=lambda: ("tiny",)),
                access=access,
                created=1,
                keeps_texts=keeps_texts,
            )
            application = web.Application()
            health = Health(**known, access=access, moderator=moderator)
            application.add_routes([*health.routes(), *gateway.routes()])
            runner = web.AppRunner(application, handler_cancellation=True, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            session = await stack.enter_async_context(aiohttp.ClientSession())
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            return House(url, queue, store, metrics, session, runner.cleanup)

        yield open_house


@pytest.fixture
async def house(opened: Callable[..., Any]) -> House:
    made: House = await opened()
    return made


@pytest.fixture
def sent_with() -> Callable[[str], web.Request]:
    """A request with a key, from somewhere."""

    def request(token: str) -> web.Request:
        return make_mocked_request("GET", "/v1/models", headers={"Authorization": f"Bearer {token}"})

    return request


@pytest.fixture
def ask() -> Callable[..., dict[str, Any]]:
    """The body of a request."""

    def body(text: str = "Hello", **options: Any) -> dict[str, Any]:
        return {"model": "tiny", "messages": [{"role": "user", "content": text}], **options}

    return body
