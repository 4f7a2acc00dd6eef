"""Who serves: the model behind `default`, `canary` and each other alias, as aliases.json says.

Knows that file, read. Changing it is done in `aliases`; which models exist, the library knows.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.library.reference import ALIASES, CANARY, AliasesBroken, NoReference, Reference

FILE = "aliases.json"
FORMAT = 1
STEPS = 10  # back from the present one: what anybody still remembers

_LARGEST = 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Alias:
    """`target` is a canonical reference or a plain folder's name; `previous` the ones before it, newest first.
    `share` is the part of conversations that a canary gets."""

    target: str
    share: float | None = None
    previous: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineup:
    """None where an alias was never set: the default is the starter then, there is no canary, and messages are judged
    by the bundled classifier."""

    default: Alias | None = None
    canary: Alias | None = None
    classifier: Alias | None = None
    moderation: Alias | None = None

    def get(self, alias: str) -> Alias | None:
        found: Alias | None = getattr(self, alias) if alias in ALIASES else None
        return found

    def marks(self, reference: str) -> tuple[str, ...]:
        """The aliases that point to a model."""
        return tuple(name for name in ALIASES if (a := self.get(name)) is not None and a.target == reference)

    def to_json(self) -> str:
        aliases = {name: _plain(alias) for name in ALIASES if (alias := self.get(name)) is not None}
        return json.dumps({"format": FORMAT, "aliases": aliases}, indent=1) + "\n"


def read(root: Path | None) -> Lineup:
    """Raises AliasesBroken; a file that is not there is a lineup of nobody."""
    if root is None:
        return Lineup()
    path = root / FILE
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return Lineup()
    except OSError as error:
        raise AliasesBroken(f"{path} cannot be read: {error}.") from error
    try:
        return _lineup(text)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise AliasesBroken(
            f"{path} is broken: {error}. Mend it, or remove it and promote the model that shall serve."
        ) from error


def stamp(root: Path | None) -> tuple[int, ...]:
    """Changes whenever the lineup was written; one look at the file's entry, nothing is read."""
    try:
        found = (root / FILE).stat() if root is not None else None
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found is not None else ()


def _plain(alias: Alias) -> dict[str, Any]:
    share = {} if alias.share is None else {"share": alias.share}
    return {"target": alias.target, **share, "previous": list(alias.previous)}


def _lineup(text: bytes) -> Lineup:
    if len(text) > _LARGEST:
        raise ValueError("it is larger than any such file")
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    aliases = value["aliases"]
    if not isinstance(aliases, dict):
        raise TypeError("aliases is no object")
    strange = [name for name in aliases if name not in ALIASES]
    if strange:
        raise ValueError(f"there is no alias {strange[0][:40]!r}")
    return Lineup(**{name: _alias(name, each) for name, each in aliases.items()})


def _alias(name: str, value: dict[str, Any]) -> Alias:
    if not isinstance(value, dict) or not isinstance(value.get("previous", []), list):
        raise TypeError(f"{name} is no alias")
    share = value.get("share")
    if (name == CANARY) is (share is None):
        raise ValueError("the canary has a share, and only the canary")
    return Alias(
        target=_target(value["target"]),
        share=None if share is None else checked_share(share),
        previous=tuple(_target(each) for each in value.get("previous", [])[:STEPS]),
    )


def checked_share(share: object) -> float:
    """Raises ValueError: a canary that gets nothing or everything is none."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ValueError(f"a canary's share lies between 0 and 1, and {share!r} does not")
    return float(share)


def _target(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError("a target is no text")
    reference = Reference.parse(text)
    if text in ALIASES or not (reference.canonical or reference.plain):
        raise NoReference(f"{text[:80]!r} is no target: NAME@version:variant, or the name of a plain folder")
    return text
