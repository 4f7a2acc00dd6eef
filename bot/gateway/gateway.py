"""The gateway's routes, put together: each path of /v1, and the answers to those there are not.

Knows paths and methods. What happens behind them stands in one file each.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from bot.gateway.access import Access
from bot.gateway.completions import Completions
from bot.gateway.errors import ApiError, Handler, spoken
from bot.gateway.models import ModelCards
from bot.gateway.moderations import Moderations
from bot.gateway.openapi import document
from bot.gateway.prompts import Prompts
from bot.metrics import Metrics
from bot.models import Models
from bot.store import Store
from moderation import Moderator
from worker.client import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What it is made of; one per process. `created` is in unix seconds, of its models."""

    store: Store
    queue: Queue
    moderator: Moderator
    models: Models
    access: Access
    metrics: Metrics
    created: int
    keeps_texts: bool = True  # of verdicts, for review

    def routes(self) -> list[web.RouteDef]:
        """Everything below /v1, unknown paths and wrong methods included: they too answer in OpenAI's shape."""
        completions = Completions(
            store=self.store,
            queue=self.queue,
            moderator=self.moderator,
            prompts=Prompts(
                moderator=self.moderator,
                metrics=self.metrics,
                store=self.store,
                keeps_texts=self.keeps_texts,
            ),
            models=self.models,
            access=self.access,
            metrics=self.metrics,
            keeps_texts=self.keeps_texts,
        )
        cards = ModelCards(access=self.access, models=self.models, created=self.created)
        moderations = Moderations(
            access=self.access, moderator=self.moderator, metrics=self.metrics, store=self.store
        )
        return [
            *_route("POST", "/v1/chat/completions", completions.create),
            *_route("GET", "/v1/models", cards.index),
            *_route("GET", "/v1/models/{model:(?s:.+)}", cards.show),
            *_route("POST", "/v1/moderations", moderations.create),
            *_route("GET", "/v1/openapi.json", document),
            web.route("*", "/v1/{tail:(?s:.*)}", spoken(_unknown)),
        ]


def _route(method: str, path: str, handler: Handler) -> tuple[web.RouteDef, web.RouteDef]:
    """The method, and for all others a sentence; both must stand one after another for aiohttp."""

    async def wrong_method(request: web.Request) -> web.StreamResponse:
        response = ApiError(
            f"Not allowed to {request.method} on {path}. Use {method}.", status=405, code="method_not_allowed"
        ).response()
        response.headers["Allow"] = method
        return response

    return web.route(method, path, spoken(handler)), web.route("*", path, wrong_method)


async def _unknown(request: web.Request) -> web.StreamResponse:
    raise ApiError(
        f"Unknown request URL: {request.method} {request.path[:200]}. "
        "There are /v1/chat/completions, /v1/models and /v1/moderations.",
        status=404,
        code="unknown_url",
    )
