"""A YAML file as a tree that remembers where each value is written, and how one such tree overrides another.

Knows YAML and lines. Does not know what the words of a policy mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

MERGE = "tag:yaml.org,2002:merge"  # the key <<


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """Something wrong in a file, told in a sentence that says what to write instead."""

    file: str
    line: int
    path: str  # "categories.hate.block"; empty for the whole file
    told: str

    def __str__(self) -> str:
        return ": ".join(part for part in (f"{self.file}:{self.line}", self.path, self.told) if part)


@dataclass(frozen=True, slots=True)
class Spot:
    """A value and where it is written. `value` is a plain one, a dict of Spots by key, or a list of Spots."""

    value: Any
    file: str
    line: int
    path: str = ""

    def mistake(self, told: str) -> Mistake:
        return Mistake(self.file, self.line, self.path, told)

    def plain(self) -> Any:
        """The value as yaml.safe_load gives it."""
        if isinstance(self.value, dict):
            return {key: spot.plain() for key, spot in self.value.items()}
        if isinstance(self.value, list):
            return [spot.plain() for spot in self.value]
        return self.value

    def at(self, way: tuple[int | str, ...]) -> Spot:
        """The value at the end of this way of keys and numbers, or the last one on it that is written."""
        spot = self
        for step in way:
            try:
                spot = spot.value[step]
            except (KeyError, IndexError, TypeError):
                break
            if not isinstance(spot, Spot):
                break
        return spot

    def without(self, *keys: str) -> Spot:
        return replace(self, value={key: spot for key, spot in self.value.items() if key not in keys})


def read(text: str, *, file: str) -> tuple[Spot, list[Mistake]]:
    """The tree of a YAML document and what is wrong with it as YAML."""
    mistakes: list[Mistake] = []
    empty = Spot(None, file, 1)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        spot = _Planter(file, mistakes).plant(node, line=1, path="") if node else empty
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return empty, [Mistake(file, line, "", f"is no YAML: {error.problem}")]
    except yaml.YAMLError as error:
        return empty, [Mistake(file, 1, "", f"is no YAML: {error}")]
    except RecursionError:
        return empty, [Mistake(file, 1, "", "is nested too deeply, or within itself")]
    return spot, mistakes


class _Planter:
    """Makes Spots of YAML's nodes."""

    def __init__(self, file: str, mistakes: list[Mistake]) -> None:
        self._file = file
        self._mistakes = mistakes
        self._yaml = yaml.constructor.SafeConstructor()

    def plant(self, node: yaml.Node, *, line: int, path: str) -> Spot:
        spot = Spot(None, self._file, line, path)
        if isinstance(node, yaml.MappingNode):
            return replace(spot, value=dict(self._entries(node, path)))
        if isinstance(node, yaml.SequenceNode):
            return replace(spot, value=list(self._items(node, path)))
        try:
            return replace(spot, value=self._yaml.construct_object(node))
        except (yaml.YAMLError, ValueError):
            self._mistakes.append(spot.mistake("cannot be read; put it in quotes"))
            return spot

    def _entries(self, node: yaml.MappingNode, path: str) -> Iterator[tuple[str, Spot]]:
        self._check_keys(node, path)
        self._yaml.flatten_mapping(node)
        for key, value in node.value:
            line = key.start_mark.line + 1
            yield key.value, self.plant(value, line=line, path=f"{path}.{key.value}".lstrip("."))

    def _check_keys(self, node: yaml.MappingNode, path: str) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key.start_mark)
            if key.tag != MERGE and key.value in seen:
                told = f"{key.value!r} stands here twice, first in line {seen[key.value]}; keep one"
                self._mistakes.append(Mistake(self._file, line, path, told))
            seen.setdefault(key.value, line)

    def _items(self, node: yaml.SequenceNode, path: str) -> Iterator[Spot]:
        seen: dict[str, int] = {}
        for number, item in enumerate(node.value, start=1):
            name, line = _name(item), item.start_mark.line + 1
            spot = self.plant(item, line=line, path=f"{path}.{name or number}")
            if name and name in seen:
                told = f"this name is used more than once, first in line {seen[name]}; give each its own"
                self._mistakes.append(spot.mistake(told))
            seen.setdefault(name, line)
            yield spot


def _name(node: yaml.Node) -> str:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(value.value) for key, value in pairs if key.value == "name"), "")


def merged(under: Spot, over: Spot) -> Spot:
    """`over` laid upon `under`: key by key, lists of named things by name, other lists one after the other."""
    if isinstance(under.value, dict) and isinstance(over.value, dict):
        both = {
            key: merged(under.value[key], spot) if key in under.value else spot
            for key, spot in over.value.items()
        }
        return replace(over, value={**under.value, **both})
    if isinstance(under.value, list) and isinstance(over.value, list):
        return replace(over, value=_joined(under.value, over.value))
    return over


def _joined(under: list[Spot], over: list[Spot]) -> list[Spot]:
    joined = list(under)
    places = {name: place for place, spot in enumerate(under) if (name := _named(spot))}
    for spot in over:
        place = places.pop(_named(spot), None)  # a second one of that name is kept: it is told as a mistake
        if place is None:
            joined.append(spot)
        else:
            joined[place] = merged(joined[place], spot)
    return joined


def _named(spot: Spot) -> str:
    name = spot.value.get("name") if isinstance(spot.value, dict) else None
    return name.value if name and isinstance(name.value, str) else ""
