"""Curves in pieces: values, limits, extremes, continuity and convexity against mpmath on a fine grid."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Abs, Expr, Integer, Max, Min, Rational, exp, lambdify, log, sign, sin, sqrt, tanh

from symloss.errors import SymlossError
from symloss.expr import P, elementary
from symloss.theory.functions.convexity import is_convex, low_chord, sought_chord
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import Undecided, Undefined

GRID = np.linspace(0, 1, 402)[1:-1] + 1.7e-5
HALF, TENTH = Rational(1, 2), Rational(1, 10)


def curve_of(expr: Expr) -> Curve:
    return Curve.build(lambda resolver: resolver.smooth(expr, {}), P, Integer(0), Integer(1))


def exactly(expr: Expr, points: Any) -> list[Any]:
    function = lambdify([P], elementary(expr), "mpmath")
    with mpmath.workdps(40):
        return [function(mpmath.mpf(float(p))) for p in points]


KINKED = [
    Abs(P - Rational(1, 3)), Max(P, 1 - P), Min(P**2, HALF), Abs(log(13 * P / 10)), Max(P, TENTH) * log(P),
    Abs(Abs(P - HALF) - TENTH), sqrt(log(5 * P) ** 2), P * log(P), tanh(P - HALF), Max(0, P - HALF) ** 2,
    Min(Abs(P - Rational(1, 5)), Abs(P - Rational(4, 5))), sin(6 * P), 1 - P * exp(-P), Abs(sin(4 * P)) - P,
    Max(log(P), P - 2), Abs(P**3 - P / 7), Max(sin(3 * P), exp(P) - 2),
]  # fmt: skip


@st.composite
def kinked(draw: Any) -> Expr:
    parts = draw(st.lists(st.sampled_from(KINKED), min_size=1, max_size=2))
    signs = draw(st.lists(st.sampled_from([1, -1, HALF, -3]), min_size=2, max_size=2))
    return sum((s * part for s, part in zip(signs, parts, strict=False)), Integer(0))


def check(expr: Expr) -> None:
    try:
        curve = curve_of(expr)
    except (Undecided, Undefined):
        return
    values = exactly(expr, GRID)
    box = curve.at(GRID)
    for low, value, high in zip(box.lo, values, box.hi, strict=True):
        assert low <= value <= high
    floats = np.array([float(v) for v in values])
    for side in (-1, 1):
        extreme = curve.extreme(side)
        if extreme is None:
            continue
        outer = extreme.value.hi if side > 0 else extreme.value.lo
        assert np.max(side * floats) <= side * outer + 1e-12
        if extreme.value.is_finite:
            assert abs(np.max(side * floats) - side * extreme.value.middle) < 2e-2 * (1 + np.ptp(floats))
            if extreme.value.exact is not None:
                assert float(extreme.value.exact) == pytest.approx(extreme.value.middle, abs=1e-9)
    steps = np.abs(np.diff(floats))
    if curve.is_continuous:
        middles = exactly(expr, (GRID[1:] + GRID[:-1]) / 2)
        finer = np.abs(np.array([float(m) for m in middles]) - floats[:-1])
        assert np.all(finer <= 0.75 * steps + 0.05 * (1 + np.ptp(floats)))
    if is_convex(curve):
        assert np.diff(floats, 2).min() > -1e-12 * (1 + np.abs(floats).max())
    for chord in (low_chord(curve), sought_chord(curve)):
        if chord is None:
            continue
        a, m, b = exactly(expr, [chord.a, (chord.a + chord.b) / 2, chord.b])
        assert m > (a + b) / 2


@pytest.mark.parametrize("expr", KINKED, ids=str)
def test_what_is_proved_of_a_curve(expr: Expr) -> None:
    check(expr)


@settings(max_examples=20)
@given(kinked())
def test_what_is_proved_of_sums(expr: Expr) -> None:
    assume(P in expr.free_symbols)
    check(expr)


def test_jumps_and_steps() -> None:
    jump = curve_of(P + sign(P - HALF) / 10)
    assert not jump.is_continuous
    assert [float(step[1].exact - step[0].exact) for step in jump.steps()] == [0.2]
    closed = curve_of((P - HALF) * sign(P - HALF))
    assert closed.is_continuous
    tiny = curve_of(P + sign(P - HALF) * Rational(1, 10**18))
    assert not tiny.is_continuous  # no float shows it
    hidden = curve_of(Max(sin(3 * P), exp(P) - 2) + sign(log(P) + P) * Rational(1, 10**18))
    assert not hidden.is_continuous


def test_a_kink_without_a_formula_is_continuous() -> None:
    curve = curve_of(Max(sin(3 * P), 2 - exp(P)))
    assert len(curve.parts) > 1
    assert any(cell.right.exact is None for cell, _ in curve.parts[:-1])
    assert curve.is_continuous


@pytest.mark.parametrize(
    ("expr", "slope", "intercept"),
    [
        (Integer(3), 0, 3),
        (2 * P - 1, 2, -1),
        (Abs(P + 1), 1, 1),
        (log(exp(2 * P)), 2, 0),
        (Max(P, P - 1), 1, 0),
    ],
)
def test_lines(expr: Expr, slope: int, intercept: int) -> None:
    line = curve_of(expr).line
    assert line is not None
    assert (line.slope, line.intercept) == (slope, intercept)
    assert not curve_of(expr).is_bent


@pytest.mark.parametrize("expr", [P**2, Abs(P - HALF), P * log(P), Max(P, HALF), P + sign(P - HALF)])
def test_what_is_no_line(expr: Expr) -> None:
    curve = curve_of(expr)
    assert curve.line is None
    assert curve.is_bent


def test_no_value_on_a_stretch() -> None:
    for expr in (log(P - HALF), sqrt(P - HALF), log(-P)):
        with pytest.raises(SymlossError):
            curve_of(expr)
