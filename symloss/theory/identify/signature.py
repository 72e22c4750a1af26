"""Losses as directions: the gradient at fixed points, up to a positive factor.

Two losses with `L = a L~ + b`, `a > 0`, have proportional gradients. For classification the gradient in the logits,
`dL/dz_j = p_j (g_j - sum_i p_i g_i)`, is that of `M1' - M0'` and of `M0'` up to a constant: a constant added to all
`g_i` cancels, as the probabilities sum to 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from sympy import Expr, Symbol, lambdify

from symloss.errors import DomainError
from symloss.expr import KINDS, C, Loss, M, P, Y, elementary
from symloss.theory.functions.interval import FloatArray
from symloss.theory.functions.probes import LINE, MARGINS_SIGNED, UNIT
from symloss.theory.functions.slope import slope_in_p
from symloss.zoo import Entry

__all__ = ["distance", "family", "gap", "signature", "slope_function"]

_Gradient = Callable[..., FloatArray]


def signature(loss: Loss, classes: int) -> FloatArray:
    """The gradient of a loss at the points, of Euclidean norm 1 (or NaN where it has none)."""
    function = _gradient(loss.value_expr, ())
    return _direction(_vector(function, loss.kind, classes, ()))


def family(found: Entry, classes: int) -> Callable[[FloatArray], FloatArray]:
    """The signature of a zoo loss as a function of its coefficients, in the entry's order."""
    function = _gradient(found.loss.expr, tuple(found.defaults))

    def at(values: FloatArray) -> FloatArray:
        return _direction(_vector(function, found.kind, classes, tuple(float(v) for v in values)))

    return at


def gap(a: FloatArray, b: FloatArray) -> float:
    """The distance of two signatures, from 0 (one loss) to 2 (a loss and its negative)."""
    value = float(np.linalg.norm(a - b))
    return value if np.isfinite(value) else 2.0


def distance(loss: Loss, other: Loss, classes: int = 10) -> float:
    """How far two losses are apart as directions of training: the distance of normalised logit gradients.

    Args:
        loss, other: losses of one kind.
        classes: the number of classes.

    Raises:
        DomainError: for losses of two kinds.

    >>> from symloss import parse
    >>> distance(parse("-y*log(p)"), parse("1 - 3*y*log(p)")) < 1e-12
    True
    """
    if KINDS[loss.kind] is not KINDS[other.kind]:
        raise DomainError(
            f"a {loss.kind} loss and a {other.kind} loss cannot be compared: give two of one kind"
        )
    return gap(signature(loss, classes), signature(other, classes))


@lru_cache(maxsize=256)
def _gradient(expr: Expr, coefficients: tuple[str, ...]) -> _Gradient:
    symbols = [Symbol(name, real=True) for name in coefficients]
    # A margin is compared as a prediction without a target.
    slope = slope_in_p(expr.xreplace({M: P}))
    # Own formulas and parsed trees only: every name that reaches the printer is on the parser's whitelist.
    plain = {s: Symbol(f"v{i}", real=True) for i, s in enumerate(symbols)}
    numbers = elementary(slope).evalf().xreplace(plain)
    function: _Gradient = lambdify([Y, P, C, *plain.values()], numbers, modules="numpy")
    return function


def slope_function(found: Entry, classes: int) -> Callable[..., FloatArray]:
    """`dM/dp` of a zoo loss elementwise, `(y, p, *coefficients)`, these in the entry's order; NaN where it has none."""
    function = _gradient(found.loss.expr, tuple(found.defaults))

    def at(y: FloatArray, p: FloatArray, *values: float) -> FloatArray:
        return _evaluated(function, y, p, classes, values)

    return at


def _evaluated(
    function: _Gradient, y: FloatArray | float, p: FloatArray, classes: int, values: Sequence[float]
) -> FloatArray:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = np.asarray(function(y, p, float(classes), *values))
        except (ArithmeticError, ValueError, TypeError):
            return np.full(p.shape, np.nan)
    if np.iscomplexobj(result):
        return np.full(p.shape, np.nan)
    return np.broadcast_to(result, p.shape).astype(np.float64)


def _vector(function: _Gradient, kind: str, classes: int, values: tuple[float, ...]) -> FloatArray:
    def at(y: FloatArray | float, p: FloatArray) -> FloatArray:
        return _evaluated(function, y, p, classes, values)

    if KINDS[kind].signed:
        return at(1.0, MARGINS_SIGNED)
    if not KINDS[kind].probabilities:
        # A second target tells losses apart that agree at y = 0.
        y = np.concatenate([np.zeros(LINE.size), np.full(LINE.size, 1.37)])
        return at(y, y - np.concatenate([LINE, LINE]))
    one, zero = at(1.0, UNIT), at(0.0, UNIT)
    if not KINDS[kind].exclusive:
        # dp/dz of a sigmoid.
        weight = UNIT * (1 - UNIT)
        return np.concatenate([weight * one, weight * zero])
    if classes == 2:
        # Of two classes the loss is A(p) = M1(p) + M0(1-p), with the logit gradient p (1-p) A'(p).
        mirrored = at(0.0, 1 - UNIT)
        return UNIT * (1 - UNIT) * (one - mirrored)
    # The constant in M0' is taken out at the first point; the factor p is that of the logit gradient, and keeps 1/p
    # finite.
    return np.concatenate([UNIT * (one - zero), UNIT * (zero - zero[0])])


def _direction(vector: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(vector)
        return vector / norm if norm > 0 else np.full_like(vector, np.nan)
