"""A whole Telegram on a real socket: the Bot API, files, long polling and a webhook.

Puts the parts together and answers what a test wants to know. Leaves every rule of Telegram to the parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
from aiohttp import web

from tests.telegram_double import files
from tests.telegram_double.bot_api import BotApi
from tests.telegram_double.delivery import Courier
from tests.telegram_double.faults import Call, Fault
from tests.telegram_double.message import Message
from tests.telegram_double.pressing import Pressing
from tests.telegram_double.seeing import SOON, Seeing, T
from tests.telegram_double.settings import Settings
from tests.telegram_double.state import User, World
from tests.telegram_double.updates import Update, Updates
from tests.telegram_double.writing import Writing

TOKEN = "7000000001:AAF-tests_of_frontdesk-aaaaaaaaaaaa"
WEBHOOK_SECRET = "webhook-secret-of-the-tests"
ME = 7_000_000_001


@dataclass(kw_only=True)
class TelegramDouble(Writing, Pressing, Seeing):
    """`async with telegram_double() as telegram`."""

    url: str = ""  # for TELEGRAM_API_URL
    token: str = TOKEN

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, *, port: int = 0, username: str = "frontdesk_bot") -> AsyncIterator[TelegramDouble]:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handle_signals=False)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            telegram = cls._built(session, username)
            application.add_routes(telegram._routes())
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            telegram.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            courier = asyncio.ensure_future(telegram.courier.run())
            try:
                yield telegram
            finally:
                courier.cancel()
                (ended,) = await asyncio.gather(courier, return_exceptions=True)
                if not isinstance(ended, asyncio.CancelledError):
                    telegram.problems.append(f"the double itself broke: {ended!r}")
                await runner.cleanup()

    @classmethod
    def _built(cls, session: aiohttp.ClientSession, username: str) -> TelegramDouble:
        world = World(me=User(id=ME, name="Frontdesk", username=username, is_bot=True))
        settings = Settings()
        updates = Updates(webhook=lambda: bool(settings.webhook.url))
        api = BotApi(token=TOKEN, world=world, settings=settings, updates=updates)
        courier = Courier(
            settings=settings,
            updates=updates,
            session=session,
            clock=world.clock,
            secret=WEBHOOK_SECRET,
            problems=api.problems,
        )
        return cls(world=world, settings=settings, updates=updates, api=api, courier=courier)

    def _routes(self) -> list[web.RouteDef]:
        async def download(request: web.Request) -> web.StreamResponse:
            if request.match_info["token"] != self.token:
                return web.json_response(
                    {"ok": False, "error_code": 404, "description": "Not Found"}, status=404
                )
            return files.serve(self.world, request.match_info["path"])

        return [
            web.route("*", "/bot{token}/{method}", self.api.handle),
            web.get("/file/bot{token}/{path:.*}", download),
        ]

    # -- for the app -----------------------------------------------------------------------------------------

    def environment(self, mode: Literal["poll", "webhook"] = "poll") -> dict[str, str]:
        """The variables that point a Frontdesk at this Telegram."""
        variables = {"TELEGRAM_BOT_TOKEN": self.token, "TELEGRAM_API_URL": self.url}
        return variables | ({"TELEGRAM_WEBHOOK_SECRET": WEBHOOK_SECRET} if mode == "webhook" else {})

    @property
    def secrets(self) -> list[str]:
        """What must stand in no log."""
        return [self.token, self.token.partition(":")[2], WEBHOOK_SECRET]

    @property
    def webhook_secret(self) -> str:
        return WEBHOOK_SECRET

    @property
    def webhook_url(self) -> str:
        """Where updates are sent: as setWebhook said, unless a test sets another address."""
        return self.courier.url

    @webhook_url.setter
    def webhook_url(self, value: str) -> None:
        self.courier.forced = value
        self.updates.ring()

    # -- what goes wrong -------------------------------------------------------------------------------------

    def fail(
        self,
        method: str,
        *,
        status: int | None = None,
        description: str = "",
        retry_after: int | None = None,
        lost: bool = False,
        dropped: bool = False,
        hang: float = 0.0,
        html: bool = False,
        times: int | None = 1,
        when: Callable[[Call], bool] | None = None,
        **parameters: Any,
    ) -> Fault:
        """Let the next calls of a method ("*": any) go wrong; see `faults.Fault`. times=None: until `stop()`.
        Without a status: 429 with retry_after, 502 with html, else 400, unless it is lost, dropped or only hangs."""
        if status is None:
            status = 429 if retry_after is not None else 502 if html else 0
            status = status or (0 if lost or dropped or hang else 400)
        fault = Fault(
            method=method,
            status=status,
            description=description,
            retry_after=retry_after,
            parameters=parameters,
            html=html,
            lost=lost,
            dropped=dropped,
            hang=hang,
            left=times,
            when=when,
        )
        self.api.faults.waiting.append(fault)
        return fault

    def revoke(self, *, back: bool = False) -> None:
        """BotFather takes the token away, or gives it back."""
        self.api.revoked = not back

    def pass_time(self, seconds: float) -> None:
        """Queries and drafts grow old."""
        self.world.skew += seconds

    # -- updates ---------------------------------------------------------------------------------------------

    async def deliver(self, raw: Mapping[str, Any]) -> Update:
        """Any update, as it is; it gets a number if it has none."""
        update = dict(raw)
        update.setdefault("update_id", self.updates.number())
        self.updates.told.append(update)
        self.updates.put(update)
        return update

    def duplicate(self, update_id: int | Message) -> None:
        """An update comes once more, even if it was confirmed."""
        self.updates.repeat(update_id.update_id if isinstance(update_id, Message) else update_id)

    def reordered(self, count: int) -> None:
        """The next updates are held back until there are so many, and then come in the other order."""
        self.updates.held, self.updates.reversing = [], count

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[list[Update]]:
        """Hold updates back: they come at the end of the block, in the order of the list."""
        held: list[Update] = []
        self.updates.held = held
        try:
            yield held
        finally:
            self.updates.held = None
        for update in held:
            self.updates.put(update)


telegram_double = TelegramDouble.open


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A double that runs in a thread of its own; `run` does a coroutine of it there and waits."""

    telegram: TelegramDouble
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float = 60.0) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)


@contextlib.contextmanager
def in_thread() -> Iterator[Elsewhere]:
    """A running double for tests that block: those that start the whole house as a process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="telegram-double", daemon=True)
    thread.start()
    opened = TelegramDouble.open()
    try:
        telegram = asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(SOON)
        try:
            yield Elsewhere(telegram, loop)
        finally:
            asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(SOON)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SOON)
        loop.close()
