"""Expansions of formulas of the grammar for y -> 0+: logarithmic-exponential series, whose germs form a Hardy field.

A series is a sum of terms `c m`, with `c` free of `y` and `m` a monomial `exp(g) * w0**a0 * w1**a1 * ...`, where
`w0 = 1/y`, `w1 = log w0`, `w2 = log w1`, ... and `g` is itself a sum of terms that grow without bound, plus a
remainder `O(m)`. Two monomials are compared by the sign of the leading coefficient in the logarithm of their quotient.
Where that has no one sign on the domain of the prediction, `Open` is raised. All work is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key

from sympy import Add, Expr, Integer, Rational, S, Symbol, cancel, expand, expand_log, together
from sympy.polys.polyerrors import PolynomialError

from symloss.expr.ranges import sign_inside

__all__ = [
    "MAX_SIZE", "ONE", "SCALES", "Arithmetic", "Cancelled", "Monomial", "Open", "Series", "Term", "Unreal",
    "is_nothing", "merged", "scale", "size_of",
]  # fmt: skip

SCALES = 4
"""How many of `w0, w1, ...` there are; the next would be a logarithm nested five deep."""
_MAX_STEPS = 10_000
"""Products and comparisons of terms in one expansion."""
MAX_SIZE = 200
"""Operations in one coefficient; derivatives of `softplus` pass it at the seventh."""
_POINTS = ((3, 7, 2), (5, 11, 3), (7, 9, 5))


class Open(Exception):
    """The expansion is not known: a sign is open, leading terms cancel, or the work is too much."""


class Cancelled(Open):
    """Leading terms cancel: more terms may help."""


class Unreal(Exception):
    """Part of the formula is not a real number for small y > 0."""

    def __init__(self, node: Expr, why: str) -> None:
        super().__init__(f"{node} is not real there: {why}")


@dataclass(frozen=True)
class Monomial:
    """`exp(growth) * w0**powers[0] * w1**powers[1] * ...`."""

    powers: tuple[Expr, ...] = (S.Zero,) * SCALES
    growth: frozenset[Term] = frozenset()

    def __mul__(self, other: Monomial) -> Monomial:
        powers = tuple(a + b for a, b in zip(self.powers, other.powers, strict=True))
        # Exponents add, and equal terms must meet: e^(1/y) e^(-1/y) has to be the monomial 1.
        return Monomial(powers, frozenset(merged((*self.growth, *other.growth))))

    def __pow__(self, exponent: Expr) -> Monomial:
        growth = frozenset(Term(exponent * term.factor, term.monomial) for term in self.growth)
        return Monomial(tuple(power * exponent for power in self.powers), growth)


@dataclass(frozen=True)
class Term:
    """`factor * monomial`, the factor free of `y`."""

    factor: Expr
    monomial: Monomial


ONE = Monomial()


def scale(i: int) -> Monomial:
    return Monomial(tuple(S.One if j == i else S.Zero for j in range(SCALES)))


@dataclass(frozen=True)
class Series:
    """A sum of terms, the largest first, and a remainder `O(rest)`; None: it is exact."""

    terms: tuple[Term, ...] = ()
    rest: Monomial | None = None

    @property
    def is_zero(self) -> bool:
        return not self.terms and self.rest is None


def merged(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms with equal monomials made one; in no order."""
    found: dict[Monomial, list[Expr]] = {}
    for term in terms:
        found.setdefault(term.monomial, []).append(term.factor)
    merged: list[Term] = []
    for monomial, factors in found.items():
        # Only a sum of factors can cancel, and testing that for 0 is the costly part.
        factor = factors[0] if len(factors) == 1 else _sum(factors)
        if factor.count_ops() > MAX_SIZE:
            raise Open("a coefficient of the expansion is too long")
        if factor != 0:
            merged.append(Term(factor, monomial))
    return tuple(merged)


def _sum(factors: list[Expr]) -> Expr:
    total = Add(*factors)
    return S.Zero if is_nothing(total) else total


