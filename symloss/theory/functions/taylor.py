"""Functions of a tail that stays bounded, by Taylor's formula with Lagrange's remainder; logarithms and powers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from sympy import Rational

from symloss.theory.functions.interval import Interval
from symloss.theory.functions.tail import Num, Tail, TailError, Term, bounds_of, magnitude, multiply, num_add

__all__ = [
    "atan_near",
    "cos_near",
    "exp_near",
    "log_of",
    "log_two",
    "power_of",
    "right_angle",
    "sigmoid_near",
    "sin_near",
    "softplus_near",
    "split",
    "tanh_near",
]

_ONE = Fraction(1)
_ZERO = Fraction(0)
# Powers up to the fourth are kept: a root of that order still shows a leading term.
_ORDER = 5
"""Taylor's formula keeps this many terms and bounds the next."""


def split(f: Tail) -> tuple[list[Term], Num, Tail]:
    """The terms that diverge, the constant and the part that vanishes."""
    # Only what tends to 0 may be expanded in.
    if f.rest is not None and not (f.rest[0] > 0 or (f.rest[0] == 0 and f.rest[1] < 0)):
        raise TailError("the remainder does not vanish")
    large = [t for t in f.terms if t[0] < 0 or (t[0] == 0 and t[1] > 0)]
    constant: Num = next((t[2] for t in f.terms if t[:2] == (_ZERO, _ZERO)), _ZERO)
    small = [t for t in f.terms if t not in large and t[:2] != (_ZERO, _ZERO)]
    return large, constant, Tail(tuple(small), f.rest, f.eps)


def _box(value: Num) -> Interval:
    lo, hi = bounds_of(value)
    return Interval(np.asarray(lo), np.asarray(hi))


def _num(box: Interval) -> Num:
    lo, hi = float(box.lo), float(box.hi)
    if not (math.isfinite(lo) and math.isfinite(hi)):
        raise TailError("a coefficient overflows")
    return lo, hi


def _compose(coefficients: Sequence[Num], last: Num, small: Tail) -> Tail:
    """`sum_k c_k small**k` and Lagrange's remainder `last * small**n`."""
    # Before the last line `power` is small**n, n being one more than the last order kept.
    result = Tail.constant(coefficients[0], small.eps)
    power = small
    for coefficient in coefficients[1:]:
        if coefficient != 0:
            result = result + power.scaled(coefficient)
        power = power * small
    return result + power.as_remainder(magnitude(last) * (1 + 1e-12))


def _reach(small: Tail) -> float:
    # With |small| < 1/2 powers of it fall, and 1 + small, of logarithms and roots, stays positive.
    reach = small.size()
    if not reach < 0.5:
        raise TailError("too far from the point")
    return reach


_Series = Callable[[Num], list[Num]]
"""Taylor's coefficients 0 .. _ORDER of a function at a number or over an interval."""


def _near(series: _Series) -> Callable[[Tail], Tail]:
    """A function of a tail that stays bounded, by Taylor's formula."""

    def apply(f: Tail) -> Tail:
        large, constant, small = split(f)
        if large:
            raise TailError("the argument diverges")
        reach = _reach(small)
        # Lagrange: the remainder is f^(n)(xi)/n! small**n with xi between the constant and the argument, so the last
        # coefficient is enclosed over all that the argument can be. The constant may be an interval: every coefficient
        # then holds for each of its members.
        lo, hi = bounds_of(constant)
        around = series((math.nextafter(lo - reach, -math.inf), math.nextafter(hi + reach, math.inf)))
        return _compose(series(constant)[:_ORDER], around[_ORDER], small)

    return apply


def _value(x: Num, function: Callable[[Interval], Interval], at_zero: Fraction) -> Num:
    if x == 0:
        return at_zero
    with np.errstate(all="ignore"):
        return _num(function(_box(x)))


def _exp_series(x: Num) -> list[Num]:
    value = _value(x, Interval.exp, _ONE)
    return [multiply(value, Fraction(1, math.factorial(k))) for k in range(_ORDER + 1)]


