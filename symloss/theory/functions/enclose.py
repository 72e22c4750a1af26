"""Enclosures of a smooth formula and its derivative: interval arithmetic carried through SymPy's tree.

The derivative comes from forward differentiation over intervals, so that the mean-value form
`f(X) in f(m) + f'(X) (X - m)` can sharpen what plain interval arithmetic gives.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from sympy import Add, Expr, Mul, Pow, Rational, Symbol, exp

from symloss.errors import DomainError
from symloss.expr import BY_HEAD, log_cosh
from symloss.theory.functions.interval import Interval
from symloss.theory.functions.work import spend, steps_on

__all__ = ["enclose", "enclose_number", "enclose_sharply", "is_smooth"]

_ZERO, _ONE = Interval.of(0), Interval.of(1)
Pair = tuple[Interval, Interval | None]
"""A value and its derivative; None is a derivative that vanishes identically."""


def enclose(expr: Expr, variable: Symbol, box: Interval) -> tuple[Interval, Interval]:
    """Enclosures of `expr` and of its derivative while `variable` runs over `box`.

    Raises:
        DomainError: for a function that is not smooth (those are resolved before) or another free symbol.
    """
    tape = _Tape(variable, box)
    with np.errstate(all="ignore"):
        value, slope = tape.of(expr)
    spend(steps_on(len(tape.seen), box.lo.size))
    return value, slope or _ZERO


def enclose_sharply(expr: Expr, variable: Symbol, box: Interval) -> tuple[Interval, Interval]:
    """As `enclose`, the value met with its mean-value form."""
    value, slope = enclose(expr, variable, box)
    # f(x) = f(m) + f'(xi) (x - m) with xi between x and m: f must be smooth on the whole box, or the slope is unbounded
    # there, and so is this form, and the plain enclosure stands. The error falls with the square of the width, that of
    # the plain one with the width.
    middle = (box.lo + box.hi) / 2
    centre, _ = enclose(expr, variable, Interval(middle, middle))
    with np.errstate(all="ignore"):
        mean = centre + slope * (box - Interval(middle, middle))
    return value.meet(Interval.between(mean.lo, mean.hi)), slope


def enclose_number(expr: Expr) -> Interval:
    """The box around a constant."""
    with np.errstate(all="ignore"):
        return _Tape(None, _ZERO).of(expr)[0]


_MAX_POWER = 2**31
"""Of an integer power: as a float it is exact, and so is its parity, which decides the sign of a negative base."""


class _Tape:
    """One pass over the tree, shared subexpressions once."""

    def __init__(self, variable: Symbol | None, box: Interval) -> None:
        self.variable, self.box, self.seen = variable, box, dict[Expr, Pair]()

    def of(self, node: Expr) -> Pair:
        if node not in self.seen:
            self.seen[node] = self._of(node)
        return self.seen[node]

    def _of(self, node: Expr) -> Pair:
        if node == self.variable:
            return self.box, _ONE
        if isinstance(node, Rational):
            return Interval.of(Fraction(node.p, node.q)), None
        if isinstance(node, Add):
            return self._sum([self.of(arg) for arg in node.args])
        if isinstance(node, Mul):
            return self._product([self.of(arg) for arg in node.args])
        if isinstance(node, Pow):
            return self._power(node)
        if isinstance(node, exp):  # also exp(1), which is a number of its own in SymPy
            value, slope = self.of(node.args[0])
            result = value.exp()
            return result, _times(slope, result)
        if node.is_NumberSymbol:
            # pi and e are rounded to nearest, so the neighbours are bounds.
            near = float(node)
            return Interval.between(np.nextafter(near, -np.inf), np.nextafter(near, np.inf)), None
        function = _FUNCTIONS.get(node.func)
        if function is None:
            raise DomainError(f"no enclosure of {node}")
        value, slope = self.of(node.args[0])
        result = function(value)
        if slope is None:
            return result, None
        # The chain rule. Most derivatives are formulas of the value, s (1 - s) or 1 - t**2: it stands ready in `seen`,
        # sharper than a second evaluation at X would be.
        inner = _Tape(None, _ZERO)
        inner.seen = {_X: (_inside(node.func, value), None), node.func(_X): (result, None)}
        return result, slope * inner.of(_derivative(node.func))[0]

    @staticmethod
    def _sum(pairs: list[Pair]) -> Pair:
        value, slope = pairs[0]
        for other, other_slope in pairs[1:]:
            value = value + other
            slope = other_slope if slope is None else slope if other_slope is None else slope + other_slope
        return value, slope

    @staticmethod
    def _product(pairs: list[Pair]) -> Pair:
        value, slope = pairs[0]
        for other, other_slope in pairs[1:]:
            # (u v)' = u' v + u v', factor by factor; a slope of None is 0 and leaves no term.
            left, right = _times(slope, other), _times(other_slope, value)
            slope = right if left is None else left if right is None else left + right
            value = value * other
        return value, slope

    def _power(self, node: Pow) -> Pair:
        value, slope = self.of(node.base)
        exponent = node.exp
        if exponent.is_Integer:
            if abs(exponent) > _MAX_POWER:
                raise DomainError(f"no enclosure of {node}: its exponent is too large")
            # (u**n)' = n u**(n-1) u'.
            n = int(exponent)
            factor = Interval.of(n) * value.integer_power(n - 1)
            return value.integer_power(n), _times(slope, factor)
        if exponent.is_Rational:
            # The exponent's own rounding is at most 2**-53 of it, that of `near - 1` as much again: 3e-16 is more than
            # both.
            near = float(exponent)
            slack = 0.0 if Fraction(near) == Fraction(exponent.p, exponent.q) else abs(near) * 3e-16
            scale = Interval.of(Fraction(exponent.p, exponent.q))
            power = value.positive_power(near, slack)
            return power, _times(slope, scale * value.positive_power(near - 1, slack + 3e-16))
        # b**e = exp(e log b), for b > 0
        power_value, power_slope = self._product(
            [self.of(exponent), (value.log(), _times(slope, value.reciprocal()))]
        )
        result = power_value.exp()
        return result, _times(power_slope, result)


def _times(slope: Interval | None, factor: Interval) -> Interval | None:
    return None if slope is None else slope * factor


_FUNCTIONS: dict[object, Callable[[Interval], Interval]] = {
    head: getattr(Interval, row.name)
    for head, row in BY_HEAD.items()
    if callable(getattr(Interval, row.name, None))
} | {log_cosh: Interval.log_cosh}
"""The smooth functions that interval arithmetic has, by the names of their rows."""
_X = Symbol("x", real=True)


@lru_cache(maxsize=64)
def _derivative(function: type) -> Expr:
    return function(_X).fdiff()


def _inside(function: type, x: Interval) -> Interval:
    """The part of a box in the function's domain: an enclosure may reach beyond it where no argument does."""
    row = BY_HEAD.get(function)
    if row is None or row.domain.inf.is_infinite:
        return x
    low = float(row.domain.inf)
    return Interval(np.maximum(x.lo, low), np.maximum(x.hi, low))


def is_smooth(function: type) -> bool:
    """Whether a function of one argument can be enclosed as it stands, without its definition."""
    return function in _FUNCTIONS
