"""The steps of compilation one by one: the log domain, printing, kernels, plans, plain functions."""

from __future__ import annotations

import math
import re
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from sympy import Integer, Rational, Symbol, exp, gamma, log, sin, symbols, tanh

import symloss as sl
from symloss.codegen import compile_loss, lambdify, plan
from symloss.codegen.coefficients import Bounded
from symloss.codegen.formula import formula_of
from symloss.codegen.source.languages import HELPERS
from symloss.codegen.source.printer import build, print_function
from symloss.codegen.symbols.log_domain import ENTRY, LOG_P, LOG_Q, P_, Q_, in_logs, log_slope, logit_slope
from symloss.codegen.symbols.signed_log import SignedLog, evaluate
from symloss.errors import CompileError

REWRITTEN = {
    "log(p)": LOG_P,
    "log(1 - p)": LOG_Q,
    "log(1.3*p**2)": 2 * LOG_P + log(Rational(13, 10)),
    "log((1 - p)/p)": LOG_Q - LOG_P,
    "log(p - p**2)": LOG_P + LOG_Q,
    "p*(1/p)": Integer(1),
    "(1 - p)**2.5": Q_ ** Rational(5, 2),
    "abs(log(p))": -LOG_P,
    "abs(1 - p)": Q_,
    "1 - p**2": Q_ * (P_ + 1),
    "(p - p**2)/p": Q_,
}


@pytest.mark.parametrize(("text", "expected"), REWRITTEN.items())
def test_formulas_move_to_the_log_domain(text: str, expected: Any) -> None:
    found = in_logs(sl.parse(text).expr.xreplace(ENTRY))
    assert (found - expected).expand() == 0


def test_slopes_are_derivatives_by_the_logit_and_by_log_p() -> None:
    assert logit_slope(LOG_P) == Q_
    assert logit_slope(LOG_Q) == -P_
    odds = logit_slope(P_ / Q_).subs(Q_, 1 - P_)
    assert (odds - P_ / (1 - P_)).simplify() == 0
    assert log_slope(P_**3) == 3 * P_**3
    assert log_slope(LOG_P) == 1


def test_shared_subexpressions_are_computed_once() -> None:
    x = Symbol("x", real=True)
    printed = print_function("f", [sin(x) + exp(sin(x)), tanh(sin(x))], ["x"], {x: "x"})
    assert printed.source.count("torch.sin") == 1
    a, b = build(printed)(torch.tensor(0.5))
    assert float(a) == pytest.approx(math.sin(0.5) + math.exp(math.sin(0.5)))
    assert float(b) == pytest.approx(math.tanh(math.sin(0.5)))


def test_foreign_nodes_are_never_printed() -> None:
    x = Symbol("__import__('os')")
    with pytest.raises(KeyError):
        print_function("f", [x + 1], [], {})
    with pytest.raises(CompileError, match="expected an operator of the grammar, got gamma"):
        print_function("f", [gamma(Symbol("x"))], ["x"], {Symbol("x"): "x"})


def test_coefficients_never_reach_the_source_by_name() -> None:
    loss = sl.parse("torch*y*log(p)*exec", coefficients={"torch": 2.0, "exec": 1.0})
    formula = formula_of(loss.expr, loss.kind, tuple(loss.coefficients))
    source = formula.printed(formula.target).source
    assert "exec" not in source
    assert "k[0]" in source
    module = compile_loss(loss, trainable=True)
    assert float(module(torch.zeros(1, 2), torch.tensor([0])).detach()) == pytest.approx(2 * math.log(0.5))


