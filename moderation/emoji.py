"""An emoji in words: a small encoder's vocabulary has almost none, and a knife or a monkey may be all that is said.

Knows Unicode's names. They never change, so the words are the same on every Python that knows the character.
"""

from __future__ import annotations

import re
import unicodedata

SKIN = {
    "\U0001f3fb": "light skin", "\U0001f3fc": "medium light skin", "\U0001f3fd": "medium skin",
    "\U0001f3fe": "medium dark skin", "\U0001f3ff": "dark skin",
}  # fmt: skip
KNOWN = frozenset("☆■♯♦♭♥●★─▪│☉")  # the encoder's vocabulary has these as they are
# Words of a name that tell how the old ones are printed. "Black" and "white" would read as people's.
_PRINTED = re.compile(r"\b(?:black|white|heavy|sign|symbol|suit|dingbat|emoji|emoticon)\b")
_NOISE = re.compile(r"\b(?:face|sign|symbol|with|of|emoji)\b")
# What people call it, where the name says how it was drawn first.
CALLED = {
    "🔪": "knife",
    "🖕": "middle finger",
    "🤮": "vomiting",
    "🍆": "eggplant",
    "💦": "sweat drops",
    "🔫": "gun",
    "🏳": "white flag",
    "🤡": "clown",
}
FIRST = "\u2300"


def in_words(char: str) -> str:
    """What `char` shows, in words; "" when it is no emoji."""
    if char < FIRST or char in KNOWN or unicodedata.category(char) not in ("So", "Sk"):
        return ""
    told = SKIN.get(char) or CALLED.get(char)
    if told:
        return told
    name = unicodedata.name(char, "").lower()
    noise = _NOISE if char > "\U0001f000" else _PRINTED
    return " ".join(noise.sub(" ", name).replace("-", " ").split())
