"""`frontdesk doctor`: looks at everything that Frontdesk leans on and says what to do about what is wrong.

Knows how each thing is looked at, without changing any. Never repeats a secret.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.embedded import NoRedis, server_binary
from bot.settings import PLANNED, Settings, SettingsError, known_variables
from bot.up import NotStarted, port_is_free
from inference import cuda, tpu
from inference.library import Library, ModelNotFound, lineup
from inference.library.reference import DEFAULT

State = Literal["ok", "warn", "fail"]

LITTLE_DISK = 2 * 1024**3  # bytes; a real model takes this and more
NO_DISK = 200 * 1024**2  # bytes; SQLite, logs and Redis need some room to breathe
TESTED = ((3, 11), (3, 14))  # Python versions
PATIENCE = 8.0  # seconds for the database or Redis to answer

SHAPES = {
    "SLACK_BOT_TOKEN": (r"xoxb-[\w-]{10,}", "it starts with xoxb-: Slack app, OAuth & Permissions"),
    "SLACK_APP_TOKEN": (r"xapp-[\w-]{10,}", "it starts with xapp-: Slack app, Basic Information"),
    "SLACK_SIGNING_SECRET": (r"[0-9a-f]{32}", "32 hexadecimal digits: Slack app, Basic Information"),
    "SLACK_API_URL": (r"https?://\S+/api/", "an address that ends in /api/"),
    "TELEGRAM_BOT_TOKEN": (r"\d{6,12}:[\w-]{30,}", "123456789:AA…, as @BotFather gives it"),
    "TELEGRAM_API_URL": (
        r"https?://\S+[^/]",
        "the server's root, without a slash at its end and without /bot",
    ),
    "TELEGRAM_WEBHOOK_SECRET": (r"[\w-]{1,256}", "letters, digits, _ and -, 256 at most"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `todo` says what to do about it."""

    state: State
    what: str
    said: str
    todo: str = ""


def surroundings() -> dict[str, str]:
    """The environment as Frontdesk reads it: what is set, and else what `.env` says."""
    from dotenv import dotenv_values

    try:
        written = {name: value for name, value in dotenv_values(".env").items() if value}
    except (OSError, UnicodeDecodeError):
        written = {}  # reading the settings will name this
    return {**written, **os.environ}


async def examine(
    environment: Mapping[str, str], read: Callable[[], Settings] = Settings.read
) -> list[Finding]:
    """Every check, whatever the others found."""
    findings = [_python(), *_tokens(environment), *_unknown(environment), *_tpu(environment)]
    try:
        settings = read()
    except SettingsError as error:
        wrong = [
            Finding("fail", "settings", mistake, "correct this variable")
            for mistake in str(error).split("\n")
        ]
        return [*findings, *wrong]
    checks: list[Callable[[Settings], Awaitable[Finding]]] = [_database, _redis]
    plain: list[Callable[[Settings], Finding]] = [
        _folder,
        _disk,
        _model,
        _gpu,
        _personas,
        _policy,
        _port,
        _keys,
        _proxy,
    ]
    findings += await asyncio.to_thread(lambda: [check(settings) for check in plain])
    findings += await asyncio.gather(*(check(settings) for check in checks))
    return [_without_secrets(finding, settings) for finding in findings]


def _without_secrets(finding: Finding, settings: Settings) -> Finding:
    """A driver's message may hold more than we know."""
    said = finding.said
    for secret in settings.secrets():
        said = said.replace(secret, "[secret]")
    return Finding(finding.state, finding.what, said, finding.todo)


def _python() -> Finding:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if TESTED[0] <= sys.version_info[:2] <= TESTED[1]:
        return Finding("ok", "Python", version)
    return Finding("warn", "Python", f"{version} is not tested", "use Python 3.11 to 3.14")


def _tokens(environment: Mapping[str, str]) -> Iterator[Finding]:
    for variable, (shape, takes) in SHAPES.items():
        value = environment.get(variable, "")
        if value and not re.fullmatch(shape, value):
            yield Finding("fail", variable, "does not look right", takes)
        elif value and variable in PLANNED and not _channel_exists(PLANNED[variable]):
            channel = PLANNED[variable]
            yield Finding("warn", variable, f"{channel} is not in this version yet: it has no effect")
        elif value:
            yield Finding("ok", variable, "looks right")
    if environment.get("SLACK_BOT_TOKEN") and not (
        environment.get("SLACK_APP_TOKEN") or environment.get("SLACK_SIGNING_SECRET")
    ):
        todo = "set SLACK_APP_TOKEN (no public address needed) or SLACK_SIGNING_SECRET"
        yield Finding("warn", "Slack", "has a bot token but no way to receive messages", todo)


