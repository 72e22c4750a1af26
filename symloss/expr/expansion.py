"""The functions of the grammar on series for y -> 0+, by Taylor's formula or by what they do at infinity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
    atan,
    cos,
    cosh,
    exp,
    log,
    pi,
    sign,
    sin,
    sinh,
    tanh,
)

from symloss.expr.functions import RealFunction
from symloss.expr.operators import plog, psqrt, sigmoid, softplus
from symloss.expr.ranges import sign_inside
from symloss.expr.series import (
    MAX_SIZE,
    ONE,
    SCALES,
    Arithmetic,
    Cancelled,
    Monomial,
    Open,
    Series,
    Term,
    Unreal,
    scale,
    size_of,
)

__all__ = ["Expansion"]

_MAX_WHOLE = 8
"""Powers up to this one are taken by multiplication, which is exact."""


class Expansion(Arithmetic):
    """Series of every part of a formula, to a number of terms.

    Args:
        y: the symbol that goes to 0 from above.
        order: how many terms are kept.

    Attributes:
        positive: what must be positive for the formula to be real, where its sign is open.
        oscillates: whether a part is known to be bounded and no more; more terms do not help then.
    """

    def __init__(self, y: Symbol, order: int) -> None:
        super().__init__(order)
        self.y = y
        self.positive: set[Expr] = set()
        self.oscillates = False
        self._seen: dict[Expr, Series] = {}

    def of(self, expr: Expr) -> Series:
        """The series of `expr`.

        Raises:
            Open: where it is not known.
            Unreal: where `expr` is not a real number for small `y`.
        """
        if expr not in self._seen:
            self._seen[expr] = self._of(expr)
        return self._seen[expr]

    def _of(self, expr: Expr) -> Series:
        if expr == self.y:
            # y = w0**-1.
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
            # An operator without a rule here is expanded by its definition in elementary functions.
            return self.of(expr.plain(expr.args[0]))
        return _RULES[expr.func](self, args[0])

    def taylor(self, coefficient: Callable[[int], Expr], small: Series) -> Series:
        """`sum_k coefficient(k) small**k` of a series that vanishes."""
        total, power = self.constant(coefficient(0)), self.constant(S.One)
        if small.is_zero:
            return total
        for k in range(1, self.order + 1):
            power = self.times(power, small)
            factor = coefficient(k)
            total = self.sum([total, self.times(self.constant(factor), power)])
        # Taylor's remainder is O(small**(order + 1)), as a function with derivatives everywhere has them bounded near
        # the point. `small**k` may have shed terms into its own remainder, which `times` has carried along.
        covered = size_of(small) ** Integer(self.order + 1)
        return self.series(list(total.terms), [total.rest, covered])

    def exponential(self, x: Series) -> Series:
        if x.rest is not None and self.direction(x.rest) == 0:  # e to a bounded power
            known = self.exponential(replace(x, rest=None))
            return Series((), size_of(known))
        if x.rest is not None and self.direction(x.rest) > 0 and self.sign(x) == -1:
            # As x < c m/2 in the end: not exact, but it vanishes faster than what it meets.
            half = Term(x.terms[0].factor / 2, x.terms[0].monomial)
            return Series((), size_of(self.exponential(Series((half,)))))
        growing, constant, small = self.split(x)
        # e^(growing + constant + small) = e^growing e^constant sum_k small**k/k!.
        powers, growth = [S.Zero] * SCALES, []
        for term in growing.terms:
            at = next((i for i in range(1, SCALES) if term.monomial == scale(i)), None)
            if at is not None and term.factor.is_Rational:  # exp(a log w) = w**a
                powers[at - 1] = term.factor
            else:
                growth.append(term)
        # Rational multiples of logarithms become powers, so that e^(log w) and w are one monomial and can cancel.
        head = Series((Term(exp(constant), Monomial(tuple(powers), frozenset(growth))),))
        return self.times(head, self.taylor(lambda k: 1 / _factorial(k), small))

    def logarithm(self, x: Series) -> Series:
        """`log x` of a series that is positive."""
        # log(c m (1 + small)) = log m + log c + log(1 + small), c m the leading term.
        first, small = self.leading(x)
        parts = [Series(tuple(self.log_of(first.monomial))), self.constant(log(first.factor))]
        return self.sum([*parts, self.taylor(_log1p, small)])

    def power(self, x: Series, exponent: Rational) -> Series:
        """`x**exponent` of a series whose power is real."""
        if exponent.is_Integer and 0 < exponent <= _MAX_WHOLE:
            # Without `leading`, which would note the first factor as one that must not vanish.
            result = x
            for _ in range(int(exponent) - 1):
                result = self.times(result, x)
            return result
        # (c m (1 + small))**a = c**a m**a sum_k binomial(a, k) small**k.
        first, small = self.leading(x)
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
        # | |a| - |b| | <= |a - b|: what follows the first term is no larger a remainder after `abs` than before.
        rest = x.terms[1].monomial if len(x.terms) > 1 else x.rest
        return Series((Term(Abs(first.factor), first.monomial),), rest)

    def largest(self, a: Series, b: Series) -> Series:
        direction = self.sign(self.sum([a, self.scaled(S.NegativeOne, b)]))
        if direction is not None:
            return a if direction >= 0 else b
        # Sign of the difference open: max(c m, d m) = max(c, d) m to leading order, and |max(a, b) - max(a', b')| <=
        # max(|a - a'|, |b - b'|) bounds the rest.
        sizes = [size_of(x) for x in (a, b) if not x.is_zero]
        size = sizes[0] if len(sizes) == 1 or self.compare(*sizes) >= 0 else sizes[1]
        tops, rests = [], []
        for x in (a, b):
            is_top = bool(x.terms) and x.terms[0].monomial == size
            tops.append(x.terms[0].factor if is_top else S.Zero)
            others = x.terms[is_top:]
            rests.append(others[0].monomial if others else x.rest)
        return self.series([Term(Max(*tops), size)], rests)

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
        # b**e = exp(e log b), for a base that is positive; negative bases are real only at whole exponents.
        return self.exponential(self.times(exponent, self.logarithm(base)))

    def _logarithm(self, node: Expr, x: Series) -> Series:
        if x.is_zero:
            raise Unreal(node, "its argument is 0")
        self._demand_positive(node, x)
        return self.logarithm(x)

    def _demand_positive(self, node: Expr, x: Series) -> None:
        direction = self.sign(x)
        if direction == -1:
            # Of a Pow and a log alike the first argument is what must be positive.
            inner = node.args[0]
            raise Unreal(node, f"{inner} is negative")
        if direction is None:
            if not x.terms:
                raise Cancelled("leading terms cancel")
            self.positive.add(x.terms[0].factor)

    def _extremum(self, largest: bool, args: list[Series]) -> Series:
        # min(a, b) = -max(-a, -b).
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
        self.oscillates = self.oscillates or bool(x.terms)
        # Known to be bounded and no more, as sign(c m + ...) with c of open sign is.
        return Series((), ONE)

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
            # On demand: each derivative of softplus has twice the operations of the one before.
            while len(derivatives) <= k:
                derivatives.append(derivatives[-1].diff(t))
                if derivatives[-1].count_ops() > MAX_SIZE:
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
        # sigmoid(x) = 1/(1 + e^-x) for x -> oo, and e^x/(1 + e^x) for x -> -oo: the exponential always vanishes.
        small = self.exponential(self.scaled(Integer(-direction), x))
        towards_one = self.power(self.sum([self.constant(S.One), small]), S.NegativeOne)
        return towards_one if direction > 0 else self.times(small, towards_one)

    def soft(self, x: Series) -> Series:
        """`softplus` of a large argument; it differs from `max(x, 0)` by at most `log 2`."""
        direction = self.sign(x)
        if direction is None:
            # 0 <= softplus(x) - max(x, 0) <= log 2, which is its value at 0.
            kink = self.largest(x, Series())
            return self.series(list(kink.terms), [kink.rest, ONE])
        # softplus(x) = max(x, 0) + log(1 + e^-|x|).
        small = self.exponential(self.scaled(Integer(-direction), x))
        return self.sum([x if direction > 0 else Series(), self.taylor(_log1p, small)])

    def tangent(self, x: Series) -> Series:
        """`tanh(x) = 2 sigmoid(2 x) - 1` of a large argument."""
        if self.sign(x) is None:
            return self._of_exact_line(x, sign)
        twice = self.scaled(Integer(2), self.logistic(self.scaled(Integer(2), x)))
        return self.sum([twice, self.constant(S.NegativeOne)])

    def arc(self, x: Series) -> Series:
        """`atan(x) = +-pi/2 - atan(1/x)` of a large argument."""
        direction = self.sign(x)
        if direction is None:
            return self._of_exact_line(x, lambda c: pi / 2 * sign(c))
        small = self.taylor(_atan, self.power(x, S.NegativeOne))
        return self.sum([self.constant(direction * pi / 2), self.scaled(S.NegativeOne, small)])

    def guarded(self, func: type, x: Series) -> Series:
        """`plog` and `psqrt`: the guard acts where the argument vanishes, and not where it grows."""
        # |x| < 1e-7 for small y: the guard acts, and func is constant there.
        if x.is_zero or self.direction(size_of(x)) < 0:
            return self.constant(func(S.Zero))
        if self.direction(size_of(x)) > 0 and x.terms:
            size = self.magnitude(x)
            if sign_inside(size.terms[0].factor) is None:
                raise Open("a sign is open")
            return self.logarithm(size) if func is plog else self.power(size, Rational(1, 2))
        if not x.terms:
            if self.direction(size_of(x)) > 0:
                raise Cancelled("leading terms cancel")
            return Series((), ONE)
        # Floored at 1e-7 both have bounded slopes (1e7, 1600): an error O(small) in the argument is O(small) in the
        # value.
        _, constant, small = self.split(x)
        return Series(self.constant(func(constant)).terms, None if small.is_zero else size_of(small))

    def bounded_wave(self, x: Series) -> Series:
        """`sin` and `cos` of a large argument have no limit, but a bound."""
        self.oscillates = True
        return Series((), ONE)


def _factorial(k: int) -> Integer:
    return Integer(1) if k < 2 else k * _factorial(k - 1)


def _log1p(k: int) -> Rational:
    """The coefficient of `x**k` in `log(1 + x)`."""
    return Rational((-1) ** (k + 1), k) if k else S.Zero


def _atan(k: int) -> Rational:
    """The coefficient of `x**k` in `atan(x)`."""
    return Rational((-1) ** (k // 2), k) if k % 2 else S.Zero


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
    atan: lambda e, x: e.smooth(atan, x, e.arc),
    sin: lambda e, x: e.smooth(sin, x, e.bounded_wave),
    cos: lambda e, x: e.smooth(cos, x, e.bounded_wave),
    sinh: lambda e, x: e.smooth(sinh, x, lambda x: e.hyperbolic(x, odd=True)),
    cosh: lambda e, x: e.smooth(cosh, x, lambda x: e.hyperbolic(x, odd=False)),
    sigmoid: lambda e, x: e.smooth(sigmoid, x, e.logistic),
    softplus: lambda e, x: e.smooth(softplus, x, e.soft),
    plog: lambda e, x: e.guarded(plog, x),
    psqrt: lambda e, x: e.guarded(psqrt, x),
}
