"""Trainable coefficients that stay inside their bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
import torch.nn.functional as F
from sympy import Expr
from torch import Tensor, nn

from symloss.errors import CompileError
from symloss.expr import Loss
from symloss.zoo import entry, named, names

__all__ = ["Bounded", "zoo_bounds"]


class Bounded(nn.Module):
    """Named scalar parameters, each mapped into an open interval.

    A coefficient in `(lo, hi)` is `lo + (hi - lo) sigmoid(x)` of its parameter `x`, in `(lo, inf)` it is
    `lo + softplus(x)`, and unbounded it is the parameter itself. Smooth, so that no gradient is lost at a
    bound; the bounds themselves are never reached.

    Args:
        values: the start of each coefficient.
        bounds: `(lo, hi)` by name; missing means unbounded.

    Raises:
        CompileError: for a start that is not strictly inside its bounds, or bounds of an unknown coefficient.

    >>> Bounded({"q": 0.5}, {"q": (0.0, 1.0)}).values_now()
    {'q': 0.5}
    """

    def __init__(self, values: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]) -> None:
        super().__init__()
        self.names = tuple(values)
        for name in bounds:
            if name not in values:
                raise CompileError(
                    f"expected bounds of trainable coefficients ({', '.join(values) or 'there are none'}), "
                    f"got bounds of {name!r}"
                )
        self.bounds = {name: bounds.get(name, (-math.inf, math.inf)) for name in values}
        for name, value in values.items():
            lo, hi = self.bounds[name]
            if not lo < value < hi:
                raise CompileError(
                    f"expected {name} strictly between {lo:g} and {hi:g}, got {value:g}; "
                    "start inside its bounds, or give other bounds"
                )
            start = torch.tensor(_inward(value, lo, hi), dtype=torch.float64)
            # A prefix keeps a coefficient called `training` from shadowing an attribute of the module.
            self.register_parameter(f"raw_{name}", nn.Parameter(start))

    def value(self, name: str) -> Tensor:
        """The coefficient `name`, differentiable, a scalar."""
        raw: Tensor = getattr(self, f"raw_{name}")
        lo, hi = self.bounds[name]
        if math.isinf(lo) and math.isinf(hi):
            return raw
        if math.isinf(hi):
            return lo + F.softplus(raw)
        if math.isinf(lo):
            return hi - F.softplus(raw)
        return lo + (hi - lo) * torch.sigmoid(raw)

    def values_for(self, like: Tensor) -> list[Tensor]:
        """All coefficients in order, of the dtype and device of `like`."""
        return [self.value(name).to(like) for name in self.names]

    def values_now(self) -> dict[str, float]:
        """The current coefficients by name."""
        return {name: self.value(name).item() for name in self.names}


def zoo_bounds(loss: Loss) -> dict[str, tuple[float, float]]:
    """The bounds of the zoo's coefficients where `loss` is a formula of the zoo, else none."""
    return dict(_bounds_by_formula(loss.kind).get(loss.expr, {})) if loss.coefficients else {}


@lru_cache(maxsize=8)
def _bounds_by_formula(kind: str) -> dict[Expr, Mapping[str, tuple[float, float]]]:
    return {named(name, kind=kind).expr: entry(name, kind).bounds for name in names(kind)}


def _inward(value: float, lo: float, hi: float) -> float:
    """The parameter that is mapped to `value`."""
    if math.isinf(lo) and math.isinf(hi):
        return value
    if math.isinf(hi) or math.isinf(lo):
        gap = value - lo if math.isinf(hi) else hi - value
        return gap + math.log(-math.expm1(-gap))
    share = (value - lo) / (hi - lo)
    return math.log(share) - math.log1p(-share)
