"""Bounded algebra: rewritings are equal at 50 digits, zeros are zeros, floats are right, and size stops it."""

from __future__ import annotations

import mpmath
import pytest
from hypothesis import given, settings
from sympy import Abs, Expr, Integer, Rational, Symbol, atan, exp, lambdify, log, sqrt, tanh

from symloss.expr import P, Y
from symloss.theory.functions.algebra import differs, multiplied_out, one_fraction, shorter, tidy, vanishes
from symloss.theory.functions.constants import as_float, number_sign
from symloss.theory.functions.work import Exhausted, limited, remembered, spend
from tests.theory.functions.test_enclose import X, exactly, formulas


@settings(max_examples=40)
@given(formulas())
def test_rewritings_are_equal(expr: Expr) -> None:
    for rewrite in (tidy, shorter, multiplied_out, one_fraction):
        other = rewrite(expr)
        with mpmath.workdps(50):
            for point in (-1.7, 0.3, 2.9):
                before, after = exactly(expr, point), exactly(other, point)
                if before is not None and after is not None:
                    assert abs(before - after) <= mpmath.mpf(10) ** -30 * (1 + abs(before))
    assert not (vanishes(expr) and differs(expr, X, -1.0, 1.0))


ZERO = [
    (X + 1) ** 2 - X**2 - 2 * X - 1, exp(X) * exp(-X) - 1, log(X) - log(2 * X) + log(2), 1 / (1 - X) - 1 - X / (1 - X),
    sqrt(X) ** 2 - X, (X**3 - 1) / (X - 1) - X**2 - X - 1,
]  # fmt: skip
NOT_ZERO = [X - X**2, exp(X) - 1, X * Rational(1, 10**12), tanh(X) - X]


@pytest.mark.parametrize("expr", ZERO, ids=str)
def test_zero(expr: Expr) -> None:
    assert vanishes(expr)
    assert not differs(expr, X, 0.1, 0.9)


@pytest.mark.parametrize("expr", NOT_ZERO, ids=str)
def test_not_zero(expr: Expr) -> None:
    assert not vanishes(expr)
    assert differs(expr, X, 0.1, 0.9)


def test_a_target_may_be_negative() -> None:
    assert not vanishes(sqrt(Y**2) - Y)
    assert not vanishes(Abs(Y) - Y)


def test_size_stops_algebra_not_the_clock() -> None:
    huge = sum((X + P + k) ** 12 / (k + exp(X * k)) for k in range(1, 12))
    with limited(10**6) as meter:
        assert tidy(huge) == huge or tidy(huge) - huge != 1
        assert multiplied_out(huge) == huge
    assert meter.used < 10**6


@pytest.mark.parametrize(
    ("number", "sign"),
    [(Rational(-3, 7), -1), (Integer(0), 0), (sqrt(2) - Rational(141, 100), 1), (log(2) + log(3) - log(6), 0),
     (atan(Rational(1, 2)) - Rational(4636476090008061, 10**16), 1),
     ((1 + sqrt(2)) ** 2 - 3 - 2 * sqrt(2), 0), (exp(1) - 3, -1)],
)  # fmt: skip
def test_signs_of_constants(number: Expr, sign: int) -> None:
    assert number_sign(number) == sign


def test_floats_of_constants() -> None:
    for number in (sqrt(2), exp(-3), log(5) / 7, sqrt(2) - Rational(14142135623730951, 10**16)):
        with mpmath.workdps(60):
            assert as_float(number) == float(lambdify([], number, "mpmath")())
    assert as_float(Symbol("a")) is None


# Counting


def test_work_is_counted_and_limited() -> None:
    with limited(10) as meter:
        spend(4)
        with limited(3) as inner, pytest.raises(Exhausted, match="3 steps"):
            spend(4)
        assert (meter.used, inner.used) == (4, 4)
        with pytest.raises(Exhausted, match="10 steps"):
            spend(7)


def test_what_is_remembered_costs_what_it_did() -> None:
    calls = []

    @remembered(2)
    def square(x: int) -> int:
        calls.append(x)
        spend(x)
        return x * x

    prices = []
    for x in (3, 3, 4, 5, 3):
        with limited(100) as meter:
            assert square(x) == x * x
        prices.append(meter.used)
    assert prices == [3, 3, 4, 5, 3]
    assert calls == [3, 4, 5, 3]  # two are kept
    for _ in range(2):  # never asked before, and asked before
        with limited(6) as meter, pytest.raises(Exhausted):
            square(7)
        with limited(6):
            spend(2)
            with pytest.raises(Exhausted):
                square(5)
    with limited(7) as meter:
        assert square(7) == 49
