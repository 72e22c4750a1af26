"""From a smooth formula to its tail at a point (see `tail`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from sympy import Add, Expr, Mul, Pow, Rational, Symbol, cos, cosh, exp, log, sin, sinh, tanh

from symloss.expr import log_cosh, sigmoid, softplus
from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.interval import Interval
from symloss.theory.functions.tail import Num, Tail, TailError, bounds_of, magnitude, multiply, num_add

__all__ = ["expand_at"]

_ONE = Fraction(1)
_ZERO = Fraction(0)
_ORDER = 5
"""Taylor's formula keeps this many terms and bounds the next."""


def expand_at(
    expr: Expr, variable: Symbol, start: Tail, vanishes: Callable[[Expr], bool] = lambda node: False
) -> Tail:
    """The tail of `expr` where `variable` has the tail `start`.

    Args:
        expr: smooth on the stretch: of functions only exp, log, tanh, sin, cos, sinh, cosh, sigmoid,
            softplus and powers.
        variable: the symbol that runs towards the point.
        start: its own tail, such as `1 - x` at one.
        vanishes: whether a subexpression is known to be zero at the point, which rounding would hide.

    Raises:
        TailError: where there is no such expansion, or none that holds on the whole stretch.
    """
    seen: dict[Expr, Tail] = {}

    def of(node: Expr) -> Tail:
        if node not in seen:
            result = step(node)
            if _hides_zero(result) and vanishes(node):
                terms = tuple(term for term in result.terms if term[:2] != (_ZERO, _ZERO))
                result = Tail(terms, result.rest, result.eps)
            seen[node] = result
        return seen[node]

    def step(node: Expr) -> Tail:
        if node == variable:
            return start
        if isinstance(node, Rational):
            return Tail.constant(Fraction(node.p, node.q), start.eps)
        if not node.free_symbols:
            box = enclose_number(node)
            return Tail.constant((float(box.lo), float(box.hi)), start.eps)
        if isinstance(node, Add | Mul):
            parts = [of(arg) for arg in node.args]
            result = parts[0]
            for part in parts[1:]:
                result = result + part if isinstance(node, Add) else result * part
            return result
        if isinstance(node, Pow):
            if isinstance(node.exp, Rational):
                return _power(of(node.base), Fraction(node.exp.p, node.exp.q))
            return _exp(of(node.exp) * _log(of(node.base)))
        rule = _RULES.get(node.func)
        if rule is None:
            raise TailError(f"no expansion of {node.func}")
        return rule(of(node.args[0]))

    return of(expr)


def _hides_zero(f: Tail) -> bool:
    """Whether the constant term is an interval around zero."""
    return any(
        t[:2] == (_ZERO, _ZERO) and isinstance(t[2], tuple) and t[2][0] <= 0 <= t[2][1] for t in f.terms
    )


def _split(f: Tail) -> tuple[list[tuple[Fraction, Fraction, Num]], Num, Tail]:
    """The terms that diverge, the constant and the part that vanishes."""
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
    result = Tail.constant(coefficients[0], small.eps)
    power = small
    for coefficient in coefficients[1:]:
        if coefficient != 0:
            result = result + power.scaled(coefficient)
        power = power * small
    return result + power.as_remainder(magnitude(last) * (1 + 1e-12))


def _reach(small: Tail) -> float:
    reach = small.size()
    if not reach < 0.5:
        raise TailError("too far from the point")
    return reach


_Series = Callable[[Num], list[Num]]
"""Taylor's coefficients 0 .. _ORDER of a function at a number or over an interval."""


def _near(series: _Series) -> Callable[[Tail], Tail]:
    """A function of a tail that stays bounded, by Taylor's formula."""

    def apply(f: Tail) -> Tail:
        large, constant, small = _split(f)
        if large:
            raise TailError("the argument diverges")
        reach = _reach(small)
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
    found = [first]
    for k in range(_ORDER):
        square: Num = _ZERO
        for i in range(k + 1):
            square = num_add(square, multiply(found[i], found[k - i]))
        found.append(multiply(step(k, found, multiply(square, Fraction(-1))), Fraction(1, k + 1)))
    return found


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


def _circular(x: Num, phase: int) -> list[Num]:
    """Coefficients of the sine (`phase` 0) or cosine (1)."""
    sine, cosine = _value(x, Interval.sin, _ZERO), _value(x, Interval.cos, _ONE)
    cycle = (sine, cosine, multiply(sine, Fraction(-1)), multiply(cosine, Fraction(-1)))
    return [multiply(cycle[(k + phase) % 4], Fraction(1, math.factorial(k))) for k in range(_ORDER + 1)]


def _log_series(x: Num) -> list[Num]:
    """Of `log(1 + x)` about 0, or over an interval around 0 its last."""
    if x == 0:
        return [_ZERO, *(Fraction((-1) ** (k + 1), k) for k in range(1, _ORDER + 1))]
    return [_ZERO] * _ORDER + [multiply(_one_plus(x, Fraction(-_ORDER)), Fraction(1, _ORDER))]


def _power_series(r: Fraction) -> _Series:
    """Of `(1 + x)**r` about 0, or over an interval around 0 its last."""
    binomials = [_ONE]
    for k in range(_ORDER):
        binomials.append(binomials[-1] * (r - k) / (k + 1))

    def series(x: Num) -> list[Num]:
        if x == 0:
            return list(binomials)
        return [_ZERO] * _ORDER + [multiply(_one_plus(x, r - _ORDER), binomials[-1])]

    return series


