"""Kinds of formula with wrong certificates once: complex detours, kinks that move with C, jumps, numbers, size."""

from __future__ import annotations

import math
import tracemalloc

import mpmath
import numpy as np
import pytest
from sympy import Expr, Integer, Max, Rational, cos, exp, log, sqrt

import symloss as sl
from symloss.errors import DomainError
from symloss.expr import P
from symloss.theory import analyze, derive
from symloss.theory.findings.profile import Profile
from symloss.theory.findings.proper import risk
from symloss.theory.functions.constants import as_float
from symloss.theory.functions.curve import Curve

# Complex detours


@pytest.mark.parametrize(
    "formula", ["sqrt(y - p)", "y*log(p)*sqrt(1 - C)", "y*sqrt(2*p - 1)", "y*log(2*p - 1)", "y*log(C - 10)*p",
                "-y*log(p) - (1 - y)*log(1/2 - p)", "y*sqrt(p - 0.001)", "y*log(C - 9)*p"]
)  # fmt: skip
def test_no_step_leads_between_numbers_that_are_not_real(formula: str) -> None:
    with pytest.raises(DomainError, match="real"):
        derive(sl.parse(formula))


@pytest.mark.parametrize("formula", ["y*log(y*p)", "y*sqrt(log(p)**2)", "y*max(p, 1/C)", "-y*sqrt(C*p)"])
def test_a_real_loss_has_a_sparse_form(formula: str) -> None:
    assert len(derive(sl.parse(formula)).steps) == 4


NOT_EVERYWHERE = [
    "y/(C*p - 1)**2", "y/(C*p - 1)", "y*sqrt(C*p - 1)", "y*(1 - C*p)**0.5", "-y*log(C*p - 1)", "y*log(C - 10)*p",
]  # fmt: skip


@pytest.mark.parametrize("formula", NOT_EVERYWHERE)
def test_no_rate_where_the_null_epoch_may_have_none(formula: str) -> None:
    findings = analyze(sl.parse(formula)).findings
    assert findings["implicit_learning_rate"].verdict == "unknown"
    assert findings["trainable_at_start"].verdict == "unknown"


def test_a_logarithm_that_is_not_real_at_the_given_number_of_classes_is_refused() -> None:
    with pytest.raises(DomainError, match="not real"):
        analyze(sl.parse("log(C - 10)*y*p"), 2)
    assert analyze(sl.parse("log(C - 10)*y*p"), 12).findings["attractor"].text == "0"


@pytest.mark.parametrize(
    ("formula", "value"),
    [("-y*log(C*p)", "1"), ("-y*log(p)*sqrt(C - 1)", "sqrt(C - 1)"), ("y/p/C", "1"),
     ("y*(1 - p)/(C - 1)", "1/(C*(C - 1))")],
)  # fmt: skip
def test_roots_and_quotients_seen_to_be_real_keep_their_rate(formula: str, value: str) -> None:
    finding = analyze(sl.parse(formula)).findings["implicit_learning_rate"]
    assert (finding.verdict, finding.text) == ("proved", value)


# Kinks that move with C


@pytest.mark.parametrize(
    "formula",
    ["max(p, 1/C)*y", "y*min(p, 1/C)", "y*relu(1 - C*p)", "-y*log(p) + max(0, C*p - 1)", "y*abs(C*p - 1)",
     "-y*log(max(p, 1/C))", "y*sign(p - 1/C)"],
)  # fmt: skip
def test_a_kink_at_the_null_epoch_has_no_slope(formula: str) -> None:
    findings = analyze(sl.parse(formula)).findings
    assert findings["implicit_learning_rate"].verdict == "unknown"
    assert findings["trainable_at_start"].verdict == "unknown"
    assert findings["attractor"].verdict != "proved"


# Jumps

