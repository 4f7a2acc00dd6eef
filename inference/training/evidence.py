"""The embeddings' first values: how much each token speaks for each topic, counted before training begins.

Knows counts only. A random start would spend most of a small CPU's training on learning which words go together; and
since the same table reads and says, a topic's question words begin near its answer's words.
"""

import math
import random
from typing import Any

from inference.training.conversations import Conversations
from inference.training.tokenizer import Encoder

LINES = 16_000

# How much larger the embeddings are than usual (0.02 a value), so that they stand out among what the layers add; the
# last norm begins at its inverse.
SCALE = 6.0

# Of the counted part and the random part, per row.
COUNTED, RANDOM = 0.03 * SCALE, 0.012 * SCALE


def embeddings(conversations: Conversations, encoder: Encoder, *, size: tuple[int, int], seed: int) -> Any:
    """A (vocabulary, hidden) tensor: log odds of each topic given the token, turned into `hidden` dimensions."""
    import torch

    vocabulary, hidden = size
    rng = random.Random(f"evidence/{seed}")  # noqa: S311 (data, no secret)
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(vocabulary, conversations.kinds)
    for _ in range(LINES):
        kind, question, answer = conversations.labelled(rng)
        for token in set(encoder.text(f" {question}")):
            counts[token, kind] += 1
        for token in set(encoder.answer(answer)):
            counts[token, kind] += 0.2
    total = counts.sum()
    expected = counts.sum(1, keepdim=True) * counts.sum(0, keepdim=True) / total
    odds = torch.log((counts + 0.5) / (expected + 0.5))
    # A token seen everywhere says nothing, and its row is short; one seen for a single topic is long.
    odds = odds / odds.pow(2).mean().sqrt()
    turn, _ = torch.linalg.qr(torch.randn(hidden, conversations.kinds, generator=generator))
    spread = odds @ turn.T * math.sqrt(hidden / conversations.kinds)
    return COUNTED * spread.clamp(-3, 3) + RANDOM * torch.randn(vocabulary, hidden, generator=generator)
