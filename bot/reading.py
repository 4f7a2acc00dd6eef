"""What a model may read of a conversation: each message judged, personal data replaced by placeholders.

Knows which messages are judged and what becomes of them. Leaves judging to the moderator, and how much of it fits a
model to `bot/context.py`.

2026-11-24: what the house answered is kept and shown restored, so it is hidden again before the model reads it: by
the values that people's own messages gave to the vault, and by no check (it was judged when it was written). People's
messages come first and in order: built again from the same messages, the placeholders are the same, and an answer
that another process takes up goes on with the placeholders that its first tokens speak of.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot import commands
from bot.record import Record, judged_beside
from bot.store import Begun, HistoryMessage, Lease, Store
from inference.chat import Chat, Turn
from moderation import Context, Mode, ModerationFailed, Moderator, Verdict, Where
from moderation.pii import Vault, mask

log = structlog.get_logger(__name__)

HISTORY = 60  # messages read for the context; the token budget cuts further


class Refused(Exception):
    """The person's message did not pass the input check: `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(", ".join(sorted({f.category or f.check for f in verdict.findings})))
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Said:
    """A conversation as the model may read it, and what stands behind the placeholders in it."""

    turns: tuple[Turn, ...]
    vault: Vault


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of an answer, before the model is asked. In the shadow everything is judged and nothing is changed."""

    store: Store
    moderator: Moderator
    where: Where
    mode: Mode
    record: Record

    async def said(self, lease: Lease, *, system: str) -> Said:
        """The conversation up to the question. Raises Refused, and ModerationFailed unless it only watches."""
        history = await self.store.history(lease.place.id, before_message_id=lease.message_id, limit=HISTORY)
        history = [message for message in history if message.text and not commands.parse(message.text)]
        vault = Vault((system, *(message.text for message in history), lease.text))
        if self.mode == "shadow":
            await self._watched(lease)
            return Said(
                (*(_turn(message, message.text) for message in history), Turn("user", lease.text)), Vault()
            )
        texts = {message.id: await self._readable(message, vault) for message in history if message.unclear}
        question = await self._question(lease, vault)
        turns = [
            _turn(message, texts[message.id] if message.unclear else mask(message.text, (), vault))
            for message in history
        ]
        return Said((*(turn for turn in turns if turn.content), Turn("user", question)), vault)

    async def shown_before(self, begun: Begun, chat: Chat, *, system: str) -> Context:
        """What an earlier attempt showed, judged once more: the screen reads on from there."""
        if not begun.pieces or self.mode == "shadow":
            return Context()
        ids = [token for piece in begun.pieces for token in piece.token_ids]
        raw = chat.tokenizer.decode(ids)[: sum(piece.size for piece in begun.pieces)]
        verdict = await self.moderator.check(raw, direction="output", where=self.where, system=system)
        return Context().after(raw, verdict)

    async def _question(self, lease: Lease, vault: Vault) -> str:
        verdict = await self.moderator.check(lease.text, direction="input", where=self.where, vault=vault)
        await self._keep(lease, verdict)
        if verdict.action == "block":
            raise Refused(verdict)
        return verdict.text

    async def _watched(self, lease: Lease) -> None:
        try:
            verdict = await self.moderator.check(lease.text, direction="input", where=self.where)
        except ModerationFailed as error:
            self.record.metrics.screen_failures.inc()
            log.warning("a check failed in the shadow", check=error.check)
        else:
            await self._keep(lease, verdict)

    async def _keep(self, lease: Lease, verdict: Verdict) -> None:
        record = self.record
        record.metrics.judged(verdict, channel=record.channel, direction="input")
        if verdict.action != "block":
            record.help = verdict.notice
        await self.store.add_verdict(
            await judged_beside(verdict, lease.text, direction="input", keeps_text=record.keeps_text),
            message_id=lease.message_id,
            place_id=lease.place.id,
            channel=lease.place.channel,
        )

    async def _readable(self, message: HistoryMessage, vault: Vault) -> str:
        """What was said before, as the model may read it: what it was not shown then it is not shown now. What no check
        can judge is left out: the person was told so then, and the next question need not fail with it."""
        try:
            verdict = await self.moderator.check(
                message.text, direction="input", where=self.where, vault=vault
            )
        except ModerationFailed as error:
            log.warning("what was said before is left out: a check failed", check=error.check)
            return ""
        return "" if verdict.action == "block" else verdict.text


def _turn(message: HistoryMessage, text: str) -> Turn:
    return Turn("user" if message.author == "person" else "assistant", text)
