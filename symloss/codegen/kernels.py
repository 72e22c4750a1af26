"""Formulas that torch has a kernel for, up to a factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from sympy import Expr, Symbol, expand
from torch import Tensor

from symloss.codegen import nodes
from symloss.codegen.compiled import Formula
from symloss.codegen.fused import composes
from symloss.codegen.rewrite import LOG_P, LOG_Q, RESIDUAL, TARGET
from symloss.expr import P, Y

__all__ = ["Kernel", "recognise"]


LARGE = 1 << 20
"""Beyond so many logits the target path, with one exponential of each, is faster than `F.cross_entropy`."""


@dataclass(frozen=True)
class Kernel:
    """`scale` times one of torch's own losses; raises where that loss does not take the arguments.

    Attributes:
        name: what torch calls it.
        scale: the factor.
        options: further arguments of torch's function, as they are written.
    """

    name: str
    scale: float
    function: Callable[[Tensor, Any, Tensor | None, str, int], Tensor]
    options: str = ""

    def __call__(
        self,
        outputs: Tensor,
        targets: Tensor | None,
        weight: Tensor | None,
        reduction: str,
        ignore_index: int,
    ) -> Tensor:
        if self.scale == 1.0:
            return self.function(outputs, targets, weight, reduction, ignore_index)
        return self.function(outputs, targets, weight, reduction, ignore_index) * self.scale


def _cross_entropy(z: Tensor, t: Tensor, weight: Tensor | None, reduction: str, ignore: int) -> Tensor:
    large = z.numel() > LARGE and z.dtype in (torch.float32, torch.float64) and z.dim() == 2
    if large and weight is None and not t.is_floating_point() and not composes(z):
        raise ValueError("the target path is faster")
    return F.cross_entropy(z, t, weight, ignore_index=ignore, reduction=reduction)


def _bce(z: Tensor, y: Tensor, weight: Tensor | None, reduction: str, ignore: int) -> Tensor:
    _same_shape(z, y)
    return F.binary_cross_entropy_with_logits(z, y, weight, reduction=reduction)


def _mse(p: Tensor, y: Tensor, weight: Tensor | None, reduction: str, ignore: int) -> Tensor:
    _same_shape(p, y)
    return F.mse_loss(p, y, reduction=reduction)


def _huber(delta: float, p: Tensor, y: Tensor, weight: Tensor | None, reduction: str, ignore: int) -> Tensor:
    _same_shape(p, y)
    return F.huber_loss(p, y, reduction=reduction, delta=delta)


def _logistic(f: Tensor, t: Tensor | None, weight: Tensor | None, reduction: str, ignore: int) -> Tensor:
    """Of scores and targets 0 and 1, or of margins alone."""
    t = f.new_ones(()).expand_as(f) if t is None else t
    return F.binary_cross_entropy_with_logits(f, t, weight, reduction=reduction)


def _same_shape(outputs: Tensor, targets: Tensor) -> None:
    # torch would broadcast, with a warning.
    if outputs.shape != targets.shape:
        raise ValueError("shapes differ")


@lru_cache(maxsize=512)
def recognise(formula: Formula) -> Kernel | None:
    """The kernel that computes a formula without trainable coefficients, or None."""
    if formula.coefficients or formula.uses_priors or formula.uses_weights:
        return None
    general = formula.general
    if formula.kind.signed:
        return _scaled("F.binary_cross_entropy_with_logits", general, nodes.softened(-P), _logistic)
    if not formula.kind.probabilities:
        # Not `F.l1_loss`: the gradient that it has for a NaN is 0.
        return _scaled("F.mse_loss", general, (Y - P) ** 2, _mse) or _recognised_huber(formula)
    if not formula.kind.exclusive:
        name = "F.binary_cross_entropy_with_logits"
        return _scaled(name, general, -TARGET * LOG_P - (1 - TARGET) * LOG_Q, _bce)
    return _scaled("F.cross_entropy", general, -TARGET * LOG_P, _cross_entropy)


def _recognised_huber(formula: Formula) -> Kernel | None:
    """`c m (|r| - m/2)` with `m = min(delta, |r|)`."""
    residual = formula.of_residual
    least = residual.atoms(nodes.minimum) if residual is not None else set()
    if residual is None or len(least) != 1 or residual.free_symbols != {RESIDUAL}:
        return None
    (m,) = least
    sizes = {nodes.absolute(RESIDUAL), nodes.absolute(-RESIDUAL)} & set(m.args)
    delta = next((x for x in m.args if x.is_number and x.is_positive), None)
    if delta is None or not sizes:
        return None
    size, inner = Symbol("size"), Symbol("inner")
    expr = residual.xreplace({m: inner}).xreplace(dict.fromkeys(sizes, size))
    if expr.has(RESIDUAL):
        return None
    factor = expand(expr).coeff(size * inner)
    if not factor.is_number or factor == 0 or expand(expr - factor * inner * (size - inner / 2)) != 0:
        return None
    return Kernel("F.huber_loss", float(factor), partial(_huber, float(delta)), f", delta={float(delta)}")


def _scaled(
    name: str, expr: Expr, unit: Expr, function: Callable[[Tensor, Any, Tensor | None, str, int], Tensor]
) -> Kernel | None:
    if expr.free_symbols != unit.free_symbols or expr.count_ops() > 50:
        return None
    expanded, wanted = expand(expr), expand(unit)
    number, rest = wanted.as_ordered_terms()[0].as_coeff_Mul()
    factor = expanded.as_coefficients_dict()[rest] / number
    if factor == 0 or expand(expanded - factor * wanted) != 0 or not factor.is_number:
        return None
    return Kernel(name, float(factor), function)
