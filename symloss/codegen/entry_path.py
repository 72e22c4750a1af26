"""Multilabel and regression losses: one sweep over the entries gives value and derivative."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.curves import Curve, entry_curve, regression_curve, signed_inputs, signed_regression
from symloss.codegen.instance import entry_losses, regression_losses
from symloss.codegen.logits import sigmoid_pair

__all__ = ["MultilabelPath", "RegressionPath", "multilabel_curves", "regression_only"]


@lru_cache(maxsize=512)
def regression_only(formula: Formula) -> Curve:
    """The curve of a regression formula."""
    return regression_curve(formula)


@lru_cache(maxsize=512)
def multilabel_curves(formula: Formula) -> tuple[Curve, Curve]:
    """The curves of `M(y, p)` and `M(0, p)` by the logit."""
    return entry_curve(formula, formula.general), entry_curve(formula, formula.other)


class RegressionPath:
    """`M(y, p)` of every entry.

    Args:
        formula: a regression formula without coefficients as inputs.
        y: targets.
        inputs: the value of `w`.
    """

    def __init__(self, formula: Formula, y: Tensor, inputs: dict[str, Any]) -> None:
        self.formula, self.y, self.inputs = formula, y, inputs
        self.curve = regression_only(formula)

    def composed(self, z: Tensor) -> Tensor:
        """See `fused.Path`."""
        return regression_losses(self.formula, z, self.y, self.inputs)

    def forward(self, z: Tensor, gradient: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `fused.Path`."""
        value, *slopes = self._entries(z, self.y, self.inputs["w"], gradient)
        return value, tuple(slopes)

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        return state[0] * g

    def _entries(self, p: Tensor, y: Tensor, w: Tensor | None, gradient: bool) -> list[Tensor]:
        arguments = p, y, w, ()
        found = list(self.curve.both(*arguments)) if gradient else [self.curve.alone(*arguments)]
        if self.curve.fragile:
            bad = ~torch.isfinite(sum(found[1:], found[0]))
            if bad.any():
                weights = None if w is None else w.expand_as(p)[bad]
                exact = self.curve.repaired(signed_regression(p[bad], y[bad], weights))
                found = [_replaced(x, bad, e.value) for x, e in zip(found, exact, strict=False)]
        return found


class MultilabelPath:
    """`M(y, sigmoid(z))` of every entry.

    Args:
        formula: a multilabel formula without coefficients as inputs.
        y: targets in `[0, 1]`.
        inputs: the values of `pi` and `w`, broadcastable.
    """

    def __init__(self, formula: Formula, y: Tensor, inputs: dict[str, Any]) -> None:
        self.formula, self.y, self.inputs = formula, y, inputs
        self.general, self.other = multilabel_curves(formula)

    def composed(self, z: Tensor) -> Tensor:
        """See `fused.Path`."""
        return entry_losses(self.formula, z, self.y, self.inputs)

    def forward(self, z: Tensor, gradient: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `fused.Path`."""
        u, v = sigmoid_pair(z)
        classes = 1 if z.dim() < 2 else z.shape[1]
        context = float(classes), self.inputs["pi"], self.inputs["w"], ()
        zero = self.y == 0
        y = torch.where(zero, 1.0, self.y) if self.formula.singular_at_zero else self.y
        found = _called(self.general, (u, v, y, *context), gradient)
        if self.formula.singular_at_zero:
            at_zero = _called(self.other, (u, v, None, *context), gradient)
            found = [torch.where(zero, b, a) for a, b in zip(found, at_zero, strict=True)]
        if self.general.fragile or self.other.fragile:
            bad = ~torch.isfinite(sum(found[1:], found[0]))
            if bad.any():
                found = self._repaired(z, found, bad, zero[bad])
        return found[0], tuple(found[1:])

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        return state[0] * g

    def _repaired(self, z: Tensor, found: list[Tensor], bad: Tensor, zero: Tensor) -> list[Tensor]:
        u, v = sigmoid_pair(z[bad].double())
        pi, w = (x if x is None else x.expand_as(z)[bad] for x in map(self.inputs.get, ("pi", "w")))
        inputs = signed_inputs(u, v, self.y[bad], 1 if z.dim() < 2 else z.shape[1], pi, w)
        pairs = zip(self.other.repaired(inputs), self.general.repaired(inputs), strict=True)
        exact = [at_zero.where(zero, general) for at_zero, general in pairs]
        return [_replaced(x, bad, e.value) for x, e in zip(found, exact, strict=False)]


def _called(curve: Curve, arguments: tuple[Any, ...], gradient: bool) -> list[Tensor]:
    return list(curve.both(*arguments)) if gradient else [curve.alone(*arguments)]


def _replaced(x: Tensor, where: Tensor, values: Tensor) -> Tensor:
    copy = x.clone()
    copy[where] = values.to(x.dtype)
    return copy
