"""From logits to `u = log p` and `v = log(1 - p)`: exact at both ends, differentiable any number of times.

With `r` the log-sum-exp of an entry's *other* logits, its binary logit is `d = z - r`, and
`u = -softplus(-d)`, `v = -softplus(d)`: `log(1 - p)` stays finite where `p` rounds to 1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["all_pairs", "sigmoid_pair", "target_pair"]


def sigmoid_pair(z: Tensor) -> tuple[Tensor, Tensor]:
    """`log p` and `log(1 - p)` of `p = sigmoid(z)`."""
    return F.logsigmoid(z), F.logsigmoid(-z)


def target_pair(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """`log p_t` and `log(1 - p_t)`, each `[N, 1, ...]`, of logits `[N, C, ...]`; `t` is `[N, 1, ...]`."""
    if z.shape[1] == 1:
        zero = z - z.detach()
        return zero, zero - math.inf
    others = torch.logsumexp(z.scatter(1, t, -math.inf), 1, keepdim=True)
    return sigmoid_pair(z.gather(1, t) - others)


def all_pairs(z: Tensor) -> tuple[Tensor, Tensor]:
    """`log p` and `log(1 - p)` of every entry of `softmax(z)` over dimension 1.

    At most one entry of an instance has `p > 1/2`; `log1p(-p)` is exact for the others.
    """
    if z.shape[1] == 1:
        zero = z - z.detach()
        return zero, zero - math.inf
    top = z.detach().argmax(1, keepdim=True)
    others = torch.logsumexp(z.scatter(1, top, -math.inf), 1, keepdim=True)
    u_top, v_top = sigmoid_pair(z.gather(1, top) - others)
    u = z - (others - v_top)  # the log-sum-exp of all logits is `others + softplus(d)`
    v = torch.log1p(-torch.exp(u.scatter(1, top, -1.0)))
    return u.scatter(1, top, u_top), v.scatter(1, top, v_top)
