"""The operators over tensors: value, first and second partial derivatives, as the interpreter needs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.expr import GUARD

__all__ = ["RULES", "Rule"]

_GUARD = float(GUARD)
Partial = Any  # a tensor, a float, or None for a derivative that is zero everywhere


@dataclass(frozen=True)
class Rule:
    """An operator of one or two arguments.

    Attributes:
        value: `v = f(a)` or `f(a, b)`.
        first: from `(v, a, ...)` the partial derivatives, one for each argument.
        second: from `(v, a, ...)` the second ones: `(aa,)` or `(aa, ab, bb)`.
    """

    value: Callable[..., Tensor]
    first: Callable[..., tuple[Partial, ...]]
    second: Callable[..., tuple[Partial, ...]]


def _outside(a: Tensor, value: Callable[[Tensor], Tensor]) -> Tensor:
    """`value(a)` where the guard of a protected operator does not act, 0 where it does."""
    free = a.abs() > _GUARD
    return torch.where(free, value(torch.where(free, a, 1.0)), 0.0)


def _less(a: Tensor, b: Tensor) -> Tensor:
    """1 where a < b, 0 where a > b, and a half on ties, as torch's minimum shares its gradient."""
    return (torch.sign(b - a) + 1) / 2


def _aq_second(v: Tensor, a: Tensor, b: Tensor) -> tuple[Partial, ...]:
    r = torch.rsqrt(1 + b * b)
    return None, -b * r**3, a * (2 * b * b - 1) * r**5


def _aq_first(v: Tensor, a: Tensor, b: Tensor) -> tuple[Partial, ...]:
    r = torch.rsqrt(1 + b * b)
    return r, -v * b * r * r


def _zero1(v: Tensor, a: Tensor) -> tuple[Partial, ...]:
    return (None,)


def _zero2(v: Tensor, a: Tensor, b: Tensor) -> tuple[Partial, ...]:
    return None, None, None


RULES: dict[str, Rule] = {
    "add": Rule(torch.add, lambda v, a, b: (1.0, 1.0), _zero2),
    "sub": Rule(torch.sub, lambda v, a, b: (1.0, -1.0), _zero2),
    "mul": Rule(torch.mul, lambda v, a, b: (b, a), lambda v, a, b: (None, 1.0, None)),
    "div": Rule(
        torch.div,
        lambda v, a, b: (1 / b, -v / b),
        lambda v, a, b: (None, -1 / (b * b), 2 * v / (b * b)),
    ),
    "pow": Rule(
        torch.pow,
        lambda v, a, b: (b * a ** (b - 1), v * a.log()),
        lambda v, a, b: (b * (b - 1) * a ** (b - 2), a ** (b - 1) * (1 + b * a.log()), v * a.log() ** 2),
    ),
    "aq": Rule(lambda a, b: a * torch.rsqrt(1 + b * b), _aq_first, _aq_second),
    "min": Rule(torch.minimum, lambda v, a, b: (_less(a, b), _less(b, a)), _zero2),
    "max": Rule(torch.maximum, lambda v, a, b: (_less(b, a), _less(a, b)), _zero2),
    "neg": Rule(torch.neg, lambda v, a: (-1.0,), _zero1),
    "abs": Rule(torch.abs, lambda v, a: (a.sign(),), _zero1),
    "sign": Rule(torch.sign, lambda v, a: (None,), _zero1),
    "relu": Rule(torch.relu, lambda v, a: ((a > 0).to(a.dtype),), _zero1),
    "square": Rule(torch.square, lambda v, a: (2 * a,), lambda v, a: (2.0,)),
    "log": Rule(torch.log, lambda v, a: (1 / a,), lambda v, a: (-1 / (a * a),)),
    "exp": Rule(torch.exp, lambda v, a: (v,), lambda v, a: (v,)),
    "sqrt": Rule(torch.sqrt, lambda v, a: (0.5 / v,), lambda v, a: (-0.25 / v**3,)),
    "tanh": Rule(torch.tanh, lambda v, a: (1 - v * v,), lambda v, a: (-2 * v * (1 - v * v),)),
    "sin": Rule(torch.sin, lambda v, a: (a.cos(),), lambda v, a: (-v,)),
    "cos": Rule(torch.cos, lambda v, a: (-a.sin(),), lambda v, a: (-v,)),
    "sinh": Rule(torch.sinh, lambda v, a: (a.cosh(),), lambda v, a: (v,)),
    "cosh": Rule(torch.cosh, lambda v, a: (a.sinh(),), lambda v, a: (v,)),
    "sigmoid": Rule(torch.sigmoid, lambda v, a: (v * (1 - v),), lambda v, a: (v * (1 - v) * (1 - 2 * v),)),
    "softplus": Rule(
        lambda a: F.softplus(a, threshold=40.0),
        lambda v, a: (a.sigmoid(),),
        lambda v, a: (a.sigmoid() * (-a).sigmoid(),),
    ),
    "plog": Rule(
        lambda a: a.abs().clamp(min=_GUARD).log(),
        lambda v, a: (_outside(a, torch.reciprocal),),
        lambda v, a: (-_outside(a, lambda x: 1 / (x * x)),),
    ),
    "psqrt": Rule(
        lambda a: a.abs().clamp(min=_GUARD).sqrt(),
        lambda v, a: (_outside(a, lambda x: x.sign() / 2) / v,),
        lambda v, a: (_outside(a, torch.ones_like) * -0.25 / v**3,),
    ),
}
"""Every built-in operator; those that users register are made of these."""