JUMPS = ["sign(y - p)", "tanh(y - p) + 100*sign(y - p)", "y*sign(p)", "abs(y - p) + sign(p - 2)/1000",
         "tanh(y - p)*sign(abs(y - p) - 2)", "abs(y - p)/(y - p)", "sqrt(y**2 + 1)*sign(y - p)"]  # fmt: skip


@pytest.mark.parametrize("formula", JUMPS)
def test_a_jump_refutes_bounded_influence(formula: str) -> None:
    loss = sl.parse(formula, kind="regression")
    finding = analyze(loss).findings["bounded_influence"]
    assert finding.verdict == "refuted"
    y, r = finding.witness["y"], finding.witness["r"]
    sides = r + 1e-7 * np.array([-1.0, 1.0])
    values = loss.lambdify("numpy")(y + 0 * sides, y - sides)
    assert abs(values[1] - values[0]) == pytest.approx(
        abs(finding.witness["right"] - finding.witness["left"]), abs=1e-5
    )


@pytest.mark.parametrize(
    ("formula", "bound"),
    [("(y - p)*sign(y - p)", 1), ("tanh(y - p)*sign(y - p)", 1), ("sign(abs(y - p) - 1)*(abs(y - p) - 1)", 1),
     ("sign(y - p)*min(abs(y - p), 1)", 1)],
)  # fmt: skip
def test_a_step_that_a_factor_closes_is_no_jump(formula: str, bound: float) -> None:
    finding = analyze(sl.parse(formula, kind="regression")).findings["bounded_influence"]
    assert (finding.verdict, finding.numeric) == ("proved", bound)


def test_the_mean_of_two_slopes_is_not_said_to_be_one() -> None:
    finding = analyze(sl.parse("max(y - p, 0)*y", kind="regression")).findings["influence"]
    assert "wherever M has a slope" in finding.reason


# Numbers


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (log(1 + Rational(1, 10**120)), 1e-120),
        (exp(Rational(1, 10**150)) - 1, 1e-150),
        (1 - cos(Rational(1, 10**60)), 5e-121),
        (sqrt(1 + Rational(1, 10**130)) - 1, 5e-131),
        (Rational(1, 10**400), 0.0),
        ((1 + sqrt(2)) ** 2 - 3 - 2 * sqrt(2), 0.0),
        (Max(log(2), 1), 1.0),
        (Integer(10) ** 400, None),
        (exp(2000), None),
        (log(Integer(-2)), None),
        (log(1 + Rational(1, 10**2000)), None),
    ],
)
def test_a_number_is_right_or_none(number: Expr, value: float | None) -> None:
    assert as_float(number) == value


def test_numbers_against_mpmath() -> None:
    rng = np.random.default_rng(4)
    with mpmath.workdps(700):
        for small in 10.0 ** -rng.uniform(0, 300, 30):
            x = Rational(float(small))
            exact = mpmath.mpf(int(x.p)) / int(x.q)
            for number, right in ((log(1 + x), mpmath.log1p(exact)), (exp(x) - 1, mpmath.expm1(exact))):
                assert as_float(number) == float(right)


def test_tiny_values_in_a_certificate() -> None:
    findings = analyze(sl.parse("log(1 + 1e-120)*y*p"), 10).findings
    assert findings["implicit_learning_rate"].numeric == pytest.approx(-1e-121, rel=1e-12)


@pytest.mark.parametrize(
    ("formula", "key", "value"),
    [("tanh(y - p)", "bounded_influence", 1.0), ("tanh(y - p)", "bounded_above", 1.0),
     ("1 - exp(-(y - p)**2)", "bounded_above", 1.0), ("log(1 + (y - p)**2)", "bounded_influence", 1.0),
     ("abs(y - p) + sign(y - 2)", "bounded_influence", 1.0)],
)  # fmt: skip
def test_an_exact_bound_is_not_rounded_up(formula: str, key: str, value: float) -> None:
    finding = analyze(sl.parse(formula, kind="regression")).findings[key]
    assert (finding.verdict, finding.text, finding.numeric) == ("proved", "1", value)


