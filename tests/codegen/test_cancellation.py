"""Numbers for which float64 has no digits of a formula are refused; the reference is mpmath."""

from __future__ import annotations

import math
import re

import mpmath
import pytest
import torch

import symloss as sl
from symloss.codegen import compile_loss, export_python
from symloss.codegen.cancellation import check_float64
from symloss.codegen.formula import formula_of
from symloss.errors import CompileError

COSINE = "(cos(q*(1 - p)) - 1)/q**2"
LOST = [
    ("classification", f"y*{COSINE}", {"q": 1e-8}),
    ("classification", COSINE, {"q": 1e-8}),
    ("classification", COSINE, {"q": -1e-8}),
    ("classification", COSINE, {"q": 1e-30}),
    ("classification", COSINE, {"q": 1e-100}),
    ("multilabel", COSINE, {"q": 1e-8}),
    ("regression", "(cos(q*(y - p)) - 1)/q**2", {"q": 1e-8}),
    # Only at p near 1, where 1 - p makes it small.
    ("classification", f"y*{COSINE}", {"q": 1e-5}),
    ("multilabel", f"y*{COSINE}", {"q": 1e-5}),
    ("regression", "(cos(q*(y - p)) - 1)/q**2", {"q": 1e-5}),
    # Only of the other classes, or for soft labels.
    ("classification", "(1 - y)*(cos(q*p) - 1)/q**2", {"q": 1e-8}),
    ("multilabel", "(1 - y)*(cos(q*p) - 1)/q**2", {"q": 1e-8}),
    ("classification", "-y*log(p) + y*(1 - y)*(cos(q*p) - 1)/q**2", {"q": 1e-8}),
    ("multilabel", "-y*log(p) + y*(1 - y)*(cos(q*p) - 1)/q**2", {"q": 1e-8}),
    # The loss has its digits, its gradient has not.
    ("classification", "y*(1 - exp(-q*(1 - p)))/(q**2*(1 - p))", {"q": 1e-13}),
    ("classification", "y*(sin(q*p) - q*p)/q**3", {"q": 1e-5}),
    ("classification", "y*(p**a - p**b)/(a - b)", {"a": 0.5, "b": 0.500000000000001}),
    ("classification", "y*(p**0.5 - p**(0.5 + a))/a + y*w*pi", {"a": 1e-15}),
]


@pytest.mark.parametrize(("kind", "text", "coefficients"), LOST)
@pytest.mark.parametrize("how", ["module", "trainable", "file"])
def test_coefficients_that_leave_no_digits_are_refused(
    kind: str, text: str, coefficients: dict[str, float], how: str
) -> None:
    loss = sl.parse(text, kind=kind, coefficients=coefficients)
    values = ", ".join(f"{name}={value!r}" for name, value in coefficients.items())
    with pytest.raises(CompileError, match=f"float64 keeps four digits of .*, got {re.escape(values)}, for"):
        export_python(loss) if how == "file" else compile_loss(loss, trainable=how == "trainable")


def test_the_coefficient_at_fault_is_named() -> None:
    loss = sl.parse(f"a*y*{COSINE} + b*y*p", coefficients={"a": 1.234, "b": 1e-9, "q": 1e-8})
    with pytest.raises(CompileError, match=r"got q=1e-08, for which"):
        compile_loss(loss)


def test_numbers_that_leave_no_digits_are_refused() -> None:
    loss = sl.parse("y*(cos(0.00000001*(1 - p)) - 1)/0.0000000000000001")
    with pytest.raises(CompileError, match=r"numbers with which float64 keeps four digits, got .*cos"):
        compile_loss(loss)


KEPT = [
    ("classification", f"y*{COSINE}", {"q": 0.02}),
    ("classification", f"y*{COSINE}", {"q": 1.234}),
    ("regression", "(cos(q*(y - p)) - 1)/q**2", {"q": 0.02}),
    ("classification", "y*(p**0.5 - p**(0.5 + a))/a", {"a": 1e-6}),
    ("classification", "y*(1 - exp(-q*(1 - p)))/q", {"q": 1e-30}),
    # These cancel near p = 1 whatever the coefficient.
    ("classification", "a*y*(1 - cos((1 - p)**2))", {"a": 0.123}),
    ("classification", "a*y*(1 - cos((1 - p)**3))", {"a": 1e-9}),
    ("multilabel", "a*y*(1 - cos((1 - p)**3))", {"a": 0.123}),
    # The sum over classes is 0.
    ("classification", "a*(p - 1/C)", {"a": 0.123}),
    # Beyond every number; mpmath would not end.
    ("classification", "y*exp(-exp(a*p))", {"a": 1e9}),
    ("classification", "a*y", {"a": 0.123}),
]
NAMED = [
    *(("classification", "gce", {"q": q}) for q in (0.7, 1e-3, 1e-6, 1e-8, 1e-12)),
    *(("classification", "focal", {"gamma": gamma}) for gamma in (2.0, 1e-6, 1e-12, 2.0 + 1e-12)),
    *(("multilabel", "focal-bce", {"gamma": gamma}) for gamma in (2.0, 1e-12, 2.0 + 1e-12)),
    ("classification", "poly1", {"epsilon": -1.0 + 1e-9}),
    ("classification", "taylorglo", {"t7": 1e-8}),
    ("classification", "lsr", {"xi": 1e-12}),
    ("classification", "sparse-lsr", {"xi": 1e-12}),
    ("regression", "barron", {"alpha": 0.501}),
    ("regression", "tukey", {"c": 123.4}),
    ("regression", "welsch", {"c": 1e-3}),
    ("regression", "charbonnier", {"epsilon": 1e-3}),
]


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize(("kind", "text", "coefficients"), KEPT + NAMED)
def test_what_float64_holds_is_accepted(
    kind: str, text: str, coefficients: dict[str, float], trainable: bool
) -> None:
    if text in sl.names(kind):
        loss = sl.named(text, kind=kind).with_coefficients(**coefficients)
    else:
        loss = sl.parse(text, kind=kind, coefficients=coefficients)
    names = tuple(loss.coefficients) if trainable else ()
    formula = formula_of(loss.expr if trainable else loss.value_expr, kind, names)
    formula.check()
    check_float64(formula, loss)


def test_near_p_of_one_what_is_accepted_is_right() -> None:
    loss = sl.parse(f"-y*{COSINE}", coefficients={"q": 0.1})
    for rest in (1e-3, 1e-4):
        d = math.log1p(-rest) - math.log(rest)
        found = compile_loss(loss)(torch.tensor([[d, 0.0]], dtype=torch.float64), torch.tensor([0]))
        with mpmath.workdps(50):
            q = mpmath.mpf("0.1")
            wanted = (1 - mpmath.cos(q / (1 + mpmath.exp(d)))) / q**2
        assert float(found) == pytest.approx(float(wanted), rel=1e-4)


def test_short_numbers_cost_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symloss.codegen.cancellation._lost", None)
    for name in ("focal", "ace", "gce", "lsr"):
        loss = sl.named(name)
        check_float64(formula_of(loss.value_expr, loss.kind), loss)
