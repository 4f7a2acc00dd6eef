"""Texts in, scores or vectors out: a converted encoder on CTranslate2, and its heads in NumPy.

Knows one model folder, its tokenizer and batches. What is pooled and how it is scored is `heads`' business; what a
score means to anybody is not known here. Needs neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ctranslate2
import numpy as np
from tokenizers import Tokenizer

from inference import cuda
from inference.heads import Floats, Heads
from inference.library import (
    ModelIncomplete as ModelIncomplete,
)  # what loading raises, for who may not know the library
from inference.request import EngineClosed, EngineError
from inference.special import usable
from inference.threads import cores

# Tokens of one batch, padding included, and its rows: enough to fill a device, small enough for its attention scores.
BATCH_TOKENS = 4096
BATCH_ROWS = 64
OVERLAP = (
    4  # one part in so many of a window stands in the one before too: no sentence is only seen cut in half
)

# A text, or two that belong together (a question and its answer), as BERT-likes are trained to read them.
Text = str | tuple[str, str]
_Row = tuple[list[int], Sequence[int]]  # ids, and types where there are two parts


@dataclass(frozen=True, slots=True)
class _Batch:
    """Texts of like length: their places in what was asked, their ids, and their types where there are two parts."""

    places: tuple[int, ...]
    ids: list[list[int]]
    types: list[list[int]] | None

    @property
    def lengths(self) -> list[int]:
        return [len(ids) for ids in self.ids]


class Encoder:
    """The model below the heads. Safe for any number of threads. Close it when it is no longer needed."""

    def __init__(
        self, folder: Path, *, device: str = "cpu", compute_type: str = "default", threads: int = 0
    ) -> None:
        """Loads the model. device "auto" is cuda where there is one; `threads` are the cores that one call computes
        on, 0 all of them. Raises ModelIncomplete, and EngineError where CTranslate2 cannot load it."""
        self.heads = Heads.load(folder)
        self.device = cuda.choose(device, count=ctranslate2.get_cuda_device_count)
        self._tokenizer = _tokenizer(folder, max_tokens=self.heads.max_tokens)
        self._model: Any = _load(
            folder, device=self.device, compute_type=compute_type, intra_threads=threads or cores()
        )

    @property
    def compute_type(self) -> str:
        return str(self._loaded().compute_type)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drops the model once the calls that run have ended. Later calls raise EngineClosed."""
        self._model = None

    def scores(self, texts: Sequence[Text], names: Sequence[str]) -> dict[str, Floats]:
        """By head, a row for each text, in their order."""
        return self._read([(row.ids, row.type_ids) for row in self._encoded(texts)], names)

    def windows(self, text: str) -> list[list[int]]:
        """All that the tokenizer makes of a text, in parts that the model reads whole; each begins with the last
        quarter of the one before. One for a short text."""
        # Not encode_batch: what computes on threads of its own is warned about at every fork from then on.
        whole = self._tokenizer.encode(self._part(text))
        return [whole.ids, *(part.ids for part in whole.overflowing)]

    def read(self, windows: Sequence[list[int]], names: Sequence[str]) -> dict[str, Floats]:
        """By head, a row for each window."""
        return self._read([(ids, ()) for ids in windows], names)

    def _read(self, rows: Sequence[_Row], names: Sequence[str]) -> dict[str, Floats]:
        model = self._loaded()
        found = {
            name: np.zeros((len(rows), self.heads.heads[name].width(self.heads.width)), np.float32)
            for name in names
        }
        for batch in self._batches(rows):
            states = _states(model, batch)
            for name in names:
                found[name][list(batch.places)] = self.heads.heads[name].apply(states, batch.lengths)
        return found

    def ids(self, texts: Sequence[Text]) -> list[list[int]]:
        """What the model reads of each text."""
        return [encoding.ids for encoding in self._encoded(texts)]

    def _loaded(self) -> Any:
        model = self._model
        if model is None:
            raise EngineClosed("The model was closed.")
        return model

    def _batches(self, rows: Sequence[_Row]) -> Iterator[_Batch]:
        order = sorted(range(len(rows)), key=lambda place: len(rows[place][0]))
        start = 0
        for end in _cuts([len(rows[place][0]) for place in order]):
            places = tuple(order[start:end])
            ids = [rows[place][0] for place in places]
            self._check(iter(ids))
            types = [list(rows[place][1]) for place in places]
            yield _Batch(places, ids, types if any(map(any, types)) else None)
            start = end

    def _encoded(self, texts: Sequence[Text]) -> list[Any]:
        found: list[Any] = self._tokenizer.encode_batch([self._clean(text) for text in texts])
        return found

    def _clean(self, text: Text) -> Text:
        """As the tokenizer can take it, in small letters where the model wants them."""
        if not isinstance(text, str):
            return self._part(text[0]), self._part(text[1])
        return self._part(text)

    def _part(self, text: str) -> str:
        text = usable(text)
        return text.lower() if self.heads.lower else text

    def _check(self, rows: Iterator[list[int]]) -> None:
        """CTranslate2 reads beyond its embeddings where an id has none, and says nothing."""
        for ids in rows:
            if not ids or max(ids) >= self.heads.vocabulary:
                raise EngineError(
                    f"The tokenizer made of a text what the model has no ids for (they end at "
                    f"{self.heads.vocabulary - 1}). Convert the model again."
                )


