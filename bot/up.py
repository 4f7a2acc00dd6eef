"""`frontdesk up` and `frontdesk bot`: starts what belongs together, says when it is ready, and ends it all in time.

Knows the order of starting and ending. What runs inside the bot stands in `bot/assembly.py`, how children are kept
alive in `bot/supervisor.py`.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import SecretStr

from bot.embedded import DataFolderInUse, NoRedis, embedded_redis, own_folder
from bot.greeting import tell
from bot.logs import FILE, Shown, heard, logging_to
from bot.settings import Settings, secrets_in, surroundings, without_secrets
from bot.stopping import Stop, stop_signals, until_stopped, watchdog
from bot.supervisor import CannotStart, Kept, Program, kept_running
from inference.library import Library, ModelNotFound

if TYPE_CHECKING:
    from rich.console import Console

    from bot.assembly import Running

log = structlog.get_logger(__name__)

# Seconds after SIGTERM until the worker is asked to end (bot/stopping.py has the rest of the ten): while the bot still
# gives answers their grace, since the worker too gives them 3 s and then hands them back.
WORKER_ASKED_AFTER = 1.5
WORKER_GRACE = 3.0  # seconds from the bot's end to the worker's


class NotStarted(Exception):
    """Frontdesk cannot start, or cannot go on; the message says why and what to do."""


async def up(settings: Settings, *, console: Console, began: float) -> None:
    """Run the whole house until a signal ends it. `began` is time.monotonic() at the start.

    Raises NotStarted with a sentence for the operator.
    """
    shown: Shown = "human" if sys.stderr.isatty() else "json"
    with ExitStack() as stack:
        try:
            data = stack.enter_context(own_folder(settings.data))  # before its log is touched
            logs = logging_to(
                file=data / FILE,
                level=settings.log_level,
                stderr=shown,
                stderr_level="warning",
                secrets=_secrets(settings),
            )
            stack.enter_context(logs)
        except (DataFolderInUse, OSError) as error:
            raise NotStarted(str(error)) from None
        stop = stack.enter_context(stop_signals(first=watchdog))
        with _sentences(settings):
            port_is_free(settings)
            Library(root=settings.data / "models").find(settings.model)
            await until_stopped(_house(settings, stop=stop, console=console, began=began), stop=stop)


async def bot_alone(settings: Settings) -> None:
    """Run the bot without worker and Redis until a signal ends it. Raises NotStarted."""
    if settings.redis_url is None:
        raise NotStarted("The bot alone needs REDIS_URL. Set it, or start everything with: frontdesk up")

    def listening(running: Running) -> None:
        log.info("listening", url=running.url, port=running.port, channels=running.channels)

    logs = logging_to(level=settings.log_level, secrets=_secrets(settings))  # to where containers collect it
    with logs, stop_signals(first=watchdog) as stop, _sentences(settings):
        serve = await _serve()
        await until_stopped(serve(settings, ready=listening), stop=stop)


def _secrets(settings: Settings) -> tuple[str, ...]:
    return (*settings.secrets(), *secrets_in(surroundings()))


async def _house(settings: Settings, *, stop: Stop, console: Console, began: float) -> None:
    """Redis, then the worker, and while that loads its model the bot: ended in the opposite order."""
    async with AsyncExitStack() as stack:
        if settings.redis_url is None:
            redis = embedded_redis(settings.data, heard=partial(heard, plain="info"), hurry=stop.hurry)
            url, _ = await stack.enter_async_context(redis)
            settings = settings.model_copy(update={"redis_url": SecretStr(url)})
        program = worker_program(settings)
        worker = await stack.enter_async_context(kept_running(program, heard=heard, hurry=stop.hurry))
        serve = await _serve()
        listening: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        beside = (
            asyncio.create_task(tell(listening, console=console, began=began)),
            asyncio.create_task(_ask_in_time(worker, stop=stop)),
        )
        try:
            await serve(settings, ready=listening.set_result)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def _ask_in_time(worker: Kept, *, stop: Stop) -> None:
    await stop.asked.wait()
    await asyncio.sleep(WORKER_ASKED_AFTER)
    worker.ask()


async def _serve() -> Callable[..., Coroutine[Any, Any, None]]:
    """The bot, imported in a thread: it takes a second, and children and signals are to be heard meanwhile.

    A daemon thread of its own and not the loop's executor, which would make an early end wait for it.
    """
    loop = asyncio.get_running_loop()
    imported: asyncio.Future[Callable[..., Coroutine[Any, Any, None]]] = loop.create_future()

    def work() -> None:
        found: Callable[..., Coroutine[Any, Any, None]] | Exception
        try:
            found = importlib.import_module("bot.assembly").serve
        except Exception as error:
            found = error
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(hand_over, found)

    def hand_over(found: Callable[..., Coroutine[Any, Any, None]] | Exception) -> None:
        if imported.done():
            return  # nobody waits any more
        if isinstance(found, Exception):
            imported.set_exception(found)
        else:
            imported.set_result(found)

    threading.Thread(target=work, name="importing the bot", daemon=True).start()
    return await imported


def worker_program(settings: Settings) -> Program:
    """The Celery worker as a child: it sees where Redis and the model are, and no secret of ours."""
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else ""
    return Program(
        name="worker",
        # -P: a folder named worker where we were started is not ours. 0: the pipe that closes with us.
        command=(sys.executable, "-P", "-m", "worker", "--parent-pipe", "0"),
        environment={
            **without_secrets(os.environ),
            "REDIS_URL": redis_url,
            "FRONTDESK_MODEL": settings.model,
            "FRONTDESK_DATA": str(settings.data.absolute()),
            "FRONTDESK_LOG_LEVEL": settings.log_level,
        },
        grace=WORKER_GRACE,
    )


def port_is_free(settings: Settings) -> None:
    """Raises NotStarted when the port cannot be listened on. Port 0, any free one, always can."""
    try:
        address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0], address[1]) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address[4])
    except OSError as error:
        raise NotStarted(_port_trouble(settings, error)) from None


def _port_trouble(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {settings.port} is taken by another program. Choose another: --port 8081"
    if error.errno == errno.EACCES:
        return f"Port {settings.port} may not be used by this user. Choose one above 1023: --port 8080"
    return f"Cannot listen on {settings.host} port {settings.port}: {error.strerror or error}. Choose another --host."


@contextmanager
def _sentences(settings: Settings) -> Generator[None, None, None]:
    """What stops us becomes a sentence for the operator; what nobody foresaw goes to the log in full."""
    try:
        yield
    except NotStarted:
        raise
    except Exception as error:
        cause = _first(error)
        if isinstance(cause, OSError) and cause.errno in (errno.EADDRINUSE, errno.EACCES):
            raise NotStarted(_port_trouble(settings, cause)) from None
        if isinstance(cause, _foreseen()):
            raise NotStarted(_told(cause)) from None
        log.exception("stopped by an unforeseen error")
        raise NotStarted(
            "Frontdesk stopped because of an unexpected error; the log has the details."
        ) from None


def _told(error: Exception) -> str:
    from bot.store.errors import StoreError, sentence

    return sentence(error) if isinstance(error, StoreError) else str(error)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _foreseen() -> tuple[type[Exception], ...]:
    """Errors whose message is a sentence for the operator. Imported late: by now they are loaded anyway."""
    from bot.personas import PersonasError
    from bot.store.errors import StoreError
    from bot.variables import Misconfigured
    from moderation.errors import ModerationError
    from worker.errors import QueueError

    return (
        NoRedis,
        CannotStart,
        ModelNotFound,
        PersonasError,
        Misconfigured,
        ModerationError,  # a wrong policy, a missing classifier
        StoreError,
        QueueError,
    )
