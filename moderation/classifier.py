"""The classifier as the house asks it: a text in, calibrated scores out, never in the way of the event loop.

Knows the shipped models and in which order they read a text. What a score leads to stands in the policy, how languages
are told apart in `language`, how Chinese is scored in `ngrams`, how an encoder computes in `inference`.

One thread judges for the whole house: CTranslate2 computes on it without the interpreter's lock, and a long text gives
way to others between two of its windows.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np

from inference.encoders import Encoder, ModelIncomplete
from inference.heads import Floats
from inference.request import EngineError
from moderation import ngrams
from moderation.categories import HARASSMENT, HATE, LABELS, OVERALL
from moderation.errors import ModerationError
from moderation.language import Gate
from moderation.normalise import classifier_copy
from moderation.verdict import Scores
from moderation.windows import characters, direction, highest

FOLDER = Path(__file__).parent / "model"
HEAD, EMBEDDING = "moderation", "embedding"
LANGUAGES = ("en", "zh")
# Of one text, each of 256 tokens at most: 16,000 characters make 85 when each is a token of its own, 20 in prose. What
# has more takes too long to be judged in time, and what was judged in part is not judged.
MOST_WINDOWS = 128
REMEMBERED = (
    2_048  # texts: the screen asks again about what it has held, and people send the same again; about 5 MB
)


class ClassifierError(ModerationError):
    """The classifier cannot judge; the message says why, and what to do."""


class ClassifierMissing(ClassifierError):
    """The model cannot be loaded; `reason` is what is wrong with it."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class Classifier:
    """A Scorer. Safe for many tasks, loops and threads at once. Close it when it is no longer needed."""

    languages = LANGUAGES

    def __init__(self, encoder: Encoder, chinese: ngrams.Grams, gate: Gate, *, model: str) -> None:
        """`encoder` has the heads that `load` asks for; it is closed with the classifier. `model`: the name to give."""
        self.model = model
        self._encoder = encoder
        self._heads = [name for name in (_scoring(encoder), EMBEDDING) if name in encoder.heads.heads]
        self._chinese = chinese
        self._gate = gate
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="moderation")
        self._remembered = _Remembered(REMEMBERED)

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int = 1) -> Self:
        """The bundled model, or another folder whose head scores our categories; `threads` are the cores that one
        window is computed on. Takes about a second. Raises ClassifierMissing."""
        folder = folder or FOLDER
        if not folder.is_dir():
            raise _missing(folder, "there is no such folder")
        try:
            encoder = Encoder(folder, threads=threads)
            chinese = ngrams.Grams.load()
        except (EngineError, ModelIncomplete, OSError) as error:
            raise _missing(folder, str(error)) from error
        except ngrams.WeightsDamaged as error:
            raise ClassifierMissing(str(error)) from error
        if trouble := _unfit(encoder):
            encoder.close()
            raise _missing(folder, trouble)
        return cls(encoder, chinese, Gate(), model=_name(folder))

    def close(self) -> None:
        """Waits for the window that is being read; whoever waits for a later one gets a ClassifierError."""
        self._encoder.close()
        self._thread.shutdown()

    async def score(self, text: str) -> Scores:
        """Raises ClassifierError, EngineError and whatever else shows that the text was not judged. A task that is
        cancelled leaves nothing behind but the window that is being read."""
        key = _digest(text)
        if (known := self._remembered.get(key)) is not None:
            return known
        steps = self._steps(text)
        loop = asyncio.get_running_loop()
        found: Scores | None = None
        while found is None:
            try:
                step = loop.run_in_executor(self._thread, next, steps)
            except RuntimeError as error:  # the pool's own, after its shutdown
                raise ClassifierError("The classifier was closed.") from error
            found = await step
        self._remembered.put(key, found)
        return found

    def _steps(self, text: str) -> Iterator[Scores | None]:
        """None after each window but the last, where others may come in between; then the scores."""
        reading = self._gate.read(classifier_copy(text), text)
        parts: list[Mapping[str, float]] = []
        vectors: list[Floats] = []
        read = False
        if reading.chinese.strip():
            parts += map(self._scored_chinese, characters(reading.chinese))
        if reading.english.strip() or reading.language == "en":
            windows = self._windows(reading.english)
            for window in windows:
                if read:
                    yield None
                rows = self._encoder.read([list(window)], self._heads)
                labels = self._encoder.heads.heads[self._heads[0]].labels
                parts.append(dict(zip(labels, rows[self._heads[0]][0].tolist(), strict=True)))
                vectors.extend(rows.get(EMBEDDING, ()))  # not +=: NumPy would add
                read = True
        embedding = direction(vectors) if vectors and reading.language == "en" else None
        yield Scores(highest(parts), reading.language, self.model, embedding)

    def _windows(self, text: str) -> tuple[tuple[int, ...], ...]:
        """What repeats itself is read once."""
        windows = tuple(dict.fromkeys(map(tuple, self._encoder.windows(text))))
        if len(windows) > MOST_WINDOWS:
            raise ClassifierError(
                f"The text makes {len(windows)} windows; more than {MOST_WINDOWS} cannot be judged in time. "
                "Lower `limits: max_input_chars` in the policy."
            )
        return windows

    def _scored_chinese(self, part: str) -> Mapping[str, float]:
        """Its data says "offensive" and no more: hate and harassment alike, and nothing of the other categories."""
        score = self._chinese.score(part)
        return dict.fromkeys(LABELS, 0.0) | dict.fromkeys((HATE, HARASSMENT, OVERALL), score)


class _Remembered:
    """The latest answers by the digest of their text, the embeddings packed: as tuples they take four times that."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[bytes, tuple[Scores, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Scores | None:
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            scores, packed = self._found[key]
        if not packed:
            return scores
        embedding = tuple(np.frombuffer(packed, np.float64).tolist())
        return Scores(scores.values, scores.language, scores.model, embedding)

    def put(self, key: bytes, scores: Scores) -> None:
        packed = np.array(scores.embedding or (), np.float64).tobytes()
        kept = Scores(scores.values, scores.language, scores.model)
        with self._lock:
            self._found[key] = kept, packed
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)


def _digest(text: str) -> bytes:
    """Of the text as it was written: its accents count for its language, and the copy has lost them."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _unfit(encoder: Encoder) -> str:
    """Why this encoder is no classifier of ours; empty when it is."""
    head = encoder.heads.heads[_scoring(encoder)]
    if sorted(head.labels) != sorted(LABELS) or head.outcome != "sigmoid":
        return f"its first head, or the one named {HEAD}, must score each of {', '.join(LABELS)} by itself"
    return ""


def _scoring(encoder: Encoder) -> str:
    """The head that scores: by its name in the shipped model, the first in one that an operator trained. That one has
    no embedding besides, and topics are off with it."""
    heads = encoder.heads.heads
    return HEAD if HEAD in heads else next(iter(heads))


def _missing(folder: Path, reason: str) -> ClassifierMissing:
    reason = reason.rstrip(".")
    return ClassifierMissing(
        f"The moderation model in {folder} cannot be used: {reason}. It comes with Frontdesk: install it again, or "
        "restore the folder from the repository.",
        reason=reason,
    )


def _name(folder: Path) -> str:
    """Changes with any file that changes a score."""
    digest = hashlib.sha256()
    for file in (folder / "model.bin", folder / "head.npz", folder / "tokenizer.json", ngrams.FILE):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return f"frontdesk-moderation-{digest.hexdigest()[:8]}"
