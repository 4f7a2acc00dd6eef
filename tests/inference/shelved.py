"""Models put into a library for tests: a complete folder with a manifest, without any conversion."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from inference.library import manifest
from inference.library.manifest import Manifest, Source
from inference.library.shelf import Shelf


def described(folder: Path, *, name: str = "desk", source: str = "a source", **changes: Any) -> Manifest:
    """The manifest of a folder as it is. Another `source` is another version."""
    digest = manifest.hashlib.sha256(source.encode()).hexdigest()
    fields: dict[str, Any] = {
        "name": name,
        "version": manifest.version_of(digest),
        "variant": "int8",
        "kind": "chat",
        "family": "llama",
        "architecture": "LlamaForCausalLM",
        "engine": "ctranslate2",
        "source": Source(id="org/desk", digest=digest),
        "context_length": 512,
        "has_chat_template": True,
        "files": manifest.digests(folder),
        "created": manifest.now(),
        **changes,
    }
    return Manifest(**fields)


def put(shelf: Shelf, folder: Path, *, weight: bytes = b"", **changes: Any) -> Manifest:
    """A copy of `folder` on the shelf; other bytes of `weight` are another model of the same size."""
    with shelf.staging() as staged:
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        if weight:
            (staged / "notes.txt").write_bytes(weight)
        made = described(staged, **changes)
        shelf.install(staged, made)
    return made


def path_of(shelf: Shelf, made: Manifest) -> Path:
    return shelf.root / made.name / made.version / made.variant


def all_paths(root: Path) -> set[str]:
    """Everything below, but the lock."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*")} - {".lock"}
