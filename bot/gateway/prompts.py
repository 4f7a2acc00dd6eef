"""From a request's conversation to the token ids that the model reads: does it fit, and may it be said?

Knows the chat template's limits and the input policy. Leaves the answer to `completions`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import structlog

from bot.context import shared
from bot.gateway.errors import BadRequest
from bot.gateway.requests import Completion
from bot.metrics import Metrics
from inference.chat import Chat, Turn
from moderation import Direction, Mode, ModerationFailed, Moderator, Verdict

log = structlog.get_logger(__name__)

# Characters that are rendered and tokenised right here: 1.5 ms measured. A thread's hop costs 0.15 ms, and more on a
# busy loop; but a book (200,000 characters, 200 ms) would hold up everybody else.
INLINE_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids, of which `prefix` leading ones are shared by all that have the same system prompt, and `room` tokens
    left for the answer in the model's context."""

    ids: tuple[int, ...]
    prefix: int
    room: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    moderator: Moderator
    metrics: Metrics

    async def prompt(self, asked: Completion, chat: Chat, *, screen: Mode) -> Prompt:
        """The conversation as a model's token ids. An over-long one is told so before it is judged.

        Raises BadRequest for what does not fit, what the policy blocks and what the chat template refuses (ChatError),
        and ModerationFailed where a check fails and must not.
        """
        prompt = await _rendered(asked.turns, chat)
        _check_room(prompt, asked)
        turns = await self._judged(asked.turns, screen)
        if turns == asked.turns:
            return prompt
        prompt = await _rendered(turns, chat)
        _check_room(prompt, asked)
        return prompt

    async def _judged(self, turns: tuple[Turn, ...], screen: Mode) -> tuple[Turn, ...]:
        """The turns as the model may read them. All that the client wrote is judged, whatever role it gave it; what
        the model said was judged then."""
        if screen == "off":
            return turns
        judged = list(turns)
        for number, turn in enumerate(turns):
            if turn.role == "assistant":
                continue
            verdict = await self._verdict(turn.content, screen)
            if verdict is None or screen == "shadow":
                continue
            if verdict.action == "block":
                raise _refused(verdict)
            judged[number] = replace(turn, content=verdict.text)
            await asyncio.sleep(0)  # others' turn: a long conversation is much to read
        return tuple(judged)

    async def _verdict(self, text: str, screen: Mode) -> Verdict | None:
        """None where a check failed and only watches."""
        try:
            verdict = await self.moderator.check(text, direction="input")
        except ModerationFailed as error:
            self.metrics.screen_failures.inc()
            if screen == "hold":
                raise
            log.warning("a check failed in the shadow", check=error.check)
            return None
        note(verdict, direction="input")
        return verdict


async def _rendered(turns: tuple[Turn, ...], chat: Chat) -> Prompt:
    if sum(len(turn.content) for turn in turns) <= INLINE_CHARS:
        return _prompt(turns, chat)
    return await asyncio.to_thread(_prompt, turns, chat)


def _prompt(turns: tuple[Turn, ...], chat: Chat) -> Prompt:
    ids = chat.prompt(turns)
    system = turns[0].content if turns[0].role == "system" else ""
    return Prompt(ids, prefix=shared(chat, system, ids), room=chat.context_length - len(ids))


def _check_room(prompt: Prompt, asked: Completion) -> None:
    needed = max(1, asked.min_tokens)
    if prompt.room < needed:
        raise BadRequest(
            f"This model's maximum context length is {prompt.room + len(prompt.ids)} tokens. However, your messages "
            f"resulted in {len(prompt.ids)} tokens and the answer needs {needed} or more. "
            "Please reduce the length of the messages.",
            code="context_length_exceeded",
            param="messages",
        )


def note(verdict: Verdict, *, direction: Direction) -> None:
    """What the screen decided, for operators; the text itself stays out of the log."""
    if verdict.action != "allow":
        checks = sorted({finding.check for finding in verdict.findings})
        log.info("judged", direction=direction, action=verdict.action, checks=checks, policy=verdict.policy)


def _refused(verdict: Verdict) -> BadRequest:
    if any(finding.action == "block" and finding.category == "length" for finding in verdict.findings):
        return BadRequest(
            "A message is longer than the policy of this server allows.",
            code="string_above_max_length",
            param="messages",
        )
    return BadRequest(
        "Your request was rejected by the policy of this server.",
        code="content_policy_violation",
        param="messages",
    )
