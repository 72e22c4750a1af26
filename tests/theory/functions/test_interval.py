"""Every operation on boxes holds the real result: against mpmath at 50 digits, and against arb's balls."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from symloss.theory.functions import interval
from symloss.theory.functions.interval import Interval

mpmath.mp.dps = 50
SIZES = st.floats(-1e6, 1e6, allow_subnormal=True)
SMALL = st.floats(-40, 40)
TINY = st.floats(-1e-3, 1e-3)
NUMBERS = st.one_of(
    SIZES, SMALL, TINY, st.sampled_from([0.0, 1.0, -1.0, 0.5, 5e-324, 1e-310, -1e-308, 709.0, 745.0])
)
SHARES = st.floats(0, 1)


def _box(a: float, b: float) -> Interval:
    return Interval(np.asarray(min(a, b)), np.asarray(max(a, b)))


def _inside(a: float, b: float, share: float) -> float:
    low, high = min(a, b), max(a, b)
    return min(max(low + (high - low) * share, low), high)


def _holds(box: Interval, value: Any) -> bool:
    return bool(mpmath.mpf(float(box.lo)) <= value <= mpmath.mpf(float(box.hi)))


Real = Callable[[Any], Any]
UNARY: dict[str, tuple[Callable[[Interval], Interval], Real, Real | None]] = {
    "neg": (lambda x: -x, lambda x: -x, lambda x: -x),
    "exp": (Interval.exp, mpmath.exp, lambda x: x.exp()),
    "tanh": (Interval.tanh, mpmath.tanh, lambda x: x.tanh()),
    "atan": (Interval.atan, mpmath.atan, lambda x: x.atan()),
    "sinh": (Interval.sinh, mpmath.sinh, lambda x: x.sinh()),
    "cosh": (Interval.cosh, mpmath.cosh, lambda x: x.cosh()),
    "sin": (Interval.sin, mpmath.sin, lambda x: x.sin()),
    "cos": (Interval.cos, mpmath.cos, lambda x: x.cos()),
    "log_cosh": (Interval.log_cosh, lambda x: mpmath.log(mpmath.cosh(x)), None),
    "sigmoid": (Interval.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), lambda x: 1 / (1 + (-x).exp())),
    "softplus": (Interval.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), lambda x: x.exp().log1p()),
    "square": (lambda x: x.integer_power(2), lambda x: x**2, lambda x: x**2),
    "cube": (lambda x: x.integer_power(3), lambda x: x**3, lambda x: x**3),
    "power 8": (lambda x: x.integer_power(8), lambda x: x**8, lambda x: x**8),
}
"""On boxes, in mpmath and in arb."""


@pytest.mark.parametrize("name", UNARY)
@given(a=NUMBERS, b=NUMBERS, share=SHARES)
def test_a_function_of_a_box_holds_its_values(name: str, a: float, b: float, share: float) -> None:
    on_boxes, exactly, _ = UNARY[name]
    x = _inside(a, b, share)
    assume(abs(x) < 1e4)  # exp(exp(13)) needs more memory than there is
    with np.errstate(all="ignore"):
        box = on_boxes(_box(a, b))
    assert _holds(box, exactly(mpmath.mpf(x))), (x, box)


@pytest.mark.parametrize("name", [name for name, (_, _, ball) in UNARY.items() if ball])
@given(a=SMALL, b=SMALL)
@example(0.0, 0.0)
@example(1.0, 1.0)
def test_no_ball_of_arb_lies_outside(name: str, a: float, b: float) -> None:
    """The range over the box, which arb encloses in a ball, cannot be apart from ours; nor a value at an end."""
    on_boxes, _, ball = UNARY[name]
    assert ball is not None
    with np.errstate(all="ignore"):
        box = on_boxes(_box(a, b))
    whole = flint.arb(mid=(a + b) / 2, rad=abs(b - a) / 2 * (1 + 1e-9) + 1e-300)
    for argument in (whole, flint.arb(a), flint.arb(b)):
        value = ball(argument)
        assert not value > flint.arb(float(box.hi)), (argument, value, box)
        assert not value < flint.arb(float(box.lo)), (argument, value, box)


@pytest.mark.parametrize("name", ["log", "reciprocal", "root", "power -7/3", "power -3"])
@given(a=NUMBERS, b=NUMBERS, share=SHARES)
def test_functions_of_positive_numbers(name: str, a: float, b: float, share: float) -> None:
    third = Fraction(-7, 3)
    rules: dict[str, tuple[Callable[[Interval], Interval], Real]] = {
        "log": (Interval.log, mpmath.log),
        "reciprocal": (Interval.reciprocal, lambda x: 1 / x),
        "root": (lambda x: x.positive_power(0.5), mpmath.sqrt),
        "power -7/3": (
            lambda x: x.positive_power(float(third), abs(float(third)) * 3e-16),
            lambda x: mpmath.power(x, mpmath.mpf(-7) / 3),
        ),
        "power -3": (lambda x: x.integer_power(-3), lambda x: x**-3),
    }
    on_boxes, exactly = rules[name]
    x = _inside(abs(a), abs(b), share)
    assume(x > 0)
    with np.errstate(all="ignore"):
        box = on_boxes(_box(abs(a), abs(b)))
    assert _holds(box, exactly(mpmath.mpf(x))), (x, box)


@given(a=NUMBERS, b=NUMBERS, share=SHARES)
def test_a_reciprocal_across_zero_is_everything(a: float, b: float, share: float) -> None:
    x = _inside(a, b, share)
    assume(x != 0)
    with np.errstate(all="ignore"):
        assert _holds(_box(a, b).reciprocal(), 1 / mpmath.mpf(x))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "meet"])
@given(a=NUMBERS, b=NUMBERS, c=NUMBERS, d=NUMBERS, s=SHARES, t=SHARES)
def test_two_boxes(name: str, a: float, b: float, c: float, d: float, s: float, t: float) -> None:
    x, y = _inside(a, b, s), _inside(c, d, t)
    first, second = _box(a, b), _box(c, d)
    with np.errstate(all="ignore"):
        if name == "meet":
            assume(x == y or not (min(c, d) <= x <= max(c, d)))
            assert not min(c, d) <= x <= max(c, d) or _holds(first.meet(second), mpmath.mpf(x))
            return
        found = {"add": first + second, "sub": first - second, "mul": first * second}[name]
    mx, my = mpmath.mpf(x), mpmath.mpf(y)
    assert _holds(found, {"add": mx + my, "sub": mx - my, "mul": mx * my}[name])


@given(st.fractions(), st.floats(allow_nan=False))
def test_a_number_lies_in_its_own_box(value: Fraction, near: float) -> None:
    box = Interval.of(value)
    assert Fraction(float(box.lo)) <= value <= Fraction(float(box.hi))
    assert float(box.hi) <= np.nextafter(float(box.lo), np.inf)
    if math.isfinite(near):
        assert float(Interval.of(near).lo) == float(Interval.of(near).hi) == near


@pytest.mark.parametrize("end", [np.inf, -np.inf])
@pytest.mark.parametrize("name", UNARY)
def test_an_unbounded_box_stays_a_box(name: str, end: float) -> None:
    on_boxes, exactly, _ = UNARY[name]
    with np.errstate(all="ignore"):
        box = on_boxes(_box(0.5, end))
    for x in (0.5, 3.0 * np.sign(end), 30.0 * np.sign(end)):
        assert _holds(box, exactly(mpmath.mpf(x))) or not min(0.5, end) <= x <= max(0.5, end)
    assert not np.isnan(box.lo)
    assert not np.isnan(box.hi)


def test_signs() -> None:
    box = Interval(np.array([1.0, -2.0, -1.0, 0.0]), np.array([2.0, -1.0, 1.0, 0.0]))
    assert box.sign.tolist() == [1, -1, 0, 0]


@pytest.mark.parametrize("name", ["exp", "tanh", "atan", "sinh", "cosh", "sigmoid", "softplus", "log_cosh"])
def test_a_box_is_not_much_wider_than_it_must_be(name: str) -> None:
    """Sound is easy, of everything: a point's box is a few units in the last place wide."""
    on_boxes, exactly, _ = UNARY[name]
    for x in (-30.0, -1.5, -0.1, 0.3, 2.0, 17.0):
        box = on_boxes(_box(x, x))
        size = abs(float(exactly(mpmath.mpf(x))))
        assert float(box.hi) - float(box.lo) <= 2e-14 * size + 4e-15


def test_a_box_without_slack_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks above are able to fail."""
    monkeypatch.setattr(interval, "_SLACK", 0.0)
    points = [0.1 * k for k in range(1, 200)]
    boxes = [Interval.exp(_box(x, x)) for x in points]
    assert not all(_holds(box, mpmath.exp(mpmath.mpf(x))) for x, box in zip(points, boxes, strict=True))
