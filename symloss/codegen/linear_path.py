"""Losses linear in `log p` with a part for every class, such as label smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.instance import instance_losses
from symloss.codegen.target_path import SMALL, TINY

__all__ = ["LinearPath"]


class LinearPath:
    """`M1 = a log p`, `M0 = b log p`: `L = (a - b) log p_t + b sum_j log p_j`.

    Exact label smoothing is `a = -(1 - xi + xi/C)`, `b = -xi/C`. The gradient is
    `b - (a + (C - 1) b) p_j`, and `a - b` more in the target's place.

    Args:
        formula: a classification formula that is `linear`.
        t: class indices `[N, 1, ...]`, all valid.
        inputs: the values of `pi` and `w`, not used.
    """

    def __init__(self, formula: Formula, t: Tensor, inputs: dict[str, Any]) -> None:
        self.formula, self.t, self.inputs = formula, t, inputs

    def composed(self, z: Tensor) -> Tensor:
        """See `fused.Path`."""
        return instance_losses(self.formula, z, None, self.t, None, self.inputs)

    def forward(self, z: Tensor, gradient: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `fused.Path`."""
        a, b = self.formula.linear_coefficients(z.shape[1], ())
        if z.numel() <= SMALL:
            logs = torch.log_softmax(z, 1)
            every = logs.sum(1, keepdim=True)
            losses = torch.add((a - b) * logs.gather(1, self.t), every, alpha=b)
            return losses, (logs,) if gradient else ()
        target = z.gather(1, self.t)  # refuses an index before the work is done
        p = torch.softmax(z, 1)
        at_target = p.gather(1, self.t)
        if at_target.amin().item() >= TINY[z.dtype]:
            u = torch.log(at_target)
        else:
            u = target - torch.logsumexp(z, 1, keepdim=True)
        # The mean of log p, as `mean z - z_t + u`: the first two nearly cancel where logits are large and equal.
        rest = z.mean(1, keepdim=True) - target
        scale = b * z.shape[1]
        return torch.add((a - b + scale) * u, rest, alpha=scale), (p,) if gradient else ()

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        (p,) = state
        if p.numel() <= SMALL:
            p = torch.exp(p)
        a, b = self.formula.linear_coefficients(p.shape[1], ())
        pull = -(a + (p.shape[1] - 1) * b)
        if isinstance(g, Tensor):
            grad = torch.addcmul(b * g, p, pull * g)
            return grad.scatter_add_(1, self.t, ((a - b) * g).expand_as(self.t))
        grad = torch.add(p.new_tensor(b * g), p, alpha=pull * g)
        return grad.scatter_(1, self.t, (a - b) * g, reduce="add")
