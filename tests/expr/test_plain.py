"""The plainest form: what people would write, equal to what it was made from, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symloss as sl
from symloss.errors import ParseError
from symloss.expr import KINDS, agrees
from symloss.expr.agreement import value
from symloss.expr.trees import weighted_from
from symloss.expr.trees.evaluate import slopes
from tests.strategies import formulas

PLAINER = [
    ("regression", "psqrt((p - y)**2)**2 + 1", "max((p - y)**2, 1e-7) + 1"),
    ("regression", "psqrt((p - y)**2 + 1)**2", "(p - y)**2 + 1"),
    ("regression", "plog(2 + cos(p))", "log(cos(p) + 2)"),
    ("regression", "exp(2*plog(p))", "max(abs(p), 1e-7)**2"),
    ("regression", "min(y, y)", "y"),
    ("regression", "min(1.252*y, 1.253*y)", "min(1.252*y, 1.253*y)"),
    ("regression", "max(p + 1, y + 1)*2", "2*(max(p, y) + 1)"),
    ("regression", "-max(-2*p, -2*y)", "2*min(p, y)"),
    ("regression", "0.000002*max(2189000*psqrt(-0.9993*y), 500000*p)", "max(p, 4.378*psqrt(0.9993*y))"),
    ("regression", "1647.4*abs(y)/sqrt(53361*p**2 + 40000)", "8.237*abs(y)/sqrt((1.155*p)**2 + 1)"),
    ("classification", "min(1.252*y, 1.253*y)", "1.252*y"),
    ("classification", "abs(y*log(p)*y)", "-y**2*log(p)"),
    ("classification", "max(2*y*p, 3*y*abs(log(p)))", "y*max(2*p, -3*log(p))"),
    ("classification", "plog(1 + p)*y", "y*log(p + 1)"),
    ("classification", "plog(p)*y", "y*plog(p)"),
    ("classification", "psqrt(p)*y", "y*psqrt(p)"),
    ("classification", "-y*(log(1.3) + log(p))", "-y*log(1.3*p)"),
    ("multilabel", "relu(p)*abs(1 - y)", "p*(1 - y)"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "plain"), PLAINER)
def test_the_plainest_form(kind: str, text: str, plain: str) -> None:
    loss = sl.parse(text, kind=kind)
    found = loss.simplify()
    assert found == loss
    assert found.complexity <= loss.complexity
    assert found == sl.parse(plain, kind=kind)
    assert found.complexity <= sl.parse(plain, kind=kind).complexity


HARD = [
    ("y**2*log(p)", "y*log(p)"),
    ("-sqrt(y)*log(p)", "-y*log(p)"),
    ("y*abs(log(p*(1 + y)))", "y*abs(log(2*p))"),
    ("max(-25/sqrt(y**2 + 1), 27*y/sqrt((y + p)**2 + 1))", "27*y/sqrt((y + p)**2 + 1)"),
    ("(1 - y)**3*p", "p*(1 - y)"),
    ("psqrt(y)*p", "p*psqrt(y)"),  # not 0 at y = 0
    ("y*softplus(1/y)*p", "p*y*softplus(1/y)"),  # without a value at y = 0, its limit there is not 0
    ("y*log(y) + 3*(1 - p)", "y*log(y) + 3*(1 - p)"),
]


@pytest.mark.parametrize(("text", "plain"), HARD)
def test_hard_labels(text: str, plain: str) -> None:
    loss = sl.parse(text)
    found = loss.simplify(hard_labels=True)
    assert found == sl.parse(plain)
    if "1/y" not in text and "log(y)" not in text:
        assert agrees(loss.value_expr, found.value_expr, "classification", hard_labels=True)


def test_labels_of_a_regression_are_any_numbers() -> None:
    loss = sl.parse("abs(y)**3*p", kind="regression")
    assert loss.simplify(hard_labels=True) == loss


def _parsed(text: str, kind: str) -> sl.Loss:
    try:
        return sl.parse(text, kind=kind)
    except ParseError:
        assume(False)
        raise


@given(formulas(leaves=6), st.sampled_from(sorted(KINDS)))
@settings(max_examples=25)
def test_the_plain_form_is_its_own_and_reads_back(text: str, kind: str) -> None:
    loss = _parsed(text, kind)
    plain = loss.simplify()
    assert plain == loss
    assert plain.complexity <= loss.complexity
    assert plain.simplify().expr == plain.expr
    assert sl.parse(str(plain), kind=kind) == plain


@given(formulas(leaves=6), st.sampled_from(sorted(KINDS)), st.integers(0, 2**16))
@settings(max_examples=25)
def test_value_and_slope_stay(text: str, kind: str, seed: int) -> None:
    """The plain form in float64 against the formula it was made from at 50 digits."""
    loss = _parsed(text, kind)
    y, p = np.random.default_rng(seed).uniform(*((0.01, 0.99) if kind != "regression" else (-3, 3)), size=2)
    step = Fraction(1, 10**15)
    at = [value(loss.value_expr, {"y": y, "p": Fraction(p) + side * step, "C": 3}) for side in (-1, 0, 1)]
    assume(None not in at)
    program, edges = weighted_from(loss.simplify()).graph()
    (found,), (slope,) = slopes(program, np.array([y]), np.array([p]), edges, {"C": 3.0})
    scale = 1 + max(abs(float(at[1])), abs(float(slope)))
    assert found == pytest.approx(float(at[1]), rel=1e-9, abs=1e-9 * scale)
    assert slope == pytest.approx(float((at[2] - at[0]) / 2 / float(step)), rel=1e-6, abs=1e-6 * scale)


def test_agreement_is_shown_to_fail() -> None:
    def exprs(*texts: str) -> list[sl.expr.Loss]:
        return [sl.parse(text).expr for text in texts]

    for a, b, kind in (
        ("p**2", "p**2 + 1e-25", "regression"),
        ("plog(p)", "log(p)", "classification"),  # differ below 1e-7
        ("max(p - 0.7, 0)", "max(p - 0.7001, 0)", "classification"),
        ("sign(p - 1/3)", "sign(p - 1/3)**3*1.0000001", "classification"),
        ("y**2*p", "y*p", "classification"),
    ):
        left, right = exprs(a, b)
        assert agrees(left, left, kind)
        assert not agrees(left, right, kind), (a, b)
    assert agrees(*exprs("y**2*p", "y*p"), "classification", hard_labels=True)
    assert not agrees(*exprs("y*log(y)", "0*y"), "classification", hard_labels=True)


def test_the_same_in_every_process() -> None:
    code = (
        "import symloss as sl\n"
        "for text in ('max(min(2*y*p, 3*p), max(y*abs(log(p)), 0.3))', 'sqrt(y)*(p + y)/(1 + p*y) - y/(2 + p)'):\n"
        "    print(sl.parse(text).simplify(), sl.parse(text).simplify(hard_labels=True))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_numbers_too_large_to_write_leave_a_loss_as_it_is() -> None:
    loss = sl.parse("0.92*abs((1.796*p)**(0.08849*p*y))", kind="regression")
    assert loss.simplify().expr == loss.expr


@pytest.mark.parametrize(
    "text",
    [
        "11.46 - 11.46*exp(-0.4444*(y - p)**2)",
        "(1 - exp(-0.4444*(y - p)**2))/(1 + exp(-0.4444*(y - p)**2))",
        "1 - p**1.1373",
        "exp(1.2345*p)*(exp(-1.1111*y) - exp(-2.3456*p))",
    ],
)
def test_exponents_with_many_digits_are_no_degrees(text: str) -> None:
    """SymPy's polynomials take them for thousandfold powers and do not come back."""
    for kind in ("regression", "classification"):
        loss = sl.parse(text, kind=kind)
        assert loss.simplify() == loss
        assert loss.simplify().complexity <= loss.complexity


@pytest.mark.parametrize("exponent", ["2.1915", "1.792744"])
def test_exponents_of_sums_with_many_digits_come_back(exponent: str) -> None:
    """SymPy would factor numbers of thousands of digits to expand and divide these, and never come back."""
    loss = sl.parse(
        f"1/((1.195*y - 2.215*p + 0.6188*sqrt(0.6726*y)/sqrt(3.154176*y**2 + 1))**2 + 1)**{exponent}"
    )
    assert agrees(loss.expr, loss.simplify(hard_labels=True).expr, "classification", hard_labels=True)
