"""Expansions for y -> 0+ of formulas as the grammar makes them, in a Hardy field.

A series is a sum of terms `c m`, with `c` free of `y` and `m` a monomial `exp(g) * w0**a0 * w1**a1 * ...`, where
`w0 = 1/y`, `w1 = log w0`, `w2 = log w1`, ... and `g` is itself a sum of terms that grow without bound, plus a
remainder `O(m)`. Any two monomials can be compared where the signs of the coefficients are settled on the domain
of the prediction; where one is needed and open, `Open` is raised. All work is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cmp_to_key

from sympy import (
    Abs,
    Add,
    Expr,
    Integer,
    Max,
    Min,
    Mul,
    Pow,
    Rational,
    S,
    Symbol,
    cancel,
    cos,
    cosh,
    exp,
    expand,
    expand_log,
    log,
    sign,
    sin,
    sinh,
    tanh,
    together,
)
from sympy.polys.polyerrors import PolynomialError

from symloss.expr.functions import RealFunction
from symloss.expr.operators import plog, psqrt, sigmoid, softplus
from symloss.expr.ranges import sign_inside

__all__ = ["Expansion", "Open", "Series", "Unreal", "is_nothing"]

_SCALES = 4
"""How many of `w0, w1, ...` there are; the next would be a logarithm nested five deep."""
_MAX_STEPS = 10_000
"""Products and comparisons of terms in one expansion."""
_MAX_SIZE = 200
"""Operations in one coefficient; derivatives of `softplus` pass it at the seventh."""
_POINTS = ((3, 7, 2), (5, 11, 3), (7, 9, 5))
_MAX_WHOLE = 8
"""Powers up to this one are taken by multiplication, which is exact."""


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

    powers: tuple[Expr, ...] = (S.Zero,) * _SCALES
    growth: frozenset[Term] = frozenset()

    def __mul__(self, other: Monomial) -> Monomial:
        powers = tuple(a + b for a, b in zip(self.powers, other.powers, strict=True))
        return Monomial(powers, frozenset(_merged((*self.growth, *other.growth))))

    def __pow__(self, exponent: Expr) -> Monomial:
        growth = frozenset(Term(exponent * term.factor, term.monomial) for term in self.growth)
        return Monomial(tuple(power * exponent for power in self.powers), growth)


@dataclass(frozen=True)
class Term:
    """`factor * monomial`, the factor free of `y`."""

    factor: Expr
    monomial: Monomial


ONE = Monomial()


def _scale(i: int) -> Monomial:
    return Monomial(tuple(S.One if j == i else S.Zero for j in range(_SCALES)))


@dataclass(frozen=True)
class Series:
    """A sum of terms, the largest first, and a remainder `O(rest)`; None: it is exact."""

    terms: tuple[Term, ...] = ()
    rest: Monomial | None = None

    @property
    def is_zero(self) -> bool:
        return not self.terms and self.rest is None


def _merged(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms with equal monomials made one; in no order."""
    found: dict[Monomial, list[Expr]] = {}
    for term in terms:
        found.setdefault(term.monomial, []).append(term.factor)
    merged: list[Term] = []
    for monomial, factors in found.items():
        factor = factors[0] if len(factors) == 1 else _sum(factors)
        if factor.count_ops() > _MAX_SIZE:
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
        if size > 1e-18:
            return False
        seen += size < 1e-18
    if not seen:
        raise Open(f"{number} has no value at the points that were tried")
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
    return Rational(a + i, b + 3 * i) if symbol.name in ("p", "pi") else Rational(b + i, a + shift * i)


