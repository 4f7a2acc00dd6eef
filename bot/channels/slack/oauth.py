"""How a workspace installs Frontdesk in its browser: two pages, between them Slack asks whether it may.

Knows Slack's OAuth (bolt's flow) and the pages that people see. Leaves what is installed to `installation`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import logging
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from logging import Logger
from urllib.parse import quote

import aiohttp
import structlog
from aiohttp import hdrs, web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore

from bot.channels.base import Shelf
from bot.channels.slack.installation import Installed, ManyWorkspaces
from bot.channels.slack.scopes import SCOPES
from bot.channels.slack.settings import SlackSettings
from bot.limits import Limiter
from bot.messages import Unavailable
from bot.notices import notice
from bot.peer import address

log = structlog.get_logger(__name__)

INSTALL = "/slack/install"
REDIRECT = "/slack/oauth_redirect"
STATE = re.compile(r"[A-Za-z0-9_-]{32}")
STATE_SECONDS = 600  # for a person to read what Slack asks
TEAM = re.compile(r"[TE][A-Z0-9]{1,20}")
STALE = frozenset({"invalid_browser", "invalid_state", "missing_code"})
STYLE = (  # the widget's paper, ink and teal
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;background:light-dark(#fbfaf7,#121817);"
    'color:light-dark(#1c2523,#e5ebe8);font:17px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",'
    '"PingFang SC","Microsoft YaHei",sans-serif}'
    "main{box-sizing:border-box;max-width:34rem;padding:32px;text-wrap:pretty}"
    "h1{margin:0 0 12px;font-size:1.3rem;letter-spacing:-.012em;color:light-dark(#0b5d57,#7ccabe)}p{margin:0}"
    "a{display:inline-block;margin-top:26px;padding:11px 24px;border-radius:26px;background:light-dark(#0b5d57,#1c7a71)"
    ";color:#fff;font-weight:600;text-decoration:none}a:focus-visible{outline:2px solid;outline-offset:3px}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address holds a code
    "X-Content-Type-Options": "nosniff",
}

Step = Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """The two pages; one per process. `limiter` counts by address: each visit puts a note on the shelf."""

    flow: AsyncOAuthFlow
    trusted_proxies: int = 0
    limiter: Limiter = field(default_factory=lambda: Limiter(rate=0.2, burst=20))

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.get(INSTALL, self.install, allow_head=False),
            web.get(REDIRECT, self.redirected, allow_head=False),
        )

    async def install(self, request: web.Request) -> web.StreamResponse:
        """GET: on to Slack, which asks the person; ?team= proposes a workspace."""
        team = request.query.get("team", "")
        return await self._answer(
            request, self.flow.handle_installation, f"team={team}" if TEAM.fullmatch(team) else ""
        )

    async def redirected(self, request: web.Request) -> web.StreamResponse:
        """GET: back from Slack, with a code that is worth a token or with a no."""
        return await self._answer(request, self.flow.handle_callback, request.query_string)

    async def _answer(self, request: web.Request, step: Step, query: str) -> web.StreamResponse:
        language = _language(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
        if wait := self.limiter.take(address(request, trusted_proxies=self.trusted_proxies)):
            seconds = math.ceil(wait)
            said = page(notice("flood", language, seconds=seconds), language=language)
            return _html(said, status=429, headers={"Retry-After": str(seconds)})
        headers: dict[str, str | Sequence[str]] = {
            name: request.headers.getall(name) for name in request.headers
        }
        try:
            answered = await step(AsyncBoltRequest(body="", query=query, headers=headers))
        except (Unavailable, aiohttp.ClientError, TimeoutError) as error:
            log.warning("a workspace could not be installed", cause=type(error).__name__)
            return _html(_failed("slack_install_failed", language), status=503)
        response = await to_aiohttp_response(answered)
        response.headers.update(HEADERS)
        return response


def open_oauth(
    settings: SlackSettings,
    *,
    workspaces: ManyWorkspaces,
    shelf: Shelf,
    public_url: str,
    trusted_proxies: int = 0,
) -> OAuth:
    """The pages for whoever reaches `public_url`."""
    number, secret = settings.client
    flow = AsyncOAuthFlow(
        client=workspaces.client,
        logger=_quiet(),
        settings=AsyncOAuthSettings(
            client_id=number,
            client_secret=secret,
            scopes=list(SCOPES),
            user_scopes=[],
            redirect_uri=f"{public_url.rstrip('/')}{REDIRECT}",
            install_path=INSTALL,
            redirect_uri_path=REDIRECT,
            install_page_rendering_enabled=False,
            authorization_url=f"{settings.api_url.removesuffix('api/')}oauth/v2/authorize",
            callback_options=AsyncCallbackOptions(success=_succeeded, failure=_refused),
            installation_store=BoltInstallations(workspaces),
            installation_store_bot_only=True,
            state_store=States(shelf),
            state_expiration_seconds=STATE_SECONDS,
            logger=_quiet(),
        ),
    )
    return OAuth(flow=flow, trusted_proxies=trusted_proxies)


# -- what bolt keeps -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BoltInstallations(AsyncInstallationStore):
    """Our installations, as bolt speaks of them. It renews no tokens: it is given none that ends."""

    workspaces: ManyWorkspaces

    async def async_save(self, installation: Installation) -> None:
        try:
            await self.workspaces.keep(_installed(installation))
        except Unavailable as error:
            raise BoltError("the shelf is away") from error

    async def async_find_bot(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        is_enterprise_install: bool | None = False,
    ) -> Bot | None:
        found = await self.workspaces.find(team_id or "", enterprise_id or "")
        if found is None:
            return None
        return Bot(
            app_id=found.app,
            enterprise_id=found.enterprise or None,
            team_id=found.team or None,
            team_name=found.name,
            bot_token=found.token,
            bot_id=found.bot,
            bot_user_id=found.bot_user,
            bot_scopes=found.scopes,
            is_enterprise_install=not found.team,
            installed_at=found.at,
        )


@dataclass(frozen=True, slots=True)
class States(AsyncOAuthStateStore):
    """Which installations were begun, each good for one return within STATE_SECONDS."""

    shelf: Shelf

    async def async_issue(self, *_: object, **__: object) -> str:
        state = secrets.token_urlsafe(24)
        await self.shelf.put(f"state/{state}", "begun", seconds=STATE_SECONDS)
        return state

    async def async_consume(self, state: str) -> bool:
        return bool(STATE.fullmatch(state)) and await self.shelf.take(f"state/{state}") is not None


def _installed(installation: Installation) -> Installed:
    """What of it we keep: nothing of the person who installed it. Raises BoltError where it brought no bot."""
    if not installation.bot_token or not (installation.team_id or installation.enterprise_id):
        raise BoltError("no token of a bot came")
    whole = installation.is_enterprise_install
    return Installed(
        team="" if whole else installation.team_id or "",
        enterprise=installation.enterprise_id or "",
        name=(installation.enterprise_name if whole else installation.team_name) or "",
        app=installation.app_id or "",
        bot=installation.bot_id or "",
        bot_user=installation.bot_user_id or "",
        scopes=tuple(installation.bot_scopes or ()),
        token=installation.bot_token,
        refresh=installation.bot_refresh_token or "",
        until=float(installation.bot_token_expires_at or 0),
        at=installation.installed_at,
    )


# -- what people see -------------------------------------------------------------------------------------------


async def _succeeded(args: AsyncSuccessArgs) -> BoltResponse:
    installation, language = args.installation, _asked_in(args.request)
    name = installation.team_name or installation.enterprise_name or "Slack"
    team = installation.team_id or installation.enterprise_id or ""
    link = f"https://slack.com/app_redirect?app={quote(installation.app_id or '')}&team={quote(team)}"
    said = page(
        notice("slack_installed", language, team=name),
        link=link,
        label=notice("slack_open", language),
        language=language,
    )
    return _bolt(said, args, status=200)


async def _refused(args: AsyncFailureArgs) -> BoltResponse:
    log.warning("a workspace was not installed", reason=args.reason[:40], status=args.suggested_status_code)
    name = "slack_install_failed"
    if args.reason == "access_denied":
        name = "slack_install_cancelled"
    elif args.reason in STALE:
        name = "slack_install_stale"
    return _bolt(_failed(name, _asked_in(args.request)), args, status=args.suggested_status_code)


def page(text: str, *, link: str = "", label: str = "", language: str) -> str:
    """A sentence and a link, as a page."""
    anchor = f'<p><a href="{html.escape(link)}">{html.escape(label)}</a></p>' if link else ""
    return (
        f'<!doctype html><html lang="{html.escape(language)}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Frontdesk</title>'
        f"<style>{STYLE}</style>"
        f"<main><h1>Frontdesk</h1><p>{html.escape(text)}</p>{anchor}</main></html>"
    )


def _failed(name: str, language: str) -> str:
    return page(
        notice(name, language), link=INSTALL, label=notice("slack_install_again", language), language=language
    )


def _bolt(body: str, args: AsyncSuccessArgs | AsyncFailureArgs, *, status: int) -> BoltResponse:
    """The page as bolt hands it on; the cookie of this installation is over."""
    gone = args.settings.state_utils.build_set_cookie_for_deletion()
    return BoltResponse(
        status=status, body=body, headers={"Content-Type": "text/html; charset=utf-8", "Set-Cookie": gone}
    )


def _html(body: str, *, status: int, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        text=body, status=status, content_type="text/html", headers={**HEADERS, **(headers or {})}
    )


def _asked_in(request: AsyncBoltRequest) -> str:
    return _language(next(iter(request.headers.get("accept-language", [])), ""))


def _language(accepted: str) -> str:
    """The language that a browser likes best, of those that we speak."""
    return "zh" if accepted.strip().lower().startswith("zh") else "en"


def _quiet() -> Logger:
    """Bolt's own lines would name codes, and what a code is worth."""
    logger = logging.getLogger("slack_bolt.oauth.frontdesk")
    logger.setLevel(logging.CRITICAL)
    return logger
