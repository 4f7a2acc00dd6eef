"""The two sides of the gate for decoders: what was made, on CTranslate2, and what it was made of, on transformers.

Knows both libraries, one model at a time, and the positions whose logits are kept. What is compared with what, and
what may differ, stands in `parity_chat`.
"""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.convert import source
from inference.threads import cores

Ids = tuple[int, ...]
Logits = NDArray[np.float32]

# Positions of a passage whose logits are compared: the first third of them, and the last ones.
KEPT = 96


class CannotRun(Exception):
    """CTranslate2 raises over what was made; the message is its own."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A prompt, what the made model said to it, and where it would have stopped for its end tokens."""

    group: str
    prompt: Ids
    said: Ids = ()
    stopped: int = 0

    @property
    def ids(self) -> Ids:
        return self.prompt + self.said

    @property
    def kept(self) -> list[int]:
        count = len(self.ids)
        if count <= KEPT:
            return [*range(count)]
        return [*range(KEPT // 3), *range(count - 2 * KEPT // 3, count)]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Passages with their answers: each prompt alone, and the two of `pair` in one call."""

    alone: tuple[Passage, ...]
    pair: tuple[Passage, ...]

    @property
    def all(self) -> tuple[Passage, ...]:
        return self.alone + self.pair


class Made:
    """A converted folder in CTranslate2, one compute type."""

    def __init__(self, generator: Any, tokens: Sequence[str]) -> None:
        self._generator = generator
        self._tokens = tokens

    @classmethod
    @contextmanager
    def loaded(cls, folder: Path, *, compute_type: str) -> Iterator[Made]:
        """Loaded while the block is open; what CTranslate2 raises there is CannotRun."""
        import ctranslate2

        level = ctranslate2.get_log_level()
        ctranslate2.set_log_level(logging.ERROR)  # a CPU without float16 is told about at every load
        try:
            tokens = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
            generator = ctranslate2.Generator(
                str(folder), compute_type=compute_type, inter_threads=1, intra_threads=cores()
            )
            try:
                yield cls(generator, tokens)
            finally:
                generator.unload_model()
        except (RuntimeError, ValueError, OSError) as error:
            raise CannotRun(str(error)) from error
        finally:
            ctranslate2.set_log_level(level)

    def logits(self, passage: Passage) -> Logits:
        return self._kept(np.asarray(self._generator.forward_batch([list(passage.ids)])), 0, passage)

    def together(self, passages: Sequence[Passage]) -> list[Logits]:
        """The prompts of several, in one call."""
        bare = [replace(passage, said=()) for passage in passages]
        everything = np.asarray(self._generator.forward_batch([list(passage.ids) for passage in bare]))
        return [self._kept(everything, row, passage) for row, passage in enumerate(bare)]

    def answer(self, passages: Sequence[Passage], *, count: int, ends: Sequence[int]) -> list[Passage]:
        """So many greedy tokens to each, all prompts in one call; and how many there are with end tokens."""
        free = self._generate(passages, count, [])
        ended = self._generate(passages, count, [*ends]) if ends else free
        return [
            replace(passage, said=tuple(said), stopped=len(cut))
            for passage, said, cut in zip(passages, free, ended, strict=True)
        ]

    def _generate(self, passages: Sequence[Passage], count: int, ends: list[int]) -> list[list[int]]:
        results = self._generator.generate_batch(
            [[self._tokens[i] for i in passage.prompt] for passage in passages],
            max_length=count,
            sampling_topk=1,
            include_prompt_in_result=False,
            end_token=ends,
        )
        return [result.sequences_ids[0] for result in results]

    @staticmethod
    def _kept(logits: NDArray[Any], row: int, passage: Passage) -> Logits:
        return logits[row, passage.kept].astype(np.float32)


class Original:
    """The source in transformers: float32 on the CPU, with the plainest attention there is."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    @contextmanager
    def loaded(cls, folder: Path) -> Iterator[Original]:
        import torch
        from transformers import AutoModelForCausalLM

        with source.quietly(), torch.inference_mode():
            model, told = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32,
                attn_implementation="eager",
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
            lost = sorted(told["missing_keys"])
            if lost:  # transformers fills them with random numbers: there is nothing to compare with
                raise ValueError(f"the source has no weights for {', '.join(lost[:5])}")
            try:
                yield cls(model.eval())
            finally:
                del model
                gc.collect()

    @property
    def vocabulary(self) -> int:
        return int(self._model.get_input_embeddings().weight.shape[0])

    def logits(self, passage: Passage) -> Logits:
        import torch

        output = self._model(torch.tensor([passage.ids]), use_cache=False)
        kept: Logits = output.logits[0, passage.kept].float().numpy()
        return kept

    def round_like(self, variant: str) -> None:
        """The weights become those that CTranslate2 stores in this variant. There is no way back."""
        import torch

        rows, rest = _types(variant)
        rounded = self._rounded_by_row() if rows else {}
        for parameter in self._model.parameters():
            if rows and id(parameter) in rounded:
                parameter.copy_(_by_row(parameter, across=rounded[id(parameter)]))
            elif rest != "float32":
                parameter.copy_(parameter.to(getattr(torch, rest)).float())

    def _rounded_by_row(self) -> dict[int, int]:
        """Each matrix that CTranslate2 keeps in int8, and the dimension across which one scale holds."""
        from torch.nn import Linear
        from transformers.pytorch_utils import Conv1D

        found = {id(self._model.get_input_embeddings().weight): 1}
        for module in self._model.modules():
            if isinstance(module, Linear):
                found[id(module.weight)] = 1
            elif isinstance(module, Conv1D):  # GPT-2 keeps its matrices the other way round
                found[id(module.weight)] = 0
        return found


def _types(variant: str) -> tuple[bool, str]:
    """Whether matrices are kept in int8, and how the rest is."""
    first, _, rest = variant.partition("_")
    return (True, rest or "float32") if first == "int8" else (False, variant)


def _by_row(weight: Any, *, across: int) -> Any:
    """As the converter rounds, and as CTranslate2 reads it back. In NumPy like the converter: torch divides otherwise
    in the last bit, and then a number here and there is rounded to the other side."""
    import torch

    values = weight.numpy()
    largest = np.abs(values).max(axis=across, keepdims=True)
    largest[largest == 0] = 127.0
    scale = 127.0 / largest
    return torch.from_numpy(np.rint(values * scale) / scale)
