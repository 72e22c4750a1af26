"""The few functions over arrays that operators are written in, so that one definition serves every library.

A value, a derivative: `lambda xp, v, a: xp.cos(a)`. Which library `xp` stands for is the caller's business:
`NUMPY` and `FLOATS` are here, torch's is in `symloss.codegen.trees.arrays`, since this room never loads torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FLOATS", "NUMPY", "ArrayModule", "array_module"]

Function = Callable[..., Any]
_SHARED = (
    "abs", "sign", "where", "minimum", "maximum", "exp", "log", "sqrt", "square", "tanh", "sin", "cos",
    "sinh", "cosh", "atan",
)  # fmt: skip
"""What numpy and torch call alike."""


@dataclass(frozen=True)
class ArrayModule:
    """One library's functions, elementwise and broadcasting.

    `floored(a, low)` is the larger of an array and a number, `direction(a, low)` the sign of `a` where `|a| > low`
    and else 0, `positive(a)` 1 where `a > 0` and else 0, `rsqrt`
    `1/sqrt`, `softplus` `log(1 + exp(a))` without overflow.
    """

    abs: Function
    sign: Function
    where: Function
    minimum: Function
    maximum: Function
    exp: Function
    log: Function
    sqrt: Function
    square: Function
    tanh: Function
    sin: Function
    cos: Function
    sinh: Function
    cosh: Function
    atan: Function
    pow: Function
    rsqrt: Function
    relu: Function
    sigmoid: Function
    softplus: Function
    floored: Function
    direction: Function
    positive: Function


def array_module(library: Any, **others: Function) -> ArrayModule:
    """A library whose functions are called as numpy's are, and `others` that are not."""
    shared = {name: getattr(library, name) for name in _SHARED if name not in others}
    return ArrayModule(**shared, **others)


def _expit(x: Any) -> Any:
    from scipy.special import expit  # SciPy is slow to load, and formulas alone do without

    return expit(x)


NUMPY = array_module(
    np,
    atan=np.arctan,
    pow=np.power,
    rsqrt=lambda a: 1 / np.sqrt(a),
    relu=lambda a: np.maximum(a, 0.0),
    sigmoid=_expit,
    # log(e^0 + e^a), which numpy takes around the larger of the two: no overflow.
    softplus=lambda a: np.logaddexp(0.0, a),
    floored=np.maximum,
    direction=lambda a, low: np.sign(a) * np.greater(np.abs(a), low),
    positive=lambda a: np.greater(a, 0).astype(np.float64),
)


def _sigmoid(x: float) -> float:
    # exp of a number that is not positive never overflows; math.exp raises where numpy has inf.
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


FLOATS = array_module(
    math,
    abs=abs,
    sign=lambda a: float((a > 0) - (a < 0)),
    where=lambda condition, a, b: a if condition else b,
    minimum=min,
    maximum=max,
    square=lambda a: a * a,
    pow=math.pow,
    rsqrt=lambda a: 1 / math.sqrt(a),
    relu=lambda a: max(a, 0.0),
    sigmoid=_sigmoid,
    # log(1 + e^a) = max(a, 0) + log(1 + e^-|a|): no overflow, and log1p keeps e^a below a = -37, where 1 + e^a is 1.
    softplus=lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a))),
    floored=max,
    direction=lambda a, low: float((a > low) - (a < -low)),
    positive=lambda a: float(a > 0),
)
"""Single numbers by the standard library: raises `ValueError`, `OverflowError` or `ZeroDivisionError` outside a
function's domain or the floats' range, where arrays hold NaN or infinity."""