def is_nothing(number: Expr) -> bool:
    """Whether a formula without `y` vanishes identically; told apart by its values, and proved by algebra.

    Raises:
        Open: where the values are 0 and the algebra does not show it.
    """
    direction = sign_inside(number)
    if direction is not None:
        return direction == 0
    symbols = sorted(number.free_symbols, key=str)
    seen = 0
    for point in _POINTS:
        try:
            near = number.xreplace({s: _sample(s, i, point) for i, s in enumerate(symbols)}).evalf(25)
            size = float(abs(near))
        except (TypeError, ValueError):  # not a number, or not a real one where it is compared
            continue
        # 25 digits are asked for: what exceeds 1e-18 is no zero that rounding spoilt. NaN passes neither comparison,
        # and the point counts for nothing.
        if size > 1e-18:
            return False
        seen += size < 1e-18
    # A formula that is 0 at every sample is not proved to vanish: that takes one of the rewritings below.
    if not seen:
        raise Open(f"{number} has no value at the points that were tried")
    # `force` splits logarithms of factors of open sign: off by a multiple of 2*pi*i, constant on a stretch of p, which
    # the values at the samples have shown to be 0.
    for rewrite in (expand, lambda e: expand(expand_log(e, force=True)), lambda e: cancel(together(e))):
        try:
            if rewrite(number) == 0:
                return True
        except (PolynomialError, NotImplementedError):
            continue
    raise Open(f"whether {number} vanishes is not settled")


def _sample(symbol: Symbol, i: int, point: tuple[int, int, int]) -> Rational:
    """A number from the symbol's domain, in no simple relation to those of the others."""
    a, b, shift = point
    if symbol.name == "C":
        return Integer(a)
    # p and pi from (0, 1), coefficients and w positive: a + i < b + 3i at every one of the points.
    return Rational(a + i, b + 3 * i) if symbol.name in ("p", "pi") else Rational(b + i, a + shift * i)


def size_of(x: Series) -> Monomial:
    """The monomial that bounds a series that is not 0."""
    if x.terms:
        return x.terms[0].monomial
    # Not both empty: the caller has seen that x is not zero.
    assert x.rest is not None
    return x.rest


