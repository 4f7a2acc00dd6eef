"""The transformer, written from its formulas: NumPy and nothing else, one sequence at a time, nothing kept for later.

A matrix holds a sequence: one row for each token, so that x[i] is what the model knows at place i. Numbers are double,
and each function is one formula with the paper that has it; none was taken from a library. Slow, and meant to be read.

    Vaswani et al. 2017     Attention Is All You Need                           arXiv:1706.03762
    Ba et al. 2016          Layer Normalization                                 arXiv:1607.06450
    Hendrycks, Gimpel 2016  Gaussian Error Linear Units                         arXiv:1606.08415
    Zhang, Sennrich 2019    Root Mean Square Layer Normalization                arXiv:1910.07467
    Shazeer 2020            GLU Variants Improve Transformer                    arXiv:2002.05202
    Su et al. 2021          RoFormer: Rotary Position Embedding                 arXiv:2104.09864
    Ainslie et al. 2023     GQA: Generalized Multi-Query Transformer Models     arXiv:2305.13245
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


# -- attention -------------------------------------------------------------------------------------------------


def softmax(scores: Matrix) -> Matrix:
    """Each row as shares that add up to one. The largest is taken off first: the shares stay, and nothing overflows."""
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def attention(queries: Matrix, keys: Matrix, values: Matrix, mask: Matrix) -> Matrix:
    """softmax(Q Kᵀ / √d + M) V: each query takes of the values by how well their keys answer it.

    Vaswani et al. 2017, equation 1. The scores of d products grow like √d, and a softmax of large scores is deaf to all
    but one: hence the division. M is added before the softmax (section 3.2.3), so that -∞ becomes a share of nothing.
    """
    d = queries.shape[-1]
    return softmax(queries @ keys.T / sqrt(d) + mask) @ values


def causal(length: int) -> Matrix:
    """M[i, j] = 0 where j ≤ i, and -∞ where j > i: place i sees itself and what came before it, nothing that comes.

    Vaswani et al. 2017, section 3.2.3. One often sees it printed the other way round (0 for i < j, -∞ else), which
    shows each place only what it must not know, and the last place nothing at all.
    """
    i, j = np.indices((length, length))
    return np.where(j <= i, 0.0, -np.inf)


def open_to_all(rows: int, columns: int) -> Matrix:
    """The mask that hides nothing: an encoder's, and a decoder's view of the encoder."""
    return np.zeros((rows, columns))


def heads_of(x: Matrix, count: int) -> list[Matrix]:
    """The columns in `count` equal parts, one for each head."""
    return np.split(x, count, axis=-1)


def multi_head(
    queries: Matrix,
    keys: Matrix,
    values: Matrix,
    mask: Matrix,
    *,
    heads: int,
    kv_heads: int | None = None,
    turn: Callable[[Matrix], Matrix] = lambda x: x,
) -> Matrix:
    """Concat(head_1, …, head_h), each head an attention of its own; what stands before and behind it is linear.

    Vaswani et al. 2017, section 3.2.2. With fewer heads for keys and values, each serves a group of neighbouring query
    heads (Ainslie et al. 2023, section 2.2). `turn` is what rotary positions do to queries and keys, head by head.
    """
    group = heads // (kv_heads or heads)
    q = heads_of(queries, heads)
    k, v = (heads_of(x, kv_heads or heads) for x in (keys, values))
    return np.concatenate(
        [attention(turn(q[h]), turn(k[h // group]), v[h // group], mask) for h in range(heads)], axis=-1
    )


# -- what every place does by itself ---------------------------------------------------------------------------


def linear(x: Matrix, weight: Matrix, bias: Vector | float = 0.0) -> Matrix:
    """x Wᵀ + b, with one row of W for each output, as checkpoints keep it."""
    return x @ weight.T + bias


def layer_norm(x: Matrix, gain: Vector, bias: Vector, epsilon: float) -> Matrix:
    """g (x - μ) / √(σ² + ε) + b over each row. Ba et al. 2016, equations 3 and 4."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gain * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon) + bias


def rms_norm(x: Matrix, gain: Vector, epsilon: float) -> Matrix:
    """g x / √(mean of x² + ε): the same without the mean. Zhang and Sennrich 2019, equation 4."""
    return gain * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon)


def relu(x: Matrix) -> Matrix:
    """max(0, x), inside the feed-forward max(0, x W₁ + b₁) W₂ + b₂. Vaswani et al. 2017, equation 2."""
    return np.maximum(x, 0.0)


def gelu(x: Matrix) -> Matrix:
    """x Φ(x), where Φ is the normal distribution's. Hendrycks and Gimpel 2016, section 2."""
    return x * (1 + np.vectorize(erf)(x / sqrt(2))) / 2


def gelu_new(x: Matrix) -> Matrix:
    """½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), which is nearly the same. Hendrycks and Gimpel 2016, section 2."""
    return x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2


def silu(x: Matrix) -> Matrix:
    """x σ(x), also called Swish. Hendrycks and Gimpel 2016, section 2, with the logistic distribution's Φ."""
    return x / (1 + np.exp(-x))


def swiglu(x: Matrix, gate: Matrix, up: Matrix, down: Matrix) -> Matrix:
    """(Swish(x W) ⊗ x V) W₂: one projection decides how much of the other comes through. Shazeer 2020, equation 6."""
    return linear(silu(linear(x, gate)) * linear(x, up), down)


# -- where a token stands --------------------------------------------------------------------------------------


def rotary(x: Matrix, base: float) -> Matrix:
    """Turns the row at place m by the angles m θᵢ, θᵢ = base^(-2i/d): of two rows that are turned so, the product knows
    only how far apart they stand. Su et al. 2021, equations 14, 15 and 34.

    Each angle turns a plane of two coordinates. The paper pairs neighbours (2i, 2i+1); Llama's checkpoints pair the
    first half with the second (i, i + d/2), the same rotation with its coordinates in another order.
    """
    length, d = x.shape
    angles = np.outer(np.arange(length), base ** (-2 * np.arange(d // 2) / d))
    first, second = x[:, : d // 2], x[:, d // 2 :]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)