@pytest.mark.parametrize("formula", ["y*p*(1 - p)*exp(sin(3*p))", "(1 - y)*p*cos(5*p) + y*p**3*exp(-p*p*4)"])
def test_a_bound_of_a_multilabel_loss_is_an_outer_end(formula: str) -> None:
    loss = sl.parse(formula, kind="multilabel")
    profile = Profile.of(loss, 2)
    for key, side in (("bounded_below", -1), ("bounded_above", 1)):
        finding = analyze(loss).findings[key]
        assert finding.verdict == "proved"
        if finding.text:
            assert finding.numeric == pytest.approx(float(sl.parse(finding.text).expr))
            continue
        ends = [curve.extreme(side) for curve in (profile.m1, profile.m0)]
        outer = [side * (end.value.hi if side > 0 else end.value.lo) for end in ends if end is not None]
        assert finding.numeric == side * max(outer)


def test_of_two_extremes_that_rounding_cannot_tell_apart_neither_has_the_value() -> None:
    first, second = Rational(1, 3), Rational(1, 3) + Rational(1, 10**30)
    # The bump around 1/4 is lower than that around 3/4 by 1e-30.
    bump = Max(0, first - 16 * (P - Rational(1, 4)) ** 2) + Max(0, second - 16 * (P - Rational(3, 4)) ** 2)
    curve = Curve.build(lambda r: r.smooth(bump, {}), P, Integer(0), Integer(1))
    top = curve.extreme(1)
    assert top is not None
    assert top.value.exact in (None, second)
    assert top.value.hi >= second


# Size

MANY = 10**9


@pytest.mark.parametrize(
    "formula", ["y*p", "y*(1 - p)**2", "-y*log(p) - 20*(1 - y)*p**2", "-y*log(p) + 3*(1 - y)*log(p)"]
)
def test_no_array_has_an_entry_for_every_class(formula: str) -> None:
    tracemalloc.start()
    try:
        findings = analyze(sl.parse(formula), MANY).findings
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6
    assert findings["proper"].verdict == "refuted"
    assert len(findings["proper"].witness["posterior"]) == 1000


def test_a_witness_of_few_classes_is_whole() -> None:
    profile = Profile.of(sl.parse("y*(1 - p)**2"), 7)
    witness = analyze(sl.parse("y*(1 - p)**2"), 7).findings["proper"].witness
    q, p = np.array(witness["posterior"]), np.array(witness["prediction"])
    assert len(q) == len(p) == 7
    assert math.isclose(q.sum(), 1)
    assert math.isclose(p.sum(), 1)
    assert float(risk(profile, q, p).hi) < float(risk(profile, q, q).lo)


# Constants


@pytest.mark.parametrize(
    ("formula", "kind", "variable"),
    [
        ("0", "classification", "p"), ("3", "classification", "p"), ("y*C", "classification", "p"),
        ("p - p", "multilabel", "p"), ("y", "regression", "p"), ("3", "margin", "m"),
    ],
)  # fmt: skip
def test_a_constant_teaches_nothing(formula: str, kind: str, variable: str) -> None:
    certificate = analyze(sl.parse(formula, kind=kind))
    assert certificate.summary() == f"constant in {variable}: nothing to learn"
    assert "cross-entropy" not in " ".join(map(certificate.sentence, certificate.findings))


def test_zero_has_its_bounds_and_its_sum_for_every_number_of_classes() -> None:
    findings = analyze(sl.parse("0")).findings
    for key in ("symmetric_noise_robust", "bounded_below", "bounded_above", "lipschitz_in_logits"):
        assert (findings[key].verdict, findings[key].value) == ("proved", 0)


def test_a_constant_of_the_margin_is_least_at_no_end() -> None:
    certificate = analyze(sl.parse("3", kind="margin"))
    assert certificate.findings["minimum"].value is None
    assert certificate.sentence("minimum") == "is the same at every margin"
