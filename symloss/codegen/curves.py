"""A branch of a formula together with its derivative: what the fused paths evaluate."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import torch
from sympy import Expr, Symbol
from torch import Tensor

from symloss.codegen.formula import Formula
from symloss.codegen.runtime.logits import sigmoid_pair
from symloss.codegen.soundness import sound
from symloss.codegen.source.printer import Printed, rounded
from symloss.codegen.symbols.log_domain import (
    LOG_P,
    LOG_Q,
    P_,
    PRIOR,
    Q_,
    RESIDUAL,
    TARGET,
    WEIGHT,
    log_slope,
    logit_slope,
)
from symloss.codegen.symbols.signed_log import LOWEST, SignedLog, evaluate
from symloss.expr import C, P, W, Y

__all__ = [
    "Curve", "dense_curves", "entry_curve", "label_curves", "regression_curve", "row_curve", "signed_inputs",
    "signed_regression",
]  # fmt: skip

_LOGITS = (0.0, 1e-3, 0.1, 1.0, 3.0, 10.0, 16.0, 30.0, 60.0, 88.0, 104.0, 300.0, 745.0, 1e4, 2e4)
_ENTRIES = (0.0, 1e-30, 1e-3, 0.5, 1.0, 3.0, 100.0, 1e4, 2e4)


@dataclass(frozen=True, eq=False)
class Curve:
    """An expression and its slope: by `log p` where one-sided, by the logit elsewhere, by `p` in regression.

    Attributes:
        formula: where it comes from.
        value, slope: expressions.
        one_sided: both are finite at `p = 1` and never ask for `log(1 - p)`.
        of_logit: the functions take the binary logit.
    """

    formula: Formula
    value: Expr
    slope: Expr
    one_sided: bool = False
    of_logit: bool = False

    @cached_property
    def both(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """The function that returns value and slope, subexpressions shared."""
        return self._function(self.value, self.slope)

    @cached_property
    def descending(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """The function that returns the value and minus the slope."""
        return self._function(self.value, -self.slope)

    def _function(self, *results: Expr) -> Callable[..., Any]:
        return self.formula.function(
            *results, one_sided=self.one_sided, of_logit=self.of_logit, differentiable=False
        )

    @cached_property
    def uses_log(self) -> bool:
        """Whether a one-sided curve reads `log p` and not `p` alone."""
        return LOG_P in self.printed.mentioned

    @cached_property
    def uses_rest(self) -> bool:
        """Whether a one-sided curve reads `1 - p`."""
        return Q_ in self.printed.mentioned

    @property
    def printed(self) -> Printed:
        """The source of `both`."""
        return self.printed_as("value_and_slope")

    def printed_as(self, name: str, docstring: str = "", sign: int = 1) -> Printed:
        """The source of the function of value and slope, the latter times a sign."""
        return self.formula.printed(
            self.value,
            sign * self.slope,
            name=name,
            one_sided=self.one_sided,
            of_logit=self.of_logit,
            differentiable=False,
            docstring=docstring,
        )

    @cached_property
    def fragile(self) -> bool:
        """Whether the printed form is not always finite within logits of +-1e4: results are then checked.

        At infinite logits, those of masked classes, it may be infinite, but not NaN.
        """
        if not self.formula.kind.probabilities:
            return not all(bool(torch.isfinite(x).all()) for x in self.both(*_regression_grid()))
        entries, y = _grid(self, _LOGITS)
        within = all(bool(torch.isfinite(x).all()) for x in self.both(*entries, y=y))
        entries, y = _grid(self, (math.inf,))
        return not within or any(bool(torch.isnan(x).any()) for x in self.both(*entries, y=y))

    def repaired(self, inputs: dict[Symbol, SignedLog]) -> tuple[SignedLog, SignedLog]:
        """Value and slope on signed logarithms."""
        value, slope = evaluate(self.value, inputs), evaluate(self.slope, inputs)
        unknown = functools.reduce(torch.logical_or, (torch.isnan(x.log) for x in inputs.values()))
        nothing = SignedLog.of(torch.full_like(value.log, math.nan))
        value = nothing.where(unknown, value)
        return value, nothing.where(torch.isnan(value.log), slope)


def entry_curve(formula: Formula, value: Expr, one_sided: bool = False) -> Curve:
    """The curve of a branch in `p, q, u, v`."""
    slope = log_slope(value) if one_sided else logit_slope(value)
    value, slope = sound(formula, rounded(value), rounded(slope), one_sided)
    return Curve(formula, value, slope, one_sided)


@lru_cache(maxsize=512)
def row_curve(formula: Formula) -> Curve:
    """The instance loss as a function of the target's entry; only where `affine`."""
    return replace(entry_curve(formula, formula.row), of_logit=True)


