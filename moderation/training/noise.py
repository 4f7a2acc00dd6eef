"""How people disguise and mistype what they write, for training: a text that reads the same and looks otherwise.

Knows letters and chance. The tests attack with a generator of their own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "l": "1"}
ALIKE = {"a": "а", "c": "с", "e": "е", "i": "і", "o": "о", "p": "р", "s": "ѕ", "x": "х", "y": "у"}
PLAIN = 0.7  # of all texts stay as they are
FILLERS = (
    "Hi there!", "ok so", "Thanks in advance.", "Please answer soon.", "One more thing:", "As I said,",
    "(sorry for my English)", "Good morning,", "Let me explain.", "What do you think?", "I read this today:",
    "Just curious.", "By the way,", "Anyway.",
)  # fmt: skip


def noisy(text: str, chance: random.Random) -> str:
    """The text, or in three of ten cases one that was disguised, mistyped or padded."""
    if chance.random() < PLAIN:
        return text
    return chance.choice(KINDS)(text, chance)


def _swapped(table: dict[str, str], share: float) -> Callable[[str, random.Random], str]:
    def swap(text: str, chance: random.Random) -> str:
        return "".join(
            chance.choice(table[char]) if char in table and chance.random() < share else char
            for char in text.lower()
        )

    return swap


def _spaced(text: str, chance: random.Random) -> str:
    """One or two words, letter by letter."""
    words = text.split()
    for at in chance.sample(range(len(words)), min(len(words), 2)):
        words[at] = chance.choice(" .-_").join(words[at])
    return " ".join(words)


def _mistyped(text: str, chance: random.Random) -> str:
    """Letters doubled, dropped or exchanged, one in fifteen."""
    made: list[str] = []
    for char, following in pairwise(text + " "):
        draw = chance.random()
        if not char.isalpha() or draw > 0.07:
            made.append(char)
        elif draw > 0.045:
            made.append(char * 2)
        elif draw > 0.02 and following.isalpha():
            made.append(following)
    return "".join(made)


def _padded(text: str, chance: random.Random) -> str:
    return f"{chance.choice(FILLERS)} {text}" if chance.random() < 0.5 else f"{text} {chance.choice(FILLERS)}"


def _shouted(text: str, chance: random.Random) -> str:
    return "".join(char.upper() if chance.random() < 0.5 else char for char in text)


KINDS: tuple[Callable[[str, random.Random], str], ...] = (
    _swapped(LEET, 0.5),
    _swapped(ALIKE, 0.6),
    _spaced,
    _mistyped,
    _mistyped,
    _padded,
    _padded,
    _shouted,
)
