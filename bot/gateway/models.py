"""GET /v1/models: the aliases, and every variant in the library with whether a worker has it loaded.

Knows names. Which model a conversation gets is for `bot.models` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.gateway.access import Access
from bot.gateway.errors import ApiError
from bot.models import Models, Served
from inference.library.reference import CANARY, DEFAULT


def resolve(name: str, models: Models, *, conversation: str) -> Served:
    """The model that a request names. Raises ApiError 404, naming what may be asked for."""
    served = models.named(name, conversation=conversation)
    if served is None:
        there = ", ".join(f"'{model.reference}'" for model in models.answering())
        raise ApiError(
            f"The model '{name[:80]}' does not exist here or is not loaded. There is {there}, also as '{DEFAULT}'.",
            status=404,
            code="model_not_found",
            param="model",
        )
    return served


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCards:
    """`created` is in unix seconds."""

    access: Access
    models: Models
    created: int

    async def index(self, request: web.Request) -> web.StreamResponse:
        await self.access.caller(request)
        return web.json_response({"object": "list", "data": list((await self._cards()).values())})

    async def show(self, request: web.Request) -> web.StreamResponse:
        await self.access.caller(request)
        name, cards = request.match_info["model"], await self._cards()
        if name not in cards:
            name = resolve(
                name, self.models, conversation=""
            ).reference  # raises what names those that are there
        return web.json_response(cards[name])

    async def _cards(self) -> dict[str, dict[str, Any]]:
        """By name: what may be asked for, then what lies in the library as well."""
        cards = {DEFAULT: self._card(DEFAULT, self.models.default, root=True)}
        if self.models.canary is not None:
            cards[CANARY] = self._card(CANARY, self.models.canary, root=True)
        for served in self.models.answering():
            cards[served.reference] = self._card(served.reference, served)
        for folder in await self.models.library():
            if folder.name not in cards:
                cards[folder.name] = self._body(folder.name, loaded=False, context=folder.context_length)
        return cards

    def _card(self, name: str, served: Served, *, root: bool = False) -> dict[str, Any]:
        loaded = served.reference in self.models.loaded
        body = self._body(name, loaded=loaded, context=served.chat.context_length)
        return body | ({"root": served.reference} if root else {})

    def _body(self, name: str, *, loaded: bool, context: int) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self.created,
            "owned_by": "frontdesk",
            "max_model_len": context,  # as vLLM names it, like root
            "loaded": loaded,
        }
