"""Ways people write so that a filter does not read it: a generator that shares no table with the normaliser.

`ATTACKS[name](text, random)`: the text disguised; the same seed gives the same disguise. The normaliser was
mended after looking at what these got past it, so figures made with them are on the kind side.
"""

from __future__ import annotations

import random
from collections.abc import Callable

LEET = {
    "a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1|", "o": "0", "s": "5$", "t": "7+", "z": "2",
}  # fmt: skip
SHARE = 0.6  # of the letters that have a sign

# From Unicode's list of confusable characters, several scripts each; some are rare on purpose.
CONFUSABLE = {
    "a": "\u0430\u0251\u03b1\u237a\U0001d41a\U0001d4b6\u1d00",
    "b": "\u042c\u13cf\u15af\U0001d41b\u0184\u0299",
    "c": "\u0441\u03f2\u1d04\uabaf\U0001043d\u2ca5",
    "d": "\u0501\u13e7\ua4d2\u217e\u1d05",
    "e": "\u0435\u212e\uab32\u04bd\u1d07\u2147",
    "f": "\ua799\u1e9d\u0584\ua730",
    "g": "\u0261\u1d83\u0581\u018d\u0262",
    "h": "\u04bb\u0570\u13c2\u210e\u029c",
    "i": "\u0456\u0131\u03b9\ua647\u13a5\u2170\u026a",
    "j": "\u0458\u03f3\u2149\u1d0a",
    "k": "\u043a\u1d0b\U0001d424\u03ba",
    "l": "\u04cf\u217c\u01c0\u05c0\u2113\u029f",
    "m": "\u1d0d\u217f\U0001d426\u043c",
    "n": "\u0578\u057c\U0001d427\u0274",
    "o": "\u043e\u03bf\u0585\u1d0f\u03c3\u0ed0\u2c9f",
    "p": "\u0440\u03c1\u2ca3\u1d18",
    "q": "\u051b\u0563\u0566\U0001d42a",
    "r": "\u0433\u1d26\uab47\uab81\u0280",
    "s": "\u0455\ua731\uabaa\U00010448",
    "t": "\u0442\u03c4\u1d1b\U0001d42d",
    "u": "\u03c5\u057d\u1d1c\uab4e\u028b",
    "v": "\u03bd\u0475\u1d20\uaba9\u2174",
    "w": "\u0461\u051d\u1d21\uab83\u026f",
    "x": "\u0445\u2179\u1541\u157d",
    "y": "\u0443\u04af\u028f\u10e7\uab5a",
    "z": "\u1d22\uab93\U0001d433",
}
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\u034f"
BETWEEN = ".-_*~"

Attack = Callable[[str, random.Random], str]


def leet(text: str, rng: random.Random) -> str:
    """Signs for some of the letters."""
    return "".join(
        rng.choice(LEET[char.lower()]) if char.lower() in LEET and rng.random() < SHARE else char
        for char in text
    )


def homoglyphs(text: str, rng: random.Random) -> str:
    """Letters of other scripts for half of the letters."""
    return "".join(
        rng.choice(CONFUSABLE[char.lower()]) if char.lower() in CONFUSABLE and rng.random() < 0.5 else char
        for char in text
    )


def zero_width(text: str, rng: random.Random) -> str:
    """Something unseen after half of the letters."""
    return "".join(char + (rng.choice(UNSEEN) if rng.random() < 0.5 else "") for char in text)


def fullwidth(text: str, rng: random.Random) -> str:
    """Every sign as wide as a Chinese one."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def circled(text: str, rng: random.Random) -> str:
    """Letters in circles, squares or as halves of flags: one kind a text."""
    first = rng.choice((0x24D0, 0x1F150, 0x1F170, 0x1F1E6, 0x1F130))
    return "".join(chr(first + ord(char) - 97) if "a" <= char <= "z" else char for char in text.lower())


def spaced(text: str, rng: random.Random) -> str:
    """A space after every character: three between two words."""
    return " ".join(text)


def evenly_spaced(text: str, rng: random.Random) -> str:
    """A space between all letters, and no other between words."""
    return " ".join(text.replace(" ", ""))


def dotted(text: str, rng: random.Random) -> str:
    """The same sign between all letters of a word, for all words."""
    sign = rng.choice(BETWEEN)
    return " ".join(sign.join(word) for word in text.split())


def repeated(text: str, rng: random.Random) -> str:
    """A letter of every other word goes on and on."""
    words = text.split()
    for at, word in enumerate(words):
        if word.isalpha() and rng.random() < 0.5:
            place = rng.randrange(len(word))
            words[at] = word[:place] + word[place] * rng.randint(3, 6) + word[place + 1 :]
    return " ".join(words)


def mixed(text: str, rng: random.Random) -> str:
    """Signs, foreign letters, something unseen, and some words spaced, all in one."""
    words = [leet(word, rng) if rng.random() < 0.4 else homoglyphs(word, rng) for word in text.split()]
    return zero_width(" ".join("-".join(word) if rng.random() < 0.2 else word for word in words), rng)


ATTACKS: dict[str, Attack] = {
    "leet": leet,
    "homoglyphs": homoglyphs,
    "zero width": zero_width,
    "fullwidth": fullwidth,
    "circled": circled,
    "spaced": spaced,
    "evenly spaced": evenly_spaced,
    "dotted": dotted,
    "repeated": repeated,
    "mixed": mixed,
}
