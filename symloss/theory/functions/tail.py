"""Behaviour of a formula next to a point: expansions in powers and logarithms with a bounded remainder.

With `x > 0` the distance to the point and `L = log(1/x)`, a tail is

    f(x) = sum_i c_i x**a_i L**b_i + e(x),    |e(x)| <= R x**A L**B    on 0 < x <= eps.

Interval arithmetic cannot tell `p*log(p)` from unbounded at 0; this can, and it proves signs and limits
there. Coefficients stay exact rationals as long as they are, so that terms which cancel do cancel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from symloss.errors import SymlossError

__all__ = [
    "MAX_TERMS",
    "Num",
    "Tail",
    "TailError",
    "Term",
    "bounds_of",
    "magnitude",
    "monomial_sup",
    "multiply",
    "num_add",
]

MAX_TERMS = 7
# Fractions double in length with every product; longer ones become intervals, which are as good where nothing cancels.
_MAX_BITS = 300

Num = Fraction | tuple[float, float]
"""A coefficient: an exact rational, or the two ends of an interval."""


class TailError(SymlossError):
    """No expansion of this form, or none that could be bounded on the given stretch."""


def bounds_of(value: Num) -> tuple[float, float]:
    """The ends of the smallest interval of floats around a coefficient."""
    if isinstance(value, tuple):
        return value
    try:
        # Correctly rounded: the exact number lies within one neighbour.
        near = float(value)
    except OverflowError:
        raise TailError("a coefficient overflows") from None
    exact = Fraction(near) == value
    return (near, near) if exact else (math.nextafter(near, -math.inf), math.nextafter(near, math.inf))


def magnitude(value: Num) -> float:
    """An upper bound of the absolute value."""
    lo, hi = bounds_of(value)
    return max(abs(lo), abs(hi))


def num_add(a: Num, b: Num) -> Num:
    """The sum, exact where both are."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return _limited(a + b)
    (al, ah), (bl, bh) = bounds_of(a), bounds_of(b)
    return math.nextafter(al + bl, -math.inf), math.nextafter(ah + bh, math.inf)


