"""What a model makes of a text: its perplexity, in windows that begin as the model is used to.

Knows tokens and logarithms. What the figure is compared with is said elsewhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference import sizes

# Tokens that a window of the text has: enough to see what a model makes of its context, and little enough that the
# logits of a large vocabulary (512 times 152,000 numbers) take no more than some hundred megabytes.
WINDOW = 512


@dataclass(frozen=True, slots=True)
class Scored:
    """`logs`: natural logarithms of each token's probability. `token_bytes`: of a conversation's states, each token."""

    logs: list[float]
    vocabulary: int
    runs_as: str
    token_bytes: int


def with_ctranslate2(folder: Path, parts: Sequence[Sequence[int]], *, device: str) -> Scored:
    """Loads the model once more, as the engine does, but for scoring alone."""
    import ctranslate2

    generator = ctranslate2.Generator(str(folder), device=device)
    vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    words = [[vocabulary[i] for i in part] for part in parts]
    logs = [log for scored in generator.score_batch(words, max_batch_size=1) for log in scored.log_probs]
    runs_as = generator.compute_type
    return Scored(logs, len(vocabulary), runs_as, sizes.read(folder).state_bytes(runs_as))


def with_transformers(folder: Path, parts: Sequence[Sequence[int]], *, device: str) -> Scored:
    """The same through the second engine's model."""
    import torch

    from inference.fallback import torch_model

    decoder = torch_model.Decoder.load(folder, device=device, compute_type="default")
    logs = list[float]()
    with torch.inference_mode():
        for part in parts:
            ids = torch.tensor([part], device=device)
            chances = decoder.model(input_ids=ids, use_cache=False).logits[0, :-1].float().log_softmax(-1)
            logs += chances.gather(-1, ids[0, 1:, None])[:, 0].tolist()
    token_bytes = decoder.sizes().state_bytes(decoder.compute_type)
    return Scored(logs, decoder.vocabulary, decoder.compute_type, token_bytes)


def loss(logs: Sequence[float]) -> float:
    """Nats a token: the logarithm of the perplexity, which alone can be too large for a number."""
    return -math.fsum(logs) / len(logs)


def windows(begin: Sequence[int], ids: Sequence[int], *, size: int) -> list[list[int]]:
    """The text in pieces that each begin as the model is used to, none longer than `size`. A rest that is too short to
    be scored is left out."""
    step = max(1, size - len(begin))
    parts = [[*begin, *ids[at : at + step]] for at in range(0, len(ids), step)]
    return [part for part in parts if len(part) > max(1, len(begin))]


def encoded(folder: Path, text: str) -> tuple[list[int], list[int]]:
    """The ids with which every text begins for this tokenizer, and those of the text itself."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()  # some files ask for it
    tokenizer.no_padding()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    whole = tokenizer.encode(text).ids
    begin = 0
    while begin < len(whole) - len(ids) and whole[begin : begin + len(ids)] != ids:
        begin += 1
    return whole[:begin], ids
