"""Formulas that torch has a kernel for, up to a factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import torch.nn.functional as F
from sympy import Expr, Symbol, expand
from torch import Tensor

from symloss.codegen.formula import Formula
from symloss.codegen.symbols import nodes
from symloss.codegen.symbols.log_domain import LOG_P, LOG_Q, RESIDUAL, TARGET
from symloss.expr import P, Y

__all__ = ["LARGE", "Kernel", "recognise"]

LARGE = 1 << 20
"""Beyond so many logits the target path, with one exponential of each, is faster than `F.cross_entropy`."""


@dataclass(frozen=True)
class Kernel:
    """`scale` times one of torch's own losses.

    Attributes:
        function: torch's.
        scale: the factor.
        options: further arguments of the function.
    """

    function: Callable[..., Tensor]
    scale: float
    options: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        """What torch calls it."""
        return f"F.{self.function.__name__}"

    def __call__(self, outputs: Tensor, targets: Tensor, **options: object) -> Tensor:
        """The loss of inputs that torch's function takes."""
        loss = self.function(outputs, targets, **options, **self.options)
        return loss if self.scale == 1.0 else loss * self.scale


@lru_cache(maxsize=512)
def recognise(formula: Formula) -> Kernel | None:
    """The kernel that computes a formula without trainable coefficients, or None."""
    if formula.coefficients or formula.uses_priors or formula.uses_weights:
        return None
    general = formula.general
    if formula.kind.signed:
        return _scaled(general, nodes.softened(-P), F.binary_cross_entropy_with_logits)
    if not formula.kind.probabilities:
        # Not `F.l1_loss`: the gradient that it has for a NaN is 0.
        return _scaled(general, (Y - P) ** 2, F.mse_loss) or _recognised_huber(formula)
    if not formula.kind.exclusive:
        bce = -TARGET * LOG_P - (1 - TARGET) * LOG_Q
        return _scaled(general, bce, F.binary_cross_entropy_with_logits)
    return _scaled(general, -TARGET * LOG_P, F.cross_entropy)


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
    return Kernel(F.huber_loss, float(factor), {"delta": float(delta)})


def _scaled(expr: Expr, unit: Expr, function: Callable[..., Tensor]) -> Kernel | None:
    if expr.free_symbols != unit.free_symbols or expr.count_ops() > 50:
        return None
    expanded, wanted = expand(expr), expand(unit)
    number, rest = wanted.as_ordered_terms()[0].as_coeff_Mul()
    factor = expanded.as_coefficients_dict()[rest] / number
    if factor == 0 or expand(expanded - factor * wanted) != 0 or not factor.is_number:
        return None
    return Kernel(function, float(factor))
