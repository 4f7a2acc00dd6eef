"""What a model says when it is alone: one row at a time through a bare Generator, no engine and no batch.

The measure for the engine's tests. Knows CTranslate2 only; a row that is alone is never resumed.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest

from inference import library, random_model
from inference.engine import Sampling

# On int8 a batch rounds otherwise than a row alone does, and may choose otherwise where the choice is this narrow.
NARROW = 0.1

DEEP = {"layers": 8, "width": 128, "feed_forward": 256}  # deep enough that int8 rounding shows in the text


@dataclass(frozen=True)
class Alone:
    """A whole greedy answer, and whether an end token ended it."""

    ids: tuple[int, ...]
    stopped: bool


@dataclass
class Bare:
    folder: Path
    compute_type: str = "default"
    said: dict[Any, Alone] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.generator: Any = ctranslate2.Generator(
            str(self.folder), compute_type=self.compute_type, inter_threads=1, intra_threads=1
        )
        self.tokens: list[str] = json.loads((self.folder / "vocabulary.json").read_text(encoding="utf-8"))
        index = {token: i for i, token in enumerate(self.tokens)}
        self.ends = library.end_token_ids(self.folder, token_id=index.get)

    def alone(self, prompt: Sequence[int], sampling: Sampling) -> Alone:
        """What a greedy row says when nobody else is there."""
        key = (tuple(prompt), sampling)
        if key not in self.said:
            self.said[key] = self._say([self.tokens[i] for i in prompt], sampling)
        return self.said[key]

    def _say(self, words: list[str], sampling: Sampling) -> Alone:
        ends = [] if sampling.ignore_eos else [*self.ends]
        result = self.generator.generate_batch(
            [words],
            include_prompt_in_result=False,
            max_length=sampling.max_tokens,
            min_length=min(sampling.min_tokens, sampling.max_tokens),
            repetition_penalty=sampling.repetition_penalty,
            end_token=ends,
            return_end_token=True,
        )
        ids = tuple(result[0].sequences_ids[0])
        stopped = bool(ids) and ids[-1] in ends
        return Alone(ids[:-1] if stopped else ids, stopped)

    def gap(self, context: Sequence[int]) -> float:
        """By how much the best next token leads the second best."""
        logits = self.generator.forward_batch([[self.tokens[i] for i in context]])
        second, best = np.sort(np.array(logits)[0, -1])[-2:]
        return float(best - second)

    def differs_only_where_it_is_narrow(
        self, prompt: Sequence[int], said: Sequence[int], sampling: Sampling
    ) -> bool:
        alone = self.alone(prompt, sampling).ids
        for place, (ours, theirs) in enumerate(zip(said, alone, strict=False)):
            if ours != theirs:
                return self.gap([*prompt, *alone[:place]]) < NARROW
        return len(said) == len(alone)


def some_prompts(bare: Bare, lengths: Sequence[int], *, seed: int = 0) -> list[tuple[int, ...]]:
    """Random prompts of these lengths, each its own."""
    random = np.random.default_rng(seed)
    return [tuple(map(int, random.integers(0, len(bare.tokens), length))) for length in lengths]


def declare_ends(folder: Path, bare: Bare, words: Sequence[str]) -> None:
    """These tokens end an answer from now on: the random model never comes to its own."""
    ends = [bare.tokens.index(word) for word in words]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))


def make_deep(folder: Path) -> Path:
    """A tiny model of many layers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(random_model.SHAPES, "deep", dataclasses.replace(random_model.SHAPES["tiny"], **DEEP))
        return random_model.make(folder, shape="deep")
