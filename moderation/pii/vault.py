"""Placeholders for what a model need not know, and the way back, also when a placeholder comes in pieces.

Knows texts and values. What is worth hiding is found elsewhere; nothing here is ever stored.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from moderation.pii.found import Found, Kind, apart

LABELS: dict[Kind, str] = {
    "email": "EMAIL",
    "phone": "PHONE",
    "card": "CARD",
    "iban": "IBAN",
    "ip": "IP",
    "national-id": "ID",
    "secret": "SECRET",
}
AGAIN = (
    6  # characters of a value that is hidden wherever it stands; a shorter one is a word or a price elsewhere
)
WRITTEN = "TEXT"  # stands for what somebody wrote that looks like a placeholder in use
PLACEHOLDER = re.compile(
    rf"\[(?:{'|'.join((*LABELS.values(), WRITTEN))})_[0-9]{{1,9}}\]", re.ASCII | re.IGNORECASE
)


class Vault:
    """The values of one answer by their placeholders. `texts`: whatever else the model reads."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._values: dict[str, str] = {}
        self._placeholders: dict[tuple[str, str], str] = {}
        self._hidden: dict[str, Kind] = {}  # the values that a finding hid
        self._taken: set[str] = set()  # written by somebody, in capitals
        self._last: dict[str, int] = {}
        for text in texts:
            self.see(text)

    def __len__(self) -> int:
        return len(self._values)

    def see(self, text: str) -> None:
        """Takes note of what looks like a placeholder in `text`: it will not become one."""
        self._taken.update(written.upper() for written in PLACEHOLDER.findall(text))

    def placeholder(self, kind: Kind, value: str) -> str:
        """What stands for `value`, the same each time."""
        self._hidden.setdefault(value, kind)
        return self._placeholder(LABELS[kind], value)

    def again(self, text: str) -> Iterator[Found]:
        """Where values stand that are hidden already: what a cue betrayed once is hidden where the cue is missing."""
        for value, kind in self._hidden.items():
            at = text.find(value) if len(value) >= AGAIN else -1
            while at >= 0:
                end = at + len(value)
                if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
                    yield Found(kind, at, end, "hidden before")
                at = text.find(value, end)

    def cover(self, text: str, found: Iterable[Found]) -> list[tuple[int, int, str]]:
        """The spans of `text` to replace, and the placeholders that go there.

        Besides `found` (where two overlap, one is taken) it is what was hidden before, and what only looks like a
        placeholder in use: that stands for itself, so that restoring gives back exactly `text`.
        """
        self.see(text)
        spans = [
            (one.start, one.end, self.placeholder(one.kind, text[one.start : one.end]))
            for one in apart([*found, *self.again(text)])
        ]
        starts = [start for start, _, _ in spans]  # in order, and apart
        written: list[tuple[int, int, str]] = []
        for hit in PLACEHOLDER.finditer(text):
            before = bisect_left(starts, hit.end())
            free = not before or spans[before - 1][1] <= hit.start()
            if free and hit[0].upper() in self._values:
                written.append((*hit.span(), self._placeholder(WRITTEN, hit[0])))
        return sorted([*spans, *written])

    def restore(self, text: str) -> str:
        """`text` with each placeholder's value; a value is not looked into."""
        return PLACEHOLDER.sub(lambda hit: self._values.get(hit[0].upper(), hit[0]), text)

    def begins(self, text: str) -> bool:
        """Whether `text` is the beginning of a placeholder in use, and not all of it."""
        start = text.upper()
        return any(len(start) < len(one) and one.startswith(start) for one in self._values)

    def _placeholder(self, label: str, value: str) -> str:
        known = self._placeholders.get((label, value))
        if known is not None:
            return known
        number = self._last.get(label, 0) + 1
        while (made := f"[{label}_{number}]") in self._taken:
            number += 1
        self._last[label] = number
        self._values[made] = value
        self._placeholders[label, value] = made
        return made


def mask(text: str, found: Iterable[Found], vault: Vault) -> str:
    """`text` with placeholders for the findings; `vault.restore` makes exactly `text` of it again."""
    parts: list[str] = []
    done = 0
    for start, end, placeholder in vault.cover(text, found):
        parts += text[done:start], placeholder
        done = end
    return "".join([*parts, text[done:]])


class Restorer:
    """Restores a text that comes in pieces. Holds back less than one placeholder, and only what may become one."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.held = ""

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        text = self.held + piece
        at = text.rfind("[")  # no placeholder holds a second one
        if at < 0 or not self._vault.begins(text[at:]):
            at = len(text)
        self.held = text[at:]
        return self._vault.restore(text[:at])

    def end(self) -> str:
        """What was held back: it became no placeholder."""
        rest, self.held = self.held, ""
        return rest
