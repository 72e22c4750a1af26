"""Paths whose results are done again on signed logarithms where they are not finite.

Only formulas of which a step on the way may leave the floating-point range take them (`Curve.fragile`): they look at
their results, which an accelerator has to be waited for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from symloss.codegen.curves import (
    dense_curves,
    entry_curve,
    label_curves,
    regression_curve,
    row_curve,
    signed_inputs,
    signed_regression,
)
from symloss.codegen.formula import Formula
from symloss.codegen.runtime.branch import Batch, Branch, at_target
from symloss.codegen.runtime.dense import DensePath, SingularDensePath
from symloss.codegen.runtime.entries import LabelPath, NumberPath
from symloss.codegen.runtime.logits import all_pairs, sigmoid_pair, target_logit
from symloss.codegen.runtime.target import TargetPath
from symloss.codegen.symbols.signed_log import SignedLog

__all__ = [
    "RepairedDensePath",
    "RepairedLabelPath",
    "RepairedNumberPath",
    "RepairedSingularPath",
    "RepairedTargetPath",
]


class RepairedTargetPath(TargetPath):
    """A target path on a CPU.

    Args:
        row: see `TargetPath`.
        formula: where it comes from.
        elsewhere: the path on accelerators, and the composed form.
    """

    def __init__(self, row: Branch, formula: Formula, elsewhere: TargetPath) -> None:
        super().__init__(row)
        self.formula, self.elsewhere = formula, elsewhere

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        if not z.is_cpu:
            return self.elsewhere.forward(z, batch)
        found = super().forward(z, batch)
        bad = ~torch.isfinite(found[0] - found[2])
        return self._repaired(z, batch, found, bad) if bool(bad.any()) else found

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        return self.elsewhere.composed(z, batch)

    def _repaired(
        self, z: Tensor, batch: Batch, found: tuple[Tensor, ...], bad: Tensor
    ) -> tuple[Tensor, ...]:
        losses, pull, minus_slope = found
        rows = bad.squeeze(1)
        logits, t = z.movedim(1, -1)[rows].double(), batch.target.movedim(1, -1)[rows]
        u, v = sigmoid_pair(target_logit(logits, t))
        classes, pi, w, *_ = at_target(batch)
        pi, w = (x.expand_as(bad)[bad].unsqueeze(1) if isinstance(x, Tensor) else x for x in (pi, w))
        inputs = signed_inputs(u, v, None, int(classes), pi, w)
        value, slope = row_curve(self.formula).repaired(inputs)
        # `exp(log |slope| + log p_j - log(1 - p_t))`: no factor is computed by itself.
        size = torch.exp((slope.log + torch.log_softmax(logits, 1) - v).scatter(1, t, -math.inf))
        gradient = (size * -slope.sign).scatter(1, t, slope.value)
        pull.movedim(1, -1)[rows] = gradient.to(pull.dtype)
        return replaced(losses, bad, value.value), pull, replaced(minus_slope, bad, torch.ones_like(u))


class _RepairedSweep(DensePath):
    """Repairs the instances of a block.

    Args:
        formula: where the branches come from.
    """

    formula: Formula

    def sweep(self, z: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """See `DensePath`."""
        losses, gradient = super().sweep(z, batch)
        bad = ~torch.isfinite(losses + gradient.sum(1, keepdim=True)).squeeze(1)
        if bool(bad.any()):
            self._repair(z, batch, bad, losses, gradient)
        return losses, gradient

    def _repair(self, z: Tensor, batch: Batch, bad: Tensor, losses: Tensor, gradient: Tensor) -> None:
        def chosen(x: Any) -> Tensor | None:
            if x is None:
                return None
            return (
                torch.as_tensor(x, dtype=z.dtype, device=z.device).expand_as(z).movedim(1, -1)[bad].double()
            )

        u, v = all_pairs(z.movedim(1, -1)[bad].double())
        classes, pi, w, *_ = batch.context
        inputs = signed_inputs(
            u, v, chosen(batch.target) if self.soft else None, int(classes), chosen(pi), chosen(w)
        )
        first_curve, other_curve = dense_curves(self.formula, self.soft)
        first = entry_curve(self.formula, first_curve.value).repaired(inputs)
        other = entry_curve(self.formula, other_curve.value).repaired(inputs)
        if self.soft:
            is_first = batch.target.movedim(1, -1)[bad] != 0
        else:
            t = batch.target.movedim(1, -1)[bad]
            is_first = torch.zeros_like(u, dtype=torch.bool).scatter(1, t, True)
        value, slope = (a.where(is_first, b) for a, b in zip(first, other, strict=True))
        if batch.weight is not None:
            weight = SignedLog.of(batch.weight.expand_as(z).movedim(1, -1)[bad])
            value, slope = value * weight, slope * weight
        losses.squeeze(1)[bad] = value.sum(1).value.to(losses.dtype)
        # By every logit: `G_i` by its own, `-G_i p_j / q_i` by the others; here `j` runs over dimension 1.
        p, inverse_q = SignedLog.exp_of(u), SignedLog.exp_of(-v)
        pull = slope * inverse_q
        top = u.argmax(1, keepdim=True)
        at_top = torch.zeros_like(is_first).scatter(1, top, True)
        nothing = SignedLog.of(torch.zeros_like(u))
        rest = nothing.where(at_top, pull).sum(1, keepdim=True)
        peak = SignedLog(pull.sign.gather(1, top), pull.log.gather(1, top))
        total = slope.where(at_top, pull) + -(p * rest) + -nothing.where(at_top, p * peak)
        gradient.movedim(1, -1)[bad] = total.value.to(gradient.dtype)


class RepairedDensePath(_RepairedSweep):
    """A dense path whose instances are repaired."""


class RepairedSingularPath(_RepairedSweep, SingularDensePath):
    """The same of a loss that is singular at `p = 1`."""


class RepairedNumberPath(NumberPath):
    """Predictions whose entries are repaired.

    Args:
        general: see `NumberPath`.
        formula: where it comes from.
    """

    def __init__(self, general: Branch, formula: Formula) -> None:
        super().__init__(general)
        self.formula = formula

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        return _mended(super().forward(z, batch), lambda bad: self._exact(z, batch, bad))

    def _exact(self, z: Tensor, batch: Batch, bad: Tensor) -> tuple[SignedLog, SignedLog]:
        inputs = signed_regression(z[bad], batch.target[bad], _chosen(batch.context[0], z, bad))
        return regression_curve(self.formula).repaired(inputs)


class RepairedLabelPath(LabelPath):
    """Labels whose entries are repaired.

    Args:
        general, other: see `LabelPath`.
        formula: where they come from.
    """

    def __init__(self, general: Branch, other: Branch | None, formula: Formula) -> None:
        super().__init__(general, other)
        self.formula = formula

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        return _mended(super().forward(z, batch), lambda bad: self._exact(z, batch, bad))

    def _exact(self, z: Tensor, batch: Batch, bad: Tensor) -> tuple[SignedLog, SignedLog]:
        y, (classes, pi, w, *_) = batch.target[bad], batch.context
        u, v = sigmoid_pair(z[bad].double())
        inputs = signed_inputs(u, v, y, int(classes), _chosen(pi, z, bad), _chosen(w, z, bad))
        general, other = label_curves(self.formula)
        exact = general.repaired(inputs)
        if other is not None:
            at_zero = other.repaired(inputs)
            exact = at_zero[0].where(y == 0, exact[0]), at_zero[1].where(y == 0, exact[1])
        return exact


def _mended(
    found: tuple[Tensor, ...], exact: Callable[[Tensor], tuple[SignedLog, SignedLog]]
) -> tuple[Tensor, ...]:
    """Losses and slopes of entries, those that are not finite from what `exact` gives at their places."""
    bad = ~torch.isfinite(found[0] + found[1])
    if not bool(bad.any()):
        return found
    return tuple(replaced(x, bad, e.value) for x, e in zip(found, exact(bad), strict=True))


def _chosen(x: Any, z: Tensor, where: Tensor) -> Tensor | None:
    """The values of a symbol at some entries of `z`."""
    return None if x is None else torch.as_tensor(x, dtype=z.dtype, device=z.device).expand_as(z)[where]


def replaced(x: Tensor, where: Tensor, values: Tensor) -> Tensor:
    """A copy of `x` with `values` at the places where the condition holds."""
    copy = x.clone()
    copy[where] = values.to(x.dtype).flatten()
    return copy
