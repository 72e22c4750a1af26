"""Constants: their sign, by enclosure or exactly, and the float next to them."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
from sympy import Expr, Rational, nan, oo, zoo

from symloss.errors import DomainError
from symloss.theory.functions.algebra import vanishes
from symloss.theory.functions.digits import enclose_to
from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.work import remembered

__all__ = ["as_float", "number_sign"]

_DIGITS = (50, 200, 800, 1600)


@remembered(4096)
def number_sign(number: Expr) -> int | None:
    """The sign of a constant; None where it is neither enclosed away from zero nor proved to be zero."""
    if isinstance(number, Rational):
        return (number.p > 0) - (number.p < 0)
    if number.has(nan, oo, -oo, zoo) or number.free_symbols:
        return None
    # From cheap to dear. Digits can show that a number is not 0 but never that it is, so algebra is asked when 50 of
    # them show no sign, before 200 and 800 are spent on what may be 0.
    box = enclose_number(number)
    if box.sign != 0:
        return int(box.sign)
    sign = _sign_to(number, _DIGITS[0])
    if sign:
        return sign
    if vanishes(number):
        return 0
    return next((sign for digits in _DIGITS[1:3] if (sign := _sign_to(number, digits))), None)


def _sign_to(number: Expr, digits: int) -> int:
    """The sign that so many digits show, else 0."""
    try:
        box = enclose_to(number, digits)
    except DomainError:
        return 0
    return int(box.a > 0) - int(box.b < 0)


@remembered(4096)
def as_float(number: Expr) -> float | None:
    """The float next to a real constant; None where it is not finite and real, or not settled.

    SymPy returns noise, or 0, without a word where its own precision did not do: `log(1 + 1e-120)` has no digit
    that 100 of them show.

    >>> from sympy import exp
    >>> as_float(exp(Rational(1, 10**150)) - 1)
    1e-150
    """
    if isinstance(number, Rational):
        try:
            return float(Fraction(number.p, number.q))
        except OverflowError:
            return None
    for digits in _DIGITS:
        try:
            box = enclose_to(number, digits)
        except DomainError:
            return None
        # Where both ends round to one float it is the nearest to every number between them. Two zeros tell nothing:
        # what is too small for a float would pass for 0.
        low, high = float(mpmath.mpf(box.a)), float(mpmath.mpf(box.b))
        if low == high and low != 0:
            return low if math.isfinite(low) else None
    return 0.0 if not number.free_symbols and number_sign(number) == 0 else None
