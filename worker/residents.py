"""Which models a worker is to have loaded: the one it was given, or what the library's aliases name at the moment.

Knows the library and the device's memory. Starting and ending processes is the supervisor's work.
"""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from inference import memory
from inference.library import Library, ModelNotFound, lineup
from inference.library.reference import DEFAULT

log = structlog.get_logger(__name__)

# Beside its weights a process needs Python, buffers, and states enough to answer somebody: of its own and a share.
OVERHEAD = 300_000_000  # bytes
SHARE = 1.25

RECENT = 600.0  # seconds; the longest answer: what the model before has begun may still be taken up


class Residents:
    """`model` is a library name or a path, which never changes; or the alias `default`, which brings the canary
    along."""

    def __init__(self, model: str, *, models: Path) -> None:
        self._library = Library(root=models)
        self._root = models
        self._model = model
        self._stamp: tuple[int, ...] | None = None
        self._wanted: tuple[str, ...] = ()
        self._trouble = ""

    def wanted(self) -> tuple[str, ...]:
        """References, the default's first. Cheap: files are read when they have changed. Aliases that cannot be read or
        name no model change nothing; raises ModelNotFound where nothing was ever found."""
        if self._model != DEFAULT:
            return (self._model,)
        stamp = lineup.stamp(self._root)
        if stamp != self._stamp or self._trouble or not self._wanted:
            try:
                self._wanted, trouble = self._read()
                self._stamp = stamp
            except (ModelNotFound, OSError) as error:
                if not self._wanted:
                    raise
                trouble = str(error)
            if trouble and trouble != self._trouble:  # once, however often it is looked at
                log.error("the library is not as the aliases say", cause=trouble)
            self._trouble = trouble
        return self._wanted

    def before(self) -> tuple[str, ...]:
        """The defaults before this one that are still there, the latest first."""
        default = lineup.read(self._root).default if self._model == DEFAULT else None
        return tuple(filter(self._is_there, default.previous if default else ()))

    def leaving(self) -> tuple[str, ...]:
        """What may still have answers under way though it is wanted no more: the default before a recent exchange."""
        try:
            changed = (self._root / lineup.FILE).stat().st_mtime
            before = self.before() if time.time() - changed < RECENT else ()
        except (ModelNotFound, OSError):
            return ()
        return before[:1]

    def fits(self, model: str, *, device: str) -> bool:
        """Whether there is likely to be room for one more process with this model; yes where nobody can tell."""
        unused = memory.unused(device)
        return not unused or self.needs(model) <= unused

    def needs(self, model: str) -> int:
        """Bytes."""
        try:
            model_folder = self._library.find(model)
        except ModelNotFound:
            return 0
        return int(model_folder.size * SHARE) + OVERHEAD

    def _read(self) -> tuple[tuple[str, ...], str]:
        """And what is wrong with the canary: the default answers all the same."""
        targets, trouble = [self._library.find(DEFAULT).name], ""
        canary = lineup.read(self._root).canary
        if canary:
            try:
                targets.append(self._library.find(canary.target).name)
            except ModelNotFound as error:
                trouble = str(error)
        return tuple(dict.fromkeys(targets)), trouble

    def _is_there(self, reference: str) -> bool:
        try:
            self._library.find(reference)
        except ModelNotFound:
            return False
        return True
