"""Losses linear in `log p` with a part for every class, such as label smoothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from symloss.codegen.runtime.branch import Batch
from symloss.codegen.runtime.fused import Path
from symloss.codegen.runtime.logits import target_logit

__all__ = ["LinearPath"]


class LinearPath(Path):
    """`M1 = a log p`, `M0 = b log p`: `L = (a - b) log p_t + b sum_j log p_j`.

    With `s = -(a + (C - 1) b)` the gradient is `b + s p_j`, and `(a + s) - s (1 - p_t)` in the target's place, where
    nothing cancels but its two terms.

    Args:
        coefficients: `a` and `b`, of the context.
    """

    def __init__(self, coefficients: Callable[..., tuple[Any, Any]]) -> None:
        self.coefficients = coefficients

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        t, (a, b) = batch.target, self.coefficients(*batch.context)
        logs = torch.log_softmax(z, 1)
        u, every = logs.gather(1, t), logs.sum(1, keepdim=True)
        p = logs.exp_()
        q = p.scatter_(1, t, 0.0).sum(1, keepdim=True)
        # `log p_t` is `logsigmoid` of the logit `log(p_t/q)`: exact where `p_t` rounds to 1.
        losses = torch.add(F.logsigmoid(u - torch.log(q)) * (a - b), every, alpha=b)
        s = -(a + (z.shape[1] - 1) * b)
        return losses, p.mul_(s).add_(b).scatter_(1, t, (a + s) - s * q)

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        a, b = self.coefficients(*batch.context)
        u = F.logsigmoid(target_logit(z, batch.target))
        return (a - b) * u + b * torch.log_softmax(z, 1).sum(1, keepdim=True)
