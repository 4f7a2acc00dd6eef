"""Two attention layers that can copy from the first step on, as remembering a name needs.

Knows how such a pair is wired; which conversations call for copying is not its business. Left to itself the pair
(an induction circuit: Olsson et al., 2022, "In-context Learning and Induction Heads") forms after many millions of
tokens. Wired at the start, a row of names said twice is copied to 87 % after ten steps.
"""

from typing import Any

LOOK = 6.0  # of the two biases: so strong that 0.95 of the attention is one back
MATCH = 3.0  # of queries and keys that compare tokens
COPIED = 2.0  # of what is copied, against the embeddings
SEEN = 0.3  # of what looking back writes, against the embeddings
MEAN = 0.1  # of what the other heads write at first: the mean of all that stands before
SLOW = 0.002  # radians a token: pairs of dimensions that turn less compare tokens wherever they stand


def wire(model: Any) -> None:
    """Wires layers 0 and 1 of a Qwen2 model (its attention has biases) whose weights are fresh.

    Layer 0: half of the heads look one token back, wherever they are, and write which token that was where no query
    of layer 1 reads. Layer 1: the same heads look for the token that followed the last time, and say it again.
    Scores under RoPE with only biases b_q and b_k are sum(|b|^2 cos((i - j) theta + phase)), largest one back for
    phase = -theta.
    """
    import torch

    heads = model.config.num_attention_heads
    size = model.config.hidden_size // heads
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    turn = _turns(size, base=model.config.rope_parameters["rope_theta"])
    slow = torch.cat([turn < SLOW, turn < SLOW])
    loud = torch.where(turn > 0.02, LOOK, 0.0)
    with torch.no_grad():
        reads = torch.nn.init.orthogonal_(torch.empty_like(first.v_proj.weight))
        for attention in (first, second):
            attention.v_proj.weight.copy_(reads)
            attention.o_proj.weight.copy_(reads.T * MEAN)
        copiers = heads // 2
        for head in range(copiers):
            here, away = _rows(head, size), _rows(head + copiers, size)
            first.q_proj.weight[here] = first.k_proj.weight[here] = 0.0
            first.q_proj.bias[here] = torch.cat([loud * torch.cos(turn), -loud * torch.sin(turn)])
            first.k_proj.bias[here] = torch.cat([loud, torch.zeros_like(loud)])
            first.o_proj.weight[:, here] = reads[away].T * SEEN
            second.q_proj.weight[here] = reads[here] * slow[:, None] * MATCH
            second.k_proj.weight[here] = reads[away] * slow[:, None] * MATCH
            second.o_proj.weight[:, here] = reads[here].T * COPIED


def _turns(size: int, *, base: float) -> Any:
    """How far each pair of dimensions turns a token, in radians (size / 2 of them)."""
    import torch

    return base ** (-2 * torch.arange(size // 2) / size)


def _rows(head: int, size: int) -> slice:
    return slice(head * size, (head + 1) * size)
