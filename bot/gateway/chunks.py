"""OpenAI's forms of an answer: the chunks of a stream, and the whole.

Knows shapes only. Which text and which end, the caller says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from bot.gateway.sse import DONE, event

__all__ = ["Chunks", "Usage", "event", "whole"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written."""

    prompt: int
    completion: int

    def body(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


class Chunks:
    """The events of one stream, as bytes."""

    def __init__(self, name: str, *, model: str, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._head = {
            "id": name,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }

    def opening(self) -> bytes:
        """Who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def end(self, reason: str, usage: Usage) -> bytes:
        """The last events: why it ended, what it cost if that was asked for, and the end mark."""
        events = self._chunk({}, reason)
        if self._include_usage:
            events += event({**self._head, "choices": [], "usage": usage.body()})
        return events + DONE

    def _chunk(self, delta: dict[str, str], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        body: dict[str, Any] = {**self._head, "choices": [choice]}
        if self._include_usage:
            body["usage"] = None  # as OpenAI: null until the last
        return event(body)


def whole(name: str, *, model: str, text: str, reason: str, usage: Usage) -> dict[str, Any]:
    """The answer of a request without a stream."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": name,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage.body(),
    }
