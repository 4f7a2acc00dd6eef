"""How people put a topic into words: its own wordings, or a goal, thing or situation in a frame, typed as people do.

Knows the lists of `topics`. Which question comes when, and what is answered, stands in `conversations`.
"""

import random

from inference.training.apart import HeldOut
from inference.training.noise import typed
from inference.training.patterns import Patterns
from inference.training.topics import Lists, Topic

# How often each way of asking is taken, where a topic has it.
WAYS = {"asks": 9, "goals": 8, "things": 4, "situations": 3}

_ONSETS = [
    "b",
    "bl",
    "br",
    "c",
    "ch",
    "cl",
    "cr",
    "d",
    "dr",
    "f",
    "fl",
    "fr",
    "g",
    "gl",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "kn",
    "l",
    "m",
    "n",
    "p",
    "ph",
    "pl",
    "pr",
    "qu",
    "r",
    "s",
    "sch",
    "sh",
    "sk",
    "sl",
    "sm",
    "sn",
    "st",
    "str",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "y",
    "z",
]
_VOWELS = [
    "a",
    "e",
    "i",
    "o",
    "u",
    "ai",
    "au",
    "ea",
    "ee",
    "ei",
    "ia",
    "ie",
    "io",
    "oa",
    "oo",
    "ou",
    "ue",
    "y",
]
_CODAS = [
    "b",
    "ck",
    "d",
    "f",
    "g",
    "k",
    "l",
    "ll",
    "m",
    "n",
    "nd",
    "ng",
    "nk",
    "p",
    "r",
    "rd",
    "rk",
    "rn",
    "s",
    "sk",
    "st",
    "t",
    "th",
    "v",
    "x",
    "z",
] + [""] * 14


def invented(rng: random.Random, *, longest: int = 3) -> str:
    """A word that nobody knows."""
    count = rng.randint(1, longest)
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))


def _number(rng: random.Random) -> str:
    return str(rng.choice((rng.randint(2, 20), rng.randint(2, 999), rng.randint(2, 99999))))


class Questions:
    """Draws questions. Lines near a held-out one are drawn again."""

    def __init__(self, lists: Lists, *, held_out: HeldOut) -> None:
        self.lists = lists
        self.patterns = Patterns(lists.words, {"odd": invented, "number": _number})
        self._held_out = held_out

    def about(self, topic: Topic, rng: random.Random) -> str:
        """One way to ask about the topic."""
        while True:
            line = typed(self._dressed(self._plain(topic, rng), rng, short=topic.goals == ()), rng)
            if not self._held_out.near(line):
                return line

    def off_topic(self, rng: random.Random) -> str:
        """Something that the starter model knows nothing of."""
        everyday = self.lists.everyday
        if not everyday or rng.random() < 0.6:
            return self.about(self.lists.off_topic, rng)
        while True:
            line = rng.choice(everyday)
            if rng.random() < 0.5:
                line = typed(self._dressed(line, rng), rng)
            if not self._held_out.near(line):
                return line

    def worded(self, kind: str, rng: random.Random, *, keep: str = "") -> str:
        """One of the frames' own wordings, such as `name_tell`; `keep` is the name in it."""
        while True:
            line = self.patterns.draw(rng.choice(self.lists.frames[kind]), rng, name=keep)
            line = typed(line, rng, keep=keep)
            if not self._held_out.near(line):
                return line

    def _plain(self, topic: Topic, rng: random.Random) -> str:
        ways = [way for way in WAYS if getattr(topic, way)]
        way = rng.choices(ways, [WAYS[w] for w in ways])[0]
        text = self.patterns.draw(rng.choice(getattr(topic, way)), rng)
        frames = self.lists.frames
        if way == "goals":
            return self.patterns.draw(rng.choice(frames["goal_frames"]), rng, goal=text)
        if way == "things":
            return self.patterns.draw(rng.choice(frames["thing_frames"]), rng, thing=text)
        if way == "situations":
            ask = self.patterns.draw(frames["situation_asks"], rng)
            if rng.random() < 0.4:  # said, and then asked in full
                ask = self._plain(topic, rng)
            return f"{text}{rng.choice(['. ', ', ', '. ', ' - ', ' and ', '; '])}{ask}"
        return text

    def _dressed(self, text: str, rng: random.Random, *, short: bool = False) -> str:
        """With a courtesy before or after, at times. Short talk such as a greeting goes undressed."""
        if short:
            return text
        frames = self.lists.frames
        if rng.random() < 0.26:
            before = self.patterns.draw(frames["preambles"], rng)
            text = f"{before}{rng.choice([', ', ', ', ', ', '. ', ': ', ' ', '! '])}{text}"
        if rng.random() < 0.13:
            text = f"{text} {self.patterns.draw(frames['endings'], rng)}"
        return text
