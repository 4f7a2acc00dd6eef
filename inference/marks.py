"""Marks of turns that a template writes as plain text: [INST] or "### Response:", where these are no tokens.

Knows what a template puts between contents. Marks that are tokens are special.py's business.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain

from inference.special import Literals

Render = Callable[[Sequence[tuple[str, str]]], str]

# Noncharacters that stand for contents, so that what the template writes itself is known.
_PROBES = ("\ufdd2", "\ufdd3", "\ufdd4", "\ufdd5")
_PROBE = re.compile(f"[{''.join(_PROBES)}]")
_TALKS = (("system", "user", "assistant", "user"), ("user", "assistant", "user"), ("user",))
_BRACKETED = re.compile(r"<{1,2}[|/]{0,2}[^<>\s|]{1,40}\|?>{1,2}|\[/?[A-Za-z_]{1,40}\]")
_LONGEST = 40  # characters of a line that names who speaks; a longer one is a sentence
_THOUGHTS = frozenset(
    {"<think>", "</think>"}
)  # a template may look for them in the model's own earlier answers
# Where Unicode keeps other forms of ASCII characters: letterlike, circled, wide, small and mathematical ones.
_FORMS = tuple(
    range(first, last)
    for first, last in (
        (0xA0, 0x180),
        (0x2000, 0x2190),
        (0x2460, 0x2500),
        (0x3000, 0x3001),
        (0xFE10, 0xFE70),
        (0xFF01, 0xFF5F),
        (0x1D400, 0x1D800),
    )
)
_UNSEEN = "[\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]*"  # what a tokenizer's normaliser may drop


def written(render: Render, tokens: Literals) -> frozenset[str]:
    """The marks of turns that a template writes and that are none of these tokens. Nothing of a template that takes
    no conversation at all: it will say so itself."""
    marks: set[str] = set()
    for roles in _TALKS:
        try:
            text = render(list(zip(roles, _PROBES, strict=False)))
        except Exception:  # noqa: S112 (a template is a program, it can raise anything: some take no system prompt)
            continue
        head, *joints = _PROBE.split(text)
        marks.update(_BRACKETED.findall(tokens.replaced(head, "\n")))
        for joint in joints:
            marks.update(_marks(tokens.replaced(joint, "\n")))
    return frozenset(marks)


class Marks:
    """Some marks, found in people's texts and written so that they are read as words."""

    def __init__(self, marks: Iterable[str]) -> None:
        all_marks = sorted(marks, key=len, reverse=True)
        self._all = _any_of(all_marks)
        self._in_answers = _any_of(mark for mark in all_marks if mark not in _THOUGHTS)

    def parted(self, text: str, *, answer: bool = False) -> str:
        """`text` with a space before the last character of each mark: "[INST ]" is spelt otherwise than "[INST]".
        `answer`: the text is one of the model's, whose thoughts the template may leave out."""
        pattern = self._in_answers if answer else self._all
        return pattern.sub(lambda hit: f"{hit[0][:-1]} {hit[0][-1]}", text) if pattern else text


def _marks(joint: str) -> Iterator[str]:
    for line in joint.split("\n"):
        bracketed = _BRACKETED.findall(line)
        line = line.strip()
        yield from bracketed
        if not bracketed and len(line) <= _LONGEST and line.endswith(":") and len(line) > 1:
            yield line


def _any_of(marks: Iterable[str]) -> re.Pattern[str] | None:
    patterns = [_UNSEEN.join(map(_forms, mark)) for mark in marks]
    return re.compile("|".join(patterns)) if patterns else None


def _forms(char: str) -> str:
    """The character and all that a normaliser makes one of it: "［" is "[" to many tokenizers."""
    return f"[{re.escape(char)}{re.escape(_compatible().get(char, ''))}]"


@cache
def _compatible() -> dict[str, str]:
    forms: dict[str, str] = {" ": "\u2581"}  # SentencePiece's own sign for a space
    for code in chain.from_iterable(_FORMS):
        folded = unicodedata.normalize("NFKC", chr(code))
        if len(folded) == 1 and folded.isascii():
            forms[folded] = forms.get(folded, "") + chr(code)
    return forms