class Arithmetic:
    """Sums, products and comparisons of series, each step counted.

    Args:
        order: how many terms of a series are kept.

    Attributes:
        nonzero: factors of leading terms whose sign is open.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self.nonzero: set[Expr] = set()
        self._directions: dict[Monomial, int] = {}
        self._steps = 0

    def direction(self, monomial: Monomial) -> int:
        """1 for a monomial that grows without bound, -1 for one that vanishes, 0 for 1."""
        if monomial not in self._directions:
            self._directions[monomial] = self._direction(monomial)
        return self._directions[monomial]

    def split(self, x: Series) -> tuple[Series, Expr, Series]:
        """The parts of `x` that grow, stay and vanish.

        Raises:
            Open: where the remainder does not vanish.
        """
        if x.rest is not None and self.direction(x.rest) >= 0:
            raise Cancelled("leading terms cancel")
        # Equal monomials can be different objects, as w0 e^(-w1) and 1 where w1 = log w0: several may be constant.
        directions = [self.direction(term.monomial) for term in x.terms]
        parts = {d: [t for t, e in zip(x.terms, directions, strict=True) if e == d] for d in (1, 0, -1)}
        constant = Add(*(term.factor for term in parts[0]))
        return Series(tuple(parts[1])), constant, Series(tuple(parts[-1]), x.rest)

    @staticmethod
    def constant(value: Expr) -> Series:
        return Series((Term(value, ONE),)) if value != 0 else Series()

    def sum(self, parts: list[Series]) -> Series:
        return self.series([t for part in parts for t in part.terms], [part.rest for part in parts])

    def scaled(self, factor: Expr, x: Series) -> Series:
        return self.times(self.constant(factor), x)

    def times(self, a: Series, b: Series) -> Series:
        if a.is_zero or b.is_zero:
            return Series()
        self._count(len(a.terms) * len(b.terms))
        terms = [Term(s.factor * t.factor, s.monomial * t.monomial) for s in a.terms for t in b.terms]
        # (A + O(r)) (B + O(s)) = A B + O(r B) + O(s A); O(r s) is covered, as each remainder is below its series' size.
        rests = [x.rest * size_of(other) for x, other in ((a, b), (b, a)) if x.rest is not None]
        return self.series(terms, list(rests))

    def series(self, terms: list[Term], rests: list[Monomial | None]) -> Series:
        """The terms in their order, without those that a remainder covers or that are too many."""
        self._count(len(terms))
        rest: Monomial | None = None
        for other in rests:
            if other is not None and (rest is None or self.compare(other, rest) > 0):
                rest = other
        found = self._ordered(terms)
        if rest is not None:
            # A term no larger than the remainder says nothing that the remainder does not take back.
            found = [term for term in found if self.compare(term.monomial, rest) > 0]
        if len(found) > self.order:
            # The first term dropped bounds all that follow; it was found larger than the old remainder.
            rest = found[self.order].monomial
            found = found[: self.order]
        return Series(tuple(found), rest)

    def leading(self, x: Series) -> tuple[Term, Series]:
        """The first term, and what remains of `x` divided by it, less 1: that vanishes."""
        if not x.terms:
            raise Cancelled("leading terms cancel")
        first = x.terms[0]
        # Dividing by the leading factor presumes that it is not 0: noted, for the caller to check over p.
        if sign_inside(first.factor) is None:
            self.nonzero.add(first.factor)
        inverse = first.monomial**S.NegativeOne
        others = tuple(Term(t.factor / first.factor, t.monomial * inverse) for t in x.terms[1:])
        return first, Series(others, None if x.rest is None else x.rest * inverse)

    def sign(self, x: Series) -> int | None:
        """The sign of `x` for small `y > 0`; None where it is open."""
        if x.is_zero:
            return 0
        # Monomials are positive for small y > 0, so the leading factor has the sign of the series.
        return sign_inside(x.terms[0].factor) if x.terms else None

    def bounded(self, x: Series) -> bool:
        """Whether `x` is known to be no more than bounded."""
        size = size_of(x) if not x.is_zero else ONE
        return self.direction(size) <= 0

    def compare(self, a: Monomial, b: Monomial) -> int:
        return 0 if a == b else self.direction(a * b**S.NegativeOne)

    def _direction(self, monomial: Monomial) -> int:
        self._count(1)
        if not monomial.growth:
            # w0 beats every power of w1, w1 every power of w2, ...: the first exponent that is not 0 decides.
            return next((1 if power > 0 else -1 for power in monomial.powers if power), 0)
        # m -> oo exactly where log m -> oo, and the logarithm's largest term decides that. Its monomials are simpler
        # than m: the recursion ends, or runs into the count.
        terms = self.log_of(monomial)
        direction = sign_inside(terms[0].factor) if terms else 0
        if direction is None:
            raise Open(f"the sign of {terms[0].factor} is open")
        return direction

    def log_of(self, monomial: Monomial) -> list[Term]:
        """The logarithm of a monomial."""
        terms = list(monomial.growth)
        for i, power in enumerate(monomial.powers):
            if power:
                if i + 1 == SCALES:
                    raise Open("too many nested logarithms")
                # log(w_i**a) = a w_(i+1), by the definition of the scales.
                terms.append(Term(power, scale(i + 1)))
        return self._ordered(terms)

    def _ordered(self, terms: list[Term]) -> list[Term]:
        """Terms with different monomials, the largest first."""

        def compare(a: Term, b: Term) -> int:
            return self.compare(b.monomial, a.monomial)

        return sorted(merged(terms), key=cmp_to_key(compare))

    def _count(self, steps: int) -> None:
        self._steps += 1 + steps
        if self._steps > _MAX_STEPS:
            raise Open("the expansion is too long")
