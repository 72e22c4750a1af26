"""Sign patterns: every stretch has the sign that it says, and every root lies in its bracket."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer, Mul, Rational, Symbol, cos, exp, lambdify, log, oo, sin, sqrt, tanh

from symloss.expr import elementary, log_cosh, sigmoid, softplus
from symloss.theory.functions.closed_roots import closed_root
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.points import Cell, Point, Span
from symloss.theory.functions.signs import sign_pattern

X = Symbol("x", real=True)
UNIT = Cell(Point.at(Integer(0)), Point.at(Integer(1)))
LINE = Cell(Point.at(-oo), Point.at(oo))


def _check(expr: Expr, spans: tuple[Span, ...]) -> None:
    value = lambdify([X], elementary(expr), "mpmath")
    assert all(a.right == b.left for a, b in pairwise(spans))
    for span in spans:
        low = span.left.hi if span.left.is_finite else min(span.right.lo, 0.0) - 50.0
        high = span.right.lo if span.right.is_finite else max(span.left.hi, 0.0) + 50.0
        assert low <= high
        if span.sign is None:
            continue
        with mpmath.workdps(60):
            for share in (1e-9, 1e-4, 0.03, 0.2, 0.51, 0.77, 0.96, 1 - 1e-6):
                at = mpmath.mpf(low) + (mpmath.mpf(high) - mpmath.mpf(low)) * share
                assert mpmath.sign(value(at)) == span.sign, (expr, span, at)


FUNCTIONS = [log(X) + 2, exp(X) - Rational(3, 2), sqrt(X) - Rational(1, 2), tanh(3 * X) - Rational(1, 3),
             X * log(X) + Rational(1, 5), sin(6 * X), cos(5 * X) - X, softplus(X) - 1, sigmoid(X) - Rational(3, 5),
             log_cosh(X), X**2 - X + Rational(1, 4), 1 - X, 1 / X - 2, log(X) ** 2, X + exp(-20 * X)]  # fmt: skip


@pytest.mark.parametrize("expr", FUNCTIONS, ids=str)
def test_on_the_unit_stretch(expr: Expr) -> None:
    spans = sign_pattern(expr, X, UNIT)
    assert None not in {span.sign for span in spans}
    _check(expr, spans)


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True), st.integers(-4, 4), st.integers(0, 2)
)
def test_products_of_known_roots(roots: list[int], factor: int, extra: int) -> None:
    assume(factor)
    others = [1 + X**2, exp(X), log(X)][:extra]
    expr = Mul(factor, *[X - Rational(root, 100) for root in roots], *others)
    spans = sign_pattern(expr, X, UNIT)
    _check(expr, spans)
    borders = [span.right for span in spans[:-1]]
    for root, border in zip(sorted(roots), borders, strict=True):
        assert border.lo <= root / 100 <= border.hi
        assert border.exact == Rational(root, 100)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(FUNCTIONS), min_size=1, max_size=3), st.integers(-9, 9))
def test_sums(terms: list[Expr], constant: int) -> None:
    expr = sum(terms, Rational(constant, 10))
    assume(X in expr.free_symbols)
    _check(expr, sign_pattern(expr, X, UNIT))


@pytest.mark.parametrize(
    "expr",
    [X, X * exp(-(X**2)), tanh(X) - X / 2, 1 - tanh(X), X / (1 + X**2) - Rational(1, 5), log_cosh(X), X**3 - X,
     softplus(X) - softplus(-X), 1 + exp(X**2), log(1 + X**2) - 1, 3 * X**4 + X**2, -(X**2) - 1],
    ids=str,
)  # fmt: skip
def test_on_the_line(expr: Expr) -> None:
    spans = sign_pattern(expr, X, LINE)
    assert None not in {span.sign for span in spans}
    _check(expr, spans)


def test_a_formula_that_vanishes_has_the_sign_zero() -> None:
    spans = sign_pattern((X + 1) ** 2 - X**2 - 2 * X - 1, X, UNIT)
    assert [span.sign for span in spans] == [0]


def test_what_is_open_is_said_to_be() -> None:
    # A double root that no algebra takes apart.
    expr = (
        (sin(X) - Rational(1, 3) * X - Rational(1, 10)) ** 2
        + exp(X)
        - 1
        - X
        - X**2 / 2
        - X**3 / 6
        - X**4 / 24
    )
    _check(expr, sign_pattern(expr, X, UNIT))


ROOTS: list[tuple[Expr, float, float, Any]] = [
    (2 * X - 1, 0, 1, Rational(1, 2)),
    (X**2 - Rational(1, 2), 0, 1, sqrt(2) / 2),
    (log(X) + 1, 0, 1, exp(-1)),
    (log(13 * X / 10), 0.7, 0.8, Rational(10, 13)),
    (log(X) ** 2 + 3 * log(X) + 2, 0.3, 0.4, exp(-1)),
    (exp(2 * X) - 3, 0.5, 0.6, log(3) / 2),
    (X**3 - Rational(1, 8), 0.4, 0.6, Rational(1, 2)),
]


@pytest.mark.parametrize(("expr", "low", "high", "root"), ROOTS)
def test_roots_in_closed_form(expr: Expr, low: float, high: float, root: Expr) -> None:
    found = closed_root(expr, X, low, high)
    assert found is not None
    assert number_sign(found - root) == 0


@settings(max_examples=30)
@given(st.sampled_from(FUNCTIONS), st.integers(-20, 20))
def test_a_closed_root_is_one(expr: Expr, shift: int) -> None:
    equation = expr + Rational(shift, 10)
    for span in sign_pattern(equation, X, UNIT)[:-1]:
        if span.right.exact is not None:
            assert number_sign(equation.subs(X, span.right.exact)) == 0
            assert span.right.lo <= float(span.right.exact) <= np.nextafter(span.right.hi, 2)
