"""Limits at the ends of a cell: intervals around them, on the scale that tells."""

from __future__ import annotations

import math

import pytest
from sympy import Expr, Integer, exp, log, oo

from symloss.expr import P
from symloss.theory.functions.ends import limit_at
from symloss.theory.functions.points import Cell, Point
from symloss.theory.functions.probes import SIGN_REACHES

UNIT = Cell(Point.at(Integer(0)), Point.at(Integer(1)))
LINE = Cell(Point.at(-oo), Point.at(oo))


@pytest.mark.parametrize(
    ("expr", "cell", "side", "limit"),
    [
        (P * log(P), UNIT, -1, 0.0),
        (log(P), UNIT, -1, -math.inf),
        ((P**2 - 1) / (P - 1), UNIT, 1, 2.0),
        (P * exp(-P), LINE, 1, 0.0),
        (exp(-P) / (exp(-P) + exp(-2 * P)), LINE, 1, 1.0),
        (exp(-P), LINE, -1, math.inf),
    ],
)
def test_limits(expr: Expr, cell: Cell, side: int, limit: float) -> None:
    found = limit_at(expr, P, cell, side, SIGN_REACHES)
    assert found is not None
    low, high = found
    assert low <= limit <= high
    assert low == high or high - low < 1e-3