def _channel_exists(name: str) -> bool:
    folder = Path(__file__).parent / "channels"
    return (folder / f"{name.lower()}.py").is_file() or (folder / name.lower()).is_dir()


def _unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = known_variables()
    for name in sorted(environment):
        if name.startswith("FRONTDESK_") and name not in known:
            yield Finding(
                "warn", name, "is no variable of Frontdesk", "check its spelling: frontdesk settings"
            )


def _tpu(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Only where there is one, or where somebody asks for one: nobody else needs to hear of it."""
    for variable in ("FRONTDESK_DEVICE", "FRONTDESK_DEVICES"):
        if tpu.is_asked_for(environment.get(variable, "")):
            yield Finding(
                "fail", variable, f"asks for a TPU. {tpu.REASON}.", "set it to auto, or leave it out"
            )
    signs = tpu.signs(environment)
    if signs:
        said = f"this machine has one ({', '.join(signs)}), and the model runs on the CPU. {tpu.REASON}."
        yield Finding("warn", "TPU", said, "use a machine with an NVIDIA GPU where the CPU is too slow")


def _folder(settings: Settings) -> Finding:
    data = settings.data.absolute()
    if not data.exists():
        parent = next(folder for folder in data.parents if folder.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding("ok", "data folder", f"{data} will be made at the first start")
        todo = "set FRONTDESK_DATA to a folder of yours"
        return Finding("fail", "data folder", f"{data} cannot be made: {parent} is not writable", todo)
    if not data.is_dir() or not os.access(data, os.W_OK | os.X_OK):
        return Finding(
            "fail", "data folder", f"{data} is no folder that can be written to", "set FRONTDESK_DATA to one"
        )
    if stat.S_IMODE(data.stat().st_mode) & 0o077:
        return Finding("warn", "data folder", f"{data} can be opened by other users", f"chmod 700 {data}")
    return Finding("ok", "data folder", str(data))


def _disk(settings: Settings) -> Finding:
    data = settings.data.absolute()
    free = shutil.disk_usage(next(folder for folder in (data, *data.parents) if folder.is_dir())).free
    said = f"{free / 1024**3:.1f} GB free"
    if free < NO_DISK:
        return Finding("fail", "disk", said, "make room, or set FRONTDESK_DATA to a folder on another disk")
    if free < LITTLE_DISK:
        return Finding("warn", "disk", said, "a real model needs some gigabytes")
    return Finding("ok", "disk", said)


def _model(settings: Settings) -> Finding:
    root = settings.data / "models"
    try:
        model = Library(root=root).find(settings.model)
        promoted = lineup.read(root).default
    except ModelNotFound as error:
        return Finding("fail", "model", str(error), "set FRONTDESK_MODEL to a name or a path that is there")
    told = f"{model.name}, {model.context_length} tokens of context"
    if settings.model != DEFAULT and promoted is not None and promoted.target != model.name:
        advice = "unset FRONTDESK_MODEL to follow `frontdesk models promote`"
        return Finding("warn", "model", f"{told}; {promoted.target} was promoted, and is not used", advice)
    return Finding("ok", "model", told)


def _gpu(settings: Settings) -> Finding:
    driver = cuda.driver_version()
    if not driver:
        return Finding("ok", "GPU", "no NVIDIA driver here: the model runs on the CPU")
    try:
        cuda.load_cublas()
    except cuda.CublasMissing:
        return Finding("warn", "GPU", f"{driver}, but cuBLAS is missing: it is not used", cuda.INSTALL)
    return Finding("ok", "GPU", f"{driver}, with cuBLAS")


def _personas(settings: Settings) -> Finding:
    from bot.personas import PersonasError, load

    own = settings.data / "personas.yaml"
    path = settings.personas or (own if own.is_file() else None)
    try:
        personas = load(path)
    except PersonasError as error:
        return Finding("fail", "personas", str(error), "correct the file")
    said = f"{len(personas.personas)} personas, {len(personas.sites)} sites in {path or 'the bundled file'}"
    return Finding("ok", "personas", said)


def _policy(settings: Settings) -> Finding:
    from moderation.errors import PolicyError
    from moderation.policy import load

    try:
        policy = load(settings.policy)
    except PolicyError as error:
        return Finding("fail", "policy", str(error), "correct the file: frontdesk moderation policy FILE")
    source = settings.policy or "the bundled file"
    return Finding("ok", "policy", f"{len(policy.rules)} rules, version {policy.version}, in {source}")


def _port(settings: Settings) -> Finding:
    try:
        port_is_free(settings)
    except NotStarted as error:
        return Finding(
            "warn" if _is_frontdesk(settings) else "fail", "port", str(error), _port_todo(settings)
        )
    return Finding("ok", "port", f"{settings.port} is free")


def _port_todo(settings: Settings) -> str:
    if _is_frontdesk(settings):
        return "nothing, if it is this Frontdesk that runs there"
    return "set FRONTDESK_PORT to another"


def _is_frontdesk(settings: Settings) -> bool:
    """Whether a Frontdesk answers there already."""
    import http.client

    host = settings.reachable_host()
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read(64).replace(b" ", b"") == b'{"status":"ok"}'
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _keys(settings: Settings) -> Finding:
    if settings.api_keys:
        return Finding("ok", "FRONTDESK_API_KEYS", f"{len(settings.api_keys)} set")
    said = "not set: /v1 answers requests from this computer only, and keys made with frontdesk keys"
    if settings.public_url:
        said = "not set: /v1 answers keys made with frontdesk keys"
    if settings.host in ("127.0.0.1", "localhost", "::1"):
        return Finding("ok", "FRONTDESK_API_KEYS", said)
    return Finding(
        "warn", "FRONTDESK_API_KEYS", said, "set one, if you run health checks or metrics from outside"
    )


def _proxy(settings: Settings) -> Finding:
    """We speak no https ourselves: whoever is reached by it has a proxy in front."""
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        said = "not set: behind a proxy all visitors share the limits of one address"
        todo = "set it to 1, and let the proxy send X-Forwarded-For"
        return Finding("warn", "FRONTDESK_TRUSTED_PROXIES", said, todo)
    return Finding("ok", "FRONTDESK_TRUSTED_PROXIES", str(settings.trusted_proxies))


async def _database(settings: Settings) -> Finding:
    from bot.store.database import opened, sqlite_path
    from bot.store.errors import StoreError

    url = settings.database()
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    try:
        if kind == "SQLite":
            path = sqlite_path(url)
            if not await asyncio.to_thread(path.exists):
                return Finding("ok", "database", f"SQLite, {path} will be made at the first start")
        async with asyncio.timeout(PATIENCE), opened(url) as database, database.read() as connection:
            await connection.exec_driver_sql("SELECT 1")
    except StoreError as error:
        return Finding("fail", "database", f"{kind}: {error}", "check DATABASE_URL, and that its server runs")
    except TimeoutError:
        return Finding("fail", "database", f"{kind} does not answer", "check DATABASE_URL and the network")
    return Finding("ok", "database", f"{kind} answers")


async def _redis(settings: Settings) -> Finding:
    if settings.redis_url is None:
        try:
            return Finding("ok", "Redis", f"embedded: {server_binary()}")
        except NoRedis as error:
            return Finding("fail", "Redis", str(error), "install one of these, or set REDIS_URL")
    import redis.asyncio
    from redis.exceptions import RedisError

    url = settings.redis_url.get_secret_value()
    try:
        async with (
            asyncio.timeout(PATIENCE),
            redis.asyncio.Redis.from_url(url, decode_responses=True) as client,
        ):
            await client.ping()
            policy = (await client.info("memory")).get("maxmemory_policy", "noeviction")
    except (RedisError, OSError, ValueError, TimeoutError) as error:
        return Finding(
            "fail", "Redis", f"does not answer ({type(error).__name__})", "check REDIS_URL, and that it runs"
        )
    if policy != "noeviction":
        todo = "set maxmemory-policy noeviction there, or questions may be lost when its memory is full"
        return Finding("warn", "Redis", f"answers, but may throw jobs away ({policy})", todo)
    return Finding("ok", "Redis", "answers")
