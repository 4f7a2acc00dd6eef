"""Texts as ids, cut where the served model cuts them, and batches of like length so that little is padded.

Knows the base model's tokenizer, read as `inference.encoders` reads it: a classifier learns from exactly what it will
be served with.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from inference.library import read_json
from inference.special import usable

Ids = list[int]

POOL = (
    50  # batches drawn together and sorted by length; more would put all long texts into one part of an epoch
)


class Words:
    """A tokenizer, its limit, and what pads a batch."""

    def __init__(self, folder: Path, *, max_tokens: int) -> None:
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.encode_special_tokens = True  # a text that says "[SEP]" means these letters
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._tokenizer.no_padding()
        self.lower = bool(read_json(folder / "sentence_bert_config.json").get("do_lower_case"))
        self.max_tokens = max_tokens
        self.padding = int(read_json(folder / "config.json").get("pad_token_id") or 0)

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        cleaned = (usable(text) for text in texts)
        asked = [text.lower() if self.lower else text for text in cleaned]
        return [encoding.ids for encoding in self._tokenizer.encode_batch(asked)]

    def tensors(self, rows: Sequence[Ids]) -> tuple[Any, Any]:
        """Padded ids, and a mask that is 1 where there is something."""
        import torch

        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.padding, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = torch.tensor(row)
            mask[at, : len(row)] = 1
        return ids, mask


def in_order(lengths: Sequence[int], *, tokens: int = 8192, rows: int = 128) -> list[list[int]]:
    """Places in batches for reading, the longest first: what does not fit into memory fails at once."""
    batches: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        last = batches[-1] if batches else None
        if last is None or len(last) >= rows or (len(last) + 1) * lengths[last[0]] > tokens:
            batches.append([at])
        else:
            last.append(at)
    return batches


def epoch(lengths: Sequence[int], factors: Sequence[float], *, batch: int, seed: str) -> list[list[int]]:
    """One epoch's batches of places. Each place comes `factors` times, the fraction by chance. Nothing is carried from
    one epoch to the next: its seed is all that decides it, so a run can go on anywhere."""
    chance = random.Random(seed)  # noqa: S311 (no secret: repeatable)
    places = [at for at, factor in enumerate(factors) for _ in range(int(factor + chance.random()))]
    chance.shuffle(places)
    batches = []
    for start in range(0, len(places), batch * POOL):
        pool = sorted(places[start : start + batch * POOL], key=lengths.__getitem__)
        batches += [pool[at : at + batch] for at in range(0, len(pool), batch)]
    chance.shuffle(batches)
    return batches
