"""The second engine: models that CTranslate2 cannot run, or would run wrong, on transformers behind the same interface.

Knows the words of ctranslate2.Generator that the scheduler speaks, and says them over a checkpoint of transformers:
lines, ends, resuming and measures are the first engine's own. Needs the extra `train`; importing this file does not.

Decision, 2026-11: each row is a batch of its own, and rows take turns, one forward pass each, on one device. Rows in
one batch would need padding: that computes in another order, so that an answer would depend on its neighbours, and
XLNet's generation knows none. `model.generate` in a thread for each row would let no row wait its turn, and a dynamic
RoPE keeps one sequence's frequencies in the model itself. So each token is the one that transformers' own greedy
generate makes, rows come and go freely, and many rows cost as many passes: this engine is for what the fast one cannot.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer

from inference import library, memory
from inference.cohorts import Window
from inference.engine import MAX_WAITING, Engine
from inference.library import manifest
from inference.measures import Measures
from inference.prefixes import Prefixes
from inference.request import EngineError, Request
from inference.row import SHORTEST
from inference.scheduler import FULL, Scheduler
from inference.seq2seq import Seq2SeqEngine
from inference.threads import Threads, cores

if TYPE_CHECKING:
    from inference.fallback.torch_model import Decoder, Passage

# Rows that take turns: each makes every other wait for one pass more, and none makes the passes faster.
ROWS = {"cpu": 4, "cuda": 8}

INSTALL = "pip install 'frontdesk[train]'"


class TransformersEngine(Engine):
    """An Engine over transformers. Everything but its beginning is the first engine's."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        compute_type: str = "default",
        inter_threads: int = 0,
        intra_threads: int = 0,
        max_waiting: int = MAX_WAITING,
        max_rows: int = 0,
        memory_bytes: int = 0,
        prefixes: Iterable[tuple[int, ...]] = (),
        measures: Measures | None = None,
    ) -> None:
        """Loads config.json and *.safetensors of a folder. As Engine, but for what transformers has not:

        compute_type: float32, float16 or bfloat16; for a type with int8 what it is combined with; by default float32 on
        a CPU and the checkpoint's own on a GPU. intra_threads is torch's number of threads, one for the whole process.
        inter_threads is ignored: one pass keeps the device busy, and the model holds one sequence's state at a time.
        prefixes are ignored: what XLNet or a dynamic RoPE keeps of a beginning depends on what comes after it.
        Raises library.ModelIncomplete, and EngineError where transformers is missing or cannot load it.
        """
        torch_model = needed()
        self.device = torch_model.choose_device(device)
        decoder = torch_model.Decoder.load(folder, device=self.device, compute_type=compute_type)
        if intra_threads:
            torch_model.use_threads(intra_threads)
        self.context_length = library.context_length(folder)
        self.end_token_ids = end_token_ids(folder, vocabulary=decoder.says)
        self.measures = measures or Measures()
        self.slots = max_rows or ROWS[self.device]
        self.lead = decoder.lead
        self._vocabulary, self._target = decoder.vocabulary, decoder.says
        self._prefixes = Prefixes((), tokens=0)
        self._exact = decoder.only_steps_repeat
        scheduler = _Exact if self._exact else Scheduler
        self._scheduler = scheduler(
            _Generator(decoder, pick=torch_model.pick),
            tokens=_same(max(decoder.vocabulary, decoder.says)),
            ends=self.end_token_ids,
            replicas=self.slots,  # a row each
            slots=self.slots,
            max_waiting=max_waiting,
            memory=memory.Memory(
                decoder.sizes(), decoder.compute_type, size=memory_bytes or memory.free(self.device)
            ),
            prefixes=self._prefixes,
            threads=Threads(cores(), fixed=True),
            measures=self.measures,
        )

    def close(self) -> None:
        super().close()
        needed().give_back()

    def _budget(self, request: Request) -> int:
        if self._exact and request.emitted and len(request.prompt) < SHORTEST:
            raise EngineError("This model cannot resume an answer to a prompt of a single token.")
        return super()._budget(request)


class TransformersSeq2SeqEngine(TransformersEngine, Seq2SeqEngine):
    """An encoder-decoder over transformers: it begins as the former and counts as the latter."""