def _logistic_series(first: Num, step: Callable[[int, list[Num], Num], Num]) -> list[Num]:
    """The coefficients of a solution of `f' = g(f)` with `g` quadratic, by the recurrence of its series."""
    terms = [first]
    for k in range(_ORDER):
        # [h**k] f**2 is the sum of f_i f_(k-i), and f' has the coefficients (k+1) f_(k+1): equating powers in f' = g(f)
        # gives each coefficient from those before.
        square: Num = _ZERO
        for i in range(k + 1):
            square = num_add(square, multiply(terms[i], terms[k - i]))
        terms.append(multiply(step(k, terms, multiply(square, Fraction(-1))), Fraction(1, k + 1)))
    return terms


def _tanh_series(x: Num) -> list[Num]:
    # t' = 1 - t**2
    return _logistic_series(
        _value(x, Interval.tanh, _ZERO), lambda k, f, minus: num_add(_ONE, minus) if k == 0 else minus
    )


def _sigmoid_series(x: Num) -> list[Num]:
    # s' = s - s**2
    return _logistic_series(
        _value(x, Interval.sigmoid, Fraction(1, 2)), lambda k, f, minus: num_add(f[k], minus)
    )


def _softplus_series(x: Num) -> list[Num]:
    # its derivative is the sigmoid
    slopes = _sigmoid_series(x)
    with np.errstate(all="ignore"):
        value = _num(_box(x).softplus())
    return [value, *(multiply(slopes[k], Fraction(1, k + 1)) for k in range(_ORDER))]


def _atan_series(x: Num) -> list[Num]:
    # f' = 1/(1 + x**2), whose series in h is that of 1/(q + 2 x h + h**2) with q = 1 + x**2
    # From s (q + 2 x h + h**2) = 1: q s_0 = 1, and q s_k + 2 x s_(k-1) + s_(k-2) = 0 for k >= 1. Over an interval q >=
    # 1, so the division is safe.
    inverse = _inverse(num_add(_ONE, _square(x)))
    slopes: list[Num] = [inverse]
    for k in range(1, _ORDER):
        last = multiply(multiply(Fraction(2), x), slopes[k - 1])
        before: Num = slopes[k - 2] if k > 1 else _ZERO
        slopes.append(multiply(multiply(num_add(last, before), Fraction(-1)), inverse))
    value = _value(x, Interval.atan, _ZERO)
    return [value, *(multiply(slopes[k], Fraction(1, k + 1)) for k in range(_ORDER))]


def _square(x: Num) -> Num:
    """Never below 0, as the product of an interval around 0 with itself would be."""
    if isinstance(x, Fraction):
        return x * x
    with np.errstate(all="ignore"):
        return _num(_box(x).integer_power(2))


def _circular(x: Num, phase: int) -> list[Num]:
    """Coefficients of the sine (`phase` 0) or cosine (1)."""
    sine, cosine = _value(x, Interval.sin, _ZERO), _value(x, Interval.cos, _ONE)
    # The derivatives of sin are sin, cos, -sin, -cos and again; cos begins one later.
    cycle = (sine, cosine, multiply(sine, Fraction(-1)), multiply(cosine, Fraction(-1)))
    return [multiply(cycle[(k + phase) % 4], Fraction(1, math.factorial(k))) for k in range(_ORDER + 1)]


def _log_series(x: Num) -> list[Num]:
    """Of `log(1 + x)` about 0, or over an interval around 0 its last."""
    if x == 0:
        return [_ZERO, *(Fraction((-1) ** (k + 1), k) for k in range(1, _ORDER + 1))]
    # log^(n)(1 + x)/n! = (-1)**(n+1) (1 + x)**-n / n; only its size counts.
    return [_ZERO] * _ORDER + [multiply(_one_plus(x, Fraction(-_ORDER)), Fraction(1, _ORDER))]


