"""Exact algebra in bounded steps: is it zero, what sign, which closed form."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from sympy import (
    Abs,
    Add,
    Expr,
    Integer,
    Mul,
    Pow,
    Rational,
    Symbol,
    cancel,
    exp,
    expand,
    factor,
    factor_terms,
    log,
    nan,
    oo,
    sqrt,
    together,
    zoo,
)
from sympy.polys.polyerrors import PolynomialError

from symloss.errors import DomainError
from symloss.expr import canonicalise
from symloss.theory.functions.enclose import enclose, enclose_number
from symloss.theory.functions.interval import Interval
from symloss.theory.functions.work import remembered

__all__ = ["MAX_OPERATIONS", "as_float", "closed_root", "is_zero", "number_sign", "shorter", "tidy"]

MAX_OPERATIONS = 600
"""Formulas beyond this many operations are not rewritten, only enclosed."""
_DIGITS = (50, 200, 800, 1600)


@remembered(4096)
def tidy(expr: Expr) -> Expr:
    """An equal formula in factored form over one denominator, where that is cheap; else common factors drawn out.

    Holds wherever `expr` is defined.
    """
    if not expr.args or expr.count_ops() > MAX_OPERATIONS // 3:
        return expr
    if not _tame(expr):
        return factor_terms(expr) if isinstance(expr, Add) else expr
    try:
        found = factor(together(expr))
    except (PolynomialError, NotImplementedError, ZeroDivisionError):
        return expr
    # The root of a square that factoring uncovers is an absolute value: no longer smooth.
    return expr if found.has(Abs) else found


def shorter(expr: Expr) -> Expr:
    """The one of `expr`, its factored form and its expansion with the fewest operations."""
    candidates = [expr, tidy(expr)]
    if expr.count_ops() <= MAX_OPERATIONS // 3 and _tame(expr):
        candidates.append(expand(expr))
    candidates = [candidate for candidate in candidates if not candidate.has(Abs)] or [expr]
    return min(candidates, key=lambda e: (e.count_ops(), e.sort_key()))


def _tame(expr: Expr) -> bool:
    """Whether polynomial algebra on `expr` stays small: few generators, low degrees."""
    powers = [p for p in expr.atoms(Pow) if p.exp.is_Rational]
    if any(abs(p.exp) > 12 for p in powers) or any(len(p.exp.free_symbols) for p in expr.atoms(Pow)):
        return False
    # Polynomials take exp(1511/2500) for the 1511th power of a generator.
    rates = [term.as_coeff_Mul()[0] for f in expr.atoms(exp) for term in Add.make_args(f.args[0])]
    if any(rate.is_Rational and max(abs(rate.p), rate.q) > 24 for rate in rates):
        return False
    generators = {f for f in expr.atoms(log, exp) if f.free_symbols}
    generators |= {f for f in expr.atoms() if f.is_Symbol}
    generators |= {n for n in _heads(expr) if n.free_symbols}
    generators |= {p.base for p in powers if p.exp.q != 1}
    degree = sum(abs(int(p.exp.p)) for p in powers)
    return len(generators) <= 6 and degree <= 60


def _heads(expr: Expr) -> set[Expr]:
    found: set[Expr] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if node.is_Function:
            found.add(node)
        stack.extend(node.args)
    return found


@remembered(4096)
def is_zero(expr: Expr, variable: Symbol, low: float, high: float) -> bool | None:
    """Whether a smooth formula vanishes identically on (low, high); None where that is not settled.

    False needs a point at which its enclosure excludes zero; True an exact rewriting to 0.
    """
    if not expr.args and not expr.free_symbols:
        return bool(expr.is_zero)
    points = low + (high - low) * np.array([0.1234567, 0.2718281, 0.4142135, 0.5772156, 0.7320508, 0.9162907])
    try:
        value, _ = enclose(expr, variable, Interval(points, points))
    except OverflowError:
        return None
    if np.any(value.sign != 0):
        return False
    if expr.count_ops() > MAX_OPERATIONS:
        return None
    for rewrite in (expand, tidy, lambda e: canonicalise(e, "classification"), _cancelled):
        try:
            if rewrite(expr) == 0:
                return True
        except (PolynomialError, NotImplementedError):
            continue
    return None


def _cancelled(expr: Expr) -> Expr:
    return cancel(together(expand(expr))) if _tame(expr) else expr


def number_sign(number: Expr) -> int | None:
    """The sign of a constant; None where it is neither enclosed away from zero nor proved to be zero."""
    if isinstance(number, Rational):
        return (number.p > 0) - (number.p < 0)
    if number.has(nan, oo, -oo, zoo):
        return None
    box = enclose_number(number)
    if box.sign != 0:
        return int(box.sign)
    probe = Symbol("_unused")
    return 0 if is_zero(number, probe, 0.0, 1.0) else None


@remembered(4096)
def as_float(number: Expr) -> float | None:
    """The float next to a real constant; None where it is not finite and real, or not settled.

    SymPy returns noise, or 0, without a word where its own precision did not do: `log(1 + 1e-120)` has no digit
    that 100 of them show. Digits count here where twice as many and more confirm them.

    >>> from sympy import exp
    >>> as_float(exp(Rational(1, 10**150)) - 1)
    1e-150
    """
    try:
        if isinstance(number, Rational):
            return float(Fraction(number.p, number.q))
        before = None
        for digits in _DIGITS:
            near = number.evalf(digits, maxn=2 * digits)
            if not (near.is_Float or near.is_Rational):
                return None
            if before is not None and near != 0 and abs(near - before) <= abs(near) * Rational(1, 10**20):
                found = float(near)
                return found if math.isfinite(found) and _may_be(number, found) else None
            before = near
        return 0.0 if number_sign(number) == 0 else None
    except (ArithmeticError, TypeError, ValueError):
        return None


def _may_be(number: Expr, value: float) -> bool:
    """Whether the enclosure of a constant, where it has one, holds the float."""
    try:
        box = enclose_number(number)
    except DomainError:
        return True
    return bool(np.nextafter(box.lo, -np.inf) <= value <= np.nextafter(box.hi, np.inf))


def closed_root(expr: Expr, variable: Symbol, low: float, high: float) -> Expr | None:
    """The only root of `expr` in [low, high] as a formula, or None where no short one is found.

    The caller has proved that there is exactly one; a candidate is accepted when its enclosure meets the
    bracket and it annihilates `expr` exactly.
    """
    for symmetric in (Integer(0), Rational(1, 2)):
        if low <= symmetric <= high and number_sign(expr.xreplace({variable: symmetric})) == 0:
            return symmetric
    for candidate in _candidates(tidy(expr), variable, 0):
        if candidate.free_symbols or candidate.has(Integer(0) ** -1):
            continue
        try:
            box = enclose_number(candidate)
        except (ArithmeticError, TypeError, ValueError):
            continue
        reach = 1e-12 * max(1.0, abs(low))
        if float(box.hi) < low - reach or float(box.lo) > high + reach or not np.isfinite(box.hi - box.lo):
            continue
        return candidate
    return None


def _candidates(expr: Expr, x: Symbol, depth: int) -> list[Expr]:
    """Roots of the factors of `expr` that are linear or quadratic in `x`, or in a logarithm or power of it.

    Every formula returned is an exact root, by the inversion that made it.
    """
    if depth > 6 or x not in expr.free_symbols:
        return []
    if isinstance(expr, Mul):
        return [root for arg in expr.args for root in _candidates(arg, x, depth + 1)]
    if isinstance(expr, Pow):
        return _candidates(expr.base, x, depth + 1) if expr.exp.is_positive else []
    if isinstance(expr, log):
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
        return _solve(expr.args[0], x, log(value), depth + 1) if number_sign(value) == 1 else []
    if isinstance(expr, Pow) and expr.exp.is_Rational:
        if number_sign(value) not in (0, 1):
            return []
        root = value ** (1 / expr.exp) if number_sign(value) or expr.exp > 0 else None
        if root is None:
            return []
        roots = [root, -root] if expr.exp.p % 2 == 0 else [root]
        return [solution for r in roots for solution in _solve(expr.base, x, r, depth + 1)]
    if isinstance(expr, Add):
        constant, rest = expr.as_independent(x, as_Add=True)
        if constant != 0 and not isinstance(rest, Add):
            return _solve(rest, x, value - constant, depth + 1)
        return _quadratic(expr - value, x)
    return []


def _quadratic(expr: Expr, x: Symbol) -> list[Expr]:
    for generator in (x, log(x), sqrt(x)):
        try:
            poly = expand(expr).as_poly(generator)
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
