"""Bolt, which checks what comes by HTTP, with our inbox in it; and the route that leads there.

Knows bolt and HTTP. Leaves what is delivered to `inbox`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow

from bot.channels.slack.inbox import Inbox
from bot.channels.slack.settings import SlackSettings

log = structlog.get_logger(__name__)

EVENTS = "/slack/events"
BODY_SECONDS = 10.0  # for what is delivered to arrive: nobody knows yet whether it is Slack that sends it


def open_app(settings: SlackSettings, inbox: Inbox, *, flow: AsyncOAuthFlow | None = None) -> AsyncApp:
    """Bolt's app. It reads the environment for whatever it is not given, so it is given everything."""
    secret, token = settings.signing_secret, settings.bot_token
    return AsyncApp(
        name="frontdesk",
        signing_secret=secret.get_secret_value() if secret else "",
        token=token.get_secret_value() if token else None,
        oauth_flow=flow,
        before_authorize=inbox.take,
    )


@dataclass(frozen=True, slots=True)
class Door:
    """Events, interactions and commands by HTTP. Only for an app with a signing secret: without, anybody could sign."""

    app: AsyncApp

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.post(EVENTS, self.delivered),)

    async def delivered(self, request: web.Request) -> web.StreamResponse:
        """POST: what Slack delivers."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                asked = await to_bolt_request(request)
        except web.HTTPException:
            raise  # too large
        except TimeoutError:
            return web.Response(status=408)
        except (
            Exception
        ) as error:  # bolt looks into a body before it knows who sent it, and trips over odd ones
            log.info("a request to Slack's address could not be read", cause=type(error).__name__)
            return web.Response(status=400)
        return await to_aiohttp_response(await self.app.async_dispatch(asked))
