"""A Telegram message while it is written: its text, and what is bold, code or a link in it.

Knows which of them Telegram lets stand in which. Leaves to the writer what they mean, and UTF-16 to the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STYLES = frozenset({"bold", "italic", "strikethrough"})  # these may be interrupted, and go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An entity, in characters of the text."""

    kind: str
    start: int
    end: int
    detail: str = ""  # the address of a link, the language of code


@dataclass(slots=True, kw_only=True)
class _Open:
    kind: str
    detail: str
    start: int | None = None


@dataclass(slots=True)
class Page:
    """Written from its beginning to its end. `indent` stands before every further line."""

    spans: list[Span] = field(default_factory=list)
    indent: str = ""
    _pieces: list[str] = field(default_factory=list)
    _at: int = 0
    _gap: int = 0
    _beside: bool = False
    _open: list[_Open] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def beside_marker(self) -> bool:
        """Whether nothing has been written beside the marker of an item yet."""
        return self._beside

    def gap(self, lines: int) -> None:
        """What is written next begins so many lines further down, at least."""
        if self._at:
            self._gap = max(self._gap, lines)

    def write(self, text: str) -> None:
        if text:
            self._move()
            for each in self._open:
                self._begin(each)
            self._put(text)

    def marker(self, text: str) -> None:
        """The sign of an item of a list."""
        self.write(text)
        self._beside = True

    def end_item(self) -> None:
        self._beside = False

    def open(self, kind: str, detail: str = "") -> None:
        """From here to its `close`. What is open already is not opened within itself."""
        again = any(each.kind == kind for each in self._open)
        self._open.append(_Open(kind="" if again else kind, detail=detail))

    def close(self) -> bool:
        """The last that was opened; False: it held nothing."""
        last = self._open.pop()
        self._note(last)
        return last.start is not None

    def is_open(self, kind: str) -> bool:
        return any(each.kind == kind for each in self._open)

    def code(self, text: str, *, kind: str = "code", language: str = "") -> None:
        """Stands in nothing but a quote: a link stays a link, a style ends before it and goes on after it."""
        if not text:
            return
        if self.is_open("text_link"):
            self.write(text)
            return
        self._move()
        for each in self._open:
            if each.kind in STYLES:
                self._note(each)
                each.start = None
            else:
                self._begin(each)
        start = self._at
        self._put(text)
        self.spans.append(Span(kind=kind, start=start, end=self._at, detail=language))

    def _move(self) -> None:
        if self._gap:
            self._put("\n" * self._gap + self.indent)
        elif self._beside:
            self._put(" ")
        self._gap, self._beside = 0, False

    def _put(self, text: str) -> None:
        self._pieces.append(text)
        self._at += len(text)

    def _begin(self, each: _Open) -> None:
        if each.start is None:
            each.start = self._at

    def _note(self, each: _Open) -> None:
        if each.kind and each.start is not None:
            self.spans.append(Span(kind=each.kind, start=each.start, end=self._at, detail=each.detail))
