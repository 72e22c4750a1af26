"""Bounds of a formula on the domain of its kind: exact rational arithmetic, rounded outward where a function rounds.

`y` and `pi` lie in [0, 1] and `p` in (0, 1) for probabilities; a regression's `y` and `p` are any real numbers.
Soft labels are part of the domain, so a bound holds for every `y` in [0, 1]. Ends count as
attained; `ranges` keeps open ends apart, which signs at a hard label need.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from itertools import product

from sympy import Abs, Expr, Integer, Max, Min, atan, cosh, exp, log, sinh, tanh
from sympy.core.exprtools import factor_terms

from symloss.expr.kinds import KINDS
from symloss.expr.operators import BY_HEAD, GUARD, plog, psqrt, sigmoid, softplus
from symloss.expr.symbols import PI, C, P, W, Y

__all__ = ["Domain", "Range"]

INFINITE = math.inf
End = Fraction | float
"""An exact number, or plus or minus infinity as a float."""
Range = tuple[End, End]

_ALL: Range = (-INFINITE, INFINITE)
_UNIT: Range = (Fraction(0), Fraction(1))
_FLOOR = Fraction(int(GUARD.p), int(GUARD.q))
_BITS = 512
_HUGE = Fraction(10) ** 300
_LARGE = 700.0
"""Beyond it `exp` is taken for infinite, and below its negative for e^-700, about 1e-304. That is under 1/_HUGE, so
`_trimmed` moves a lower bound to 0 and an upper one up to 1e-300: both hold however negative the argument is."""


class Domain:
    """The domain of losses of one kind, and the ranges of formulas on it, memoised.

    >>> domain = Domain("classification")
    >>> domain.of(2 - Y * P), domain.sign(P * Y - 1)
    ((Fraction(1, 1), Fraction(2, 1)), -1)
    """

    def __init__(self, kind: str) -> None:
        self.probabilities = KINDS[kind].probabilities
        unit = _UNIT if self.probabilities else _ALL
        # By name: the canonical form knows more of its symbols, which makes them others.
        self._symbols: dict[str, Range] = {
            Y.name: unit, P.name: unit, PI.name: _UNIT, W.name: (Fraction(0), INFINITE),
            C.name: (Fraction(2), INFINITE),
        }  # fmt: skip
        self._known: dict[Expr, Range] = {}

    def of(self, expr: Expr) -> Range:
        """A least and a greatest value that `expr` does not pass where it is defined."""
        bounds = self._known.get(expr)
        if bounds is None:
            low, high = self._work_out(expr)
            # Trimmed upwards, so the lower end goes in and out negated.
            bounds = self._known[expr] = (-_trimmed(-low), _trimmed(high))
        return bounds

    def sign(self, expr: Expr) -> int:
        """1 where `expr >= 0` on the whole domain, -1 where `expr <= 0`, 0 where neither is shown."""
        # Interval arithmetic takes the y of `y*p - y` for two independent numbers; the corners know better, for few
        # formulas.
        for low, high in (self.of(expr), self._at_corners(expr)):
            if low >= 0:
                return 1
            if high <= 0:
                return -1
        if expr.is_Add:
            # y*log(p) - log(p) has no sign term by term; (y - 1)*log(p) has one factor by factor.
            factored = factor_terms(expr)
            if not factored.is_Add:
                return self.sign(factored)
        return 0

    def outside_guard(self, expr: Expr) -> bool:
        """Whether `|expr| >= 1e-7` on the whole domain, so that the guard of `plog` and `psqrt` cannot act."""
        low, high = self.of(expr)
        return low >= _FLOOR or high <= -_FLOOR

    def _work_out(self, expr: Expr) -> Range:
        if expr.is_Rational:
            return _exact(expr), _exact(expr)
        if expr.is_number:
            return _outward(float(expr), float(expr)) if expr.is_extended_real else _ALL
        if expr.is_Symbol:
            return self._symbols.get(expr.name, _ALL)
        args = [self.of(arg) for arg in expr.args]
        if expr.is_Add:
            return reduce(_sum, args)
        if expr.is_Mul:
            return reduce(_product, args)
        if expr.is_Pow:
            return _power(args[0], expr.exp)
        if isinstance(expr, Max):
            return max(a for a, _ in args), max(b for _, b in args)
        if isinstance(expr, Min):
            return min(a for a, _ in args), min(b for _, b in args)
        if isinstance(expr, Abs):
            return _size(args[0])
        if expr.func in _EVEN:
            return _through(_EVEN[expr.func], _size(args[0]))
        if expr.func in _RISING:
            return _through(_RISING[expr.func], args[0])
        # Nothing known of how it moves: its whole range then, as [-1, 1] of a sine.
        row = BY_HEAD.get(expr.func)
        if row is None or not row.range.inf.is_Rational or not row.range.sup.is_Rational:
            return _ALL
        return _exact(row.range.inf), _exact(row.range.sup)

    def _at_corners(self, expr: Expr) -> Range:
        """Of a polynomial of degree one in each of `y` and `p`: on the unit square its ends are at corners."""
        symbols = sorted(expr.free_symbols, key=str)
        if not self.probabilities or not {symbol.name for symbol in symbols} <= {Y.name, P.name}:
            return _ALL
        # Multilinear: along each axis a straight line, so the extremes over a box lie at its corners. A second
        # derivative that is 0 but does not look it only costs the bound.
        if not expr.is_polynomial(*symbols) or any(expr.diff(symbol, 2) != 0 for symbol in symbols):
            return _ALL
        values = [
            expr.xreplace(dict(zip(symbols, map(Integer, corner), strict=True)))
            for corner in product((0, 1), repeat=len(symbols))
        ]
        if not all(value.is_Rational for value in values):
            return _ALL
        exact = list(map(_exact, values))
        return min(exact), max(exact)


def _exact(value: Expr) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _sum(a: Range, b: Range) -> Range:
    return a[0] + b[0], a[1] + b[1]


def _times(a: End, b: End) -> End:
    # 0 times an infinite end is 0, where floats have nan: the end stands for a bound on finite values.
    return Fraction(0) if a == 0 or b == 0 else a * b


def _product(a: Range, b: Range) -> Range:
    ends = [_times(x, z) for x in a for z in b]
    return min(ends), max(ends)


def _size(a: Range) -> Range:
    """Of the absolute value."""
    if a[0] >= 0:
        return a
    if a[1] <= 0:
        return -a[1], -a[0]
    return Fraction(0), max(-a[0], a[1])


def _power(base: Range, exponent: Expr) -> Range:
    if not exponent.is_Rational:
        # Where a power with a changing exponent is real for all of them, its base is not negative.
        return (Fraction(0), INFINITE) if base[0] >= 0 else _ALL
    if exponent.is_negative:
        return _inverse(_power(base, -exponent))
    if not exponent.is_Integer:
        # Real nowhere; on a base of both signs only the part from 0 on counts.
        if base[1] < 0:
            return _ALL
        return _through(lambda x: x ** float(exponent), (max(base[0], Fraction(0)), base[1]))
    n = int(exponent)
    # An odd power rises everywhere; an even one rises with |x|, and [-1, 1]**2 is [0, 1], not [-1, 1].
    low, high = _size(base) if n % 2 == 0 else base
    # An exact power of a long fraction has n times its digits; 64 is the grammar's largest exponent in one step.
    if n > 64:
        return (Fraction(0), INFINITE) if n % 2 == 0 else _ALL
    return low**n, high**n


def _inverse(a: Range) -> Range:
    low, high = a
    if low < 0 < high or low == high == 0:
        return _ALL
    if low >= 0:
        # 1/x falls, so the ends change places; at an end of 0 it is infinite on the side that the range lies on.
        return _reciprocal(high), INFINITE if low == 0 else _reciprocal(low)
    return -INFINITE if high == 0 else _reciprocal(high), _reciprocal(low)


def _reciprocal(a: End) -> End:
    return Fraction(0) if a in (INFINITE, -INFINITE) else 1 / a


def _outward(low: float, high: float) -> Range:
    """A little wider than two rounded values; infinite where they are not numbers."""
    # libm errs by a few units in the last place, 1e-15 relative; this is a thousand times that.
    margin = 1e-12
    return (
        Fraction(low) - abs(Fraction(low)) * Fraction(margin) if math.isfinite(low) else -INFINITE,
        Fraction(high) + abs(Fraction(high)) * Fraction(margin) if math.isfinite(high) else INFINITE,
    )


def _trimmed(high: End) -> End:
    """A number of moderate length that is not below `high`: nested powers of exact numbers would grow forever."""
    if isinstance(high, float) or max(high.numerator.bit_length(), high.denominator.bit_length()) <= _BITS:
        return high
    if abs(high) > _HUGE:
        # Never below `high`: a huge positive bound becomes infinite, a huge negative one rises to -_HUGE.
        return INFINITE if high > 0 else -_HUGE
    if abs(high) < 1 / _HUGE:
        return 1 / _HUGE if high > 0 else Fraction(0)
    return _outward(float(high), float(high))[1]


def _through(function: Callable[[float], float], a: Range) -> Range:
    """Of a rising function; an end at which it has no value is infinite."""
    ends = []
    for end in a:
        try:
            ends.append(function(float(end)))
        except (ValueError, OverflowError, ZeroDivisionError):
            # `_outward` takes nan at the lower end for -oo and at the upper for oo: no claim.
            ends.append(math.nan)
    return _outward(ends[0], ends[1])


_RISING: dict[type, Callable[[float], float]] = {
    exp: lambda x: math.exp(max(x, -_LARGE)) if x < _LARGE else math.inf,
    log: lambda x: math.log(x) if x > 0 else -math.inf,
    tanh: math.tanh,
    atan: math.atan,
    sinh: lambda x: math.sinh(x) if abs(x) < _LARGE else math.copysign(math.inf, x),
    sigmoid: lambda x: 1 / (1 + math.exp(min(-x, _LARGE))),
    softplus: lambda x: max(x, 0.0) + math.log1p(math.exp(-min(abs(x), _LARGE))),
}
_EVEN: dict[type, Callable[[float], float]] = {
    cosh: lambda x: math.cosh(x) if x < _LARGE else math.inf,
    plog: lambda x: math.log(max(x, float(GUARD))),
    psqrt: lambda x: math.sqrt(max(x, float(GUARD))),
}
"""Functions of the absolute value, which rise with it."""
