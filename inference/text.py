"""Token ids in, text out, piece by piece: never half a character, never the beginning of a stop string.

Knows a tokenizer and stop strings. Which tokens come, and when an answer ends, is the engine's business.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer

# What a tokenizer's decoder writes where bytes are no character, or not yet one.
_HALF = "\N{REPLACEMENT CHARACTER}"

# A character has four bytes at most, and an id a byte at least: what more ids than this wait for is no character.
_LONGEST_WAIT = 16
_STILL_OPEN = 3  # ids at the end of a text that may be the beginning of a character


class TextStream:
    """One answer's ids as text. `feed` each id, then `finish` once; use it from one thread at a time.

    The text returned by all calls together is the tokenizer's decoding of all ids (special tokens skipped), cut before
    the stop string that is completed first (the longest of those completed together), however the ids are grouped.
    """

    def __init__(self, tokenizer: Tokenizer, *, stop: Sequence[str] = ()) -> None:
        if not all(stop):
            raise ValueError("a stop string is empty")
        self.stopped = False
        self._characters = _Characters(tokenizer)
        self._stop = tuple(stop)
        self._longest = max(map(len, self._stop), default=0)
        self._held = ""  # certain text that may be the beginning of a stop string

    def feed(self, token_id: int) -> str:
        """The text that became certain with this token, "" if none did; always "" after `stopped`."""
        return "" if self.stopped else self._release(self._characters.feed(token_id))

    def finish(self) -> str:
        """What was held back, to be called once at the end; half a character shows as U+FFFD only here."""
        if self.stopped:
            return ""
        text = self._release(self._characters.finish())
        if not self.stopped:
            text, self._held = text + self._held, ""
        return text

    def _release(self, new: str) -> str:
        if not self._stop:
            return new
        text = self._held + new
        found = self._first_stop(text)
        if found is not None:
            self.stopped, self._held = True, ""
            return text[:found]
        keep = self._possible_start(text)
        self._held = text[keep:]
        return text[:keep]

    def _first_stop(self, text: str) -> int | None:
        """Where the stop string that is completed first begins; of those completed together, the longest."""
        hits = [(at + len(stop), at) for stop in self._stop if (at := text.find(stop)) >= 0]
        return min(hits)[1] if hits else None

    def _possible_start(self, text: str) -> int:
        """Where the longest end of `text` begins that a stop string could begin with."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if any(stop.startswith(text[at:]) for stop in self._stop):
                return at
        return len(text)


class _Characters:
    """Ids to whole characters. Decodes the last shown group again with each new one, since a decoder treats the first
    token of a text differently (Metaspace drops its leading space); earlier ids never matter again."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._special = {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        self._shown: list[int] = []  # the last group of ids whose text was returned
        self._shown_text = ""  # its text, decoded alone
        self._waiting: list[int] = []  # ids after it, not yet text

    def feed(self, token_id: int) -> str:
        if token_id in self._special:
            return ""
        self._waiting.append(token_id)
        text = self._text_of_waiting()
        if text.endswith(_HALF) and len(self._waiting) >= _LONGEST_WAIT:
            return self._without_end(text)
        if not text or text.endswith(_HALF):
            return ""
        return self._show(len(self._waiting), text)

    def _without_end(self, text: str) -> str:
        """Bytes that are no characters, as a model that has lost its way writes them without end: all but the last
        are certain. Decoding them again with each new one would take ever longer."""
        end = len(self._waiting) - _STILL_OPEN
        head = self._text_after_shown(self._waiting[:end])
        alone = self._decode(self._waiting[:end])
        whole = self._decode(self._waiting)
        if not head or not whole.startswith(alone) or head + whole[len(alone) :] != text:
            return ""
        return self._show(end, head)

    def _show(self, count: int, text: str) -> str:
        self._shown, self._waiting = self._waiting[:count], self._waiting[count:]
        self._shown_text = self._decode(self._shown)
        return text

    def finish(self) -> str:
        return self._text_of_waiting() if self._waiting else ""

    def _text_of_waiting(self) -> str:
        return self._text_after_shown(self._waiting)

    def _text_after_shown(self, ids: list[int]) -> str:
        text = self._decode(self._shown + ids)
        if text.startswith(self._shown_text):
            return text[len(self._shown_text) :]
        # A byte-fallback decoder gives up a whole run of bytes for one stray byte: what was shown stays shown.
        return self._decode(ids)

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)