def multiply(a: Num, b: Num) -> Num:
    """The product, exact where both are."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return _limited(a * b)
    (al, ah), (bl, bh) = bounds_of(a), bounds_of(b)
    products = (al * bl, al * bh, ah * bl, ah * bh)
    if any(map(math.isnan, products)):
        raise TailError("a coefficient overflows")
    return math.nextafter(min(products), -math.inf), math.nextafter(max(products), math.inf)


def _limited(value: Fraction) -> Num:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _MAX_BITS:
        return value
    return bounds_of(value)


def monomial_sup(a: Fraction, b: Fraction, eps: float) -> float:
    """`sup x**a L**b` on (0, eps], infinite where it grows without bound."""
    # In L the function is exp(-a L) L**b on L >= log(1/eps), with the logarithmic slope b/L - a: for a, b > 0 it rises
    # up to L = b/a and falls from there, for b <= 0 <= a it falls throughout.
    if a < 0 or (a == 0 and b > 0):
        return math.inf
    length = -math.log(eps)
    if a > 0 and b > 0 and b / a > length:  # largest at L = b/a
        length = float(b / a)
    try:
        value = math.exp(-float(a) * length) * length ** float(b)
    except OverflowError:
        return math.inf
    # exp errs by the rounding of its argument, at most 745 * 1.1e-16 relative before it underflows.
    return value * (1 + 1e-12)


Term = tuple[Fraction, Fraction, Num]
"""`(a, b, c)` for `c x**a L**b`."""


def _dominance(term: Term) -> tuple[Fraction, Fraction]:
    # As x -> 0 the smaller power of x is the stronger term; among equal ones the larger power of L.
    return term[0], -term[1]


@dataclass(frozen=True)
class Tail:
    """An expansion on (0, eps]; `terms` from the strongest, `rest` is `(A, B, R)` or None where exact."""

    terms: tuple[Term, ...]
    rest: tuple[Fraction, Fraction, float] | None
    eps: float

    @staticmethod
    def constant(value: Num, eps: float) -> Tail:
        return Tail.build([(Fraction(0), Fraction(0), value)], [], eps)

    @staticmethod
    def build(terms: Iterable[Term], rests: Iterable[tuple[Fraction, Fraction, float]], eps: float) -> Tail:
        """Like terms collected, weak ones moved into one remainder."""
        collected: dict[tuple[Fraction, Fraction], Num] = {}
        for a, b, c in terms:
            collected[a, b] = num_add(collected[a, b], c) if (a, b) in collected else c
        kept = sorted(((a, b, c) for (a, b), c in collected.items() if c != 0), key=_dominance)
        spare = list(rests)
        if spare:
            # A term no stronger than the remainder tells nothing beside it, and goes into it; so `terms` are all
            # stronger than `rest`, which `limit` counts on.
            strongest = min((a, -b) for a, b, _ in spare)
            weak = [t for t in kept if _dominance(t) >= strongest]
            kept = [t for t in kept if _dominance(t) < strongest]
        else:
            weak = []
        weak += kept[MAX_TERMS:]
        kept = kept[:MAX_TERMS]
        spare += [(a, b, magnitude(c)) for a, b, c in weak]
        if not spare:
            return Tail(tuple(kept), None, eps)
        lead_a, lead_b = min((a, -b) for a, b, _ in spare)
        # r x**a L**b = r x**(a - A) L**(b - B) x**A L**B, with `lead_b` = -B; the first factor is bounded, as (A, B) is
        # the strongest.
        total = sum(r * monomial_sup(a - lead_a, b + lead_b, eps) for a, b, r in spare) * (1 + 1e-12)
        if not math.isfinite(total):
            raise TailError("the remainder cannot be bounded")
        return Tail(tuple(kept), (lead_a, -lead_b, total), eps)

    def _rests(self) -> list[tuple[Fraction, Fraction, float]]:
        return [] if self.rest is None else [self.rest]

    def __add__(self, other: Tail) -> Tail:
        return Tail.build([*self.terms, *other.terms], self._rests() + other._rests(), self.eps)

    def __mul__(self, other: Tail) -> Tail:
        # (F + e)(G + d) = F G + e G + d F + e d, the last three bounded term by term.
        terms = [(a + d, b + e, multiply(c, f)) for a, b, c in self.terms for d, e, f in other.terms]
        rests = [(a + d, b + e, r * magnitude(c)) for a, b, r in self._rests() for d, e, c in other.terms]
        rests += [(a + d, b + e, r * magnitude(c)) for a, b, r in other._rests() for d, e, c in self.terms]
        rests += [(a + d, b + e, r * s) for a, b, r in self._rests() for d, e, s in other._rests()]
        return Tail.build(terms, rests, self.eps)

    def scaled(self, factor: Num) -> Tail:
        """`factor * f`."""
        return self * Tail.constant(factor, self.eps)

    def as_remainder(self, size: float) -> Tail:
        """A tail that is only known to be at most `size` times this one's magnitude."""
        spare = [(a, b, size * magnitude(c)) for a, b, c in self.terms]
        return Tail.build([], spare + [(a, b, size * r) for a, b, r in self._rests()], self.eps)

    def lead(self) -> Term:
        """The strongest term.

        Raises:
            TailError: when the remainder is as strong, or the coefficient may be zero.
        """
        if not self.terms:
            raise TailError("vanishes to all the orders that were kept")
        lo, hi = bounds_of(self.terms[0][2])
        if lo <= 0 <= hi:
            raise TailError("the leading coefficient may be zero")
        return self.terms[0]

    def without_lead(self) -> Tail:
        return Tail(self.terms[1:], self.rest, self.eps)

    def shifted(self, a: Fraction, b: Fraction, factor: Num) -> Tail:
        """`factor x**a L**b f`."""
        terms = [(d + a, e + b, multiply(c, factor)) for d, e, c in self.terms]
        rests = [(d + a, e + b, r * magnitude(factor)) for d, e, r in self._rests()]
        return Tail.build(terms, rests, self.eps)

    def size(self) -> float:
        """An upper bound of `|f|` on (0, eps], infinite where there is none."""
        total = sum(magnitude(c) * monomial_sup(a, b, self.eps) for a, b, c in self.terms)
        return (total + sum(r * monomial_sup(a, b, self.eps) for a, b, r in self._rests())) * (1 + 1e-12)

    def sign(self) -> int:
        """1 or -1 where `f` has that sign on all of (0, eps], 0 where that is not proved (or `f` is 0)."""
        try:
            # f = x**a L**b (c + h) with |h| <= share.
            a, b, c = self.lead()
            share = self.without_lead().shifted(-a, -b, Fraction(1)).size()
        except TailError:
            return 0
        lo, hi = bounds_of(c)
        if share < min(abs(lo), abs(hi)):
            return 1 if lo > 0 else -1
        return 0

    def limit(self) -> tuple[float, float]:
        """The ends of an interval around the limit at `x -> 0+`; infinite ends for a divergent one.

        Raises:
            TailError: where it is not determined.
        """
        # A remainder that diverges: every term kept is stronger, so the first one decides, if there is one.
        if self.rest is not None and not math.isfinite(monomial_sup(self.rest[0], self.rest[1], self.eps)):
            a, b, c = self.lead()
            return self._divergent(c)
        # Now the remainder stays bounded. The strongest term vanishes, diverges, or tends to its coefficient or 0 (a =
        # 0, b <= 0); weaker ones than a constant vanish.
        if not self.terms or (monomial_sup(*self.terms[0][:2], self.eps) < math.inf and self.terms[0][0] > 0):
            lo = hi = 0.0
        else:
            a, b, c = self.terms[0]
            if a < 0 or b > 0:
                return self._divergent(self.lead()[2])
            lo, hi = bounds_of(c) if b == 0 else (0.0, 0.0)
        # A remainder of exactly this order need not vanish; any weaker one does.
        if self.rest is not None and self.rest[0] == 0 and self.rest[1] == 0:
            lo, hi = lo - self.rest[2], hi + self.rest[2]
        return lo, hi

    @staticmethod
    def _divergent(c: Num) -> tuple[float, float]:
        end = math.inf if bounds_of(c)[0] > 0 else -math.inf
        return end, end
