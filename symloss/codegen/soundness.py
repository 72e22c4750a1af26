"""What a printed function makes of inputs that are not finite, found by trying it once.

Two habits of torch's operators hide a broken training or break a sound one: `sign`, `hardshrink` and
comparisons turn a NaN into a number, and `0 * log p` is NaN where a masked logit makes `p` exactly 0. Most
formulas have neither; those that do get a term or a clamp more, the others nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from sympy import Expr, Symbol
from torch import Tensor

from symloss.codegen.symbols.log_domain import LOG_P, LOG_Q, P_, PRIOR, Q_, TARGET, WEIGHT
from symloss.codegen.symbols.nodes import bounded, void
from symloss.expr import C, P, W, Y

if TYPE_CHECKING:
    from symloss.codegen.formula import Formula

__all__ = ["sound"]

_NUMBERS = (-2.5, -0.3, 0.4, 1.7)
"""Logits, predictions and targets of regression: on both sides of the usual ends of a domain."""


def sound(formula: Formula, value: Expr, slope: Expr, one_sided: bool = False) -> tuple[Expr, Expr]:
    """Value and slope of a branch that are NaN where they should be, and only there.

    A NaN in an input is a NaN in both, and the slope is NaN where the value is, also outside the domain of the
    formula (torch's derivative of `log p` at -1 is -1). Neither is NaN at `p = 0` or `p = 1`.
    """
    if formula.kind.exclusive and not value.free_symbols:
        return value, slope  # one of many terms: the target's carries the NaN
    if formula.kind.probabilities:
        value, slope = _bounded(formula, value, slope, one_sided)
    function = formula.function(value, slope, one_sided=one_sided, differentiable=False)
    sample = _sample(formula, one_sided)

    def unknown(*symbols: Symbol) -> tuple[Tensor, Tensor]:
        given = {symbol: x * math.nan if symbol in symbols else x for symbol, x in sample.items()}
        y = {"y": given.pop(TARGET)} if TARGET in given else {}
        first, second = function(*given.values(), _coefficients(formula), **y)
        return torch.isnan(first), torch.isnan(second)

    follows = True
    for group in _groups(formula, value):
        in_value, in_slope = unknown(*group)
        if not bool(in_value.all()):
            value = value + void(group[0])
        follows = follows and bool(in_slope.all())
    in_value, in_slope = unknown()
    follows = follows and bool((in_slope | ~in_value).all())
    return value, slope if follows else slope + void(value)


def _bounded(formula: Formula, value: Expr, slope: Expr, one_sided: bool) -> tuple[Expr, Expr]:
    """With the lowest number for `log 0` where `0 * log 0`, or the like, makes a result NaN."""
    function = formula.function(value, slope, one_sided=one_sided, differentiable=False)
    u = torch.tensor([[-math.inf], [0.0]]).expand(2, 3)
    entry = (u, u.exp(), u.flip(0).exp()) if one_sided else (u, u.flip(0))
    context = 10.0, torch.full_like(u, 0.1), torch.ones_like(u), _coefficients(formula)
    results = function(*entry, *context, y=torch.tensor([1.0, 0.3, 0.3]))
    finite = {symbol: bounded(symbol) for symbol in (LOG_P, LOG_Q)}
    first, second = (
        expr.xreplace(finite) if bool(torch.isnan(x).any()) else expr
        for expr, x in zip((value, slope), results, strict=True)
    )
    return first, second


def _coefficients(formula: Formula) -> list[Tensor]:
    return [torch.tensor(0.7)] * len(formula.coefficients)


def _sample(formula: Formula, one_sided: bool) -> dict[Symbol, Any]:
    """Values of the arguments of a function, in their order."""
    numbers = torch.tensor(_NUMBERS)
    if not formula.kind.probabilities:
        p, y = torch.broadcast_tensors(numbers.unsqueeze(1), numbers)
        return {P: p, Y: y, W: torch.ones_like(p)}
    d = torch.broadcast_to(2 * numbers.unsqueeze(1), (len(_NUMBERS), 2))
    u, v = F.logsigmoid(d), F.logsigmoid(-d)
    entry = {LOG_P: u, P_: u.exp(), Q_: v.exp()} if one_sided else {LOG_P: u, LOG_Q: v}
    others = {
        TARGET: torch.tensor([1.0, 0.3]).expand_as(u),
        C: 10.0,
        PRIOR: torch.full_like(u, 0.1),
        WEIGHT: torch.ones_like(u),
    }
    return {**entry, **others}


def _groups(formula: Formula, value: Expr) -> list[tuple[Symbol, ...]]:
    """The symbols that an input of the loss reaches a branch by; the first is always an argument."""
    if not formula.kind.probabilities:
        inputs: list[tuple[Symbol, ...]] = [(P,)] if formula.kind.signed else [(P,), (Y,)]
    else:
        inputs = [(LOG_P, LOG_Q, P_, Q_)]
    return inputs + [(symbol,) for symbol in (TARGET, W, WEIGHT, PRIOR) if value.has(symbol)]
