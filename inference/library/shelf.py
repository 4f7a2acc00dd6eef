"""Changes of the library: what was made is put on the shelf in one step, taken down, and swept up after.

Knows folders, and that it can be killed at any instant: what has a name in the library is complete, and what is not
complete lies in .staging, held by the process that writes it. Who serves is told by the aliases.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference.library import Library, durable, inspection, lineup
from inference.library import manifest as manifests
from inference.library.durable import ChangeRefused, locked
from inference.library.lineup import Lineup
from inference.library.manifest import Manifest
from inference.library.reference import (
    ALIASES,
    CANARY,
    STARTER,
    ModelDamaged,
    ModelNotFound,
    NoReference,
    Reference,
    is_path,
)

STAGING = ".staging"
SOURCES = ".sources"
HELD = ".held"
PART = ".part"  # ends the name of a source that is still being fetched


class InUse(ChangeRefused):
    """An alias points there; the message names it."""


class NotInstalled(ChangeRefused):
    """What was made does not go into the library; the message says why."""


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes: of the models, of fetched sources, of what is being written or was left by a kill, and free."""

    models: int
    sources: int
    staging: int
    free: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What was garbage, relative to the library, and its bytes."""

    paths: tuple[str, ...]
    size: int


class Shelf:
    """The library of one root, to be changed. Any number of processes may do so at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.library = Library(root=root)

    @property
    def sources(self) -> Path:
        return self.root / SOURCES

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty folder on the same disk, to write a model into. Whatever is left in it goes when the block ends;
        when the process is killed, `collect` takes it."""
        with locked(self.root):
            room = self.root / STAGING / secrets.token_hex(8)
            room.mkdir(parents=True)
            held = durable.hold(room / HELD)
        try:
            made = room / "made"
            made.mkdir()
            yield made
        finally:
            try:
                with locked(self.root):  # so that `collect` never meets it half gone
                    shutil.rmtree(room, ignore_errors=True)
            finally:
                if held is not None:
                    os.close(held)

    def install(self, staged: Path, manifest: Manifest) -> Path:
        """Put a staged folder where its manifest says, in one step. The same files again change nothing; others
        under the same name take its place, unless an alias points there. Raises ModelDamaged, UnsafeFolder,
        NotInstalled and InUse."""
        inspection.inspect_model(staged)
        durable.write(staged / manifests.FILE, manifest.to_json())
        manifest = manifests.verify(staged)  # as it will be read, so that every name in it was checked
        durable.sync_tree(staged)
        with locked(self.root):
            self._refuse_name(manifest.name)
            place = self.root / manifest.name / manifest.version / manifest.variant
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                durable.sync_folder(place.parent.parent)
                durable.sync_folder(self.root)
                durable.rename(staged, place)
            elif not self._same(place, manifest):
                durable.exchange(staged, place)  # the old one goes with the staging
        return place

    def remove(self, reference: str, *, force: bool = False) -> tuple[str, ...]:
        """Take down all that the reference covers; what was removed. Raises ModelNotFound and InUse: what serves is
        never removed, the one to go back to only with `force`."""
        with locked(self.root), self._aside() as aside:
            wanted, found = self._to_remove(reference)
            before = lineup.read(self.root)
            self._refuse_in_use(before, found, force=force)
            after = _without(before, found)
            if after != before:
                durable.write(self.root / lineup.FILE, after.to_json())
            for number, each in enumerate(found):
                durable.rename(self._place(each), aside / str(number))
            self._sweep_empty(wanted.name)
        return tuple(str(each) for each in found)

    def annotate(self, reference: str, *, speed: Mapping[str, Any]) -> Manifest:
        """Write what was measured into a variant's manifest. Raises ModelNotFound."""
        with locked(self.root):
            model = self.library.find(reference)
            if model.manifest is None or is_path(reference):
                raise ModelNotFound(f"{reference} has no manifest: only what was converted here has one.")
            changed = replace(model.manifest, speed=dict(speed))
            durable.write(model.path / manifests.FILE, changed.to_json(), room=self.root)
        return changed

    def collect(self, *, sources: bool = False) -> Swept:
        """Sweep up what no living process holds. `sources` go when that is asked for only: they would have to be
        fetched anew."""
        if not self.root.is_dir():
            return Swept((), 0)
        with locked(self.root):
            garbage = [*self._left_behind(), *(self._fetched() if sources else ())]
            size = sum(_size(path) for path in garbage)
            for path in garbage:
                _remove(path)
            for name in self.library.names():
                self._sweep_empty(name)
        return Swept(tuple(str(path.relative_to(self.root)) for path in garbage), size)

    def disk_use(self) -> DiskUse:
        there = next(each for each in (self.root, *self.root.absolute().parents) if each.is_dir())
        names = [name for name in self.library.names() if name != STARTER]
        return DiskUse(
            models=sum(_size(self.root / name) for name in names),
            sources=_size(self.sources),
            staging=_size(self.root / STAGING),
            free=shutil.disk_usage(there).free,
        )

    def _refuse_name(self, name: str) -> None:
        if name in (*ALIASES, STARTER):
            raise NotInstalled(f"No model can be called {name}: that name is taken. Choose another one.")
        folder = self.root / name
        if folder.is_symlink() or self.library.plain_folder(name) is not None:
            raise NotInstalled(
                f"{folder} is a plain folder that was put there by hand. Choose another name for the model, or "
                "move that folder away."
            )

    def _same(self, place: Path, manifest: Manifest) -> bool:
        """Whether what stands there may stay. Raises InUse where it may neither stay nor go."""
        try:
            old = manifests.read(place)
            if old is not None and old.files == manifest.files:
                old.verify(place)
                return True
            equal = False
        except ModelDamaged:
            equal = True  # whatever it was, it is no more: this heals it
        marks = [] if equal else _marks(lineup.read(self.root), manifest.reference)
        if marks:
            raise InUse(
                f"{manifest.reference} is there already with other files, and {' and '.join(marks)} points to it. "
                "Promote another model first, or convert under another name."
            )
        return False

    def _to_remove(self, text: str) -> tuple[Reference, list[Reference]]:
        wanted = _said(text)
        if wanted.name == STARTER:
            raise InUse("The starter is part of Frontdesk and cannot be removed.")
        found = [each for each in self.library.references(wanted.name) if wanted.covers(each)]
        if wanted.variant and not wanted.version and len(found) > 1:
            raise ModelNotFound(
                f"{text} is in several versions: say which one: {', '.join(str(each) for each in found)}."
            )
        if wanted.plain and not found and (self.root / wanted.name / "model.bin").exists():
            found = [wanted]
        if not found:
            self.library.find(text)  # says what there is
            raise ModelNotFound(f"There is no {text} to remove.")
        return wanted, found

    def _refuse_in_use(self, before: Lineup, found: Iterable[Reference], *, force: bool) -> None:
        for each in found:
            if marks := _marks(before, each):
                raise InUse(
                    f"{each} is the {' and the '.join(marks)}: it serves. Promote another model first"
                    f"{', or end the canary (rollback --canary)' if CANARY in marks else ''}."
                )
            if not force and before.default and before.default.previous[:1] == (str(each),):
                raise InUse(
                    f"{each} is the model that `rollback` would go back to. Remove it with --force if that is not "
                    "wanted any more."
                )

    @contextlib.contextmanager
    def _aside(self) -> Iterator[Path]:
        """Where to put what is to be removed. The caller has the lock."""
        room = self.root / STAGING / secrets.token_hex(8)
        room.mkdir(parents=True)
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _place(self, reference: Reference) -> Path:
        return self.root / reference.name / reference.version / reference.variant

    def _left_behind(self) -> Iterator[Path]:
        for file in (lineup.FILE, manifests.FILE):
            yield from self.root.glob(f".{file}.*{durable.TEMPORARY}")
        yield from _unheld(self.root / STAGING)

    def _fetched(self) -> Iterator[Path]:
        return _unheld(self.sources)

    def _sweep_empty(self, name: str) -> None:
        for folder in (*(self.root / name).glob("*"), self.root / name):
            if not folder.is_symlink():
                with contextlib.suppress(OSError):  # not empty, or no folder
                    folder.rmdir()


def _said(text: str) -> Reference:
    if is_path(text) or text in ALIASES:
        raise ModelNotFound(
            f"{text} is no model's name. Say what is to be removed: NAME or NAME@version:variant."
        )
    try:
        return Reference.parse(text)
    except NoReference as error:
        raise ModelNotFound(str(error)) from error


def _marks(before: Lineup, reference: Reference) -> list[str]:
    return list(before.marks(str(reference)))


def _without(before: Lineup, gone: Iterable[Reference]) -> Lineup:
    """The lineup whose history no longer names what is removed."""
    names = {str(each) for each in gone}
    kept = {
        alias: replace(at, previous=tuple(each for each in at.previous if each not in names))
        for alias in ALIASES
        if (at := before.get(alias)) is not None
    }
    return replace(before, **kept)


def _unheld(folder: Path) -> Iterator[Path]:
    """What lies in a folder and is not in the hands of a living process."""
    if not folder.is_dir():
        return
    for room in sorted(folder.iterdir()):
        held = durable.hold(room / HELD) if room.is_dir() and not room.is_symlink() else -1
        if held is None:
            continue
        if held >= 0:
            os.close(held)
        yield room


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(each.lstat().st_size for _, each in manifests.files_in(path)) if path.is_dir() else 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