class Expansion:
    """Series of every part of a formula, to a number of terms.

    Args:
        y: the symbol that goes to 0 from above.
        order: how many terms are kept.

    Attributes:
        positive: what must be positive for the formula to be real, where its sign is open.
        nonzero: factors of leading terms whose sign is open.
        oscillates: whether a part is known to be bounded and no more; more terms do not help then.
    """

    def __init__(self, y: Symbol, order: int) -> None:
        self.y, self.order = y, order
        self.positive: set[Expr] = set()
        self.nonzero: set[Expr] = set()
        self.oscillates = False
        self._seen: dict[Expr, Series] = {}
        self._directions: dict[Monomial, int] = {}
        self._steps = 0

    def of(self, expr: Expr) -> Series:
        """The series of `expr`.

        Raises:
            Open: where it is not known.
            Unreal: where `expr` is not a real number for small `y`.
        """
        if expr not in self._seen:
            self._seen[expr] = self._of(expr)
        return self._seen[expr]

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
        directions = [self.direction(term.monomial) for term in x.terms]
        parts = {d: [t for t, e in zip(x.terms, directions, strict=True) if e == d] for d in (1, 0, -1)}
        constant = parts[0][0].factor if parts[0] else S.Zero
        return Series(tuple(parts[1])), constant, Series(tuple(parts[-1]), x.rest)

    def _of(self, expr: Expr) -> Series:
        if expr == self.y:
            return Series((Term(S.One, Monomial((S.NegativeOne, *ONE.powers[1:]))),))
        if self.y not in expr.free_symbols:
            return self.constant(expr)
        args = [self.of(arg) for arg in expr.args]
        if isinstance(expr, Add):
            return self.sum(args)
        if isinstance(expr, Mul):
            product = args[0]
            for arg in args[1:]:
                product = self.times(product, arg)
            return product
        if isinstance(expr, Pow):
            return self._power(expr, args[0], args[1])
        if isinstance(expr, log):
            return self._logarithm(expr, args[0])
        if isinstance(expr, Max | Min):
            return self._extremum(isinstance(expr, Max), args)
        if isinstance(expr, RealFunction) and expr.func not in _RULES:
            return self.of(expr.plain(expr.args[0]))
        return _RULES[expr.func](self, args[0])

    # Arithmetic.

    @staticmethod
    def constant(value: Expr) -> Series:
        return Series((Term(value, ONE),)) if value != 0 else Series()

    def sum(self, parts: list[Series]) -> Series:
        return self._series([t for part in parts for t in part.terms], [part.rest for part in parts])

    def scaled(self, factor: Expr, x: Series) -> Series:
        return self.times(self.constant(factor), x)

    def times(self, a: Series, b: Series) -> Series:
        if a.is_zero or b.is_zero:
            return Series()
        self._count(len(a.terms) * len(b.terms))
        terms = [Term(s.factor * t.factor, s.monomial * t.monomial) for s in a.terms for t in b.terms]
        rests = [x.rest * _size(other) for x, other in ((a, b), (b, a)) if x.rest is not None]
        return self._series(terms, list(rests))

    def _series(self, terms: list[Term], rests: list[Monomial | None]) -> Series:
        """The terms in their order, without those that a remainder covers or that are too many."""
        self._count(len(terms))
        rest: Monomial | None = None
        for other in rests:
            if other is not None and (rest is None or self._compare(other, rest) > 0):
                rest = other
        found = self._ordered(terms)
        if rest is not None:
            found = [term for term in found if self._compare(term.monomial, rest) > 0]
        if len(found) > self.order:
            rest = found[self.order].monomial
            found = found[: self.order]
        return Series(tuple(found), rest)

    def _compare(self, a: Monomial, b: Monomial) -> int:
        return 0 if a == b else self.direction(a * b**S.NegativeOne)

    def _direction(self, monomial: Monomial) -> int:
        self._count(1)
        if not monomial.growth:
            return next((1 if power > 0 else -1 for power in monomial.powers if power), 0)
        terms = self._sorted_log(monomial)
        direction = sign_inside(terms[0].factor) if terms else 0
        if direction is None:
            raise Open(f"the sign of {terms[0].factor} is open")
        return direction

    def _sorted_log(self, monomial: Monomial) -> list[Term]:
        """The logarithm of a monomial."""
        terms = list(monomial.growth)
        for i, power in enumerate(monomial.powers):
            if power:
                if i + 1 == _SCALES:
                    raise Open("too many nested logarithms")
                terms.append(Term(power, _scale(i + 1)))
        return self._ordered(terms)

    def _ordered(self, terms: list[Term]) -> list[Term]:
        """Terms with different monomials, the largest first."""

        def compare(a: Term, b: Term) -> int:
            return self._compare(b.monomial, a.monomial)

        return sorted(_merged(terms), key=cmp_to_key(compare))

    def _count(self, steps: int) -> None:
        self._steps += 1 + steps
        if self._steps > _MAX_STEPS:
            raise Open("the expansion is too long")

    # Functions.

    def _leading(self, x: Series) -> tuple[Term, Series]:
        """The first term, and what remains of `x` divided by it, less 1: that vanishes."""
        if not x.terms:
            raise Cancelled("leading terms cancel")
        first = x.terms[0]
        if sign_inside(first.factor) is None:
            self.nonzero.add(first.factor)
        inverse = first.monomial**S.NegativeOne
        others = tuple(Term(t.factor / first.factor, t.monomial * inverse) for t in x.terms[1:])
        return first, Series(others, None if x.rest is None else x.rest * inverse)

    def sign(self, x: Series) -> int | None:
        """The sign of `x` for small `y > 0`; None where it is open."""
        if x.is_zero:
            return 0
        return sign_inside(x.terms[0].factor) if x.terms else None

    def taylor(self, coefficient: Callable[[int], Expr], small: Series) -> Series:
        """`sum_k coefficient(k) small**k` of a series that vanishes."""
        total, power = self.constant(coefficient(0)), self.constant(S.One)
        if small.is_zero:
            return total
        for k in range(1, self.order + 1):
            power = self.times(power, small)
            factor = coefficient(k)
            total = self.sum([total, self.times(self.constant(factor), power)])
        covered = _size(small) ** Integer(self.order + 1)
        return self._series(list(total.terms), [total.rest, covered])

    def bounded(self, x: Series) -> bool:
        """Whether `x` is known to be no more than bounded."""
        size = _size(x) if not x.is_zero else ONE
        return self.direction(size) <= 0

    def exponential(self, x: Series) -> Series:
        if x.rest is not None and self.direction(x.rest) == 0:  # e to a bounded power
            known = self.exponential(replace(x, rest=None))
            return Series((), _size(known))
        if x.rest is not None and self.direction(x.rest) > 0 and self.sign(x) == -1:
            # As x < c m/2 in the end: not exact, but it vanishes faster than what it meets.
            half = Term(x.terms[0].factor / 2, x.terms[0].monomial)
            return Series((), _size(self.exponential(Series((half,)))))
        growing, constant, small = self.split(x)
        powers, growth = [S.Zero] * _SCALES, []
        for term in growing.terms:
            at = next((i for i in range(1, _SCALES) if term.monomial == _scale(i)), None)
            if at is not None and term.factor.is_Rational:  # exp(a log w) = w**a
                powers[at - 1] = term.factor
            else:
                growth.append(term)
        head = Series((Term(exp(constant), Monomial(tuple(powers), frozenset(growth))),))
        return self.times(head, self.taylor(lambda k: 1 / _factorial(k), small))

    def logarithm(self, x: Series) -> Series:
        """`log x` of a series that is positive."""
        first, small = self._leading(x)
        parts = [Series(tuple(self._sorted_log(first.monomial))), self.constant(log(first.factor))]
        return self.sum([*parts, self.taylor(lambda k: Integer(-1) ** (k + 1) / k if k else S.Zero, small)])

    def power(self, x: Series, exponent: Rational) -> Series:
        """`x**exponent` of a series whose power is real."""
        if exponent.is_Integer and 0 < exponent <= _MAX_WHOLE:
            result = x
            for _ in range(int(exponent) - 1):
                result = self.times(result, x)
            return result
        first, small = self._leading(x)
        head = Series((Term(first.factor**exponent, first.monomial**exponent),))
        return self.times(head, self.taylor(lambda k: _binomial(exponent, k), small))

    def magnitude(self, x: Series) -> Series:
        """`abs(x)`: where its sign is open, by its first term, as `abs` spreads nothing."""
        direction = self.sign(x)
        if direction is not None:
            return self.scaled(Integer(direction), x)
        if not x.terms:
            return x
        first = x.terms[0]
        rest = x.terms[1].monomial if len(x.terms) > 1 else x.rest
        return Series((Term(Abs(first.factor), first.monomial),), rest)

    def largest(self, a: Series, b: Series) -> Series:
        direction = self.sign(self.sum([a, self.scaled(S.NegativeOne, b)]))
        if direction is not None:
            return a if direction >= 0 else b
        sizes = [_size(x) for x in (a, b) if not x.is_zero]
        size = sizes[0] if len(sizes) == 1 or self._compare(*sizes) >= 0 else sizes[1]
        tops, rests = [], []
        for x in (a, b):
            is_top = bool(x.terms) and x.terms[0].monomial == size
            tops.append(x.terms[0].factor if is_top else S.Zero)
            others = x.terms[is_top:]
            rests.append(others[0].monomial if others else x.rest)
        return self._series([Term(Max(*tops), size)], rests)

    def _power(self, node: Expr, base: Series, exponent: Series) -> Series:
        number = node.exp
        if number.is_Rational:
            if base.is_zero:
                if number > 0:
                    return Series()
                raise Unreal(node, "its base is 0")
            if not number.is_Integer:
                self._demand_positive(node, base)
            return self.power(base, number)
        if base.is_zero:
            if self.sign(exponent) == 1:
                return Series()
            raise Open(f"the value of {node} is open")
        self._demand_positive(node, base)
        return self.exponential(self.times(exponent, self.logarithm(base)))

    def _logarithm(self, node: Expr, x: Series) -> Series:
        if x.is_zero:
            raise Unreal(node, "its argument is 0")
        self._demand_positive(node, x)
        return self.logarithm(x)

    def _demand_positive(self, node: Expr, x: Series) -> None:
        direction = self.sign(x)
        if direction == -1:
            inner = node.args[0]
            raise Unreal(node, f"{inner} is negative")
        if direction is None:
            if not x.terms:
                raise Cancelled("leading terms cancel")
            self.positive.add(x.terms[0].factor)

    def _extremum(self, largest: bool, args: list[Series]) -> Series:
        flip = S.One if largest else S.NegativeOne
        best = self.scaled(flip, args[0])
        for other in args[1:]:
            best = self.largest(best, self.scaled(flip, other))
        return self.scaled(flip, best)

    def step(self, x: Series) -> Series:
        direction = self.sign(x)
        if direction is not None:
            return self.constant(Integer(direction))
        return self._of_exact_line(x, sign)

    def _of_exact_line(self, x: Series, rule: Callable[[Expr], Expr]) -> Series:
        """`rule(c)` where `x` is exactly `c m`: where `c` is 0, so is `x`."""
        if len(x.terms) == 1 and x.rest is None:
            return self.constant(rule(x.terms[0].factor))
        return self.bounded_wave(x)

    def smooth(
        self, function: Callable[[Expr], Expr], x: Series, at_infinity: Callable[[Series], Series]
    ) -> Series:
        """A function that has derivatives everywhere, by Taylor's formula where its argument stays finite."""
        if not self.bounded(x):
            return at_infinity(x)
        if x.rest is not None and self.direction(x.rest) == 0:  # a continuous function of a bounded argument
            return Series((), ONE)
        _, constant, small = self.split(x)
        t = Symbol("t", real=True)
        derivatives = [function(t)]

        def coefficient(k: int) -> Expr:
            while len(derivatives) <= k:
                derivatives.append(derivatives[-1].diff(t))
                if derivatives[-1].count_ops() > _MAX_SIZE:
                    raise Open("a derivative is too long")
            return derivatives[k].xreplace({t: constant}) / _factorial(k)

        return self.taylor(coefficient, small)

    def hyperbolic(self, x: Series, odd: bool) -> Series:
        """`sinh` or `cosh` of a large argument."""
        up, down = self.exponential(x), self.exponential(self.scaled(S.NegativeOne, x))
        half = Rational(1, 2)
        return self.sum([self.scaled(half, up), self.scaled(-half if odd else half, down)])

    def logistic(self, x: Series) -> Series:
        """`sigmoid` of a large argument."""
        direction = self.sign(x)
        if direction is None:
            return self._of_exact_line(x, lambda c: (1 + sign(c)) / 2)
        small = self.exponential(self.scaled(Integer(-direction), x))
        towards_one = self.power(self.sum([self.constant(S.One), small]), S.NegativeOne)
        return towards_one if direction > 0 else self.times(small, towards_one)

    def soft(self, x: Series) -> Series:
        """`softplus` of a large argument; it differs from `max(x, 0)` by at most `log 2`."""
        direction = self.sign(x)
        if direction is None:
            kink = self.largest(x, Series())
            return self._series(list(kink.terms), [kink.rest, ONE])
        small = self.exponential(self.scaled(Integer(-direction), x))
        return self.sum(
            [x if direction > 0 else Series(), self.logarithm(self.sum([self.constant(S.One), small]))]
        )

    def tangent(self, x: Series) -> Series:
        """`tanh(x) = 2 sigmoid(2 x) - 1` of a large argument."""
        if self.sign(x) is None:
            return self._of_exact_line(x, sign)
        twice = self.scaled(Integer(2), self.logistic(self.scaled(Integer(2), x)))
        return self.sum([twice, self.constant(S.NegativeOne)])

    def guarded(self, func: type, x: Series) -> Series:
        """`plog` and `psqrt`: the guard acts where the argument vanishes, and not where it grows."""
        if x.is_zero or self.direction(_size(x)) < 0:
            return self.constant(func(S.Zero))
        if self.direction(_size(x)) > 0 and x.terms:
            size = self.magnitude(x)
            if sign_inside(size.terms[0].factor) is None:
                raise Open("a sign is open")
            return self.logarithm(size) if func is plog else self.power(size, Rational(1, 2))
        if not x.terms:
            if self.direction(_size(x)) > 0:
                raise Cancelled("leading terms cancel")
            return Series((), ONE)
        _, constant, small = self.split(x)
        return Series(self.constant(func(constant)).terms, None if small.is_zero else _size(small))

    def bounded_wave(self, x: Series) -> Series:
        """`sin` and `cos` of a large argument have no limit, but a bound."""
        self.oscillates = True
        return Series((), ONE)


