"""Interval arithmetic on arrays: every operation returns a box that holds all real results.

Bounds are float64, moved outwards after each operation: one unit in the last place where IEEE 754 rounds
correctly, `_SLACK` relative where a library function may err by a few units (numpy documents at most 4).
Unbounded ends are infinite; a function's argument is cut to its domain, so whoever asks must know that the
true argument lies inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "Interval"]

FloatArray = npt.NDArray[np.float64]
# 18 units in the last place: 4 for numpy's function, the rest for the few correctly rounded steps around it, as in `1 /
# (1 + exp(-x))`.
_SLACK = 4e-15
# Below 2.2e-308 a float has fewer digits, and a relative bound is none: there the slack is absolute.
_TINY = 1e-300
_INF = np.inf


@dataclass(frozen=True)
class Interval:
    """The boxes `[lo, hi]`, elementwise.

    >>> with np.errstate(all="ignore"):
    ...     box = Interval.of(Fraction(1, 3)) * Interval.of(3)
    >>> bool(box.lo <= 1 <= box.hi)
    True
    """

    lo: FloatArray
    hi: FloatArray

    @staticmethod
    def of(value: Fraction | int | float) -> Interval:
        """The smallest box of floats around an exact number."""
        near = float(value)
        lo = near if Fraction(near) <= Fraction(value) else np.nextafter(near, -_INF)
        hi = near if Fraction(near) >= Fraction(value) else np.nextafter(near, _INF)
        return Interval(np.asarray(lo, dtype=np.float64), np.asarray(hi, dtype=np.float64))

    @staticmethod
    def between(lo: Any, hi: Any) -> Interval:
        """The box `[lo, hi]` as given, NaN read as no bound."""
        lo, hi = np.asarray(lo, dtype=np.float64), np.asarray(hi, dtype=np.float64)
        return Interval(np.where(np.isnan(lo), -_INF, lo), np.where(np.isnan(hi), _INF, hi))

    @staticmethod
    def _outward(lo: FloatArray, hi: FloatArray) -> Interval:
        # Rounding to nearest errs by at most half a unit, so the neighbour is a bound. Of `inf - inf`, which is NaN,
        # `between` makes no bound; a lower end that overflowed to inf becomes the largest float.
        return Interval.between(np.nextafter(lo, -_INF), np.nextafter(hi, _INF))

    @staticmethod
    def _slack(lo: FloatArray, hi: FloatArray) -> Interval:
        below = np.where(np.isfinite(lo), lo - (np.abs(lo) * _SLACK + _TINY), lo)
        above = np.where(np.isfinite(hi), hi + (np.abs(hi) * _SLACK + _TINY), hi)
        # An overflow to +inf is no lower bound; the largest float is.
        below = np.where(below == _INF, np.finfo(np.float64).max, below)
        above = np.where(above == -_INF, -np.finfo(np.float64).max, above)
        return Interval.between(below, above)

    def __add__(self, other: Interval) -> Interval:
        return Interval._outward(self.lo + other.lo, self.hi + other.hi)

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __sub__(self, other: Interval) -> Interval:
        return self + (-other)

    def __mul__(self, other: Interval) -> Interval:
        # A product is linear in each factor, so its extremes over a box lie at the corners.
        products = [a * b for a in (self.lo, self.hi) for b in (other.lo, other.hi)]
        # 0 * inf is 0 here: the infinite end is a bound, never a value.
        products = [np.where(np.isnan(p), 0.0, p) for p in products]
        lo = np.minimum(np.minimum(products[0], products[1]), np.minimum(products[2], products[3]))
        hi = np.maximum(np.maximum(products[0], products[1]), np.maximum(products[2], products[3]))
        return Interval._outward(lo, hi)

    def reciprocal(self) -> Interval:
        """`1/x`; unbounded on the side where zero is touched, on both where it is crossed."""
        # 1/x falls on either side of 0: its lower bound comes from the upper end, and the other way round. An end that
        # is 0 leaves the side open.
        lo = np.where(self.hi > 0, 1 / self.hi, np.where(self.hi < 0, 1 / self.hi, -_INF))
        hi = np.where(self.lo < 0, 1 / self.lo, np.where(self.lo > 0, 1 / self.lo, _INF))
        crossed = (self.lo < 0) & (self.hi > 0)
        return Interval._outward(np.where(crossed, -_INF, lo), np.where(crossed, _INF, hi))

    def integer_power(self, n: int) -> Interval:
        """`x**n`, tight for even `n`."""
        if n < 0:
            return self.integer_power(-n).reciprocal()
        if n == 1:
            return self
        # Monotone for odd n; for even n the least value is at an end too, unless 0 lies between.
        a, b = self.lo**n, self.hi**n
        if n % 2:
            return Interval._slack(a, b)
        lo = np.where((self.lo <= 0) & (self.hi >= 0), 0.0, np.minimum(a, b))
        box = Interval._slack(lo, np.maximum(a, b))
        return Interval(np.maximum(box.lo, 0.0), box.hi)

    def positive_power(self, exponent: float, slack: float = 0.0) -> Interval:
        """`x**exponent` of `x >= 0`, for an exponent known up to `slack`."""
        base = Interval(np.maximum(self.lo, 0.0), np.maximum(self.hi, 0.0))
        a, b = base.lo**exponent, base.hi**exponent
        box = Interval._slack(np.minimum(a, b), np.maximum(a, b))
        if slack:
            # x**(e + d) = x**e * x**d, and for |d| <= slack the second factor lies between exp(-slack |log x|) and
            # exp(slack |log x|); |log x| is largest at an end. `1 + t` lacks the t**2/2 of exp(t), which is far below
            # `_SLACK`: t < 1e-10.
            spread = 1 + slack * (
                np.abs(np.log(np.maximum(base.lo, _TINY))) + np.abs(np.log(base.hi + _TINY))
            )
            box = Interval.between(box.lo / spread, box.hi * spread)
        return Interval(np.maximum(box.lo, 0.0), box.hi)

    def exp(self) -> Interval:
        box = self._increasing(np.exp)
        return Interval(np.maximum(box.lo, 0.0), box.hi)

    def log(self) -> Interval:
        # An end outside the domain tells nothing: that side stays open. 5e-324, the least float, keeps the branch that
        # is not taken from a division by zero.
        lo = np.where(self.lo > 0, np.log(np.maximum(self.lo, 5e-324)), -_INF)
        hi = np.where(self.hi > 0, np.log(np.maximum(self.hi, 5e-324)), _INF)
        box = Interval._slack(lo, hi)
        # Near 1 the result is small while the argument's own rounding is not.
        return Interval.between(box.lo - 3e-16, box.hi + 3e-16)

    def tanh(self) -> Interval:
        box = self._increasing(np.tanh)
        return Interval(np.maximum(box.lo, -1.0), np.minimum(box.hi, 1.0))

    def atan(self) -> Interval:
        return self._increasing(np.arctan)

    def sinh(self) -> Interval:
        return self._increasing(np.sinh)

    def cosh(self) -> Interval:
        # Even, and least at 0; so is log(cosh) below.
        a, b = np.cosh(self.lo), np.cosh(self.hi)
        lo = np.where((self.lo <= 0) & (self.hi >= 0), 1.0, np.minimum(a, b))
        return Interval._slack(lo, np.maximum(a, b))

    def log_cosh(self) -> Interval:
        """`log(cosh x) = |x| + log(1 + exp(-2 |x|)) - log 2`, which does not overflow."""
        a, b = (np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2) for x in (self.lo, self.hi))
        lo = np.where((self.lo <= 0) & (self.hi >= 0), 0.0, np.minimum(a, b))
        box = Interval._slack(lo, np.maximum(a, b))
        # The difference cancels near 0.
        return Interval(np.maximum(box.lo - 1e-15, 0.0), box.hi + 1e-15)

    def cos(self) -> Interval:
        a, b = np.cos(self.lo), np.cos(self.hi)
        period = 2 * np.pi
        # Inside lies a maximum if 2 pi k does for a whole k, a minimum if pi + 2 pi k does. 1e-9 is more than what
        # rounding of 2 pi and of the quotient moves the ends by, |x| 4e-16 for |x| < 1e6: none is missed, and one
        # claimed in vain costs sharpness alone.
        tops = np.floor((self.hi + 1e-9) / period) >= np.ceil((self.lo - 1e-9) / period)
        troughs = np.floor((self.hi - np.pi + 1e-9) / period) >= np.ceil((self.lo - np.pi - 1e-9) / period)
        # Beyond 1e6 the slack above no longer covers the rounding of the quotient.
        wide = ~(np.maximum(np.abs(self.lo), np.abs(self.hi)) < 1e6)
        hi = np.where(tops | wide, 1.0, np.maximum(a, b) + 1e-15)
        lo = np.where(troughs | wide, -1.0, np.minimum(a, b) - 1e-15)
        return Interval(np.maximum(lo, -1.0), np.minimum(hi, 1.0))

    def sin(self) -> Interval:
        # sin x = cos(x - pi/2), the angle as the box of floats around it.
        return (self - Interval.between(np.nextafter(np.pi / 2, 0), np.nextafter(np.pi / 2, 2))).cos()

    def sigmoid(self) -> Interval:
        # Equal by sigmoid(x) = exp(x) sigmoid(-x); in the form that is taken the exponential is at most 1.
        box = self._increasing(lambda x: np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))))
        return Interval(np.maximum(box.lo, 0.0), np.minimum(box.hi, 1.0))

    def softplus(self) -> Interval:
        box = self._increasing(lambda x: np.logaddexp(0.0, x))
        return Interval(np.maximum(box.lo, 0.0), box.hi)

    def _increasing(self, function: Callable[[FloatArray], FloatArray]) -> Interval:
        lo, hi = function(self.lo), function(self.hi)
        return Interval._slack(np.where(np.isnan(lo), -_INF, lo), np.where(np.isnan(hi), _INF, hi))

    def meet(self, other: Interval) -> Interval:
        """The part that two enclosures of one value share."""
        # Never empty: the value itself lies in both.
        return Interval(np.maximum(self.lo, other.lo), np.minimum(self.hi, other.hi))

    @property
    def sign(self) -> npt.NDArray[np.int8]:
        """1 or -1 where every member has that sign, else 0."""
        return (self.lo > 0).astype(np.int8) - (self.hi < 0).astype(np.int8)