def _power_series(r: Fraction) -> _Series:
    """Of `(1 + x)**r` about 0, or over an interval around 0 its last."""
    binomials = [_ONE]
    for k in range(_ORDER):
        binomials.append(binomials[-1] * (r - k) / (k + 1))

    def series(x: Num) -> list[Num]:
        if x == 0:
            return list(binomials)
        # The n-th derivative over n! is binom(r, n) (1 + x)**(r - n).
        return [_ZERO] * _ORDER + [multiply(_one_plus(x, r - _ORDER), binomials[-1])]

    return series


def _one_plus(x: Num, exponent: Fraction) -> Num:
    """`(1 + x)**exponent` over an interval within [-1/2, 1/2]."""
    power = float(exponent)
    with np.errstate(all="ignore"):
        return _num(_box(num_add(_ONE, x)).positive_power(power, abs(power) * 3e-16))


exp_near, tanh_near = _near(_exp_series), _near(_tanh_series)
sigmoid_near, softplus_near = _near(_sigmoid_series), _near(_softplus_series)
atan_near = _near(_atan_series)
sin_near, cos_near = _near(lambda x: _circular(x, 0)), _near(lambda x: _circular(x, 1))
_log_near = _near(_log_series)


def log_two() -> Num:
    """`log 2`."""
    with np.errstate(all="ignore"):
        return _num(Interval.of(2).log())


def right_angle() -> Num:
    """`pi/2`."""
    return math.nextafter(math.pi / 2, 0), math.nextafter(math.pi / 2, 2)


def log_of(f: Tail) -> Tail:
    """The logarithm of a positive tail without one in its leading term.

    Raises:
        TailError: of another.
    """
    a, b, c = f.lead()
    if b != 0:
        raise TailError("a logarithm of a logarithm")
    if bounds_of(c)[0] <= 0:
        raise TailError("the logarithm of a negative number")
    with np.errstate(all="ignore"):
        value: Num = _ZERO if c == 1 else _num(_box(c).log())
    # log(c x**a (1 + h)) = log c - a L + log(1 + h), h the other terms over the first; `_near` refuses |h| >= 1/2, so f
    # keeps the sign of c.
    near = _log_near(f.without_lead().shifted(-a, _ZERO, _inverse(c)))
    return near + Tail.build([(_ZERO, _ONE, -a), (_ZERO, _ZERO, value)], [], f.eps)


def _inverse(c: Num) -> Num:
    with np.errstate(all="ignore"):
        return 1 / c if isinstance(c, Fraction) else _num(_box(c).reciprocal())


def power_of(f: Tail, exponent: Fraction) -> Tail:
    """A power of a tail; of a positive one unless the exponent is whole."""
    # Small whole powers by multiplication: exact, and without a leading term to divide by.
    if exponent.denominator == 1 and 0 <= exponent <= 4:
        result = Tail.constant(_ONE, f.eps)
        for _ in range(int(exponent)):
            result = result * f
        return result
    a, b, c = f.lead()
    with np.errstate(all="ignore"):
        if exponent.denominator == 1:
            n = int(exponent)
            value: Num = c**n if isinstance(c, Fraction) and abs(n) < 60 else _num(_box(c).integer_power(n))
        elif bounds_of(c)[0] <= 0:
            raise TailError("a root of a negative number")
        else:
            value = _exact_root(c, exponent) or _num(
                _box(c).positive_power(float(exponent), abs(float(exponent)) * 3e-16)
            )
    # (c x**a L**b (1 + h))**e = c**e x**(a e) L**(b e) (1 + h)**e.
    near = _near(_power_series(exponent))(f.without_lead().shifted(-a, -b, _inverse(c)))
    return near.shifted(a * exponent, b * exponent, value)


def _exact_root(c: Num, exponent: Fraction) -> Fraction | None:
    if not isinstance(c, Fraction) or exponent.denominator > 6 or abs(exponent.numerator) > 60:
        return None
    root = Rational(c.numerator, c.denominator) ** Rational(1, exponent.denominator)
    return Fraction(root.p, root.q) ** exponent.numerator if isinstance(root, Rational) else None
