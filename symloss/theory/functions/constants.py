"""Constants: their sign, by enclosure or exactly, and the float next to them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from sympy import Expr, Rational, nan, oo, zoo

from symloss.errors import DomainError
from symloss.theory.functions.algebra import vanishes
from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.work import remembered, spend

__all__ = ["as_float", "number_sign"]

_DIGITS = (50, 200, 800, 1600)


def number_sign(number: Expr) -> int | None:
    """The sign of a constant; None where it is neither enclosed away from zero nor proved to be zero."""
    if isinstance(number, Rational):
        return (number.p > 0) - (number.p < 0)
    if number.has(nan, oo, -oo, zoo):
        return None
    box = enclose_number(number)
    if box.sign != 0:
        return int(box.sign)
    return 0 if vanishes(number) else None


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
            spend(number.count_ops() * digits // 50)
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
