"""Wordings with choices in them, "how (do|can) i {goal}", and how one is drawn from them.

Knows the notation only: (a|b|) is a choice, {word} a named one. What the words mean is the topics' business.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

# A filler makes a word that no list can hold: a name, a number, an invented word, the goal of a frame.
Filler = Callable[[random.Random], str]

_TOKEN = re.compile(r"[(|)]|\{\w+\}|[^(|){]+")
_SPACES = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r" ([,'])")


@dataclass(frozen=True, slots=True)
class _Word:
    name: str


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple["_Sequence", ...]


_Sequence = tuple["str | _Word | _Choice", ...]


class PatternError(ValueError):
    """A pattern's brackets do not match, or it names an unknown word."""


@dataclass(frozen=True)
class Patterns:
    """Draws from patterns. `words` are patterns by name, `fillers` functions by name."""

    words: Mapping[str, str]
    fillers: Mapping[str, Filler] = field(default_factory=dict)

    def draw(self, pattern: str, rng: random.Random, **given: str) -> str:
        """One wording of the pattern; `given` words are taken as they are."""
        text = self._expand(parse(pattern), rng, given)
        return _SPACE_BEFORE_MARK.sub(r"\1", _SPACES.sub(" ", text)).strip(" ,")

    def _expand(self, sequence: "_Sequence", rng: random.Random, given: Mapping[str, str]) -> str:
        parts = []
        for item in sequence:
            if isinstance(item, str):
                parts.append(item)
            elif isinstance(item, _Word):
                parts.append(self._word(item.name, rng, given))
            else:
                parts.append(self._expand(rng.choice(item.options), rng, given))
        return "".join(parts)

    def _word(self, name: str, rng: random.Random, given: Mapping[str, str]) -> str:
        if name in given:
            return given[name]
        if name in self.fillers:
            return self.fillers[name](rng)
        if name in self.words:
            return self._expand(parse(self.words[name]), rng, given)
        raise PatternError(f"no word is called {name!r}")


@cache
def parse(pattern: str) -> "_Sequence":
    """The pattern as a tree. Raises PatternError."""
    tokens = _TOKEN.findall(pattern)
    if "".join(tokens) != pattern:
        raise PatternError(f"a bracket is open in {pattern!r}")
    sequence, rest = _sequence(tokens)
    if rest:
        raise PatternError(f"{rest[0]!r} stands alone in {pattern!r}")
    return sequence


def _sequence(tokens: list[str]) -> "tuple[_Sequence, list[str]]":
    items: list[str | _Word | _Choice] = []
    while tokens and tokens[0] not in ("|", ")"):
        token, tokens = tokens[0], tokens[1:]
        if token == "(":  # noqa: S105 (a bracket)
            choice, tokens = _choice(tokens)
            items.append(choice)
        elif token.startswith("{"):
            items.append(_Word(token[1:-1]))
        else:
            items.append(token)
    return tuple(items), tokens


def _choice(tokens: list[str]) -> tuple[_Choice, list[str]]:
    options = []
    while True:
        option, tokens = _sequence(tokens)
        options.append(option)
        if not tokens:
            raise PatternError("a bracket is never closed")
        mark, tokens = tokens[0], tokens[1:]
        if mark == ")":
            return _Choice(tuple(options)), tokens
