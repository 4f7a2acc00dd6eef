"""From a request's conversation to the token ids that the model reads: does it fit, and may it be said?

Knows the chat template's limits and the input policy. Leaves the answer to `completions`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import structlog

from bot import notices
from bot.context import shared
from bot.gateway.access import CHANNEL, Caller
from bot.gateway.audit import keep, note
from bot.gateway.errors import BadRequest
from bot.gateway.requests import Completion
from bot.metrics import Metrics
from bot.record import judged_beside
from bot.store import Judged, Store
from inference.chat import Chat, Turn
from moderation import Mode, ModerationFailed, Moderator, Verdict
from moderation.pii import Vault, mask

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


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model reads, what stands behind the placeholders in it, and what was found in what the client sent.
    `mode`: how the answer is screened."""

    prompt: Prompt
    mode: Mode
    system: str
    vault: Vault
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    moderator: Moderator
    metrics: Metrics
    store: Store
    keeps_texts: bool = True

    async def read(self, asked: Completion, chat: Chat, *, caller: Caller) -> Reading:
        """The conversation as a model's token ids. An over-long one is told so before it is judged.

        Raises BadRequest for what does not fit, what the policy blocks and what the chat template refuses (ChatError),
        and ModerationFailed where a check fails and must not.
        """
        prompt = await _rendered(asked.turns, chat)
        _check_room(prompt, asked)
        # A key that is not simply held says so itself; else the policy does.
        mode = caller.screen if caller.screen != "hold" else self.moderator.mode(caller.where)
        if mode == "off":
            return Reading(prompt, mode, _system(asked.turns), Vault())
        vault = Vault(turn.content for turn in asked.turns)
        turns, found = await self._judged(asked.turns, caller, mode, vault)
        if turns == asked.turns:
            return Reading(prompt, mode, _system(turns), Vault(), found)
        prompt = await _rendered(turns, chat)
        _check_room(prompt, asked)
        return Reading(prompt, mode, _system(turns), vault, found)

    async def _judged(
        self, turns: tuple[Turn, ...], caller: Caller, mode: Mode, vault: Vault
    ) -> tuple[tuple[Turn, ...], tuple[Judged, ...]]:
        """The turns as the model may read them, and what was found. All that the client wrote is judged, whatever role
        it gave it; what the model said was judged then, and only loses what the client's own words gave to the vault.
        """
        read, found = list(turns), list[Judged]()
        for number, turn in enumerate(turns):
            if turn.role == "assistant":
                continue
            verdict = await self._verdict(turn.content, caller, mode, vault)
            if verdict is None:
                continue
            row = await judged_beside(verdict, turn.content, direction="input", keeps_text=self.keeps_texts)
            found.append(row)
            if mode == "shadow":
                continue
            if verdict.action == "block":
                await keep(self.store, found, caller)
                raise _refused(verdict)
            read[number] = replace(turn, content=verdict.text)
            await asyncio.sleep(0)  # others' turn: a long conversation is much to read
        if mode == "hold":
            read = [
                replace(turn, content=mask(turn.content, (), vault)) if turn.role == "assistant" else turn
                for turn in read
            ]
        return tuple(read), tuple(found)

    async def _verdict(self, text: str, caller: Caller, mode: Mode, vault: Vault) -> Verdict | None:
        """None where a check failed and only watches."""
        masking = vault if mode == "hold" else None
        try:
            verdict = await self.moderator.check(text, direction="input", where=caller.where, vault=masking)
        except ModerationFailed as error:
            self.metrics.screen_failures.inc()
            if mode == "hold":
                raise
            log.warning("a check failed in the shadow", check=error.check)
            return None
        self.metrics.judged(verdict, channel=CHANNEL, direction="input")
        note(verdict, direction="input")
        return verdict


async def _rendered(turns: tuple[Turn, ...], chat: Chat) -> Prompt:
    if sum(len(turn.content) for turn in turns) <= INLINE_CHARS:
        return _prompt(turns, chat)
    return await asyncio.to_thread(_prompt, turns, chat)


def _prompt(turns: tuple[Turn, ...], chat: Chat) -> Prompt:
    ids = chat.prompt(turns)
    return Prompt(ids, prefix=shared(chat, _system(turns), ids), room=chat.context_length - len(ids))


def _system(turns: tuple[Turn, ...]) -> str:
    return turns[0].content if turns[0].role == "system" else ""


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


def _refused(verdict: Verdict) -> BadRequest:
    if any(finding.action == "block" and finding.category == "length" for finding in verdict.findings):
        return BadRequest(
            "A message is longer than the policy of this server allows.",
            code="string_above_max_length",
            param="messages",
        )
    return BadRequest(
        notices.own(verdict.notice, "en") or "Your request was rejected by the policy of this server.",
        code="content_policy_violation",
        param="messages",
    )
