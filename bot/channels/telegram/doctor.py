"""`frontdesk doctor telegram`: asks Telegram what it thinks of us, and says what to do about it.

Knows which question shows which mistake, without changing anything at Telegram or here; how messages reach us is looked
at by `arriving`. Never repeats a secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bot.channels.base import ChannelOptions, Shelf
from bot.channels.telegram import menu
from bot.channels.telegram.api import Api, TelegramFailure, open_api
from bot.channels.telegram.arriving import LISTEN, examine_fetching, examine_webhook, told
from bot.channels.telegram.settings import API_URL, TelegramSettings
from bot.finding import Finding, mistake, without
from bot.peer import is_own_address
from bot.variables import Misconfigured

SECONDS = 60.0  # for everything that Telegram is asked; it may ask to wait for minutes
BRIEFLY = 0.05  # seconds until a call that failed is made again: a doctor does not wait for better times
NETWORK = "check the network, the proxy and TELEGRAM_API_URL"

# The code of a failure: what it means, and what to do.
CAUSES: Mapping[str, tuple[str, str]] = {
    "unauthorized": (
        "Telegram does not know this token",
        "copy it anew from @BotFather, /mybots > API Token",
    ),
    "unknown_method": ("what answers knows no such bot", "copy the token anew, and check TELEGRAM_API_URL"),
    "connection": ("Telegram cannot be reached from here", NETWORK),
    "timeout": ("Telegram does not answer", NETWORK),
    "unreadable": ("what answers is not Telegram", NETWORK),
    "flood": ("Telegram asks to slow down", "try again in a minute"),
}
SCOPES = {
    "all_private_chats": "private chats",
    "all_group_chats": "groups",
    "default": "all other chats",
}


async def examine(
    options: ChannelOptions, *, shelf: Shelf | None = None, listen: int = LISTEN
) -> list[Finding]:
    """Every check that the settings call for. Without `shelf`, nobody looks whether others fetch with the token, too;
    that takes `listen` seconds."""
    try:
        settings = TelegramSettings.read(options)
    except Misconfigured as error:
        return [mistake(line) for line in str(error).split("\n")]
    if not settings.on:
        said = "not set up"
        return [Finding("ok", "Telegram", said, "to set it up, follow the README's section on Telegram")]
    findings = [*_address(settings), *await _asked(settings, options, shelf, listen=listen)]
    return [without(settings.secrets(), finding) for finding in findings]


async def _asked(
    settings: TelegramSettings, options: ChannelOptions, shelf: Shelf | None, *, listen: int
) -> list[Finding]:
    """What Telegram itself is asked. What goes wrong beyond what a check looks for ends it."""
    findings: list[Finding] = []
    async with open_api(token=settings.token, settings=settings, backoff=BRIEFLY) as api:
        try:
            async with asyncio.timeout(SECONDS + listen):
                me = await told(api, "getMe")
                findings += [_bot(me), _groups(me)]
                findings.append(await _commands(api))
                if settings.webhook:
                    findings += await examine_webhook(api, settings, public_url=options.public_url)
                else:
                    findings.append(await examine_fetching(api, shelf, listen=listen))
        except TelegramFailure as failure:
            findings.append(_failed(failure))
        except TimeoutError:
            findings.append(_failed(TelegramFailure("timeout", method="" if findings else "getMe")))
    return findings


# -- one check each --------------------------------------------------------------------------------------------


def _address(settings: TelegramSettings) -> list[Finding]:
    """Another Bot API server than Telegram's own: whom the token is told, and what is easily forgotten."""
    if settings.hosted:
        return []
    what, url = "TELEGRAM_API_URL", urlsplit(settings.api_url)
    if url.scheme == "http" and not is_own_address(settings.api_url):
        said = f"the token travels to {url.hostname} unencrypted"
        return [
            Finding("warn", what, said, "use an address that begins with https://, or a network of your own")
        ]
    todo = f"log the bot out of {API_URL} once (its method logOut): else messages may stay there"
    return [Finding("ok", what, f"{url.hostname} is asked in place of Telegram's own server", todo)]


def _bot(me: Mapping[str, Any]) -> Finding:
    name = me.get("username", "")
    return Finding("ok", "TELEGRAM_BOT_TOKEN", f"good for @{name}: https://t.me/{name}")


def _groups(me: Mapping[str, Any]) -> Finding:
    """Privacy mode, which decides what of a group is sent to us at all."""
    if not me.get("can_join_groups", True):
        return Finding(
            "ok", "groups", "the bot cannot be added to any", "@BotFather, /setjoingroups allows it"
        )
    if me.get("can_read_all_group_messages"):
        return Finding("ok", "groups", "privacy mode is off: every mention is seen")
    said = "privacy mode is on: /ask and replies to the bot are seen for sure, mentions perhaps not"
    todo = "@BotFather, /setprivacy > Disable, then add the bot to its groups anew; or make it an administrator there"
    return Finding("warn", "groups", said, todo)


async def _commands(api: Api) -> Finding:
    others = await menu.differences(api)
    if not others:
        return Finding("ok", "commands", "offered in English and Chinese, in private chats and in groups")
    if len(others) == len(menu.SCOPES) and not any(others.values()):
        return Finding("warn", "commands", "none are offered yet", "start Frontdesk, which sets them")
    said = f"other commands than ours are offered in {', '.join(SCOPES[scope] for scope in others)}"
    return Finding("warn", "commands", said, "nothing, if you set them so: Frontdesk leaves them as they are")


# -- telling ---------------------------------------------------------------------------------------------------


def _failed(failure: TelegramFailure) -> Finding:
    what = "TELEGRAM_BOT_TOKEN" if failure.method == "getMe" else failure.method or "Telegram"
    said, todo = CAUSES.get(
        failure.code,
        (f"Telegram says {failure.description or failure.code}", "see https://core.telegram.org/bots/api"),
    )
    return Finding("fail", what, said, todo)
