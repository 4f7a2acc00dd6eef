"""What a text looks like to a reader of English: each character as the Latin letters, or the words, that are seen.

Knows Unicode and which scripts share letters with Latin. Leaves signs for letters and spaced letters to `disguise`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from moderation.emoji import in_words
from moderation.homoglyphs import LOOKS, named
from moderation.vocabulary import vocabulary

# Invisible though not of category Cf: fillers, the grapheme joiner, variation selectors.
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Marks on Latin letters, and those that strike out or enclose any character.
MARK = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
# Text in tag characters is unseen by people and read by models. After a black flag it names a region.
TAGS = re.compile("(?<!\U0001f3f4)[\U000e0020-\U000e007e]{4,}")
# Beyond Latin letters with accents, Chinese, Korean and emoji.
FOREIGN = re.compile(
    "[^\x00-\u024f\u2000-\u20cf\u2460-\u27bf\u3000-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe00-\uffff\U0001f000-\U0001ffff]"
)
WORD = re.compile(r"[^\s!-/:-@\[-`{-~\u3000-\u303f\uff00-\uffef]+")  # reaches over what is unseen
UNREAD = 2  # letters of one word that are guessed by the vocabulary: 26 words to try, or 676
GUESSES = 40  # words of one text; one that needs more is no text a person reads


def latin(text: str) -> list[str]:
    """What each character of `text` looks like, in small letters; nothing for what is not seen."""
    pieces = list(map(_look, text))
    if TAGS.search(text):
        _uncover(text, pieces)
    if FOREIGN.search(text):
        _latinise(text, pieces)
    return pieces


def unseen(char: str) -> bool:
    """Whether nothing is drawn for it."""
    if char in "\t\n":
        return False
    return unicodedata.category(char) in ("Cf", "Cs", "Cc") or bool(INVISIBLE.match(char))


@lru_cache(maxsize=8192)  # the characters in use on a busy day, Chinese included; about 1 MB
def _look(char: str) -> str:
    """One character, letters of other scripts in their own."""
    if char.isascii():
        return "" if unseen(char) else char.lower()
    if unseen(char) or MARK.match(char):
        return ""
    name = unicodedata.name(char, "")
    letter = LOOKS.get(char, "") if name.startswith("LATIN") else ""
    letter = letter or named(char)
    if letter or char in LOOKS:
        return letter or char.casefold()
    words = in_words(char)
    if words:
        return f" {words} "
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    folded = unicodedata.normalize("NFKC", char).casefold()
    base = unicodedata.normalize("NFKD", folded)
    return "".join(c for c in base if not MARK.match(c)) if "a" <= base[:1] <= "z" else folded


@lru_cache(maxsize=8192)
def _foreign(char: str) -> str:
    """The Latin letter that a letter of another script looks like; "" when none."""
    return LOOKS.get(char) or LOOKS.get(unicodedata.normalize("NFKD", char)[:1], "")


def _uncover(text: str, pieces: list[str]) -> None:
    for match in TAGS.finditer(text):
        start, end = match.span()
        pieces[start:end] = [chr(ord(char) - 0xE0000).lower() for char in match[0]]
        pieces[start] = " " + pieces[start]
        pieces[end - 1] += " "


@dataclass(frozen=True, slots=True)
class _Word:
    """A word with letters that are not Latin."""

    start: int
    end: int
    alike: tuple[int, ...]  # places of letters that look Latin
    other: tuple[int, ...]  # places of those that look like no Latin letter
    mixed: bool  # it has Latin letters as well


def _latinise(text: str, pieces: list[str]) -> None:
    """Letters of other scripts become the Latin ones they look like: in words that mix both, and in all others once
    more words are mixed or English than are neither. Else the text is in that other language, and they stay."""
    words = list(_words(text, pieces))
    long = [word for word in words if len(word.alike) + len(word.other) > 1 or word.mixed]
    disguised = sum(word.mixed or _is_english(text, pieces, word) for word in long)
    guesses = 0
    for word in words:
        if word.mixed or (disguised * 2 > len(long) and not word.other):
            for place in word.alike:
                pieces[place] = _foreign(text[place])
        if word.mixed and 0 < len(word.other) <= UNREAD and guesses < GUESSES:
            guesses += 1
            _guess(pieces, word)


def _is_english(text: str, pieces: list[str], word: _Word) -> bool:
    if word.other:
        return False
    seen = pieces[word.start : word.end]
    for place in word.alike:
        seen[place - word.start] = _foreign(text[place])
    letters = "".join(seen)
    return letters.isalpha() and vocabulary().rank(letters) is not None


def _words(text: str, pieces: list[str]) -> Iterator[_Word]:
    for match in WORD.finditer(text):
        if match[0].isascii():
            continue
        alike: list[int] = []
        other: list[int] = []
        mixed = False
        for place in range(*match.span()):
            piece = pieces[place]
            if piece.isascii():
                mixed |= piece.isalpha()
            elif _foreign(text[place]):
                alike.append(place)
            elif piece.isalpha():
                other.append(place)
        if alike or other:
            yield _Word(*match.span(), tuple(alike), tuple(other), mixed)


def _guess(pieces: list[str], word: _Word) -> None:
    """A letter in no table among Latin ones: the word that it would make tells which one is meant."""
    letters = pieces[word.start : word.end]
    known = [piece for piece in letters if piece]
    if len(known) < 2 * UNREAD or not all(len(piece) == 1 for piece in known):
        return
    ranks = vocabulary().ranks
    best: tuple[int, tuple[str, ...]] | None = None
    for guess in product(string.ascii_lowercase, repeat=len(word.other)):
        for place, letter in zip(word.other, guess, strict=True):
            letters[place - word.start] = letter
        rank = ranks.get("".join(letters))
        if rank is not None and (best is None or rank < best[0]):
            best = rank, guess
    if best:
        for place, letter in zip(word.other, best[1], strict=True):
            pieces[place] = letter
