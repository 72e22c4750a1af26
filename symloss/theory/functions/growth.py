"""Beyond powers: tails times an exponential, as `cosh(x)` or `x exp(-x**2)` have far out.

With `x > 0` the distance to the point, `f(x) = exp(g(x)) t(x)` on `0 < x <= eps`, where `t` is a tail and `g` a sum of
terms that diverge, such as `1/x`. Of a sum the strongest exponential is kept, the others become a remainder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from symloss.theory.functions.tail import Num, Tail, TailError
from symloss.theory.functions.taylor import exp_near, log_of, power_of, split

__all__ = ["Growth"]

_ZERO, _ONE = Fraction(0), Fraction(1)
# Any power would do; this one is weaker than the remainder x**5 of Taylor's formula, so that it seldom decides.
_SMALL = Fraction(8)
"""What an exponential leaves behind as a remainder is at most this power of the distance."""


@dataclass(frozen=True)
class Growth:
    """`exp(exponent) factor`; the terms of the exponent diverge, and there are none where it is a tail alone."""

    factor: Tail
    exponent: Tail

    @staticmethod
    def of(tail: Tail) -> Growth:
        return Growth(tail, Tail((), None, tail.eps))

    @staticmethod
    def constant(value: Num, eps: float) -> Growth:
        return Growth.of(Tail.constant(value, eps))

    @property
    def eps(self) -> float:
        return self.factor.eps

    @property
    def is_plain(self) -> bool:
        """Whether there is no exponential."""
        return not self.exponent.terms

    def __add__(self, other: Growth) -> Growth:
        if _is_nothing(self.factor) or _is_nothing(other.factor):
            return other if _is_nothing(self.factor) else self
        # exp(g) s + exp(h) t = exp(g) (s + exp(h - g) t), with h - g < 0: the last term is a remainder.
        gap = _sum(other.exponent, self.exponent.scaled(-_ONE))
        if not gap.terms:
            return Growth(self.factor + other.factor, self.exponent)
        if gap.sign() > 0:
            return other + self
        return Growth(self.factor + other.factor * _vanishing(Growth.of(gap)), self.exponent)

    def __mul__(self, other: Growth) -> Growth:
        return Growth(self.factor * other.factor, _sum(self.exponent, other.exponent))

    def scaled(self, by: Num) -> Growth:
        """`by * f`."""
        return Growth(self.factor.scaled(by), self.exponent)

    def tail(self) -> Tail:
        """The tail alone; of an exponential that vanishes its bound.

        Raises:
            TailError: for one that grows.
        """
        if self.is_plain:
            return self.factor
        return self.factor * _vanishing(Growth.of(self.exponent))

    def sign(self) -> int:
        """1 or -1 where `f` has that sign on all of (0, eps], 0 where that is not proved."""
        return self.factor.sign()

    def limit(self) -> tuple[float, float]:
        """The ends of an interval around the limit at `x -> 0+`; infinite ends for a divergent one.

        Raises:
            TailError: where it is not determined.
        """
        if self.is_plain:
            return self.factor.limit()
        direction = self.exponent.sign()
        # The exponent diverges to -oo at least as a power of x or as L**b, b > 1, so that exp(g) x**a L**b -> 0 for all
        # a and b.
        if direction < 0:  # beats every power
            return 0.0, 0.0
        sign = self.factor.sign()
        if not direction or not sign:
            raise TailError("grows with unknown sign")
        return sign * math.inf, sign * math.inf

    def exp(self) -> Growth:
        """`exp(f)`.

        Raises:
            TailError: where it grows faster than the exponential of every power, or diverges slowly.
        """
        # exp of something that itself grows exponentially is known only as small: `_vanishing` demands that it falls.
        if not self.is_plain and self.exponent.sign() > 0:
            return Growth.of(_vanishing(self))
        f = self.tail()
        # exp of a sum: what diverges stays an exponent, or is a power of x where it is a whole L; the rest is bounded,
        # and expanded.
        large, constant, small = split(f)
        power, terms = _ZERO, []
        for term in large:
            a, b, c = term
            if a < 0 or b > 1:
                terms.append(term)
            elif b == 1 and isinstance(c, Fraction):  # exp(c L) = x**(-c)
                power = c
            else:  # a power that is not known exactly, or slower than every power
                raise TailError("the argument diverges slowly")
        bounded = Tail.build([(_ZERO, _ZERO, constant)], [], f.eps) + small
        return Growth(exp_near(bounded).shifted(-power, _ZERO, _ONE), Tail(tuple(terms), None, f.eps))

    def log(self) -> Growth:
        """`log(f)`, the exponent coming down."""
        # log(exp(g) t) = g + log t.
        return Growth.of(self.exponent + log_of(self.factor))

    def power(self, exponent: Fraction) -> Growth:
        """`f**exponent`; of a positive `f` unless the exponent is whole."""
        return Growth(power_of(self.factor, exponent), self.exponent.scaled(exponent))


def _is_nothing(tail: Tail) -> bool:
    return not tail.terms and tail.rest is None


def _sum(a: Tail, b: Tail) -> Tail:
    """The sum of two exponents, all its terms kept."""
    total = a + b
    if total.rest is not None:
        raise TailError("an exponent of too many terms")
    return total


def _vanishing(f: Growth) -> Tail:
    """The remainder that `exp(f)` is where `f` falls faster than every multiple of `log x` rises.

    Raises:
        TailError: where it does not, or not on the whole stretch.
    """
    # exp(f) <= x**K as soon as f <= -K L, that is f + K L < 0.
    rising = Growth.of(Tail(((_ZERO, _ONE, _SMALL),), None, f.eps))
    if f.sign() < 0 and (f + rising).sign() < 0:
        return Tail((), (_SMALL, _ZERO, 1.0), f.eps)
    raise TailError("grows faster than every power, or vanishes slowly")
