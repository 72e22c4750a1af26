"""Bisection brackets every simple root, and claims nothing where it does not see one."""

from __future__ import annotations

import pytest
from sympy import Expr, Integer, Rational, cos, exp, log, oo, sin

from symloss.expr import P
from symloss.theory.functions.bisection import bisect
from symloss.theory.functions.points import Cell, Point

UNIT = Cell(Point.at(Integer(0)), Point.at(Integer(1)))
LINE = Cell(Point.at(-oo), Point.at(oo))


@pytest.mark.parametrize(
    ("expr", "cell", "signs", "roots"),
    [
        ((P - Rational(1, 3)) * (P - Rational(1, 2)), UNIT, [1, -1, 1], [1 / 3, 1 / 2]),
        (log(P) + 1, UNIT, [-1, 1], [0.36787944117144233]),
        (cos(P) - P, UNIT, [1, -1], [0.7390851332151607]),
        (exp(P) - 2, LINE, [-1, 1], [0.6931471805599453]),
        (P**3 - P, LINE, [-1, 1, -1, 1], [-1.0, 0.0, 1.0]),
        (P + 1, UNIT, [1], []),
    ],
)
def test_simple_roots_are_bracketed(expr: Expr, cell: Cell, signs: list[int], roots: list[float]) -> None:
    spans = bisect(expr, P, cell)
    assert [span.sign for span in spans] == signs
    assert (spans[0].left, spans[-1].right) == (cell.left, cell.right)
    for span, root in zip(spans, roots, strict=False):
        assert span.right.lo - 1e-15 <= root <= span.right.hi + 1e-15
        assert span.right.hi - span.right.lo < 1e-12


@pytest.mark.parametrize("expr", [(P - Rational(1, 3)) ** 2, sin(1000 * P)])
def test_double_roots_and_too_many_are_left_open(expr: Expr) -> None:
    assert None in [span.sign for span in bisect(expr, P, UNIT)]
