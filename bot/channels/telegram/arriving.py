"""Whether what people write arrives: the doctor's look at fetching, and at the webhook.

Knows how each can be cut off, and by whom. Leaves fetching itself to `poller`, and the webhook itself to `webhook`.

2026-12: who else fetches with our token cannot be asked for. Telegram ends the older of two calls of getUpdates, so we
make one and stay in it for some seconds: a program that goes on fetching ends ours (409). Made without an offset it
confirms nothing, and takes nothing away. It would end our own poller's call as well; so it is made only while we hold
its lease.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.channels.base import Shelf
from bot.channels.telegram.api import Api, TelegramFailure
from bot.channels.telegram.poller import LEASE
from bot.channels.telegram.settings import WEBHOOK_PATH, TelegramSettings
from bot.channels.telegram.webhook import SECRET_HEADER
from bot.finding import Finding
from bot.messages import Unavailable

LISTEN = 10  # seconds: a program whose call was ended waits a moment before the next one
SECONDS = 15.0  # for our own server to answer
LATELY = 3600.0  # seconds; what failed before is history
NO_UPDATE = 400  # what `webhook` says to a body that is no update
REFUSED = (401, 403)

FETCHING = "fetching"
SECRET = "TELEGRAM_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable
ANOTHER = "if another program uses this bot, give Frontdesk one of its own (@BotFather, /newbot)"


async def told(api: Api, method: str) -> Mapping[str, Any]:
    """What a question without arguments is answered. Raises TelegramFailure, also when it is no answer."""
    said = await api.call(method)
    if not isinstance(said, Mapping):
        raise TelegramFailure("unreadable", method=method)
    return said


# -- fetching --------------------------------------------------------------------------------------------------


async def examine_fetching(api: Api, shelf: Shelf | None, *, listen: int) -> Finding:
    """Whether we can fetch, and nobody else does. Raises TelegramFailure."""
    info = await told(api, "getWebhookInfo")
    if info.get("url"):
        said = f"messages go to a webhook at {_host(info['url'])}: nothing can be fetched while it is set"
        todo = f"start Frontdesk, which takes it away; {ANOTHER}, else it comes back"
        return Finding("warn", FETCHING, said, todo)
    if shelf is None:
        said = f"{_waiting(info)}; whether another program fetches cannot be told without the database"
        return Finding("ok", FETCHING, said, "start Frontdesk, and run this again if it keeps silent")
    doctor = f"doctor/{secrets.token_hex(4)}"
    try:
        if not await shelf.claim(LEASE, doctor, seconds=listen + 30.0):
            said = f"a Frontdesk fetches; {_waiting(info)}"
            return Finding(
                "ok", FETCHING, said, "if it keeps silent, see its log: does it tell of a conflict?"
            )
        try:
            return await _listened(api, waiting=_waiting(info), listen=listen)
        finally:
            await shelf.release(LEASE, doctor)
    except Unavailable:
        return Finding("fail", FETCHING, "the database is away", "see frontdesk doctor")


async def _listened(api: Api, *, waiting: str, listen: int) -> Finding:
    """What comes of one call that waits. It is answered at once where something waits to be fetched."""
    try:
        found = await api.call("getUpdates", limit=1, timeout=listen)
    except TelegramFailure as failure:
        if failure.code != "conflict":
            raise
        return Finding("fail", FETCHING, "another program fetches with this token", f"stop it; {ANOTHER}")
    if found:
        return Finding("warn", FETCHING, f"nobody does; {waiting}", "start Frontdesk")
    said = f"no Frontdesk does, and no other program did for {listen} seconds; {waiting}"
    return Finding("ok", FETCHING, said, "start Frontdesk")


# -- the webhook -----------------------------------------------------------------------------------------------


async def examine_webhook(api: Api, settings: TelegramSettings, *, public_url: str) -> list[Finding]:
    """Whether Telegram sends to us, and whether we would hear it. Raises TelegramFailure."""
    info = await told(api, "getWebhookInfo")
    url = f"{public_url.rstrip('/')}{WEBHOOK_PATH}"
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    return [_set(info, url), await _endpoint(url, secret)]


def _set(info: Mapping[str, Any], url: str) -> Finding:
    """What Telegram knows of the webhook."""
    what, there = "webhook", str(info.get("url", ""))
    if not there:
        return Finding("warn", what, f"not set; {_waiting(info)}", "start Frontdesk, which sets it")
    if there != url:
        said = f"messages go to {_host(there)}, at another address than ours"
        return Finding("fail", what, said, f"restart Frontdesk, which sets its own; {ANOTHER}")
    trouble = str(info.get("last_error_message", ""))
    since = time.time() - float(info.get("last_error_date", 0))
    if not trouble or since > LATELY:
        return Finding("ok", what, f"set; {_waiting(info)}")
    said = f"Telegram could not deliver {since / 60:.0f} minutes ago ({trouble}); {_waiting(info)}"
    todo = "see what is said of TELEGRAM_WEBHOOK_SECRET; Telegram tries again by itself"
    return Finding("fail" if info.get("pending_update_count") else "warn", what, said, todo)


async def _endpoint(url: str, secret: str) -> Finding:
    """Whether our own server hears what Telegram would send: it must know the secret, and refuse another. What we send
    is no update, so that nothing comes of it."""
    try:
        ours, others = await _knock(url, secret), await _knock(url, secrets.token_urlsafe(16))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        said = f"{url} does not answer: {type(error).__name__}"
        return Finding("fail", SECRET, said, "start Frontdesk; check the proxy")
    if ours in REFUSED:
        return Finding(
            "fail", SECRET, f"{url} refuses it", "restart Frontdesk, so that it reads the secret anew"
        )
    if ours == NO_UPDATE and others in REFUSED:
        return Finding("ok", SECRET, f"{url} answers, and knows the secret")
    return Finding("fail", SECRET, f"{url} answers {ours}", "let the proxy pass /telegram/ on to Frontdesk")


async def _knock(url: str, secret: str) -> int:
    """The status that our server answers with."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS), trust_env=True) as session,
        session.post(url, json={}, headers={SECRET_HEADER: secret}, allow_redirects=False) as response,
    ):
        return response.status


def _waiting(info: Mapping[str, Any]) -> str:
    waiting = int(info.get("pending_update_count", 0))
    return f"{waiting} wait" if waiting else "nothing waits"


def _host(url: str) -> str:
    """Of an address what tells whose it is: the rest may be a secret."""
    return urlsplit(url).hostname or "an address that cannot be read"
