"""Whether the library is whole: every file compared with its manifest, every alias with what it points to.

Knows how to look, and changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference.library import BUNDLED, Library, inspection, lineup, manifest
from inference.library.reference import (
    ALIASES,
    STARTER,
    AliasesBroken,
    ModelNotFound,
    NoReference,
    Reference,
    is_path,
)

State = Literal["verified", "unverified", "damaged"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`unverified`: nothing is wrong with it, but it has no manifest to compare it with. `reason` is a sentence."""

    name: str
    path: Path
    state: State
    reason: str = ""


def audit(root: Path, text: str = "all") -> Iterator[Finding]:
    """What there is to say of everything that the text covers, one finding for each model; of `all`, of the aliases
    too. Raises ModelNotFound where it covers nothing."""
    library = Library(root=root)
    if text != "all":
        yield from (_one(library, root, each) for each in _covered(library, text))
        return
    for name in library.names():
        yield from (_one(library, root, each) for each in _all_of(library, name))
    yield from _aliases(library, root)


def _covered(library: Library, text: str) -> Sequence[Reference]:
    if is_path(text):
        raise ModelNotFound(
            f"{text} is a path: only models of the library have something to be compared with."
        )
    if text in ALIASES:
        text = library.find(text).name
    try:
        wanted = Reference.parse(text)
    except NoReference as error:
        raise ModelNotFound(str(error)) from error
    found = [each for each in _all_of(library, wanted.name) if each == wanted or wanted.covers(each)]
    if not found:
        library.find(text)  # says what there is
    return found


def _all_of(library: Library, name: str) -> Sequence[Reference]:
    """Complete or not; a folder that holds nothing of a model is none."""
    plain = [Reference(name)] if library.plain_folder(name) is not None else []
    return [*plain, *library.references(name)]


def _one(library: Library, root: Path, reference: Reference) -> Finding:
    place = root / reference.name / reference.version / reference.variant
    path = BUNDLED if reference.name == STARTER else place
    try:
        model = library.find(str(reference))
        inspection.inspect_model(path)
        if model.manifest is None:
            return Finding(str(reference), path, "unverified", "It has no manifest to compare it with.")
        manifest.verify(path)
    except ModelNotFound as error:
        return Finding(str(reference), path, "damaged", str(error))
    return Finding(str(reference), path, "verified")


def _aliases(library: Library, root: Path) -> Iterator[Finding]:
    """Only what is wrong."""
    path = root / lineup.FILE
    try:
        now = lineup.read(root)
    except AliasesBroken as error:
        yield Finding(lineup.FILE, path, "damaged", str(error))
        return
    for alias in ALIASES:
        if now.get(alias) is not None:
            try:
                library.find(alias)
            except ModelNotFound as error:
                yield Finding(alias, path, "damaged", str(error))
