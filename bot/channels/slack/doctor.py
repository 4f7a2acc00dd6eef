"""`frontdesk doctor slack`: asks Slack what it thinks of us, and says what to do about it.

Knows which question shows which mistake, without changing anything at Slack or here. Never repeats a secret. Opens no
connection of Socket Mode: Slack would give it events that are meant for the channel.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from bot.channels.base import ChannelOptions, Shelf
from bot.channels.slack.api import Api, SlackFailure, open_api
from bot.channels.slack.installation import ManyWorkspaces, OAuthClient, code_of
from bot.channels.slack.manifest import PASTE, compare
from bot.channels.slack.scopes import ESSENTIAL, SCOPES
from bot.channels.slack.settings import KEYS, SlackSettings
from bot.finding import Finding, State, mistake, without
from bot.messages import Unavailable
from bot.peer import is_own_address
from bot.variables import Misconfigured

ASKED = 20  # workspaces; of more the rest is only counted
SECONDS = 15.0  # for our own server to answer
CREDENTIALS = "copy it anew from Basic Information > App Credentials"
REINSTALL = "then Install App > Reinstall"

# Slack's word for what is wrong: what it means, and what to do.
CAUSES: Mapping[str, tuple[str, str]] = {
    "invalid_auth": ("Slack does not know this token", "copy it anew"),
    "not_authed": ("Slack does not know this token", "copy it anew"),
    "account_inactive": ("the app was uninstalled, or the workspace is gone", "install the app again"),
    "token_revoked": ("the token was revoked", "install the app again, and copy the new token"),
    "token_expired": ("the token has expired", "copy the new one; token rotation needs SLACK_CLIENT_ID"),
    "not_allowed_token_type": ("it is a token of another kind", "see what the variable takes in the README"),
    "missing_scope": ("the token lacks a scope", "make a new one"),
    "forbidden_team": ("the workspace does not allow Socket Mode", "use SLACK_SIGNING_SECRET (HTTP)"),
    "connection": ("Slack cannot be reached from here", "check the network, the proxy and SLACK_API_URL"),
    "timeout": ("Slack does not answer", "check the network, the proxy and SLACK_API_URL"),
    "unreadable": ("what answers is not Slack", "check SLACK_API_URL and the proxy"),
    "ratelimited": ("Slack asks to slow down", "try again in a minute"),
}


async def examine(options: ChannelOptions, *, shelf: Shelf | None = None) -> list[Finding]:
    """Every check that the settings call for. Without `shelf`, no workspace that came by OAuth is asked."""
    try:
        settings = SlackSettings.read(options)
    except Misconfigured as error:
        return [mistake(line) for line in str(error).split("\n")]
    if not settings.on:
        said = "not set up"
        return [Finding("ok", "Slack", said, "to set it up, follow the README's section on Slack")]
    findings = _address(settings)
    if settings.bot_token:
        findings += await _bot(settings, "SLACK_BOT_TOKEN", settings.bot_token.get_secret_value())
    if settings.oauth:
        findings += [await _client(settings), *await _workspaces(settings, options, shelf)]
    if settings.app_token:
        findings.append(await _socket(settings, settings.app_token))
    if settings.signing_secret:
        findings.append(await _endpoint(options.public_url, settings.signing_secret))
    findings += await _app(settings, options)
    return [without(settings.secrets(), finding) for finding in findings]


def _address(settings: SlackSettings) -> list[Finding]:
    if settings.api_url.startswith("http://") and not is_own_address(settings.api_url):
        said = "tokens travel unencrypted"
        return [Finding("warn", "SLACK_API_URL", said, "use an address that begins with https://")]
    return []


# -- one check each --------------------------------------------------------------------------------------------


async def _bot(settings: SlackSettings, what: str, token: str) -> list[Finding]:
    """Whether a bot's token is good, and what it may do."""
    async with _asking(settings, token) as api:
        try:
            bot = await api.bot("")
        except SlackFailure as failure:
            return [_failed(what, failure.code)]
    named = f"good for the workspace {bot.team_name or bot.team_id}"
    return [Finding("ok", what, named), _scopes(bot.scopes, bot.team_name or bot.team_id)]


