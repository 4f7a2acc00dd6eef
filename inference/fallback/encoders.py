"""Texts in, scores or vectors out, on transformers: encoders that CTranslate2 cannot run, with `encoders`' own methods.

Knows one folder, its tokenizer and batches. Needs the extra `train`; importing this file does not. What is done with an
embedder's states is `heads`' business; a classifier's head is part of its model here, whatever it is made of.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from tokenizers import Tokenizer

from inference import library
from inference.fallback import needed
from inference.families.encoder import _embedding as embedding_head
from inference.families.encoder import _outcome as outcome_of
from inference.families.encoder import max_tokens
from inference.heads import OUTCOMES, Floats
from inference.library import ModelIncomplete, manifest
from inference.request import EngineClosed, EngineError

# Tokens of one batch: enough to fill a device, small enough for its attention scores.
BATCH_TOKENS = 4096

Text = str | tuple[str, str]

_HEAD = "default"  # there is one, and it has no name of its own


class TransformersEncoder:
    """A model of texts and its tokenizer. Safe for any number of threads, which wait for each other.

    Only texts of one length share a batch, so that nothing is padded: what a text gets does not depend on which others
    came with it, and XLNet, which looks at the last place, sees the text's own.
    """

    kind = "AutoModel"

    def __init__(
        self, folder: Path, *, device: str = "cpu", compute_type: str = "default", threads: int = 0
    ) -> None:
        """Loads the model. `threads` is torch's number, one for the whole process; 0 leaves it. Raises ModelIncomplete,
        and EngineError where transformers is missing or cannot load it."""
        self._torch_model = torch_model = needed()
        self.device: str = torch_model.choose_device(device)
        self._model = torch_model.load(folder, kind=self.kind, device=self.device, compute_type=compute_type)
        if threads:
            torch_model.use_threads(threads)
        self.max_tokens = _limit(folder)
        self._lower = bool(library.read_json(folder / "sentence_bert_config.json").get("do_lower_case"))
        self._tokenizer = _tokenizer(folder, max_tokens=self.max_tokens)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls, folder: Path, *, device: str = "cpu", compute_type: str = "default", threads: int = 0
    ) -> Self:
        return cls(folder, device=device, compute_type=compute_type, threads=threads)

    @property
    def compute_type(self) -> str:
        return str(self._loaded().dtype).removeprefix("torch.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drops the model once the call that runs has ended. Later calls raise EngineClosed."""
        with self._lock:
            self._model = None
        self._torch_model.give_back()

    def ids(self, texts: Sequence[Text]) -> list[list[int]]:
        """What the model reads of each text."""
        return [encoding.ids for encoding in self._encoded(texts)]

    def _loaded(self) -> Any:
        if self._model is None:
            raise EngineClosed("The model was closed.")
        return self._model

    def _computed(self, texts: Sequence[Text], *, width: int) -> Floats:
        """What `_read` makes of each text, in their order."""
        encodings = self._encoded(texts)
        found = np.zeros((len(texts), width), np.float32)
        for places in _batches([len(encoding.ids) for encoding in encodings]):
            batch = [encodings[place] for place in places]
            with self._lock:
                model = self._loaded()
                output = self._torch_model.read(
                    model, [row.ids for row in batch], types=[row.type_ids for row in batch]
                )
            found[places] = self._read(output, lengths=[len(row.ids) for row in batch])
        return found

    def _read(self, output: Any, *, lengths: Sequence[int]) -> Floats:
        raise NotImplementedError

    def _encoded(self, texts: Sequence[Text]) -> list[Any]:
        found: list[Any] = self._tokenizer.encode_batch([self._cased(text) for text in texts])
        if not all(encoding.ids for encoding in found):
            raise EngineError("The tokenizer makes nothing of an empty text.")
        return found

    def _cased(self, text: Text) -> Text:
        if not self._lower:
            return text
        return text.lower() if isinstance(text, str) else (text[0].lower(), text[1].lower())


class TransformersClassifier(TransformersEncoder):
    """What a text is, as probabilities of labels: encoders.Classifier's methods."""

    kind = "AutoModelForSequenceClassification"

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        config = self._model.config
        names = tuple(str(config.id2label[at]) for at in range(config.num_labels))
        if len(set(names)) < len(names):
            raise ModelIncomplete(f"{folder} gives two outputs one name: {', '.join(names)}.")
        self.labels = {_HEAD: names}
        self._outcome = OUTCOMES[outcome_of(config)]

    def classify(self, texts: Sequence[Text], *, head: str = "") -> list[dict[str, float]]:
        """Each text's probabilities by label, as encoders.Classifier.classify."""
        if head not in ("", _HEAD):
            raise EngineError(f"There is no head {head!r}. There are: {_HEAD}.")
        labels = self.labels[_HEAD]
        scores = self._computed(texts, width=len(labels))
        return [dict(zip(labels, map(float, row), strict=True)) for row in scores]

    def classify_all(self, texts: Sequence[Text]) -> dict[str, list[dict[str, float]]]:
        return {_HEAD: self.classify(texts)}

    def _read(self, output: Any, *, lengths: Sequence[int]) -> Floats:
        return self._outcome(output.logits.float().cpu().numpy())


class TransformersEmbedder(TransformersEncoder):
    """A text as a vector: encoders.Embedder's methods."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self._head = embedding_head(folder)
        self.width = self._head.width(int(self._model.config.hidden_size))

    def embed(self, texts: Sequence[Text]) -> Floats:
        """float32, a row of `width` numbers for each text."""
        return self._computed(texts, width=self.width)

    def _read(self, output: Any, *, lengths: Sequence[int]) -> Floats:
        return self._head.apply(output.last_hidden_state.float().cpu().numpy(), lengths)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of equal length, as many together as fit into a batch."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for length, group in groupby(order, key=lengths.__getitem__):
        places, rows = list(group), max(1, BATCH_TOKENS // length)
        for start in range(0, len(places), rows):
            yield places[start : start + rows]


def _limit(folder: Path) -> int:
    known = manifest.read(folder)
    if known is not None:
        return known.context_length
    positions = library.read_json(folder / "config.json").get("max_position_embeddings")
    return max_tokens(folder, positions=positions if isinstance(positions, int) else None)


def _tokenizer(folder: Path, *, max_tokens: int) -> Tokenizer:
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # it raises plain Exception
        raise ModelIncomplete(
            f"{folder / 'tokenizer.json'} cannot be read: {error}. Copy it again."
        ) from error
    tokenizer.enable_truncation(max_length=max_tokens)
    tokenizer.no_padding()
    return tokenizer
