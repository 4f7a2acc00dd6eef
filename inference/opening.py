"""From a model of the library to something that runs it: looked at, verified, and opened by the engine that is right.

Knows kinds and engines, and which goes with which. Imports none of them before a model is opened, so that asking costs
nothing. What may lie in a folder is `inspection`'s business, what it must hold `manifest`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.library import inspection, manifest
from inference.request import EngineError

if TYPE_CHECKING:
    from inference.encoders import Classifier, Embedder
    from inference.engine import Engine
    from inference.fallback.encoders import TransformersClassifier, TransformersEmbedder
    from inference.library import ModelFolder

_NOUNS = {
    "chat": "a chat model",
    "seq2seq": "an encoder-decoder",
    "classifier": "a classifier",
    "embedder": "an embedder",
}


class WrongKind(EngineError):
    """The model is there, and is nothing that can do what is asked of it."""


def verify(model: ModelFolder) -> None:
    """Looks at every file before anything opens one: names, links, headers, no pickle; and for a variant of the library
    that each is, byte for byte, the one that was installed. Reads the whole model: seconds for a large one.

    Raises UnsafeFolder and ModelDamaged, each naming the file.
    """
    inspection.inspect_model(model.path)
    if model.manifest is not None:
        manifest.verify(model.path)


def open_engine(model: ModelFolder, **options: Any) -> Engine:
    """The engine that answers with this model, loaded; `options` are Engine's. The caller closes it.

    Raises WrongKind, UnsafeFolder, ModelDamaged, and what the engine itself raises: ModelIncomplete, EngineError.
    """
    _check_kind(model, "chat", "seq2seq", cannot="answer conversations")
    verify(model)
    if model.engine == "transformers":
        from inference import fallback

        if model.kind == "seq2seq":
            return fallback.TransformersSeq2SeqEngine(model.path, **options)
        return fallback.TransformersEngine(model.path, **options)
    if model.kind == "seq2seq":
        from inference.seq2seq import Seq2SeqEngine

        return Seq2SeqEngine(model.path, **options)
    from inference.engine import Engine

    return Engine(model.path, **options)


def open_classifier(model: ModelFolder, **options: Any) -> Classifier | TransformersClassifier:
    """As open_engine; `options` are device, compute_type and threads."""
    _check_kind(model, "classifier", cannot="judge texts")
    verify(model)
    if model.engine == "transformers":
        from inference.fallback.encoders import TransformersClassifier

        return TransformersClassifier.load(model.path, **options)
    from inference.encoders import Classifier

    return Classifier.load(model.path, **options)


def open_embedder(model: ModelFolder, **options: Any) -> Embedder | TransformersEmbedder:
    """As open_classifier."""
    _check_kind(model, "embedder", cannot="turn texts into vectors")
    verify(model)
    if model.engine == "transformers":
        from inference.fallback.encoders import TransformersEmbedder

        return TransformersEmbedder.load(model.path, **options)
    from inference.encoders import Embedder

    return Embedder.load(model.path, **options)


def _check_kind(model: ModelFolder, *kinds: str, cannot: str) -> None:
    if model.kind not in kinds:
        raise WrongKind(
            f"{model.name} is {_NOUNS.get(model.kind, model.kind)}; it cannot {cannot}. "
            f"That takes {' or '.join(_NOUNS[kind] for kind in kinds)}: frontdesk models list shows which there are."
        )
