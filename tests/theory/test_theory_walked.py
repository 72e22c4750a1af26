"""What a reader of the proofs found to be wrong: each was `proved`, or refuted by a counterexample that is none."""

from __future__ import annotations

from fractions import Fraction

import pytest
from mpmath import log, mpf, workdps
from sympy import Integer, Rational, Symbol

import symloss as sl
from symloss.expr import M, P, sigmoid
from symloss.theory import analyze
from symloss.theory.functions.enclose import enclose
from symloss.theory.functions.interval import Interval
from symloss.theory.functions.points import Cell, Point
from symloss.theory.functions.signs import sign_pattern


@pytest.mark.parametrize("formula", ["y*max(1/2-p,0)**2", "y*((p-1/2)**2 - (p-1/2)**3)"])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_two_classes_can_tie_at_a_half_where_the_loss_is_stationary(formula: str, classes: int) -> None:
    # Under (0.6, 0.4, 0, ...) the tie (1/2, 1/2, 0, ...) has the least risk there is.
    finding = analyze(sl.parse(formula), classes, only=("classification_calibrated",)).findings
    assert finding["classification_calibrated"].verdict != "proved"


def test_large_powers_of_a_negative_base_are_enclosed() -> None:
    x = Symbol("x", real=True)
    value, slope = enclose(x**1071, x, Interval.between(-1.01, -1.0))
    assert value.lo <= -(1.01**1071)
    assert value.hi >= -1
    assert slope.hi >= 1071 * 1.01**1070
    loss = sl.parse("y*(((p-1)**63)**17 - 2*p)")
    bound = analyze(loss, 3, only=("bounded_above",)).findings["bounded_above"]
    # `-(1-p)**1071 - 2 p` is greatest where `1071 (1-p)**1070 = 2`.
    with workdps(60):
        rest = (mpf(2) / 1071) ** (mpf(1) / 1070)
        greatest = -(rest**1071) - 2 * (1 - rest)
    assert bound.verdict == "proved"
    assert bound.numeric == pytest.approx(float(greatest), rel=1e-12)


def test_a_sign_between_two_roots_that_floats_do_not_tell_apart_is_not_lost() -> None:
    near = (P - Rational(1, 2)) * (P - Rational(1, 2) - Rational(1, 10**17))
    pattern = sign_pattern(near, P, Cell(Point.at(Integer(0)), Point.at(Integer(1))))
    assert {span.sign for span in pattern} > {1}


def test_a_loss_that_is_concave_on_a_sliver_is_not_proved_convex() -> None:
    loss = sl.parse("y*(p**4/12 - 1.00000000000000001*p**3/6 + 0.1250000000000000025*p**2)")
    assert analyze(loss, 3, only=("convex_in_p",)).findings["convex_in_p"].verdict != "proved"
    loss = sl.parse("-(m**3/3 - 1.00000000000000001*m**2/2 + 0.250000000000000005*m)", kind="margin")
    assert analyze(loss, only=("decreasing",)).findings["decreasing"].verdict != "proved"


def test_a_link_has_a_formula_only_where_one_holds_everywhere() -> None:
    pieces = analyze(sl.parse("log(1+exp(-m)) + max(0,-m-2)**2", kind="margin"), only=("link",))
    assert pieces.findings["link"].verdict == "proved"
    assert pieces.findings["link"].value is None
    assert "by no one formula" in pieces.sentence("link")
    assert analyze(sl.named("logistic"), only=("link",)).findings["link"].value == sigmoid(M)


def test_a_counterexample_compares_predictions_of_one_sum() -> None:
    finding = analyze(sl.parse("-y*log(p) + 1e-13*y*p**2"), 3, only=("proper",)).findings["proper"]
    assert finding.verdict == "refuted"
    posterior, prediction = finding.witness["posterior"], finding.witness["prediction"]
    assert sum(map(Fraction, posterior)) == sum(map(Fraction, prediction))
    # Of floats no arithmetic of 16 digits shows a gain of 1e-31.
    with workdps(60):
        honest, better = (
            sum(
                mpf(q) * (-log(mpf(p)) + mpf("1e-13") * mpf(p) ** 2)
                for q, p in zip(posterior, told, strict=True)
            )
            for told in (posterior, prediction)
        )
        gain = honest - better
    assert gain > 0
    assert float(gain) == pytest.approx(finding.witness["gain"], rel=1e-6)


def test_a_constant_that_depends_on_the_number_of_classes_is_not_printed_for_one() -> None:
    finding = analyze(sl.parse("-y*log(p) + 1 - y"), only=("known_as",)).findings["known_as"]
    assert (finding.verdict, finding.text) == ("proved", "ce")
    assert "9" not in finding.reason


def test_numbers_with_many_digits_under_tanh_of_a_logarithm_do_not_stop_the_clock() -> None:
    loss = sl.parse("-tanh(0.518909238*plog(1.37789721*p*y)*max(0.824*y, -0.727))")
    findings = analyze(loss, 10, patience=None).findings
    assert findings["attractor"].verdict == "proved"
    assert "clock" not in " ".join(finding.reason for finding in findings.values())
