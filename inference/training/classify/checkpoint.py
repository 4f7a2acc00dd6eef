"""What a run leaves on disk to go on from: whole after a kill at any instant, and refused by any other run.

Knows one folder and torch's way of writing tensors. What is in a checkpoint is the run's business.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inference.library.durable import sync_folder
from inference.training.classify.rows import Floats

_FILE = "checkpoint.pt"
_FEATURES = "features-{key}.npy"


class OtherRun(ValueError):
    """The folder holds another run, of other rows or settings; the message says what to do."""


class Checkpoint:
    """Of one run, known by a digest of all that decides its outcome."""

    def __init__(self, folder: Path, *, digest: str, seconds: float, steps: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / _FILE
        self.digest = digest
        self._seconds, self._steps = seconds, steps
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """What was saved last; None where nothing was. Raises OtherRun."""
        import torch

        if not self.path.is_file():
            return None
        try:
            saved: dict[str, Any] = torch.load(self.path, weights_only=True)
        except Exception as error:  # whatever torch raises over a strange file
            raise OtherRun(f"{self.path} cannot be read ({error}). Remove it, and begin anew.") from error
        if saved.get("digest") != self.digest:
            raise OtherRun(
                f"{self.path.parent} holds a run of other rows or settings. Choose another folder (--run), or remove "
                "that one."
            )
        return saved

    def due(self, step: int) -> bool:
        by_steps = bool(self._steps) and step % self._steps == 0
        return by_steps or time.monotonic() - self._saved >= self._seconds

    def save(self, **what: Any) -> None:
        """In one step: what was there before stays until all of the new one is on the disk."""
        import torch

        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            torch.save({"digest": self.digest, **what}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        sync_folder(self.path.parent)
        self._saved = time.monotonic()


def cached(folder: Path, key: str, make: Callable[[], Floats]) -> Floats:
    """What `make` returns, kept in the folder: reading thousands of texts once is enough."""
    path = folder / _FEATURES.format(key=key[:16])
    if path.is_file():
        try:
            held: Floats = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            path.unlink()
        else:
            return held
    made = make()
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, made)
    part.replace(path)
    return made
