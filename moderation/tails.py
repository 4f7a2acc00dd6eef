"""What at the end of a text may go on: half a word, a number in groups, an address, a placeholder.

Knows what such things look like, and which characters are drawn as one. What is cut where is `sentences`' business.
"""

from __future__ import annotations

import re
import unicodedata

GROUPS = (
    64  # characters of a number in groups: the longest IBAN has 42, a card or a phone number half of that
)
# A group of a number, a card, an IBAN; a sign between two of them.
GROUP = re.compile(r"[(+]*[A-Z]{0,3}\d[\dA-Z().,/:+-]*|[A-Z]{1,4}|[-–/.+()]+", re.ASCII)
LONGEST_WORD = 24  # letters of a word in prose
PUNCTUATION = "'\".,;:!?)*"
DIGIT = re.compile(r"\d", re.ASCII)
# Chinese and Japanese are written without spaces: a word may end after each character.
_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
NARROW = re.compile(rf"[^\s{_WIDE}]*")
# Of keys, tokens, links and base64. Code without spaces has brackets, so it breaks.
WHOLE = re.compile(r"[\w+/=.~@:%?&#-]*", re.ASCII)


def settled(text: str) -> int:
    """How much of `text` is before what may go on: its last word, and the groups of a number before that."""
    at = _word_start(text, len(text))
    if not text[:at].strip():
        at = 0
    last = text[at:]
    if last and not GROUP.fullmatch(last):
        return at
    digits = bool(DIGIT.search(last))
    start = at
    while start > 0 and len(text) - start < GROUPS:
        end = len(text[:start].rstrip(" \t\u00a0"))
        before = _word_start(text, end)
        if end == start or not GROUP.fullmatch(text[before:end]):
            break
        start = before
        digits = digits or bool(DIGIT.search(text[start:end]))
    at = start if digits else at
    return at if text[:at].strip() else 0


def plain(text: str) -> bool:
    """Whether `text` is one word like any other, and not the beginning of a number, an address, a key."""
    word = text.strip()
    return len(word) <= LONGEST_WORD and all(map(_plain, word))


def _plain(char: str) -> bool:
    return char.isalpha() or not char.isascii() or char in PUNCTUATION


def unbroken(text: str, at: int) -> int:
    """Where the word ends that `at` is inside of, if it is one of those that must stay whole; 0 otherwise."""
    if not WHOLE.fullmatch(text[at - 1 : at]):
        return 0
    end = WHOLE.match(text, at).end()  # type: ignore[union-attr]
    return end if end > at or at == len(text) else 0


def _word_start(text: str, end: int) -> int:
    # Backwards, and by one pattern: a key of 2,000 characters is read anew with each character that comes.
    at = end - NARROW.match(text[:end][::-1]).end()  # type: ignore[union-attr]
    while 0 < at < len(text) and joined(text[at - 1], text[at]):
        at -= 1
    return at


def joined(left: str, right: str) -> bool:
    """Whether the two are drawn as one."""
    if left.isascii() and right.isascii():
        return False
    return (
        unicodedata.category(right) in ("Mn", "Mc", "Me")  # combining marks and variation selectors
        or "\u200d" in (left, right)  # zero width joiner
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or ("\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff")  # flags
        or "\U000e0020" <= right <= "\U000e007f"  # tags, in flags of regions
    )
