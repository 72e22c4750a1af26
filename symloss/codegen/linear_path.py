"""Losses linear in `log p` with a part for every class, such as label smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.instance import instance_losses
from symloss.codegen.target_path import SMALL, TINY

__all__ = ["LinearPath"]


class LinearPath:
    """`M1 = a log p`, `M0 = b log p`: `L = (a - b) log p_t + b sum_j log p_j`.

    Exact label smoothing is `a = -(1 - xi + xi/C)`, `b = -xi/C`. With `s = -(a + (C - 1) b)` the gradient is
    `b + s p_j`, and `(a + s) - s (1 - p_t)` in the target's place, where nothing cancels but its two terms.

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
        t, classes = self.t, z.shape[1]
        a, b = self.formula.linear_coefficients(classes, ())
        if z.numel() <= SMALL:
            logs = torch.log_softmax(z, 1)
            u, p = logs.gather(1, t), torch.exp(logs)
            q = p.scatter_(1, t, 0.0).sum(1, keepdim=True)
            every = logs.sum(1, keepdim=True)
        else:
            target = z.gather(1, t)  # refuses an index before the work is done
            p = torch.softmax(z, 1)
            at_target = p.gather(1, t)
            if not (z.numel() and at_target.amin().item() >= TINY[z.dtype]):
                total = torch.logsumexp(z, 1, keepdim=True)
                u = target - total
            else:
                u = torch.log(at_target)
                total = target - u
            q = p.scatter_(1, t, 0.0).sum(1, keepdim=True)
            # The difference nearly cancels where logits are large and equal: it comes before the product.
            every = classes * (z.mean(1, keepdim=True) - total)
        losses = torch.add((a - b) * F.logsigmoid(u - torch.log(q)), every, alpha=b)
        return losses, (p, q) if gradient else ()

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        p, q = state
        classes = p.shape[1]
        a, b = self.formula.linear_coefficients(classes, ())
        s = -(a + (classes - 1) * b)
        return (p * (s * g)).add_(b * g).scatter_(1, self.t, (a + s) * g - s * g * q)
