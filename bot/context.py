"""Which part of the history goes to the model: the system prompt, then as many of the newest turns as fit.

Counts tokens with the model's own tokenizer. Knows nothing of storage; never cuts inside a turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.chat import Chat, ChatError, Turn

# An answer needs room: at least this many tokens of the context stay free for it, or a quarter of a small context.
ANSWER_ROOM = 256


class MessageTooLong(ValueError):
    """The newest message alone does not fit. `tokens` it has, `limit` would fit."""

    def __init__(self, *, tokens: int, limit: int) -> None:
        super().__init__(f"the message has {tokens} tokens, {limit} fit")
        self.tokens = tokens
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Fitted:
    """The prompt (token ids), the room left for the answer (tokens) and how many old turns were left out. `prefix` of
    its tokens are the same for everybody who is given this system prompt."""

    prompt: tuple[int, ...]
    prefix: int
    room: int
    left_out: int


def fit(chat: Chat, *, system: str, turns: Sequence[Turn]) -> Fitted:
    """Render `turns` (oldest first, the last one is the question) within the model's context.

    Oldest turns go first. Raises MessageTooLong when system prompt and newest turn alone are too much.
    """
    merged = merge(turns)
    head = (Turn("system", system),) if system else ()
    limit = chat.context_length - min(ANSWER_ROOM, chat.context_length // 4)
    start = _first_that_may_fit(chat, merged, limit)
    while True:
        prompt = chat.prompt((*head, *merged[start:]))
        if len(prompt) <= limit:
            room = chat.context_length - len(prompt)
            return Fitted(prompt, prefix=shared(chat, system, prompt), room=room, left_out=start)
        if start >= len(merged) - 1:
            overhead = len(prompt) - chat.count(merged[-1].content)
            raise MessageTooLong(tokens=chat.count(merged[-1].content), limit=max(0, limit - overhead))
        start = _next_question(merged, start + 1)


def shared(chat: Chat, system: str, prompt: tuple[int, ...]) -> int:
    """How many leading tokens of a prompt every conversation with its system prompt has; 0 where that is not so."""
    try:
        beginning = chat.beginning(system)
    except ChatError:  # a template that takes this conversation and not a shorter one
        return 0
    return len(beginning) if prompt[: len(beginning)] == beginning else 0


def merge(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Turns of one speaker in a row become one (templates want person and model in turn); a person comes first."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            merged[-1] = Turn(turn.role, f"{merged[-1].content}\n\n{turn.content}")
        elif merged or turn.role == "user":
            merged.append(turn)
    return tuple(merged)


def _first_that_may_fit(chat: Chat, turns: Sequence[Turn], limit: int) -> int:
    """Skip what cannot fit by content alone, so that a long history is not rendered again and again."""
    used = 0
    for index in range(len(turns) - 1, -1, -1):
        used += chat.count(turns[index].content)
        if used > limit and index < len(turns) - 1:
            return _next_question(turns, index + 1)
    return 0


def _next_question(turns: Sequence[Turn], start: int) -> int:
    while start < len(turns) - 1 and turns[start].role != "user":
        start += 1
    return start
