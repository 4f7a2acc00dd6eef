"""Sentences made from written grammars: what the public sets are thin in, and what only looks harmful.

Knows templates, slots and chance. What the sentences say stands in grammars/**/*.yaml, written for this project; each
grammar names the labels of everything that it makes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from inference.training.classify import Row
from moderation.categories import CATEGORIES, OVERALL

FOLDER = Path(__file__).with_name("grammars")
SLOT = re.compile(r"\{([^{}]*)\}")
DEPTH = 12  # slots within slots; more is a circle
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, twenty times as fast
TRIES = 30  # draws for each row that is new; a grammar that needs more is too small for what it is asked


class GrammarError(ValueError):
    """A grammar cannot be used; the message names the file, the grammar and what to change."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How one kind of sentence is made, how many of them, and what they are."""

    name: str
    templates: tuple[str, ...]
    slots: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, float | None] = field(default_factory=dict)
    rows: int = 0

    def text(self, chance: random.Random) -> str:
        """One text. Raises GrammarError for a slot that nobody defined."""
        made = chance.choice(self.templates)
        for _ in range(DEPTH):
            filled = SLOT.sub(lambda slot: self._fill(slot[1], chance), made)
            if filled == made:
                return made.strip()
            made = filled
        raise GrammarError(f"{self.name}: slots stand in each other without end: {made[:80]!r}")

    def _fill(self, slot: str, chance: random.Random) -> str:
        if "|" in slot:
            return chance.choice(slot.split("|"))
        if slot not in self.slots:
            raise GrammarError(f"{self.name}: the slot {{{slot}}} is used and not defined")
        return chance.choice(self.slots[slot])


@cache
def load(folder: Path = FOLDER) -> tuple[Grammar, ...]:
    """All grammars, in the order of their files. Raises GrammarError."""
    grammars = [
        _grammar(file, value)
        for file in sorted(folder.rglob("*.yaml"))
        for value in yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 (a safe one)
    ]
    names = [grammar.name for grammar in grammars]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise GrammarError(f"two grammars have one name: {', '.join(twice)}; give each its own")
    return tuple(grammars)


def rows(seed: int, *, folder: Path = FOLDER, share: float = 1.0) -> Iterator[Row]:
    """Distinct rows of every grammar, `share` of as many as it says; the same for the same seed."""
    for grammar in load(folder):
        chance = random.Random(f"{seed} {grammar.name}")  # noqa: S311 - sentences, no secrets
        seen: set[str] = set()
        wanted = max(1, round(grammar.rows * share))
        for _ in range(wanted * TRIES):
            if len(seen) == wanted:
                break
            text = grammar.text(chance)
            if text not in seen:
                seen.add(text)
                yield Row(text=text, labels=dict(grammar.labels), slice=f"written/{grammar.name}")


def _grammar(file: Path, value: dict[str, Any]) -> Grammar:
    where = f"{file.name}: {value.get('name', '?')}"
    if stray := set(value) - {"name", "labels", "unknown", "rows", "templates", "slots"}:
        raise GrammarError(f"{where}: {', '.join(sorted(stray))} is unknown")
    try:
        labels = _labels(value.get("labels") or {}, value.get("unknown") or [])
        slots = {name: tuple(map(str, texts)) for name, texts in (value.get("slots") or {}).items()}
        return Grammar(str(value["name"]), tuple(value["templates"]), slots, labels, int(value["rows"]))
    except (KeyError, TypeError, ValueError) as error:
        raise GrammarError(f"{where}: {error}; it needs name, labels, rows, templates and slots") from error


def _labels(found: Mapping[str, float], unknown: list[str]) -> dict[str, float | None]:
    """All absent, but for those named; `overall` is present where anything is."""
    labels: dict[str, float | None] = dict.fromkeys((*CATEGORIES, OVERALL), 0.0)
    if stray := (set(found) | set(unknown)) - set(labels):
        raise ValueError(f"{', '.join(sorted(stray))} is no category")
    labels |= {name: float(value) for name, value in found.items()}
    if found and OVERALL not in found:
        labels[OVERALL] = 1.0
    return labels | dict.fromkeys(unknown)
