"""The gate lets every trainable loss of the literature in, turned round or not, and says why it rejects."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import symloss as sl
from symloss.codegen.trees.interpret import entry_gradient, interpret
from symloss.expr import OPERATORS, Program, register_primitive
from symloss.expr.trees import weighted_from
from symloss.expr.trees.evaluate import slopes
from symloss.search.screen.gate import gate
from tests.codegen.trees.test_interpret import programs

ZOO = [(name, kind) for kind in ("classification", "multilabel", "regression") for name in sl.names(kind)]


@pytest.mark.parametrize(("name", "kind"), ZOO)
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_zoo_passes_either_way_up(name: str, kind: str, classes: int) -> None:
    number = None if kind == "regression" else classes
    for factor in (1.0, 0.01, 300.0, -1.0, -7.0):
        program, edges = weighted_from(sl.named(name, kind)).scaled(factor).graph()
        verdict = gate(program, kind, number, edges)
        assert verdict.passed, verdict.reason
        assert verdict.sign == (1 if factor > 0 else -1)


REJECTED = [
    ("classification", ("square", "p"), "does not use y"),
    ("classification", ("square", "y"), "does not use p"),
    ("classification", ("mul", "y", "sign", "p"), "flat"),
    ("classification", ("div", "y", "sub", "p", "p"), "not finite"),
    ("classification", ("add", "y", "square", "p"), "no pull on the target"),
    ("classification", ("mul", "y", "abs", "sub", "p", "div", "1", "C"), "no pull|stops at chance"),
    ("multilabel", ("mul", "y", "plog", "p"), "same way"),
    ("regression", ("mul", "y", "p"), "no minimum"),
    ("regression", ("add", "y", "p"), "no minimum"),
    ("regression", ("square", "add", "y", "p"), "no minimum"),
    ("regression", ("relu", "sub", "y", "p"), "no minimum"),
    ("regression", ("max", "1", "neg", "mul", "y", "p"), "flat near the target"),
    ("regression", ("plog", "sign", "sub", "y", "p"), "flat"),
]


@pytest.mark.parametrize(("kind", "tokens", "reason"), REJECTED)
def test_rejections_say_why(kind: str, tokens: tuple[str, ...], reason: str) -> None:
    verdict = gate(Program(tokens), kind, None if kind == "regression" else 10)
    assert not verdict.passed
    assert any(part in verdict.reason for part in reason.split("|")), verdict.reason


@given(programs, st.sampled_from(["classification", "regression"]))
def test_slopes_agree_with_the_interpreter(program: Program, kind: str) -> None:
    y = np.array([0.0, 1.0, 0.0, 1.0])
    p = np.array([0.3, 0.2, 0.9, 0.6]) if kind == "classification" else np.array([-1.5, 0.4, 2.0, 0.1])
    edges = np.linspace(0.7, 1.4, program.size - 1)
    value, slope = slopes(program, y, p, edges, {"C": 4.0})
    tensors = torch.tensor(y), torch.tensor(p), torch.tensor(edges), {"C": 4.0}
    np.testing.assert_allclose(value, interpret(program, *tensors).expand(4), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(slope, entry_gradient(program, *tensors), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_operator_has_its_slope(name: str) -> None:
    tokens = (name, "p") if OPERATORS[name].arity == 1 else (name, "p", "aq", "p", "y")
    y, p, h = np.array([1.3]), np.array([0.7]), 1e-6
    up, down = (slopes(Program(tokens), y, p + s * h)[0] for s in (1, -1))
    np.testing.assert_allclose(slopes(Program(tokens), y, p)[1], (up - down) / (2 * h), rtol=1e-7, atol=1e-9)


def test_registered_operators() -> None:
    register_primitive("gate_bump", ["a"], "exp(-a**2) + 0.5")
    y, p = np.array([1.0]), np.array([0.25])
    value, slope = slopes(Program(("gate_bump", "sub", "y", "p")), y, p)
    np.testing.assert_allclose(value, np.exp(-(0.75**2)) + 0.5)
    np.testing.assert_allclose(slope, 1.5 * np.exp(-(0.75**2)))


def _learns(program: Program, sign: int) -> bool:
    """Gradient descent on free logits of ten instances, scale taken out: does the target rise?"""
    targets = torch.arange(10)
    logits = 0.1 * torch.randn(10, 10, generator=torch.Generator().manual_seed(0))
    one_hot = torch.eye(10)[targets]
    scale = None
    for _ in range(150):
        p = logits.softmax(1)
        g = sign * entry_gradient(program, one_hot, p, extra={"C": 10.0})
        step = p * (g - (p * g).sum(1, keepdim=True))
        scale = scale or float(step.norm()) or 1.0
        logits = logits - step / scale
    accuracy = (logits.argmax(1) == targets).float().mean()
    return bool(torch.isfinite(logits).all()) and float(accuracy) > 0.5


def test_the_gate_is_mostly_right_about_random_trees() -> None:
    """Of the trees that learn from free logits, few are rejected; of those passed, most learn."""
    from symloss.search.propose.gp import Rates, initial_program
    from symloss.search.propose.grammar import Grammar

    outcomes = []
    for seed in range(120):
        program = initial_program(Grammar(), Rates(), seed)
        verdict = gate(program, "classification", 10)
        outcomes.append((verdict.passed, any(_learns(program, s) for s in (1, -1))))
    passed, learnt = (sum(o[i] for o in outcomes) for i in (0, 1))
    both = sum(a and b for a, b in outcomes)
    assert passed > 10
    assert both / passed > 0.9
    assert both / learnt > 0.9
