"""The range of a formula of `p` over its domain, and so its sign: interval arithmetic with open ends.

`p` and `pi` run over (0, 1), `C` over [2, oo), `w` over [0, oo), coefficients over the reals. Ends are floats,
rounded outwards; whether an end is attained is kept, so that `log(p)` is seen to be negative and `1 - p` positive.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from sympy import (
    Abs,
    Add,
    Expr,
    Max,
    Min,
    Mul,
    Pow,
    Rational,
    Symbol,
    cos,
    cosh,
    exp,
    factor,
    log,
    sign,
    sin,
)
from sympy.polys.polyerrors import PolynomialError

from symloss.expr.canonical import bounded
from symloss.expr.functions import RealFunction
from symloss.expr.operator import Operator
from symloss.expr.operators import BY_HEAD, GUARD, plog, psqrt

__all__ = ["Range", "range_of", "sign_inside"]

_OO = math.inf
_SLACK = 1e-13
"""Relative; libm errs by a few units in the last place, 1e-15."""
_CUTS = 16
"""Stretches of (0, 1) that are tried where one range for all of it does not settle a sign."""
_MAX_FACTORED = 60


@dataclass(frozen=True)
class Range:
    """The real numbers between `low` and `high`; an end that is open is not attained."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    @property
    def sign(self) -> int | None:
        """1, -1 or 0 where every member has that sign, else None."""
        if self.low > 0 or (self.low == 0 and self.low_open):
            return 1
        if self.high < 0 or (self.high == 0 and self.high_open):
            return -1
        return 0 if self.low == self.high == 0 else None

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Range) -> Range:
        return Range(
            _sum(self.low, other.low, -1),
            _sum(self.high, other.high, 1),
            self.low_open or other.low_open,
            self.high_open or other.high_open,
        )

    def __mul__(self, other: Range) -> Range:
        ends = [(self.low, self.low_open), (self.high, self.high_open)]
        others = [(other.low, other.low_open), (other.high, other.high_open)]
        products = [_product(a, b) for a in ends for b in others]
        # On a tie the attained end wins, hence False before True for the least and its negation for the greatest.
        low = min(products, key=lambda end: (end[0], end[1]))
        high = max(products, key=lambda end: (end[0], not end[1]))
        return Range(_rounded(low[0], -1), _rounded(high[0], 1), low[1], high[1])

    def reciprocal(self) -> Range:
        """`1/x`; everything where 0 is inside."""
        if self.sign == -1:
            return -(-self).reciprocal()
        if self.sign != 1:
            return _EVERYTHING
        # The ends change places, as 1/x falls on either side of 0.
        low = Fraction(0) if self.high == _OO else 1 / Fraction(self.high)
        high = _OO if self.low == 0 else 1 / Fraction(self.low)
        return Range(_rounded(low, -1), _rounded(high, 1), self.high_open or self.high == _OO, self.low_open)

    def absolute(self) -> Range:
        if self.low >= 0:
            return self
        if self.high <= 0:
            return -self
        ends = [(-self.low, self.low_open), (self.high, self.high_open)]
        high = max(ends, key=lambda end: (end[0], not end[1]))
        return Range(0.0, high[0], False, high[1])

    def increasing(self, function: Callable[[float], float], low: float, high: float) -> Range:
        """The range of an increasing function with the limits `low` and `high` at the infinities."""
        return Range(
            low if self.low == -_OO else _widened(function, self.low, -1),
            high if self.high == _OO else _widened(function, self.high, 1),
            self.low_open or self.low == -_OO,
            self.high_open or self.high == _OO,
        )

    def meet(self, other: Range) -> Range:
        """The part in both."""
        # On a tie the open end wins: (0, 1) and [0, 1] meet in (0, 1).
        low = max((self.low, self.low_open), (other.low, other.low_open))
        high = min((self.high, not self.high_open), (other.high, not other.high_open))
        # Nothing is left only of values that are not real: then nothing is claimed.
        return _EVERYTHING if low[0] > high[0] else Range(low[0], high[0], low[1], not high[1])


_EVERYTHING = Range(-_OO, _OO, True, True)
_POSITIVE = Range(0.0, _OO, True, True)
_UNIT = Range(0.0, 1.0, True, True)
_SYMBOLS = {"p": _UNIT, "pi": _UNIT, "C": Range(2.0, _OO, False, True), "w": Range(0.0, _OO, False, True)}