def _scopes(granted: frozenset[str], name: str) -> Finding:
    what = f"scopes in {name}"
    missing = [scope for scope in SCOPES if scope not in granted]
    if not granted:
        return Finding("warn", what, "Slack does not tell them", PASTE)
    if not missing:
        return Finding("ok", what, f"all {len(SCOPES)} are granted")
    said = "; ".join(f"without {scope}: no {SCOPES[scope]}" for scope in missing)
    state: State = "fail" if ESSENTIAL.intersection(missing) else "warn"
    return Finding(state, what, said, f"{PASTE}, or add them at OAuth & Permissions, {REINSTALL}")


async def _client(settings: SlackSettings) -> Finding:
    """Whether Slack knows us by our id and secret: it must find nothing wrong but the code."""
    number, secret = settings.client
    try:
        await OAuthClient(settings.api_url).oauth_v2_access(
            client_id=number, client_secret=secret, code="doctor"
        )
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
        code = code_of(error)
    else:
        code = "invalid_code"
    if code == "invalid_code":
        return Finding("ok", "SLACK_CLIENT_ID", "known to Slack, with its secret")
    if code == "bad_client_secret":
        return Finding("fail", "SLACK_CLIENT_SECRET", "Slack does not know it", CREDENTIALS)
    if code == "invalid_client_id":
        return Finding("fail", "SLACK_CLIENT_ID", "Slack does not know it", CREDENTIALS)
    return _failed("SLACK_CLIENT_ID", code)


async def _workspaces(settings: SlackSettings, options: ChannelOptions, shelf: Shelf | None) -> list[Finding]:
    """Every workspace that installed us, and where others do it."""
    url = options.public_url.rstrip("/")
    said = f"open {url}/slack/install"
    door = Finding("ok", "installation", f"{said}; the app needs the redirect URL {url}/slack/oauth_redirect")
    if shelf is None:
        return [
            door,
            Finding("warn", "workspaces", "not asked: the database is away", "see frontdesk doctor"),
        ]
    try:
        workspaces = ManyWorkspaces.over(settings, keys=options.keys, shelf=shelf)
        keys = await workspaces.teams()
        asked = [each for key in keys[:ASKED] for each in await _workspace(settings, workspaces, key)]
    except Misconfigured as error:
        return [door, mistake(str(error))]
    except Unavailable:
        return [door, Finding("fail", "workspaces", "the database is away", "see frontdesk doctor")]
    if len(keys) > ASKED:
        asked.append(Finding("ok", "workspaces", f"{len(keys) - ASKED} more were not asked"))
    return [door, *(asked or [Finding("warn", "workspaces", "none has Frontdesk installed", said)])]


async def _workspace(settings: SlackSettings, workspaces: ManyWorkspaces, key: str) -> list[Finding]:
    kept = await workspaces.kept(key)
    if kept is None:
        todo = f"add the key that it was encrypted with to {KEYS}, or install the app there again"
        return [Finding("fail", f"workspace {key}", "its token cannot be decrypted", todo)]
    return await _bot(settings, f"workspace {kept.name or key}", kept.token)


async def _socket(settings: SlackSettings, token: SecretStr) -> Finding:
    """Whether a connection would be let in; none is made."""
    async with _asking(settings, token.get_secret_value()) as api:
        try:
            await api.call("", "apps.connections.open")
        except SlackFailure as failure:
            if failure.code == "missing_scope":
                todo = "make one with connections:write at Basic Information > App-Level Tokens"
                return Finding("fail", "SLACK_APP_TOKEN", "it lacks the scope connections:write", todo)
            return _failed("SLACK_APP_TOKEN", failure.code)
    return Finding("ok", "SLACK_APP_TOKEN", "Slack lets Socket Mode connect")