PLANS = {
    ("-2*y*log(p)", "classification"): ("kernel", "-?2 \\* F.cross_entropy"),
    ("-(0.9*y + 0.1/C)*log(p)", "classification"): ("linear", "multiples of log p"),
    ("1 - y*p", "classification"): ("target", "by its logit"),
    ("abs(y - p)", "classification"): ("target", "by its logit"),
    ("(1 - y)*p*log(1 - p)", "classification"): ("dense", "singular at p = 1"),
    ("y/p", "classification"): ("target", "signed logarithms"),
    ("(y - p)**2", "classification"): ("dense", "every class counts"),
    ("(y - p)**2", "regression"): ("kernel", "F.mse_loss"),
    ("abs(3*y - 3*p)", "regression"): ("entries", "sum over entries"),
    ("log(cosh(y - p))", "regression"): ("entries", "sum over entries"),
    ("min(abs(y - p), 2)*(3*abs(p - y) - 1.5*min(abs(p - y), 2))", "regression"): (
        "kernel",
        "3 \\* F.huber_loss",
    ),
    ("min(abs(y - p), 2)*(3*abs(p - y) - min(abs(p - y), 2))", "regression"): ("entries", "sum over entries"),
    ("-y*log(p) - (1 - y)*log(1 - p)", "multilabel"): ("kernel", "binary_cross_entropy_with_logits"),
    ("-y*log(p)", "multilabel"): ("entries", "sum over entries"),
}


@pytest.mark.parametrize(("text", "kind"), PLANS)
def test_plans(text: str, kind: str) -> None:
    path, reason = PLANS[text, kind]
    found = plan(sl.parse(text, kind=kind))
    assert found.path == path
    assert re.search(reason, found.reason)
    assert str(found).startswith(f"path: {path}\n")
    assert ("def value_and_slope" in str(found)) == (path not in ("kernel", "linear"))


