"""POST /v1/moderations: what the policy finds in a text, in OpenAI's form, and what it would do with it as input.

Knows the form. Leaves judging to the moderator.

2026-11-24: `category_scores` are the classifier's own probabilities where it has such a category, raised to 1.0 where
a rule found one. It has no sub-categories: hate/threatening and the like are what rules say, else 0.0. A category is
true where the policy would do something about it; a high score below the policy's thresholds is not. Personal data
and secrets are no offence: they show in `action` alone, and flag nothing. What is asked here is written down without
its text and asks nobody for a review: the caller only wanted to know.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.gateway.access import CHANNEL, Access, Caller
from bot.gateway.audit import keep, to_its_end
from bot.gateway.body import read_model, read_object
from bot.gateway.errors import BadRequest
from bot.gateway.unsupported import refuse_options
from bot.metrics import Metrics
from bot.record import is_private, judged
from bot.store import Store
from moderation import ModerationFailed, Moderator, TextRefused, Verdict, clean
from moderation.categories import CATEGORIES as CLASSIFIED
from moderation.categories import OVERALL

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


class InputPart(BaseModel):
    """A text, as OpenAI wraps it."""

    type: Literal["text"]
    text: str


class Body(BaseModel):
    """Texts to be judged."""

    model_config = ConfigDict(strict=True, extra="allow")

    input: Annotated[
        list[str],
        BeforeValidator(_texts, json_schema_input_type=str | list[str | InputPart]),
        Field(min_length=1, max_length=INPUTS),
    ]
    model: str = ""  # OpenAI's names are taken as they come: the answer says which policy judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderations:
    access: Access
    moderator: Moderator
    metrics: Metrics
    store: Store

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Judge each text by itself, as a person's message."""
        caller = await self.access.caller(request)
        body = await read_object(request)
        asked = read_model(Body, {name: value for name, value in body.items() if value is not None})
        refuse_options(asked.model_extra or {})
        texts = [_readable(text, number) for number, text in enumerate(asked.input)]
        verdicts = []
        for text in texts:
            verdicts.append(await self._verdict(text, caller))
            await asyncio.sleep(0)  # others' turn: many long texts are much to read
        response = web.json_response(
            {
                "id": f"modr-{uuid.uuid4().hex}",
                "model": f"frontdesk-policy-{self.moderator.policy}",
                "results": [_result(verdict) for verdict in verdicts],
            }
        )
        await response.prepare(request)
        await response.write_eof()  # nobody need wait for what is written down
        rows = [
            judged(verdict, text, direction="input", keeps_text=False)
            for verdict, text in zip(verdicts, texts, strict=True)
        ]
        await to_its_end(keep(self.store, rows, caller))
        return response

    async def _verdict(self, text: str, caller: Caller) -> Verdict:
        try:
            verdict = await self.moderator.check(text, direction="input", where=caller.where)
        except ModerationFailed:
            self.metrics.screen_failures.inc()
            raise
        self.metrics.judged(verdict, channel=CHANNEL, direction="input")
        return verdict


def _readable(text: str, number: int) -> str:
    try:
        return clean(text)
    except TextRefused as error:
        raise BadRequest(
            f"Invalid 'input[{number}]': {error}.", code="invalid_value", param=f"input[{number}]"
        ) from None


def _result(verdict: Verdict) -> dict[str, Any]:
    found = [f for f in verdict.findings if f.action != "allow" and not is_private(f)]
    named = {finding.category or finding.check for finding in found}
    by_rule = {finding.category or finding.check for finding in found if finding.score is None}
    names = (*CATEGORIES, *sorted({*CLASSIFIED, *named} - set(CATEGORIES)))
    topics = {f.category: f.score for f in found if f.score is not None}
    scores = {**topics, **verdict.scores.values}
    return {
        "flagged": bool(found) or verdict.action == "block",
        "action": verdict.action,
        "categories": {name: name in named for name in names},
        "category_scores": {name: 1.0 if name in by_rule else scores.get(name, 0.0) for name in names},
        "category_applied_input_types": {name: ["text"] for name in names},
        "overall": scores.get(OVERALL),
        "language": verdict.scores.language,
    }
