"""What the structure of a formula shows for all real targets and predictions at once.

Its range by interval arithmetic with open ends, where it is defined, and how it bends in the prediction by the rules of
disciplined convex programming (Grant, Boyd, Ye 2006). All are sufficient, none is necessary.
"""

from __future__ import annotations

import math
from enum import Enum

from sympy import Abs, Add, Expr, Integer, Max, Min, Mul, Pow, cosh, exp, log, preorder_traversal, sign

from symloss.expr import P, RealFunction, Y, log_cosh, plog, psqrt, softplus
from symloss.expr.ranges import Range, range_of
from symloss.theory.functions.algebra import multiplied_out
from symloss.theory.functions.work import spend

__all__ = ["Bend", "bend", "has_kinks", "is_defined", "is_nonnegative", "range_on_plane", "separated"]

_LINE = Range(-math.inf, math.inf, True, True)


def range_on_plane(expr: Expr) -> Range:
    """A range that holds every real value of a formula, its symbols being any real numbers."""
    spend(sum(1 for _ in preorder_traversal(expr)))
    return range_of(expr, _LINE)


def is_nonnegative(expr: Expr) -> bool:
    """Whether no real value of a formula is below 0, by its range."""
    return range_on_plane(expr).low >= 0


def is_defined(expr: Expr) -> bool:
    """Whether a formula has a real value everywhere: no division by 0, no logarithm or root of what may be negative.

    Protected operators have one everywhere.
    """
    # Every part has a value at all real numbers, so the whole has one, and no case is left out by `range_of`, which
    # counts real values alone.
    return all(_has_value(node) for node in preorder_traversal(expr))


def _has_value(node: Expr) -> bool:
    if isinstance(node, log):
        return range_on_plane(node.args[0]).sign == 1
    if not isinstance(node, Pow):
        return True
    base = range_on_plane(node.base)
    if node.exp.is_Integer:
        return bool(node.exp >= 0) or base.sign in (1, -1)
    # 0**e has a value for e > 0 only.
    return base.sign == 1 or (base.low >= 0 and bool(node.exp.is_positive))


def has_kinks(expr: Expr) -> bool:
    """Whether something in a formula may break its slope, or its values, as the prediction moves."""
    return any(P in node.free_symbols for node in expr.atoms(Abs, sign, Max, Min, plog, psqrt)) or any(
        isinstance(node, Pow) and not node.exp.is_Integer and P in node.base.free_symbols
        and range_on_plane(node.base).sign != 1
        for node in preorder_traversal(expr)
    )  # fmt: skip


def separated(expr: Expr) -> dict[Expr, Expr]:
    """A formula as a sum of functions of the target, each times one of the prediction; nothing where it is none."""
    found: dict[Expr, Expr] = {}
    for term in Add.make_args(multiplied_out(expr)):
        moving, fixed = term.as_independent(Y, as_Add=False)
        if P in fixed.free_symbols:
            return {}
        found[fixed] = found.get(fixed, Integer(0)) + moving
    return found


class Bend(Enum):
    """How a formula bends as the prediction moves, at every target."""

    STRAIGHT = 0
    UP = 1
    DOWN = -1
    ANY = None


def bend(expr: Expr) -> Bend:
    """How a formula that is defined everywhere bends in the prediction.

    >>> from symloss.expr import Y
    >>> bend(Abs(Y) * Abs(Y - 2 * P) + exp(-P)), bend(Y * P**2)
    (<Bend.UP: 1>, <Bend.ANY: None>)
    """
    if P not in expr.free_symbols or expr == P:
        return Bend.STRAIGHT
    if isinstance(expr, Add):
        return _added([bend(term) for term in expr.args])
    if isinstance(expr, Mul):
        fixed, moving = expr.as_independent(P, as_Add=False)
        # Curvature has rules for a factor that does not move; of two that do, (u v)'' has the term 2 u' v', of any
        # sign.
        return Bend.ANY if moving == expr or isinstance(moving, Mul) else _scaled(bend(moving), fixed)
    if isinstance(expr, Max | Min):
        # A maximum of convex functions is convex, a minimum of concave ones concave.
        side = Bend.UP if isinstance(expr, Max) else Bend.DOWN
        return side if {bend(arg) for arg in expr.args} <= {Bend.STRAIGHT, side} else Bend.ANY
    if isinstance(expr, Pow):
        return _power(expr)
    inner = bend(expr.args[0])
    if isinstance(expr, exp | softplus):  # convex and increasing
        return Bend.UP if inner in (Bend.STRAIGHT, Bend.UP) else Bend.ANY
    if isinstance(expr, log):  # concave and increasing
        return Bend.DOWN if inner in (Bend.STRAIGHT, Bend.DOWN) else Bend.ANY
    if isinstance(expr, Abs | cosh | log_cosh):  # convex, and increasing from 0 on
        rises = inner is Bend.UP and is_nonnegative(expr.args[0])
        return Bend.UP if inner is Bend.STRAIGHT or rises else Bend.ANY
    if isinstance(expr, RealFunction):
        return Bend.ANY
    return Bend.ANY


def _added(bends: list[Bend]) -> Bend:
    for side in (Bend.STRAIGHT, Bend.UP, Bend.DOWN):
        if set(bends) <= {Bend.STRAIGHT, side}:
            return side
    return Bend.ANY


def _scaled(inner: Bend, factor: Expr) -> Bend:
    reach = range_on_plane(factor)
    # A factor turns the bend round where it is negative; one of either sign leaves it open at some target.
    if inner in (Bend.STRAIGHT, Bend.ANY) or reach.low >= 0:
        return inner
    if reach.high <= 0:
        return Bend.DOWN if inner is Bend.UP else Bend.UP
    return Bend.ANY


def _power(expr: Pow) -> Bend:
    base, exponent = expr.base, expr.exp
    if not exponent.is_Rational:
        return Bend.ANY
    # (f(u))'' = f''(u) u'**2 + f'(u) u'': convex where f is convex and f'(u) u'' >= 0, whatever the sign of u'. Of a
    # straight u the second term is 0.
    inner, reach = bend(base), range_on_plane(base)
    # Convex on the line, rising for u >= 0.
    if exponent.is_Integer and exponent > 0 and exponent % 2 == 0:
        rises = inner is Bend.UP and reach.low >= 0
        return Bend.UP if inner is Bend.STRAIGHT or rises else Bend.ANY
    # Convex and rising on u >= 0.
    if exponent >= 1 and reach.low >= 0:
        return Bend.UP if inner in (Bend.STRAIGHT, Bend.UP) else Bend.ANY
    # Concave and rising on u >= 0.
    if 0 < exponent < 1 and reach.low >= 0:
        if inner in (Bend.STRAIGHT, Bend.DOWN):
            return Bend.DOWN
        # sqrt(u**2 + v**2 + c), the length of a vector of straight parts
        parts = Add.make_args(base)
        squares = all(
            is_nonnegative(part) if P not in part.free_symbols else _is_square(part) for part in parts
        )
        return Bend.UP if exponent * 2 == 1 and squares else Bend.ANY
    if exponent < 0 and reach.sign == 1:  # convex and decreasing
        return Bend.UP if inner in (Bend.STRAIGHT, Bend.DOWN) else Bend.ANY
    return Bend.ANY


def _is_square(part: Expr) -> bool:
    """Whether a term is the square of a straight one, times a factor of at least 0 that is free of the prediction."""
    fixed, moving = part.as_independent(P, as_Add=False)
    return (
        isinstance(moving, Pow)
        and moving.exp == 2
        and bend(moving.base) is Bend.STRAIGHT
        and is_nonnegative(fixed)
    )
