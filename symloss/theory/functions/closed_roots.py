"""Roots in closed form, by inverting one function after the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sympy import Add, Expr, Integer, Mul, Pow, Rational, Symbol, cos, exp, log, pi, sin, sqrt
from sympy.polys.polyerrors import PolynomialError

from symloss.theory.functions.algebra import multiplied_out, tidy
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.exponentials import exponential_roots

__all__ = ["closed_root"]

_TURNS = 4


def closed_root(expr: Expr, variable: Symbol, low: float, high: float) -> Expr | None:
    """The only root of `expr` in [low, high] as a formula, or None where no short one is found.

    The caller has proved that there is exactly one; a candidate is accepted when its enclosure meets the
    bracket and it annihilates `expr` exactly.
    """
    # Where formulas are odd or mirrored their root is the centre: of the line, and of (0, 1).
    for symmetric in (Integer(0), Rational(1, 2)):
        if low <= symmetric <= high and number_sign(expr.xreplace({variable: symmetric})) == 0:
            return symmetric
    for candidate in _candidates_of(expr, variable):
        if candidate.free_symbols or candidate.has(Integer(0) ** -1):
            continue
        try:
            box = enclose_number(candidate)
        except (ArithmeticError, TypeError, ValueError):
            continue
        # A candidate is an exact root of the formula, but perhaps not the one in the bracket.
        reach = 1e-12 * max(1.0, abs(low))
        if float(box.hi) < low - reach or float(box.lo) > high + reach or not np.isfinite(box.hi - box.lo):
            continue
        return candidate
    return None


def _candidates_of(expr: Expr, x: Symbol) -> Iterator[Expr]:
    yield from _candidates(tidy(expr), x, 0)
    yield from exponential_roots(expr, x)


def _candidates(expr: Expr, x: Symbol, depth: int) -> list[Expr]:
    """Roots of the factors of `expr` that are linear or quadratic in `x`, or in a logarithm or power of it.

    Every formula returned is an exact root, by the inversion that made it.
    """
    if depth > 6 or x not in expr.free_symbols:
        return []
    if isinstance(expr, Mul):
        return [root for arg in expr.args for root in _candidates(arg, x, depth + 1)]
    if isinstance(expr, Pow):
        # u**e is 0 where u is, for e > 0; for e < 0 it is nowhere 0.
        return _candidates(expr.base, x, depth + 1) if expr.exp.is_positive else []
    if isinstance(expr, log):
        # log u = 0 is u = 1.
        return _solve(expr.args[0], x, Integer(1), depth + 1)
    if expr == x:
        return [Integer(0)]
    if isinstance(expr, Add):
        constant, rest = expr.as_independent(x, as_Add=True)
        if constant == 0:
            return _quadratic(expr, x)
        return _solve(rest, x, -constant, depth + 1) or _quadratic(expr, x)
    return _solve(expr, x, Integer(0), depth + 1)


def _solve(expr: Expr, x: Symbol, value: Expr, depth: int) -> list[Expr]:
    """Formulas with `expr = value`, peeling one function at a time."""
    if depth > 8:
        return []
    if expr == x:
        return [value]
    if isinstance(expr, Mul):
        factor_, rest = expr.as_independent(x, as_Add=False)
        if factor_ != 1:
            return _solve(rest, x, value / factor_, depth + 1)
        return _quadratic(expr - value, x)
    if isinstance(expr, log):
        return _solve(expr.args[0], x, exp(value), depth + 1)
    if isinstance(expr, exp):
        # exp u = v has a real u for v > 0 alone.
        return _solve(expr.args[0], x, log(value), depth + 1) if number_sign(value) == 1 else []
    if isinstance(expr, sin | cos) and value in (-1, 0, 1):
        return [
            root for angle in _angles(expr.func, value) for root in _solve(expr.args[0], x, angle, depth + 1)
        ]
    if isinstance(expr, Pow) and expr.exp.is_Rational:
        if number_sign(value) not in (0, 1):
            return []
        # u**e = v >= 0. Negative v is left out although odd powers take it: SymPy's root of it is complex.
        root = value ** (1 / expr.exp) if number_sign(value) or expr.exp > 0 else None
        if root is None:
            return []
        # u**(p/q) does not see the sign of u where p is even.
        roots = [root, -root] if expr.exp.p % 2 == 0 else [root]
        return [solution for r in roots for solution in _solve(expr.base, x, r, depth + 1)]
    if isinstance(expr, Add):
        constant, rest = expr.as_independent(x, as_Add=True)
        if constant != 0 and not isinstance(rest, Add):
            return _solve(rest, x, value - constant, depth + 1)
        return _quadratic(expr - value, x)
    return []


def _angles(function: type, value: Expr) -> list[Expr]:
    """Angles of a few turns whose sine or cosine is -1, 0 or 1."""
    # sin is 0, 1, 0, -1 at 0, 1, 2, 3 quarters of a turn.
    quarter = {-1: (3,), 0: (0, 2), 1: (1,)}[int(value)]
    shift = 1 if function is cos else 0  # cos u = sin(u + pi/2)
    return [(4 * turn + q - shift) * pi / 2 for turn in range(-_TURNS, _TURNS + 1) for q in quarter]


def _quadratic(expr: Expr, x: Symbol) -> list[Expr]:
    # A polynomial of degree 1 or 2 in one of these, solved for it and inverted.
    for generator in (x, log(x), sqrt(x)):
        try:
            poly = multiplied_out(expr).as_poly(generator)
        except PolynomialError:
            continue
        if poly is None or not 1 <= poly.degree() <= 2 or x in poly.free_symbols_in_domain:
            continue
        coefficients = poly.all_coeffs()
        if generator != x and any(x in c.free_symbols for c in coefficients):
            continue
        if len(coefficients) == 2:
            solutions = [-coefficients[1] / coefficients[0]]
        else:
            a, b, c = coefficients
            discriminant = b**2 - 4 * a * c
            if number_sign(discriminant) not in (0, 1):
                return []
            solutions = [(-b - sqrt(discriminant)) / (2 * a), (-b + sqrt(discriminant)) / (2 * a)]
        if generator == x:
            return solutions
        return [
            exp(s) if generator == log(x) else s**2
            for s in solutions
            if generator == log(x) or number_sign(s) != -1
        ]
    return []
