"""A formula as numbers for a picture: the entry loss and its derivative at a fixed target."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Integer, Rational, Symbol, lambdify

from symloss.errors import DomainError
from symloss.expr import KINDS, PI, C, Loss, P, W, Y, at_one, at_zero, elementary

__all__ = ["Curve", "entry", "entry_expr", "logit_gradient", "slope"]

Array = NDArray[np.float64]
Curve = Callable[[Array], Array]


def entry_expr(loss: Loss, target: float, classes: int = 10) -> Expr:
    """`M(target, p)`; for hard labels at `target = 0` the limit `y -> 0+` where the value is not finite.

    The prior `pi` is uniform and the weight `w` is 1.

    Raises:
        DomainError: when that limit is infinite, or not a real number.

    >>> from symloss.expr import parse
    >>> entry_expr(parse("-y*log(p)"), 1)
    -log(p)
    """
    expr = loss.value_expr.xreplace({C: Integer(classes), PI: Rational(1, classes), W: Integer(1)})
    # Hard labels of probabilities: an entry such as y log(y p) is 0 log 0 at y = 0, for which the limit stands,
    # as in training.
    if target in (0, 1) and KINDS[loss.kind].probabilities:
        return (at_zero if target == 0 else at_one)(expr).expr
    return expr.subs(Y, Rational(str(target)))


def entry(loss: Loss, target: float, classes: int = 10, derivative: bool = False) -> Curve:
    """The function `p -> M(target, p)` (of a margin loss `m -> M(m)`) or its derivative; NaN where it is not real."""
    expr, variable = entry_expr(loss, target, classes), KINDS[loss.kind].variable
    return _numeric(expr.diff(variable) if derivative else expr, variable)


def slope(loss: Loss) -> Callable[[Array, Array], Array]:
    """The function `(y, p) -> dM/dp`, at targets between 0 and 1 too; NaN where it is not real."""
    expr = elementary(loss.value_expr.xreplace({W: Integer(1)})).diff(P).doit()
    function = lambdify((Y, P), expr, modules="numpy")

    def surface(y: Array, p: Array) -> Array:
        with np.errstate(all="ignore"):
            value = np.asarray(function(y, p), dtype=np.complex128)
        return np.broadcast_to(_real(value), np.broadcast(y, p).shape).astype(np.float64)

    return surface


def _real(value: NDArray[np.complex128]) -> Array:
    """Numbers worked out in the complex plane, where the log of a negative one has a value; NaN where not real.

    Rounding may leave an imaginary part of a real one; a larger part is a loss that is not real here.
    """
    return np.where(np.abs(value.imag) > 1e-9 * (1 + np.abs(value.real)), np.nan, value.real)


def _numeric(expr: Expr, variable: Symbol) -> Curve:
    # The tree is whitelisted and its symbols are reserved ones: nothing a user wrote is executed.
    function = lambdify(variable, elementary(expr).doit(), modules="numpy")

    def curve(p: Array) -> Array:
        with np.errstate(all="ignore"):
            value = np.asarray(function(p), dtype=np.complex128)
        # An expression without p is one number.
        return np.broadcast_to(_real(value), p.shape).astype(np.float64)

    return curve


def logit_gradient(loss: Loss, classes: int = 10) -> Curve:
    """`dL/dz_t` as a function of the target's probability, the others sharing the rest evenly.

    `p_t (1 - p_t) (M1'(p_t) - M0'((1 - p_t)/(C - 1)))`; for cross-entropy `p_t - 1`.

    >>> from symloss.expr import parse
    >>> logit_gradient(parse("-y*log(p)"))(np.array([0.25]))
    array([-0.75])
    """
    if not KINDS[loss.kind].exclusive:
        raise DomainError(f"the softmax gradient is one of a classification loss, not of a {loss.kind} loss")
    target, other = entry(loss, 1, classes, derivative=True), entry(loss, 0, classes, derivative=True)

    # dL/dz_t = p_t (g_t - sum_i p_i g_i), where the C - 1 others have p_i = (1 - p_t)/(C - 1) and one slope g:
    # the sum is p_t g_t + (1 - p_t) g.
    def curve(p: Array) -> Array:
        return p * (1 - p) * (target(p) - other((1 - p) / (classes - 1)))

    return curve
