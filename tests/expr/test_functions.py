"""The own operators: value, derivative and guard, held against their elementary form at 50 digits."""

from __future__ import annotations

import pytest
from sympy import Function, N, Rational, diff

from symloss.expr import GUARD, P, elementary, plog, psqrt, sigmoid, softplus

POINTS = [Rational(-7, 3), Rational(-1, 10**6), Rational(1, 10**6), Rational(1, 3), Rational(40)]


@pytest.mark.parametrize("function", [plog, psqrt, sigmoid, softplus])
@pytest.mark.parametrize("point", POINTS)
def test_derivative_agrees_with_a_difference_quotient(function: type[Function], point: Rational) -> None:
    h = Rational(1, 10**20)
    plain = elementary(function(P))
    slope = (N(plain.subs(P, point + h), 80) - N(plain.subs(P, point - h), 80)) / (2 * h)
    assert abs(N(diff(function(P), P).subs(P, point), 50) - slope) < Rational(1, 10**12) * (1 + abs(slope))


def test_guards_act_below_the_floor_only() -> None:
    inside, outside = GUARD / 2, GUARD * 2
    assert diff(plog(P), P).subs(P, inside) == 0
    assert diff(psqrt(P), P).subs(P, -inside) == 0
    assert diff(plog(P), P).subs(P, outside) == 1 / outside
    assert plog(Rational(0)) == plog(GUARD)
    assert plog(-P).diff(P).subs(P, 2) == Rational(1, 2)
