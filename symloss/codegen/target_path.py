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
"""Up to so many logits the number of operations rules, not their size: logarithms are kept and no entry is
looked at; beyond, one exponential of everything is saved by keeping probabilities."""
TINY = {torch.float32: 1e-30, torch.float64: 1e-290}
"""Below this probability the logarithm comes from the logits: far above where the dtype loses digits."""


@lru_cache(maxsize=512)
def row_curve(formula: Formula) -> Curve:
    """The instance loss as a function of the target's entry."""
    return entry_curve(formula, formula.row)


class TargetPath:
    """`L = R(p_t)`, differentiated by the target's logit `d = log(p_t/(1 - p_t))`.

    `dR/dd` is the target's gradient, and `-c B` that of the others: `B` is their `p`, `c = dR/dd / (1 - p_t)`.
    Where `1 - p_t` underflows, `B` is the softmax of the other logits and `c = dR/dd`.

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
        size, classes = z.numel(), z.shape[1]
        if classes == 1 or size == 0:
            nothing = z.new_zeros(self.t.shape)
            return self.composed(z.detach()), (torch.zeros_like(z), nothing, nothing)
        if size > SMALL:
            z.gather(1, self.t)  # refuses an index before the work is done
        curve, inputs = self.curve, self.at_target
        buffer, u, v, others = self._pair(z, size <= SMALL)
        arguments = u, v, None, float(classes), inputs["pi"], inputs["w"], ()
        if not gradient:
            losses = curve.alone(*arguments)
            if curve.fragile and not math.isfinite(losses.sum().item()):
                losses = self._repair(z, losses, None)[0]
            return losses, ()
        losses, slope = curve.both(*arguments)
        c = slope / others
        if curve.fragile and not math.isfinite((losses + slope + c).sum().item()):
            losses, slope, c = self._repair(z, losses, (buffer, slope, c))
        return losses, (buffer, slope, c)

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        buffer, slope, c = state
        return (buffer * (c * -g)).scatter_(1, self.t, slope * g)

    def _pair(self, z: Tensor, small: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The buffer of the others' `p`, `log p_t`, `log(1 - p_t)`, the sum of the buffer.

        `1 - p_t` is the sum of the others, which does not cancel.
        """
        t, tiny = self.t, TINY[z.dtype]
        if small:
            logs = torch.log_softmax(z, 1)
            u, buffer = logs.gather(1, t), torch.exp(logs)
        else:
            buffer = torch.softmax(z, 1)
            u = self._log(z, buffer.gather(1, t))
        q = buffer.scatter_(1, t, 0.0).sum(1, keepdim=True)
        v = torch.log(q)
        if not q.amin().item() >= tiny:  # true of a NaN as well, which may hide others
            hot = q < tiny
            self._heat(z, buffer, v, hot)
            q = torch.where(hot, 1.0, q)
        d = u - v
        return buffer, F.logsigmoid(d), F.logsigmoid(-d), q

    def _log(self, z: Tensor, p: Tensor) -> Tensor:
        """`log p_t`; where `p_t` has underflown, from the logits."""
        u, tiny = torch.log(p), TINY[z.dtype]
        if not p.amin().item() >= tiny:
            rare = p < tiny
            rows, t = self._rows(z, rare)
            u[rare] = torch.log_softmax(rows, 1).gather(1, t).squeeze(1)
        return u

    def _rows(self, z: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The logits `[R, C]` and targets `[R, 1]` of the chosen instances `[N, 1, ...]`."""
        return z.movedim(1, -1)[chosen.squeeze(1)], self.t.movedim(1, -1)[chosen.squeeze(1)]

    def _heat(self, z: Tensor, B: Tensor, v: Tensor, hot: Tensor) -> None:
        """`log(1 - p_t)` and `B` where all the others have underflown."""
        rows, t = self._rows(z, hot)
        others = rows.scatter(1, t, -math.inf)
        v[hot] = (torch.logsumexp(others, 1, keepdim=True) - rows.gather(1, t)).squeeze(1)
        # Where all the others are masked there is nothing to share.
        B.movedim(1, -1)[hot.squeeze(1)] = torch.softmax(others, 1).nan_to_num(nan=0.0)

    def _repair(
        self, z: Tensor, losses: Tensor, slopes: tuple[Tensor, Tensor, Tensor] | None
    ) -> tuple[Tensor, ...]:
        """Losses, `G` and `c` with the instances that are not finite done again, on signed logarithms."""
        bad = ~torch.isfinite(losses if slopes is None else losses + slopes[1] + slopes[2])
        rows, t = self._rows(z.double(), bad)
        u, v = target_pair(rows, t)
        pi, w = (
            x if x is None else x.expand_as(bad)[bad].unsqueeze(1)
            for x in map(self.at_target.get, ("pi", "w"))
        )
        curve = entry_curve(self.formula, self.formula.row)
        value, slope = curve.repaired(signed_inputs(u, v, None, z.shape[1], pi, w))
        losses = _replaced(losses, bad, value.value)
        if slopes is None:
            return (losses,)
        buffer, G, c = slopes
        # `exp(log|slope| + log p_j - log(1 - p_t))`: no factor is computed by itself.
        pull = torch.exp((slope.log + torch.log_softmax(rows, 1) - v).scatter(1, t, -math.inf))
        buffer.movedim(1, -1)[bad.squeeze(1)] = pull.to(buffer.dtype)
        return losses, _replaced(G, bad, slope.value), _replaced(c, bad, slope.sign)


def _replaced(x: Tensor, where: Tensor, values: Tensor) -> Tensor:
    """A copy of `x` with `values` `[R, 1]` at the places `where`."""
    copy = x.clone()
    copy[where] = values.to(x.dtype).squeeze(1)
    return copy
