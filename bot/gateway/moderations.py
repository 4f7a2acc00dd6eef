"""POST /v1/moderations: what the policy finds in a text, in OpenAI's form, and what it would do with it as input.

Knows the form. Leaves judging to the moderator.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.gateway.access import Access
from bot.gateway.body import read_model, read_object
from bot.gateway.errors import BadRequest
from bot.gateway.unsupported import refuse_options
from moderation import Moderator, TextRefused, Verdict, clean

INPUTS = 128  # texts a request: judging them one after another stays within a second
# OpenAI's categories; those of our own policy come on top.
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def _texts(value: object) -> object:
    """One text, several, or OpenAI's parts {"type": "text", "text": ...}."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [
            part["text"] if isinstance(part, dict) and part.keys() == {"type", "text"} else part
            for part in value
        ]
    return value


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    input: Annotated[list[str], BeforeValidator(_texts), Field(min_length=1, max_length=INPUTS)]
    model: str = ""  # OpenAI's names are taken as they come: the answer says which policy judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderations:
    access: Access
    moderator: Moderator

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Judge each text by itself, as a person's message."""
        await self.access.caller(request)
        body = await read_object(request)
        asked = read_model(_Body, {name: value for name, value in body.items() if value is not None})
        refuse_options(asked.model_extra or {})
        results = []
        for number, text in enumerate(asked.input):
            results.append(_result(await self._verdict(text, number)))
            await asyncio.sleep(0)  # others' turn: many long texts are much to read
        return web.json_response(
            {
                "id": f"modr-{uuid.uuid4().hex}",
                "model": f"frontdesk-policy-{self.moderator.policy}",
                "results": results,
            }
        )

    async def _verdict(self, text: str, number: int) -> Verdict:
        try:
            cleaned = clean(text)
        except TextRefused as error:
            raise BadRequest(
                f"Invalid 'input[{number}]': {error}.", code="invalid_value", param=f"input[{number}]"
            ) from None
        return await self.moderator.check(cleaned, direction="input")


def _result(verdict: Verdict) -> dict[str, Any]:
    found = {finding.category or finding.check for finding in verdict.findings if finding.action != "allow"}
    names = (*CATEGORIES, *sorted(found - set(CATEGORIES)))
    return {
        "flagged": verdict.action != "allow",
        "action": verdict.action,
        "categories": {name: name in found for name in names},
        "category_scores": {name: float(name in found) for name in names},
        "category_applied_input_types": {name: ["text"] for name in names},
    }
