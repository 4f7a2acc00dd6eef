"""What a person wrote in Telegram, its entities as Markdown: readable for a model, nothing escaped.

Knows the entities of messages. Leaves to the channel whose mention is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.markup.utf16 import Ruler

_SIGNS = {"bold": "**", "italic": "*", "strikethrough": "~~"}
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})
_SAID = frozenset({*_SIGNS, *_QUOTES, "code", "pre", "text_link"})
_EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    kind: str
    start: int
    end: int
    detail: str = ""


def from_telegram(
    text: str, entities: Sequence[Mapping[str, Any]], *, without: Sequence[Mapping[str, Any]] = ()
) -> str:
    """A person's text with its code, links, quotes and styles in Markdown, but for the ranges of `without`."""
    ruler = Ruler(text)
    said = sorted(
        (_range(each, ruler) for each in entities if each.get("type") in _SAID),
        key=lambda each: (each.start, -each.end),
    )
    gaps = _gaps(text, sorted((_range(each, ruler) for each in without), key=lambda each: each.start))
    return _Reading(text, gaps).read(0, len(text), [each for each in said if each.start < each.end]).strip()


class _Reading:
    def __init__(self, text: str, gaps: Sequence[tuple[int, int]]) -> None:
        self._text = text
        self._gaps = gaps

    def read(self, start: int, end: int, within: Sequence[_Range]) -> str:
        """What stands between two offsets; `within` in order, the outer before the inner."""
        said = ""
        rest = list(within)
        while rest:
            outer = rest.pop(0)
            if not start <= outer.start < end:
                continue
            said += self._words(start, outer.start)
            start = min(outer.end, end)
            inner = [each for each in rest if each.start < start]
            rest = rest[len(inner) :]
            following = self._text[start : start + 1]
            said += self._said(
                outer, start, inner, begins=said[-1:] in ("", "\n"), ends=following in ("", "\n")
            )
        return said + self._words(start, end)

    def _said(self, outer: _Range, end: int, inner: Sequence[_Range], *, begins: bool, ends: bool) -> str:
        before, after = "" if begins else "\n", "" if ends else "\n"
        if outer.kind == "pre":
            return before + _fenced(self._words(outer.start, end), outer.detail) + after
        if outer.kind == "code":
            return _coded(self._words(outer.start, end))
        words = self.read(outer.start, end, inner)
        if outer.kind in _QUOTES:
            return before + "> " + words.strip("\n").replace("\n", "\n> ") + after
        if outer.kind == "text_link":
            return f"[{words}]({outer.detail})" if outer.detail not in ("", words) else words
        return "\n".join(_signed(line, _SIGNS[outer.kind]) for line in words.split("\n"))

    def _words(self, start: int, end: int) -> str:
        said = ""
        for first, last in self._gaps:
            if start <= first < end or start < last <= end:
                said += self._text[start : max(start, first)]
                start = max(start, min(last, end))
        return said + self._text[start:end]


def _range(entity: Mapping[str, Any], ruler: Ruler) -> _Range:
    offset, length = int(entity.get("offset", 0)), int(entity.get("length", 0))
    return _Range(
        kind=str(entity.get("type", "")),
        start=ruler.to_characters(offset),
        end=ruler.to_characters(offset + length),
        detail=str(entity.get("url") or entity.get("language") or ""),
    )


def _gaps(text: str, ranges: Sequence[_Range]) -> list[tuple[int, int]]:
    """What is left out, and the blank that would stand there twice; at the beginning, what calls somebody ends with."""
    gaps: list[tuple[int, int]] = []
    begun = 0
    for each in ranges:
        first = not text[begun : each.start].strip()
        blank = re.compile(r"[\s,:]*" if first else r"[ \t]?" if text[each.start - 1].isspace() else "")
        match = blank.match(text, each.end)
        end = match.end() if match else each.end
        gaps.append((each.start, end))
        begun = end if first else begun
    return gaps


def _fenced(code: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`{3,}", code)), default=2)
    sign = "`" * (longest + 1)
    return f"{sign}{language}\n{code.removesuffix(chr(10))}\n{sign}"


def _coded(code: str) -> str:
    runs = {len(run) for run in re.findall("`+", code)}
    sign = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    blank = " " if code.startswith("`") or code.endswith("`") else ""
    return f"{sign}{blank}{code}{blank}{sign}"


def _signed(line: str, sign: str) -> str:
    """Signs stand at words, not at blanks."""
    edges = _EDGES.fullmatch(line)
    if edges is None or not edges[2]:
        return line
    return f"{edges[1]}{sign}{edges[2]}{sign}{edges[3]}"
