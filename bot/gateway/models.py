"""GET /v1/models: the model that answers, under its own name and as "default".

Knows one variant. Which models the library holds is the operators' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.gateway.access import Access
from bot.gateway.errors import ApiError

DEFAULT = "default"  # whatever the worker runs


def resolve(name: str, *, variant: str) -> None:
    """Raises ApiError 404, naming what there is, unless `name` is the model that answers."""
    if name not in (variant, DEFAULT):
        raise ApiError(
            f"The model '{name[:80]}' does not exist here. There is '{variant}', also as '{DEFAULT}'.",
            status=404,
            code="model_not_found",
            param="model",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """`created` is in unix seconds, `context_length` in tokens."""

    access: Access
    variant: str
    created: int
    context_length: int

    async def index(self, request: web.Request) -> web.StreamResponse:
        await self.access.caller(request)
        return web.json_response({"object": "list", "data": [self._card()]})

    async def show(self, request: web.Request) -> web.StreamResponse:
        await self.access.caller(request)
        resolve(request.match_info["model"], variant=self.variant)
        return web.json_response(self._card())

    def _card(self) -> dict[str, Any]:
        return {
            "id": self.variant,
            "object": "model",
            "created": self.created,
            "owned_by": "frontdesk",
            "max_model_len": self.context_length,  # as vLLM names it
        }
