"""What a family of models is to the library: how it is told, which engine is right for it, what its conversion needs.

Knows words and signatures only. The families themselves stand beside this file, one file for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from inference.parity import Report

Config = Mapping[str, Any]  # a source's config.json
Kind = Literal["chat", "seq2seq", "classifier", "embedder"]
EngineName = Literal["ctranslate2", "transformers", "refused"]


@dataclass(frozen=True, slots=True)
class Route:
    """Which engine is right for one source, and why not the first choice. `context_length` caps what the source says
    itself; notes are sentences for the manifest."""

    engine: EngineName
    reason: str = ""
    context_length: int | None = None
    notes: tuple[str, ...] = ()


STRAIGHT = Route("ctranslate2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models of one build. What is None is as usual: straight to CTranslate2, nothing to edit, nothing to patch.

    decide    reads config.json and picks the engine for this very source
    prepare   (source, workshop): edits the workshop before the stock converter reads it. The workshop has copies of the
              source's small files and links to its weights; the source itself is never written to
    patched   what the stock converter gets wrong, put right while the block is open, and as before after it
    finish    (source, made): adds to the converted folder, e.g. the head of a classifier
    parity    the gate, if not the usual one of the kind. Called with source=, made=, variant=, context_length=,
              end_token_ids=
    """

    name: str
    architectures: tuple[str, ...]
    kind: Kind
    note: str = ""
    decide: Callable[[Config], Route] | None = None
    prepare: Callable[[Path, Path], None] | None = None
    patched: Callable[[Config], AbstractContextManager[None]] | None = None
    finish: Callable[[Path, Path], None] | None = None
    parity: Callable[..., Report] | None = None

    def route(self, config: Config) -> Route:
        return self.decide(config) if self.decide else STRAIGHT
