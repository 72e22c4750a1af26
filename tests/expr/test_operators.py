"""Every row of the table: value and both derivatives, in numpy and torch, against SymPy at 50 digits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from sympy import Abs, DiracDelta, Expr, Float, Integer, Max, Min, Symbol, sign

from symloss.codegen.trees.arrays import TORCH
from symloss.expr import BY_HEAD, GUARD, OPERATORS, Operator, elementary
from symloss.expr.arrays import FLOATS, NUMPY, ArrayModule

X, Z = Symbol("x", real=True), Symbol("z", real=True)
NAMES = sorted(OPERATORS)
LIBRARIES = {
    "numpy": (NUMPY, lambda x: np.array([x])),
    "torch": (TORCH, lambda x: torch.tensor([x], dtype=torch.float64)),
}
ORDINARY = (-2.5, -0.7, 0.3, 1.9)
FAR = 300.0
"""Far out, and still within the floats for `exp`, `sinh` and their like."""


def _points(operator: Operator) -> list[tuple[float, ...]]:
    """Arguments inside the domain: ordinary ones, and close to both of its ends."""
    low, high = operator.domain.inf, operator.domain.sup
    ends = [float(low) + 1e-6 if low.is_finite else -FAR, float(high) - 1e-6 if high.is_finite else FAR]
    inside = [x for x in (*ORDINARY, *ends) if operator.domain.contains(Float(x)) == True]  # noqa: E712
    if operator.arity == 1:
        return [(x,) for x in inside]
    pairs = itertools.product(inside, ORDINARY)
    return [(a, b) for a, b in pairs if a != b and (operator.name != "pow" or a > 0)]


def _exact(operator: Operator) -> tuple[Expr, list[Expr], list[Expr]]:
    """Value, first and second partial derivatives as formulas, away from the kinks."""
    symbols = [X, Z][: operator.arity]
    value = elementary(operator.build(*symbols))
    # SymPy's own derivatives of these are distributions: with signs instead they are plain formulas.
    value = value.replace(Max, lambda *args: _extremum(args, 1)).replace(
        Min, lambda *args: _extremum(args, -1)
    )
    value = value.replace(Abs, lambda a: a * sign(a))
    first = [_diff(value, s) for s in symbols]
    pairs = [(X, X)] if operator.arity == 1 else [(X, X), (X, Z), (Z, Z)]
    return value, first, [_diff(_diff(value, a), b) for a, b in pairs]


def _extremum(args: Sequence[Expr], way: int) -> Expr:
    a, b = args
    return (a + b + way * (a - b) * sign(a - b)) / 2


def _diff(expr: Expr, by: Symbol) -> Expr:
    return expr.diff(by).replace(DiracDelta, lambda *_: Integer(0))


def _number(partial: Any) -> float:
    return 0.0 if partial is None else float(np.asarray(partial).reshape(-1)[0])


def _close(found: float, exact: Expr, point: tuple[float, ...]) -> None:
    wanted = exact.subs({s: Float(x, 50) for s, x in zip((X, Z), point, strict=False)}).evalf(50)
    # A derivative such as 1 - tanh**2 cancels to the last place of a number near 1.
    assert found == pytest.approx(float(wanted), rel=1e-12, abs=1e-15), (point, wanted)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_value_and_derivatives_agree_with_sympy(name: str, library: str) -> None:
    operator, (xp, array) = OPERATORS[name], LIBRARIES[library]
    value, firsts, seconds = _exact(operator)
    for point in _points(operator):
        arguments = [array(x) for x in point]
        v = operator.value(xp, *arguments)
        _close(_number(v), value, point)
        _close(operator.evaluate(*point), value, point)
        for found, exact in zip(operator.first(xp, v, *arguments), firsts, strict=True):
            _close(_number(found), exact, point)
        for found, exact in zip(operator.second(xp, v, *arguments), seconds, strict=True):
            _close(_number(found), exact, point)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("at", [-700.0, -40.0, -0.1, 0.0, 0.1, 40.0, 700.0])
def test_derivatives_of_the_sigmoid_lose_no_digits_at_either_end(at: float, library: str) -> None:
    operator, (xp, array) = OPERATORS["sigmoid"], LIBRARIES[library]
    a = array(at)
    v = operator.value(xp, a)
    with mpmath.workdps(50):
        # sigma' is even and sigma'' odd: -|at| is the side on which 1 - sigma loses nothing.
        s = 1 / (1 + mpmath.exp(abs(at)))
        first = s * (1 - s)
        second = -np.sign(at) * first * (1 - 2 * s)
    assert _number(operator.first(xp, v, a)[0]) == pytest.approx(float(first), rel=1e-13, abs=0)
    assert _number(operator.second(xp, v, a)[0]) == pytest.approx(float(second), rel=1e-13, abs=0)


_TINY = float(GUARD) / 2
KINKS: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("abs", (0.0,), (0.0,)),
    ("sign", (0.0,), (0.0,)),
    ("relu", (0.0,), (0.0,)),
    ("min", (0.4, 0.4), (0.5, 0.5)),
    ("max", (0.4, 0.4), (0.5, 0.5)),
    ("plog", (float(GUARD),), (0.0,)),
    ("plog", (_TINY,), (0.0,)),
    ("plog", (0.0,), (0.0,)),
    ("psqrt", (float(GUARD),), (0.0,)),
    ("psqrt", (-_TINY,), (0.0,)),
    ("psqrt", (0.0,), (0.0,)),
]
"""Where a derivative jumps: what it is there."""


@pytest.mark.parametrize(("name", "point", "slopes"), KINKS)
def test_derivatives_at_kinks(name: str, point: tuple[float, ...], slopes: tuple[float, ...]) -> None:
    operator = OPERATORS[name]
    for xp, array in LIBRARIES.values():
        arguments = [array(x) for x in point]
        with np.errstate(divide="ignore", invalid="ignore"):
            v = operator.value(xp, *arguments)
            assert tuple(map(_number, operator.first(xp, v, *arguments))) == slopes
            assert all(_number(second) == 0 for second in operator.second(xp, v, *arguments))


@pytest.mark.parametrize("name", [name for name, point, _ in KINKS if point not in ((float(GUARD),),)])
def test_torch_itself_agrees_at_kinks(name: str) -> None:
    """The interpreter's sweeps and autograd have one convention, at the guard's edge alone torch has another."""
    operator = OPERATORS[name]
    for _, point, slopes in (each for each in KINKS if each[0] == name and float(GUARD) not in each[1]):
        arguments = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
        found = torch.autograd.grad(operator.value(TORCH, *arguments), arguments)
        assert tuple(map(float, found)) == slopes


@pytest.mark.parametrize(
    "name", [name for name, row in OPERATORS.items() if row.parity or row.degree is not None]
)
def test_parity_and_degree(name: str) -> None:
    operator = OPERATORS[name]
    for x in (0.3, 1.7, 40.0):
        value = operator.evaluate(x)
        if operator.parity:
            assert operator.evaluate(-x) == operator.parity * value
        if operator.degree is not None:
            for side in (x, -x):
                assert operator.evaluate(3 * side) == pytest.approx(
                    3**operator.degree * operator.evaluate(side)
                )


@pytest.mark.parametrize("name", [name for name, row in OPERATORS.items() if row.arity == 1])
def test_values_lie_in_the_range(name: str) -> None:
    operator = OPERATORS[name]
    for point in _points(operator):
        exact = elementary(operator.build(X)).subs(X, Float(point[0], 50)).evalf(50)
        # Far out 50 digits round to an open end.
        values = operator.range if abs(point[0]) < FAR else operator.range.closure
        assert values.contains(exact) == True  # noqa: E712
    # The ends themselves are values or limits: the range is not a wider one.
    far = [operator.evaluate(x) for (x,) in _points(operator)] + [operator.evaluate(1e-9)]
    if name in ("sin", "cos"):
        far += [operator.evaluate(x) for x in (-math.pi / 2, math.pi / 2, math.pi)]
    for end, nearest in ((operator.range.inf, min(far)), (operator.range.sup, max(far))):
        if end.is_finite:
            assert nearest == pytest.approx(float(end), abs=4e-3)  # atan nears its end as 1/x does


def test_increasing_operators_vanish_where_they_say() -> None:
    for operator in (row for row in OPERATORS.values() if row.zero is not None):
        assert operator.increasing
        at = float(operator.zero)
        assert operator.evaluate(at) == 0
        slopes = [operator.first(FLOATS, operator.evaluate(x), x)[0] for x in (at + 0.1, at + 1.0)]
        assert all(slope > 0 for slope in slopes)


@pytest.mark.parametrize("name", [name for name, row in OPERATORS.items() if row.increasing])
def test_increasing_operators_increase(name: str) -> None:
    operator = OPERATORS[name]
    values = [operator.evaluate(x) for (x,) in sorted(_points(operator)) if abs(x) < FAR]
    assert all(a < b for a, b in itertools.pairwise(values))


def test_a_node_is_one_operator() -> None:
    assert len(BY_HEAD) == sum(row.head is not None for row in OPERATORS.values())
    for head, row in BY_HEAD.items():
        assert row.head is head
        assert row.build(*[X, Z][: row.arity]).func is head


@pytest.mark.parametrize("module", [NUMPY, FLOATS, TORCH])
def test_softplus_is_exact_at_both_ends(module: ArrayModule) -> None:
    wrap = (lambda x: x) if module is FLOATS else LIBRARIES["numpy" if module is NUMPY else "torch"][1]
    assert _number(module.softplus(wrap(-700.0))) == pytest.approx(math.exp(-700), rel=1e-12)
    assert _number(module.softplus(wrap(25.0))) == pytest.approx(25 + math.log1p(math.exp(-25)), rel=1e-15)
