"""Tails: an expansion and its remainder hold the formula on the whole stretch, at 50 digits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import Expr, Rational, Symbol, atan, cos, cosh, exp, lambdify, log, oo, sin, sinh, sqrt, tanh

from symloss.expr import elementary, log_cosh, sigmoid, softplus
from symloss.theory.functions.ends import tail_at
from symloss.theory.functions.growth import Growth
from symloss.theory.functions.points import Cell, Point
from symloss.theory.functions.tail import Tail, TailError, bounds_of

X = Symbol("x", real=True)
UNIT = Cell(Point.at(Rational(0)), Point.at(Rational(1)))
OO = mpmath.inf
LINE = Cell(Point.at(-oo), Point.at(oo))


def _at(tail: Tail, x: Any) -> tuple[Any, Any]:
    """The ends of the interval that the tail gives at a distance."""
    low = high = mpmath.mpf(0)
    length = mpmath.log(1 / x)
    for a, b, c in tail.terms:
        size = x ** _exact(a) * length ** _exact(b)
        ends = [size * _exact(end) for end in ((c, c) if isinstance(c, Fraction) else bounds_of(c))]
        low, high = low + min(ends), high + max(ends)
    if tail.rest is not None:
        a, b, r = tail.rest
        size = r * x ** _exact(a) * length ** _exact(b)
        low, high = low - size, high + size
    return low, high


def _exact(value: Any) -> Any:
    return (
        mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)
    )


def _holds(expr: Expr, cell: Cell, side: int, eps: float) -> bool:
    """Whether there is a tail, and if so it holds what the formula is."""
    try:
        found = tail_at(expr, X, cell, side, eps)
    except TailError:
        return False
    point = cell.left if side < 0 else cell.right
    value = lambdify([X], elementary(expr), "mpmath")
    with mpmath.workdps(60):
        for share in (1, 0.9, 0.4, 0.05) if found.exponent.terms else (1, 0.9, 0.4, 0.05, 1e-3, 1e-6):
            distance = mpmath.mpf(eps) * share
            at = side / distance if not point.is_finite else point.lo - side * distance
            low, high = _at(found.factor, distance)
            least, most = (mpmath.exp(end) for end in _at(found.exponent, distance))
            # Less than 60 digits hold an exponential of that size, or an argument of it.
            here = value(at)
            slack = mpmath.mpf(10) ** -40 * (1 + abs(here))
            ends = [end * size for end in (low, high) for size in (least, most)]
            assert min(ends) - slack <= here <= max(ends) + slack, (expr, side, eps, distance)
            if found.sign() and here:
                assert found.sign() == mpmath.sign(here)
    return True


NEAR = [
    X * log(X), log(X) ** 2 * sqrt(X), 1 / X - log(X), exp(X) - 1 - X, sin(X) / X, (1 - X) ** Rational(7, 3),
    tanh(X) - X, atan(1 + X), atan(X) - X, atan(1 / X) * X, atan(log(X)),
    softplus(X), sigmoid(1 / X), exp(-1 / X), log(1 + X) / X, cosh(X) - cos(X), log_cosh(X), sqrt(1 + X) - sqrt(1 - X),
    X ** Rational(3, 10) * log(X), log(2 * X) * (1 - X), exp(log(X) / 2), 1 / (1 - log(X)), log(X + X**2),
    sinh(X) / X**2,
    log(1 + exp(1 / X)), tanh(1 / X), X**X, log(1 - X), (1 - X) * log(1 - X), log(X) - log(1 - X),
]  # fmt: skip
FAR = [
    X, 1 / X, log(1 + X**2), X / (1 + X**2), sqrt(1 + X**2), tanh(X), X * exp(-(X**2)), softplus(X), log_cosh(X),
    X**2 * exp(-X * tanh(X)), sigmoid(X) - sigmoid(-X), log(1 + exp(-(X**2))),
    atan(X), atan(2 * X - 1) ** 2, X * atan(exp(X)), atan(1 / X) * X,
]  # fmt: skip


@pytest.mark.parametrize("eps", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("expr", NEAR, ids=str)
def test_next_to_an_end_of_the_unit_stretch(expr: Expr, eps: float) -> None:
    found = [_holds(expr, UNIT, side, eps) for side in (-1, 1)]
    assert any(found)


@pytest.mark.parametrize("eps", [1e-2, 1e-3])
@pytest.mark.parametrize("expr", FAR, ids=str)
def test_far_out(expr: Expr, eps: float) -> None:
    assert any(_holds(expr, LINE, side, eps) for side in (-1, 1))


@st.composite
def sums(draw: Any) -> Expr:
    """Products of powers, logarithms and functions, added up."""
    atoms = [X, log(X), 1 - X, exp(X), tanh(X), sin(X), sqrt(X), softplus(X), log(1 - X), sigmoid(X), 1 / X]
    terms = draw(st.lists(st.lists(st.sampled_from(atoms), min_size=1, max_size=3), min_size=1, max_size=3))
    total = Rational(draw(st.integers(-3, 3)), 7)
    for term in terms:
        product = Rational(draw(st.integers(1, 9)), 5)
        for atom in term:
            product *= atom
        total += product
    return total


@given(sums(), st.sampled_from([-1, 1]), st.sampled_from([1e-2, 1e-5, 1e-9]))
def test_sums_of_products(expr: Expr, side: int, eps: float) -> None:
    assume(X in expr.free_symbols)
    _holds(expr, UNIT, side, eps)


@pytest.mark.parametrize(
    ("expr", "side", "limit"),
    [(X * log(X), -1, 0.0), (sin(X) / X, -1, 1.0), (log(X), -1, float("-inf")), (1 / X - log(X), -1, float("inf")),
     (tanh(1 / X), -1, 1.0), (log(1 - X), 1, float("-inf"))],
)  # fmt: skip
def test_limits(expr: Expr, side: int, limit: float) -> None:
    lo, hi = tail_at(expr, X, UNIT, side, 1e-4).limit()
    assert lo <= limit <= hi
    assert lo == hi == limit or hi - lo < 1e-10


GROWING = [
    exp(X) - X - 1, cosh(X) - 1, log(exp(X) + exp(-X)), X**3 * exp(-X), exp(X) / (1 + exp(2 * X)), sinh(X) - X**5,
    exp(X**2) - exp(X**2 - X), (1 + exp(X)) ** Rational(1, 3), exp(2 * X) - 3 * exp(X) + X, sqrt(cosh(X)),
    log(1 + X**2 * exp(X)), 1 / (exp(X) - X**2), exp(X) - X**100,
]  # fmt: skip


@pytest.mark.parametrize("expr", GROWING, ids=str)
def test_growth_beyond_powers(expr: Expr) -> None:
    assert [_holds(expr, LINE, side, 5e-3) for side in (-1, 1)] == [True, True]


@pytest.mark.parametrize(
    ("expr", "limits"),
    [
        (exp(X) - X - 1, (OO, OO)), (cosh(X), (OO, OO)), (X * exp(-(X**2)), (0, 0)), (exp(X) / (1 + exp(X)), (0, 1)),
        (sinh(X), (-OO, OO)), (log(exp(X) + exp(-X)) - X, (OO, 0)), (exp(X) - exp(2 * X), (0, -OO)),
        (exp(-exp(X)), (1, 0)), (tanh(exp(X) - X), (1, 1)), (sigmoid(-exp(X)), (0.5, 0)),
    ],
    ids=str,
)  # fmt: skip
def test_limits_of_growth(expr: Expr, limits: tuple[float, float]) -> None:
    for side, limit in zip((-1, 1), limits, strict=True):
        lo, hi = tail_at(expr, X, LINE, side, 1e-3).limit()
        assert lo <= limit <= hi
        assert lo == hi or hi - lo < 1e-9


@pytest.mark.parametrize(
    ("expr", "signs"),
    [
        (softplus(-X) - exp(-X), (-1, -1)), (sigmoid(X) + sigmoid(2 * X) - 2, (-1, -1)),
        (1 - 2 * sigmoid(X) + sigmoid(X) ** 2, (1, 1)), (exp(X) + exp(X / 2) - exp(X) * (1 + exp(-X)), (-1, 1)),
    ],
    ids=str,
)  # fmt: skip
def test_exponentials_as_powers_keep_what_the_strongest_hides(expr: Expr, signs: tuple[int, int]) -> None:
    told = []
    for side, sign in zip((-1, 1), signs, strict=True):
        found = tail_at(expr, X, LINE, side, 3e-2, fast=True)
        assert found.sign() in (0, sign)
        told.append(found.sign())
        value = lambdify([X], elementary(expr), "mpmath")
        with mpmath.workdps(60):
            assert mpmath.sign(value(mpmath.mpf(side) * 40)) == sign
    assert any(told)


def test_exponents_that_only_rounding_makes_equal_do_not_cancel() -> None:
    near = sqrt(2) + Rational(1, 10**30)
    with pytest.raises(TailError):
        tail_at(exp(sqrt(2) * X) - exp(near * X), X, LINE, 1, 1e-3)


def test_slow_growth_is_not_taken_for_fast() -> None:
    expr = exp(sqrt(log(X)))
    with pytest.raises(TailError):
        Growth.limit(tail_at(expr, X, Cell(Point.at(Rational(2)), Point.at(oo)), 1, 1e-3))


def test_a_formula_without_such_an_expansion_has_none() -> None:
    for expr in (X * sin(1 / X) / X**2, log(-log(X)), exp(sqrt(-log(X)))):
        with pytest.raises(TailError):
            tail_at(expr, X, UNIT, -1, 1e-4).limit()


def test_what_turns_for_ever_stays_in_its_range() -> None:
    assert tail_at(sin(1 / X), X, UNIT, -1, 1e-4).limit() == (-1.0, 1.0)
    assert tail_at(X * cos(exp(1 / X)), X, UNIT, -1, 1e-4).limit() == (0.0, 0.0)
    assert tail_at(2 * X + sin(X), X, LINE, 1, 1e-3).sign() == 1