def _one_plus(x: Num, exponent: Fraction) -> Num:
    """`(1 + x)**exponent` over an interval within [-1/2, 1/2]."""
    power = float(exponent)
    with np.errstate(all="ignore"):
        return _num(_box(num_add(_ONE, x)).positive_power(power, abs(power) * 3e-16))


_exp_near, _tanh_near = _near(_exp_series), _near(_tanh_series)
_log_near = _near(_log_series)


def _exp(f: Tail) -> Tail:
    large, constant, small = _split(f)
    if not large:
        return _exp_near(f)
    a, b, c = large[0]
    if len(large) == 1 and (a, b) == (_ZERO, _ONE) and isinstance(c, Fraction):
        # exp(c L) = x**(-c)
        return _exp_near(Tail.build([(_ZERO, _ZERO, constant)], [], f.eps) + small).shifted(-c, _ZERO, _ONE)
    sign = f.sign()
    if sign > 0:
        raise TailError("grows faster than every power")
    # exp(f) <= x**K as soon as f <= -K L, that is f + K L < 0.
    power = Fraction(8)
    if sign < 0 and (f + Tail(((_ZERO, _ONE, power),), None, f.eps)).sign() < 0:
        return Tail((), (power, _ZERO, 1.0), f.eps)
    raise TailError("the argument diverges slowly")


def _log(f: Tail) -> Tail:
    a, b, c = f.lead()
    if b != 0:
        raise TailError("a logarithm of a logarithm")
    if bounds_of(c)[0] <= 0:
        raise TailError("the logarithm of a negative number")
    with np.errstate(all="ignore"):
        value: Num = _ZERO if c == 1 else _num(_box(c).log())
    near = _log_near(f.without_lead().shifted(-a, _ZERO, _inverse(c)))
    return near + Tail.build([(_ZERO, _ONE, -a), (_ZERO, _ZERO, value)], [], f.eps)


def _inverse(c: Num) -> Num:
    with np.errstate(all="ignore"):
        return 1 / c if isinstance(c, Fraction) else _num(_box(c).reciprocal())


def _power(f: Tail, exponent: Fraction) -> Tail:
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
    near = _near(_power_series(exponent))(f.without_lead().shifted(-a, -b, _inverse(c)))
    return near.shifted(a * exponent, b * exponent, value)


def _exact_root(c: Num, exponent: Fraction) -> Fraction | None:
    if not isinstance(c, Fraction) or exponent.denominator > 6 or abs(exponent.numerator) > 60:
        return None
    root = Rational(c.numerator, c.denominator) ** Rational(1, exponent.denominator)
    return Fraction(root.p, root.q) ** exponent.numerator if isinstance(root, Rational) else None


def _tanh(f: Tail) -> Tail:
    large, _, _ = _split(f)
    if not large:
        return _tanh_near(f)
    # tanh f = 1 - 2/(exp(2 f) + 1), and odd.
    sign = f.sign()
    if not sign:
        raise TailError("diverges with unknown sign")
    falling = _exp(f.scaled(Fraction(-2 * sign)))
    one = Tail.constant(_ONE, f.eps)
    return (one + (falling * _power(one + falling, Fraction(-1))).scaled(Fraction(-2))).scaled(Fraction(sign))


def _sigmoid(f: Tail) -> Tail:
    one = Tail.constant(_ONE, f.eps)
    if not _split(f)[0]:
        return _near(_sigmoid_series)(f)
    if f.sign() > 0:
        return _power(one + _exp(f.scaled(Fraction(-1))), Fraction(-1))
    rising = _exp(f)
    return rising * _power(one + rising, Fraction(-1))


def _softplus(f: Tail) -> Tail:
    one = Tail.constant(_ONE, f.eps)
    if not _split(f)[0]:
        return _near(_softplus_series)(f)
    if f.sign() > 0:
        return f + _log(one + _exp(f.scaled(Fraction(-1))))
    return _log(one + _exp(f))


def _halves(f: Tail, sign: int) -> Tail:
    try:
        rising = _exp(f)
        falling = _exp(f.scaled(Fraction(-1)))
    except TailError:
        raise TailError("grows faster than every power") from None
    return (rising + falling.scaled(Fraction(sign))).scaled(Fraction(1, 2))


def _log_cosh(f: Tail) -> Tail:
    if not _split(f)[0]:
        return _log(_halves(f, 1))
    sign = f.sign()
    if not sign:
        raise TailError("diverges with unknown sign")
    # log(cosh f) = |f| + log(1 + exp(-2 |f|)) - log 2
    size = f.scaled(Fraction(sign))
    one = Tail.constant(_ONE, f.eps)
    with np.errstate(all="ignore"):
        less = Tail.constant(multiply(_num(Interval.of(2).log()), Fraction(-1)), f.eps)
    return size + less + _log(one + _exp(size.scaled(Fraction(-2))))


_RULES: dict[object, Callable[[Tail], Tail]] = {
    exp: _exp,
    log: _log,
    tanh: _tanh,
    sin: _near(lambda x: _circular(x, 0)),
    cos: _near(lambda x: _circular(x, 1)),
    sinh: lambda f: _halves(f, -1),
    cosh: lambda f: _halves(f, 1),
    log_cosh: _log_cosh,
    sigmoid: _sigmoid,
    softplus: _softplus,
}