def _size(x: Series) -> Monomial:
    """The monomial that bounds a series that is not 0."""
    if x.terms:
        return x.terms[0].monomial
    assert x.rest is not None
    return x.rest


def _factorial(k: int) -> Integer:
    return Integer(1) if k < 2 else k * _factorial(k - 1)


def _binomial(exponent: Rational, k: int) -> Rational:
    result = S.One
    for i in range(k):
        result = result * (exponent - i) / (i + 1)
    return result


_RULES: dict[type, Callable[[Expansion, Series], Series]] = {
    Abs: Expansion.magnitude,
    sign: Expansion.step,
    exp: Expansion.exponential,
    tanh: lambda e, x: e.smooth(tanh, x, e.tangent),
    sin: lambda e, x: e.smooth(sin, x, e.bounded_wave),
    cos: lambda e, x: e.smooth(cos, x, e.bounded_wave),
    sinh: lambda e, x: e.smooth(sinh, x, lambda x: e.hyperbolic(x, odd=True)),
    cosh: lambda e, x: e.smooth(cosh, x, lambda x: e.hyperbolic(x, odd=False)),
    sigmoid: lambda e, x: e.smooth(sigmoid, x, e.logistic),
    softplus: lambda e, x: e.smooth(softplus, x, e.soft),
    plog: lambda e, x: e.guarded(plog, x),
    psqrt: lambda e, x: e.guarded(psqrt, x),
}
