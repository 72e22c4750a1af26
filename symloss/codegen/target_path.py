"""Losses that depend on the target's probability alone: `softmax`, then work on one number an instance.

Every step is exact at both ends: near `p_t = 1` a loss of `log p_t` taken from `log_softmax`, or of `1 - p_t`
taken by subtraction, has no digits left in float32 (torch's cross-entropy is 0 from a lead of 17 on).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.curves import Curve, entry_curve, signed_inputs
from symloss.codegen.instance import instance_losses, of_target
from symloss.codegen.logits import target_pair

__all__ = ["SMALL", "TINY", "TargetPath", "row_curve"]

SMALL = 1 << 14
"""Up to so many logits the number of operations rules, not their size; beyond, every exponential counts."""
TINY = {torch.float32: 1e-30, torch.float64: 1e-290}
"""Below this probability the logarithm comes from the logits: far above where the dtype loses digits."""


@lru_cache(maxsize=512)
def row_curve(formula: Formula) -> Curve:
    """The instance loss as a function of the target's entry."""
    return entry_curve(formula, formula.row)


class TargetPath:
    """`L = R(p_t)`, differentiated by the target's logit `d = log(p_t/(1 - p_t))`.

    `dR/dd` is the target's gradient, and `-dR/dd B_j` that of the others, `B` the softmax of their logits.

    Args:
        formula: an affine classification formula without coefficients as inputs.
        t: class indices `[N, 1, ...]`, all valid.
        inputs: the values of `pi` `[C, 1, ...]` and `w` `[N, 1, ...]`.
    """

    def __init__(self, formula: Formula, t: Tensor, inputs: dict[str, Any]) -> None:
        self.formula, self.t = formula, t
        self.inputs = inputs
        self.at_target = inputs if inputs["pi"] is None else of_target(inputs, t)
        self.curve = row_curve(formula)

    def composed(self, z: Tensor) -> Tensor:
        """See `fused.Path`."""
        return instance_losses(self.formula, z, None, self.t, None, self.inputs)

    def forward(self, z: Tensor, gradient: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `fused.Path`."""
        if z.shape[1] == 1 or z.numel() == 0:
            return self.composed(z.detach()), (torch.zeros_like(z), z.new_zeros(self.t.shape))
        curve, inputs = self.curve, self.at_target
        d, others = self._split(z)
        arguments = F.logsigmoid(d), F.logsigmoid(-d), None, float(z.shape[1]), inputs["pi"], inputs["w"], ()
        if not gradient:
            losses = curve.alone(*arguments)
            if curve.fragile and not math.isfinite(losses.sum().item()):
                losses = self._repair(z, losses, None)[0]
            return losses, ()
        losses, slope = curve.both(*arguments)
        if curve.fragile and not math.isfinite((losses + slope).sum().item()):
            losses, *state = self._repair(z, losses, (others, slope))
            return losses, tuple(state)
        return losses, (others, slope)

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        others, slope = state[:2]
        return (others * (state[-1] * -g)).scatter_(1, self.t, slope * g)

    def _split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The target's logit `d`, `[N, 1, ...]`, and the softmax of the others, `[N, C, ...]`.

        With the lowest number in the target's place both exist even where all the others are masked.
        """
        rest = z.scatter(1, self.t, torch.finfo(z.dtype).min)
        others = torch.softmax(rest, 1)
        if z.numel() <= SMALL:
            total = torch.logsumexp(rest, 1, keepdim=True)
        else:  # the exponentials are known: `log sum exp x = max x - log softmax(x)` at the largest
            top, k = rest.max(1, keepdim=True)
            total = top - torch.log(others.gather(1, k))
        return z.gather(1, self.t) - total, others

    def _rows(self, z: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The logits `[R, C]` and targets `[R, 1]` of the chosen instances `[N, 1, ...]`."""
        return z.movedim(1, -1)[chosen.squeeze(1)], self.t.movedim(1, -1)[chosen.squeeze(1)]

    def _repair(self, z: Tensor, losses: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, ...]:
        """The losses, and the state of `backward`, with instances that are not finite on signed logarithms."""
        bad = ~torch.isfinite(losses if state is None else losses + state[1])
        rows, t = self._rows(z.double(), bad)
        u, v = target_pair(rows, t)
        pi, w = (
            x if x is None else x.expand_as(bad)[bad].unsqueeze(1)
            for x in map(self.at_target.get, ("pi", "w"))
        )
        curve = entry_curve(self.formula, self.formula.row)
        value, slope = curve.repaired(signed_inputs(u, v, None, z.shape[1], pi, w))
        losses = _replaced(losses, bad, value.value)
        if state is None:
            return (losses,)
        others, slopes = state
        # `exp(log |slope| + log p_j - log(1 - p_t))`: no factor is computed by itself.
        pull = torch.exp((slope.log + torch.log_softmax(rows, 1) - v).scatter(1, t, -math.inf))
        others.movedim(1, -1)[bad.squeeze(1)] = pull.to(others.dtype)
        return losses, others, _replaced(slopes, bad, slope.value), _replaced(slopes, bad, slope.sign)


def _replaced(x: Tensor, where: Tensor, values: Tensor) -> Tensor:
    """A copy of `x` with `values` `[R, 1]` at the places `where`."""
    copy = x.clone()
    copy[where] = values.to(x.dtype).squeeze(1)
    return copy
