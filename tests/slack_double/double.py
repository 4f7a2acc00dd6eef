"""A whole Slack on a real socket: Web API, Events by HTTP and Socket Mode, files, response URLs.

Puts the parts together and answers what a test wants to know. Leaves every rule of Slack to the parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from aiohttp import web

from tests.slack_double import files, payloads
from tests.slack_double.accounts import App
from tests.slack_double.contract import Contract
from tests.slack_double.delivery import Courier
from tests.slack_double.faults import Call, Fault
from tests.slack_double.message import Message
from tests.slack_double.pressing import Pressing
from tests.slack_double.seeing import SOON, Seeing, T
from tests.slack_double.socket_mode import Sockets
from tests.slack_double.state import SCOPES, Workspace, World
from tests.slack_double.web_api import WebApi
from tests.slack_double.writing import Writing

RESPONSE_FIELDS = frozenset(
    {
        *("text", "blocks", "attachments", "response_type", "replace_original", "delete_original"),
        *("thread_ts", "metadata", "unfurl_links", "unfurl_media"),
    }
)


@dataclass(kw_only=True)
class SlackDouble(Writing, Pressing, Seeing):
    """`async with SlackDouble.open() as slack`."""

    app: App
    sockets: Sockets
    echoing: bool = True  # whether the app is told of its own messages, as Slack does
    _echoes: set[asyncio.Task[Any]] = field(default_factory=set)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, *, port: int = 0, scopes: Iterable[str] = SCOPES, subscriptions: Iterable[str] | None = None
    ) -> AsyncIterator[SlackDouble]:
        """A running double. scopes and subscriptions: what the app's manifest asks for, if not everything."""
        contract = await asyncio.to_thread(_contract)
        application = web.Application(client_max_size=64 * 1024 * 1024)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handle_signals=False)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            slack = cls._built(contract, session)
            slack.home.scopes = set(scopes)
            slack.world.subscriptions = None if subscriptions is None else frozenset(subscriptions)
            application.add_routes(slack._routes())
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            slack._stand_at(runner.addresses[0][1])
            try:
                yield slack
            finally:
                await slack._close()
                await runner.cleanup()

    @classmethod
    def _built(cls, contract: Contract, session: aiohttp.ClientSession) -> SlackDouble:
        world = World()
        app = App(id=world.app_id)
        sockets = Sockets(app_id=app.id, base_url="")
        api = WebApi(
            world=world,
            app=app,
            contract=contract,
            base_url="",
            connect=sockets.connect,
            echo=lambda *_: None,
        )
        home = Workspace(team="T0HOME", name="Home", app_id=app.id, bot_token="xoxb-T0HOME-tests")
        world.workspaces[home.team] = home
        courier = Courier(app=app, sockets=sockets, session=session)
        slack = cls(
            world=world, courier=courier, base_url="", app=app, web_api=api, sockets=sockets, home=home
        )
        api.echo = slack._echo
        return slack

    def _stand_at(self, port: int) -> None:
        self.base_url = self.web_api.base_url = self.sockets.base_url = f"http://127.0.0.1:{port}"

    def _routes(self) -> list[web.RouteDef]:
        async def download(request: web.Request) -> web.Response:
            return files.serve(self.world, self.world.workspaces, request)

        async def upload(request: web.Request) -> web.Response:
            return await files.receive(self.world, request)

        return [
            web.route("*", "/api/{method}", self.web_api.handle),
            web.get("/link/", self.sockets.handle),
            web.post("/upload/v1/{file}/{length}", upload),
            web.get("/files-pri/{place}/{name:.*}", download),
            web.post("/response/{id}", self._respond),
        ]

    async def _close(self) -> None:
        for task in self._echoes:
            task.cancel()
        await asyncio.gather(*self._echoes, return_exceptions=True)
        await self.sockets.close()

    def _echo(self, workspace: Workspace, event: dict[str, Any]) -> None:
        wanted = self.world.subscribes(payloads.subscription(event))
        if not (self.echoing and wanted and self.courier.somebody_listens):
            return
        told = self.courier.event(payloads.envelope(workspace, event), echo=True)
        task = asyncio.get_running_loop().create_task(told)
        self._echoes.add(task)
        task.add_done_callback(self._echoes.discard)

    async def _respond(self, request: web.Request) -> web.Response:
        """A response URL: a message for the person who acted, or for everybody."""
        team, channel, user, thread = self.world.response_urls[request.match_info["id"]]
        workspace, body = self.world.workspaces[team], await request.json()
        if strange := set(body) - RESPONSE_FIELDS:
            self.violations.append(f"response_url: there is no {', '.join(sorted(strange))}")
        said: dict[str, Any] = {"body": body.get("text", ""), "blocks": body.get("blocks", [])}
        said |= {"thread_ts": body.get("thread_ts", thread), "bot_id": workspace.bot_id}
        if body.get("response_type") == "in_channel":
            self.world.post(self.world.channel(channel), workspace.bot, **said)
        elif said["body"] or said["blocks"]:
            self.world.ephemerals.append(
                Message(
                    team=team,
                    channel=channel,
                    ts=self.world.ts(),
                    user=workspace.bot,
                    ephemeral_for=user,
                    **said,
                )
            )
        return web.Response(text="ok")

    @property
    def api_url(self) -> str:
        return f"{self.base_url}/api/"

    def add_workspace(self, team: str, name: str = "") -> Workspace:
        """Another workspace that has installed the app. team: T and capitals or digits."""
        workspace = Workspace(
            team=team, name=name or team, app_id=self.app.id, bot_token=f"xoxb-{team}-tests"
        )
        self.world.workspaces[team] = workspace
        return workspace

    def environment(self, mode: Literal["socket", "http", "both"] = "socket") -> dict[str, str]:
        """The variables that point a Frontdesk at this Slack."""
        variables = {"SLACK_API_URL": self.api_url, "SLACK_BOT_TOKEN": self.home.bot_token}
        if mode != "http":
            variables["SLACK_APP_TOKEN"] = self.app.token
        if mode != "socket":
            variables["SLACK_SIGNING_SECRET"] = self.app.signing_secret
        return variables

    @property
    def secrets(self) -> list[str]:
        """What must stand in no log."""
        tokens = [workspace.bot_token for workspace in self.world.workspaces.values()]
        return [*tokens, self.app.token, self.app.signing_secret, self.app.client_secret]

    @property
    def url(self) -> str:
        """Where events go by HTTP."""
        return self.courier.url

    @url.setter
    def url(self, value: str) -> None:
        self.courier.url = value

    def fail(
        self,
        method: str,
        error: str = "",
        *,
        status: int = 0,
        html: bool = False,
        retry_after: int | None = None,
        lost: bool = False,
        dropped: bool = False,
        delay: float = 0.0,
        times: int | None = 1,
        when: Callable[[Call], bool] | None = None,
        **more: Any,
    ) -> Fault:
        """Let the next calls of a method ("*": any) go wrong; see `faults.Fault`. times=None: until `stop()`."""
        fault = Fault(
            method=method,
            error=error,
            status=status or (503 if html else 0),
            html=html,
            retry_after=retry_after,
            lost=lost,
            dropped=dropped,
            delay=delay,
            left=times,
            when=when,
            more=more,
        )
        self.web_api.faults.waiting.append(fault)
        return fault

    def expire_streams(self) -> list[Message]:
        """Let every open stream die, as after five minutes."""
        dying = self.world.open_streams(self.all_messages())
        for message in dying:
            self.world.end_stream(message, "expired")
        return dying

    async def disconnect(self, *, reason: str = "refresh_requested", count: int | None = None) -> None:
        """End open sockets; without a reason they just break."""
        await self.sockets.disconnect(reason=reason, count=count)


@functools.cache
def _contract() -> Contract:
    return Contract.load()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A double that runs in a thread of its own; `run` does a coroutine of it there and waits."""

    slack: SlackDouble
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float = 60.0) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)


@contextlib.contextmanager
def in_thread(
    *, scopes: Iterable[str] = SCOPES, subscriptions: Iterable[str] | None = None
) -> Iterator[Elsewhere]:
    """A running double for tests that block: those that start the whole house as a process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="slack-double", daemon=True)
    thread.start()
    opened = SlackDouble.open(scopes=scopes, subscriptions=subscriptions)
    try:
        slack = asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(SOON)
        try:
            yield Elsewhere(slack, loop)
        finally:
            asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(SOON)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SOON)
        loop.close()
