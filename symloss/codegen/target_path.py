"""Losses that depend on the target's probability alone: `softmax`, then work on one number an instance."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.curves import Curve, entry_curve, is_one_sided, signed_inputs
from symloss.codegen.instance import instance_losses, like, of_target
from symloss.codegen.logits import target_pair

__all__ = ["TargetPath", "row_curve"]

_TINY = {torch.float32: 1e-30, torch.float64: 1e-290}
"""Below this probability the logarithm comes from the logits: far above where the dtype loses digits."""


@lru_cache(maxsize=512)
def row_curve(formula: Formula) -> Curve:
    """The instance loss as a function of the target's entry."""
    return entry_curve(formula, formula.row, is_one_sided(formula, [formula.row]))


class TargetPath:
    """`L = R(p_t)`; the gradient is `c * B` with one row factor `c`, and `G` in the target's place.

    One-sided: `B = p`, `c = -dR/du`. Else `B` is the softmax of the other logits, `c = -dR/dd`; `B = p` with
    `c` divided by `1 - p_t` where that does not cancel.

    Args:
        formula: an affine classification formula without coefficients as inputs.
        t: class indices `[N, 1, ...]`, all valid.
        inputs: the values of `pi` `[C, 1, ...]` and `w` `[N, 1, ...]`.
    """

    def __init__(self, formula: Formula, t: Tensor, inputs: dict[str, Any]) -> None:
        self.formula, self.t = formula, t
        self.inputs, self.at_target = inputs, of_target(inputs, t)
        self.curve = row_curve(formula)

    def composed(self, z: Tensor) -> Tensor:
        """See `fused.Path`."""
        return instance_losses(self.formula, z, None, self.t.squeeze(1), None, self.inputs)

    def forward(self, z: Tensor, gradient: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `fused.Path`."""
        t, classes = self.t, z.shape[1]
        if classes == 1 or z.numel() == 0:
            return self.composed(z.detach()), (torch.zeros_like(z), torch.zeros_like(t, dtype=z.dtype)) * 2
        B = torch.softmax(z, 1)
        p = B.gather(1, t)
        u = torch.log(p)
        low, high = torch.aminmax(p)
        if low.item() < _TINY[z.dtype]:
            self._sharpen(z, u, p < _TINY[z.dtype])
        one_sided, hot = self.curve.one_sided, None
        if one_sided:
            second = p
        else:
            second = torch.log1p(-p)
            if high.item() > 0.5:
                hot = p > 0.5
                self._heat(z, B, u, second, hot)
        arguments = u, second, None, float(classes), self.at_target["pi"], self.at_target["w"], ()
        if not gradient:
            losses = like(self.curve.alone(*arguments), u)
            if self.curve.fragile and not math.isfinite(losses.sum().item()):
                losses = self._repair(z, losses, None)[0]
            return losses.squeeze(1), ()
        value, slope = self.curve.both(*arguments)
        losses, slope = like(value, u), like(slope, u)
        if one_sided:
            G, c = slope * (1 - p), -slope
        else:
            c = -slope / (1 - p) if hot is None else torch.where(hot, -slope, -slope / (1 - p))
            G = slope
        if self.curve.fragile and not math.isfinite((losses + G + c).sum().item()):
            losses, G, c = self._repair(z, losses, (B, G, c))
        return losses.squeeze(1), (B, c, G)

    def backward(self, state: tuple[Tensor, ...], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        B, c, G = state
        if isinstance(g, Tensor) and g.dim():
            g = g.unsqueeze(1)
        return torch.mul(B, c * g).scatter_(1, self.t, G * g)

    def _rows(self, z: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The logits `[R, C]` and targets `[R, 1]` of the chosen instances `[N, 1, ...]`."""
        return z.movedim(1, -1)[chosen.squeeze(1)], self.t.movedim(1, -1)[chosen.squeeze(1)]

    def _sharpen(self, z: Tensor, u: Tensor, rare: Tensor) -> None:
        """`log p_t` from the logits where `p_t` has underflown."""
        rows, t = self._rows(z, rare)
        u[rare] = torch.log_softmax(rows, 1).gather(1, t).squeeze(1)

    def _heat(self, z: Tensor, B: Tensor, u: Tensor, v: Tensor, hot: Tensor) -> None:
        """`log(1 - p_t)` from the other logits where `1 - p_t` cancels."""
        rows, t = self._rows(z, hot)
        others = rows.scatter(1, t, -math.inf)
        d = (rows.gather(1, t) - torch.logsumexp(others, 1, keepdim=True)).squeeze(1)
        u[hot], v[hot] = F.logsigmoid(d), F.logsigmoid(-d)
        B.movedim(1, -1)[hot.squeeze(1)] = torch.softmax(others, 1)

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
        B, G, c = slopes
        # `exp(log|slope| + log p_j - log(1 - p_t))`: no factor is computed by itself.
        pull = torch.exp(slope.log + torch.log_softmax(rows, 1) - v)
        B.movedim(1, -1)[bad.squeeze(1)] = pull.to(B.dtype)
        return losses, _replaced(G, bad, slope.value), _replaced(c, bad, -slope.sign)


def _replaced(x: Tensor, where: Tensor, values: Tensor) -> Tensor:
    """A copy of `x` with `values` `[R, 1]` at the places `where`."""
    copy = x.clone()
    copy[where] = values.to(x.dtype).squeeze(1)
    return copy