@lru_cache(maxsize=512)
def dense_curves(formula: Formula, soft: bool) -> tuple[Curve, Curve]:
    """The curves `(M(y, p), M(0, p))` for soft labels, `(M(1, p), M(0, p))` for hard ones."""
    first = formula.general if soft else formula.target
    one_sided = formula.is_one_sided(first, formula.other)
    return entry_curve(formula, first, one_sided), entry_curve(formula, formula.other, one_sided)


@lru_cache(maxsize=512)
def label_curves(formula: Formula) -> tuple[Curve, Curve | None]:
    """The curves of `M(y, p)` and, where that has no `y = 0`, of `M(0, p)`, by the logit."""
    other = None
    if formula.singular_at_zero:
        other = replace(entry_curve(formula, formula.other), of_logit=True)
    return replace(entry_curve(formula, formula.general), of_logit=True), other


@lru_cache(maxsize=512)
def regression_curve(formula: Formula) -> Curve:
    """The curve of a regression formula: of the residual where it is one, so that the two share it."""
    residual = formula.of_residual
    value, by = (formula.general, P) if residual is None else (residual, RESIDUAL)
    return Curve(formula, *sound(formula, rounded(value), rounded(value.diff(by))))


def _grid(curve: Curve, sizes: Sequence[float]) -> tuple[tuple[Any, ...], Tensor]:
    logits = torch.tensor([sign * d for d in sizes for sign in (1, -1)])
    d, y = torch.broadcast_tensors(logits.unsqueeze(1), torch.tensor([1.0, 0.3, 1e-3]))
    u, v = sigmoid_pair(d)
    entry = (d,) if curve.of_logit else (u, torch.exp(u), torch.exp(v)) if curve.one_sided else (u, v)
    return (*entry, 10.0, torch.full_like(u, 0.1), torch.ones_like(u)), y


def _regression_grid() -> tuple[Any, ...]:
    entries = torch.tensor([sign * x for x in _ENTRIES for sign in (1, -1)])
    p, y = torch.broadcast_tensors(entries.unsqueeze(1), entries)
    return p, y, torch.ones_like(p)


def signed_inputs(
    u: Tensor, v: Tensor, y: Tensor | None, classes: int, pi: Tensor | None, w: Tensor | None
) -> dict[Symbol, SignedLog]:
    """The symbols of a classification or multilabel formula on signed logarithms."""
    u, v = u.double().clamp(min=LOWEST), v.double().clamp(min=LOWEST)
    inputs = {
        P_: SignedLog.exp_of(u),
        Q_: SignedLog.exp_of(v),
        # `log(1 - q) = -q` for tiny `q`: exact where `u` itself has underflown.
        LOG_P: SignedLog(-torch.ones_like(u), torch.where(v < -40, v, torch.log(-u))),
        LOG_Q: SignedLog(-torch.ones_like(v), torch.where(u < -40, u, torch.log(-v))),
        C: SignedLog.exp_of(torch.full_like(u, math.log(classes))),
    }
    for symbol, tensor in ((TARGET, y), (PRIOR, pi), (WEIGHT, w)):
        if tensor is not None:
            inputs[symbol] = SignedLog.of(tensor.double().expand_as(u))
    return inputs


def signed_regression(p: Tensor, y: Tensor, w: Tensor | None) -> dict[Symbol, SignedLog]:
    """The symbols of a regression formula on signed logarithms."""
    inputs = {P: SignedLog.of(p), Y: SignedLog.of(y), RESIDUAL: SignedLog.of(p.double() - y.double())}
    if w is not None:
        inputs[W] = SignedLog.of(w.expand_as(p))
    return inputs
