"""From what the screen releases to the pieces that are kept and shown: what was hidden from the model is put back.

Knows placeholders and how many characters the model wrote. Leaves committing and showing to the caller.

2026-11-24: a piece never ends inside a placeholder. Whoever takes an answer up again then finds no half of one in
what was shown: the vault is built anew from the same conversation, the restorer begins with nothing held, and `size`
and the token ids say where the model goes on. Keeping the restorer's state with each piece was dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.record import Record
from moderation import Action, Released
from moderation.pii import Restorer
from moderation.verdict import ACTIONS
from worker.jobs import Piece


@dataclass(frozen=True, slots=True)
class Told:
    """A piece: `text` as people read it, of `size` characters that the model wrote with `token_ids`."""

    text: str
    size: int
    token_ids: tuple[int, ...]
    action: Action


@dataclass(slots=True)
class Telling:
    """One run of an answer. `record` hears what was found in each part; None where the screen itself tells it."""

    restorer: Restorer
    record: Record | None
    written: str = ""  # what the model wrote and nobody has released yet
    _parts: list[Released[Piece]] = field(default_factory=list)
    _text: str = ""

    def take(self, part: Released[Piece]) -> Told | None:
        """One more part; a piece once nothing of it has to wait for the next."""
        window, self.written = self.written[: part.size], self.written[part.size :]
        if self.record and part.size:
            self.record.hear(part.verdict, window)
        self._parts.append(part)
        self._text += self.restorer.feed(part.text)
        return None if self.restorer.held else self._piece()

    def end(self) -> Told | None:
        """The last piece, if anything is left."""
        self._text += self.restorer.end()
        return self._piece() if self._parts else None

    def _piece(self) -> Told:
        text, self._text = self._text, ""
        parts, self._parts = self._parts, []
        return Told(
            text=text,
            size=sum(part.size for part in parts),
            token_ids=tuple(token for part in parts for piece in part.drafts for token in piece.ids),
            action=max((part.verdict.action for part in parts), key=ACTIONS.index),
        )
