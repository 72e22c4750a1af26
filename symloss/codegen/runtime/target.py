"""Losses that depend on the target's probability alone: one softmax, then work on one number an instance.

Every step is exact at both ends: near `p_t = 1` a loss of `log p_t` taken from `log_softmax`, or of `1 - p_t`
taken by subtraction, has no digits left in float32 (torch's cross-entropy is 0 from a lead of 17 on).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from symloss.codegen.runtime.branch import Batch, Branch, at_target
from symloss.codegen.runtime.fused import Path, reduced
from symloss.codegen.runtime.logits import softmax_and_total, target_logit

__all__ = ["ContinuedTargetPath", "TargetLogit", "TargetPath", "TracedTargetPath", "split"]


def split(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The targets' logits `d = log(p_t/(1 - p_t))`, `[N, 1, ...]`, and the softmax of the others, `[N, C, ...]`.

    With the lowest number in the target's place both exist even where all the others are masked.
    """
    p, total = softmax_and_total(z.scatter(1, t, torch.finfo(z.dtype).min))
    if z.shape[1] == 1:
        return torch.full_like(total, math.inf), torch.zeros_like(z)
    return z.gather(1, t) - total, p


class TargetPath(Path):
    """`L = R(d)` of the target's logit `d`: with `s = dR/dd`, `dL/dz` is `-s` times the softmax of the others, and `s`
    in the target's place.

    Args:
        row: `R`, and the curve of `R` and `-dR/dd`.
    """

    def __init__(self, row: Branch) -> None:
        self.row = row

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        d, p = split(z, batch.target)
        losses, minus_slope = self.row.curve(d, *at_target(batch))
        return losses, p.scatter_(1, batch.target, -1.0), minus_slope

    def backward(self, state: Sequence[Tensor], g: Tensor) -> Tensor:
        """See `Path`."""
        pull, minus_slope = state
        return pull * (minus_slope * g)

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        return self.row.value(target_logit(z, batch.target), *at_target(batch))


class ContinuedTargetPath(TargetPath):
    """A loss that goes on by its tangent where the logit is so large that a step on the way to it overflows.

    There a loss is linear or constant in the logit, up to what rounds away, or grows exponentially.

    Args:
        row: as in `TargetPath`.
        reach: the logits between which `row` is computed.
    """

    def __init__(self, row: Branch, reach: tuple[float, float]) -> None:
        super().__init__(row)
        self.reach = reach

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        d, p = split(z, batch.target)
        near = d.clamp(*self.reach)
        losses, minus_slope = self.row.curve(near, *at_target(batch))
        return losses - minus_slope * (d - near), p.scatter_(1, batch.target, -1.0), minus_slope

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        d, context = target_logit(z, batch.target), at_target(batch)
        near = d.clamp(*self.reach)
        minus_slope = self.row.curve(near, *context)[1].detach()
        return self.row.value(near, *context) - minus_slope * (d - near)


class TracedTargetPath(TargetPath):
    """A loss whose coefficients want a gradient: only the way from the logits to `d` is by hand."""

    def run(self, z: Tensor, batch: Batch, reduction: str) -> Tensor:
        """See `Path`."""
        d: Tensor = TargetLogit.apply(z, batch.target)
        return reduced(self.row.value(d, *at_target(batch)), reduction)


class TargetLogit(torch.autograd.Function):
    """The targets' logits `d`: `dd/dz` is minus the softmax of the others, and 1 in the target's place."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, t: Tensor) -> Tensor:
        """See `split`."""
        d, p = split(z, t)
        ctx.save_for_backward(z, t, p)
        return d

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """The gradient by the logits."""
        (z, t, p), (g,) = ctx.saved_tensors, grads
        if not torch.is_grad_enabled():
            return (p * -g).scatter_(1, t, g), None
        (gradient,) = torch.autograd.grad(target_logit(z, t), z, g, create_graph=True)
        return gradient, None