BACKENDS = ["numpy", "math", "mpmath", "torch"]
PLAIN = {
    "y*abs(log(1.3*p))": abs(math.log(0.65)),
    "y/p + plog(p - 1) + psqrt(y)": 2 + math.log(0.5) + 1,
    "max(y, p) + min(0, p)*sign(y - p) + relu(p - 0.3)": 1.2,
    "sigmoid(p) + softplus(y) + aq(y, p)": 1 / (1 + math.exp(-0.5))
    + math.log(1 + math.e)
    + 1 / math.sqrt(1.25),
    "exp(1)*p**1.5 + sinh(p) - cosh(y)*sin(p)/cos(y) + tanh(p)**3": math.e * 0.5**1.5
    + math.sinh(0.5)
    - math.cosh(1) * math.sin(0.5) / math.cos(1)
    + math.tanh(0.5) ** 3,
    "square(y - p)/sqrt(p)": 0.25 / math.sqrt(0.5),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("text", PLAIN)
def test_plain_functions(text: str, backend: str) -> None:
    found = float(lambdify(sl.parse(text), backend)(1, 0.5))
    assert found == pytest.approx(PLAIN[text], rel=1e-6 if backend == "torch" else 1e-12)


def test_plain_functions_take_what_the_formula_uses() -> None:
    loss = sl.parse("w*pi*C*y*p")
    for backend in BACKENDS:
        assert float(lambdify(loss, backend)(1, 0.5, C=4, pi=0.5)) == pytest.approx(1.0)
        assert float(lambdify(loss, backend)(1, 0.5, C=4, pi=0.5, w=3)) == pytest.approx(3.0)
    y, p = np.array([0, 1]), np.array([0.25, 0.5], dtype=np.float32)
    found = loss.lambdify()(y, p, C=2, pi=0.5)
    np.testing.assert_allclose(found, [0, 0.5])
    with pytest.raises(CompileError, match="expected a backend of torch, numpy, math, mpmath, got 'jax'"):
        lambdify(loss, "jax")


def test_mpmath_functions_are_exact() -> None:
    with mpmath.workdps(50):
        found = lambdify(sl.parse("y*log(1.3*p)"), "mpmath")(1, mpmath.mpf(1) / 3)
        assert abs(found - mpmath.log(mpmath.mpf(13) / 30)) < mpmath.mpf(10) ** -48


def test_bounded_parameters_start_where_they_are_told() -> None:
    inf = math.inf
    bounds = {"a": (0.0, 1.0), "b": (0.0, inf), "c": (-inf, 3.0), "d": (-inf, inf)}
    values = {"a": 0.3, "b": 40.0, "c": -2.0, "d": 5.0}
    module = Bounded(values, bounds)
    assert module.values_now() == pytest.approx(values)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(100.0)
    now = module.values_now()
    assert all(lo <= now[name] <= hi for name, (lo, hi) in bounds.items())


def test_signed_logarithms_agree_with_floats_and_go_further() -> None:
    a, b = symbols("a b", real=True)
    x, y = torch.tensor([2.0, -0.5, 1e-9]).double(), torch.tensor([-3.0, 0.25, 7.0]).double()
    inputs = {a: SignedLog.of(x), b: SignedLog.of(y)}
    for expr, value in (
        (a * b + a - 3, x * y + x - 3),
        (a**2 / b, x**2 / y),
        (tanh(a) * exp(b), torch.tanh(x) * torch.exp(y)),
        (sin(a * b), torch.sin(x * y)),
    ):
        torch.testing.assert_close(evaluate(expr, inputs).value, value)
    huge = {a: SignedLog.exp_of(torch.tensor([20000.0]))}
    assert evaluate((a**2 + a) / a**2, huge).value.item() == 1.0
    assert evaluate(a - a**2, huge).value.item() == -math.inf
    assert evaluate(log(1 + a), huge).value.item() == pytest.approx(20000.0)


def _helper(name: str) -> Any:
    namespace: dict[str, Any] = {"torch": torch, "math": math}
    exec(HELPERS["torch"][name], namespace)
    return namespace[name]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_guards_of_slopes_act_as_those_of_the_protected_operators(dtype: torch.dtype) -> None:
    x = torch.tensor([0.0, 1e-8, -1e-8, 2e-7, -2e-7, 0.5, -3.0, 1e30], dtype=dtype)
    free = x.abs() > 1e-7
    torch.testing.assert_close(_helper("outside")(x), free.to(dtype))
    torch.testing.assert_close(_helper("inverse")(x), torch.where(free, 1 / x, 0.0))


@pytest.mark.parametrize("text", ["plog(p + 0.1)", "psqrt(p + 0.1)"])
def test_a_guard_that_cannot_act_is_not_computed(text: str) -> None:
    source = plan(sl.parse(f"y*{text}")).functions["the instance loss and its derivative"]
    assert "inverse" not in source
    assert "clamp" not in source


def test_code_beside_its_derivative_takes_the_faster_operations() -> None:
    def printed(text: str, kind: str) -> str:
        return "".join(plan(sl.parse(text, kind=kind)).functions.values())

    assert "torch.tanh" in printed("log(cosh(y - p))", "regression")
    assert "alpha=0.3" in printed("y*(sin(p) - 0.3*cos(p))", "classification")
    assert "torch.clamp(p, max=0.6)" in printed("y*min(p, 0.6)", "classification")
    composed = formula_of(sl.parse("y*min(p, 0.6)").value_expr, "classification")
    assert "torch.minimum" in composed.printed(composed.row).source  # autograd halves the slope at a tie


@pytest.mark.parametrize(
    "text",
    [
        "y*plog(C)*p",
        "y*plog(C*p)*aq(p, plog(C))",
        "y*aq(p, C) + p*y/sqrt(C**2 + 1)",
        "-y*log(p)*log(cosh(C))",
    ],
)
def test_numbers_of_classes_are_numbers_in_every_function(text: str) -> None:
    z, t = torch.tensor([[0.3, -1.0, 0.2]], dtype=torch.float64, requires_grad=True), torch.tensor([1])
    loss = compile_loss(sl.parse(text))
    value = loss(z, t)
    expected = sum(
        lambdify(sl.parse(text), "math")(float(i == 1), p, C=3)
        for i, p in enumerate(torch.softmax(z, 1)[0].tolist())
    )
    assert value.item() == pytest.approx(expected, rel=1e-9)
    assert torch.autograd.gradcheck(lambda x: loss(x, t), z)


def test_log_cosh_keeps_its_digits_near_zero() -> None:
    p = torch.logspace(-3, 4, 50)
    found = compile_loss(sl.named("log-cosh", kind="regression"), "none")(p, torch.zeros(50))
    r = p.double()
    exact = r + torch.log1p(torch.expm1(-2 * r) / 2)
    torch.testing.assert_close(found.double(), exact, rtol=1e-3, atol=1e-12)