@lru_cache(maxsize=8192)
def sign_inside(expr: Expr) -> int | None:
    """The sign that a formula of `p`, `C`, `pi`, `w` and coefficients has on its whole domain, None where open.

    >>> from symloss.expr.symbols import P
    >>> sign_inside(log(P) * (1 - P)), sign_inside(P - P**2), sign_inside(P - Rational(1, 2))
    (-1, 1, None)
    """
    if isinstance(expr, Rational):
        return (expr.p > 0) - (expr.p < 0)
    sign = range_of(expr).sign
    if sign is not None:
        return sign
    # Interval arithmetic takes every p of p - p**2 for another number and finds (-1, 1); p*(1 - p) gives (0, 1).
    if isinstance(expr, Add) and expr.count_ops() <= _MAX_FACTORED:
        try:
            factored = bounded(factor, expr)
        except PolynomialError:
            factored = expr
        if isinstance(factored, Mul | Pow):
            sign = range_of(factored).sign
            if sign is not None:
                return sign
    # The overestimate shrinks with the width of the stretch. Sixteenths are exact in binary, so that stretches share
    # their ends and leave no gap; inner ends belong to both.
    borders = [i / _CUTS for i in range(_CUTS + 1)]
    signs: set[int | None] = set()
    for low, high in pairwise(borders):
        signs.add(range_of(expr, Range(low, high, low == 0, high == 1)).sign)
        # Given up at the first stretch that does not settle it, or that has another sign than those before.
        if None in signs or len(signs) > 1:
            return None
    return signs.pop()


def range_of(expr: Expr, p: Range = _UNIT) -> Range:
    """A range that holds every value of `expr`, while `p` runs over the given part of (0, 1).

    Values that are not real do not count.
    """
    seen: dict[Expr, Range] = {}

    def of(node: Expr) -> Range:
        if node not in seen:
            if isinstance(node, RealFunction) and node.func not in _RULES:
                seen[node] = of(node.plain(node.args[0]))
            else:
                seen[node] = leaf(node) if not node.args else _step(node, [of(arg) for arg in node.args])
        return seen[node]

    def leaf(node: Expr) -> Range:
        if isinstance(node, Rational):
            exact = Fraction(node.p, node.q)
            return Range(_rounded(exact, -1), _rounded(exact, 1))
        if isinstance(node, Symbol):
            return p if node.name == "p" else _SYMBOLS.get(node.name, _EVERYTHING)
        if node.is_NumberSymbol:
            # float(pi) is rounded to nearest, so the true value lies between its neighbours.
            return Range(math.nextafter(float(node), -_OO), math.nextafter(float(node), _OO))
        return _EVERYTHING

    return of(expr)


def _step(node: Expr, args: list[Range]) -> Range:
    if isinstance(node, Add):
        total = args[0]
        for arg in args[1:]:
            total = total + arg
        return total
    if isinstance(node, Mul):
        product = args[0]
        for arg in args[1:]:
            product = product * arg
        return product
    if isinstance(node, Pow):
        return _power(args[0], node.exp, args[1])
    if isinstance(node, Max | Min):
        return _largest(args) if isinstance(node, Max) else -_largest([-arg for arg in args])
    rule = _RULES.get(node.func)
    return _EVERYTHING if rule is None else rule(args[0])


def _power(base: Range, exponent: Expr, exponents: Range) -> Range:
    if exponent.is_Integer:
        n = abs(int(exponent))
        if n % 2 == 0:
            # x**(2k) = |x|**(2k), which rises with |x|.
            base = base.absolute()
        if base.low < 0 < base.high:  # odd
            up, down = base.meet(Range(0.0, _OO)), -base.meet(Range(-_OO, 0.0))
            up, down = (x.increasing(lambda x: math.pow(x, n), 0.0, _OO) for x in (up, down))
            result = Range(-down.high, up.high, down.high_open, up.high_open)
        elif base.high <= 0 and base.low < 0:
            result = -((-base).increasing(lambda x: math.pow(x, n), 0.0, _OO))
        else:
            result = base.increasing(lambda x: math.pow(x, n), 0.0, _OO)
        return result.reciprocal() if exponent.is_negative else result
    # At an exponent that is not whole, negative bases have no real value, and such values do not count.
    base = base.meet(Range(0.0, _OO))
    if exponent.is_Rational:
        size = abs(float(exponent))
        result = base.increasing(lambda x: math.pow(x, size), 0.0, _OO)
        return result.reciprocal() if exponent.is_negative else result
    # b**e = exp(e log b) for b > 0.
    return _exp(exponents * _log(base))


def _largest(args: list[Range]) -> Range:
    low, high = max(arg.low for arg in args), max(arg.high for arg in args)
    return Range(
        low,
        high,
        # max(a, b) > low as soon as one of them stays above it; it attains high as soon as one of them does.
        any(arg.low_open for arg in args if arg.low == low),
        all(arg.high_open for arg in args if arg.high == high),
    )


