"""From logits to `u = log p` and `v = log(1 - p)`: exact at both ends, differentiable any number of times.

With `r` the log-sum-exp of an entry's *other* logits, its binary logit is `d = z - r`, and
`u = -softplus(-d)`, `v = -softplus(d)`: `log(1 - p)` stays finite where `p` rounds to 1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "all_pairs",
    "like",
    "others",
    "sigmoid_pair",
    "softmax_and_total",
    "softmax_in_one",
    "target_logit",
    "voided",
]


def sigmoid_pair(z: Tensor) -> tuple[Tensor, Tensor]:
    """`log p` and `log(1 - p)` of `p = sigmoid(z)`."""
    return F.logsigmoid(z), F.logsigmoid(-z)


def softmax_and_total(x: Tensor) -> tuple[Tensor, Tensor]:
    """The softmax over dimension 1, and the log-sum-exp `[N, 1, ...]`, from one set of exponentials; uses `x` up.

    On a CPU elementwise operations, which are vectorised across rows, take half the time of torch's softmax.
    """
    if not x.is_cpu:
        return softmax_in_one(x)
    top = x.amax(1, keepdim=True)
    exponentials = x.sub_(top).exp_()
    total = exponentials.sum(1, keepdim=True)
    return exponentials.div_(total), top.add_(total.log_())


def softmax_in_one(x: Tensor) -> tuple[Tensor, Tensor]:
    """The same on an accelerator: one kernel, since what counts there is how often memory is read."""
    p = torch.softmax(x, 1)
    top, k = x.max(1, keepdim=True)
    return p, top - torch.log(p.gather(1, k))


def others(z: Tensor, index: Tensor) -> Tensor:
    """The log-sum-exp of an instance's logits but the one at `index`.

    Masked logits, `-inf`, count as the lowest number: where all the others are masked the derivative of the
    log-sum-exp itself is NaN.
    """
    lowest = torch.finfo(z.dtype).min
    return torch.logsumexp(torch.where(z == -math.inf, lowest, z).scatter(1, index, lowest), 1, keepdim=True)


def target_logit(z: Tensor, t: Tensor) -> Tensor:
    """`log(p_t/(1 - p_t))`, `[N, 1, ...]`, of logits `[N, C, ...]` and class indices `[N, 1, ...]`."""
    if z.shape[1] == 1:
        return 0 * z + math.inf
    return z.gather(1, t) - others(z, t)


def all_pairs(z: Tensor) -> tuple[Tensor, Tensor]:
    """`log p` and `log(1 - p)` of every entry of `softmax(z)` over dimension 1.

    At most one entry of an instance has `p > 1/2`; `log1p(-p)` is exact for the others.
    """
    if z.shape[1] == 1:
        return sigmoid_pair(0 * z + math.inf)
    top = z.detach().argmax(1, keepdim=True)
    rest = others(z, top)
    u_top, v_top = sigmoid_pair(z.gather(1, top) - rest)
    u = z - (rest - v_top)  # the log-sum-exp of all logits is `rest + softplus(d)`
    v = torch.log1p(-torch.exp(u.scatter(1, top, -1.0)))
    return u.scatter(1, top, u_top), v.scatter(1, top, v_top)


def like(value: Tensor | float, entries: Tensor) -> Tensor:
    """A result that turned out to be constant, as a tensor of the entries' shape, still part of the graph.

    Entries may be infinite, where logits are masked; one that is NaN has a NaN here too.
    """
    if isinstance(value, Tensor) and value.shape == entries.shape:
        return value
    return value + torch.where(entries == entries, 0.0, entries)


def voided(z: Tensor, weight: Tensor) -> Tensor:
    """The logits, NaN where the weight is: a factor of NaN alone leaves no trace in the gradient of a constant."""
    return z * torch.where(weight == weight, 1.0, weight)
