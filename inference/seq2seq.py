"""Token ids in, token ids out, for models that read a text and then write another: T5, BART, M2M100 and their like.

Keeps the promises of `engine.Engine` over a ctranslate2.Translator; what stands here is what differs. A request's
prompt is the encoder's input, with the end or language tokens that the tokenizer puts there; texts of any length are
read together, and nothing of an answer lies in the prompt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import ctranslate2

from inference import allocator, binary, cuda, library, memory, sizes
from inference.cohorts import Cohort, Window
from inference.decoding import Decoding
from inference.engine import MAX_WAITING, REPLICAS, ROWS, Engine, load
from inference.library import ModelIncomplete
from inference.measures import Measures
from inference.memory import Memory
from inference.prefixes import Prefixes
from inference.request import ContextTooLong, EngineError, Request
from inference.row import OnFinish, OnToken, Row
from inference.scheduler import Scheduler
from inference.sizes import Sizes
from inference.threads import Threads, cores

_FIRST = "decoder/layer_0/self_attention"
_ANY = 1 << 40  # tokens: whatever the length


class SourceTooLong(ContextTooLong):
    """The text alone is longer than the model reads; an answer takes no room of it."""

    def __init__(self, *, prompt_tokens: int, context_length: int) -> None:
        EngineError.__init__(
            self, f"This text is {prompt_tokens} tokens long, and the model reads {context_length} at most."
        )
        self.prompt_tokens = prompt_tokens
        self.context_length = context_length


class Seq2SeqEngine(Engine):
    """One encoder-decoder and all that is asked of it. Safe for any number of threads, and to be closed as an Engine.

    `context_length` counts for the text and for the answer, each by itself. Answers begin with the tokens that the
    folder's generation_config.json forces (forced_bos_token_id), unseen: `lead`. A model that translates into many
    languages is told which by the first of `Request.emitted`, the language's token. Decoding is greedy or sampled;
    beams are not offered, since nothing could be shown before they end.
    """

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
        lead: tuple[int, ...] | None = None,
        measures: Measures | None = None,
    ) -> None:
        """As Engine. `prefixes` are ignored: no two texts share what the encoder makes of them. `lead` stands in for
        what the folder says."""
        source, target = _vocabulary(folder, "source"), _vocabulary(folder, "target")
        index = {token: i for i, token in enumerate(target)}
        ends = library.end_token_ids(folder, token_id=index.get)
        self.context_length = library.context_length(folder)
        self.end_token_ids = tuple(i for i in ends if i < len(target))
        self.lead = _lead(folder) if lead is None else lead
        self.device = cuda.choose(device, count=ctranslate2.get_cuda_device_count)
        self.measures = measures or Measures()
        allocator.use_one_arena()
        replicas = inter_threads or min(REPLICAS, cores())
        translator = load(
            ctranslate2.Translator,
            folder,
            device=self.device,
            compute_type=compute_type,
            inter_threads=replicas,
            intra_threads=intra_threads or max(1, cores() // replicas),
        )
        self.slots = max_rows or ROWS[self.device] * replicas
        self._vocabulary, self._target = len(source), len(target)
        self._prefixes = Prefixes((), tokens=0)
        self._scheduler = _Translations(
            translator,
            tokens=target,
            source=source,
            lead=self.lead,
            ends=self.end_token_ids,
            replicas=replicas,
            slots=self.slots,
            max_waiting=max_waiting,
            memory=_SourceMemory(
                _sizes(folder), translator.compute_type, size=memory_bytes or memory.free(self.device)
            ),
            prefixes=self._prefixes,
            threads=Threads(cores(), fixed=bool(intra_threads) or self.device != "cpu"),
            measures=self.measures,
        )

    def submit(self, request: Request, *, on_token: OnToken, on_finish: OnFinish) -> None:
        """As Engine.submit; raises SourceTooLong, which is a ContextTooLong, where the text does not fit."""
        super().submit(replace(request, prefix=0), on_token=on_token, on_finish=on_finish)

    def _budget(self, request: Request) -> int:
        if not request.prompt:
            raise EngineError("The prompt is empty.")
        if len(request.prompt) > self.context_length:
            raise SourceTooLong(prompt_tokens=len(request.prompt), context_length=self.context_length)
        answer = self.lead + request.emitted
        for ids, size in ((request.prompt, self._vocabulary), (answer, self._target)):
            if ids and not 0 <= min(ids) <= max(ids) < size:
                raise EngineError(
                    f"The request has a token id that the model lacks: its ids end at {size - 1}."
                )
        return min(request.sampling.max_tokens - len(request.emitted), self.context_length - len(answer))


@dataclass(slots=True)
class _SourceMemory(Memory):
    """`longest` is the longest text that may be read next: a batch is as wide as that."""

    longest: int = 0

    def reads(self, *, rows: int, tokens: int) -> bool:
        return Memory.reads(self, rows=rows, tokens=max(tokens, self.longest))


class _Translations(Scheduler):
    """Rows of any length go together: they are padded for the encoder, and fed by steps where they resume."""

    def __init__(
        self,
        translator: Any,
        *,
        source: list[str],
        lead: tuple[int, ...],
        memory: _SourceMemory,
        **options: Any,
    ) -> None:
        self._source, self._lead = source, lead
        self._texts = memory
        super().__init__(translator, memory=memory, **options)

    def _window(self) -> Window:
        self._texts.longest = max((row.prompt for row in self._line), default=0)
        return Window(longer=_ANY, shorter=_ANY, forced=_ANY)

    def _decoding(self, cohort: Cohort) -> Decoding:
        return _Translation(
            cohort,
            source=self._source,
            lead=self._lead,
            tokens=self._tokens,
            pace=self._pace,
            threads=self._threads,
            measures=self._measures,
            on_end=self._left,
        )


class _Translation(Decoding):
    """CTranslate2 passes to the callback what it was told an answer begins with, and counts it as made."""

    def __init__(self, cohort: Cohort, *, source: list[str], lead: tuple[int, ...], **told: Any) -> None:
        super().__init__(cohort, **told)
        self._source, self._lead = source, lead
        self._forced: list[int] = []  # of each row, how many more tokens come that are not new

    def run(self, translator: Any) -> None:
        for rows in self._calls():
            self._rows, self._step = rows, -1
            begun = [self._lead + row.resumed for row in rows]
            self._forced = [len(ids) for ids in begun]
            options = rows[0].key.options(vocabulary=len(self._tokens))
            shortest = options.pop("min_length")
            self._at = time.monotonic()
            translator.translate_batch(
                [[self._source[i] for i in row.request.prompt] for row in rows],
                target_prefix=[[self._tokens[i] for i in ids] for ids in begun],
                beam_size=1,
                max_input_length=0,  # it would cut a long text at 1024 tokens and say nothing
                max_decoding_length=max(
                    row.budget + known for row, known in zip(rows, self._forced, strict=True)
                ),
                min_decoding_length=shortest + self._forced[0] if shortest else 0,
                callback=self._on_token,
                **options,
            )

    def _calls(self) -> Iterator[tuple[Row, ...]]:
        """All rows in one call. Where an answer must have some length, CTranslate2 counts what it began with, so only
        those that begin with as much go together."""
        if not self._rows[0].key.min_tokens:
            yield self._rows
            return
        rows = sorted(self._rows, key=lambda row: len(row.resumed))
        for _, alike in groupby(rows, key=lambda row: len(row.resumed)):
            yield tuple(alike)

    def _read(self) -> int:
        return sum(row.prompt for row in self._rows)

    def _on_token(self, result: Any) -> bool:
        row = self._rows[result.batch_id]
        if self._forced[result.batch_id]:
            now = time.monotonic()
            self._forced[result.batch_id] -= 1
            if row.finish is None and row.ended_early(now) is None:
                if result.step != self._step:
                    self._on_step(result.step, now)
                return False
        return super()._on_token(result)


def _lead(folder: Path) -> tuple[int, ...]:
    if library.read_json(folder / "config.json").get("decoder_start_token") is None:
        raise ModelIncomplete(f"{folder} does not say how its answers begin. Convert the model again.")
    forced = library.read_json(folder / "generation_config.json").get("forced_bos_token_id")
    return (forced,) if isinstance(forced, int) else ()


def _vocabulary(folder: Path, side: str) -> list[str]:
    """The tokens of one side, or of both."""
    for name in ("shared", side):
        file = folder / f"{name}_vocabulary.json"
        if file.is_file():
            try:
                return [str(token) for token in json.loads(file.read_text(encoding="utf-8"))]
            except ValueError as error:
                raise ModelIncomplete(f"{file} cannot be read: {error}. Copy it again.") from error
    raise ModelIncomplete(f"The model folder {folder} lacks {side}_vocabulary.json. Convert the model again.")


def _sizes(folder: Path) -> Sizes:
    """The decoder's shape. T5's heads together may be wider or narrower than the model."""
    try:
        with (folder / "model.bin").open("rb") as file:
            found = {each.name: each for each in binary.variables(file)}
        heads = found["decoder/num_heads"].value or 1
        width = found[f"{_FIRST}/linear_1/weight"].shape[-1]
    except FileNotFoundError:
        raise ModelIncomplete(
            f"The model folder {folder} lacks model.bin. Convert the model again."
        ) from None
    except (ValueError, KeyError) as error:
        raise EngineError(f"{folder / 'model.bin'} describes no encoder-decoder: {error}") from error
    return Sizes(
        layers=sizes.layers(found),
        heads=heads,
        kv_heads=heads,
        head_size=width // heads,
    )