class Classifier(Encoder):
    """What a text is, as probabilities of labels.

    A text longer than the model reads (`max_tokens`) is cut at its end; of a pair, the longer part is cut.
    """

    @property
    def max_tokens(self) -> int:
        return self.heads.max_tokens

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """By head."""
        return {name: head.labels for name, head in self.heads.heads.items()}

    @classmethod
    def load(
        cls, folder: Path, *, device: str = "cpu", compute_type: str = "default", threads: int = 0
    ) -> Classifier:
        """As `Encoder`. Raises ModelIncomplete too where a head has no labels."""
        made = cls(folder, device=device, compute_type=compute_type, threads=threads)
        if not all(made.labels.values()):
            made.close()
            raise ModelIncomplete(f"{folder} has a head without labels: it is no classifier.")
        return made

    def classify(self, texts: Sequence[Text], *, head: str = "") -> list[dict[str, float]]:
        """Each text's probabilities by label, from the head of this name, or the first. With one choice of several
        labels they add up to 1; where each label may be right by itself they do not."""
        name = head or next(iter(self.heads.heads))
        if name not in self.heads.heads:
            raise EngineError(f"There is no head {name!r}. There are: {', '.join(self.heads.heads)}.")
        return self._named(name, self.scores(texts, [name])[name])

    def classify_all(self, texts: Sequence[Text]) -> dict[str, list[dict[str, float]]]:
        """By head, as `classify`; the texts are read once for all heads."""
        found = self.scores(texts, list(self.heads.heads))
        return {name: self._named(name, scores) for name, scores in found.items()}

    def _named(self, name: str, scores: Floats) -> list[dict[str, float]]:
        labels = self.heads.heads[name].labels
        return [dict(zip(labels, map(float, row), strict=True)) for row in scores]


class Embedder(Encoder):
    """A text as a vector. What a model wants before a text ("query: ") is the caller's to write.

    A text longer than the model reads (`max_tokens`) is cut at its end.
    """

    @property
    def max_tokens(self) -> int:
        return self.heads.max_tokens

    @property
    def width(self) -> int:
        return next(iter(self.heads.heads.values())).width(self.heads.width)

    @classmethod
    def load(
        cls, folder: Path, *, device: str = "cpu", compute_type: str = "default", threads: int = 0
    ) -> Embedder:
        """As `Encoder`."""
        return cls(folder, device=device, compute_type=compute_type, threads=threads)

    def embed(self, texts: Sequence[Text]) -> Floats:
        """float32, a row of `width` numbers for each text."""
        name = next(iter(self.heads.heads))
        return self.scores(texts, [name])[name]


def _cuts(lengths: Sequence[int]) -> Iterator[int]:
    """Where each batch ends; the lengths rise, so a batch is as wide as its last row."""
    start = 0
    for at, length in enumerate(lengths):
        rows = at - start + 1
        if rows > 1 and (rows > BATCH_ROWS or rows * length > BATCH_TOKENS):
            yield at
            start = at
    if lengths:
        yield len(lengths)


def _states(model: Any, batch: _Batch) -> Floats:
    try:
        output = model.forward_batch(batch.ids, token_type_ids=batch.types)
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"CTranslate2 failed over {len(batch.ids)} texts: {error}") from error
    states = output.last_hidden_state.to(ctranslate2.DataType.float32)
    if model.device != "cpu":
        states = states.to_device(ctranslate2.Device.cpu)
    return np.array(states)


def _tokenizer(folder: Path, *, max_tokens: int) -> Tokenizer:
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # it raises plain Exception
        raise ModelIncomplete(
            f"{folder / 'tokenizer.json'} cannot be read: {error}. Copy it again."
        ) from error
    # Who writes "[SEP]" or "</s>" writes these letters, not what only the tokenizer may put there.
    tokenizer.encode_special_tokens = True
    tokenizer.enable_truncation(max_length=max_tokens, stride=max_tokens // OVERLAP)
    tokenizer.no_padding()
    return tokenizer


def _load(folder: Path, **options: Any) -> Any:
    try:
        return ctranslate2.Encoder(str(folder), max_queued_batches=-1, **options)
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"CTranslate2 cannot load {folder}: {error}") from error
