"""The composition root: opens every part of the bot in one stack, and runs it until it is cancelled.

Knows which part needs which. What the parts do is theirs.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import platform
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from aiohttp import web

from bot import channels as channel_package
from bot import personas
from bot.allowance import Allowance, Limit
from bot.bell import Bell
from bot.channels.base import Channel, ChannelOptions
from bot.classifier import open_classifier
from bot.conversation import Conversation
from bot.desk import HouseDesk
from bot.dispatcher import Dispatcher
from bot.gateway import Access, Gateway
from bot.gateway.access import CHANNEL as API
from bot.headers import guard
from bot.health import Health
from bot.housekeeping import Housekeeping
from bot.meeting import Meeting
from bot.metrics import Metrics
from bot.models import Models
from bot.settings import Settings, channel_variables, surroundings
from bot.store import Store
from moderation import ModerationFailed, Moderator, Where
from worker.client import Queue

log = structlog.get_logger(__name__)

RETRY_FIRST = 1.0  # seconds until a channel that failed is tried again; doubles up to RETRY_LONGEST
RETRY_LONGEST = 60.0
CLOSING_SECONDS = (
    1.0  # for open requests when the server stops; event streams end with it and resume elsewhere
)


@dataclass(frozen=True, slots=True)
class Running:
    """What is up, for those who print it. `url` is how a browser on this computer finds the demo page."""

    url: str
    port: int
    channels: tuple[str, ...]
    model: str
    data: Path
    policy: str
    shadow: tuple[str, ...]  # channels where answers are shown before they are judged
    health: Health = field(repr=False)


async def serve(settings: Settings, *, ready: Callable[[Running], None]) -> None:
    """Run the whole bot until cancelled. `ready` is called once, when the HTTP server listens.

    Needs `settings.redis_url`. Raises ModelNotFound, PersonasError, ModerationError (a wrong policy, no classifier),
    StoreUnavailable, Misconfigured (a channel's variables) and OSError (the port is taken) at the start, each with a
    sentence for the operator. When cancelled it takes nothing more, gives answers under way a grace of some seconds and
    leaves the rest for the next start.
    """
    async with AsyncExitStack() as stack:
        house = await _open(settings, stack)
        port = await stack.enter_async_context(_listening(house.application, settings))
        answering = await stack.enter_async_context(house.dispatcher.answering())
        async with asyncio.TaskGroup() as group:
            group.create_task(_heard(answering), name="dispatcher")
            group.create_task(house.housekeeping.run(), name="housekeeping")
            for channel in house.channels.values():
                group.create_task(_kept_running(channel), name=f"channel {channel.name}")
            ready(
                Running(
                    url=settings.browser_url(port),
                    port=port,
                    channels=tuple(house.channels),
                    model=house.model,
                    data=settings.data.absolute(),
                    policy=house.moderator.policy,
                    shadow=_shadow(house),
                    health=house.health,
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    application: web.Application
    dispatcher: Dispatcher
    channels: dict[str, Channel]
    model: str
    health: Health
    moderator: Moderator
    housekeeping: Housekeeping


async def _open(settings: Settings, stack: AsyncExitStack) -> _House:
    if settings.redis_url is None:
        raise ValueError("the bot needs REDIS_URL")
    store = await stack.enter_async_context(Store.open(settings.database()))
    queue = await stack.enter_async_context(
        Queue.open(
            settings.redis_url.get_secret_value(), limit=settings.queue_limit, max_wait=settings.max_wait
        )
    )
    models = await stack.enter_async_context(
        Models.open(settings.model, root=settings.data / "models", loaded=lambda: queue.latest.models)
    )
    metrics = Metrics()
    scorer = await stack.enter_async_context(open_classifier(metrics, models=settings.data / "models"))
    moderator = await asyncio.to_thread(Moderator.from_policy, settings.policy, scorer=scorer)
    await _prepare(moderator)
    metrics.policy_broken.set_function(lambda: float(bool(moderator.trouble)))
    conversation = Conversation(
        store=store,
        queue=queue,
        moderator=moderator,
        models=models,
        personas=await asyncio.to_thread(personas.load, _personas_file(settings)),
        bell=Bell(),
        metrics=metrics,
        keeps_texts=settings.verdict_days > 0,
        meeting=Meeting(store=store),
        allowance=Allowance(
            store=store,
            person=Limit(messages=settings.person_messages, tokens=settings.person_tokens),
            place=Limit(messages=settings.place_messages, tokens=settings.place_tokens),
        ),
    )
    owner = _owner()
    desk = HouseDesk(conversation=conversation, owner=owner)
    channels = await _open_channels(desk, settings, stack)
    access = Access(settings=settings, store=store)
    health = Health(store=store, queue=queue, metrics=metrics, access=access, moderator=moderator)
    gateway = Gateway(
        store=store,
        queue=queue,
        moderator=moderator,
        models=models,
        access=access,
        metrics=metrics,
        created=int(time.time()),
        keeps_texts=settings.verdict_days > 0,
    )
    routes = [*health.routes(), *gateway.routes()]
    for channel in channels.values():
        routes += channel.routes()
    return _House(
        application=_application(routes),
        dispatcher=Dispatcher(owner=owner, store=store, conversation=conversation, channels=channels),
        channels=channels,
        model=models.default.reference,
        health=health,
        moderator=moderator,
        housekeeping=Housekeeping(
            store=store, days=settings.verdict_days, message_days=settings.message_days
        ),
    )


async def _prepare(moderator: Moderator) -> None:
    """So that the first message need not wait. What fails here fails again, and closed, when a text is judged."""
    try:
        deaf = await moderator.prepare()
    except ModerationFailed as error:
        log.error("the classifier does not work", cause=repr(error.__cause__))  # noqa: TRY400
    else:
        if deaf:
            log.warning("topics are off: the classifier cannot read their examples", topics=list(deaf))


def _shadow(house: _House) -> tuple[str, ...]:
    names = (*house.channels, API)
    return tuple(name for name in names if house.moderator.mode(Where(name)) == "shadow")


def _personas_file(settings: Settings) -> Path | None:
    own = settings.data / "personas.yaml"
    return settings.personas or (own if own.is_file() else None)


def _owner() -> str:
    """Names this process in leases: readable for operators, never the same twice."""
    return f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


async def _open_channels(desk: HouseDesk, settings: Settings, stack: AsyncExitStack) -> dict[str, Channel]:
    """Every channel found by its name in bot.channels; one without its token stays closed."""
    options = ChannelOptions(
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        data=settings.data,
        variables=channel_variables(await asyncio.to_thread(surroundings)),
        keys=settings.encryption_keys,
    )
    found: dict[str, Channel] = {}
    for name in channel_modules():
        module = importlib.import_module(f"{channel_package.__name__}.{name}")
        channel = await stack.enter_async_context(module.open_channel(desk=desk, options=options))
        if channel is not None:
            found[channel.name] = channel
    return found


def channel_modules() -> list[str]:
    """The names of the channels that exist: one file or folder of bot/channels each."""
    return [module.name for module in pkgutil.iter_modules(channel_package.__path__) if module.name != "base"]


def _application(routes: Iterable[web.AbstractRouteDef]) -> web.Application:
    application = web.Application(middlewares=[_guarded])
    application.add_routes(routes)
    application.on_response_prepare.append(guard)
    return application


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What no handler foresaw becomes a plain sentence: people see no traceback, the log has the cause."""
    try:
        return await handler(request)
    except (web.HTTPException, ConnectionResetError):
        raise
    except Exception:
        log.exception("a request failed", method=request.method, path=request.path)
        raise web.HTTPInternalServerError(text="Something went wrong on our side.") from None


@asynccontextmanager
async def _listening(application: web.Application, settings: Settings) -> AsyncGenerator[int, None]:
    """The HTTP server; yields the port it listens on."""
    runner = web.AppRunner(
        application,
        access_log=None,
        auto_decompress=False,  # 64 kB of gzip become 64 MB, and half a second of the loop's time, before any limit
        handler_cancellation=True,
        shutdown_timeout=CLOSING_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _heard(task: asyncio.Task[None]) -> None:
    """Raise what the task raises, but leave it running when cancelled: it is given a grace of its own."""
    await asyncio.shield(task)


async def _kept_running(channel: Channel) -> None:
    """Run a channel and try again when it fails: one platform's outage is not another's."""
    wait = RETRY_FIRST
    while True:
        began = time.monotonic()
        try:
            await channel.run()
        except Exception:
            if time.monotonic() - began > RETRY_LONGEST:
                wait = RETRY_FIRST
            log.exception("a channel failed and is tried again", channel=channel.name, seconds=wait)
        else:
            return
        await asyncio.sleep(wait)
        wait = min(wait * 2, RETRY_LONGEST)
