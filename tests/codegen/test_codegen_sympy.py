"""Two engines: SymPy at 50 digits against torch, value and gradient, on formulas that Hypothesis draws."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer, Rational, exp
from torch import Tensor

import symloss as sl
from symloss.codegen import compile_loss
from symloss.errors import CompileError, DomainError, ParseError
from symloss.expr import C, Loss, P, Y, at_zero, elementary
from tests.strategies import formulas

LOGITS = [Rational(-3, 2), Rational(1, 3), Rational(5, 4)]
SOFT = [Rational(1, 5), Rational(1, 2), Rational(3, 10)]
STEP = Rational(1, 10**20)
DIGITS = 60


class Undefined(Exception):
    """The formula has no real value, or a kink, at a point of the test."""


def _number(expr: Expr, y: Expr, p: Expr) -> Expr:
    try:
        value = expr.xreplace({Y: y, P: p}).evalf(DIGITS)
    except ValueError as error:  # SymPy's Max and Min refuse an infinity of unknown sign
        raise Undefined from error
    if not value.is_Float and not value.is_Rational:
        raise Undefined
    return value


def _value_and_slope(expr: Expr, y: Expr, p: Expr) -> tuple[Expr, Expr]:
    """`M(y, p)` and `dM/dp` by central differences: at 60 digits with a step of 1e-20 exact to 1e-38."""
    down, here, up = (_number(expr, y, p + shift) for shift in (-STEP, 0, STEP))
    left, right = (here - down) / STEP, (up - here) / STEP
    if abs(left - right) > Rational(1, 10**12) * (1 + abs(left)):
        raise Undefined
    return here, (left + right) / 2


def reference(loss: Loss, target: int | None) -> tuple[float, list[float]]:
    """The instance loss and its gradient by the logits (classification)."""
    expr = loss.at_classes(len(LOGITS))
    powers = [exp(z).evalf(DIGITS + 10) for z in LOGITS]
    total = sum(powers)
    p = [(power / total).evalf(DIGITS + 10) for power in powers]
    branches = {1: elementary(expr.xreplace({Y: Integer(1)}))}
    if target is not None:
        branches[0] = elementary(at_zero(expr).expr)
    general = elementary(expr)
    parts = [
        _value_and_slope(general, SOFT[i], p[i])
        if target is None
        else _value_and_slope(branches[int(i == target)], Integer(0), p[i])
        for i in range(len(p))
    ]
    pull = sum(p[i] * slope for i, (_, slope) in enumerate(parts))
    gradient = [p[i] * (slope - pull) for i, (_, slope) in enumerate(parts)]
    return float(sum(value for value, _ in parts)), [float(g) for g in gradient]


def _torch(loss: Loss, target: int | None, **options: Any) -> tuple[Tensor, Tensor]:
    z = torch.tensor([float(x) for x in LOGITS], dtype=torch.float64, requires_grad=True)
    soft = torch.tensor([float(x) for x in SOFT], dtype=torch.float64)
    y = soft if target is None else torch.tensor(target)
    value = compile_loss(loss, "sum", **options)(z, y)
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


def _compare(loss: Loss, target: int | None) -> bool:
    """Asserts that the engines agree; False where there is nothing to compare."""
    try:
        value, gradient = reference(loss, target)
        for trainable in (False, True):  # refused where infinite at y = 0, which soft labels need not meet
            compile_loss(loss, trainable=trainable)
    except (Undefined, OverflowError, CompileError, DomainError):
        return False
    size = max(abs(value), *(abs(g) for g in gradient))
    if not size < 1e8:
        return False
    tolerance = 1e-9 * (1 + size)
    for options in ({}, {"trainable": True}):
        ours, ours_gradient = _torch(loss, target, **options)
        assert abs(float(ours) - value) < tolerance, (str(loss), float(ours), value)
        for a, b in zip(ours_gradient.tolist(), gradient, strict=True):
            assert abs(a - b) < tolerance, (str(loss), ours_gradient.tolist(), gradient)
    return True


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(text=formulas(6), target=st.sampled_from([None, 0, 1, 2]))
def test_classification_agrees_with_sympy(text: str, target: int | None) -> None:
    try:
        loss = sl.parse(text)
    except ParseError:
        assume(False)
    assume(loss.expr.has(P))
    assume(_compare(loss, target))


HARD = [
    "y*log(p)*(1-p)**2.5", "y*log(1-p)*p + (1-y)*log(1-p)**2", "(y - p)**2/(1 + p)", "y*(1-p**0.7)/0.7",
    "abs(log(1.3*p))*y - p*log(p)", "sqrt(p)*y + log(C)*p**3", "y/p - log(p)", "max(p, 0.3)*y + plog(y*p)",
    "sigmoid(log(p) - log(1-p)) - y*p", "exp(-y)*sinh(p) + cosh(p*y)",
]  # fmt: skip


@pytest.mark.parametrize("text", HARD)
@pytest.mark.parametrize("target", [None, 0, 2])
def test_formulas_with_logarithms_agree_with_sympy(text: str, target: int | None) -> None:
    assert _compare(sl.parse(text), target)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(text=formulas(6))
def test_regression_agrees_with_sympy(text: str) -> None:
    try:
        loss = sl.parse(text, kind="regression")
    except ParseError:
        assume(False)
    assume(loss.expr.has(P) and not loss.expr.has(C))
    expr = elementary(loss.value_expr)
    for y, p in ((Rational(-7, 5), Rational(2, 3)), (Rational(1, 2), Rational(-9, 4))):
        try:
            value, slope = (float(x) for x in _value_and_slope(expr, y, p))
        except (Undefined, OverflowError):
            assume(False)
        assume(max(abs(value), abs(slope)) < 1e8)
        outputs = torch.tensor([float(p)], dtype=torch.float64, requires_grad=True)
        ours = compile_loss(loss)(outputs, torch.tensor([float(y)], dtype=torch.float64))
        (gradient,) = torch.autograd.grad(ours, outputs)
        assert abs(float(ours.detach()) - value) < 1e-9 * (1 + abs(value)), str(loss)
        assert abs(float(gradient) - slope) < 1e-9 * (1 + abs(slope)), str(loss)


def test_the_comparison_fails_on_a_broken_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = sl.parse("y*abs(log(1.3*p)) + p**2")
    assert _compare(loss, 1)
    original = _torch

    def wrong_gradient(*args: Any, **options: Any) -> tuple[Tensor, Tensor]:
        value, gradient = original(*args, **options)
        return value, gradient * (1 + 1e-7)

    monkeypatch.setitem(globals(), "_torch", wrong_gradient)
    with pytest.raises(AssertionError):
        _compare(loss, 1)

    def wrong_value(*args: Any, **options: Any) -> tuple[Tensor, Tensor]:
        value, gradient = original(*args, **options)
        return value + 1e-7, gradient

    monkeypatch.setitem(globals(), "_torch", wrong_value)
    with pytest.raises(AssertionError):
        _compare(loss, 1)