def _sum(a: float, b: float, side: int) -> float:
    # oo - oo would need a lower end of oo or an upper one of -oo; even then the outer infinity is a bound.
    return side * _OO if math.isinf(a) or math.isinf(b) else _rounded(Fraction(a) + Fraction(b), side)


def _product(a: tuple[float, bool], b: tuple[float, bool]) -> tuple[Fraction | float, bool]:
    """The product of two ends: exact, and open unless both are attained or one that is 0 is."""
    for value, is_open in (a, b):
        # 0 attained times anything is 0 attained: an infinite end is a bound on finite values.
        if value == 0 and not is_open:
            return Fraction(0), False
    if a[0] == 0 or b[0] == 0:
        return Fraction(0), True
    if math.isinf(a[0]) or math.isinf(b[0]):
        return a[0] * b[0], True
    return Fraction(a[0]) * Fraction(b[0]), a[1] or b[1]


def _rounded(exact: Fraction | float, side: int) -> float:
    """The next float downwards (`side` -1) or upwards (1); the number itself where it is one."""
    if isinstance(exact, float):
        return exact
    try:
        near = float(exact)
    except OverflowError:
        near = _OO if exact > 0 else -_OO
        # Infinite on the outer side; inwards the largest float is still a bound.
        return near if near == side * _OO else math.copysign(sys.float_info.max, near)
    # Fractions are exact: a step is taken only where rounding went inwards, so 0 and 1 stay what they are.
    return math.nextafter(near, side * _OO) if side * (exact - Fraction(near)) > 0 else near


def _widened(function: Callable[[float], float], x: float, side: int) -> float:
    """A bound on `function(x)` from below (`side` -1) or above (1)."""
    try:
        value = function(x)
    except OverflowError:
        # An overflow says that the value exceeds the largest float, which is a bound from below.
        return _OO if side > 0 else sys.float_info.max
    if value == 0:  # exact at a root; elsewhere too small for a float
        return 0.0 if x in (0.0, 1.0) or side < 0 else sys.float_info.min
    # exp(0), cosh(0) and powers of 1 are exact: widened, `exp(p) - 1` would not be seen to be positive.
    if x in (0.0, 1.0) and value == 1:
        return value
    return value + side * abs(value) * _SLACK


def _increasing(row: Operator) -> Callable[[Range], Range]:
    low, high = float(row.range.inf), float(row.range.sup)
    whole = Range(low, high, bool(row.range.left_open), bool(row.range.right_open))
    # Met with the operator's own range: a widened tanh would reach past 1.
    return lambda x: x.increasing(row.evaluate, low, high).meet(whole)


_exp = _increasing(BY_HEAD[exp])


def _log(x: Range) -> Range:
    x = x.meet(_POSITIVE)
    # Apart, since math.log(0) raises where the limit is -oo.
    if x.low == 0:
        top = x.increasing(lambda v: math.log(v) if v > 0 else -_OO, -_OO, _OO)
        return Range(-_OO, top.high, True, top.high_open)
    return x.increasing(math.log, -_OO, _OO)


def _guarded(x: Range) -> Range:
    floor = float(GUARD)
    return _largest([x.absolute(), Range(math.nextafter(floor, 0), math.nextafter(floor, 1))])


def _cosh(x: Range) -> Range:
    return x.absolute().increasing(math.cosh, 1.0, _OO)


def _sin(x: Range) -> Range:
    # Just inside [-pi/2, pi/2], where the sine rises.
    if x.low >= -1.57 and x.high <= 1.57:
        return x.increasing(math.sin, -1.0, 1.0)
    if x.low >= 0 and x.high <= 3.14:  # concave there
        return Range(min(math.sin(x.low), math.sin(x.high)) * (1 - _SLACK), 1.0, x.low_open and x.high_open)
    return Range(-1.0, 1.0)


def _cos(x: Range) -> Range:
    x = x.absolute()
    # Even, and falling on [0, pi]. The slack is absolute, as the cosine has a zero in between.
    return Range(math.cos(x.high) - _SLACK, 1.0) if x.high <= 3.14 else Range(-1.0, 1.0)


def _sign(x: Range) -> Range:
    return Range(-1.0, 1.0) if x.sign is None else Range(float(x.sign), float(x.sign))


_RULES: dict[object, Callable[[Range], Range]] = {
    head: _increasing(row) for head, row in BY_HEAD.items() if row.increasing
} | {
    Abs: lambda x: x.absolute(),
    sign: _sign,
    log: _log,
    sin: _sin,
    cos: _cos,
    cosh: _cosh,
    plog: lambda x: _log(_guarded(x)),
    psqrt: lambda x: _power(_guarded(x), Rational(1, 2), Range(0.5, 0.5)),
}
