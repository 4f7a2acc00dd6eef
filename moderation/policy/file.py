"""A policy: one YAML file read into frozen values, or refused with every mistake in it and its line.

Knows how a file builds on the bundled one, and how channels and places override what stands above them. Leaves
judging to the checks, and which file is used to the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from moderation.errors import PolicyError
from moderation.lists import denied
from moderation.policy.mistakes import mistakes, unknown
from moderation.policy.terms import Terms
from moderation.policy.tree import Mistake, Spot, merged, read
from moderation.rules import Rule
from moderation.verdict import ANYWHERE, Where

BUNDLED = Path(__file__).parent.with_suffix(".yaml")
ABOUT = ("version", "extends")  # of the file, not of a place
PARTS = ("channels", "places")  # what overrides the rest
DIRECTED = ("input", "output")
NOTHING = Spot({}, "", 0)  # laid upon anything it changes nothing


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be said. `version` is kept with every verdict: the file's own word for it, and the beginning of a
    digest of what was read, so that a file edited without a new version is another one all the same."""

    version: str
    base: Terms
    channels: Mapping[str, Terms] = field(default_factory=dict)
    places: Mapping[Where, Terms] = field(default_factory=dict)

    def at(self, where: Where = ANYWHERE) -> Terms:
        """What applies there: the place's own terms, else its channel's, else those of all."""
        return self.places.get(where) or self.channels.get(where.channel) or self.base

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those of all places."""
        return self.base.compiled()

    @property
    def max_input_chars(self) -> int:
        return self.base.limits.max_input_chars


def load(path: Path | None = None) -> Policy:
    """Reads a policy file, the bundled one when none is named. Raises PolicyError naming every mistake."""
    reader = _Reader()
    tree = reader.tree(path or BUNDLED)
    policy = reader.policy(tree) if isinstance(tree.value, dict) else None
    if reader.mistakes or policy is None:
        raise PolicyError("\n".join(str(mistake) for mistake in sorted(set(reader.mistakes))))
    return policy


class _Reader:
    """Reads one file, and what it builds on, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._digest = hashlib.sha256()

    def tree(self, path: Path) -> Spot:
        """The file laid upon the one it extends."""
        tree = self._written(path)
        if not isinstance(tree.value, dict):
            if not self.mistakes:
                self.mistakes.append(
                    tree.mistake(f"must hold version, limits and rules; see {BUNDLED.name} for an example")
                )
            return tree
        extends = tree.value.get("extends")
        if extends is None or path == BUNDLED:
            return tree
        if extends.value != "bundled":
            self.mistakes.append(unknown(extends, str(extends.plain()), ["bundled"]))
            return tree
        return merged(self._written(BUNDLED), tree)

    def _written(self, path: Path) -> Spot:
        try:
            content = path.read_bytes()
            self._digest.update(content)
            tree, wrong = read(content.decode(), file=str(path))
        except OSError as error:
            raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise PolicyError(f"{path}: is no YAML: it is not UTF-8 text (byte {error.start})") from error
        self.mistakes += wrong
        return tree

    def policy(self, tree: Spot) -> Policy | None:
        version = self._version(tree)
        base = tree.without(*ABOUT, *PARTS)
        terms = self._terms(base, also=(*ABOUT, *PARTS))
        channels = dict(self._named(tree, "channels"))
        places = dict(self._places(tree))
        by_channel = {name: self._terms(merged(base, over)) for name, over in channels.items()}
        by_place = {
            where: self._terms(merged(merged(base, channels.get(where.channel, NOTHING)), over))
            for where, over in places.items()
        }
        if self.mistakes or terms is None:
            return None
        policy = Policy(
            version=f"{version}+{self._digest.hexdigest()[:8]}",
            base=terms,
            channels={name: found for name, found in by_channel.items() if found},
            places={where: found for where, found in by_place.items() if found},
        )
        for found in (policy.base, *policy.channels.values(), *policy.places.values()):
            list(
                denied(found.lists)
            )  # compiled here, since files are read beside the loop; the pattern is remembered
        return policy

    def _version(self, tree: Spot) -> str:
        version = tree.value.get("version")
        if version is None or not isinstance(version.value, str) or not version.value:
            self.mistakes.append(
                replace(version or tree, path="version").mistake(
                    "must be text, such as '2026-11-01' in quotes"
                )
            )
        return str(version.value) if version else ""

    def _terms(self, tree: Spot, *, also: Sequence[str] = ()) -> Terms | None:
        tree = _directed(tree)
        try:
            return Terms.model_validate(tree.plain())
        except ValidationError as error:
            self.mistakes += mistakes(error, tree, model=Terms, also=also)
            return None

    def _named(self, tree: Spot, part: str) -> Iterator[tuple[str, Spot]]:
        """What `channels` or `places` hold, by name."""
        spot = tree.value.get(part)
        if spot is None or spot.value is None:
            return
        if not isinstance(spot.value, dict):
            self.mistakes.append(spot.mistake("must hold a line `name: {...}` for each"))
            return
        for name, over in spot.value.items():
            if isinstance(over.value, dict):
                yield name, over
            elif over.value is not None:
                self.mistakes.append(
                    over.mistake("must hold what is different there, such as {screen: shadow}")
                )

    def _places(self, tree: Spot) -> Iterator[tuple[Where, Spot]]:
        for name, over in self._named(tree, "places"):
            channel, colon, key = name.partition(":")
            if channel and colon and key:
                yield Where(channel, key), over
            else:
                self.mistakes.append(
                    over.mistake("a place is named by channel and key, such as 'telegram:123'")
                )


def _directed(tree: Spot) -> Spot:
    """The tree with `categories` and `pii` once for each direction, each with its own words laid upon the shared."""
    changed = dict(tree.value)
    if "categories" in changed:
        changed["categories"] = _categories(changed["categories"])
    if "pii" in changed:
        changed["pii"] = _split(changed["pii"])
    return replace(tree, value=changed)


def _categories(spot: Spot) -> Spot:
    if not isinstance(spot.value, dict):
        return _split(spot)
    split = {name: _split(category).value for name, category in spot.value.items()}
    return replace(
        spot,
        value={
            way: replace(spot, value={name: both[way] for name, both in split.items()}) for way in DIRECTED
        },
    )


def _split(spot: Spot) -> Spot:
    """What stands under `input` and `output`, each laid upon what stands beside them."""
    if spot.value is None:
        spot = replace(spot, value={})
    if not isinstance(spot.value, dict):
        return replace(spot, value=dict.fromkeys(DIRECTED, spot))
    shared = spot.without(*DIRECTED)
    return replace(spot, value={way: _laid(shared, spot.value.get(way)) for way in DIRECTED})


def _laid(shared: Spot, own: Spot | None) -> Spot:
    return shared if own is None or own.value is None else merged(shared, own)
