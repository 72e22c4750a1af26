"""The tree's sweeps against autograd in float64, and its value against SymPy at 50 digits."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sympy import Rational

from symloss.codegen.trees.interpret import (
    coefficient_gradient,
    entry_gradient,
    interpret,
    output_gradient,
    program_loss,
)
from symloss.errors import CompileError
from symloss.expr import C, P, Program, Y, elementary, register_primitive
from symloss.expr.trees import Weighted

BINARY = ["add", "sub", "mul", "aq", "min", "max"]
UNARY = ["sign", "square", "abs", "plog", "psqrt", "tanh", "sigmoid", "softplus", "sin", "neg"]


def _join(operator: str, *parts: tuple[str, ...]) -> tuple[str, ...]:
    return (operator, *itertools.chain(*parts))


programs = st.recursive(
    st.sampled_from([("y",), ("p",), ("1",), ("-1",), ("C",)]),
    lambda inner: (
        st.builds(_join, st.sampled_from(BINARY), inner, inner)
        | st.builds(_join, st.sampled_from(UNARY), inner)
    ),
    max_leaves=7,
).map(Program)


def _batch(kind: str, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if kind == "regression":
        return (
            torch.randn(6, generator=generator, dtype=torch.float64),
            torch.randn(6, generator=generator, dtype=torch.float64),
        )
    outputs = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    if kind == "multilabel":
        return outputs, (torch.rand(6, 4, generator=generator) > 0.5).double()
    return outputs, torch.randint(4, (6,), generator=generator)


def _context(kind: str) -> dict[str, float]:
    return {"C": 4.0} if kind == "regression" else {}


@given(programs, st.sampled_from(["classification", "multilabel", "regression"]))
def test_sweeps_agree_with_autograd(program: Program, kind: str) -> None:
    outputs, targets = _batch(kind)
    coefs = torch.linspace(0.7, 1.4, program.size - 1, dtype=torch.float64).requires_grad_()
    outputs.requires_grad_()
    value = program_loss(program, kind, outputs, targets, coefs, _context(kind))
    if not value.requires_grad:
        return
    (gradient,) = torch.autograd.grad(value, outputs, create_graph=True, allow_unused=True)
    swept = output_gradient(program, kind, outputs, targets, coefs, _context(kind))
    if gradient is None:
        gradient = torch.zeros_like(outputs)
    torch.testing.assert_close(swept, gradient.detach(), rtol=1e-9, atol=1e-9, equal_nan=True)
    direction = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mixed = coefficient_gradient(program, kind, outputs, targets, direction, coefs, _context(kind))
    expected = torch.zeros_like(coefs)
    if gradient.requires_grad:
        (found,) = torch.autograd.grad((gradient * direction).sum(), coefs, allow_unused=True)
        expected = expected if found is None else found
    torch.testing.assert_close(mixed, expected, rtol=1e-8, atol=1e-8, equal_nan=True)


@given(programs)
def test_value_agrees_with_sympy_at_fifty_digits(program: Program) -> None:
    formula = elementary(Weighted.plain(program).to_loss("regression").expr)
    for y, p in ((0, "0.3"), (1, "0.85"), (1, "0.02")):
        exact = formula.subs({Y: y, P: Rational(p), C: 5}).evalf(50)
        one = torch.ones(1, dtype=torch.float64)
        found = interpret(program, one * y, one * float(p), extra={"C": 5.0})
        assert float(found) == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


def test_guards_have_no_gradient_inside() -> None:
    y, p = torch.zeros(3), torch.tensor([0.0, 1e-9, -1e-8])
    for name in ("plog", "psqrt"):
        assert entry_gradient(Program((name, "p")), y, p).tolist() == [0.0, 0.0, 0.0]
        coefs = torch.ones(1)
        program = Program((name, "p"))
        assert float(coefficient_gradient(program, "regression", p, y, torch.ones(3), coefs)) == 0.0


def test_registered_operators_are_their_definition() -> None:
    register_primitive("interpreted_bump", ["a", "b"], "exp(-a**2)*b + 0.5")
    program = Program(("interpreted_bump", "sub", "y", "p", "p"))
    y, p = torch.tensor([1.0, 0.0]), torch.tensor([0.25, 2.0])
    expected = torch.exp(-((y - p) ** 2)) * p + 0.5
    torch.testing.assert_close(interpret(program, y, p), expected)
    slope = torch.autograd.functional.jacobian(lambda q: interpret(program, y, q), p).diagonal()
    torch.testing.assert_close(entry_gradient(program, y, p), slope)


def test_priors_and_weights() -> None:
    program = Program(("mul", "w", "mul", "pi", "square", "sub", "y", "p"))
    context = {"pi": torch.tensor([0.2, 0.8]), "w": torch.tensor([1.0, 3.0, 0.5])}
    logits, targets = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1])
    p = logits.softmax(1)
    y = torch.nn.functional.one_hot(targets, 2)
    expected = (context["w"][:, None] * context["pi"] * (y - p) ** 2).sum(1).mean()
    torch.testing.assert_close(
        program_loss(program, "classification", logits, targets, None, context), expected
    )
    with pytest.raises(CompileError, match="speaks of 'pi': give its value"):
        interpret(Program(("mul", "pi", "p")), p, p)


def test_a_tree_without_p_has_no_gradient() -> None:
    assert output_gradient(
        Program(("mul", "y", "1")), "regression", torch.ones(2), torch.ones(2)
    ).tolist() == [0, 0]
