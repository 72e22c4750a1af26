"""Enclosures of formulas and their derivatives hold both, at 50 digits, on formulas that Hypothesis draws."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, Rational, Symbol, atan, cos, cosh, exp, lambdify, log, sin, sinh, sqrt, tanh

from symloss.errors import DomainError
from symloss.expr import BY_HEAD, elementary, log_cosh, sigmoid, softplus
from symloss.theory.functions.enclose import enclose, enclose_number, enclose_sharply, is_smooth
from symloss.theory.functions.interval import Interval

X = Symbol("x", real=True)
SMOOTH = [exp, tanh, atan, sinh, cosh, sin, cos, sigmoid, softplus, log_cosh]
NUMBERS = st.sampled_from([Rational(1, 3), Rational(-7, 5), Rational(2), Rational(13, 10), sqrt(2), exp(1)])


@st.composite
def formulas(draw: Any, depth: int = 3) -> Expr:
    """Smooth formulas of `x`, some of them singular."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.one_of(st.just(X), NUMBERS))
    shape = draw(st.integers(0, 5))
    first = draw(formulas(depth=depth - 1))
    if shape == 0:
        return draw(st.sampled_from(SMOOTH))(first)
    if shape == 1:
        return first ** draw(st.sampled_from([2, 3, -1, -2]))
    if shape == 2:
        return log(1 + first**2)
    if shape == 3:
        return (1 + first**2) ** draw(st.sampled_from([Rational(1, 2), Rational(-1, 3), Rational(11, 7)]))
    second = draw(formulas(depth=depth - 1))
    return first + second if shape == 4 else first * second


def exactly(expr: Expr, point: float) -> Any:
    """The value at 50 digits, or None where there is none that matters."""
    try:
        value = lambdify([X], elementary(expr), "mpmath")(mpmath.mpf(point))
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    return value if isinstance(value, mpmath.mpf) and mpmath.isfinite(value) and abs(value) < 1e200 else None


@settings(max_examples=60)
@given(formulas(), st.floats(-3, 3), st.floats(0, 1), st.floats(0, 1))
def test_values_and_slopes_lie_inside(expr: Expr, low: float, width: float, share: float) -> None:
    assume(expr.is_finite is not False)
    point = min(low + width * share, low + width)
    box = Interval(np.asarray(low), np.asarray(low + width))
    for find in (enclose, enclose_sharply):
        value, slope = find(expr, X, box)
        with mpmath.workdps(50):
            here, rate = exactly(expr, point), exactly(expr.diff(X), point)
        if here is not None:
            assert mpmath.mpf(float(value.lo)) <= here <= mpmath.mpf(float(value.hi))
        if rate is not None:
            assert mpmath.mpf(float(slope.lo)) <= rate <= mpmath.mpf(float(slope.hi))


@given(formulas(depth=2))
def test_constants(expr: Expr) -> None:
    number = expr.subs(X, Rational(3, 7))
    with mpmath.workdps(50):
        value = exactly(number, 0.0)
    assume(value is not None)
    box = enclose_number(number)
    assert mpmath.mpf(float(box.lo)) <= value <= mpmath.mpf(float(box.hi))


def test_the_mean_value_form_is_sharper() -> None:
    # In plain interval arithmetic the two x do not know of each other.
    box = Interval(np.asarray(0.4), np.asarray(0.41))
    plain, _ = enclose(X * (1 - X), X, box)
    sharp, _ = enclose_sharply(X * (1 - X), X, box)
    assert sharp.hi - sharp.lo < (plain.hi - plain.lo) / 2


def test_what_has_a_kink_is_not_enclosed() -> None:
    heads = [head for head, row in BY_HEAD.items() if row.arity == 1 and not is_smooth(head)]
    assert heads
    box = Interval(np.asarray(0.4), np.asarray(0.41))
    for head in heads:
        node = head(X)
        if node.func is head and not node.has(log):
            with pytest.raises((DomainError, AttributeError)):
                enclose(node, X, box)