async def _endpoint(public_url: str, secret: SecretStr) -> Finding:
    """Whether our own server hears what Slack would send, signed as Slack would sign it."""
    what = "SLACK_SIGNING_SECRET"
    if not public_url:
        return Finding("warn", what, "not checked: FRONTDESK_PUBLIC_URL is not set", "set it")
    url, challenge = f"{public_url.rstrip('/')}/slack/events", secrets.token_urlsafe(16)
    body = json.dumps({"type": "url_verification", "challenge": challenge})
    headers = _signed(secret, body) | {"Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS), trust_env=True) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            status, said = response.status, await response.text(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Finding(
            "fail", what, f"{url} does not answer: {type(error).__name__}", "start Frontdesk; check the proxy"
        )
    if status == 200 and challenge in said:
        return Finding("ok", what, f"{url} answers, and knows the secret")
    if status == 401:
        return Finding(
            "fail", what, f"{url} refuses it", "restart Frontdesk, and copy it anew from Basic Information"
        )
    return Finding("fail", what, f"{url} answers {status}", "let the proxy pass /slack/ on to Frontdesk")


async def _app(settings: SlackSettings, options: ChannelOptions) -> list[Finding]:
    """The app's own settings, which only a configuration token may read."""
    if settings.config_token is None:
        said = "which events Slack sends cannot be seen without SLACK_CONFIG_TOKEN"
        todo = "mention Frontdesk in a channel; if it keeps silent, make that token at the end of "
        return [Finding("warn", "app", said, f"{todo}https://api.slack.com/apps, set it, and run this again")]
    try:
        app = await _app_id(settings)
        if not app:
            said = "which app it is cannot be told without SLACK_APP_TOKEN"
            return [Finding("warn", "app", said, "compare it with deploy/slack-manifest.yaml by eye")]
        async with _asking(settings, settings.config_token.get_secret_value()) as api:
            answer = await api.call("", "apps.manifest.export", app_id=app)
    except SlackFailure as failure:
        return [_failed("SLACK_CONFIG_TOKEN", failure.code)]
    manifest = answer.get("manifest")
    told = manifest if isinstance(manifest, Mapping) else {}
    return compare(told, settings=settings, public_url=options.public_url)


async def _app_id(settings: SlackSettings) -> str:
    """Which app we are: it stands in an app's token, and Slack tells it to a bot."""
    if settings.app_token:
        return settings.app_token.get_secret_value().partition("-1-")[2].partition("-")[0]
    if settings.bot_token is None:
        return ""
    async with _asking(settings, settings.bot_token.get_secret_value()) as api:
        bot = await api.bot("")
        told = await api.call("", "bots.info", bot=bot.bot_id)
    return str(told.get("bot", {}).get("app_id", ""))


# -- asking ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    """The one token to ask with, wherever."""

    value: str

    async def token(self, team: str, enterprise: str = "") -> str | None:
        return self.value


@asynccontextmanager
async def _asking(settings: SlackSettings, token: str) -> AsyncGenerator[Api, None]:
    async with open_api(tokens=_Token(token), url=settings.api_url) as api:
        yield replace(api, sleep=_briefly)


async def _briefly(seconds: float) -> None:
    """A doctor does not wait for better times, as the channel does before it asks again."""
    await asyncio.sleep(min(seconds, 0.05))


def _signed(secret: SecretStr, body: str) -> dict[str, str]:
    timestamp = str(int(time.time()))
    signature = SignatureVerifier(secret.get_secret_value()).generate_signature(
        timestamp=timestamp, body=body
    )
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature or ""}


def _failed(what: str, code: str) -> Finding:
    said, todo = CAUSES.get(code, (f"Slack says {code}", "see https://docs.slack.dev/reference/methods"))
    return Finding("fail", what, said, todo)
