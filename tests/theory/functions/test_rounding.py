"""What interval arithmetic takes for granted of numpy, held against 40 digits: errors of a few units in the last place.

`Interval` moves bounds outwards by 4e-15 of their size, 18 units in the last place at least. numpy's functions are
right to 4 of them, or they were when this was written; a build that is not fails here, before a proof is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

COUNT = 400
MOST = 4.0
"""Units in the last place."""


def _points(low: float, high: float, *special: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    near = [s + side * 2.0**-k for s in special for k in range(1, 53, 3) for side in (-1, 1)]
    points = np.concatenate([rng.uniform(low, high, COUNT), near])
    return points[(points > low) & (points < high)]


CASES: dict[str, tuple[Callable[..., Any], Callable[[Any], Any], np.ndarray]] = {
    "exp": (np.exp, mpmath.exp, _points(-700, 700, 0.0)),
    "log": (np.log, mpmath.log, np.abs(_points(0, 50, 1.0, 2.0))),
    "log of tiny": (np.log, mpmath.log, 10.0 ** _points(-300, 0)),
    "log1p": (np.log1p, mpmath.log1p, _points(-0.99, 30, 0.0)),
    "tanh": (np.tanh, mpmath.tanh, _points(-25, 25, 0.0)),
    "atan": (np.arctan, mpmath.atan, _points(-1e6, 1e6, 0.0, 1.0)),
    "sinh": (np.sinh, mpmath.sinh, _points(-700, 700, 0.0)),
    "cosh": (np.cosh, mpmath.cosh, _points(-700, 700, 0.0)),
    "power 0.37": (
        lambda x: x**0.37,
        lambda x: mpmath.power(x, mpmath.mpf(0.37)),
        np.abs(_points(0, 50, 1.0)),
    ),
    "power -5.5": (
        lambda x: x**-5.5,
        lambda x: mpmath.power(x, mpmath.mpf(-5.5)),
        np.abs(_points(0.01, 50, 1.0)),
    ),
    "power 11": (lambda x: x**11, lambda x: x**11, _points(-30, 30, 1.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_relative_errors(name: str) -> None:
    function, exactly, points = CASES[name]
    found = function(points)
    with mpmath.workdps(40):
        worst = 0.0
        for x, value in zip(points, found, strict=True):
            right = exactly(mpmath.mpf(float(x)))
            if right == 0 or abs(right) < 1e-290:
                continue
            unit = float(np.spacing(abs(float(right))))
            worst = max(worst, float(abs(mpmath.mpf(float(value)) - right)) / unit)
    assert worst <= MOST


@pytest.mark.parametrize(("function", "exactly"), [(np.cos, mpmath.cos), (np.sin, mpmath.sin)])
def test_circular_functions_are_right_to_1e_15(
    function: Callable[..., Any], exactly: Callable[[Any], Any]
) -> None:
    points = np.concatenate([_points(-1e6, 1e6), _points(-4, 4, 0.0), np.arange(-9, 9) * np.pi / 2])
    with mpmath.workdps(40):
        errors = [abs(function(x) - exactly(mpmath.mpf(float(x)))) for x in points]
    assert max(errors) < 5e-16


def test_sums_products_and_quotients_round_correctly() -> None:
    """As IEEE 754 has it: within half a unit, so that the next float bounds the result."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=300) * 10.0 ** rng.uniform(-30, 30, 300), rng.normal(size=300)
    with mpmath.workdps(60):
        for x, y in zip(a, b, strict=True):
            mx, my = mpmath.mpf(float(x)), mpmath.mpf(float(y))
            for value, right in ((x + y, mx + my), (x * y, mx * my), (x / y, mx / my)):
                assert abs(mpmath.mpf(float(value)) - right) <= np.spacing(abs(value)) / 2
