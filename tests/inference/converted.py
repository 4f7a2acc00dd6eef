"""A checkpoint as CTranslate2's own converter makes it under a family's mending: no gate, no library."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ctranslate2.converters import TransformersConverter

from inference import families
from inference.convert import source as sources


def converted(source: Path, made: Path, *, files: Iterable[str] = ("tokenizer.json",)) -> Path:
    """`made`, with these files of the source beside the model."""
    config = sources.configuration(source)
    family = families.family_of(config)
    assert family is not None
    assert family.patched is not None
    assert family.finish is not None
    with sources.quietly(), family.patched(config):
        TransformersConverter(str(source)).convert(str(made))
    for name in files:
        shutil.copy(source / name, made)
    family.finish(source, made)
    return made