def needed() -> ModuleType:
    """`torch_model`, once somebody needs it. Raises EngineError where the extra is not installed."""
    try:
        from inference.fallback import torch_model
    except ImportError as error:
        raise EngineError(
            f"This model runs on transformers, which is not installed here ({error}). Install it: {INSTALL}"
        ) from error
    return torch_model


def end_token_ids(folder: Path, *, vocabulary: int) -> tuple[int, ...]:
    """As the first engine knows them; without a manifest also those that only the checkpoint's config.json names."""
    file = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file)) if file.is_file() else None
    ids = library.end_token_ids(folder, token_id=tokenizer.token_to_id if tokenizer else lambda text: None)
    if manifest.read(folder) is None:
        named = library.read_json(folder / "config.json").get("eos_token_id")
        ids += tuple(named) if isinstance(named, list) else () if named is None else (named,)
    return tuple(i for i in dict.fromkeys(ids) if i < vocabulary)


def _same(count: int) -> list[str]:
    """The scheduler looks up an id's word to tell the generator. Ours takes ids."""
    return cast("list[str]", range(count))


def is_full(error: Exception) -> bool:
    return any(word in str(error) for word in FULL)


class _Exact(Scheduler):
    """For models that only steps bring back to where they were: however long it takes, emitted tokens are fed."""

    def _window(self) -> Window:
        return replace(super()._window(), forced=sys.maxsize)


@dataclass(frozen=True, slots=True)
class _Step:
    """A token, as CTranslate2 tells it."""

    step: int
    batch_id: int
    token_id: int


class _Generator:
    """As much of ctranslate2.Generator as the scheduler uses: calls with a callback, for one row each."""

    num_active_batches = 0  # a call that has returned has let go of everything

    def __init__(self, decoder: Decoder, *, pick: Callable[..., int]) -> None:
        self._decoder = decoder
        self._pick = pick
        self._turns = Turns()

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_length: int,
        callback: Callable[[_Step], bool],
        include_prompt_in_result: bool = False,  # as the scheduler has it; nothing else is known here
        **options: Any,
    ) -> None:
        """Reads the first prompt and makes tokens until the callback has enough.

        A second prompt is only there to be short: as much as it is long is read at once, the rest of the first is fed
        token by token. That is how the scheduler asks for an answer to go on exactly where it was.
        """
        row, base = prompts[0], min(map(len, prompts))
        try:
            self._answer(row[:base], row[base:], max_length=max_length, callback=callback, **options)
        except Exception as error:
            if not is_full(error):
                raise
            full = str(error)
        else:
            return
        # An error keeps all that its frames held, the row's whole state; this one knows of none.
        raise MemoryError(full)

    def _answer(
        self,
        prompt: Sequence[int],
        emitted: Sequence[int],
        *,
        max_length: int,
        callback: Callable[[_Step], bool],
        end_token: Sequence[int],
        min_length: int,
        repetition_penalty: float,
        sampling_temperature: float = 0.0,
        sampling_topk: int = 1,
        sampling_topp: float = 1.0,
    ) -> None:
        said = list(emitted)
        passage, logits = self._read(prompt, then=emitted)
        for step in range(max_length):
            token = self._pick(
                logits,
                said=said,
                repetition_penalty=repetition_penalty,
                never=end_token if step < min_length else (),
                temperature=sampling_temperature,
                top_k=sampling_topk,
                top_p=sampling_topp,
            )
            said.append(token)
            if callback(_Step(step, 0, token)) or step + 1 == max_length:
                return
            logits = self._feed(passage, token)

    def _read(self, ids: Sequence[int], *, then: Sequence[int]) -> tuple[Passage, Any]:
        with self._turns:
            passage = self._decoder.begin(ids)
            logits = self._decoder.forward(passage)
        for token in then:
            logits = self._feed(passage, token)
        return passage, logits

    def _feed(self, passage: Passage, token: int) -> Any:
        with self._turns:
            passage.append(token)
            return self._decoder.forward(passage)


class Turns:
    """One at a time, in the order in which they came. A plain lock may be had again by who has only just let go."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._came = self._served = 0

    def __enter__(self) -> None:
        with self._changed:
            place, self._came = self._came, self._came + 1
            self._changed.wait_for(lambda: self._served == place)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._served += 1
            self._changed.notify_all()
